//! The list of signatures: a record of eight bytes for each.
//!
//! ```text
//! byte 0      bits 0-1  kind: 0 hash, 1 body, 2 logical
//!             bit  2    weak
//!             bits 3-7  hash: the number of its table; body and logical: the number of its target
//! bytes 1-3   source
//! bytes 4-7   hash: index in the table; body and logical: rule
//! ```
//!
//! Signatures are numbered in the order in which they were added.

use crate::ImageError;
use crate::layout::{Frame, Section, Writer, at, count};
use dachs_base::Strength;

/// Names with these beginnings are of weak signatures, as in ClamAV.
const WEAK: [&str; 3] = ["PUA.", "Heuristics.", "BC.Heuristics."];

/// What kind of rule a signature is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RuleKind {
    Hash,
    Body,
    Logical,
}

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) kind: RuleKind,
    pub(crate) strength: Strength,
    /// The number of the table or of the target.
    pub(crate) item: u16,
    pub(crate) source: u32,
    /// The index in the table, or the rule.
    pub(crate) place: u32,
}

impl Record {
    fn encode(&self) -> [u8; 8] {
        let kind = match self.kind {
            RuleKind::Hash => 0,
            RuleKind::Body => 1,
            RuleKind::Logical => 2,
        };
        let weak = if self.strength == Strength::Weak { 4 } else { 0 };
        let item = u8::try_from(self.item & 0x1F).unwrap_or(0);
        let [s0, s1, s2, _] = self.source.to_le_bytes();
        let [p0, p1, p2, p3] = self.place.to_le_bytes();
        [kind | weak | item << 3, s0, s1, s2, p0, p1, p2, p3]
    }

    fn decode(record: [u8; 8]) -> Option<Record> {
        let [flags, s0, s1, s2, p0, p1, p2, p3] = record;
        let kind = match flags & 3 {
            0 => RuleKind::Hash,
            1 => RuleKind::Body,
            2 => RuleKind::Logical,
            _ => return None,
        };
        Some(Record {
            kind,
            strength: if flags & 4 == 0 { Strength::Strong } else { Strength::Weak },
            item: u16::from(flags >> 3),
            source: u32::from_le_bytes([s0, s1, s2, 0]),
            place: u32::from_le_bytes([p0, p1, p2, p3]),
        })
    }
}

/// How much a signature of this name says.
pub(crate) fn strength_of(name: &str) -> Strength {
    if WEAK.iter().any(|prefix| name.starts_with(prefix)) { Strength::Weak } else { Strength::Strong }
}

/// Collects records.
#[derive(Default)]
pub(crate) struct SignatureWriter {
    records: Vec<[u8; 8]>,
}

impl SignatureWriter {
    /// The number of the next signature; `None` if there can be no more.
    pub(crate) fn next(&self) -> Option<u32> {
        u32::try_from(self.records.len()).ok().filter(|number| *number < u32::MAX)
    }

    /// Adds the next signature.
    pub(crate) fn push(&mut self, record: &Record) {
        self.records.push(record.encode());
    }

    /// Tells where in its table a hash signature came to stand.
    pub(crate) fn place(&mut self, signature: u32, place: u32) {
        let record = usize::try_from(signature).ok().and_then(|index| self.records.get_mut(index));
        if let Some(bytes) = record.and_then(|record| record.last_chunk_mut::<4>()) {
            *bytes = place.to_le_bytes();
        }
    }

    /// Bytes it will write.
    pub(crate) fn len(&self) -> usize {
        self.records.len().saturating_mul(8)
    }

    pub(crate) fn write(self, writer: &mut Writer) {
        writer.section(Section::Signatures, 0, |out| out.extend(self.records.as_flattened()));
    }
}

/// The signatures of an image.
#[derive(Clone, Copy)]
pub(crate) struct Signatures<'a> {
    records: &'a [[u8; 8]],
}

impl<'a> Signatures<'a> {
    pub(crate) fn new(frame: &Frame<'a>) -> Result<Signatures<'a>, ImageError> {
        let records = frame.records(Section::Signatures, 0);
        if u32::try_from(records.len()).is_err() {
            return Err(ImageError::Section { section: Section::Signatures.name(), reason: "there are too many" });
        }
        Ok(Signatures { records })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u32 {
        count(self.records)
    }

    /// One of them.
    pub(crate) fn record(&self, signature: u32) -> Option<Record> {
        at(self.records, signature).and_then(|record| Record::decode(*record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_as_they_were() {
        let kinds = [RuleKind::Hash, RuleKind::Body, RuleKind::Logical];
        for (kind, strength) in kinds.into_iter().flat_map(|kind| [(kind, Strength::Weak), (kind, Strength::Strong)]) {
            let record = Record { kind, strength, item: 31, source: 0xAB_CDEF, place: 0xDEAD_BEEF };
            assert_eq!(Record::decode(record.encode()), Some(record));
        }
        assert_eq!(Record::decode([0xFF; 8]), None);
    }

    #[test]
    fn names_tell_the_strength() {
        for (name, strength) in [
            ("PUA.Win.Tool.X", Strength::Weak),
            ("Heuristics.Y", Strength::Weak),
            ("BC.Heuristics.Y", Strength::Weak),
            ("BC.Win.Trojan", Strength::Strong),
            ("Win.PUA.X", Strength::Strong),
            ("PUAX", Strength::Strong),
        ] {
            assert_eq!(strength_of(name), strength, "{name}");
        }
    }
}
