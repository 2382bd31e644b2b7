//! The list of signatures, as runs of those that follow each other.
//!
//! Signatures are numbered in the order in which they were added. Those of one source and kind that came one after the
//! other share a record, so that a file of a million digests costs one:
//!
//! ```text
//! bytes 0-3   the first signature of the run; it ends where the next one starts
//! byte 4      bits 0-1  kind: 0 hash, 1 body, 2 logical, 3 of a table of its own; with item 0 the end:
//!             there is no signature of this number
//!             bit  2    weak
//!             bits 3-7  hash: the number of its table; body and logical: the number of its target;
//!                       else which table: 1 rules about members, 2 YARA rules, 3 certificates, 4 kinds of files
//! bytes 5-7   source
//! bytes 8-11  all but hashes: the rule of the first, those of the others follow; hash: 0, its place in its table is
//!             looked for when it is asked, which is when a person wants to see the signature
//! ```

use crate::ImageError;
use crate::layout::{Frame, Section, Writer};
use dachs_base::Strength;
use std::ops::Range;

/// The table of rules about members, as the item of a record.
pub(crate) const MEMBERS: u16 = 1;

/// The table of YARA rules, as the item of a record.
pub(crate) const YARA: u16 = 2;

/// The table of revoked certificates, as the item of a record.
pub(crate) const CERTIFICATES: u16 = 3;

/// The table of what patterns tell of kinds, as the item of a record.
pub(crate) const KINDS: u16 = 4;

/// Names with these beginnings are of weak signatures, as in ClamAV.
const WEAK: [&str; 3] = ["PUA.", "Heuristics.", "BC.Heuristics."];

/// What kind of rule a signature is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RuleKind {
    Hash,
    Body,
    Logical,
    /// A rule of the table that the item names.
    Other,
}

/// What is known of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) kind: RuleKind,
    pub(crate) strength: Strength,
    /// The number of the table or of the target.
    pub(crate) item: u16,
    pub(crate) source: u32,
    /// The rule; 0 for hashes.
    pub(crate) place: u32,
}

impl Record {
    fn encode(&self) -> [u8; 4] {
        let kind = match self.kind {
            RuleKind::Hash => 0,
            RuleKind::Body => 1,
            RuleKind::Logical => 2,
            RuleKind::Other => 3,
        };
        let weak = if self.strength == Strength::Weak { 4 } else { 0 };
        let item = u8::try_from(self.item & 0x1F).unwrap_or(0);
        let [s0, s1, s2, _] = self.source.to_le_bytes();
        [kind | weak | item << 3, s0, s1, s2]
    }

    fn decode([flags, s0, s1, s2]: [u8; 4], place: u32) -> Option<Record> {
        let kind = match flags & 3 {
            0 => RuleKind::Hash,
            1 => RuleKind::Body,
            2 => RuleKind::Logical,
            _ if flags >> 3 == 0 => return None,
            _ => RuleKind::Other,
        };
        Some(Record {
            kind,
            strength: if flags & 4 == 0 { Strength::Strong } else { Strength::Weak },
            item: u16::from(flags >> 3),
            source: u32::from_le_bytes([s0, s1, s2, 0]),
            place,
        })
    }

    /// Can `next` be in one run with this one, `distance` signatures later?
    fn continues(&self, next: &Record, distance: u32) -> bool {
        let place = if self.kind == RuleKind::Hash { Some(self.place) } else { self.place.checked_add(distance) };
        let same = Record { place: next.place, ..*self };
        same == *next && place == Some(next.place)
    }
}

/// How much a signature of this name says.
pub(crate) fn strength_of(name: &str) -> Strength {
    if WEAK.iter().any(|prefix| name.starts_with(prefix)) { Strength::Weak } else { Strength::Strong }
}

/// Collects runs.
#[derive(Default)]
pub(crate) struct SignatureWriter {
    runs: Vec<Run>,
    last: Option<(u32, Record)>,
    count: u32,
}

/// The end of the runs, where a kind would be.
const END: [u8; 4] = [3, 0, 0, 0];

/// First signature, kind and source, place.
type Run = [u8; 12];

fn run(first: u32, word: [u8; 4], place: u32) -> Run {
    let [f0, f1, f2, f3] = first.to_le_bytes();
    let [w0, w1, w2, w3] = word;
    let [p0, p1, p2, p3] = place.to_le_bytes();
    [f0, f1, f2, f3, w0, w1, w2, w3, p0, p1, p2, p3]
}

fn first_of(run: &Run) -> u32 {
    run.first_chunk().map_or(0, |first| u32::from_le_bytes(*first))
}

impl SignatureWriter {
    /// The number of the next signature; `None` if there can be no more.
    pub(crate) fn next(&self) -> Option<u32> {
        Some(self.count).filter(|number| *number < u32::MAX)
    }

    /// Adds the next signature.
    pub(crate) fn push(&mut self, record: &Record) {
        let number = self.count;
        self.count = self.count.saturating_add(1);
        let continues = self.last.is_some_and(|(first, run)| run.continues(record, number.saturating_sub(first)));
        if !continues {
            self.last = Some((number, *record));
            self.runs.push(run(number, record.encode(), record.place));
        }
    }

    pub(crate) fn write(mut self, writer: &mut Writer<'_>) {
        if self.count > 0 {
            self.runs.push(run(self.count, END, 0));
        }
        writer.section(Section::Signatures, 0, |out| out.extend(self.runs.as_flattened()));
    }
}

/// The signatures of an image.
#[derive(Clone, Copy)]
pub(crate) struct Signatures<'a> {
    runs: &'a [Run],
}

impl<'a> Signatures<'a> {
    pub(crate) fn new(frame: &Frame<'a>) -> Signatures<'a> {
        Signatures { runs: frame.records(Section::Signatures, 0) }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u32 {
        self.runs.last().map_or(0, first_of)
    }

    /// One of them.
    pub(crate) fn record(&self, signature: u32) -> Option<Record> {
        let behind = self.runs.partition_point(|run| first_of(run) <= signature);
        let ([first, word, place], []) = self.runs.get(behind.checked_sub(1)?)?.as_chunks::<4>() else { return None };
        let distance = signature.checked_sub(u32::from_le_bytes(*first))?;
        let record = Record::decode(*word, u32::from_le_bytes(*place))?;
        let place = if record.kind == RuleKind::Hash { 0 } else { record.place.checked_add(distance)? };
        Some(Record { place, ..record })
    }

    /// The runs: the numbers of each, and the record of its first.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (Range<u32>, Option<Record>)> + use<'a> {
        let all = *self;
        let pairs = self.runs.array_windows::<2>();
        pairs.map(move |[run, next]| (first_of(run)..first_of(next), all.record(first_of(run))))
    }

    /// Those of one table of its own, with their numbers. Walks through runs, not through signatures.
    pub(crate) fn of_table(&self, item: u16) -> impl Iterator<Item = (u32, Record)> + use<'a> {
        let all = *self;
        let is_wanted = move |record: Record| record.kind == RuleKind::Other && record.item == item;
        let runs = self.runs().filter(move |(_, record)| record.is_some_and(is_wanted));
        runs.flat_map(|(numbers, _)| numbers).filter_map(move |number| Some((number, all.record(number)?)))
    }

    /// Checks that the runs are in order, and that the last is the end.
    pub(crate) fn verify(&self) -> Result<(), ImageError> {
        let ends = self.runs.iter().filter(|run| run.as_chunks::<4>().0.get(1) == Some(&END)).count();
        let ended = self.runs.last().is_none_or(|run| *run == self::run(first_of(run), END, 0));
        let started = self.runs.first().is_none_or(|run| first_of(run) == 0);
        let sorted = self.runs.is_sorted_by(|a, b| first_of(a) < first_of(b));
        let known = self.runs.iter().rev().skip(1).all(|run| self.record(first_of(run)).is_some());
        if ended && started && sorted && known && ends <= 1 {
            return Ok(());
        }
        Err(ImageError::Section { section: Section::Signatures.name(), reason: "their runs are not in order" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_as_they_were() {
        let kinds = [RuleKind::Hash, RuleKind::Body, RuleKind::Logical, RuleKind::Other];
        for (kind, strength) in kinds.into_iter().flat_map(|kind| [(kind, Strength::Weak), (kind, Strength::Strong)]) {
            let record = Record { kind, strength, item: 31, source: 0xAB_CDEF, place: 0xDEAD_BEEF };
            assert_eq!(Record::decode(record.encode(), record.place), Some(record));
        }
        assert_eq!(Record::decode(END, 0), None);
    }

    #[test]
    fn signatures_of_one_source_and_kind_share_a_run() {
        let record = |kind, source, place| Record { kind, strength: Strength::Strong, item: 1, source, place };
        let (hash, body) = (RuleKind::Hash, RuleKind::Body);
        let records =
            [(hash, 0, 0), (hash, 0, 0), (hash, 1, 0), (body, 1, 5), (body, 1, 6), (body, 1, 8), (body, 1, 9)];
        let records = records.map(|(kind, source, place)| record(kind, source, place));
        let mut writer = SignatureWriter::default();
        records.iter().for_each(|record| writer.push(record));
        writer.runs.push(run(writer.count, END, 0));
        assert_eq!(writer.runs.len(), 5);
        let signatures = Signatures { runs: &writer.runs };
        signatures.verify().unwrap();
        assert_eq!(signatures.count(), 7);
        for (number, record) in (0..).zip(records) {
            assert_eq!(signatures.record(number), Some(record));
        }
        assert_eq!((signatures.record(7), signatures.record(u32::MAX)), (None, None));
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
