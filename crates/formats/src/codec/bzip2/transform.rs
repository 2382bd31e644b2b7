//! The Burrows-Wheeler transformation, backwards (M. Burrows, D. J. Wheeler, "A block-sorting lossless data compression algorithm", 1994).
//!
//! Sorting the bytes of a block by their values tells for each byte where the one behind it stands. To go from byte to byte is a chain of
//! reads each of which waits for the one before it, from all over a few megabytes: that, and not the number of instructions, is
//! what the reader of bzip2 spends its time on. But the chain may be begun at any byte: so it is cut at up to [`MOST_STARTS`] places, and
//! the pieces are followed [`LANES`] at a time, each up to where another begins. The reads of the lanes wait for nobody but
//! themselves. Then the pieces are put together, from the block's origin on.
//!
//! ```text
//! entry    0 .. 7 the byte | 8 .. 27 where the next one stands | 31 a piece begins here
//! ```
//!
//! A block that repeats itself is a chain shorter than the block, which is gone round again and again; the other pieces are left over.

/// Pieces that are followed at the same time.
const LANES: usize = 8;
/// Pieces of a block at most.
const MOST_STARTS: usize = 256;
/// A piece of this length or less is not worth being one.
const PIECE: usize = 256;
const START: u32 = 1 << 31;
/// Where the next byte stands, once moved down.
const INDEX: u32 = 0xf_ffff;

/// A block while it is brought into its order; its memory is used for the next one again.
pub(super) struct Transform {
    /// An entry for each byte, and more that are not used.
    pub(super) chain: Vec<u32>,
    /// Bytes of the block.
    pub(super) length: usize,
    /// How often each byte occurs.
    pub(super) counts: [u32; 256],
    lanes: [Vec<u8>; LANES],
}

/// A piece of the chain.
#[derive(Clone, Copy, Default)]
struct Piece {
    start: u32,
    lane: usize,
    from: usize,
    until: usize,
    /// Where the next one starts.
    next: u32,
}

/// A lane at work.
#[derive(Clone, Copy, Default)]
struct Lane {
    piece: usize,
    /// The entry to be looked at.
    at: u32,
    filled: usize,
}

impl Transform {
    pub(super) fn new() -> Transform {
        Transform { chain: Vec::new(), length: 0, counts: [0; 256], lanes: Default::default() }
    }

    /// Puts the bytes of the chain, whose origin is given, into `plain`. `None` if there is no such origin.
    pub(super) fn invert(&mut self, origin: u32, plain: &mut Vec<u8>) -> Option<()> {
        let length = self.length.min(self.chain.len());
        plain.clear();
        self.link(length);
        let first = *self.chain.get(..length)?.get(usize::try_from(origin).ok()?)? >> 8;
        let mut pieces = self.cut(first, length);
        self.follow(&mut pieces, length);
        plain.reserve(length);
        let mut start = first;
        while plain.len() < length {
            let index = pieces.binary_search_by_key(&start, |piece| piece.start).ok()?;
            let piece = pieces.get(index)?;
            let bytes = self.lanes.get(piece.lane)?.get(piece.from..piece.until)?;
            let count = bytes.len().min(length - plain.len());
            (count > 0).then_some(())?;
            plain.extend_from_slice(bytes.get(..count)?);
            start = piece.next;
        }
        Some(())
    }

    /// Tells for each byte where the next one stands.
    fn link(&mut self, length: usize) {
        let mut starts = [0_u32; 256];
        let mut sum = 0_u32;
        for (start, count) in starts.iter_mut().zip(self.counts) {
            *start = sum;
            sum = sum.wrapping_add(count);
        }
        for at in 0..length {
            let byte = self.chain.get(at).map_or(0, |entry| entry.to_le_bytes()[0]);
            let Some(start) = starts.get_mut(usize::from(byte)) else { continue };
            if let Some(entry) = self.chain.get_mut(*start as usize) {
                *entry |= u32::try_from(at).unwrap_or(0) << 8;
            }
            *start = start.wrapping_add(1);
        }
    }

    /// Marks where pieces begin, and lists them in their order.
    fn cut(&mut self, first: u32, length: usize) -> Vec<Piece> {
        let count = (length / PIECE).clamp(1, MOST_STARTS);
        let places = (0..count).filter_map(|index| u32::try_from(index * (length / count)).ok());
        let mut starts: Vec<u32> = std::iter::once(first).chain(places.skip(1)).collect();
        starts.sort_unstable();
        starts.dedup();
        for start in &starts {
            if let Some(entry) = self.chain.get_mut(*start as usize) {
                *entry |= START;
            }
        }
        starts.into_iter().map(|start| Piece { start, ..Piece::default() }).collect()
    }

    /// Goes through all pieces.
    fn follow(&mut self, pieces: &mut [Piece], length: usize) {
        // Half as much again as each gets if they get the same.
        let first = length / LANES * 3 / 2 + PIECE;
        for lane in &mut self.lanes {
            if lane.len() < first {
                *lane = vec![0; first];
            }
        }
        let mut lanes = [Lane::default(); LANES];
        let mut next = 0;
        for (number, lane) in lanes.iter_mut().enumerate() {
            self.begin(number, lane, pieces, &mut next);
        }
        if next >= LANES {
            while self.all_lanes(&mut lanes, pieces, &mut next) {}
        }
        // The last pieces one by one.
        for (number, lane) in lanes.iter_mut().enumerate() {
            while lane.piece < pieces.len() {
                if !self.one_lane(number, lane) && self.lengthen(number, lane.filled) {
                    continue;
                }
                finish(number, lane, pieces);
                lane.piece = usize::MAX;
            }
        }
    }

    /// Begins the next piece in a lane; if there is none left, the lane is over.
    fn begin(&mut self, number: usize, lane: &mut Lane, pieces: &mut [Piece], next: &mut usize) {
        let Some(piece) = pieces.get_mut(*next) else {
            lane.piece = usize::MAX;
            return;
        };
        (piece.lane, piece.from) = (number, lane.filled);
        (lane.piece, lane.at) = (*next, piece.start);
        *next += 1;
        self.step(number, lane);
    }

    /// Takes the byte at hand and goes on.
    fn step(&mut self, number: usize, lane: &mut Lane) {
        let entry = self.chain.get(lane.at as usize).copied().unwrap_or(0);
        self.lengthen(number, lane.filled);
        if let Some(place) = self.lanes.get_mut(number).and_then(|bytes| bytes.get_mut(lane.filled)) {
            *place = entry.to_le_bytes()[0];
        }
        lane.filled += 1;
        lane.at = entry >> 8 & INDEX;
    }

    /// Makes room in a lane for the byte behind the first `filled` ones. False if that cannot be: no lane gets more than all bytes.
    fn lengthen(&mut self, number: usize, filled: usize) -> bool {
        let most = self.chain.len();
        let Some(bytes) = self.lanes.get_mut(number) else { return false };
        if bytes.len() <= filled && filled < most {
            bytes.resize(filled.saturating_mul(2).clamp(PIECE.min(most), most), 0);
        }
        filled < bytes.len()
    }

    /// Goes on in all lanes until pieces end or a lane is full, and begins others in their places. False if there are none left.
    fn all_lanes(&mut self, lanes: &mut [Lane; LANES], pieces: &mut [Piece], next: &mut usize) -> bool {
        self.run(lanes);
        let mut goes_on = false;
        for (number, lane) in lanes.iter_mut().enumerate() {
            if self.lanes.get(number).is_some_and(|bytes| bytes.len() <= lane.filled) {
                goes_on |= self.lengthen(number, lane.filled);
            }
            if self.chain.get(lane.at as usize).is_some_and(|entry| entry & START != 0) {
                finish(number, lane, pieces);
                if *next >= pieces.len() {
                    lane.piece = usize::MAX;
                    return false;
                }
                self.begin(number, lane, pieces, next);
                goes_on = true;
            }
        }
        goes_on
    }

    /// Goes on in all lanes until one meets a start, or is full.
    fn run(&mut self, lanes: &mut [Lane; LANES]) {
        let chain = &self.chain[..];
        let mut at = lanes.map(|lane| lane.at);
        let mut outputs = self.lanes.each_mut().map(|bytes| &mut bytes[..]);
        for (output, lane) in outputs.iter_mut().zip(lanes.iter()) {
            *output = std::mem::take(output).get_mut(lane.filled..).unwrap_or_default();
        }
        let room = outputs.iter().map(|output| output.len()).min().unwrap_or(0);
        let mut count = 0_usize;
        while count < room {
            let entries = at.map(|at| chain.get(at as usize).copied().unwrap_or(START));
            if entries.iter().fold(0, |all, entry| all | entry) & START != 0 {
                break;
            }
            for (output, entry) in outputs.iter_mut().zip(entries) {
                if let Some(place) = output.get_mut(count) {
                    *place = (entry & 0xff) as u8;
                }
            }
            at = entries.map(|entry| entry >> 8);
            count = count.wrapping_add(1);
        }
        for (lane, at) in lanes.iter_mut().zip(at) {
            lane.at = at;
            lane.filled = lane.filled.wrapping_add(count);
        }
    }

    /// Goes on in one lane until its piece ends. False if it does not, because the lane is full.
    fn one_lane(&mut self, number: usize, lane: &mut Lane) -> bool {
        let Some(output) = self.lanes.get_mut(number) else { return true };
        let (mut at, mut filled) = (lane.at, lane.filled);
        while let (Some(entry), Some(place)) = (self.chain.get(at as usize), output.get_mut(filled)) {
            if entry & START != 0 {
                break;
            }
            *place = (entry & 0xff) as u8;
            at = entry >> 8;
            filled = filled.wrapping_add(1);
        }
        (lane.at, lane.filled) = (at, filled);
        filled < output.len()
    }
}

/// A piece ended where another starts.
fn finish(number: usize, lane: &Lane, pieces: &mut [Piece]) {
    if let Some(piece) = pieces.get_mut(lane.piece).filter(|piece| piece.lane == number) {
        (piece.until, piece.next) = (lane.filled, lane.at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sorts all rotations of `plain`: their last bytes, and where the unrotated one is.
    fn sorted(plain: &[u8]) -> (Vec<u8>, u32) {
        let twice = [plain, plain].concat();
        let mut rotations: Vec<usize> = (0..plain.len()).collect();
        rotations.sort_by_key(|at| &twice[*at..at + plain.len()]);
        let last = rotations.iter().map(|at| twice[at + plain.len() - 1]).collect();
        (last, u32::try_from(rotations.iter().position(|at| *at == 0).unwrap()).unwrap())
    }

    #[test]
    fn what_was_sorted_comes_back() {
        let mut number: u64 = 3;
        let mut random = move || {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            u8::try_from(number >> 61).unwrap()
        };
        let (mut transform, mut got) = (Transform::new(), Vec::new());
        for length in [1, 2, 3, 255, 256, 511, 512, 513, 2047, 2500, 4000, 10_000] {
            for plain in [(0..length).map(|_| random()).collect::<Vec<u8>>(), b"badger ".repeat(length / 7 + 1)] {
                let (last, origin) = sorted(&plain);
                transform.counts = [0; 256];
                last.iter().for_each(|byte| transform.counts[usize::from(*byte)] += 1);
                transform.length = last.len();
                transform.chain = last.into_iter().map(u32::from).chain([7; 10]).collect();
                transform.invert(origin, &mut got).unwrap();
                assert!(got == plain, "{length}");
            }
        }
    }
}
