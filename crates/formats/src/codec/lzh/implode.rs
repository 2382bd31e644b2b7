//! PKZIP's implode (APPNOTE 5.3): LZ77 with Shannon-Fano codes, the lowest bit of each byte first.
//!
//! ```text
//! codes of literals (if flag bit 2 is set), codes of lengths, codes of the high bits of distances
//! 1 literal | 0 low bits of the distance, code of its high bits, code of the length
//! ```
//!
//! The codes of APPNOTE count downwards: the longest is all zeros. Their complements are the canonical codes of
//! [`Codes`].

use std::io;

use super::bits::Bits;
use super::{Item, Items, broken};
use crate::codec::huffman::Codes;

/// A length of the code that is followed by eight further bits.
const LONG: u16 = 63;

/// Decodes codes to items.
pub(super) struct Implode {
    bits: Bits,
    /// Distances have seven low bits instead of six: a dictionary of 8 KiB.
    large: bool,
    /// Literals have codes.
    literals: bool,
    trees: Option<Trees>,
}

struct Trees {
    literals: Option<Codes>,
    lengths: Codes,
    distances: Codes,
}

impl Implode {
    pub(super) fn new(bits: Bits, large: bool, literals: bool) -> Implode {
        Implode { bits, large, literals, trees: None }
    }

    fn trees(&mut self) -> io::Result<Trees> {
        let literals = if self.literals { Some(codes(&mut self.bits, 256)?) } else { None };
        Ok(Trees { literals, lengths: codes(&mut self.bits, 64)?, distances: codes(&mut self.bits, 64)? })
    }

    fn item(&mut self, trees: &Trees) -> io::Result<Item> {
        let bits = &mut self.bits;
        if bits.take(1)? == 1 {
            let byte = match &trees.literals {
                Some(codes) => symbol(bits, codes)?,
                None => number(bits, 8)?,
            };
            return Ok(Item::Byte(u8::try_from(byte).unwrap_or(0)));
        }
        let low = if self.large { 7 } else { 6 };
        let distance = usize::from(number(bits, low)?) | usize::from(symbol(bits, &trees.distances)?) << low;
        let code = symbol(bits, &trees.lengths)?;
        let more = if code == LONG { number(bits, 8)? } else { 0 };
        let shortest = if self.literals { 3 } else { 2 };
        Ok(Item::Match { distance: distance + 1, length: usize::from(code) + usize::from(more) + shortest })
    }
}

impl Items for Implode {
    fn next_item(&mut self) -> io::Result<Item> {
        let trees = match self.trees.take() {
            Some(trees) => trees,
            None => self.trees()?,
        };
        let item = self.item(&trees);
        self.trees = Some(trees);
        item
    }
}

/// A number whose lowest bit comes first.
pub(super) fn number(bits: &mut Bits, count: u32) -> io::Result<u16> {
    bits.take(count).map(|taken| taken.reverse_bits() >> (16 - count))
}

fn symbol(bits: &mut Bits, codes: &Codes) -> io::Result<u16> {
    let (symbol, length) =
        codes.decode(!bits.peek()?).ok_or_else(|| broken("an imploded stream has an undefined code"))?;
    bits.skip(length.into())?;
    Ok(symbol)
}

/// The lengths of codes: how many bytes less one, and in each byte how many codes less one and their length less one.
fn codes(bits: &mut Bits, symbols: usize) -> io::Result<Codes> {
    let mut lengths = Vec::with_capacity(symbols);
    for _ in 0..=number(bits, 8)? {
        let pair = number(bits, 8)?;
        let length = u8::try_from(pair & 15).unwrap_or(15) + 1;
        lengths.extend(std::iter::repeat_n(length, usize::from(pair >> 4) + 1));
    }
    let codes = if lengths.len() == symbols { Codes::new(&lengths) } else { None };
    codes.ok_or_else(|| broken("the codes of an imploded stream make no sense"))
}
