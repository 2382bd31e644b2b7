//! Blocks, each with codes of its own: LHA's `lh4` to `lh7`, ARJ's methods 1 to 3.
//!
//! ```text
//! count of items 16 | codes of code lengths | codes of bytes and lengths | codes of distances | items
//! ```

use std::io;

use super::bits::Bits;
use super::{Item, Items, broken};
use crate::codec::huffman::Codes;

/// Symbols: 256 bytes, and lengths from 3 to 256.
const LETTERS: usize = 510;
/// Symbols of the codes of code lengths.
const LENGTHS: usize = 19;

/// Items by blocks.
pub(super) struct Blocks {
    bits: Bits,
    /// How many symbols there are for distances, and bits of their number.
    distances: (usize, u32),
    letter: Code,
    distance: Code,
    /// Items left of the block.
    left: u32,
}

/// A set of codes, or the one symbol that needs none.
enum Code {
    Always(u16),
    Codes(Box<Codes>),
}

impl Code {
    fn symbol(&self, bits: &mut Bits) -> io::Result<u16> {
        match self {
            Code::Always(symbol) => Ok(*symbol),
            Code::Codes(codes) => {
                let (symbol, length) = codes.decode(bits.peek()?).ok_or_else(|| broken("an unknown Huffman code"))?;
                bits.skip(u32::from(length))?;
                Ok(symbol)
            }
        }
    }

    fn new(lengths: &[u8]) -> io::Result<Code> {
        Codes::new(lengths).map(|codes| Code::Codes(Box::new(codes))).ok_or_else(|| broken("impossible Huffman codes"))
    }
}

impl Blocks {
    pub(super) fn new(bits: Bits, distances: usize, width: u32) -> Blocks {
        Blocks { bits, distances: (distances, width), letter: Code::Always(0), distance: Code::Always(0), left: 0 }
    }

    fn begin(&mut self) -> io::Result<()> {
        self.left = match self.bits.take(16)? {
            0 => 1 << 16,
            count => u32::from(count),
        };
        let lengths = self.plain_lengths(LENGTHS, 5, Some(3))?;
        self.letter = self.letters(&lengths)?;
        let (count, width) = self.distances;
        self.distance = self.plain_lengths(count, width, None)?;
        Ok(())
    }

    /// Lengths of codes of three bits each, or more if all are ones. Behind the symbol `gap`, two bits tell of zeros.
    fn plain_lengths(&mut self, most: usize, width: u32, gap: Option<usize>) -> io::Result<Code> {
        let count = usize::from(self.bits.take(width)?);
        if count == 0 {
            return Ok(Code::Always(self.bits.take(width)?));
        }
        let mut lengths = Vec::new();
        while lengths.len() < count {
            let mut length = u8::try_from(self.bits.take(3)?).unwrap_or(0);
            while length >= 7 && self.bits.take(1)? == 1 {
                length = length.checked_add(1).filter(|length| *length <= 16).ok_or_else(too_long)?;
            }
            lengths.push(length);
            if gap == Some(lengths.len()) {
                let zeros = usize::from(self.bits.take(2)?);
                lengths.resize(lengths.len() + zeros, 0);
            }
        }
        if count > most {
            return Err(broken("too many Huffman codes"));
        }
        Code::new(&lengths)
    }

    /// Lengths of the codes of bytes and lengths, themselves coded.
    fn letters(&mut self, code: &Code) -> io::Result<Code> {
        let count = usize::from(self.bits.take(9)?);
        if count == 0 {
            return Ok(Code::Always(self.bits.take(9)?));
        }
        if count > LETTERS {
            return Err(broken("too many Huffman codes"));
        }
        let mut lengths = Vec::new();
        while lengths.len() < count {
            let zeros = match code.symbol(&mut self.bits)? {
                0 => 1,
                1 => usize::from(self.bits.take(4)?) + 3,
                2 => usize::from(self.bits.take(9)?) + 20,
                symbol => {
                    lengths.push(u8::try_from(symbol - 2).map_err(|_| too_long())?);
                    continue;
                }
            };
            lengths.resize(lengths.len() + zeros, 0);
        }
        Code::new(&lengths)
    }
}

fn too_long() -> io::Error {
    broken("a Huffman code that is too long")
}

impl Items for Blocks {
    fn next_item(&mut self) -> io::Result<Item> {
        if self.left == 0 {
            self.begin()?;
        }
        self.left -= 1;
        let symbol = self.letter.symbol(&mut self.bits)?;
        if let Ok(byte) = u8::try_from(symbol) {
            return Ok(Item::Byte(byte));
        }
        let length = usize::from(symbol - 256) + 3;
        let before = match u32::from(self.distance.symbol(&mut self.bits)?) {
            0 => 0,
            slot @ 1..=17 => (1usize << (slot - 1)) + usize::from(self.bits.take(slot - 1)?),
            _ => return Err(broken("a distance that is too long")),
        };
        Ok(Item::Match { distance: before + 1, length })
    }
}
