//! Tables of digests: signatures that match an object as a whole, and the allow list.
//!
//! There are twelve tables: for each of the three digests, with and without a size, of signatures and of the allow list.
//! A look-up costs a page of the directory, a page of sizes, and a page or two of digests, however large the table is:
//!
//! ```text
//! size 544 ──mix──> 0x9a3f…   its top bits ──> directory[s] .. directory[s + 1]     where in the sizes to look
//!                                                    └─> sizes: (size, first)        sorted by mix(size)
//!                                                                  └─> digests       sorted within a size
//!                                                                        └─> signatures, in step with the digests
//! ```
//!
//! The directory has about one slot for four sizes. Most sizes that no signature has fall into a slot where nothing
//! fits, so an object of such a size is never digested. `mix` is a multiplication by an odd number: it can be undone, so
//! no two sizes share a mixed value, and it spreads sizes, which lie close together, evenly over the slots.
//!
//! Records, little-endian but for the digests, which are as their standards write them:
//!
//! ```text
//! table          0 MD5, 1 SHA-1, 2 SHA-256; 3 more for any size; 6 more for the allow list
//! directory      for each slot the index of its first key u32, and one more with the number of keys
//! size           size u64 | index of its first digest u32
//! digest         16, 20 or 32 bytes
//! signature      u32; the allow list has none
//! mix(size)      size * 0x9E3779B97F4A7C15 modulo 2^64
//! slots          a power of two, at least 1; the slot of a key is its topmost bits
//! ```
//!
//! Tables of digests for objects of any size need no sizes: digests are evenly spread already, so the directory is
//! indexed by a digest's own first bits.

use crate::ImageError;
use crate::layout::{Frame, Section, Writer, at, count, number};
use crate::model::{Digest, HashRule};
use std::ops::Range;

/// The directory has one slot for so many keys.
const KEYS_PER_SLOT: usize = 4;
/// The directory has at most 2 to the power of this many slots.
const MOST_BITS: u32 = 28;

/// Which digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DigestKind {
    Md5,
    Sha1,
    Sha256,
}

impl DigestKind {
    pub(crate) const ALL: [DigestKind; 3] = [DigestKind::Md5, DigestKind::Sha1, DigestKind::Sha256];

    fn number(self) -> u16 {
        match self {
            DigestKind::Md5 => 0,
            DigestKind::Sha1 => 1,
            DigestKind::Sha256 => 2,
        }
    }
}

/// Which table of a digest kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    /// Signatures.
    Signatures,
    /// The allow list.
    Allowed,
}

/// The number of a table, as in the item of its sections: `kind + 3 * (any size) + 6 * (allow list)`.
pub(crate) fn table_number(kind: DigestKind, sized: bool, list: List) -> u16 {
    let any = if sized { 0 } else { 3 };
    let allowed = if list == List::Allowed { 6 } else { 0 };
    kind.number() + any + allowed
}

/// Spreads sizes over 64 bits: 2 to the power of 64, divided by the golden ratio.
fn mix(size: u64) -> u64 {
    size.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// The first bits of a digest, as the directory of a table without sizes is indexed.
fn lead<const N: usize>(digest: &[u8; N]) -> u64 {
    digest.first_chunk::<8>().map_or(0, |first| u64::from_be_bytes(*first))
}

/// The slot of a key in a directory of 2 to the power of `bits` slots.
fn slot(key: u64, bits: u32) -> u32 {
    let shifted = key.checked_shr(64 - bits.min(MOST_BITS)).unwrap_or(0);
    u32::try_from(shifted).unwrap_or(0)
}

/// One digest waiting to be written. Packed so that it has no padding: there are millions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Pending<const N: usize> {
    /// The mixed size, big-endian; zero in tables without sizes.
    key: [u8; 8],
    digest: [u8; N],
    signature: [u8; 4],
}

/// The tables of one digest kind and list, being filled.
#[derive(Default)]
struct Pile<const N: usize> {
    sized: Vec<Pending<N>>,
    any: Vec<Pending<N>>,
}

impl<const N: usize> Pile<N> {
    fn push(&mut self, digest: [u8; N], size: Option<u64>, signature: u32) {
        let pile = if size.is_some() { &mut self.sized } else { &mut self.any };
        let key = size.map_or(0, mix).to_be_bytes();
        pile.push(Pending { key, digest, signature: signature.to_be_bytes() });
    }

    fn sort(&mut self) {
        self.sized.sort_unstable();
        self.any.sort_unstable();
    }

    fn len(&self) -> usize {
        self.sized.len().saturating_add(self.any.len()).saturating_mul(size_of::<Pending<N>>())
    }
}

/// All tables, being filled.
#[derive(Default)]
struct Piles {
    md5: Pile<16>,
    sha1: Pile<20>,
    sha256: Pile<32>,
}

impl Piles {
    fn push(&mut self, rule: &HashRule, signature: u32) {
        match rule.digest {
            Digest::Md5(digest) => self.md5.push(digest, rule.size, signature),
            Digest::Sha1(digest) => self.sha1.push(digest, rule.size, signature),
            Digest::Sha256(digest) => self.sha256.push(digest, rule.size, signature),
        }
    }

    fn sort(&mut self) {
        self.md5.sort();
        self.sha1.sort();
        self.sha256.sort();
    }

    fn len(&self) -> usize {
        self.md5.len().saturating_add(self.sha1.len()).saturating_add(self.sha256.len())
    }

    /// Calls `each` with every table: its number, and its digests.
    fn each(&self, list: List, each: &mut dyn FnMut(u16, &dyn Sorted)) {
        let number = |kind, sized| table_number(kind, sized, list);
        each(number(DigestKind::Md5, true), &self.md5.sized);
        each(number(DigestKind::Sha1, true), &self.sha1.sized);
        each(number(DigestKind::Sha256, true), &self.sha256.sized);
        each(number(DigestKind::Md5, false), &self.md5.any);
        each(number(DigestKind::Sha1, false), &self.sha1.any);
        each(number(DigestKind::Sha256, false), &self.sha256.any);
    }
}

/// A table ready to be written, whatever the width of its digests.
trait Sorted {
    fn digests(&self, out: &mut Vec<u8>);
    fn signatures(&self) -> Box<dyn Iterator<Item = u32> + '_>;
    /// The sizes that occur, each with the index of its first digest, in the order of their mixed values.
    fn sizes(&self) -> Vec<(u64, u32)>;
    fn leads(&self) -> Box<dyn ExactSizeIterator<Item = u64> + '_>;
}

impl<const N: usize> Sorted for Vec<Pending<N>> {
    fn digests(&self, out: &mut Vec<u8>) {
        for pending in self {
            out.extend(pending.digest);
        }
    }

    fn signatures(&self) -> Box<dyn Iterator<Item = u32> + '_> {
        Box::new(self.iter().map(|pending| u32::from_be_bytes(pending.signature)))
    }

    fn sizes(&self) -> Vec<(u64, u32)> {
        let mut sizes = Vec::new();
        let mut last = None;
        for (index, pending) in (0..=u32::MAX).zip(self) {
            if last != Some(pending.key) {
                last = Some(pending.key);
                sizes.push((u64::from_be_bytes(pending.key), index));
            }
        }
        sizes
    }

    fn leads(&self) -> Box<dyn ExactSizeIterator<Item = u64> + '_> {
        Box::new(self.iter().map(|pending| lead(&pending.digest)))
    }
}

/// Collects digests and writes their tables.
#[derive(Default)]
pub(crate) struct HashWriter {
    signatures: Piles,
    allowed: Piles,
}

impl HashWriter {
    /// Adds a signature.
    pub(crate) fn push(&mut self, rule: &HashRule, signature: u32) -> u16 {
        self.signatures.push(rule, signature);
        table_number(kind_of(&rule.digest), rule.size.is_some(), List::Signatures)
    }

    /// Adds an entry of the allow list.
    pub(crate) fn allow(&mut self, rule: &HashRule) {
        self.allowed.push(rule, 0);
    }

    /// Bytes it will write, or a little more.
    pub(crate) fn len(&self) -> usize {
        self.signatures.len().saturating_add(self.allowed.len())
    }

    /// Brings the tables into their order and calls `place` with each signature and its index in its table.
    pub(crate) fn sort(&mut self, mut place: impl FnMut(u32, u32)) {
        self.signatures.sort();
        self.allowed.sort();
        self.signatures.each(List::Signatures, &mut |_, table| {
            for (index, signature) in (0..=u32::MAX).zip(table.signatures()) {
                place(signature, index);
            }
        });
    }

    /// Writes the tables, which were sorted.
    pub(crate) fn write(&self, writer: &mut Writer) {
        for section in [Section::HashDirectory, Section::HashSizes, Section::HashDigests, Section::HashSignatures] {
            for (list, piles) in [(List::Signatures, &self.signatures), (List::Allowed, &self.allowed)] {
                piles.each(list, &mut |item, table| {
                    writer.section(section, item, |out| write_part(section, item, table, out));
                });
            }
        }
    }
}

fn kind_of(digest: &Digest) -> DigestKind {
    match digest {
        Digest::Md5(_) => DigestKind::Md5,
        Digest::Sha1(_) => DigestKind::Sha1,
        Digest::Sha256(_) => DigestKind::Sha256,
    }
}

fn write_part(section: Section, item: u16, table: &dyn Sorted, out: &mut Vec<u8>) {
    let (sized, allowed) = (item % 6 < 3, item >= 6);
    match section {
        Section::HashDirectory if sized => {
            let sizes = table.sizes();
            write_directory(&mut sizes.iter().map(|(key, _)| *key), out);
        }
        Section::HashDirectory => write_directory(&mut *table.leads(), out),
        Section::HashSizes if sized => {
            for (key, first) in table.sizes() {
                out.extend(unmix(key).to_le_bytes());
                out.extend(first.to_le_bytes());
            }
        }
        Section::HashDigests => table.digests(out),
        Section::HashSignatures if !allowed => {
            for signature in table.signatures() {
                out.extend(signature.to_le_bytes());
            }
        }
        _ => {}
    }
}

/// The size that was mixed: a multiplication by the inverse of `mix`'s number.
fn unmix(key: u64) -> u64 {
    key.wrapping_mul(0xF1DE_83E1_9937_733D)
}

/// Writes the directory of sorted keys: for each slot the index of its first key, and behind the last how many there are.
fn write_directory(keys: &mut dyn ExactSizeIterator<Item = u64>, out: &mut Vec<u8>) {
    let total = keys.len();
    if total == 0 {
        return;
    }
    let bits = total.div_ceil(KEYS_PER_SLOT).next_power_of_two().trailing_zeros().min(MOST_BITS);
    let mut filled = 0_u64;
    let mut index = 0_u32;
    for key in keys {
        while filled <= u64::from(slot(key, bits)) {
            out.extend(index.to_le_bytes());
            filled += 1;
        }
        index = index.saturating_add(1);
    }
    while filled <= 1 << bits {
        out.extend(index.to_le_bytes());
        filled += 1;
    }
}

/// One table of digests of `N` bytes.
#[derive(Clone, Copy)]
pub(crate) struct Table<'a, const N: usize> {
    directory: &'a [[u8; 4]],
    bits: u32,
    sizes: &'a [[u8; 12]],
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
            digests: frame.records(Section::HashDigests, item),
            signatures: frame.records(Section::HashSignatures, item),
        };
        let empty = digests.is_empty();
        let power = if empty { directory.is_empty() } else { slots.is_power_of_two() && table.bits <= MOST_BITS };
        let numbered = list == List::Allowed || table.signatures.len() == table.digests.len();
        let measured = table.sizes.is_empty() == (empty || !sized);
        if power && numbered && measured && digests.len().is_multiple_of(N) {
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
        let range = self.range(size);
        let (range, candidates) = if self.sizes.is_empty() {
            self.slot(lead(digest), self.digests).unwrap_or((0..0, &[]))
        } else {
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
        let sound = sizes_placed && sizes_sorted && starts && digests_sorted;
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
}

impl<'a> Hashes<'a> {
    pub(crate) fn new(frame: &Frame<'a>, list: List) -> Result<Hashes<'a>, ImageError> {
        Ok(Hashes {
            md5: Pair::new(frame, DigestKind::Md5, list)?,
            sha1: Pair::new(frame, DigestKind::Sha1, list)?,
            sha256: Pair::new(frame, DigestKind::Sha256, list)?,
        })
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
        match table {
            0 => self.md5.sized.entry(index).map(|(digest, size)| rule((Digest::Md5(digest), size))),
            1 => self.sha1.sized.entry(index).map(|(digest, size)| rule((Digest::Sha1(digest), size))),
            2 => self.sha256.sized.entry(index).map(|(digest, size)| rule((Digest::Sha256(digest), size))),
            3 => self.md5.any.entry(index).map(|(digest, size)| rule((Digest::Md5(digest), size))),
            4 => self.sha1.any.entry(index).map(|(digest, size)| rule((Digest::Sha1(digest), size))),
            5 => self.sha256.any.entry(index).map(|(digest, size)| rule((Digest::Sha256(digest), size))),
            _ => None,
        }
    }

    /// The signature of the entry at `index` of a table of this list.
    pub(crate) fn owner(&self, table: u16, index: u32) -> Option<u32> {
        let signatures = match table {
            0 => self.md5.sized.signatures,
            1 => self.sha1.sized.signatures,
            2 => self.sha256.sized.signatures,
            3 => self.md5.any.signatures,
            4 => self.sha1.any.signatures,
            5 => self.sha256.any.signatures,
            _ => return None,
        };
        number(signatures, index)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixing_can_be_undone() {
        for size in [0, 1, 544, u64::from(u32::MAX), u64::MAX, 1 << 63] {
            assert_eq!(unmix(mix(size)), size);
        }
    }

    #[test]
    fn every_key_finds_its_slot() {
        let mut keys: Vec<u64> = (0..1000_u64).map(mix).collect();
        keys.sort_unstable();
        let mut out = Vec::new();
        write_directory(&mut keys.iter().copied(), &mut out);
        let slots: Vec<u32> = out.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
        let bits = (slots.len() - 1).trailing_zeros();
        for (index, key) in keys.iter().enumerate() {
            let at = slot(*key, bits) as usize;
            assert!((slots[at] as usize..slots[at + 1] as usize).contains(&index));
        }
    }
}
