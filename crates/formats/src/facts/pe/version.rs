//! Version information: where the keys of its strings start, which signatures ask for (`VI`).
//!
//! ```text
//! VS_VERSIONINFO ─> StringFileInfo ─> StringTable ─> String: length, length of the value, type, key in UTF-16, value
//!                                                                                               ^ here
//! ```
//!
//! Specification: Microsoft, "VS_VERSIONINFO structure", "StringFileInfo", "StringTable", "String": each a length of
//! itself, a length of its value, a type, a key and, at multiples of four bytes, a value or children.

use super::header::Pe;
use super::resources::{self, Kind};
use dachs_base::{Budget, Found, Reader};

/// Version information that is longer is cut here.
const LONGEST: u32 = 1 << 16;
/// Keys of all version information together.
const KEYS: usize = 4096;

/// The file offsets of the keys, sorted.
pub(super) fn keys(pe: &Pe, budget: &Budget) -> Found<Vec<u64>> {
    let mut keys = Vec::new();
    for resource in resources::of_kind(pe, Kind::Version, budget)? {
        budget.check_time()?;
        let size = usize::try_from(resource.size.min(LONGEST)).unwrap_or(0);
        let bytes = pe.read_at(resource.address, size).unwrap_or_default();
        if let Some(start) = pe.file_offset(resource.address) {
            information(&Block::whole(&bytes), start, &mut keys);
        }
    }
    keys.sort_unstable();
    keys.dedup();
    keys.truncate(KEYS);
    Ok((!keys.is_empty()).then_some(keys))
}

/// One structure: its place, its key and what follows.
struct Block<'a> {
    bytes: &'a [u8],
    start: usize,
}

/// What a structure says of itself.
struct Head<'a> {
    value: usize,
    key: &'a [u8],
    /// Where its key starts, from the start of the resource.
    key_at: usize,
    /// What follows the key and the bytes that align it.
    rest: Block<'a>,
}

impl<'a> Block<'a> {
    fn whole(bytes: &'a [u8]) -> Block<'a> {
        Block { bytes, start: 0 }
    }

    /// Skips to the next multiple of four bytes of the resource.
    fn aligned(self) -> Block<'a> {
        let skip = self.start.next_multiple_of(4).saturating_sub(self.start);
        self.after(skip)
    }

    fn after(self, count: usize) -> Block<'a> {
        Block { bytes: self.bytes.get(count..).unwrap_or(&[]), start: self.start.saturating_add(count) }
    }

    /// Takes the first structure; nothing if there is none.
    fn next(&mut self) -> Option<Head<'a>> {
        let block = Block { bytes: self.bytes, start: self.start }.aligned();
        let mut reader = Reader::new(block.bytes, "version information");
        let length = usize::from(reader.u16_le().ok()?);
        let value = usize::from(reader.u16_le().ok()?);
        reader.skip(2).ok()?; // type
        if length < 6 {
            return None;
        }
        let inside = block.bytes.get(..length.min(block.bytes.len()))?;
        let text = inside.get(6..)?;
        let end = text.chunks_exact(2).position(|unit| unit == [0, 0]).map(|units| units * 2)?;
        let rest = Block { bytes: inside, start: block.start }.after(6 + end + 2).aligned();
        *self = Block { bytes: block.bytes, start: block.start }.after(length);
        Some(Head { value, key: text.get(..end)?, key_at: block.start.saturating_add(6), rest })
    }
}

fn information(block: &Block<'_>, start: u64, keys: &mut Vec<u64>) {
    let mut block = Block { bytes: block.bytes, start: block.start };
    let Some(root) = block.next().filter(|root| is_key(root.key, "VS_VERSION_INFO")) else { return };
    let mut children = root.rest.after(root.value).aligned();
    while let Some(mut child) = children.next() {
        if !is_key(child.key, "StringFileInfo") {
            continue;
        }
        while let Some(mut table) = child.rest.next() {
            while let Some(string) = table.rest.next() {
                let at = u64::try_from(string.key_at).unwrap_or(u64::MAX).saturating_add(start);
                if string.value > 0 && keys.len() < KEYS {
                    keys.push(at);
                }
            }
        }
    }
}

/// Is the key this text?
fn is_key(key: &[u8], text: &str) -> bool {
    key.iter().copied().eq(text.encode_utf16().flat_map(u16::to_le_bytes))
}
