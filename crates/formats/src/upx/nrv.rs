//! NRV2B, NRV2D and NRV2E, the compressions of UPX (known from the reference implementations in RetDec, MIT, and Binary
//! Refinery, BSD).
//!
//! ```text
//! 1 byte                       a byte as it stands
//! 0 distance [byte] length     a repetition; the distance of the last one, if its number is 2; else the number, less 3, and a byte;
//!                              all bits set: the end
//! number (B)                   1, then a bit and a bit that tells of more (0) or of the end (1), again and again
//! ```
//!
//! In D and E a further bit goes into a distance between two of those, and the lowest bit of a distance belongs to the length. Bits
//! come out of words, the highest first; a word is fetched when a bit of it is needed, and bytes stand between the words. Words have
//! one, two or four bytes, the lowest first.

use dachs_base::{Anomaly, Budget};

/// Which of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variant {
    B,
    D,
    E,
}

/// No number is larger: a distance has 24 bits and a byte.
const LARGEST: u32 = 1 << 25;
/// Plain bytes between two looks at the clock.
const STEP: usize = 1 << 20;

/// Decodes to the mark of the end and gives how many packed bytes that took. Plain bytes are put behind `plain`, `most` at most; what
/// stands there before is no part of the stream.
///
/// # Errors
/// Where the stream makes no sense, or the time is over. What was decoded stays.
pub(super) fn decode(
    packed: &[u8],
    (variant, word): (Variant, usize),
    plain: &mut Vec<u8>,
    most: usize,
    budget: &Budget,
) -> Result<usize, Anomaly> {
    let start = plain.len();
    let end = start.saturating_add(most);
    let mut stream = Stream { rest: packed, word, bits: 0, left: 0, variant, last: 1 };
    let mut look = start.saturating_add(STEP);
    loop {
        match stream.symbol().ok_or_else(broken)? {
            Symbol::End => return Ok(packed.len() - stream.rest.len()),
            Symbol::Byte(byte) => plain.push(byte),
            Symbol::Repetition(distance, length) => repeat(plain, start, distance, length, end).ok_or_else(broken)?,
        }
        if plain.len() > end {
            return Err(broken());
        }
        if plain.len() > look {
            budget.check_time()?;
            look = plain.len().saturating_add(STEP);
        }
    }
}

fn broken() -> Anomaly {
    Anomaly::damaged("the packed program breaks off or makes no sense")
}

/// Copies what stands `distance` bytes before the end. It may reach into itself.
fn repeat(plain: &mut Vec<u8>, start: usize, distance: u32, length: u32, end: usize) -> Option<()> {
    let from = plain.len().checked_sub(usize::try_from(distance).ok()?).filter(|from| *from >= start)?;
    let mut left = usize::try_from(length).ok()?.min(end.saturating_add(1).saturating_sub(plain.len()));
    while left > 0 {
        let step = left.min(plain.len().checked_sub(from).filter(|step| *step > 0)?);
        plain.extend_from_within(from..from + step);
        left -= step;
    }
    Some(())
}

enum Symbol {
    Byte(u8),
    Repetition(u32, u32),
    End,
}

struct Stream<'a> {
    rest: &'a [u8],
    /// Bytes of a word of bits: 1, 2 or 4.
    word: usize,
    bits: u32,
    left: u32,
    variant: Variant,
    /// The last distance.
    last: u32,
}

impl Stream<'_> {
    #[inline(always)]
    fn bit(&mut self) -> Option<u32> {
        if self.left == 0 {
            let (word, rest) = self.rest.split_at_checked(self.word)?;
            self.bits = word.iter().rev().fold(0, |bits, byte| bits << 8 | u32::from(*byte));
            self.left = u32::try_from(self.word * 8).ok()?;
            self.rest = rest;
        }
        self.left -= 1;
        Some(self.bits >> self.left & 1)
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    fn symbol(&mut self) -> Option<Symbol> {
        if self.bit()? == 1 {
            return self.byte().map(Symbol::Byte);
        }
        let number = if self.variant == Variant::B { self.number()? } else { self.interleaved()? };
        let mut short = 0;
        if number == 2 {
            short = if self.variant == Variant::B { 0 } else { self.bit()? };
        } else {
            let distance = (number.checked_sub(3)? << 8) | u32::from(self.byte()?);
            if distance == u32::MAX {
                return Some(Symbol::End);
            }
            if self.variant == Variant::B {
                self.last = distance.checked_add(1)?;
            } else {
                short = !distance & 1;
                self.last = (distance >> 1).checked_add(1)?;
            }
        }
        let length = self.length(short)?;
        Some(Symbol::Repetition(self.last, length))
    }

    /// A number, each digit with a bit behind it that ends it.
    fn number(&mut self) -> Option<u32> {
        let mut number = 1;
        loop {
            number = number * 2 + self.bit()?;
            if self.bit()? == 1 {
                return Some(number);
            }
            (number < LARGEST).then_some(())?;
        }
    }

    /// A number of which every second digit has no such bit.
    fn interleaved(&mut self) -> Option<u32> {
        let mut number = 1;
        loop {
            number = number * 2 + self.bit()?;
            if self.bit()? == 1 {
                return Some(number);
            }
            (number < LARGEST).then_some(())?;
            number = (number - 1) * 2 + self.bit()?;
        }
    }

    /// Far repetitions are one byte longer.
    fn length(&mut self, short: u32) -> Option<u32> {
        let (far, length) = match self.variant {
            Variant::B => {
                let bits = self.bit()? * 2 + self.bit()?;
                (0xd00, if bits == 0 { self.number()? + 2 } else { bits })
            }
            Variant::D => {
                let bits = short * 2 + self.bit()?;
                (0x500, if bits == 0 { self.number()? + 2 } else { bits })
            }
            Variant::E if short == 1 => (0x500, 1 + self.bit()?),
            Variant::E => match self.bit()? {
                1 => (0x500, 3 + self.bit()?),
                _ => (0x500, self.number()? + 3),
            },
        };
        Some(length + 1 + u32::from(self.last > far))
    }
}
