//! The data of a block (bzip2 format specification 2.2): Huffman codes, moves to the front, runs of the first byte.

use std::io::{self, Read};

use super::bits::{Bits, Cursor};
use super::invalid;
use super::transform::Transform;

/// The longest code, and symbols between two changes of the table.
const LONGEST: u32 = 20;
const GROUP: usize = 50;
/// Codes up to this length are found by one look.
const SHORT: u32 = 10;
/// More selectors than a block of the longest kind can use are passed over, as by all readers since 1.0.8.
const MOST_SELECTORS: usize = 18_002;

/// Reads a block behind its mark, its checksum and the bit of randomised blocks: the bytes come into the chain of `transform`. Gives the
/// origin.
///
/// # Errors
/// If it is cut off or broken, or longer than `most` bytes.
pub(super) fn read<R: Read>(bits: &mut Bits<R>, most: usize, transform: &mut Transform) -> io::Result<u32> {
    let origin = bits.take(24)?;
    let order = symbols_in_use(bits)?;
    let (tables, count) = (bits.take(3)?, bits.take(15)?);
    if !(2..=6).contains(&tables) || count == 0 {
        return Err(invalid());
    }
    let selectors = selectors(bits, tables, count)?;
    let symbols = order.used + 2;
    let codes = (0..tables).map(|_| codes(bits, symbols)).collect::<io::Result<Vec<_>>>()?;
    data(bits, &selectors, &codes, order, most, transform)?;
    Ok(origin)
}

/// Specification 2.2.2.
fn symbols_in_use<R: Read>(bits: &mut Bits<R>) -> io::Result<Order> {
    let groups = bits.take(16)?;
    let mut order = Order { low: 0, high: [0; 240], used: 0 };
    let mut used = Vec::with_capacity(256);
    for group in (0..16_u8).filter(|group| groups >> (15 - group) & 1 == 1) {
        let members = bits.take(16)?;
        used.extend((0..16_u8).filter(|member| members >> (15 - member) & 1 == 1).map(|member| group << 4 | member));
    }
    order.used = used.len();
    order.low = used.iter().take(16).rev().fold(0, |low, byte| low << 8 | u128::from(*byte));
    order.high.iter_mut().zip(used.iter().skip(16)).for_each(|(place, byte)| *place = *byte);
    if used.is_empty() { Err(invalid()) } else { Ok(order) }
}

/// Specification 2.2.4: which table is used when, by place in a list whose first is the one used last.
fn selectors<R: Read>(bits: &mut Bits<R>, tables: u32, count: u32) -> io::Result<Vec<u8>> {
    let mut order: [u8; 6] = [0, 1, 2, 3, 4, 5];
    let mut selectors = Vec::with_capacity(MOST_SELECTORS);
    for _ in 0..count {
        let mut place = 0;
        while bits.take(1)? == 1 {
            place += 1;
            if place >= tables {
                return Err(invalid());
            }
        }
        if let Some(moved) = order.get_mut(..=usize::try_from(place).unwrap_or(0)) {
            moved.rotate_right(1);
        }
        if selectors.len() < MOST_SELECTORS {
            selectors.push(order[0]);
        }
    }
    Ok(selectors)
}

/// Specification 2.2.5. Nothing in place of codes that do not fit: some writers fill up tables that they do not use.
fn codes<R: Read>(bits: &mut Bits<R>, symbols: usize) -> io::Result<Option<Codes>> {
    let mut length = bits.take(5)?;
    let mut lengths = Vec::with_capacity(258);
    for _ in 0..symbols {
        loop {
            if !(1..=LONGEST).contains(&length) {
                return Err(invalid());
            }
            if bits.take(1)? == 0 {
                break;
            }
            length = if bits.take(1)? == 0 { length + 1 } else { length - 1 };
        }
        lengths.push(length);
    }
    Ok(Codes::new(&lengths))
}

/// Canonical codes of up to 20 bits.
struct Codes {
    /// For the next bits: symbol and length of the code that they begin with; 0 if it is a longer one.
    short: Box<[u16; 1 << SHORT]>,
    /// For each length: the first number of 20 bits that is too large for it.
    limits: [u32; LONGEST as usize + 1],
    /// For each length: its first code, as 20 bits, and where its symbols begin.
    firsts: [(u32, usize); LONGEST as usize + 1],
    /// Symbols by length.
    symbols: Vec<u16>,
}

impl Codes {
    /// `None` if there are more codes than fit.
    fn new(lengths: &[u32]) -> Option<Codes> {
        let (limits, firsts) = ([0; LONGEST as usize + 1], [(0, 0); LONGEST as usize + 1]);
        let mut codes = Codes { short: Box::new([0; 1 << SHORT]), limits, firsts, symbols: Vec::with_capacity(258) };
        let mut next = 0_u32;
        for ((length, limit), first) in (0_u32..).zip(&mut codes.limits).zip(&mut codes.firsts) {
            *first = (next, codes.symbols.len());
            for (symbol, _) in (0_u16..).zip(lengths).filter(|(_, of)| **of == length) {
                let width = 1_u32 << (LONGEST - length);
                if length <= SHORT {
                    let from = usize::try_from(next >> (LONGEST - SHORT)).ok()?;
                    let until = usize::try_from((next + width) >> (LONGEST - SHORT)).ok()?;
                    codes.short.get_mut(from..until)?.fill(symbol << 5 | u16::try_from(length).ok()?);
                }
                codes.symbols.push(symbol);
                next += width;
            }
            *limit = next;
        }
        (next <= 1 << LONGEST).then_some(codes)
    }

    /// The symbol that the next bits begin with; one that is none if they begin with no code.
    #[inline(always)]
    fn next(&self, cursor: &mut Cursor) -> usize {
        let short = self.short.get((cursor.peek(SHORT) & ((1 << SHORT) - 1)) as usize).copied().unwrap_or(0);
        if short > 0 {
            cursor.skip(u32::from(short & 31));
            return usize::from(short >> 5);
        }
        self.longer(cursor)
    }

    #[inline(never)]
    fn longer(&self, cursor: &mut Cursor) -> usize {
        let bits = cursor.peek(LONGEST);
        let shapes = (0_u32..).zip(self.limits.iter().zip(&self.firsts)).skip(SHORT as usize + 1);
        for (length, (limit, (first, start))) in shapes {
            if bits < *limit {
                cursor.skip(length);
                let index = bits.wrapping_sub(*first) >> (LONGEST - length);
                return self.symbols.get(start.wrapping_add(index as usize)).copied().map_or(usize::MAX, usize::from);
            }
        }
        usize::MAX
    }
}

/// Specification 2.2.3: the bytes in use, the one used last first. Sixteen of them stand in one number: most moves are among those.
struct Order {
    low: u128,
    high: [u8; 240],
    used: usize,
}

impl Order {
    /// Moves a byte to the front.
    #[inline(always)]
    fn front(&mut self, place: usize) -> u8 {
        if place < 16 {
            let shift = u32::try_from(place).unwrap_or(0) << 3;
            let byte = (self.low >> shift & 0xff) as u8;
            let mask = u128::MAX >> (120_u32.wrapping_sub(shift) & 127);
            self.low = self.low & !mask | (self.low << 8 | u128::from(byte)) & mask;
            return byte;
        }
        self.far(place)
    }

    #[inline(never)]
    fn far(&mut self, place: usize) -> u8 {
        let place = place.wrapping_sub(16).min(self.high.len() - 1);
        let Some(moved) = self.high.get_mut(..=place) else { return 0 };
        let byte = moved.last().copied().unwrap_or(0);
        moved.copy_within(..place, 1);
        if let Some(first) = moved.first_mut() {
            *first = (self.low >> 120) as u8;
        }
        self.low = self.low << 8 | u128::from(byte);
        byte
    }
}

/// What a group of symbols did.
enum Group {
    More,
    End,
    Broken,
}

/// Specification 2.2.6 and 2.2.7, while a block is decoded.
struct Data<'a> {
    order: Order,
    chain: &'a mut [u32],
    counts: &'a mut [u32; 256],
    /// Bytes so far.
    filled: usize,
    /// A run of the first byte: its length so far, and what the next symbol of it is worth.
    run: usize,
    weight: usize,
}

fn data<R: Read>(
    bits: &mut Bits<R>,
    selectors: &[u8],
    codes: &[Option<Codes>],
    order: Order,
    most: usize,
    transform: &mut Transform,
) -> io::Result<()> {
    transform.counts = [0; 256];
    if transform.chain.len() < most {
        // Fresh memory is zero already, and what a short block does not use is never touched.
        transform.chain = vec![0; most];
    }
    let (chain, counts) = (transform.chain.get_mut(..most).unwrap_or_default(), &mut transform.counts);
    let mut data = Data { order, chain, counts, filled: 0, run: 0, weight: 1 };
    for selector in selectors {
        let table = codes.get(usize::from(*selector)).and_then(Option::as_ref).ok_or_else(invalid)?;
        bits.prepare()?;
        let (bytes, cursor) = bits.parts();
        let mut here = *cursor;
        let group = data.group(bytes, &mut here, table);
        *cursor = here;
        if bits.is_overdrawn() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match group {
            Group::More => {}
            Group::End => {
                transform.length = data.filled;
                return Ok(());
            }
            Group::Broken => break,
        }
    }
    Err(invalid())
}

impl Data<'_> {
    /// The symbols up to the next selector.
    #[inline(always)]
    fn group(&mut self, bytes: &[u8], cursor: &mut Cursor, table: &Codes) -> Group {
        let end = self.order.used.wrapping_add(1);
        for _ in 0..GROUP {
            if cursor.count() < LONGEST {
                cursor.refill(bytes);
            }
            let symbol = table.next(cursor);
            if symbol < 2 {
                self.run = self.run.wrapping_add(self.weight << symbol);
                self.weight = self.weight.wrapping_add(self.weight);
                if self.run > self.chain.len() {
                    return Group::Broken;
                }
                continue;
            }
            if self.run > 0 && self.end_run().is_none() {
                return Group::Broken;
            }
            if symbol >= end {
                return if symbol == end { Group::End } else { Group::Broken };
            }
            let byte = self.order.front(symbol.wrapping_sub(1));
            let Some(entry) = self.chain.get_mut(self.filled) else { return Group::Broken };
            *entry = u32::from(byte);
            self.filled = self.filled.wrapping_add(1);
            if let Some(count) = self.counts.get_mut(usize::from(byte)) {
                *count = count.wrapping_add(1);
            }
        }
        Group::More
    }

    /// Writes a run of the first byte.
    fn end_run(&mut self) -> Option<()> {
        let byte = (self.order.low & 0xff) as u8;
        self.chain.get_mut(self.filled..)?.get_mut(..self.run)?.fill(u32::from(byte));
        *self.counts.get_mut(usize::from(byte))? += u32::try_from(self.run).ok()?;
        self.filled += self.run;
        (self.run, self.weight) = (0, 1);
        Some(())
    }
}
