//! Names for the numbers of signatures.

use dachs_sigdb::Image;

use crate::{Names, Naming};

/// The names in an image.
pub struct ImageNames<'a> {
    image: &'a Image<'a>,
    sources: Vec<String>,
}

impl<'a> ImageNames<'a> {
    /// The names in this image.
    #[must_use]
    pub fn new(image: &'a Image<'a>) -> ImageNames<'a> {
        ImageNames { image, sources: image.info().sources.into_iter().map(|source| source.info.name).collect() }
    }
}

impl Names for ImageNames<'_> {
    fn naming(&self, signature: u32) -> Option<Naming> {
        let name = self.image.name(signature)?;
        let source = self.image.source_of(signature).and_then(|number| usize::try_from(number).ok());
        Some(Naming { name, source: source.and_then(|number| self.sources.get(number).cloned()) })
    }
}
