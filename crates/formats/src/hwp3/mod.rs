//! Hangul word processor documents before version 5 (specification: Hancom, "Hwp Document File Formats 3.0"; what is compressed was
//! compared with `clamscan --debug` of ClamAV 1.4.6).
//!
//! ```text
//! "HWP Document File V3.00 \x1a\1\2\3\4\5"  30 bytes
//! document  128 bytes: 96: encrypted 2, 124: compressed 1, 126: length of the blocks behind the summary 2
//! summary  1008 bytes | blocks | fonts, styles, text, pictures and objects: DEFLATE, if compressed
//! ```
//!
//! The member `document` is all behind the blocks, inflated. It is not taken apart: pictures and objects stand in it as they are, and
//! are found there by how they begin. Encrypted documents are told.

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Name, Part, Reader, Short, Source, read_vec_at};

use crate::stream::{Replay, SourceRead};
use crate::{Found, Search, Unpack, codec};

/// Bytes of the magic, of what is said of the document, and of its summary.
const MAGIC: u64 = 30;
const DOCUMENT: u64 = 128;
const SUMMARY: u64 = 1008;

/// Gives the document behind its headers.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Box::new(Hangul { source: Arc::clone(source), budget: budget.clone(), found: Found::new(budget) })
}

struct Hangul {
    source: Arc<dyn Source>,
    budget: Budget,
    found: Found,
}

/// What is said of the document.
struct Document {
    encrypted: bool,
    compressed: bool,
    blocks: u16,
}

impl Document {
    fn read(source: &dyn Source) -> Result<Document, Short> {
        let bytes = read_vec_at(source, MAGIC, 128);
        let mut reader = Reader::new(&bytes, "header of the document");
        reader.skip(96)?;
        let encrypted = reader.u16_le()? != 0;
        reader.skip(26)?;
        let compressed = reader.u8()? != 0;
        reader.skip(1)?;
        Ok(Document { encrypted, compressed, blocks: reader.u16_le()? })
    }
}

impl Search for Hangul {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        self.found.end();
        let document = Document::read(self.source.as_ref())?;
        if document.encrypted {
            return Err(Anomaly::encrypted("the document is encrypted"));
        }
        let start = MAGIC + DOCUMENT + SUMMARY + u64::from(document.blocks);
        let length = self.source.len().checked_sub(start).filter(|length| *length > 0);
        let length = length.ok_or_else(|| Anomaly::damaged("the document ends within its headers"))?;
        let rest: Arc<dyn Source> = Arc::new(Part::new(Arc::clone(&self.source), start, length));
        let member = if document.compressed { self.inflated(rest) } else { rest };
        Ok(self.found.member(Name::new(b"document"), member, Some(length))?)
    }
}

impl Hangul {
    fn inflated(&self, packed: Arc<dyn Source>) -> Arc<dyn Source> {
        let budget = self.budget.clone();
        Arc::new(Replay::new(&self.budget, move || codec::deflate(SourceRead::new(Arc::clone(&packed)), &budget)))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::Item;
    use dachs_base::{AnomalyKind, Limits, Memory, NoClock};

    fn document(encrypted: u8, compressed: u8, blocks: &[u8], rest: &[u8]) -> Vec<u8> {
        let mut head = vec![0; 128];
        let length = u16::try_from(blocks.len()).unwrap_or(0).to_le_bytes();
        for (at, byte) in [(96, encrypted), (124, compressed), (126, length[0]), (127, length[1])] {
            head.splice(at..=at, [byte]);
        }
        [b"HWP Document File V3.00 \x1a\x01\x02\x03\x04\x05".as_slice(), &head, &[0; 1008], blocks, rest].concat()
    }

    fn deflated(plain: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    /// The member, or what is told.
    fn item(bytes: Vec<u8>) -> Result<(Vec<u8>, Option<Anomaly>), AnomalyKind> {
        let source: Arc<dyn Source> = Arc::new(Memory::new(bytes));
        match open(&source, &Budget::new(Limits::default(), NoClock)).next_item() {
            Some(Item::Member(member)) => Ok((read_vec_at(member.source.as_ref(), 0, 1000), member.source.problem())),
            Some(Item::Anomaly { anomaly, .. }) => Err(anomaly.kind),
            _ => Ok((Vec::new(), None)),
        }
    }

    #[test]
    fn documents_are_inflated() {
        let plain = b"a badger in a document".to_vec();
        for blocks in [&b""[..], b"ten bytes."] {
            assert_eq!(item(document(0, 1, blocks, &deflated(&plain))), Ok((plain.clone(), None)));
            assert_eq!(item(document(0, 0, blocks, &plain)), Ok((plain.clone(), None)));
        }
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        assert_eq!(item(document(1, 1, b"", b"x")), Err(AnomalyKind::Encrypted));
        assert_eq!(item(document(0, 0, b"", b"")), Err(AnomalyKind::Damaged));
        assert_eq!(item(b"HWP Document File V3.00 \x1a\x01\x02\x03\x04\x05".to_vec()), Err(AnomalyKind::Damaged));
        let whole = document(0, 1, b"", &deflated(&b"badger".repeat(100)));
        let cut = whole.get(..whole.len() - 3).unwrap_or_default().to_vec();
        assert!(item(cut).unwrap().1.is_some());
    }
}
