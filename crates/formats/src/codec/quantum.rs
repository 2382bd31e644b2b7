//! Quantum, as in Microsoft cabinets (M. Russotto, "The Quantum compression format"; the bits of the method: [MS-CAB] 2.2).
//!
//! An arithmetic coder of 16 bits with adaptive models, over LZ77. Bits come highest first. Each block of data is a frame of up
//! to 32 KiB with a coder of its own; the window and the models go on from frame to frame.
//!
//! ```text
//! selector 0..3   a literal: one of 64 bytes, by the model of that quarter
//! selector 4, 5   a match of 3 or 4 bytes: slot of the place, plain bits
//! selector 6      a longer match: slot of the length, plain bits, slot of the place, plain bits
//! ```

/// The longest frame.
const FRAME: usize = 32 * 1024;
/// What each symbol that occurs adds to its weight.
const STEP: u32 = 8;
/// Above this total a model is scaled down.
const HEAVIEST: u32 = 3800;
/// How often a model is scaled down before it is sorted, at first and later.
const FIRST_SORT: u32 = 4;
const NEXT_SORT: u32 = 50;
/// Encoders leave out zeros at the end of a frame; so many bytes of them may be read.
const BEYOND: usize = 4;
/// Slots of lengths: the last has no plain bits.
const LENGTHS: usize = 27;
const SHORTEST_LONG: usize = 5;

/// Size of the window, in bytes; `None` if there is no such window.
pub(crate) fn window_size(bits: u16) -> Option<usize> {
    (10..=21).contains(&bits).then(|| 1 << bits)
}

/// A decoder between two frames.
pub(crate) struct Quantum {
    window: Vec<u8>,
    at: usize,
    selector: Model,
    literals: [Model; 4],
    /// Slots of places: for matches of 3, 4 and more bytes.
    places: [Model; 3],
    lengths: Model,
}

impl Quantum {
    /// A decoder with a window of so many bits.
    pub(crate) fn new(bits: u16) -> Option<Quantum> {
        let size = window_size(bits)?;
        let slots = usize::from(bits) * 2;
        Some(Quantum {
            window: vec![0; size],
            at: 0,
            selector: Model::new(0, 7),
            literals: [0, 64, 128, 192].map(|first| Model::new(first, 64)),
            places: [slots.min(24), slots.min(36), slots].map(|count| Model::new(0, count)),
            lengths: Model::new(0, LENGTHS),
        })
    }

    /// Decodes a frame of `length` plain bytes. `None` if no encoder makes it so.
    pub(crate) fn frame(&mut self, packed: &[u8], length: usize) -> Option<Vec<u8>> {
        let mut coder = Coder::new(packed)?;
        let mut plain = Vec::with_capacity(length.min(FRAME));
        while plain.len() < length {
            let selector = coder.symbol(&mut self.selector)?;
            if let Some(model) = self.literals.get_mut(selector) {
                let byte = u8::try_from(coder.symbol(model)?).ok()?;
                self.put(byte, &mut plain);
                continue;
            }
            let size = match selector {
                4 => 3,
                5 => 4,
                _ => long(&mut coder, &mut self.lengths)?,
            };
            let distance = place(&mut coder, self.places.get_mut(selector - 4)?)?;
            if size > length - plain.len() || distance > self.window.len() {
                return None;
            }
            for _ in 0..size {
                let from = self.at.wrapping_sub(distance) & (self.window.len() - 1);
                let byte = self.window.get(from).copied()?;
                self.put(byte, &mut plain);
            }
        }
        Some(plain)
    }

    fn put(&mut self, byte: u8, plain: &mut Vec<u8>) {
        if let Some(place) = self.window.get_mut(self.at) {
            *place = byte;
        }
        self.at = (self.at + 1) & (self.window.len() - 1);
        plain.push(byte);
    }
}

/// The length of a long match.
fn long(coder: &mut Coder<'_>, model: &mut Model) -> Option<usize> {
    let (base, bits) = length_slot(coder.symbol(model)?);
    Some(base + coder.plain(bits)? + SHORTEST_LONG)
}

/// The first length of a slot, and its plain bits: slots of four have the same count of them; the first six have none, nor has
/// the last.
fn length_slot(slot: usize) -> (usize, usize) {
    match slot {
        0..6 => (slot, 0),
        26 => (254, 0),
        _ => {
            let bits = (slot - 2) / 4;
            (((4 + (slot - 2) % 4) << bits) - 2, bits)
        }
    }
}

/// The distance of a match: slots of two with the same count of plain bits; the first four have none.
fn place(coder: &mut Coder<'_>, model: &mut Model) -> Option<usize> {
    let slot = coder.symbol(model)?;
    let (base, bits) = match slot {
        0..4 => (slot, 0),
        _ => {
            let bits = slot / 2 - 1;
            ((2 + slot % 2) << bits, bits)
        }
    };
    Some(base + coder.plain(bits)? + 1)
}

/// How likely symbols are. Each entry's weight includes that of all entries behind it.
struct Model {
    symbols: Vec<(usize, u32)>,
    until_sort: u32,
}

impl Model {
    fn new(first: usize, count: usize) -> Model {
        let weights = (0..=u32::try_from(count).unwrap_or(0)).rev();
        Model { symbols: (first..).zip(weights).collect(), until_sort: FIRST_SORT }
    }

    fn total(&self) -> u32 {
        self.symbols.first().map_or(1, |(_, weight)| *weight)
    }

    /// Makes the symbol at this place, which occurred, more likely.
    fn count(&mut self, place: usize) {
        self.symbols.iter_mut().take(place + 1).for_each(|(_, weight)| *weight += STEP);
        if self.total() > HEAVIEST {
            self.until_sort -= 1;
            match self.until_sort {
                0 => self.sort(),
                _ => self.halve(),
            }
        }
    }

    /// Halves all weights; none becomes as small as the one behind it.
    fn halve(&mut self) {
        let mut behind = 0;
        for (_, weight) in self.symbols.iter_mut().rev().skip(1) {
            *weight = (*weight / 2).max(behind + 1);
            behind = *weight;
        }
    }

    /// Halves the weights of single symbols and puts the heaviest first, as a sort by exchange does.
    fn sort(&mut self) {
        self.until_sort = NEXT_SORT;
        let behind: Vec<u32> = self.symbols.iter().skip(1).map(|(_, weight)| *weight).collect();
        let count = behind.len();
        for ((_, weight), behind) in self.symbols.iter_mut().zip(behind) {
            *weight = (*weight - behind).div_ceil(2);
        }
        for left in 0..count {
            for right in left + 1..count {
                let weight = |place: usize| self.symbols.get(place).map_or(0, |(_, weight)| *weight);
                if weight(left) < weight(right) {
                    self.symbols.swap(left, right);
                }
            }
        }
        let mut behind = 0;
        for (_, weight) in self.symbols.iter_mut().rev().skip(1) {
            *weight += behind;
            behind = *weight;
        }
    }
}

/// The arithmetic decoder of one frame.
struct Coder<'a> {
    bytes: &'a [u8],
    /// The next bit.
    at: usize,
    low: u32,
    high: u32,
    code: u32,
}

impl Coder<'_> {
    fn new(bytes: &[u8]) -> Option<Coder<'_>> {
        let mut coder = Coder { bytes, at: 0, low: 0, high: 0xFFFF, code: 0 };
        coder.code = u32::try_from(coder.plain(16)?).ok()?;
        Some(coder)
    }

    fn bit(&mut self) -> Option<u32> {
        let index = self.at / 8;
        let byte = self.bytes.get(index).copied().or_else(|| (index < self.bytes.len() + BEYOND).then_some(0))?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(u32::from(bit))
    }

    /// Bits that stand in the stream as they are.
    fn plain(&mut self, count: usize) -> Option<usize> {
        (0..count).try_fold(0, |number, _| Some(number << 1 | usize::try_from(self.bit()?).ok()?))
    }

    fn symbol(&mut self, model: &mut Model) -> Option<usize> {
        let range = self.high.checked_sub(self.low)? + 1;
        let total = model.total();
        let weight = ((self.code.checked_sub(self.low)? + 1) * total - 1) / range;
        let behind = |entry: &&(usize, u32)| entry.1 > weight;
        let place = model.symbols.iter().take_while(behind).count().checked_sub(1)?;
        let (symbol, upper) = *model.symbols.get(place)?;
        let (_, lower) = *model.symbols.get(place + 1)?;
        self.high = self.low + upper * range / total - 1;
        self.low += lower * range / total;
        model.count(place);
        self.narrow()?;
        Some(symbol)
    }

    /// Takes in bits until the range is wide again.
    fn narrow(&mut self) -> Option<()> {
        loop {
            if (self.low ^ self.high) & 0x8000 != 0 {
                if self.low & 0x4000 == 0 || self.high & 0x4000 != 0 {
                    return Some(());
                }
                self.code ^= 0x4000;
                self.low &= 0x3FFF;
                self.high |= 0x4000;
            }
            self.low = self.low << 1 & 0xFFFF;
            self.high = (self.high << 1 & 0xFFFF) | 1;
            self.code = (self.code << 1 & 0xFFFF) | self.bit()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_description() {
        let lengths =
            [0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 18, 22, 26, 30, 38, 46, 54, 62, 78, 94, 110, 126, 158, 190, 222, 254];
        let found: Vec<usize> = (0..LENGTHS).map(|slot| length_slot(slot).0).collect();
        assert_eq!(found, lengths);
    }

    #[test]
    fn noise_is_refused_or_bounded() {
        for seed in 0..200u8 {
            let noise: Vec<u8> =
                (0..200u8).map(|at| at.wrapping_mul(seed | 1).rotate_left(u32::from(at % 7)) ^ seed).collect();
            let mut quantum = Quantum::new(10).unwrap();
            if let Some(plain) = quantum.frame(&noise, FRAME) {
                assert_eq!(plain.len(), FRAME);
            }
        }
        assert!(Quantum::new(9).is_none() && Quantum::new(22).is_none());
    }
}
