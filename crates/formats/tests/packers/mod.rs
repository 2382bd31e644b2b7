//! Encoders for methods that no tool of Debian writes: Quantum, PKZIP's shrink and reduce, method 3 of KWAJ.
#![allow(dead_code, unreachable_pub, reason = "each test file uses another part")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::cast_possible_truncation, reason = "samples are small")]

pub mod quantum;

use std::collections::HashMap;

/// Bits, written to bytes.
#[derive(Default)]
pub struct Bits {
    pub bits: Vec<bool>,
}

impl Bits {
    /// A number, its lowest bit first.
    pub fn low(&mut self, number: usize, count: usize) {
        self.bits.extend((0..count).map(|bit| number >> bit & 1 == 1));
    }

    /// A number, its highest bit first.
    pub fn high(&mut self, number: usize, count: usize) {
        self.bits.extend((0..count).rev().map(|bit| number >> bit & 1 == 1));
    }

    pub fn bytes(&self, highest_first: bool) -> Vec<u8> {
        let place = |bit: usize| if highest_first { 7 - bit } else { bit };
        let byte = |bits: &[bool]| bits.iter().enumerate().map(|(bit, set)| u8::from(*set) << place(bit)).sum();
        self.bits.chunks(8).map(byte).collect()
    }
}

/// Something that LZ77 makes of plain bytes.
pub enum Item {
    Byte(u8),
    Match { distance: usize, length: usize },
}

/// Bytes and matches of `shortest` to `longest` bytes, none of which reaches across a multiple of `frame`.
pub fn items(plain: &[u8], window: usize, shortest: usize, longest: usize, frame: usize) -> Vec<Item> {
    let (mut items, mut seen, mut at) = (Vec::new(), HashMap::new(), 0);
    while at < plain.len() {
        let room = longest.min(plain.len() - at).min(frame - at % frame);
        let known = plain.get(at..at + shortest).and_then(|key| seen.get(key)).filter(|from| at - **from <= window);
        let length =
            known.map_or(0, |from| (0..room).take_while(|step| plain[from + step] == plain[at + step]).count());
        let step = match known {
            Some(from) if length >= shortest => {
                items.push(Item::Match { distance: at - from, length });
                length
            }
            _ => {
                items.push(Item::Byte(plain[at]));
                1
            }
        };
        for place in at..at + step {
            if let Some(key) = plain.get(place..place + shortest) {
                seen.insert(key, place);
            }
        }
        at += step;
    }
    items
}

/// Shrinks; the table is cleared in part whenever it is full and both the code before and the next are bytes.
pub fn shrink(plain: &[u8]) -> Vec<u8> {
    let mut bits = Bits::default();
    let mut codes: HashMap<(usize, u8), usize> = HashMap::new();
    // What the reader's table holds: it gives out codes for strings that it knows, too.
    let mut table: Vec<Option<(usize, u8)>> = vec![None; 8192];
    let (mut width, mut last, mut lowest, mut at) = (9, None::<usize>, 257, 0);
    while at < plain.len() {
        let (mut code, mut end) = (usize::from(plain[at]), at + 1);
        while let Some(longer) = plain.get(end).and_then(|byte| codes.get(&(code, *byte))) {
            (code, end) = (*longer, end + 1);
        }
        while code >= 1 << width {
            bits.low(256, width);
            bits.low(1, width);
            width += 1;
        }
        if lowest == table.len() && last.is_some_and(|last| last < 256) && code < 256 {
            bits.low(256, width);
            bits.low(2, width);
            let needed: std::collections::HashSet<usize> = table.iter().flatten().map(|(before, _)| *before).collect();
            for code in (257..table.len()).filter(|code| !needed.contains(code)) {
                table[code] = None;
            }
            codes.retain(|_, code| table[*code].is_some());
            lowest = 257;
        }
        bits.low(code, width);
        lowest = (lowest..table.len()).find(|code| table[*code].is_none()).unwrap_or(table.len());
        if let (Some(last), Some(place)) = (last, table.get_mut(lowest)) {
            *place = Some((last, plain[at]));
            codes.entry((last, plain[at])).or_insert(lowest);
        }
        (last, at) = (Some(code), end);
    }
    bits.bytes(false)
}

/// Reduces by a factor of 1 to 4.
pub fn reduce(plain: &[u8], factor: usize) -> Vec<u8> {
    let length_bits = 8 - factor;
    let longest = (1 << length_bits) - 1;
    let mut bytes = Vec::new();
    for item in items(plain, (1 << factor) * 256, 4, longest + 255 + 3, usize::MAX) {
        match item {
            Item::Byte(144) => bytes.extend([144, 0]),
            Item::Byte(byte) => bytes.push(byte),
            Item::Match { distance, length } => {
                let (far, count) = (distance - 1, length - 3);
                bytes.extend([144, ((far >> 8) << length_bits | count.min(longest)) as u8]);
                bytes.extend((count >= longest).then(|| (count - longest) as u8));
                bytes.push(far as u8);
            }
        }
    }
    let mut bits = Bits::default();
    let followers: Vec<Vec<u8>> = (0..=255u8).map(|byte| followers(&bytes, byte)).collect();
    for set in followers.iter().rev() {
        bits.low(set.len(), 6);
        set.iter().for_each(|byte| bits.low(usize::from(*byte), 8));
    }
    let mut last = 0;
    for byte in bytes {
        let set = &followers[usize::from(last)];
        match set.iter().position(|other| *other == byte) {
            Some(index) => {
                bits.low(0, 1);
                bits.low(index, (usize::BITS - (set.len() - 1).leading_zeros()).max(1) as usize);
            }
            None => {
                bits.low(1, usize::from(!set.is_empty()));
                bits.low(usize::from(byte), 8);
            }
        }
        last = byte;
    }
    bits.bytes(false)
}

/// Up to 32 bytes that stand behind a byte.
fn followers(bytes: &[u8], byte: u8) -> Vec<u8> {
    let mut set: Vec<u8> = bytes.windows(2).filter(|pair| pair[0] == byte).map(|pair| pair[1]).collect();
    set.sort_unstable();
    set.dedup();
    set.truncate(32);
    set
}

/// Packs as method 3 of KWAJ does. The lengths of codes are written in each of the four ways.
pub fn kwaj(plain: &[u8]) -> Vec<u8> {
    let steps: Vec<u8> = (1..=15).chain([15]).collect();
    let uneven: Vec<u8> = [vec![4; 8], vec![5; 8], vec![6; 16]].concat();
    let sets = [steps, vec![4; 16], uneven, vec![6; 64], vec![8; 256]];
    let forms = [1, 2, 3, 0, 2, 0];
    let mut bits = Bits::default();
    forms.iter().for_each(|form| bits.high(*form, 4));
    for (form, lengths) in forms.into_iter().zip(&sets) {
        write_lengths(&mut bits, form, lengths);
    }
    let codes: Vec<Vec<(usize, usize)>> = sets.iter().map(|lengths| canonical(lengths)).collect();
    let put = |bits: &mut Bits, set: usize, symbol: usize| {
        let (code, length) = codes[set][symbol];
        bits.high(code, length);
    };
    let (mut run, mut short) = (Vec::new(), false);
    let flush = |bits: &mut Bits, run: &mut Vec<u8>, short: &mut bool| {
        for piece in run.chunks(32) {
            put(bits, usize::from(*short), 0);
            put(bits, 2, piece.len() - 1);
            piece.iter().for_each(|byte| put(bits, 4, usize::from(*byte)));
            *short = piece.len() < 32;
        }
        run.clear();
    };
    for item in items(plain, 4095, 3, 17, usize::MAX) {
        match item {
            Item::Byte(byte) => run.push(byte),
            Item::Match { distance, length } => {
                flush(&mut bits, &mut run, &mut short);
                put(&mut bits, usize::from(short), length - 2);
                short = false;
                put(&mut bits, 3, distance >> 6);
                bits.high(distance & 63, 6);
            }
        }
    }
    flush(&mut bits, &mut run, &mut short);
    bits.bytes(true)
}

fn write_lengths(bits: &mut Bits, form: usize, lengths: &[u8]) {
    for (at, length) in lengths.iter().map(|length| usize::from(*length)).enumerate() {
        let before = at.checked_sub(1).map(|before| usize::from(lengths[before]));
        match (form, before) {
            (0, _) => {}
            (1, Some(before)) if before == length => bits.high(0, 1),
            (1, Some(before)) if before + 1 == length => bits.high(0b10, 2),
            (1, Some(_)) => bits.high(0b11 << 4 | length, 6),
            (2, Some(before)) if before.abs_diff(length) < 2 => bits.high(length + 1 - before, 2),
            (2, Some(_)) => bits.high(0b11 << 4 | length, 6),
            _ => bits.high(length, 4),
        }
    }
}

/// Canonical codes and their lengths.
fn canonical(lengths: &[u8]) -> Vec<(usize, usize)> {
    let (mut codes, mut next) = (vec![(0, 0); lengths.len()], 0);
    for length in 1..=16 {
        for symbol in (0..lengths.len()).filter(|symbol| usize::from(lengths[*symbol]) == length) {
            codes[symbol] = (next, length);
            next += 1;
        }
        next <<= 1;
    }
    codes
}
