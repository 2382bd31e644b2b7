//! An encoder for Quantum. `cabextract` unpacks what it makes, which the tests ask.

use super::{Item, items};

const FRAME: usize = 32 * 1024;

/// Packs `plain` with a window of so many bits, to one block a frame.
pub fn pack(plain: &[u8], bits: usize) -> Vec<Vec<u8>> {
    let mut models = Models::new(bits);
    let mut frames = vec![Frame::new()];
    let mut made = 0;
    for item in items(plain, 1 << bits, 5, 259, FRAME) {
        if made > 0 && made % FRAME == 0 && frames.len() * FRAME == made {
            frames.push(Frame::new());
        }
        let frame = frames.last_mut().unwrap();
        made += match item {
            Item::Byte(byte) => models.byte(frame, byte),
            Item::Match { distance, length } => models.repeat(frame, distance, length),
        };
    }
    frames.into_iter().map(Frame::finish).collect()
}

struct Models {
    selector: Model,
    literals: Vec<Model>,
    places: Vec<Model>,
    lengths: Model,
    /// Counts matches, so that short ones are written in all ways.
    matches: usize,
}

impl Models {
    fn new(bits: usize) -> Models {
        let slots = [24, 36, 42].map(|most: usize| most.min(bits * 2));
        Models {
            selector: Model::new(7),
            literals: (0..4).map(|_| Model::new(64)).collect(),
            places: slots.into_iter().map(Model::new).collect(),
            lengths: Model::new(27),
            matches: 0,
        }
    }

    fn byte(&mut self, frame: &mut Frame, byte: u8) -> usize {
        let quarter = usize::from(byte / 64);
        frame.symbol(&mut self.selector, quarter);
        frame.symbol(&mut self.literals[quarter], usize::from(byte % 64));
        1
    }

    fn repeat(&mut self, frame: &mut Frame, distance: usize, length: usize) -> usize {
        self.matches += 1;
        // A long match is now and then cut to 3 or 4 bytes and a rest that stays long enough.
        if length >= 9 && distance < 1000 && self.matches.is_multiple_of(3) {
            let cut = 3 + self.matches / 3 % 2;
            frame.symbol(&mut self.selector, cut + 1);
            self.place(frame, cut - 3, distance);
            return cut + self.repeat(frame, distance, length - cut);
        }
        frame.symbol(&mut self.selector, 6);
        let bases: [usize; 27] =
            [0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 18, 22, 26, 30, 38, 46, 54, 62, 78, 94, 110, 126, 158, 190, 222, 254];
        let extra = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
        let slot = bases.iter().rposition(|base| *base <= length - 5).unwrap();
        frame.symbol(&mut self.lengths, slot);
        frame.plain(length - 5 - bases[slot], extra[slot]);
        self.place(frame, 2, distance);
        length
    }

    fn place(&mut self, frame: &mut Frame, model: usize, distance: usize) {
        let bases: Vec<(usize, usize)> = (0..42usize)
            .scan(0, |base, slot| {
                let bits = (slot / 2).saturating_sub(1);
                let this = *base;
                *base += 1 << bits;
                Some((this, bits))
            })
            .collect();
        let slot = bases.iter().rposition(|(base, _)| *base < distance).unwrap();
        frame.symbol(&mut self.places[model], slot);
        frame.plain(distance - 1 - bases[slot].0, bases[slot].1);
    }
}

/// Symbols with their own weights, kept apart from the sums.
struct Model {
    symbols: Vec<usize>,
    sums: Vec<u32>,
    left: u32,
}

impl Model {
    fn new(count: usize) -> Model {
        Model { symbols: (0..count).collect(), sums: (0..=count as u32).rev().collect(), left: 4 }
    }

    fn add(&mut self, place: usize) {
        self.sums[..=place].iter_mut().for_each(|sum| *sum += 8);
        if self.sums[0] <= 3800 {
            return;
        }
        self.left -= 1;
        let count = self.symbols.len();
        if self.left > 0 {
            for at in (0..count).rev() {
                self.sums[at] = (self.sums[at] >> 1).max(self.sums[at + 1] + 1);
            }
            return;
        }
        self.left = 50;
        let mut weights: Vec<u32> = (0..count).map(|at| (self.sums[at] - self.sums[at + 1] + 1) >> 1).collect();
        for left in 0..count {
            for right in left + 1..count {
                if weights[left] < weights[right] {
                    weights.swap(left, right);
                    self.symbols.swap(left, right);
                }
            }
        }
        for at in (0..count).rev() {
            self.sums[at] = self.sums[at + 1] + weights[at];
        }
    }
}

/// The arithmetic encoder of a frame. Plain bits stand where the decoder has read to, which is 16 bits ahead.
struct Frame {
    coded: Vec<bool>,
    plain: Vec<(usize, bool)>,
    low: u32,
    high: u32,
    waiting: usize,
    shifts: usize,
}

impl Frame {
    fn new() -> Frame {
        Frame { coded: Vec::new(), plain: Vec::new(), low: 0, high: 0xFFFF, waiting: 0, shifts: 0 }
    }

    fn plain(&mut self, number: usize, count: usize) {
        let at = self.shifts + 16;
        self.plain.extend((0..count).rev().map(|bit| (at, number >> bit & 1 == 1)));
    }

    fn bit(&mut self, bit: bool) {
        self.coded.push(bit);
        self.coded.extend(std::iter::repeat_n(!bit, std::mem::take(&mut self.waiting)));
    }

    fn symbol(&mut self, model: &mut Model, symbol: usize) {
        let place = model.symbols.iter().position(|other| *other == symbol).unwrap();
        let (range, total) = (self.high - self.low + 1, model.sums[0]);
        self.high = self.low + model.sums[place] * range / total - 1;
        self.low += model.sums[place + 1] * range / total;
        model.add(place);
        loop {
            if self.low >> 15 == self.high >> 15 {
                self.bit(self.low >> 15 == 1);
            } else if self.low & 0x4000 != 0 && self.high & 0x4000 == 0 {
                self.waiting += 1;
                self.low &= 0x3FFF;
                self.high |= 0x4000;
            } else {
                return;
            }
            self.low = self.low << 1 & 0xFFFF;
            self.high = (self.high << 1 & 0xFFFF) | 1;
            self.shifts += 1;
        }
    }

    fn finish(mut self) -> Vec<u8> {
        self.waiting += 1;
        self.bit(self.low >= 0x4000);
        let length = (self.shifts + 16).max(self.coded.len());
        self.coded.resize(length, false);
        let mut bits = super::Bits::default();
        let mut plain = self.plain.into_iter().peekable();
        for (at, bit) in self.coded.into_iter().enumerate() {
            while let Some((_, bit)) = plain.next_if(|(place, _)| *place == at) {
                bits.bits.push(bit);
            }
            bits.bits.push(bit);
        }
        bits.bits.extend(plain.map(|(_, bit)| bit));
        bits.bytes(true)
    }
}
