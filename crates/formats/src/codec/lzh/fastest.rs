//! ARJ's method 4: lengths and distances in numbers whose own width comes in ones before them.

use std::io;

use super::bits::Bits;
use super::{Item, Items};

/// Items of method 4.
pub(super) struct Fastest {
    bits: Bits,
}

impl Fastest {
    pub(super) fn new(bits: Bits) -> Fastest {
        Fastest { bits }
    }

    /// A number of at least `least` and at most `most` bits: each one before it adds a bit, a zero ends them.
    fn number(&mut self, least: u32, most: u32) -> io::Result<usize> {
        let mut width = least;
        let mut base = 0;
        while width < most && self.bits.take(1)? == 1 {
            base += 1usize << width;
            width += 1;
        }
        Ok(base + usize::from(self.bits.take(width)?))
    }
}

impl Items for Fastest {
    fn next_item(&mut self) -> io::Result<Item> {
        match self.number(0, 7)? {
            0 => Ok(Item::Byte(self.bits.byte()?)),
            length => Ok(Item::Match { distance: self.number(9, 13)? + 1, length: length + 2 }),
        }
    }
}
