//! The numbers that hide a compiled script: a stream of bytes that is added to the data by exclusive or.
//!
//! EA05 takes the bytes of a Mersenne Twister (Matsumoto and Nishimura 1998, MT19937), each a number without its lowest bit;
//! EA06 those of a lagged generator of 17 words (Mother of all, after G. Marsaglia), of which every second one counts.

use std::io::{self, Read};

/// What is different between the forms: the keys of each part of a header.
#[derive(Clone, Copy)]
pub(super) struct Form {
    /// Names are in UTF-16, and the generator is the lagged one.
    pub(super) unicode: bool,
    /// Key of the sign before each file.
    pub(super) sign: u32,
    /// Keys of the length of the kind, and of the kind.
    pub(super) kind: (u32, u32),
    /// The same for the name.
    pub(super) name: (u32, u32),
    /// Key of sizes.
    pub(super) size: u32,
    /// Key of data.
    pub(super) content: u32,
}

impl Form {
    /// AutoIt to 3.2.5; `key` is the sum of the bytes behind the magic.
    pub(super) fn ea05(key: u32) -> Form {
        let (kind, name) = ((0x29BC, 0xA25E), (0x29AC, 0xF25E));
        Form { unicode: false, sign: 0x16FA, kind, name, size: 0x45AA, content: key.wrapping_add(0x22AF) }
    }

    /// AutoIt from 3.2.6 on.
    pub(super) fn ea06() -> Form {
        let (kind, name) = ((0xADBC, 0xB33F), (0xF820, 0xF479));
        Form { unicode: true, sign: 0x18EE, kind, name, size: 0x87BC, content: 0x2477 }
    }

    /// The bytes that hide what has this key.
    pub(super) fn stream(self, key: u32) -> Stream {
        if self.unicode { Stream::Lagged(Lagged::new(key)) } else { Stream::Twister(Box::new(Twister::new(key))) }
    }

    /// Some bytes in plain.
    pub(super) fn decrypt(self, mut bytes: Vec<u8>, key: u32) -> Vec<u8> {
        self.stream(key).apply(&mut bytes);
        bytes
    }
}

/// A generator at work.
pub(super) enum Stream {
    Lagged(Lagged),
    Twister(Box<Twister>),
}

impl Stream {
    pub(super) fn apply(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte ^= match self {
                Stream::Lagged(lagged) => lagged.next_byte(),
                Stream::Twister(twister) => twister.next_byte(),
            };
        }
    }
}

/// Hidden bytes, read in plain.
pub(super) struct Plain<R> {
    input: R,
    stream: Stream,
}

impl<R> Plain<R> {
    pub(super) fn new(input: R, stream: Stream) -> Plain<R> {
        Plain { input, stream }
    }
}

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.input.read(buffer)?;
        self.stream.apply(buffer.get_mut(..got).unwrap_or_default());
        Ok(got)
    }
}

/// Words of the lagged generator.
const LAG: usize = 17;

/// The generator of EA06.
pub(super) struct Lagged {
    words: [u32; LAG],
    /// Two places, seven words from each other, that move down.
    at: (usize, usize),
}

impl Lagged {
    fn new(seed: u32) -> Lagged {
        let mut lagged = Lagged { words: [0; LAG], at: (0, 10) };
        let mut word = seed;
        for place in &mut lagged.words {
            word = 1_u32.wrapping_sub(word.wrapping_mul(0x53A9_B4FB));
            *place = word;
        }
        for _ in 0..9 {
            lagged.next_word();
        }
        lagged
    }

    fn next_word(&mut self) -> u32 {
        let word = |place: usize| self.words.get(place).copied().unwrap_or(0);
        let sum = word(self.at.0).rotate_left(9).wrapping_add(word(self.at.1).rotate_left(13));
        if let Some(place) = self.words.get_mut(self.at.0) {
            *place = sum;
        }
        let down = |at: usize| at.checked_sub(1).unwrap_or(LAG - 1);
        self.at = (down(self.at.0), down(self.at.1));
        sum
    }

    /// The highest eight bits of every second word.
    fn next_byte(&mut self) -> u8 {
        self.next_word();
        let [high, ..] = self.next_word().to_be_bytes();
        high
    }
}

/// Words of the Mersenne Twister, and the distance of the words that it mixes.
const WORDS: usize = 624;
const DISTANCE: usize = 397;

/// The generator of EA05.
pub(super) struct Twister {
    words: [u32; WORDS],
    at: usize,
}

impl Twister {
    fn new(seed: u32) -> Twister {
        let mut words = [0; WORDS];
        let mut word = seed;
        for (number, place) in (0_u32..).zip(&mut words) {
            if number > 0 {
                word = number.wrapping_add(0x6C07_8965_u32.wrapping_mul(word ^ word >> 30));
            }
            *place = word;
        }
        Twister { words, at: WORDS }
    }

    fn twist(&mut self) {
        let word = |words: &[u32; WORDS], place: usize| words.get(place % WORDS).copied().unwrap_or(0);
        for place in 0..WORDS {
            let mixed = word(&self.words, place) & 0x8000_0000 | word(&self.words, place + 1) & 0x7FFF_FFFF;
            let odd = if mixed & 1 == 1 { 0x9908_B0DF } else { 0 };
            let new = word(&self.words, place + DISTANCE) ^ mixed >> 1 ^ odd;
            if let Some(place) = self.words.get_mut(place) {
                *place = new;
            }
        }
        self.at = 0;
    }

    fn next_word(&mut self) -> u32 {
        if self.at >= WORDS {
            self.twist();
        }
        let mut word = self.words.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        word ^= word >> 11;
        word ^= word << 7 & 0x9D2C_5680;
        word ^= word << 15 & 0xEFC6_0000;
        word ^ word >> 18
    }

    /// The lowest eight bits but one.
    fn next_byte(&mut self) -> u8 {
        let [low, ..] = (self.next_word() >> 1).to_le_bytes();
        low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_twister_gives_the_numbers_of_its_authors() {
        let mut twister = Twister::new(5489);
        assert_eq!([twister.next_word(), twister.next_word()], [3_499_211_612, 581_869_302]);
        for _ in 2..9_999 {
            twister.next_word();
        }
        assert_eq!(twister.next_word(), 4_123_659_995);
    }

    #[test]
    fn streams_go_on_where_they_stopped() {
        for form in [Form::ea05(7), Form::ea06()] {
            let whole = form.decrypt(vec![0; 3000], 99);
            let mut pieces = Vec::new();
            let _ = Plain::new(&vec![0; 3000][..], form.stream(99)).read_to_end(&mut pieces);
            assert!(whole == pieces);
        }
    }
}
