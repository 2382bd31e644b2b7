//! LZWDecode (ISO 32000-1 7.4.4): codes of 9 to 12 bits, the highest bit first.

use std::io;

use super::{Input, Steps, broken, next};

/// The table and the longest string.
pub(super) const MEMORY: u64 = 64 * 1024;
/// Empties the table.
const CLEAR: u16 = 256;
/// Ends the data.
const END: u16 = 257;
/// The first code that the table gives away.
const FIRST: usize = 258;
/// Codes at most.
const MOST: usize = 1 << 12;

pub(super) struct Lzw {
    input: Input,
    /// 1 if codes get longer one code early (`/EarlyChange`).
    early: usize,
    /// For each code from [`FIRST`] on: the code of all but its last byte, and that byte.
    table: Vec<(u16, u8)>,
    before: Option<u16>,
    /// First byte of the last string.
    first: u8,
    bits: u32,
    held: u32,
}

impl Lzw {
    pub(super) fn new(input: Input, early: bool) -> Lzw {
        Lzw { input, early: usize::from(early), table: Vec::new(), before: None, first: 0, bits: 0, held: 0 }
    }

    fn free(&self) -> usize {
        self.table.len() + FIRST
    }

    /// The next code; none at the end of the input.
    fn code(&mut self) -> io::Result<Option<u16>> {
        let width = match self.free() + self.early {
            0..512 => 9,
            512..1024 => 10,
            1024..2048 => 11,
            _ => 12,
        };
        while self.held < width {
            let Some(byte) = next(&mut self.input)? else { return Ok(None) };
            self.bits = self.bits << 8 | u32::from(byte);
            self.held += 8;
        }
        self.held -= width;
        let code = self.bits >> self.held & ((1 << width) - 1);
        self.bits &= (1 << self.held) - 1;
        Ok(u16::try_from(code).ok())
    }

    /// Puts the string of a code to the end of `output`.
    fn string(&mut self, code: u16, output: &mut Vec<u8>) -> io::Result<()> {
        let undefined = || broken("an LZW code that was not defined");
        let start = output.len();
        let mut at = code;
        if usize::from(code) >= self.free() {
            at = self.before.filter(|_| usize::from(code) == self.free()).ok_or_else(undefined)?;
            output.push(self.first);
        }
        while let Some(index) = usize::from(at).checked_sub(FIRST) {
            // Entries point to earlier ones, so this ends.
            let (before, last) = self.table.get(index).copied().ok_or_else(undefined)?;
            output.push(last);
            at = before;
        }
        self.first = u8::try_from(at).map_err(|_| undefined())?;
        output.push(self.first);
        output.get_mut(start..).unwrap_or_default().reverse();
        Ok(())
    }
}

impl Steps for Lzw {
    fn step(&mut self, output: &mut Vec<u8>) -> io::Result<bool> {
        match self.code()? {
            None | Some(END) => return Ok(false),
            Some(CLEAR) => {
                self.table.clear();
                self.before = None;
            }
            Some(code) => {
                if let Err(error) = self.string(code, output) {
                    output.clear();
                    return Err(error);
                }
                if let Some(before) = self.before.filter(|_| self.free() < MOST) {
                    self.table.push((before, self.first));
                }
                self.before = Some(code);
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Filter, tests::decoded};
    use std::io::ErrorKind;

    /// A naive encoder: a table of strings, searched from its start.
    fn encoded(plain: &[u8], early: usize) -> Vec<u8> {
        let (mut bits, mut table): (Vec<bool>, Vec<Vec<u8>>) = (Vec::new(), Vec::new());
        let mut put = |code: usize, known: usize| {
            let width = match known + early {
                0..=511 => 9,
                512..=1023 => 10,
                1024..=2047 => 11,
                _ => 12,
            };
            bits.extend((0..width).rev().map(|bit| code >> bit & 1 == 1));
        };
        put(256, 258);
        let mut rest = plain;
        // The decoder's table is one entry behind.
        while !rest.is_empty() {
            let known = (258 + table.len()).saturating_sub(1).max(258);
            let best = table.iter().enumerate().filter(|(_, entry)| rest.starts_with(entry));
            let longest = best.max_by_key(|(_, entry)| entry.len());
            let (code, length) = longest.map_or((usize::from(rest[0]), 1), |(index, entry)| (258 + index, entry.len()));
            put(code, known);
            if rest.len() > length {
                table.push(rest[..=length].to_vec());
            }
            rest = &rest[length..];
            if table.len() > 3800 {
                put(256, 258 + table.len() - 1);
                table.clear();
            }
        }
        put(257, (258 + table.len()).saturating_sub(usize::from(plain.is_empty())));
        bits.chunks(8)
            .map(|byte| (0..8).fold(0, |value, bit| value << 1 | u8::from(*byte.get(bit).unwrap_or(&false))))
            .collect()
    }

    #[test]
    fn the_example_of_the_standard() {
        let (early, predictor) = (true, None);
        let bytes = [0x80, 0x0B, 0x60, 0x50, 0x22, 0x0C, 0x0C, 0x85, 0x01];
        let plain = [45, 45, 45, 45, 45, 65, 45, 45, 45, 66];
        assert_eq!(decoded(&[Filter::Lzw { early, predictor }], &bytes), (plain.to_vec(), None));
    }

    #[test]
    fn what_was_encoded_comes_back() {
        let text: Vec<u8> = (0..6000u32).flat_map(|number| (number * number % 3571).to_string().into_bytes()).collect();
        for early in [true, false] {
            for plain in [&text[..], &text[..700], &[b'a'; 3000], b"a"] {
                let filter = Filter::Lzw { early, predictor: None };
                let (out, error) = decoded(&[filter], &encoded(plain, usize::from(early)));
                assert_eq!((out.len(), error), (plain.len(), None), "early {early}");
                assert!(out == plain);
            }
        }
    }

    #[test]
    fn undefined_codes_are_damage() {
        let filter = Filter::Lzw { early: true, predictor: None };
        assert_eq!(decoded(&[filter], &[0x80, 0x20, 0xFF, 0xFF]).1, Some(ErrorKind::InvalidData));
    }
}
