//! PKZIP's reduce (APPNOTE 5.2): bytes that are likely behind each other, then repetitions.
//!
//! ```text
//! for each byte from 255 down: 6 bits, how many bytes follow it often, and those (8 bits each)
//! for each byte: 1 bit, then 8 bits of it, or its number among the followers of the byte before
//! 144 0           the byte 144
//! 144 V [C] D     a match: V holds the length and the high bits of the distance, D the low bits
//! ```

use std::io;

use super::bits::Bits;
use super::implode::number;
use super::{Item, Items};

/// The byte that begins a match.
const MARK: u8 = 144;

/// Decodes codes to items.
pub(super) struct Reduce {
    bits: Bits,
    /// Bits of `V` that hold a length: 7 to 4.
    length_bits: u32,
    followers: Option<Vec<Vec<u8>>>,
    last: u8,
}

impl Reduce {
    /// `factor` is 1 to 4, for the methods 2 to 5.
    pub(super) fn new(bits: Bits, factor: u8) -> Reduce {
        Reduce { bits, length_bits: 8 - u32::from(factor.clamp(1, 4)), followers: None, last: 0 }
    }

    fn read_followers(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let mut followers = vec![Vec::new(); 256];
        for set in followers.iter_mut().rev() {
            for _ in 0..number(&mut self.bits, 6)? {
                set.push(byte(&mut self.bits)?);
            }
        }
        Ok(followers)
    }

    /// The next byte of the first stage.
    fn byte(&mut self) -> io::Result<u8> {
        if self.followers.is_none() {
            self.followers = Some(self.read_followers()?);
        }
        let followers = self.followers.as_ref().and_then(|sets| sets.get(usize::from(self.last)));
        let followers = followers.map_or(&[][..], Vec::as_slice);
        self.last = if followers.is_empty() || self.bits.take(1)? == 1 {
            byte(&mut self.bits)?
        } else {
            // As many bits as the highest number needs, at least one.
            let highest = u32::try_from(followers.len() - 1).unwrap_or(0);
            let index = number(&mut self.bits, (32 - highest.leading_zeros()).max(1))?;
            followers.get(usize::from(index)).copied().unwrap_or(0)
        };
        Ok(self.last)
    }
}

impl Items for Reduce {
    fn next_item(&mut self) -> io::Result<Item> {
        let first = self.byte()?;
        if first != MARK {
            return Ok(Item::Byte(first));
        }
        let value = self.byte()?;
        if value == 0 {
            return Ok(Item::Byte(MARK));
        }
        let longest = (1usize << self.length_bits) - 1;
        let mut length = usize::from(value) & longest;
        if length == longest {
            length += usize::from(self.byte()?);
        }
        let high = usize::from(value) >> self.length_bits;
        let distance = high << 8 | usize::from(self.byte()?);
        Ok(Item::Match { distance: distance + 1, length: length + 3 })
    }
}

fn byte(bits: &mut Bits) -> io::Result<u8> {
    number(bits, 8).map(|byte| u8::try_from(byte).unwrap_or(0))
}
