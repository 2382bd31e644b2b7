//! A strict reader of the tar archives in containers: plain files with plain names, nothing else.
//!
//! The layout is that of POSIX.1-1988 (`ustar` and older): blocks of 512 bytes; name, size in octal digits, checksum. An
//! archive ends with a block of zeros, or where its bytes end.

use std::io::{self, Read};

use super::header::broken;

const BLOCK: usize = 512;

/// Reads members one after the other; between two calls of [`Tar::next`] it gives the bytes of the member at hand.
pub(crate) struct Tar<R> {
    reader: R,
    left: u64,
    padding: u64,
}

/// One member.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) size: u64,
}

impl<R: Read> Tar<R> {
    /// The archive that `reader` gives.
    pub(crate) fn new(reader: R) -> Tar<R> {
        Tar { reader, left: 0, padding: 0 }
    }

    /// The next member; what was not read of the one before is skipped.
    ///
    /// # Errors
    /// When reading fails or the archive is malformed.
    pub(crate) fn next(&mut self) -> io::Result<Option<Entry>> {
        self.skip()?;
        let mut block = [0; BLOCK];
        if !self.block(&mut block)? || block == [0; BLOCK] {
            return Ok(None);
        }
        let entry = entry(&block)?;
        self.left = entry.size;
        self.padding = entry.size.next_multiple_of(512) - entry.size;
        Ok(Some(entry))
    }

    fn skip(&mut self) -> io::Result<()> {
        let rest = self.left.saturating_add(self.padding);
        let skipped = io::copy(&mut (&mut self.reader).take(rest), &mut io::sink())?;
        if skipped < rest { Err(broken("its archive ends inside of a member")) } else { Ok(()) }
    }

    /// A whole block; false at the end of the bytes.
    fn block(&mut self, block: &mut [u8; BLOCK]) -> io::Result<bool> {
        let first = self.reader.read(block)?;
        let rest = block.get_mut(first..).unwrap_or_default();
        if first > 0 {
            self.reader.read_exact(rest)?;
        }
        Ok(first > 0)
    }
}

impl<R: Read> Read for Tar<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = (&mut self.reader).take(self.left).read(buffer)?;
        self.left = self.left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
        if count == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(broken("its archive ends inside of a member"));
        }
        Ok(count)
    }
}

fn entry(block: &[u8; BLOCK]) -> io::Result<Entry> {
    let field = |from: usize, length: usize| block.get(from..).and_then(|rest| rest.get(..length)).unwrap_or_default();
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
    let expected = octal(field(148, 8));
    // The checksum counts its own eight bytes as spaces.
    let found = sum(block) - sum(field(148, 8)) + 8 * u64::from(b' ');
    if expected != Some(found) {
        return Err(broken("the checksum of a member's header is wrong"));
    }
    if !matches!(field(156, 1), [0 | b'0']) {
        return Err(broken("its archive holds something other than files"));
    }
    let name = field(0, 100).split(|byte| *byte == 0).next().unwrap_or_default();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if name.is_empty() || !name.iter().all(plain) {
        return Err(broken("the name of a member is not plain"));
    }
    let size = octal(field(124, 12)).ok_or_else(|| broken("the size of a member is none"))?;
    Ok(Entry { name: String::from_utf8_lossy(name).into_owned(), size })
}

/// Octal digits, between spaces and zeros.
fn octal(field: &[u8]) -> Option<u64> {
    let text = str::from_utf8(field).ok()?;
    u64::from_str_radix(text.trim_matches(['\0', ' ']), 8).ok()
}
