//! A source read front to back.

use std::io::{self, BufRead, Read, Seek, SeekFrom};
use std::sync::Arc;

use dachs_base::Source;

/// Bytes fetched at once for small reads.
const BUFFER: usize = 32 * 1024;
/// Bytes fetched first: many who begin to read stop soon. Four times as many with each turn, up to [`BUFFER`].
const FIRST: usize = 2 * 1024;

/// Reads a range of a [`Source`] like a file, with a buffer, so that decoders may read single bytes.
///
/// It never gives an error: what goes wrong below is remembered by the source, which is asked for it by whoever scans it.
pub struct SourceRead {
    source: Arc<dyn Source>,
    start: u64,
    end: u64,
    /// Where the bytes that are not yet buffered go on, from the start of the source.
    next: u64,
    buffer: Vec<u8>,
    /// How many bytes of the buffer are bytes of the source, and how many of those were read.
    filled: usize,
    used: usize,
    /// Bytes to be fetched next.
    size: usize,
}

impl SourceRead {
    /// Reads all of `source`.
    #[must_use]
    pub fn new(source: Arc<dyn Source>) -> SourceRead {
        SourceRead::range(source, 0, u64::MAX)
    }

    /// Reads `length` bytes of `source` from `start`, or as many as there are. Positions count from `start`.
    #[must_use]
    pub fn range(source: Arc<dyn Source>, start: u64, length: u64) -> SourceRead {
        let end = start.saturating_add(length);
        SourceRead { source, start, end, next: start, buffer: Vec::new(), filled: 0, used: 0, size: FIRST }
    }

    /// How many bytes were read so far, counted from the start of the range.
    #[must_use]
    pub fn position(&self) -> u64 {
        let waiting = u64::try_from(self.waiting().len()).unwrap_or(0);
        self.next.saturating_sub(waiting).saturating_sub(self.start)
    }

    /// Goes to a position, counted from the start of the range.
    pub fn go_to(&mut self, position: u64) {
        let target = self.start.saturating_add(position).min(self.end);
        let behind = self.next.checked_sub(target).and_then(|count| usize::try_from(count).ok());
        match behind.filter(|count| *count <= self.filled) {
            Some(count) => self.used = self.filled - count,
            None => self.drop_buffer(target),
        }
    }

    /// Up to `N` of the next bytes, without moving on.
    pub fn peek<const N: usize>(&mut self) -> ([u8; N], usize) {
        let mut bytes = [0; N];
        let position = self.position();
        let got = self.read_fully(&mut bytes);
        self.go_to(position);
        (bytes, got)
    }

    /// Fills `buffer`; fewer bytes only at the end.
    pub fn read_fully(&mut self, buffer: &mut [u8]) -> usize {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.take_some(rest) {
                0 => break,
                got => done += got,
            }
        }
        done
    }

    fn take_some(&mut self, buffer: &mut [u8]) -> usize {
        if self.waiting().is_empty() {
            if buffer.len() >= BUFFER {
                self.drop_buffer(self.next);
                return self.fetch(buffer);
            }
            self.refill();
        }
        let waiting = self.waiting();
        let count = waiting.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), waiting.get(..count)) {
            to.copy_from_slice(from);
        }
        self.used += count;
        count
    }

    fn refill(&mut self) {
        let mut buffer = std::mem::take(&mut self.buffer);
        // As much as there is of a small source: most are.
        let known = self.source.known_len().unwrap_or(u64::MAX).min(self.end).saturating_sub(self.next);
        let wanted = usize::try_from(known).unwrap_or(BUFFER).clamp(1, self.size);
        self.size = self.size.saturating_mul(4).min(BUFFER);
        if buffer.len() < wanted {
            buffer = vec![0; wanted];
        }
        self.filled = buffer.get_mut(..wanted).map_or(0, |wanted| self.fetch(wanted));
        self.buffer = buffer;
        self.used = 0;
    }

    fn fetch(&mut self, buffer: &mut [u8]) -> usize {
        let left = usize::try_from(self.end.saturating_sub(self.next)).unwrap_or(usize::MAX);
        let count = left.min(buffer.len());
        let got = buffer.get_mut(..count).map_or(0, |wanted| self.source.read_at(self.next, wanted));
        self.next = self.next.saturating_add(u64::try_from(got).unwrap_or(0));
        got
    }

    fn drop_buffer(&mut self, target: u64) {
        self.filled = 0;
        self.used = 0;
        self.next = target;
    }

    fn waiting(&self) -> &[u8] {
        self.buffer.get(self.used..self.filled).unwrap_or(&[])
    }
}

impl Read for SourceRead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.take_some(buffer))
    }
}

impl BufRead for SourceRead {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.waiting().is_empty() {
            self.refill();
        }
        Ok(self.waiting())
    }

    fn consume(&mut self, count: usize) {
        self.used = self.used.saturating_add(count).min(self.filled);
    }
}

impl Seek for SourceRead {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (from, by) = match to {
            SeekFrom::Start(position) => (position, 0),
            SeekFrom::Current(by) => (self.position(), by),
            SeekFrom::End(by) => (self.source.len().min(self.end).saturating_sub(self.start), by),
        };
        let target = from.checked_add_signed(by).ok_or(io::ErrorKind::InvalidInput)?;
        self.go_to(target);
        Ok(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dachs_base::Memory;

    fn reader(length: usize) -> (Vec<u8>, SourceRead) {
        let bytes: Vec<u8> = (0..=250).cycle().take(length).collect();
        let source = Arc::new(Memory::new(bytes.clone()));
        (bytes, SourceRead::new(source))
    }

    #[test]
    fn small_and_large_reads_give_the_same_bytes() {
        let (bytes, mut read) = reader(200_000);
        let mut got = Vec::new();
        for size in (1..).map(|round: usize| round * 7919 % 70_000) {
            let mut buffer = vec![0; size];
            let count = read.read_fully(&mut buffer);
            got.extend_from_slice(&buffer[..count]);
            assert_eq!(read.position(), got.len() as u64);
            if count < size {
                break;
            }
            let (again, before) = (read.position(), read.position().saturating_sub(5000));
            read.go_to(before);
            assert_eq!(read.peek::<8>(), (*bytes[usize::try_from(before).unwrap()..].first_chunk::<8>().unwrap(), 8));
            read.go_to(again);
        }
        assert!(got == bytes);
    }

    #[test]
    fn seeking_goes_both_ways() {
        let (bytes, mut read) = reader(100_000);
        for target in [0usize, 50_000, 49_000, 99_990, 5, 40_000, 32_768] {
            read.go_to(target as u64);
            assert_eq!(read.position(), target as u64);
            let (peeked, count) = read.peek::<16>();
            assert_eq!(&peeked[..count], &bytes[target..(target + 16).min(bytes.len())]);
        }
        assert_eq!(read.seek(SeekFrom::End(-1)).unwrap(), 99_999);
        assert!(read.seek(SeekFrom::Current(-100_000)).is_err());
    }

    #[test]
    fn a_range_ends_where_it_should() {
        let (bytes, read) = reader(1000);
        let mut part = SourceRead::range(read.source, 100, 50);
        let mut got = Vec::new();
        part.read_to_end(&mut got).unwrap();
        assert_eq!(got, &bytes[100..150]);
        assert_eq!(part.position(), 50);
    }
}
