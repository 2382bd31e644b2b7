//! uuencode (POSIX.1-2017, uuencode, "STDOUT"): `begin MODE NAME`, lines of up to 45 bytes each, `end`.
//!
//! A file may hold several such blocks with text between them; each is a member. The blocks are found by
//! [`crate::mail`], in whose bodies they usually stand. Lines that were cut short, as editors do with blanks at the end of a
//! line, are filled up with zeros, as other decoders do. A block without its `end` is told.

use std::io;
use std::sync::Arc;

use dachs_base::{Budget, Source};

use crate::Unpack;
use crate::mail::{self, Turn};

/// The longest line: a count and 84 characters; the rest is a checksum of some encoders.
const LONGEST: usize = 85;

/// Unpacks a text with uuencoded blocks.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    mail::open_text(source, budget)
}

/// A decoder of the lines between `begin` and `end`.
#[derive(Default)]
pub(crate) struct Uuencode {
    line: Vec<u8>,
}

impl Uuencode {
    fn end_line(&mut self, out: &mut Vec<u8>) {
        // What does not begin with a count is no data.
        if let Some((count @ 0x20..=0x60, data)) = self.line.split_first() {
            let mut left = usize::from(value(*count));
            let mut groups = data.chunks(4);
            while left > 0 {
                let group = groups.next().unwrap_or_default();
                let value = |index: usize| u32::from(group.get(index).map_or(0, |byte| value(*byte)));
                let bits = value(0) << 18 | value(1) << 12 | value(2) << 6 | value(3);
                let [_, bytes @ ..] = bits.to_be_bytes();
                out.extend(bytes.iter().take(left));
                left = left.saturating_sub(3);
            }
        }
        self.line.clear();
    }
}

/// Six bits; both a blank and a grave accent are zero.
fn value(byte: u8) -> u8 {
    byte.wrapping_sub(32) & 63
}

impl Turn for Uuencode {
    fn feed(&mut self, input: &[u8], out: &mut Vec<u8>) -> bool {
        for byte in input {
            match byte {
                b'\r' | b'\n' => self.end_line(out),
                _ if self.line.len() < LONGEST => self.line.push(*byte),
                _ => {}
            }
        }
        true
    }

    fn end(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.end_line(out);
        Ok(())
    }
}

/// `begin MODE NAME`: the name.
pub(crate) fn begin(line: &[u8]) -> Option<&[u8]> {
    named(line.strip_prefix(b"begin ")?)
}

/// `begin-base64 MODE NAME`, the form of POSIX that holds base64: the name.
pub(crate) fn begin_base64(line: &[u8]) -> Option<&[u8]> {
    named(line.strip_prefix(b"begin-base64 ")?)
}

fn named(rest: &[u8]) -> Option<&[u8]> {
    let rest = rest.trim_ascii_start();
    let digits = rest.iter().take_while(|byte| (b'0'..=b'7').contains(*byte)).count();
    let name = rest.get(digits..)?;
    ((1..=6).contains(&digits) && name.first() == Some(&b' ')).then(|| name.trim_ascii())
}

/// True if this may be the first line of data: no character outside the alphabet, and no more of them than counted.
pub(crate) fn is_data(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    let Some((count, data)) = line.split_first() else { return false };
    let count = usize::from(value(*count));
    let encoded = count.div_ceil(3) * 4;
    count > 0 && data.len() <= encoded + 2 && line.iter().all(|byte| (0x20..=0x60).contains(byte))
}
