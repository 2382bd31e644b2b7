//! ELF programs that UPX packed (headers: System V ABI, generic part, chapters 4 and 5).

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Charge, Held, Reader, Source, read_vec_at};
use memchr::memmem;

use super::pack::{Method, Packed};
use super::{Unpacked, filter};

/// The longest ELF header, and the longest table of segments that is read.
const HEADER: usize = 64;
const SEGMENTS: u16 = 64;
/// UPX's first header stands behind the table of segments, or not far from there.
const NEAR: usize = 256;
/// Bytes of UPX's two headers, and of that of a block.
const HEADERS: u64 = 24;
const BLOCK: u64 = 12;
/// The old headers: an ELF header and some segments.
const LONGEST_HEAD: u64 = 8192;
/// A segment that is loaded (`PT_LOAD`).
const LOADED: u32 = 1;
/// Bytes of a file that no segment holds, at one place.
const WIDEST_GAP: u64 = 16 << 20;
/// Blocks of a program.
const BLOCKS: u32 = 4096;

/// Unpacks the blocks and puts them where the old headers say.
///
/// # Errors
/// What is told if there is nothing to give.
pub(super) fn unpack(source: &Arc<dyn Source>, budget: &Budget) -> Result<Unpacked, Anomaly> {
    let Some((head, start)) = first_block(source.as_ref()) else {
        return Err(Anomaly::damaged("no packed block begins where one should"));
    };
    let mut parts = Parts { source, budget, head, at: start, plain: Vec::new(), memory: Vec::new(), blocks: 0 };
    let remark = parts.all();
    if parts.plain.is_empty() {
        return Err(remark.unwrap_or_else(|| Anomaly::damaged("the packed program holds nothing")));
    }
    Ok(Unpacked { plain: Arc::new(Held::new(parts.plain, parts.memory)), lists: None, remark })
}

/// True if a packed block with old headers stands where UPX puts the first.
pub(super) fn is_packed(source: &dyn Source) -> bool {
    first_block(source).is_some()
}

/// What an ELF header says.
#[derive(Clone, Copy)]
struct Head {
    wide: bool,
    big: bool,
    /// The table of segments: offset, count, bytes of each.
    table: (u64, u16, u16),
    sections: u16,
}

/// Where bytes of the file are loaded from.
struct Segment {
    start: u64,
    length: u64,
}

impl Head {
    fn read(bytes: &[u8]) -> Option<Head> {
        let mut reader = Reader::new(bytes, "ELF header");
        let magic = reader.array::<16>().ok()?;
        let [0x7f, b'E', b'L', b'F', class @ (1 | 2), order @ (1 | 2), ..] = magic else { return None };
        let mut head = Head { wide: class == 2, big: order == 2, table: (0, 0, 0), sections: 0 };
        reader.skip(8).ok()?;
        head.word(&mut reader)?; // e_entry
        let offset = head.word(&mut reader)?;
        head.word(&mut reader)?; // e_shoff
        reader.skip(6).ok()?; // e_flags, e_ehsize
        let (size, count) = (head.u16(&mut reader)?, head.u16(&mut reader)?);
        reader.skip(2).ok()?;
        head.sections = head.u16(&mut reader)?;
        head.table = (offset, count, size);
        Some(head)
    }

    fn u16(self, reader: &mut Reader<'_>) -> Option<u16> {
        if self.big { reader.u16_be() } else { reader.u16_le() }.ok()
    }

    fn u32(self, reader: &mut Reader<'_>) -> Option<u32> {
        if self.big { reader.u32_be() } else { reader.u32_le() }.ok()
    }

    fn word(self, reader: &mut Reader<'_>) -> Option<u64> {
        match (self.wide, self.big) {
            (true, true) => reader.u64_be().ok(),
            (true, false) => reader.u64_le().ok(),
            _ => self.u32(reader).map(u64::from),
        }
    }

    /// Where the table of segments ends.
    fn behind_table(self) -> Option<u64> {
        let (offset, count, size) = self.table;
        offset.checked_add(u64::from(count) * u64::from(size))
    }

    /// What is loaded, of a table that stands in `file`.
    fn segments(self, file: &[u8]) -> Vec<Segment> {
        let (offset, count, size) = self.table;
        let table = usize::try_from(offset).ok().and_then(|offset| file.get(offset..)).unwrap_or_default();
        let rows = table.chunks_exact(usize::from(size).max(1)).take(usize::from(count.min(SEGMENTS)));
        rows.filter_map(|row| self.segment(&mut Reader::new(row, "segment"))).collect()
    }

    fn segment(self, reader: &mut Reader<'_>) -> Option<Segment> {
        (self.u32(reader)? == LOADED).then_some(())?;
        reader.skip(if self.wide { 4 } else { 0 }).ok()?;
        let start = self.word(reader)?;
        self.word(reader)?; // p_vaddr
        self.word(reader)?; // p_paddr
        let length = self.word(reader)?;
        (length > 0).then_some(Segment { start, length })
    }
}

/// The header of a block.
struct Block {
    packed: Packed,
    filter: u8,
    parameter: u8,
}

impl Block {
    /// The block at a place, if one is there.
    fn read(source: &dyn Source, head: Head, at: u64) -> Option<Block> {
        let bytes = read_vec_at(source, at, 12);
        let mut reader = Reader::new(&bytes, "packed block");
        let (plain, length) = (head.u32(&mut reader)?.into(), head.u32(&mut reader)?.into());
        let [method, filter, parameter, _] = reader.array::<4>().ok()?;
        let start = at.checked_add(BLOCK)?;
        let there = length > 0 && length <= plain && start.checked_add(length)? <= source.len();
        let known = Method::of(method)?;
        let method = if length == plain { Method::Stored } else { known };
        there.then_some(Block { packed: Packed { method, start, length, plain }, filter, parameter })
    }
}

/// The headers of a packed program, and where its first block stands: behind the table of segments and UPX's headers, whose
/// mark may be wiped out.
fn located(source: &dyn Source) -> Option<(Head, u64)> {
    let head = Head::read(&read_vec_at(source, 0, HEADER))?;
    let behind = head.behind_table()?;
    let near = read_vec_at(source, behind, NEAR);
    let mark = memmem::find(&near, b"UPX!").and_then(|at| at.checked_sub(4));
    match mark {
        Some(at) => Some((head, behind.checked_add(u64::try_from(at).ok()?)?.checked_add(HEADERS)?)),
        // Programs as others make them have sections.
        None if head.sections == 0 => Some((head, behind.checked_add(HEADERS)?)),
        None => None,
    }
}

/// The same, if the first block could be one: it holds the old headers.
fn first_block(source: &dyn Source) -> Option<(Head, u64)> {
    let (head, start) = located(source)?;
    let block = Block::read(source, head, start)?;
    let least = if head.wide { 64 + 56 } else { 52 + 32 };
    ((least..=LONGEST_HEAD).contains(&block.packed.plain)).then_some((head, start))
}

/// The program as it is put together.
struct Parts<'a> {
    source: &'a Arc<dyn Source>,
    budget: &'a Budget,
    head: Head,
    /// Where the next block stands.
    at: u64,
    plain: Vec<u8>,
    memory: Vec<Charge>,
    blocks: u32,
}

impl Parts<'_> {
    /// Unpacks everything and gives what is to be told.
    fn all(&mut self) -> Option<Anomaly> {
        if let Err(anomaly) = self.block(0) {
            return Some(anomaly);
        }
        let Some(inner) = Head::read(&self.plain) else {
            return Some(Anomaly::damaged("the packed program does not begin with its headers"));
        };
        let mut segments = inner.segments(&self.plain);
        segments.sort_by_key(|segment| segment.start);
        let headers = as_u64(self.plain.len());
        let loaded = segments.iter().try_for_each(|segment| self.fill(segment.start.max(headers), end(segment)));
        loaded.and_then(|()| self.rest(&segments, headers)).err()
    }

    /// Unpacks blocks until a stretch of the program is full.
    fn fill(&mut self, start: u64, end: u64) -> Result<(), Anomaly> {
        let mut at = start;
        while at < end {
            let before = at;
            at = self.block(at)?;
            if at == before {
                return Err(Anomaly::damaged("a packed block is missing"));
            }
        }
        Ok(())
    }

    /// What no segment holds stands in blocks behind the code that unpacks: the gaps between segments, then the end.
    fn rest(&mut self, segments: &[Segment], headers: u64) -> Result<(), Anomaly> {
        let outer = read_vec_at(self.source.as_ref(), 0, 4096);
        let behind = self.head.segments(&outer).iter().map(end).max().unwrap_or(0);
        let behind = behind.max(self.at).checked_next_multiple_of(4).unwrap_or(u64::MAX);
        if Block::read(self.source.as_ref(), self.head, self.at).is_none() {
            self.at = behind;
        }
        let mut filled = headers;
        for segment in segments {
            if segment.start > filled && Block::read(self.source.as_ref(), self.head, self.at).is_some() {
                self.fill(filled, segment.start)?;
            }
            filled = filled.max(end(segment));
        }
        while Block::read(self.source.as_ref(), self.head, self.at).is_some() {
            filled = self.block(filled)?;
        }
        Ok(())
    }

    /// Unpacks the next block to a place of the program and gives where it ends.
    fn block(&mut self, to: u64) -> Result<u64, Anomaly> {
        self.budget.check_time()?;
        let missing = || Anomaly::damaged("a packed block is missing");
        let block = Block::read(self.source.as_ref(), self.head, self.at).ok_or_else(missing)?;
        self.blocks += 1;
        let gap = to.saturating_sub(as_u64(self.plain.len()));
        if gap > WIDEST_GAP || self.blocks > BLOCKS {
            return Err(Anomaly::damaged("the headers of the packed program make no sense"));
        }
        self.memory.push(self.budget.reserve(gap.saturating_add(block.packed.plain.saturating_mul(2)))?);
        let mut plain = Vec::new();
        let result = block.packed.unpack(self.source, &mut plain, self.budget);
        filter::undo(block.filter, block.parameter, &mut plain, 0);
        let start = usize::try_from(to).unwrap_or(usize::MAX);
        let end = start.saturating_add(plain.len());
        if self.plain.len() < end {
            self.plain.resize(end, 0);
        }
        if let Some(place) = self.plain.get_mut(start..end) {
            place.copy_from_slice(&plain);
        }
        self.at = block.packed.start.saturating_add(block.packed.length);
        result?;
        Ok(to.saturating_add(as_u64(plain.len())))
    }
}

fn end(segment: &Segment) -> u64 {
    segment.start.saturating_add(segment.length)
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
