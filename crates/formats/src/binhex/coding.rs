//! The characters of BinHex, its runs, and its checksum (RFC 1741, appendix A).

use std::io;

use crate::mail::{NONE, Turn, values};

/// The alphabet, which leaves out characters that are easily mistaken.
const ALPHABET: &[u8; 64] = b"!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr";
/// The value of each character.
const VALUES: [u8; 256] = values(ALPHABET);
/// Announces a run: the count of equal bytes follows, the one before included; zero means the byte itself.
const RUN: u8 = 0x90;

/// A decoder of characters and runs. It ends at a colon.
#[derive(Default)]
pub(super) struct Coding {
    bits: u32,
    /// How many of them there are.
    count: u8,
    last: u8,
    /// True behind [`RUN`].
    run: bool,
}

impl Coding {
    fn byte(&mut self, byte: u8, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.run) {
            match byte {
                0 => {
                    out.push(RUN);
                    self.last = RUN;
                }
                count => out.extend(std::iter::repeat_n(self.last, usize::from(count - 1))),
            }
        } else if byte == RUN {
            self.run = true;
        } else {
            out.push(byte);
            self.last = byte;
        }
    }
}

impl Turn for Coding {
    fn feed(&mut self, input: &[u8], out: &mut Vec<u8>) -> bool {
        for character in input {
            if *character == b':' {
                return false;
            }
            let value = VALUES.get(usize::from(*character)).copied().unwrap_or(NONE);
            if value == NONE {
                continue;
            }
            self.bits = (self.bits << 6) | u32::from(value);
            self.count += 6;
            if self.count >= 8 {
                self.count -= 8;
                let [.., byte] = (self.bits >> self.count).to_be_bytes();
                self.byte(byte, out);
            }
        }
        true
    }

    fn end(&mut self, _: &mut Vec<u8>) -> io::Result<()> {
        Ok(())
    }
}

/// CRC-CCITT with polynomial 0x1021, from zero.
#[derive(Default)]
pub(super) struct Crc(u16);

impl Crc {
    /// Adds bytes.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 ^= u16::from(*byte) << 8;
            for _ in 0..8 {
                let carry = self.0 & 0x8000 != 0;
                self.0 = (self.0 << 1) ^ if carry { 0x1021 } else { 0 };
            }
        }
    }

    /// The checksum of all that was added.
    pub(super) fn value(&self) -> u16 {
        self.0
    }
}
