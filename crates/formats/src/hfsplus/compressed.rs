//! Files that the system has compressed (decmpfs).
//!
//! ```text
//! attribute (little-endian): "fpmc", kind, plain bytes (u64), then the bytes themselves if the kind is odd (or 1, 9)
//! kinds: 3, 4 zlib   7, 8 LZVN   9, 10 plain   11, 12 LZFSE; the even ones stand in the resource fork, in blocks of 64 KiB
//! ```
//!
//! With zlib, the resource fork has a header whose first number says where a list of places and lengths stands; otherwise it begins
//! with a list of places. A block that begins with a certain byte is not compressed.

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Charge, Held, Part, Reader, Short, Source, read_vec_at};

use crate::mapped::{Map, Mapped, Method, Packed, Place};

/// Plain bytes of a block.
const BLOCK: u64 = 64 * 1024;
/// Bytes of an attribute.
const LONGEST: u64 = 64 * 1024;

/// Where the description of a compressed file stands.
pub(super) struct Attribute {
    pub(super) content: Arc<dyn Source>,
    pub(super) place: u64,
    pub(super) length: u64,
}

/// The plain bytes of a file.
pub(super) fn open(
    attribute: &Attribute,
    resources: &Arc<dyn Source>,
    budget: &Budget,
) -> Result<Arc<dyn Source>, Anomaly> {
    let head = read_vec_at(attribute.content.as_ref(), attribute.place, 16);
    let (kind, length) = header(&head)?;
    let inside = attribute.length.min(LONGEST).saturating_sub(16);
    let start = attribute.place.saturating_add(16);
    match kind {
        1 | 9 => Ok(Arc::new(Part::new(Arc::clone(&attribute.content), start, inside))),
        3 | 7 | 11 => small(attribute, (start, inside), kind, length, budget),
        10 => Ok(Arc::new(Part::new(Arc::clone(resources), 0, length))),
        4 | 8 | 12 => {
            let (list, memory) = places(kind, resources.as_ref(), length, budget)?;
            let blocks = Blocks { list, length, method: method(kind), plain: plain(kind), _memory: memory };
            Ok(Arc::new(Mapped::new(blocks, resources, length, BLOCK, budget)?))
        }
        _ => Err(Anomaly::unsupported("the file is compressed in an unknown way")),
    }
}

fn header(bytes: &[u8]) -> Result<(u32, u64), Anomaly> {
    let mut reader = Reader::new(bytes, "description of a compressed file");
    if &reader.array::<4>()? != b"fpmc" {
        return Err(Anomaly::damaged("the description of the compressed file is broken"));
    }
    Ok((reader.u32_le()?, reader.u64_le()?))
}

fn method(kind: u32) -> Method {
    match kind {
        3 | 4 => Method::Zlib,
        7 | 8 => Method::Lzvn,
        _ => Method::Lzfse,
    }
}

/// What a block begins with that is not compressed.
fn plain(kind: u32) -> fn(u8) -> bool {
    match kind {
        3 | 4 => |first| first & 0x0f == 0x0f,
        7 | 8 => |first| first == 0x06,
        _ => |first| first == 0xff,
    }
}

/// A file of one block, in the attribute.
fn small(
    attribute: &Attribute,
    (start, inside): (u64, u64),
    kind: u32,
    length: u64,
    budget: &Budget,
) -> Result<Arc<dyn Source>, Anomaly> {
    if length == 0 {
        return Ok(Arc::new(Held::new([], [])));
    }
    let list = vec![(start, inside)];
    let blocks = Blocks { list, length, method: method(kind), plain: plain(kind), _memory: Vec::new() };
    Ok(Arc::new(Mapped::new(blocks, &attribute.content, length, BLOCK, budget)?))
}

type Places = (Vec<(u64, u64)>, Vec<Charge>);

/// Where the blocks stand in the resource fork.
fn places(kind: u32, fork: &dyn Source, length: u64, budget: &Budget) -> Result<Places, Anomaly> {
    let count = length.div_ceil(BLOCK);
    let memory = budget.reserve(count.saturating_mul(32))?;
    let size = usize::try_from(count).unwrap_or(usize::MAX);
    let list = if kind == 4 { listed(fork, size)? } else { marked(fork, size)? };
    Ok((list, vec![memory]))
}

/// Place of the data (big-endian), there its length, then: how many, and for each place and length, counted from there.
fn listed(fork: &dyn Source, count: usize) -> Result<Vec<(u64, u64)>, Short> {
    let head = read_vec_at(fork, 0, 4);
    let table = u64::from(Reader::new(&head, "resource fork").u32_be()?).saturating_add(4);
    let bytes = read_vec_at(fork, table, count.saturating_mul(8).saturating_add(4));
    let mut reader = Reader::new(&bytes, "list of compressed blocks");
    reader.skip(4)?;
    let one = |_| Ok((table.saturating_add(reader.u32_le()?.into()), reader.u32_le()?.into()));
    (0..count).map(one).collect()
}

/// Where each begins, and where the last one ends.
fn marked(fork: &dyn Source, count: usize) -> Result<Vec<(u64, u64)>, Short> {
    let bytes = read_vec_at(fork, 0, count.saturating_add(1).saturating_mul(4));
    let mut reader = Reader::new(&bytes, "list of compressed blocks");
    let mut start = u64::from(reader.u32_le()?);
    let mut list = Vec::new();
    for _ in 0..count {
        let end = u64::from(reader.u32_le()?);
        list.push((start, end.saturating_sub(start)));
        start = end;
    }
    Ok(list)
}

/// The blocks of a compressed file: where they stand, and how long they are.
struct Blocks {
    list: Vec<(u64, u64)>,
    length: u64,
    method: Method,
    plain: fn(u8) -> bool,
    _memory: Vec<Charge>,
}

impl Map for Blocks {
    fn locate(&self, file: &dyn Source, offset: u64) -> Place {
        let within = offset % BLOCK;
        let first = offset - within;
        let index = usize::try_from(offset / BLOCK).unwrap_or(usize::MAX);
        // A file in its attribute is one block, however long.
        let (first, within, size) = match self.list.as_slice() {
            [_] => (0, offset, self.length),
            _ => (first, within, BLOCK.min(self.length.saturating_sub(first))),
        };
        let index = if self.list.len() == 1 { 0 } else { index };
        let Some((start, length)) = self.list.get(index).copied() else {
            return Place::Broken("the list of its compressed blocks is broken");
        };
        let mut mark = [0];
        file.read_at(start, &mut mark);
        let [mark] = mark;
        if (self.plain)(mark) {
            return match length.saturating_sub(1).checked_sub(within).filter(|left| *left > 0) {
                Some(left) => Place::Stored(start.saturating_add(1).saturating_add(within), left.min(size - within)),
                None => Place::Broken("a block is shorter than it should be"),
            };
        }
        if size > LONGEST.saturating_mul(64) {
            return Place::Broken("a compressed file claims to be too long");
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        Place::Packed(Packed { start, length, first, skip: 0, size, least: size, method: self.method })
    }
}
