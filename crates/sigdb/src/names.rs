//! The names of signatures, apart from everything that evaluation touches.
//!
//! Names stand one after the other in the order of their signatures, each as a 16-bit length and its UTF-8 bytes. An
//! index holds the offset of every 64th, so that a name costs an eighth of a byte to find: a look-up walks at most 63
//! lengths. Nothing but reports and [`crate::Image::find`] reads names.

use crate::layout::{Frame, Section, Writer, at, length};
use crate::{ImageError, Refusal};
use dachs_base::Reader;

/// So many names share an entry of the index.
const STRIDE: u32 = 64;

/// Collects names.
#[derive(Default)]
pub(crate) struct NameWriter {
    index: Vec<u8>,
    names: Vec<u8>,
    count: u32,
}

impl NameWriter {
    /// Whether a name fits.
    pub(crate) fn check(name: &str) -> Result<(), Refusal> {
        u16::try_from(name.len()).map(drop).map_err(|_| Refusal::NameTooLong(name.len()))
    }

    /// Adds the name of the next signature, which was checked.
    pub(crate) fn push(&mut self, name: &str) {
        if self.count.is_multiple_of(STRIDE) {
            self.index.extend(length(self.names.len()).to_le_bytes());
        }
        self.names.extend(u16::try_from(name.len()).unwrap_or(0).to_le_bytes());
        self.names.extend(name.as_bytes());
        self.count = self.count.saturating_add(1);
    }

    /// Bytes it will write.
    pub(crate) fn len(&self) -> usize {
        self.index.len().saturating_add(self.names.len())
    }

    pub(crate) fn write(self, writer: &mut Writer) {
        writer.section(Section::NameIndex, 0, |out| out.extend(self.index));
        writer.section(Section::Names, 0, |out| out.extend(self.names));
    }
}

/// The names of an image.
#[derive(Clone, Copy)]
pub(crate) struct Names<'a> {
    index: &'a [[u8; 8]],
    names: &'a [u8],
    count: u32,
}

impl<'a> Names<'a> {
    /// The names of `count` signatures.
    pub(crate) fn new(frame: &Frame<'a>, count: u32) -> Result<Names<'a>, ImageError> {
        let index = frame.records::<8>(Section::NameIndex, 0);
        if crate::layout::count(index) != count.div_ceil(STRIDE) {
            return Err(broken("there are not as many as signatures"));
        }
        Ok(Names { index, names: frame.bytes(Section::Names, 0), count })
    }

    /// The name of a signature.
    pub(crate) fn name(&self, signature: u32) -> Option<&'a str> {
        if signature >= self.count {
            return None;
        }
        let start = u64::from_le_bytes(*at(self.index, signature / STRIDE)?);
        let mut reader = Reader::new(self.names, "names");
        reader.skip(start).ok()?;
        for _ in 0..signature % STRIDE {
            next(&mut reader)?;
        }
        next(&mut reader).and_then(|name| std::str::from_utf8(name).ok())
    }

    /// The signatures of this name.
    pub(crate) fn find(&self, name: &str) -> Vec<u32> {
        let mut reader = Reader::new(self.names, "names");
        let mut found = Vec::new();
        for signature in 0..self.count {
            match next(&mut reader) {
                Some(candidate) if candidate == name.as_bytes() => found.push(signature),
                Some(_) => {}
                None => break,
            }
        }
        found
    }

    /// Checks every name and the index.
    pub(crate) fn verify(&self) -> Result<(), ImageError> {
        let mut reader = Reader::new(self.names, "names");
        for signature in 0..self.count {
            let offset = length(self.names.len().saturating_sub(reader.left()));
            if signature.is_multiple_of(STRIDE) && at(self.index, signature / STRIDE) != Some(&offset.to_le_bytes()) {
                return Err(broken("the index points elsewhere"));
            }
            let name = next(&mut reader).ok_or(broken("one is cut off"))?;
            std::str::from_utf8(name).map_err(|_| broken("one is not UTF-8"))?;
        }
        if reader.is_empty() { Ok(()) } else { Err(broken("there are more than signatures")) }
    }
}

fn next<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = reader.u16_le().ok()?;
    reader.take(u64::from(length)).ok()
}

fn broken(reason: &'static str) -> ImageError {
    ImageError::Section { section: Section::Names.name(), reason }
}
