//! Windows shortcuts (specification: MS-SHLLINK).
//!
//! ```text
//! header (76 bytes, flags at 20) | item list? | link info? | strings? | extra data blocks ... 0 | anything   2
//! ```
//!
//! Members are what malware puts into shortcuts: the command line that is run, and whatever follows the shortcut. The
//! rest is matched with the file as it stands. A shortcut whose structure breaks off is damaged: what follows the break
//! was not told apart, but was matched as well.

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Memory, Name, Part, Reader, Short, Source, read_exact_at, read_vec_at};

use crate::{Found, Search, Unpack, utf16};

/// The length of the header.
const HEADER: u64 = 76;
/// Flags (2.1.1).
const ITEM_LIST: u32 = 1;
const LINK_INFO: u32 = 1 << 1;
const ARGUMENTS: u32 = 1 << 5;
const UNICODE: u32 = 1 << 7;
/// Strings by the flags that announce them (2.4): name, relative path, working folder, arguments, icon.
const STRINGS: [u32; 5] = [1 << 2, 1 << 3, 1 << 4, ARGUMENTS, 1 << 6];
/// Extra data blocks that are passed.
const BLOCKS: u32 = 256;

/// Goes through a shortcut.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Box::new(Shortcut { source: Arc::clone(source), found: Found::new(budget) })
}

struct Shortcut {
    source: Arc<dyn Source>,
    found: Found,
}

impl Search for Shortcut {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        self.found.end();
        let flags = number::<4>(self.source.as_ref(), 20).map(u32::from_le_bytes)?;
        let strings = self.lists(flags)?;
        let blocks = self.strings(flags, strings)?;
        let end = self.blocks(blocks)?;
        let left = self.source.len().saturating_sub(end);
        if end > self.source.len() {
            return Err(Anomaly::damaged("a structure of the shortcut breaks off"));
        }
        if left > 0 {
            let part = Part::new(Arc::clone(&self.source), end, left);
            self.found.member(Name::new(b"trailing data"), Arc::new(part), Some(left))?;
        }
        Ok(())
    }
}

impl Shortcut {
    /// Where the strings begin.
    fn lists(&self, flags: u32) -> Result<u64, Short> {
        let mut at = HEADER;
        if flags & ITEM_LIST != 0 {
            let size = number::<2>(self.source.as_ref(), at).map(u16::from_le_bytes)?;
            at = at.saturating_add(2 + u64::from(size));
        }
        if flags & LINK_INFO != 0 {
            let size = number::<4>(self.source.as_ref(), at).map(u32::from_le_bytes)?;
            at = at.saturating_add(u64::from(size).max(4));
        }
        Ok(at)
    }

    /// Gives the arguments, and tells where the extra data begin.
    fn strings(&mut self, flags: u32, mut at: u64) -> Result<u64, Anomaly> {
        let unit = if flags & UNICODE != 0 { 2 } else { 1 };
        for flag in STRINGS.into_iter().filter(|flag| flags & flag != 0) {
            let count = number::<2>(self.source.as_ref(), at).map(u16::from_le_bytes)?;
            let length = usize::from(count).saturating_mul(unit);
            if flag == ARGUMENTS && length > 0 {
                let bytes = read_vec_at(self.source.as_ref(), at + 2, length);
                let text = if unit == 2 { utf16::little(&bytes).into_bytes() } else { bytes };
                self.found.member(Name::new(b"arguments"), Arc::new(Memory::new(text)), None)?;
            }
            at = at.saturating_add(2).saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        }
        Ok(at)
    }

    /// Where the extra data end (2.5): behind a size below 4.
    fn blocks(&self, mut at: u64) -> Result<u64, Anomaly> {
        for _ in 0..BLOCKS {
            // Some programs leave out the last one.
            let Ok(size) = number::<4>(self.source.as_ref(), at).map(u32::from_le_bytes) else { return Ok(at) };
            if size < 4 {
                return Ok(at.saturating_add(4));
            }
            at = at.saturating_add(size.into());
        }
        Err(Anomaly::damaged("too many extra data blocks; not all of the shortcut was read"))
    }
}

fn number<const N: usize>(source: &dyn Source, at: u64) -> Result<[u8; N], Short> {
    let mut bytes = [0; N];
    let whole = read_exact_at(source, at, &mut bytes);
    Reader::new(if whole { &bytes } else { &[] }, "shortcut").array()
}
