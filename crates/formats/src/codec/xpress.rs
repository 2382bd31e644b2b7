//! XPRESS with Huffman codes ([MS-XCA] 2.1, 2.2), as WIM files and the system compression of Windows use it: one block,
//! one set of codes.

use super::huffman::Codes;
use super::output::{Input, Output};

/// Bytes of the table of lengths, two codes in each.
const TABLE: usize = 256;

/// Decodes a block of at most `most` plain bytes, at most 64 KiB; `None` if it is broken.
pub(crate) fn decode(input: &[u8], most: usize) -> Option<Vec<u8>> {
    let (table, data) = input.split_at_checked(TABLE)?;
    let lengths: Vec<u8> = table.iter().flat_map(|byte| [byte & 15, byte >> 4]).collect();
    let codes = Codes::new(&lengths)?;
    let mut bits = Bits { input: Input::new(data), waiting: 0, extra: 16 };
    bits.waiting = bits.word() << 16 | bits.word();
    let mut output = Output::new(most);
    while !output.is_full() {
        let (symbol, length) = codes.decode(u16::try_from(bits.waiting >> 16).ok()?)?;
        bits.pass(u32::from(length))?;
        match u8::try_from(symbol) {
            Ok(byte) => output.push(byte)?,
            Err(_) => {
                let symbol = usize::from(symbol) - 256;
                let length = length_of(&mut bits.input, symbol & 15)?;
                let count = u32::try_from(symbol >> 4).ok()?;
                let distance = (1 << count) + bits.take(count)?;
                output.repeat(distance, length.min(most - output.len()))?;
            }
        }
    }
    Some(output.into_bytes())
}

fn length_of(input: &mut Input<'_>, short: usize) -> Option<usize> {
    let length = match short {
        15 => match input.byte()? {
            255 => input.word().filter(|length| *length >= 15)?,
            more => more + 15,
        },
        short => short,
    };
    Some(length + 3)
}

struct Bits<'a> {
    input: Input<'a>,
    /// The next bits, the first of them highest.
    waiting: u32,
    /// How many of them there are besides 16.
    extra: i32,
}

impl Bits<'_> {
    /// 16 bits; zeros behind the end.
    fn word(&mut self) -> u32 {
        self.input.word().and_then(|word| u32::try_from(word).ok()).unwrap_or(0)
    }

    fn pass(&mut self, count: u32) -> Option<()> {
        self.waiting = self.waiting.checked_shl(count)?;
        self.extra -= i32::try_from(count).ok()?;
        if self.extra < 0 {
            self.waiting |= self.word() << self.extra.unsigned_abs();
            self.extra += 16;
        }
        Some(())
    }

    /// Up to 15 bits.
    fn take(&mut self, count: u32) -> Option<usize> {
        let bits = self.waiting.checked_shr(32 - count).unwrap_or(0);
        self.pass(count)?;
        usize::try_from(bits).ok()
    }
}
