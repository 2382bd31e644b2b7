//! LZFSE and LZVN (Apple, "lzfse" reference implementation, lzfse_internal.h and lzvn_decode_base.c as documentation).
//!
//! ```text
//! stream: blocks, each with a magic: "bvx-" plain, "bvxn" LZVN, "bvx2" LZFSE, "bvx1" LZFSE with plain tables, "bvx$" the end
//! bvx2:   magic, plain bytes (u32), three packed numbers (u64): counts, states, sizes; tables of frequencies; literals; matches
//! ```
//!
//! Literals and matches are two streams of finite state entropy codes that are read from their end. A match is a number of
//! literals, a length and a distance; a distance of zero repeats the last.

use dachs_base::Reader;

use super::output::{Input, Output};

/// Literals of a block, and matches.
const MOST_LITERALS: usize = 40_000;
const MOST_MATCHES: usize = 10_000;

/// Decodes a stream of at most `most` plain bytes; `None` if it is broken.
pub(crate) fn decode(input: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut reader = Reader::new(input, "LZFSE stream");
    let mut output = Output::new(most);
    while !output.is_full() {
        match &reader.array().ok()? {
            b"bvx-" => {
                let count = reader.u32_le().ok()?;
                output.extend(reader.take(count.into()).ok()?)?;
            }
            b"bvxn" => {
                reader.skip(4).ok()?;
                let count = reader.u32_le().ok()?;
                lzvn_into(reader.take(count.into()).ok()?, &mut output)?;
            }
            b"bvx2" => block(&mut reader, &mut output)?,
            b"bvx$" => break,
            _ => return None,
        }
    }
    Some(output.into_bytes())
}

/// Decodes LZVN without a frame.
pub(crate) fn lzvn(input: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut output = Output::new(most);
    lzvn_into(input, &mut output)?;
    Some(output.into_bytes())
}

fn lzvn_into(input: &[u8], output: &mut Output) -> Option<()> {
    let mut input = Input::new(input);
    let mut distance = 0;
    while !output.is_full() {
        let code = input.byte()?;
        let (literals, length) = match code {
            0x06 => return Some(()),
            0x0e | 0x16 => continue,
            0x1e | 0x26 | 0x2e | 0x36 | 0x3e | 0x70..=0x7f | 0xd0..=0xdf => return None,
            0xa0..=0xbf => {
                let word = input.word()?;
                distance = word >> 2;
                (code >> 3 & 3, ((code & 7) << 2 | word & 3) + 3)
            }
            0xe0 => (input.byte()? + 16, 0),
            0xe1..=0xef => (code & 15, 0),
            0xf0 => (0, input.byte()? + 16),
            0xf1..=0xff => (0, code & 15),
            _ => {
                match code & 7 {
                    6 => {}
                    7 => distance = input.word()?,
                    high => distance = high << 8 | input.byte()?,
                }
                (code >> 6, (code >> 3 & 7) + 3)
            }
        };
        output.extend(input.take(literals)?)?;
        if length > 0 {
            output.repeat(distance, length)?;
        }
    }
    Some(())
}

/// The header of a block of version 2.
struct Header {
    literals: usize,
    literal_bytes: usize,
    literal_bits: i64,
    literal_states: [usize; 4],
    matches: usize,
    match_bytes: usize,
    match_bits: i64,
    /// States of the three parts of a match.
    states: [usize; 3],
    /// Bytes of the header, with its tables.
    size: u64,
}

/// Bits of a packed number.
fn field(number: u64, at: u32, count: u32) -> usize {
    usize::try_from(number >> at & ((1 << count) - 1)).unwrap_or(0)
}

impl Header {
    fn read(reader: &mut Reader<'_>) -> Option<Header> {
        reader.skip(4).ok()?;
        let (a, b, c) = (reader.u64_le().ok()?, reader.u64_le().ok()?, reader.u64_le().ok()?);
        let header = Header {
            literals: field(a, 0, 20),
            literal_bytes: field(a, 20, 20),
            literal_bits: i64::try_from(field(a, 60, 3)).ok()? - 7,
            literal_states: [field(b, 0, 10), field(b, 10, 10), field(b, 20, 10), field(b, 30, 10)],
            matches: field(a, 40, 20),
            match_bytes: field(b, 40, 20),
            match_bits: i64::try_from(field(b, 60, 3)).ok()? - 7,
            states: [field(c, 32, 10), field(c, 42, 10), field(c, 52, 10)],
            size: c & 0xffff_ffff,
        };
        (header.literals <= MOST_LITERALS && header.matches <= MOST_MATCHES).then_some(header)
    }
}

fn block(reader: &mut Reader<'_>, output: &mut Output) -> Option<()> {
    let header = Header::read(reader)?;
    let frequencies = frequencies(reader.take(header.size.checked_sub(32)?).ok()?)?;
    let (lengths, rest) = frequencies.split_at_checked(20)?;
    let (matches, rest) = rest.split_at_checked(20)?;
    let (distances, literals) = rest.split_at_checked(64)?;
    let literals = all_literals(&header, &table(literals, 1024)?, reader)?;
    let mut literals = Input::new(&literals);
    let tables = [table(lengths, 64)?, table(matches, 64)?, table(distances, 256)?];
    let payload = reader.take(u64::try_from(header.match_bytes).ok()?).ok()?;
    let mut bits = Bits::new(payload, header.match_bits)?;
    let mut states = header.states;
    let mut distance = 0;
    for _ in 0..header.matches {
        let mut numbers = [0; 3];
        for (((number, state), table), shape) in
            numbers.iter_mut().zip(&mut states).zip(&tables).zip([literal_shape, match_shape, distance_shape])
        {
            let (base, extra) = shape(step(table, state, &mut bits)?);
            *number = base + bits.take(extra)?;
        }
        let [count, length, new] = numbers;
        if new > 0 {
            distance = new;
        }
        output.extend(literals.take(count)?)?;
        if length > 0 {
            output.repeat(distance, length)?;
        }
    }
    Some(())
}

fn all_literals(header: &Header, table: &[State], reader: &mut Reader<'_>) -> Option<Vec<u8>> {
    let payload = reader.take(u64::try_from(header.literal_bytes).ok()?).ok()?;
    let mut bits = Bits::new(payload, header.literal_bits)?;
    let mut states = header.literal_states;
    let mut literals = Vec::with_capacity(header.literals);
    while literals.len() < header.literals {
        for state in &mut states {
            literals.push(u8::try_from(step(table, state, &mut bits)?).ok()?);
        }
    }
    Some(literals)
}

/// Frequencies of 20 counts of literals, 20 lengths, 64 distances and 256 literals, in codes of 2 to 14 bits.
fn frequencies(bytes: &[u8]) -> Option<Vec<u16>> {
    let mut frequencies = vec![0; 20 + 20 + 64 + 256];
    if bytes.is_empty() {
        return Some(frequencies);
    }
    let mut at = 0;
    for frequency in &mut frequencies {
        let bits = window(bytes, at);
        let (value, length) = match bits & 31 {
            0 | 4 | 8 | 12 | 16 | 20 | 24 | 28 => (0, 2),
            2 | 6 | 10 | 14 | 18 | 22 | 26 | 30 => (1, 2),
            1 | 9 | 17 | 25 => (2, 3),
            5 | 13 | 21 | 29 => (3, 3),
            3 | 11 | 19 | 27 => (4 + (bits >> 3 & 3), 5),
            7 | 23 => (8 + (bits >> 4 & 15), 8),
            _ => (24 + (bits >> 4 & 1023), 14),
        };
        *frequency = u16::try_from(value).ok()?;
        at += length;
    }
    (at <= bytes.len() * 8).then_some(frequencies)
}

/// At least 17 bits from a place on, the first of them lowest; zeros behind the end.
fn window(bytes: &[u8], at: usize) -> u64 {
    let byte = |index: usize| u64::from(bytes.get(at / 8 + index).copied().unwrap_or(0));
    (byte(0) | byte(1) << 8 | byte(2) << 16 | byte(3) << 24) >> (at % 8)
}

/// A state of a decoder: what it stands for, and where it leads.
#[derive(Clone, Copy)]
struct State {
    symbol: usize,
    bits: u32,
    delta: usize,
}

fn table(frequencies: &[u16], states: usize) -> Option<Vec<State>> {
    let mut table = Vec::with_capacity(states);
    for (symbol, frequency) in frequencies.iter().map(|frequency| usize::from(*frequency)).enumerate() {
        if frequency == 0 {
            continue;
        }
        if table.len() + frequency > states {
            return None;
        }
        let bits = states.ilog2() - frequency.ilog2();
        let wide = ((2 * states) >> bits).checked_sub(frequency)?;
        for index in 0..frequency {
            table.push(match index.checked_sub(wide) {
                None => State { symbol, bits, delta: ((frequency + index) << bits).checked_sub(states)? },
                Some(rest) => State { symbol, bits: bits.checked_sub(1)?, delta: rest << (bits - 1) },
            });
        }
    }
    Some(table)
}

fn step(table: &[State], state: &mut usize, bits: &mut Bits<'_>) -> Option<usize> {
    let State { symbol, bits: count, delta } = *table.get(*state)?;
    *state = delta + bits.take(count)?;
    Some(symbol)
}

/// Bits that are read from the end.
struct Bits<'a> {
    bytes: &'a [u8],
    /// How many are left.
    left: usize,
}

impl<'a> Bits<'a> {
    /// `fewer` bits of the last byte, a number from -7 to 0, are not there.
    fn new(bytes: &'a [u8], fewer: i64) -> Option<Bits<'a>> {
        let fewer = usize::try_from(-fewer).ok()?;
        Some(Bits { bytes, left: (bytes.len() * 8).checked_sub(fewer)? })
    }

    /// Up to 17 bits.
    fn take(&mut self, count: u32) -> Option<usize> {
        self.left = self.left.checked_sub(usize::try_from(count).ok()?)?;
        usize::try_from(window(self.bytes, self.left) & ((1 << count) - 1)).ok()
    }
}

fn literal_shape(symbol: usize) -> (usize, u32) {
    match symbol {
        0..16 => (symbol, 0),
        16 => (16, 2),
        17 => (20, 3),
        18 => (28, 5),
        _ => (60, 8),
    }
}

fn match_shape(symbol: usize) -> (usize, u32) {
    match symbol {
        0..16 => (symbol, 0),
        16 => (16, 3),
        17 => (24, 5),
        18 => (56, 8),
        _ => (312, 11),
    }
}

/// Four symbols with no further bits, four with one, four with two, up to 15.
fn distance_shape(symbol: usize) -> (usize, u32) {
    let extra = symbol / 4;
    let base = 4 * ((1 << extra) - 1) + ((symbol % 4) << extra);
    (base, u32::try_from(extra).unwrap_or(0))
}
