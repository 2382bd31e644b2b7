//! base64 (RFC 2045 6.8), read as mail readers do: characters outside the alphabet are skipped, missing padding is added.
//!
//! Where data follow the padding, readers differ: some stop there, others go on. [`Base64::new`] goes on and raises a
//! flag, so that the other reading ([`Base64::up_to_padding`]) can be looked at as well.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::turn::Turn;

/// What stands in [`VALUES`] for characters outside the alphabet.
pub(crate) const NONE: u8 = 0xff;
/// The value of each character.
const VALUES: [u8; 256] = values(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");

/// The value of each character of an alphabet of 64; [`NONE`] for all others.
pub(crate) const fn values(alphabet: &[u8; 64]) -> [u8; 256] {
    let mut values = [NONE; 256];
    let mut value = 0_u8;
    while value < 64 {
        #[allow(clippy::indexing_slicing, reason = "computed at compile time")]
        {
            values[alphabet[value as usize] as usize] = value;
        }
        value += 1;
    }
    values
}

fn value(byte: u8) -> u8 {
    VALUES.get(usize::from(byte)).copied().unwrap_or(NONE)
}

/// A decoder.
pub(crate) struct Base64 {
    bits: u32,
    /// Characters of the group at hand.
    count: u8,
    pads: u8,
    /// True behind padding that ended a group.
    padded: bool,
    stops: bool,
    /// Raised when data follow the padding.
    goes_on: Arc<AtomicBool>,
}

impl Base64 {
    /// Goes on behind padding, and says so.
    pub(crate) fn new(goes_on: Arc<AtomicBool>) -> Base64 {
        Base64 { bits: 0, count: 0, pads: 0, padded: false, stops: false, goes_on }
    }

    /// Stops at padding.
    pub(crate) fn up_to_padding() -> Base64 {
        Base64 { stops: true, ..Base64::new(Arc::default()) }
    }

    /// Decodes groups of four characters of the alphabet, as long as there is nothing else, and gives the rest.
    fn whole_groups<'i>(&self, mut input: &'i [u8], out: &mut Vec<u8>) -> &'i [u8] {
        if self.count > 0 || self.pads > 0 || self.padded {
            return input;
        }
        while let Some((group, rest)) = input.split_first_chunk::<4>() {
            let values = group.map(value);
            if values.iter().fold(0, |all, value| all | value) >= 64 {
                break;
            }
            let bits = values.iter().fold(0, |bits, value| bits << 6 | u32::from(*value));
            let [_, first, second, third] = bits.to_be_bytes();
            out.extend_from_slice(&[first, second, third]);
            input = rest;
        }
        input
    }

    fn add(&mut self, value: u8, out: &mut Vec<u8>) {
        self.pads = 0;
        self.bits = (self.bits << 6) | u32::from(value);
        self.count += 1;
        if self.count == 4 {
            let [_, first, second, third] = self.bits.to_be_bytes();
            out.extend_from_slice(&[first, second, third]);
            (self.bits, self.count) = (0, 0);
        }
    }

    /// Gives the bytes of a group that is not whole.
    fn flush(&mut self, out: &mut Vec<u8>) {
        let [first, second, ..] = (self.bits << (32 - 6 * u32::from(self.count.min(4))).min(31)).to_be_bytes();
        match self.count {
            2 => out.push(first),
            3 => out.extend_from_slice(&[first, second]),
            _ => {}
        }
        (self.bits, self.count, self.pads) = (0, 0, 0);
    }

    fn pad(&mut self, out: &mut Vec<u8>) {
        if self.count >= 2 {
            self.pads += 1;
            if self.count + self.pads >= 4 {
                self.flush(out);
                self.padded = true;
            }
        }
    }
}

impl Turn for Base64 {
    fn feed(&mut self, mut input: &[u8], out: &mut Vec<u8>) -> bool {
        loop {
            input = self.whole_groups(input, out);
            let Some((byte, rest)) = input.split_first() else { return true };
            input = rest;
            match value(*byte) {
                NONE if *byte == b'=' => self.pad(out),
                NONE => {}
                _ if self.padded && self.stops => return false,
                value => {
                    if self.padded {
                        self.padded = false;
                        self.goes_on.store(true, Ordering::Relaxed);
                    }
                    self.add(value, out);
                }
            }
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.flush(out);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::turn::decode_all;

    #[test]
    fn damaged_texts_are_read_as_mail_readers_do() {
        let table: [(&str, &str, &str); 12] = [
            ("", "", ""),
            ("YmFkZ2Vy", "badger", "badger"),
            ("YmFkZ2U=", "badge", "badge"),
            ("YmFkZw==", "badg", "badg"),
            ("YmFkZw", "badg", "badg"),
            ("YmFkZ2U", "badge", "badge"),
            ("Ym!F\r\n k\0Z-2_Vy", "badger", "badger"),
            ("YmFkZw==YmFkZ2Vy", "badgbadger", "badg"),
            ("YmFkZw==\r\n", "badg", "badg"),
            ("=YmFk=Z=2Vy", "badger", "badger"),
            ("YmFkZ", "bad", "bad"),
            ("YmFkZw=\r\n=", "badg", "badg"),
        ];
        for (text, all, first) in table {
            let flag = Arc::new(AtomicBool::new(false));
            assert_eq!(decode_all(Base64::new(Arc::clone(&flag)), text.as_bytes()), all.as_bytes(), "{text}");
            assert_eq!(decode_all(Base64::up_to_padding(), text.as_bytes()), first.as_bytes(), "{text}");
            assert_eq!(flag.load(Ordering::Relaxed), all != first, "{text}");
        }
    }
}
