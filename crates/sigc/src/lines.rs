//! Lines of a text, one at a time and of bounded length.

use std::io::{self, BufRead, Read};

/// A longer line is an error. The longest line known of a real database has 16,300 bytes.
pub(crate) const LONGEST: usize = 1 << 20;

/// More bytes of one source than this are an error: it stops a small compressed file that is endless when decompressed.
pub(crate) const MOST: u64 = 8 << 30;

/// Reads lines into one buffer.
pub(crate) struct Lines<'r> {
    reader: &'r mut dyn BufRead,
    buffer: Vec<u8>,
    /// The number of the line last read, from 1.
    pub(crate) number: u64,
}

impl<'r> Lines<'r> {
    /// The lines of `reader`.
    pub(crate) fn new(reader: &'r mut dyn BufRead) -> Lines<'r> {
        Lines { reader, buffer: Vec::new(), number: 0 }
    }

    /// The next line without its ending (LF or CR LF); nothing at the end of the text.
    ///
    /// # Errors
    /// When reading fails, or the line is too long.
    pub(crate) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.buffer.clear();
        let limit = u64::try_from(LONGEST).unwrap_or(u64::MAX).saturating_add(2);
        if self.reader.take(limit).read_until(b'\n', &mut self.buffer)? == 0 {
            return Ok(None);
        }
        self.number = self.number.saturating_add(1);
        let end = self.buffer.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
        self.buffer.truncate(end);
        if self.buffer.len() > LONGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a line of more than {LONGEST} bytes")));
        }
        Ok(Some(&self.buffer))
    }
}

/// A reader that fails when there is more than it may give.
pub(crate) struct Bounded<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Bounded<R> {
    /// At most `most` bytes of `reader`.
    pub(crate) fn new(reader: R, most: u64) -> Bounded<R> {
        Bounded { reader, left: most }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.left = self
            .left
            .checked_sub(u64::try_from(count).unwrap_or(u64::MAX))
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "more bytes than a source may have"))?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> io::Result<Vec<String>> {
        let mut reader = text;
        let mut lines = Lines::new(&mut reader);
        let mut all = Vec::new();
        while let Some(line) = lines.next()? {
            all.push(String::from_utf8_lossy(line).into_owned());
        }
        Ok(all)
    }

    #[test]
    fn endings_are_taken_off() {
        assert_eq!(read(b"a\r\nb\n\n c \nd").unwrap(), ["a", "b", "", " c ", "d"]);
        assert_eq!(read(b"").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_long_line_is_an_error() {
        assert_eq!(read(&vec![b'a'; LONGEST]).unwrap()[0].len(), LONGEST);
        assert!(read(&vec![b'a'; LONGEST + 1]).is_err());
    }

    #[test]
    fn a_bounded_reader_fails_behind_its_bound() {
        let read = |most| io::read_to_string(Bounded::new(&b"abc"[..], most));
        assert_eq!(read(3).unwrap(), "abc");
        assert!(read(2).is_err());
    }
}
