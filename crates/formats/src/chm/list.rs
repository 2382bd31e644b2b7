//! The directory: chunks of one size, of which those with the mark `PMGL` list files.

use dachs_base::{Anomaly, Reader, Short, Source, read_vec_at};

/// The size of a chunk makes sense up to here; it is 4096.
const LARGEST_CHUNK: u64 = 1 << 20;
/// Length of what stands before the entries of a chunk.
const CHUNK_HEADER: u64 = 20;

/// One file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: Vec<u8>,
    pub(super) section: u64,
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// A walk through the chunks.
#[derive(Clone)]
pub(super) struct List {
    /// Where the first chunk stands.
    chunks: u64,
    size: u64,
    count: u64,
    /// The next chunk.
    next: u64,
    /// The entries of the chunk at hand, and how many bytes of them were read.
    entries: Vec<u8>,
    at: usize,
    broken: bool,
}

impl List {
    /// Reads the header of the directory (`ITSP`).
    pub(super) fn open(source: &dyn Source, directory: u64) -> Result<List, Anomaly> {
        let bytes = read_vec_at(source, directory, 48);
        let mut reader = Reader::new(&bytes, "CHM directory");
        if reader.take(4)? != b"ITSP" {
            return Err(Anomaly::damaged("the directory is missing"));
        }
        reader.skip(4)?;
        let header = u64::from(reader.u32_le()?);
        reader.skip(4)?;
        let size = u64::from(reader.u32_le()?);
        reader.skip(24)?;
        let count = u64::from(reader.u32_le()?);
        if !(CHUNK_HEADER..=LARGEST_CHUNK).contains(&size) {
            return Err(Anomaly::damaged("the directory makes no sense"));
        }
        let chunks = directory.saturating_add(header);
        Ok(List { chunks, size, count, next: 0, entries: Vec::new(), at: 0, broken: false })
    }

    /// True if something in the directory made no sense.
    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    /// The same directory from its start.
    pub(super) fn again(&self) -> List {
        List { next: 0, entries: Vec::new(), at: 0, ..self.clone() }
    }

    pub(super) fn next_entry(&mut self, source: &dyn Source) -> Option<Entry> {
        loop {
            let rest = self.entries.get(self.at..).filter(|rest| !rest.is_empty());
            match rest.map(entry) {
                Some(Ok((entry, length))) => {
                    self.at += length;
                    return Some(entry);
                }
                Some(Err(_)) => {
                    self.broken = true;
                    self.at = self.entries.len();
                }
                None => self.next_chunk(source)?,
            }
        }
    }

    fn next_chunk(&mut self, source: &dyn Source) -> Option<()> {
        (self.next < self.count).then_some(())?;
        let place = self.chunks.saturating_add(self.next.saturating_mul(self.size));
        self.next += 1;
        let bytes = read_vec_at(source, place, usize::try_from(self.size).ok()?);
        if bytes.is_empty() {
            self.broken = true;
            self.next = self.count;
        }
        self.at = 0;
        let listed = entries(&bytes);
        // Chunks of the index (`PMGI`), and empty ones, list nothing.
        self.broken |= listed.is_none() && !bytes.starts_with(b"PMGI") && bytes.iter().any(|byte| *byte != 0);
        self.entries = listed.unwrap_or_default();
        Some(())
    }
}

/// The entries of a chunk that lists files: between its header and its free space.
fn entries(chunk: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::new(chunk, "CHM chunk");
    if reader.take(4).ok()? != b"PMGL" {
        return None;
    }
    let free = usize::try_from(reader.u32_le().ok()?).ok()?;
    let end = chunk.len().checked_sub(free)?;
    chunk.get(usize::try_from(CHUNK_HEADER).ok()?..end).map(<[u8]>::to_vec)
}

/// One entry, and how many bytes it takes.
fn entry(bytes: &[u8]) -> Result<(Entry, usize), Short> {
    let mut reader = Reader::new(bytes, "CHM entry");
    let length = number(&mut reader)?;
    let name = reader.take(length)?.to_vec();
    let entry =
        Entry { name, section: number(&mut reader)?, offset: number(&mut reader)?, length: number(&mut reader)? };
    Ok((entry, bytes.len() - reader.left()))
}

/// Seven bits a byte, the highest first; the high bit says that more follow.
fn number(reader: &mut Reader<'_>) -> Result<u64, Short> {
    let mut number = 0_u64;
    loop {
        let byte = reader.u8()?;
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_have_numbers_of_any_length() {
        let bytes = b"\x02/a\x01\x81\x00\x90\x80\x05rest";
        let expected = Entry { name: b"/a".to_vec(), section: 1, offset: 128, length: 0x10 << 14 | 5 };
        assert_eq!(entry(bytes), Ok((expected, 9)));
        assert!(entry(b"\x05ab").is_err());
        assert!(entry(b"\x00\x80\x80").is_err());
    }
}
