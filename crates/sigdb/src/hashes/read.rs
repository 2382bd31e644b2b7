//! Looking digests up.

use super::{DigestKind, List, MOST_BITS, lead, mix, slot, table_number};
use crate::ImageError;
use crate::layout::{Frame, Section, at, count, number};
use crate::model::{Digest, HashRule};
use std::ops::Range;

/// One table of digests of `N` bytes.
#[derive(Clone, Copy)]
pub(crate) struct Table<'a, const N: usize> {
    directory: &'a [[u8; 4]],
    bits: u32,
    sizes: &'a [[u8; 12]],
    leads: &'a [[u8; 2]],
    digests: &'a [[u8; N]],
    signatures: &'a [[u8; 4]],
}

impl<'a, const N: usize> Table<'a, N> {
    fn new(frame: &Frame<'a>, kind: DigestKind, sized: bool, list: List) -> Result<Table<'a, N>, ImageError> {
        let item = table_number(kind, sized, list);
        let directory = frame.records::<4>(Section::HashDirectory, item);
        let slots = directory.len().saturating_sub(1);
        let digests = frame.bytes(Section::HashDigests, item);
        let table = Table {
            directory,
            bits: if slots == 0 { 0 } else { slots.trailing_zeros() },
            sizes: frame.records(Section::HashSizes, item),
            leads: frame.records(Section::HashLeads, item),
            digests: frame.records(Section::HashDigests, item),
            signatures: frame.records(Section::HashSignatures, item),
        };
        let empty = digests.is_empty();
        let power = if empty { directory.is_empty() } else { slots.is_power_of_two() && table.bits <= MOST_BITS };
        let numbered = list == List::Allowed || table.signatures.len() == table.digests.len();
        let measured = table.sizes.is_empty() == (empty || !sized);
        let led = table.leads.len() == if sized { table.digests.len() } else { 0 };
        if power && numbered && measured && led && digests.len().is_multiple_of(N) {
            Ok(table)
        } else {
            Err(broken("the parts of a table do not fit together"))
        }
    }

    /// The digests of objects of `size`; in a table without sizes the whole table.
    fn range(&self, size: u64) -> Range<u32> {
        if self.sizes.is_empty() {
            return 0..count(self.digests);
        }
        let Some((slots, candidates)) = self.slot(mix(size), self.sizes) else { return 0..0 };
        let within = candidates.partition_point(|record| mix(size_of_record(record)) < mix(size));
        match candidates.get(within) {
            Some(record) if size_of_record(record) == size => {
                let index = slots.start.saturating_add(u32::try_from(within).unwrap_or(u32::MAX));
                self.first(index)..self.first(index.saturating_add(1))
            }
            _ => 0..0,
        }
    }

    /// Calls `each` with the index of every entry of this digest, until it answers false.
    fn look_up(&self, size: u64, digest: &[u8; N], each: &mut dyn FnMut(u32) -> bool) {
        let (range, candidates) = if self.sizes.is_empty() {
            self.slot(lead(digest), self.digests).unwrap_or((0..0, &[]))
        } else {
            let range = self.led(&self.range(size), digest);
            (range.clone(), part(self.digests, &range))
        };
        let skipped = candidates.partition_point(|candidate| candidate < digest);
        let start = range.start.saturating_add(u32::try_from(skipped).unwrap_or(u32::MAX));
        for (index, candidate) in (start..=u32::MAX).zip(candidates.iter().skip(skipped)) {
            if candidate != digest || !each(index) {
                return;
            }
        }
    }

    /// Those of a range, of one size, that begin as the digest does.
    fn led(&self, range: &Range<u32>, digest: &[u8; N]) -> Range<u32> {
        let Some(lead) = digest.first_chunk::<2>() else { return 0..0 };
        let leads = part(self.leads, range);
        let place = |count: usize| range.start.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        place(leads.partition_point(|other| other < lead))..place(leads.partition_point(|other| other <= lead))
    }

    /// The entry at `index`: its digest and its size.
    fn entry(&self, index: u32) -> Option<([u8; N], Option<u64>)> {
        let digest = *at(self.digests, index)?;
        if self.sizes.is_empty() {
            return Some((digest, None));
        }
        let behind = self.sizes.partition_point(|record| first_of_record(record) <= index);
        let record = self.sizes.get(behind.checked_sub(1)?)?;
        Some((digest, Some(size_of_record(record))))
    }

    /// The records of the slot that `key` falls into, and their indexes.
    fn slot<T>(&self, key: u64, records: &'a [T]) -> Option<(Range<u32>, &'a [T])> {
        let slot = slot(key, self.bits);
        let range = number(self.directory, slot)?..number(self.directory, slot.checked_add(1)?)?;
        Some((range.clone(), part(records, &range)))
    }

    /// The index of the first digest of the `index`th size.
    fn first(&self, index: u32) -> u32 {
        at(self.sizes, index).map_or(count(self.digests), first_of_record)
    }

    fn verify(&self, signatures: u32) -> Result<(), ImageError> {
        let keys = if self.sizes.is_empty() { self.digests.len() } else { self.sizes.len() };
        let slots: Vec<u32> = self.directory.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
        let ends = slots.is_empty() || (slots.first() == Some(&0) && slots.last().copied() == u32::try_from(keys).ok());
        if !ends || !slots.is_sorted() {
            return Err(broken("a directory is not in order"));
        }
        self.verify_keys(&slots)?;
        if self.signatures.iter().any(|bytes| u32::from_le_bytes(*bytes) >= signatures) {
            return Err(broken("one belongs to a signature that is not there"));
        }
        Ok(())
    }

    /// Checks that every key lies in its slot, and that sizes and digests are in order.
    fn verify_keys(&self, slots: &[u32]) -> Result<(), ImageError> {
        let in_slot = |index: u32, key: u64| {
            let range = usize::try_from(slot(key, self.bits)).ok().and_then(|at| slots.get(at..)?.first_chunk::<2>());
            range.is_some_and(|[start, end]| (*start..*end).contains(&index))
        };
        let sizes_placed =
            (0..=u32::MAX).zip(self.sizes).all(|(index, record)| in_slot(index, mix(size_of_record(record))));
        let sizes_sorted = self.sizes.is_sorted_by(|a, b| {
            mix(size_of_record(a)) < mix(size_of_record(b)) && first_of_record(a) < first_of_record(b)
        });
        if self.sizes.is_empty() {
            let placed = (0..=u32::MAX).zip(self.digests).all(|(index, digest)| in_slot(index, lead(digest)));
            return if placed && self.digests.is_sorted() { Ok(()) } else { Err(broken("digests are not in order")) };
        }
        let starts = self.first(0) == 0;
        let digests_sorted = (0..count(self.sizes)).all(|index| {
            let range = self.first(index)..self.first(index.saturating_add(1));
            !range.is_empty() && part(self.digests, &range).is_sorted()
        });
        let led = self.leads.iter().zip(self.digests).all(|(lead, digest)| digest.starts_with(lead));
        let sound = sizes_placed && sizes_sorted && starts && digests_sorted && led;
        if sound { Ok(()) } else { Err(broken("sizes or digests are not in order")) }
    }
}

/// The two tables of one digest kind and list.
#[derive(Clone, Copy)]
pub(crate) struct Pair<'a, const N: usize> {
    sized: Table<'a, N>,
    any: Table<'a, N>,
}

impl<'a, const N: usize> Pair<'a, N> {
    fn new(frame: &Frame<'a>, kind: DigestKind, list: List) -> Result<Pair<'a, N>, ImageError> {
        Ok(Pair { sized: Table::new(frame, kind, true, list)?, any: Table::new(frame, kind, false, list)? })
    }

    /// Could an object of this size, or of a size yet unknown, be in one of the tables?
    fn wants(&self, size: Option<u64>) -> bool {
        let sized = match size {
            Some(size) => !self.sized.range(size).is_empty() && !self.sized.sizes.is_empty(),
            None => !self.sized.sizes.is_empty(),
        };
        sized || !self.any.digests.is_empty()
    }

    /// Calls `each` with the signature of every entry of this digest, sized ones first, until it answers false.
    fn signatures(&self, size: u64, digest: &[u8; N], each: &mut dyn FnMut(u32) -> bool) {
        for table in [&self.sized, &self.any] {
            table.look_up(size, digest, &mut |index| number(table.signatures, index).is_none_or(&mut *each));
        }
    }

    fn holds(&self, size: u64, digest: &[u8; N]) -> bool {
        let mut found = false;
        for table in [&self.sized, &self.any] {
            table.look_up(size, digest, &mut |_| {
                found = true;
                false
            });
        }
        found
    }

    fn verify(&self, signatures: u32) -> Result<(), ImageError> {
        self.sized.verify(signatures)?;
        self.any.verify(signatures)
    }
}

/// All tables of one list.
#[derive(Clone, Copy)]
pub(crate) struct Hashes<'a> {
    md5: Pair<'a, 16>,
    sha1: Pair<'a, 20>,
    sha256: Pair<'a, 32>,
    /// The number of the first table.
    first: u16,
}

impl<'a> Hashes<'a> {
    pub(crate) fn new(frame: &Frame<'a>, list: List) -> Result<Hashes<'a>, ImageError> {
        Ok(Hashes {
            md5: Pair::new(frame, DigestKind::Md5, list)?,
            sha1: Pair::new(frame, DigestKind::Sha1, list)?,
            sha256: Pair::new(frame, DigestKind::Sha256, list)?,
            first: list.first(),
        })
    }

    /// Is there any digest?
    pub(crate) fn has_any(&self) -> bool {
        DigestKind::ALL.iter().any(|kind| self.wants(*kind, None))
    }

    /// Must an object of this size be digested in this way? `None`: of a size yet unknown.
    pub(crate) fn wants(&self, kind: DigestKind, size: Option<u64>) -> bool {
        match kind {
            DigestKind::Md5 => self.md5.wants(size),
            DigestKind::Sha1 => self.sha1.wants(size),
            DigestKind::Sha256 => self.sha256.wants(size),
        }
    }

    /// Calls `each` with every signature of this digest and size, until it answers false.
    pub(crate) fn signatures(&self, size: u64, digest: &Digest, each: &mut dyn FnMut(u32) -> bool) {
        match digest {
            Digest::Md5(digest) => self.md5.signatures(size, digest, each),
            Digest::Sha1(digest) => self.sha1.signatures(size, digest, each),
            Digest::Sha256(digest) => self.sha256.signatures(size, digest, each),
        }
    }

    /// Is this digest of an object of this size in a table?
    pub(crate) fn holds(&self, size: u64, digest: &Digest) -> bool {
        match digest {
            Digest::Md5(digest) => self.md5.holds(size, digest),
            Digest::Sha1(digest) => self.sha1.holds(size, digest),
            Digest::Sha256(digest) => self.sha256.holds(size, digest),
        }
    }

    /// The entry at `index` of a table of this list.
    pub(crate) fn entry(&self, table: u16, index: u32) -> Option<HashRule> {
        let rule = |(digest, size)| HashRule { digest, size };
        match table % List::TABLES {
            0 => self.md5.sized.entry(index).map(|(digest, size)| rule((Digest::Md5(digest), size))),
            1 => self.sha1.sized.entry(index).map(|(digest, size)| rule((Digest::Sha1(digest), size))),
            2 => self.sha256.sized.entry(index).map(|(digest, size)| rule((Digest::Sha256(digest), size))),
            3 => self.md5.any.entry(index).map(|(digest, size)| rule((Digest::Md5(digest), size))),
            4 => self.sha1.any.entry(index).map(|(digest, size)| rule((Digest::Sha1(digest), size))),
            5 => self.sha256.any.entry(index).map(|(digest, size)| rule((Digest::Sha256(digest), size))),
            _ => None,
        }
    }

    /// Where in a table of this list a signature stands. Walks through the table.
    pub(crate) fn place(&self, table: u16, signature: u32) -> Option<u32> {
        let wanted = signature.to_le_bytes();
        let place = self.owners(table).iter().position(|owner| *owner == wanted)?;
        u32::try_from(place).ok()
    }

    /// Calls `each` with every table of this list and every signature in it.
    pub(crate) fn each_owner(&self, each: &mut dyn FnMut(u16, u32)) {
        for table in 0..List::TABLES {
            for owner in self.owners(table) {
                each(table.saturating_add(self.first), u32::from_le_bytes(*owner));
            }
        }
    }

    /// The signatures of a table, in step with its digests.
    fn owners(&self, table: u16) -> &'a [[u8; 4]] {
        match table % List::TABLES {
            0 => self.md5.sized.signatures,
            1 => self.sha1.sized.signatures,
            2 => self.sha256.sized.signatures,
            3 => self.md5.any.signatures,
            4 => self.sha1.any.signatures,
            _ => self.sha256.any.signatures,
        }
    }

    pub(crate) fn verify(&self, signatures: u32) -> Result<(), ImageError> {
        self.md5.verify(signatures)?;
        self.sha1.verify(signatures)?;
        self.sha256.verify(signatures)
    }
}

fn part<'a, T>(records: &'a [T], range: &Range<u32>) -> &'a [T] {
    let bounds = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
    bounds.and_then(|(start, end)| records.get(start..end)).unwrap_or(&[])
}

fn size_of_record(record: &[u8; 12]) -> u64 {
    record.first_chunk::<8>().map_or(0, |size| u64::from_le_bytes(*size))
}

fn first_of_record(record: &[u8; 12]) -> u32 {
    record.last_chunk::<4>().map_or(0, |first| u32::from_le_bytes(*first))
}

fn broken(reason: &'static str) -> ImageError {
    ImageError::Section { section: Section::HashDigests.name(), reason }
}
