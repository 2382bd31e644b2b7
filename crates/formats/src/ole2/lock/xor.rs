//! XOR obfuscation of workbooks (MS-OFFCRYPTO 2.3.7, method 1; MS-XLS 2.2.10, 2.4.117).
//!
//! Sixteen bytes are made of the password. Each byte of a record's data is changed by one of them, by its place in the stream and
//! the length of the record. The record FilePass holds two numbers by which a password is known: 31 bits, so hardly a wrong one
//! passes.

use std::io::{self, Read};
use std::sync::Arc;

use dachs_base::{Budget, LimitReached, Reader, Source};

use super::rc4::{BOUND_SHEET, PLAIN, file_pass};
use crate::stream::{Replay, SourceRead};

/// 2.3.7.1: no password is longer.
const LONGEST: usize = 15;
const PAD: [u8; 15] = [0xBB, 0xFF, 0xFF, 0xBA, 0xFF, 0xFF, 0xB9, 0x80, 0x00, 0xBE, 0x0F, 0x00, 0xBF, 0x0F, 0x00];
const INITIAL: [u16; 15] = [
    0xE1F0, 0x1D0F, 0xCC9C, 0x84C0, 0x110C, 0x0E10, 0xF1CE, 0x313E, 0x1872, 0xE139, 0xD40F, 0x84F9, 0x280C, 0xA96A,
    0x4EC3,
];
const MATRIX: [u16; 105] = [
    0xAEFC, 0x4DD9, 0x9BB2, 0x2745, 0x4E8A, 0x9D14, 0x2A09, 0x7B61, 0xF6C2, 0xFDA5, 0xEB6B, 0xC6F7, 0x9DCF, 0x2BBF,
    0x4563, 0x8AC6, 0x05AD, 0x0B5A, 0x16B4, 0x2D68, 0x5AD0, 0x0375, 0x06EA, 0x0DD4, 0x1BA8, 0x3750, 0x6EA0, 0xDD40,
    0xD849, 0xA0B3, 0x5147, 0xA28E, 0x553D, 0xAA7A, 0x44D5, 0x6F45, 0xDE8A, 0xAD35, 0x4A4B, 0x9496, 0x390D, 0x721A,
    0xEB23, 0xC667, 0x9CEF, 0x29FF, 0x53FE, 0xA7FC, 0x5FD9, 0x47D3, 0x8FA6, 0x0F6D, 0x1EDA, 0x3DB4, 0x7B68, 0xF6D0,
    0xB861, 0x60E3, 0xC1C6, 0x93AD, 0x377B, 0x6EF6, 0xDDEC, 0x45A0, 0x8B40, 0x06A1, 0x0D42, 0x1A84, 0x3508, 0x6A10,
    0xAA51, 0x4483, 0x8906, 0x022D, 0x045A, 0x08B4, 0x1168, 0x76B4, 0xED68, 0xCAF1, 0x85C3, 0x1BA7, 0x374E, 0x6E9C,
    0x3730, 0x6E60, 0xDCC0, 0xA9A1, 0x4363, 0x86C6, 0x1DAD, 0x3331, 0x6662, 0xCCC4, 0x89A9, 0x0373, 0x06E6, 0x0DCC,
    0x1021, 0x2042, 0x4084, 0x8108, 0x1231, 0x2462, 0x48C4,
];

/// What FilePass says of a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ole2) struct Stated {
    key: u16,
    verifier: u16,
}

/// What the record FilePass of a workbook says of XOR obfuscation; none if there is none.
pub(in crate::ole2) fn stated(stream: &Arc<dyn Source>) -> Option<Stated> {
    let held = file_pass(stream)?;
    // Since BIFF8 a number before them says that it is this method.
    let bytes = if held.len() == 4 { &held[..] } else { held.strip_prefix(&[0, 0])? };
    let mut reader = Reader::new(bytes, "FilePass");
    Some(Stated { key: reader.u16_le().ok()?, verifier: reader.u16_le().ok()? })
}

/// Tries a password.
pub(super) fn open(stated: Stated, password: &[u8], budget: &Budget) -> Result<Option<[u8; 16]>, LimitReached> {
    budget.charge_rounds(1)?;
    let right =
        (1..=LONGEST).contains(&password.len()) && key(password) == stated.key && verifier(password) == stated.verifier;
    Ok(right.then(|| array(password)))
}

/// 2.3.7.1, `CreatePasswordVerifier_Method1`.
fn verifier(password: &[u8]) -> u16 {
    let length = u8::try_from(password.len()).unwrap_or(0);
    let bytes = password.iter().rev().chain([&length]);
    bytes.fold(0u16, |sum, byte| ((sum >> 14 & 1) | (sum << 1 & 0x7FFF)) ^ u16::from(*byte)) ^ 0xCE4B
}

/// 2.3.7.2, `CreateXorKey_Method1`.
fn key(password: &[u8]) -> u16 {
    let initial = INITIAL.get(password.len().saturating_sub(1)).copied().unwrap_or(0);
    let bits = password.iter().rev().flat_map(|byte| (0..7).map(move |bit| byte << bit & 0x40 != 0));
    let chosen = bits.zip(MATRIX.iter().rev()).filter(|(set, _)| *set);
    chosen.fold(initial, |key, (_, element)| key ^ element)
}

/// 2.3.7.2, `CreateXorArray_Method1`: the password, filled up, with both bytes of the key.
fn array(password: &[u8]) -> [u8; 16] {
    let key = key(password).to_le_bytes();
    let mut array = [0; 16];
    for ((place, byte), key) in array.iter_mut().zip(password.iter().chain(&PAD)).zip(key.into_iter().cycle()) {
        *place = (byte ^ key).rotate_right(1);
    }
    array
}

/// The stream, plain.
pub(super) fn plain(array: [u8; 16], stream: &Arc<dyn Source>, budget: &Budget) -> Arc<dyn Source> {
    let source = Arc::clone(stream);
    let length = stream.len();
    let replay = Replay::new(budget, move || {
        let input = SourceRead::new(Arc::clone(&source));
        Ok(Box::new(Records { input, array, at: 0, header: Vec::new(), plain: 0, left: 0, index: 0 }))
    });
    Arc::new(replay.expecting(Some(length), None))
}

/// A stream of records: their headers are plain.
struct Records {
    input: SourceRead,
    array: [u8; 16],
    /// Bytes of the stream so far.
    at: usize,
    header: Vec<u8>,
    /// How many of the next bytes are plain, and how many belong to the record at hand.
    plain: usize,
    left: usize,
    /// Which byte changes the next one.
    index: usize,
}

impl Records {
    fn next(&mut self, byte: u8) -> u8 {
        self.at = self.at.wrapping_add(1);
        if self.left == 0 {
            self.header.push(byte);
            if let Ok([a, b, c, d]) = <[u8; 4]>::try_from(self.header.as_slice()) {
                self.begin(u16::from_le_bytes([a, b]), usize::from(u16::from_le_bytes([c, d])));
            }
            return byte;
        }
        self.left -= 1;
        let key = self.array.get(self.index % 16).copied().unwrap_or(0);
        self.index = self.index.wrapping_add(1);
        match self.plain.checked_sub(1) {
            Some(plain) => {
                self.plain = plain;
                byte
            }
            None => (byte ^ key).rotate_right(5),
        }
    }

    fn begin(&mut self, kind: u16, length: usize) {
        self.header.clear();
        self.left = length;
        self.index = self.at.wrapping_add(length);
        self.plain = match kind {
            BOUND_SHEET => 4,
            kind if PLAIN.contains(&kind) => length,
            _ => 0,
        };
    }
}

impl Read for Records {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.input.read(buffer)?;
        for byte in buffer.get_mut(..got).unwrap_or_default() {
            *byte = self.next(*byte);
        }
        Ok(got)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_of_excel_has_its_known_verifier() {
        assert_eq!(verifier(b"VelvetSweatshop"), 0x9A0A);
    }

    #[test]
    fn long_and_empty_passwords_open_nothing() {
        let budget = Budget::new(dachs_base::Limits::default(), dachs_base::NoClock);
        let stated = Stated { key: 0, verifier: 0 };
        assert_eq!(open(stated, b"", &budget), Ok(None));
        assert_eq!(open(stated, b"0123456789012345", &budget), Ok(None));
    }
}
