//! MD5 (RFC 1321): as fast as one stream of it can be ([`Md5`]), and of several objects at once ([`digest_all`]).
//!
//! Signatures by MD5 are of so many sizes that most objects are digested, and MD5 cannot be hurried by doing more at
//! once: each of its 64 steps a block waits for the one before. What can be had is a shorter step.
//!
//! ```text
//! usual    mix(b, c, d) + a + word + key   turned left   + b            five or six operations in a row
//! here     late(b, c, d) + early(a, word, key, c, d)   turned left   + b    four or five
//! ```
//!
//! *Late* is what needs `b`, which the step before has just made; all else is added up *early*, while that step is still under way. In the
//! second round the two halves of the mixture share no bit, so that they can be added instead of joined: one of
//! them is early. The keys are hidden from the compiler, which would else add them last, as it does with constants.
//! On an EPYC of 3.6 GHz: 0.81 GB/s, where the crate `md-5` 0.11 does 0.61. With AVX-512 (three inputs mixed by one instruction)
//! 0.73, since its instructions take longer one by one.
//!
//! Most objects that need MD5 need SHA-256 too, which has instructions of its own (1.8 GB/s). Both in turns, a block each or some, take
//! as long as one after the other (0.19 s to 0.20 s for 105 MB, one pass each 0.19 s): a block of MD5 fills the processor's window
//! with steps that wait, so that nothing behind them begins. That would need the steps of both in one loop.
//!
//! Several objects are another matter: their steps do not wait for each other. [`digest_all`] takes up to sixteen side by side, a lane
//! of a vector register for each (`arch`: one register with AVX-512, two with AVX2, four with NEON), longest first; when one ends, the next takes its lane. What is left alone at the end goes on as
//! one stream. A step takes about as long as one of a single stream, so what is gained is how many lanes are in use: most for many
//! objects of one length.
//!
//! The tests compare it with that crate.

use crate::arch;
use std::hint::black_box;

/// Bytes of a block.
pub(crate) const BLOCK: usize = 64;
/// Streams that are digested side by side.
pub(crate) const LANES: usize = 16;

/// The four words of the states of sixteen streams.
pub(crate) type States = [[u32; LANES]; 4];

/// What a stream begins with (RFC 1321, 3.3).
const START: [u32; 4] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476];

/// The digest of the bytes taken so far.
#[derive(Clone, Debug)]
pub struct Md5 {
    state: [u32; 4],
    /// How many bytes were taken.
    length: u64,
    /// Those of a block that is not whole yet.
    rest: [u8; BLOCK],
}

impl Default for Md5 {
    fn default() -> Md5 {
        Md5::new()
    }
}

impl Md5 {
    /// Of no bytes (RFC 1321, 3.3).
    #[must_use]
    pub fn new() -> Md5 {
        Md5 { state: START, length: 0, rest: [0; BLOCK] }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        let filled = self.filled();
        self.length = self.length.wrapping_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if filled > 0 {
            let room = self.rest.get_mut(filled..).unwrap_or_default();
            let (first, rest) = bytes.split_at(room.len().min(bytes.len()));
            let is_whole = first.len() == room.len();
            room.iter_mut().zip(first).for_each(|(to, from)| *to = *from);
            if !is_whole {
                return;
            }
            compress(&mut self.state, &[self.rest]);
            bytes = rest;
        }
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        compress(&mut self.state, blocks);
        self.rest.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    }

    /// The digest (RFC 1321, 3.1, 3.2 and 3.5).
    #[must_use]
    pub fn finish(mut self) -> [u8; 16] {
        let bits = self.length.wrapping_mul(8).to_le_bytes();
        let zeros = (2 * BLOCK - 9 - self.filled()) % BLOCK;
        let padding = [0x80].into_iter().chain(std::iter::repeat_n(0, zeros)).chain(bits);
        self.update(&padding.collect::<Vec<u8>>());
        bytes_of(self.state)
    }

    /// How many bytes wait for their block to be whole.
    fn filled(&self) -> usize {
        usize::try_from(self.length % 64).unwrap_or(0)
    }
}

fn bytes_of(state: [u32; 4]) -> [u8; 16] {
    let mut digest = [0; 16];
    let words = state.iter().flat_map(|word| word.to_le_bytes());
    digest.iter_mut().zip(words).for_each(|(to, from)| *to = from);
    digest
}

/// The digests of these objects, in their order. Faster than one after another where there are several, best of about one length.
#[must_use]
pub fn digest_all(objects: &[&[u8]]) -> Vec<[u8; 16]> {
    digest_by(arch::Way::best(), objects)
}

fn digest_by(way: arch::Way, objects: &[&[u8]]) -> Vec<[u8; 16]> {
    let mut digests = vec![[0; 16]; objects.len()];
    let mut waiting = objects.iter().enumerate().map(|(number, bytes)| Stream::new(number, bytes)).collect::<Vec<_>>();
    // The longest is taken first, from the end.
    waiting.sort_by_key(|stream| stream.body.len());
    let mut states: States = START.map(|word| [word; LANES]);
    let mut lanes: [Option<Stream<'_>>; LANES] = std::array::from_fn(|_| waiting.pop());
    loop {
        let active = lanes.iter().flatten().count();
        let Some(first) = lanes.iter().flatten().next() else { return digests };
        // Lanes without a stream do over what another does.
        let blocks = lanes.each_ref().map(|lane| lane.as_ref().unwrap_or(first).blocks());
        let count = blocks.iter().map(|blocks| blocks.len()).min().unwrap_or(0);
        let blocks = blocks.map(|blocks| blocks.get(..count).unwrap_or_default());
        if active >= arch::fewest_streams(way) {
            arch::digest(way, &mut states, blocks);
        } else {
            let busy = lanes.iter().zip(blocks).enumerate().filter(|(_, (lane, _))| lane.is_some());
            busy.for_each(|(at, (_, blocks))| digest_lane(&mut states, at, blocks));
        }
        for (at, lane) in lanes.iter_mut().enumerate() {
            let Some(stream) = lane else { continue };
            stream.done += count;
            if stream.blocks().is_empty() {
                let state = states.each_ref().map(|lanes| lanes.get(at).copied().unwrap_or(0));
                digests.get_mut(stream.number).into_iter().for_each(|digest| *digest = bytes_of(state));
                *lane = waiting.pop();
                for (lanes, start) in states.iter_mut().zip(START) {
                    lanes.get_mut(at).into_iter().for_each(|word| *word = start);
                }
            }
        }
    }
}

/// An object on its way.
struct Stream<'a> {
    number: usize,
    /// Its whole blocks.
    body: &'a [[u8; BLOCK]],
    /// What follows them, with what RFC 1321, 3.1 and 3.2 add: one block or two.
    tail: Vec<[u8; BLOCK]>,
    /// Blocks that were taken.
    done: usize,
}

impl<'a> Stream<'a> {
    fn new(number: usize, bytes: &'a [u8]) -> Stream<'a> {
        let (body, rest) = bytes.as_chunks::<BLOCK>();
        let mut tail = vec![[0; BLOCK]; if rest.len() + 9 > BLOCK { 2 } else { 1 }];
        let places = tail.as_flattened_mut();
        places.iter_mut().zip(rest.iter().chain(&[0x80])).for_each(|(to, from)| *to = *from);
        let bits = u64::try_from(bytes.len()).unwrap_or(u64::MAX).wrapping_mul(8);
        places.iter_mut().rev().zip(bits.to_be_bytes()).for_each(|(to, from)| *to = from);
        Stream { number, body, tail, done: 0 }
    }

    /// The next blocks that lie in one piece; none at the end.
    fn blocks(&self) -> &[[u8; BLOCK]] {
        match self.body.get(self.done..) {
            Some(rest) if !rest.is_empty() => rest,
            _ => self.tail.get(self.done.saturating_sub(self.body.len())..).unwrap_or_default(),
        }
    }
}

/// Takes blocks of one stream.
fn digest_lane(states: &mut States, at: usize, blocks: &[[u8; BLOCK]]) {
    let mut state = states.each_ref().map(|lanes| lanes.get(at).copied().unwrap_or(0));
    compress(&mut state, blocks);
    for (lanes, word) in states.iter_mut().zip(state) {
        lanes.get_mut(at).into_iter().for_each(|place| *place = word);
    }
}

/// The mixtures of the four rounds (RFC 1321, 3.4): what can be known of them early, and what needs the word `b` of the
/// step before. Both are added.
fn first(b: u32, c: u32, d: u32) -> [u32; 2] {
    [0, d ^ (b & (c ^ d))]
}

fn second(b: u32, c: u32, d: u32) -> [u32; 2] {
    [c & !d, b & d]
}

fn third(b: u32, c: u32, d: u32) -> [u32; 2] {
    [0, b ^ (c ^ d)]
}

fn fourth(b: u32, c: u32, d: u32) -> [u32; 2] {
    [0, c ^ (b | !d)]
}

/// Four steps of a round, from step `at` on, and so on to its end.
macro_rules! round {
    ($mix:ident, $at:expr, ($times:expr, $plus:expr), $turns:expr, $state:ident, $words:ident, $keys:ident) => {
        round!($mix, $at, $times, $plus, $turns, $state, $words, $keys, 0 4 8 12)
    };
    ($mix:ident, $at:expr, $times:expr, $plus:expr, $turns:expr, $state:ident, $words:ident, $keys:ident, $($four:literal)*) => {$(
        let [a, b, c, d] = $state;
        let a = step(a, b, $mix(b, c, d), $words[($times * $four + $plus) % 16], $keys[$at + $four], $turns[0]);
        let d = step(d, a, $mix(a, b, c), $words[($times * ($four + 1) + $plus) % 16], $keys[$at + $four + 1], $turns[1]);
        let c = step(c, d, $mix(d, a, b), $words[($times * ($four + 2) + $plus) % 16], $keys[$at + $four + 2], $turns[2]);
        let b = step(b, c, $mix(c, d, a), $words[($times * ($four + 3) + $plus) % 16], $keys[$at + $four + 3], $turns[3]);
        $state = [a, b, c, d];
    )*};
}

/// Takes whole blocks.
fn compress(state: &mut [u32; 4], blocks: &[[u8; BLOCK]]) {
    let keys: &[u32; 64] = black_box(&KEYS);
    for block in blocks {
        let mut words = [0; 16];
        words.iter_mut().zip(block.as_chunks::<4>().0).for_each(|(to, from)| *to = u32::from_le_bytes(*from));
        let mut new = *state;
        round!(first, 0, (1, 0), [7, 12, 17, 22], new, words, keys);
        round!(second, 16, (5, 1), [5, 9, 14, 20], new, words, keys);
        round!(third, 32, (3, 5), [4, 11, 16, 23], new, words, keys);
        round!(fourth, 48, (7, 0), [6, 10, 15, 21], new, words, keys);
        state.iter_mut().zip(new).for_each(|(to, more)| *to = to.wrapping_add(more));
    }
}

/// One step: the new value of `a`.
#[inline(always)]
fn step(a: u32, b: u32, [early, late]: [u32; 2], word: u32, key: u32, turn: u32) -> u32 {
    let early = a.wrapping_add(word).wrapping_add(key).wrapping_add(early);
    late.wrapping_add(early).rotate_left(turn).wrapping_add(b)
}

/// The whole part of 2^32 times the sine of each number from 1 on, without its sign (RFC 1321, 3.4).
pub(crate) static KEYS: [u32; 64] = [
    0xD76A_A478,
    0xE8C7_B756,
    0x2420_70DB,
    0xC1BD_CEEE,
    0xF57C_0FAF,
    0x4787_C62A,
    0xA830_4613,
    0xFD46_9501,
    0x6980_98D8,
    0x8B44_F7AF,
    0xFFFF_5BB1,
    0x895C_D7BE,
    0x6B90_1122,
    0xFD98_7193,
    0xA679_438E,
    0x49B4_0821,
    0xF61E_2562,
    0xC040_B340,
    0x265E_5A51,
    0xE9B6_C7AA,
    0xD62F_105D,
    0x0244_1453,
    0xD8A1_E681,
    0xE7D3_FBC8,
    0x21E1_CDE6,
    0xC337_07D6,
    0xF4D5_0D87,
    0x455A_14ED,
    0xA9E3_E905,
    0xFCEF_A3F8,
    0x676F_02D9,
    0x8D2A_4C8A,
    0xFFFA_3942,
    0x8771_F681,
    0x6D9D_6122,
    0xFDE5_380C,
    0xA4BE_EA44,
    0x4BDE_CFA9,
    0xF6BB_4B60,
    0xBEBF_BC70,
    0x289B_7EC6,
    0xEAA1_27FA,
    0xD4EF_3085,
    0x0488_1D05,
    0xD9D4_D039,
    0xE6DB_99E5,
    0x1FA2_7CF8,
    0xC4AC_5665,
    0xF429_2244,
    0x432A_FF97,
    0xAB94_23A7,
    0xFC93_A039,
    0x655B_59C3,
    0x8F0C_CC92,
    0xFFEF_F47D,
    0x8584_5DD1,
    0x6FA8_7E4F,
    0xFE2C_E6E0,
    0xA301_4314,
    0x4E08_11A1,
    0xF753_7E82,
    0xBD3A_F235,
    0x2AD7_D2BB,
    0xEB86_D391,
];

#[cfg(test)]
mod tests {
    use super::*;
    use ::md5::Digest;

    #[test]
    fn keys_are_sines() {
        for (number, key) in (1_u32..).zip(KEYS) {
            assert_eq!(f64::from(key), (f64::from(number).sin().abs() * 4_294_967_296.0).floor());
        }
    }

    #[test]
    fn every_length_gives_what_the_reference_does() {
        let bytes: Vec<u8> = (0..400_u32).map(|at| ((at * at) >> 3).to_le_bytes()[0]).collect();
        for length in 0..bytes.len() {
            let mut digest = Md5::new();
            digest.update(&bytes[..length]);
            assert_eq!(digest.finish(), <[u8; 16]>::from(::md5::Md5::digest(&bytes[..length])), "{length}");
        }
    }

    #[test]
    fn many_at_once_give_what_each_gives_alone() {
        let bytes: Vec<u8> = (0..70_000_u32).map(|at| (at.wrapping_mul(at) >> 5).to_le_bytes()[0]).collect();
        let each_length = (0..2_200).collect::<Vec<usize>>();
        let uneven = (0..50_usize).map(|number| number.pow(3) % 60_000).collect::<Vec<_>>();
        for lengths in [vec![], vec![5], vec![70_000, 3], vec![64; 40], each_length, uneven] {
            let objects = lengths.iter().map(|length| &bytes[bytes.len() - length..]).collect::<Vec<_>>();
            let expected = objects.iter().map(|object| <[u8; 16]>::from(::md5::Md5::digest(object)));
            let expected = expected.collect::<Vec<_>>();
            for way in arch::Way::all() {
                assert!(digest_by(way, &objects) == expected, "{way:?}, {} objects", objects.len());
            }
            assert!(digest_all(&objects) == expected);
        }
    }

    #[test]
    fn pieces_make_no_difference() {
        let bytes: Vec<u8> = (0..5000_u32).map(|at| ((at * 7) >> 2).to_le_bytes()[0]).collect();
        let whole = <[u8; 16]>::from(::md5::Md5::digest(&bytes));
        for piece in [1, 3, 63, 64, 65, 127, 128, 1000, 4999] {
            let mut digest = Md5::new();
            bytes.chunks(piece).for_each(|piece| digest.update(piece));
            assert_eq!(digest.finish(), whole, "{piece}");
        }
    }
}
