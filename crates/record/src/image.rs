//! Names for the numbers of signatures.

use std::sync::Arc;

use dachs_sigdb::Image;

use crate::{Names, Naming};

/// The names in an image.
pub struct ImageNames<'a> {
    image: &'a Image<'a>,
    sources: Vec<String>,
    /// True to name YARA rules as ClamAV does.
    as_clamav: bool,
}

impl<'a> ImageNames<'a> {
    /// The names in this image.
    #[must_use]
    pub fn new(image: &'a Image<'a>) -> ImageNames<'a> {
        let sources = image.info().sources.into_iter().map(|source| source.info.name).collect();
        ImageNames { image, sources, as_clamav: false }
    }

    /// The same, but YARA rules are named `YARA.rule.UNOFFICIAL`.
    #[must_use]
    pub fn as_clamav(image: &'a Image<'a>) -> ImageNames<'a> {
        ImageNames { as_clamav: true, ..ImageNames::new(image) }
    }
}

impl Names for ImageNames<'_> {
    fn naming(&self, signature: u32) -> Option<Naming> {
        let name = self.image.name(signature)?;
        let source = self.image.source_of(signature).and_then(|number| usize::try_from(number).ok());
        let source = source.and_then(|number| self.sources.get(number).cloned());
        let rule = self.image.yara(signature).map(Arc::new);
        let name = if rule.is_some() && self.as_clamav { format!("YARA.{name}.UNOFFICIAL") } else { name };
        Some(Naming { name, source, rule })
    }
}
