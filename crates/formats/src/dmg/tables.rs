//! The tables of chunks, in a property list or a resource fork.

use dachs_base::{Anomaly, Budget, Charge, Reader, Short, Source, read_vec_at};
use memchr::memmem;

use super::method;
use crate::mapped::Method;

/// Bytes of a property list or resource fork: tables of a disk of a TiB take some 40 MiB.
const LONGEST: u64 = 48 << 20;
/// What is set aside for a chunk.
const CHUNK: u64 = 64;

/// A stretch of the disk.
#[derive(Clone, Copy)]
pub(super) struct Chunk {
    /// Sectors of the disk: the first, and how many.
    pub(super) first: u64,
    pub(super) count: u64,
    /// Where its bytes stand in the file.
    pub(super) start: u64,
    pub(super) length: u64,
    pub(super) method: Option<Method>,
    pub(super) is_hole: bool,
}

impl Chunk {
    /// The sector behind it.
    pub(super) fn end(&self) -> u64 {
        self.first.saturating_add(self.count)
    }
}

/// All chunks, in the order of their sectors.
pub(super) struct Tables {
    pub(super) chunks: Vec<Chunk>,
    pub(super) remarks: Vec<Anomaly>,
    pub(super) memory: Vec<Charge>,
}

/// Reads the tables; offsets in them count from `data`.
pub(super) fn read(
    file: &dyn Source,
    list: (u64, u64),
    resources: (u64, u64),
    data: u64,
    budget: &Budget,
) -> Result<Tables, Anomaly> {
    let mut tables = Tables { chunks: Vec::new(), remarks: Vec::new(), memory: Vec::new() };
    let (start, length) = if list.1 > 0 { list } else { resources };
    if length == 0 || length > LONGEST {
        return Err(Anomaly::damaged("the image has no tables, or too large ones"));
    }
    let _memory = budget.reserve(length.saturating_mul(2))?;
    let bytes = read_vec_at(file, start, usize::try_from(length).unwrap_or(0));
    let found = if list.1 > 0 { in_list(&bytes) } else { in_resources(&bytes) };
    if found.is_empty() {
        tables.remarks.push(Anomaly::damaged("the tables of the image are missing"));
    }
    for table in found {
        budget.check_time()?;
        let told = tables.add(&table, data, budget)?;
        tables.remarks.extend(told);
    }
    tables.chunks.sort_by_key(|chunk| chunk.first);
    Ok(tables)
}

/// The Base64 data of the array behind the key `blkx`.
fn in_list(text: &[u8]) -> Vec<Vec<u8>> {
    let Some(at) = memmem::find(text, b"<key>blkx</key>") else { return Vec::new() };
    let rest = text.get(at..).unwrap_or_default();
    let end = memmem::find(rest, b"</array>").unwrap_or(rest.len());
    let mut rest = rest.get(..end).unwrap_or_default();
    let mut tables = Vec::new();
    while let Some(start) = memmem::find(rest, b"<data>") {
        rest = rest.get(start + 6..).unwrap_or_default();
        let end = memmem::find(rest, b"</data>").unwrap_or(rest.len());
        tables.push(base64(rest.get(..end).unwrap_or_default()));
        rest = rest.get(end..).unwrap_or_default();
    }
    tables
}

fn base64(text: &[u8]) -> Vec<u8> {
    let (mut bytes, mut bits, mut count) = (Vec::with_capacity(text.len() / 4 * 3), 0_u32, 0);
    for letter in text {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => break,
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.extend(u8::try_from(bits >> count & 0xff));
        }
    }
    bytes
}

/// The resources `blkx` of a resource fork (Inside Macintosh, "More Macintosh Toolbox", 1-121): `data, map, their lengths`; in
/// the map at 24 the list of types; a type has a list of references; one of those says where the data stands.
fn in_resources(fork: &[u8]) -> Vec<Vec<u8>> {
    resources(fork, *b"blkx").unwrap_or_default()
}

fn resources(fork: &[u8], wanted: [u8; 4]) -> Option<Vec<Vec<u8>>> {
    let at = |start: usize| Some(Reader::new(fork.get(start..)?, "resource fork"));
    let mut head = at(0)?;
    let (data, map) = (usize::try_from(head.u32_be().ok()?).ok()?, usize::try_from(head.u32_be().ok()?).ok()?);
    let types = map.checked_add(at(map.checked_add(24)?)?.u16_be().ok()?.into())?;
    let mut list = at(types)?;
    let count = list.u16_be().ok()?.wrapping_add(1);
    let mut found = Vec::new();
    for _ in 0..count {
        let (name, number, place) = (list.array::<4>().ok()?, list.u16_be().ok()?, list.u16_be().ok()?);
        if name != wanted {
            continue;
        }
        let mut references = at(types.checked_add(place.into())?)?;
        for _ in 0..=number {
            references.skip(4).ok()?;
            let offset = usize::try_from(references.u32_be().ok()? & 0x00ff_ffff).ok()?;
            references.skip(4).ok()?;
            let mut resource = at(data.checked_add(offset)?)?;
            let length = resource.u32_be().ok()?;
            found.push(resource.take(length.into()).ok()?.to_vec());
        }
    }
    Some(found)
}

impl Tables {
    /// Adds the chunks of a table; what is wrong with it comes back.
    fn add(&mut self, table: &[u8], data: u64, budget: &Budget) -> Result<Option<Anomaly>, Anomaly> {
        let mut reader = Reader::new(table, "table of chunks");
        let (first, start, count) = match head(&mut reader) {
            Ok(Some(head)) => head,
            Ok(None) => return Ok(Some(Anomaly::damaged("a table of chunks is broken"))),
            Err(short) => return Ok(Some(short.into())),
        };
        let there = u64::try_from(reader.left() / 40).unwrap_or(0).min(count.into());
        self.memory.push(budget.reserve(there.saturating_mul(CHUNK))?);
        for _ in 0..count {
            match chunk(&mut reader) {
                Ok((0xffff_ffff, _)) => return Ok(None),
                // A comment.
                Ok((0x7fff_fffe, _)) => {}
                Ok((kind, chunk)) => {
                    let place = data.saturating_add(start).saturating_add(chunk.start);
                    let chunk = Chunk { first: chunk.first.saturating_add(first), start: place, ..chunk };
                    let known = matches!(kind, 0..=2) || chunk.method.is_some();
                    if !known {
                        return Ok(Some(Anomaly::unsupported("a chunk of the image is compressed in an unknown way")));
                    }
                    self.chunks.push(chunk);
                }
                Err(short) => return Ok(Some(short.into())),
            }
        }
        Ok(None)
    }
}

/// First sector, start of the data, how many chunks.
fn head(reader: &mut Reader<'_>) -> Result<Option<(u64, u64, u32)>, Short> {
    let magic = reader.array::<4>()?;
    reader.skip(4)?;
    let first = reader.u64_be()?;
    reader.skip(8)?;
    let start = reader.u64_be()?;
    reader.skip(168)?;
    let count = reader.u32_be()?;
    Ok((&magic == b"mish").then_some((first, start, count)))
}

fn chunk(reader: &mut Reader<'_>) -> Result<(u32, Chunk), Short> {
    let kind = reader.u32_be()?;
    reader.skip(4)?;
    let (first, count, start, length) = (reader.u64_be()?, reader.u64_be()?, reader.u64_be()?, reader.u64_be()?);
    let is_hole = matches!(kind, 0 | 2);
    Ok((kind, Chunk { first, count, start, length, method: method(kind), is_hole }))
}
