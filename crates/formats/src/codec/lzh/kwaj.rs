//! Method 3 of KWAJ files (specification "SZDD and KWAJ file formats", "KWAJ compression method 3"): LZ77 with five sets of
//! Huffman codes, the highest bit of each byte first.
//!
//! ```text
//! 6 x 4 bits   how the lengths of the codes of each set are written; the last is padding
//! lengths of codes for: lengths, lengths behind a short run, lengths of runs, high bits of distances, bytes
//! codes
//! ```

use std::io;

use super::bits::Bits;
use super::{Item, Items, broken};
use crate::codec::huffman::Codes;

/// Symbols of each set of codes.
const SETS: [usize; 5] = [16, 16, 32, 64, 256];
/// The longest run of bytes; behind a shorter one no other run follows.
const LONGEST_RUN: usize = 32;

/// Decodes codes to items.
pub(super) struct Kwaj {
    bits: Bits,
    codes: Vec<Codes>,
    /// Bytes left of a run.
    run: usize,
    /// A short run came before.
    short: bool,
}

impl Kwaj {
    pub(super) fn new(bits: Bits) -> Kwaj {
        Kwaj { bits, codes: Vec::new(), run: 0, short: false }
    }

    fn read_codes(&mut self) -> io::Result<()> {
        let forms = (0..=SETS.len()).map(|_| self.bits.take(4)).collect::<io::Result<Vec<u16>>>()?;
        for (form, symbols) in forms.into_iter().zip(SETS) {
            let lengths = lengths(&mut self.bits, form, symbols)?;
            let codes = Codes::new(&lengths).ok_or_else(|| broken("the codes of a KWAJ file make no sense"))?;
            self.codes.push(codes);
        }
        Ok(())
    }

    fn symbol(&mut self, set: usize) -> io::Result<usize> {
        let bits = self.bits.peek()?;
        let found = self.codes.get(set).and_then(|codes| codes.decode(bits));
        let (symbol, length) = found.ok_or_else(|| broken("a KWAJ file has an undefined code"))?;
        self.bits.skip(length.into())?;
        Ok(usize::from(symbol))
    }
}

impl Items for Kwaj {
    fn next_item(&mut self) -> io::Result<Item> {
        if self.codes.is_empty() {
            self.read_codes()?;
        }
        if self.run == 0 {
            let length = self.symbol(usize::from(self.short))?;
            self.short = false;
            if length > 0 {
                let high = self.symbol(3)?;
                let distance = high << 6 | usize::from(self.bits.take(6)?);
                return Ok(Item::Match { distance, length: length + 2 });
            }
            self.run = self.symbol(2)? + 1;
            self.short = self.run < LONGEST_RUN;
        }
        self.run -= 1;
        self.symbol(4).map(|byte| Item::Byte(u8::try_from(byte).unwrap_or(0)))
    }
}

/// "Huffman code length lists": all the same; steps of one; a difference or a length; lengths.
fn lengths(bits: &mut Bits, form: u16, symbols: usize) -> io::Result<Vec<u8>> {
    let same = u8::try_from(symbols.ilog2()).unwrap_or(0);
    if form == 0 {
        return Ok(vec![same; symbols]);
    }
    let mut length = number(bits)?;
    let mut lengths = vec![length];
    for _ in 1..symbols {
        length = match form {
            1 if bits.take(1)? == 0 => length,
            1 if bits.take(1)? == 0 => length.saturating_add(1),
            1 | 3 => number(bits)?,
            2 => match bits.take(2)? {
                3 => number(bits)?,
                step => (length + u8::try_from(step).unwrap_or(0)).saturating_sub(1),
            },
            _ => return Err(broken("the codes of a KWAJ file are written in an unknown way")),
        };
        lengths.push(length);
    }
    Ok(lengths)
}

fn number(bits: &mut Bits) -> io::Result<u8> {
    bits.take(4).map(|number| u8::try_from(number).unwrap_or(0))
}
