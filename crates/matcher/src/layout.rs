//! The bytes of a set: little-endian, without alignment, read in place.
//!
//! ```text
//! header | checks | filter words | heads | entries | pair bits | heads | entries | parts | firsts | zeros | code
//!                 |----------- long -------------| |--------- short -----------|
//! ```
//!
//! Parts stand in an order of their own (see `order`), and `firsts` says where those of a pattern begin. Lengths are counts of the items of a section; a set whose sections do not fill its bytes exactly is malformed. What
//! the items hold is not checked here: each use checks, and takes nonsense for "no match".

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// What a set's bytes begin with; the last two are the version of the layout.
pub(crate) const MAGIC: [u8; 8] = *b"dachsP07";

#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Header {
    pub(crate) magic: [u8; 8],
    /// The most bytes that a match can begin before the position that the filter reports.
    pub(crate) back: U32,
    /// The most bytes that a match can need from the position that the filter reports.
    pub(crate) forward: U32,
    /// How many parts can match among zero bytes.
    pub(crate) zeros: U32,
    pub(crate) long_words: U32,
    pub(crate) long_heads: U32,
    pub(crate) long_entries: U32,
    pub(crate) pair_words: U32,
    pub(crate) short_heads: U32,
    pub(crate) short_entries: U32,
    pub(crate) parts: U32,
    pub(crate) firsts: U32,
    pub(crate) code: U32,
    /// Words of the second check of long keys.
    pub(crate) checks: U32,
    pub(crate) reserved: U32,
}

/// One alignment of a part's anchor: what stands around the position that the filter reports.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Entry {
    /// Eight bytes of the part, little-endian.
    pub(crate) value: U64,
    /// Which of their bits count.
    pub(crate) mask: U64,
    pub(crate) part: U32,
    /// Where the eight bytes start: so far behind the position [`AROUND`] before the reported one.
    pub(crate) from: u8,
    /// How far behind the anchor's start the reported position lies.
    pub(crate) shift: u8,
    /// If the part is a whole pattern of at most eight single bytes, how many. They are the first of the eight.
    pub(crate) whole: u8,
    /// Eight bits of the key's hash, so that few keys that share a bucket are taken for each other.
    pub(crate) tag: u8,
}

/// How far before the reported position an entry's eight bytes can start.
pub(crate) const AROUND: usize = 16;

/// A part. Its bytes in the code section are: borders before, borders after, mirrored elements before the anchor,
/// elements from the anchor on.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct PartHead {
    pub(crate) pattern: U32,
    /// Its place in the pattern, from 0.
    pub(crate) order: U32,
    /// Where its bytes start in the code section.
    pub(crate) code: U32,
    pub(crate) prefix: U32,
    pub(crate) suffix: U32,
    /// The most bytes before the anchor.
    pub(crate) back: U32,
    /// The most bytes from the anchor on.
    pub(crate) forward: U32,
    /// The gap before it.
    pub(crate) gap_min: U32,
    pub(crate) gap_max: U32,
    /// The most of the gap behind it; all ones for no limit.
    pub(crate) next_max: U32,
    /// If the pattern's first byte can lie at several distances before its first anchor, the most of them; else 0.
    pub(crate) again: U32,
    pub(crate) borders_before: u8,
    pub(crate) borders_after: u8,
    /// See [`LAST`], [`ONCE`], [`WAITING`], [`KEYS`] and [`WAKES`].
    pub(crate) flags: u8,
    /// How far behind the anchor the second key lies; 0 if there is none.
    pub(crate) second: u8,
}

impl PartHead {
    /// Is it the only part of its pattern?
    pub(crate) fn is_only(&self) -> bool {
        self.order.get() == 0 && self.flags & LAST != 0
    }

    pub(crate) fn is_first(&self) -> bool {
        self.order.get() == 0
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.flags & WAITING != 0
    }

    /// Is it looked for in every object?
    pub(crate) fn is_searched(&self) -> bool {
        !self.is_waiting() && self.flags & KEYS != 0
    }

    /// How many bytes it has in the code section.
    pub(crate) fn code_length(&self) -> usize {
        let numbers = [self.prefix.get(), self.suffix.get(), self.borders_before.into(), self.borders_after.into()];
        numbers.iter().map(|number| usize::try_from(*number).unwrap_or(usize::MAX)).fold(0, usize::saturating_add)
    }
}

/// The part is the last of its pattern.
pub(crate) const LAST: u8 = 1;
/// Nobody asks for more of the part's pattern than whether it is there.
pub(crate) const ONCE: u8 = 2;
/// The part is found only where somebody asks for its pattern.
pub(crate) const WAITING: u8 = 4;
/// The bits that say what kind of keys the part has; see `keys`.
pub(crate) const KEYS: u8 = 0b11_000;
/// The next part of the pattern is found by pairs, which nobody looks for until this one is found.
pub(crate) const WAKES: u8 = 0b100_000;

/// The sections of a set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sections<'a> {
    pub(crate) header: &'a Header,
    pub(crate) long: Table<'a>,
    pub(crate) short: Table<'a>,
    /// What long keys are asked before their buckets are; a power of two of words, or none at all.
    pub(crate) checks: &'a [U32],
    pub(crate) parts: &'a [PartHead],
    /// For each pattern the number of its first part.
    pub(crate) firsts: &'a [U32],
    /// The parts that can match among zero bytes.
    pub(crate) zeros: &'a [U32],
    pub(crate) code: &'a [u8],
}

/// A filter and what it points to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table<'a> {
    /// The filter's bits; a power of two of them, or none at all.
    pub(crate) words: &'a [U32],
    /// Where each bucket starts among the entries; a power of two of them and the end, or none at all.
    pub(crate) heads: &'a [U32],
    pub(crate) entries: &'a [Entry],
}

/// Cuts a set into its sections; the reason if it cannot be one.
pub(crate) fn read(bytes: &[u8]) -> Result<Sections<'_>, &'static str> {
    let (header, mut rest) = Header::ref_from_prefix(bytes).map_err(|_| "its header is cut")?;
    if header.magic != MAGIC {
        return Err("it does not start with the mark of one, of this version");
    }
    let rest = &mut rest;
    let checks: &[U32] = section(rest, header.checks)?;
    if !(checks.is_empty() || checks.len().is_power_of_two()) {
        return Err("its second check has an odd size");
    }
    let long = table(rest, header.long_words, header.long_heads, header.long_entries)?;
    let short = table(rest, header.pair_words, header.short_heads, header.short_entries)?;
    let parts = section(rest, header.parts)?;
    let firsts = section(rest, header.firsts)?;
    let zeros = section(rest, header.zeros)?;
    let code = section(rest, header.code)?;
    if !rest.is_empty() {
        return Err("it is longer than it says");
    }
    Ok(Sections { header, long, short, checks, parts, firsts, zeros, code })
}

fn table<'a>(rest: &mut &'a [u8], words: U32, heads: U32, entries: U32) -> Result<Table<'a>, &'static str> {
    let table = Table { words: section(rest, words)?, heads: section(rest, heads)?, entries: section(rest, entries)? };
    let whole = table.words.len().is_power_of_two() && table.heads.len().saturating_sub(1).is_power_of_two();
    let none = table.words.is_empty() && table.heads.is_empty();
    if whole || none { Ok(table) } else { Err("a table has an odd size") }
}

fn section<'a, T>(rest: &mut &'a [u8], count: U32) -> Result<&'a [T], &'static str>
where
    T: FromBytes + Immutable + Unaligned,
    [T]: KnownLayout<PointerMetadata = usize>,
{
    let count = usize::try_from(count.get()).map_err(|_| "it is too large")?;
    let (items, tail) = <[T]>::ref_from_prefix_with_elems(rest, count).map_err(|_| "it is cut")?;
    *rest = tail;
    Ok(items)
}
