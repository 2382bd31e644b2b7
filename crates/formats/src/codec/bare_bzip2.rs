//! bzip2 as NSIS and ALZip write it: blocks without a header of the stream, without checksums and without randomisation
//! (`Source/bzip2` of NSIS, "ALZ Archive Format" 5.1; otherwise the bzip2 format specification by J. Tsai).
//!
//! ```text
//! mark, origin 24 bits, symbols in use, selectors, codes, data ...  another mark at the end
//! ```
//!
//! Blocks have up to 900,000 bytes. A block is decoded at once, and read out in the order of its transformation.

use std::io::{self, BufRead, ErrorKind, Read};

/// What stands before a block, and at the end.
pub(super) type Marks = &'static [&'static [u8]; 2];
pub(super) const NSIS: Marks = &[b"\x31", b"\x17"];
pub(super) const ALZ: Marks = &[b"DLZ\x01", b"DLZ\x02"];
/// The longest block.
const BLOCK: usize = 900_000;
/// What a decoder needs: a word for each byte of a block.
pub(super) const MEMORY: u64 = 4 << 20;
/// The longest code (specification 2.2.5), and symbols between two changes of the table.
const LONGEST: usize = 20;
const GROUP: usize = 50;

/// Decodes one stream.
pub(super) struct BareBzip2<R> {
    bits: Bits<R>,
    marks: Marks,
    /// For each byte of the block: its value, and above it where the next one stands.
    chain: Vec<u32>,
    /// The entry at hand, and how many are left.
    at: u32,
    left: usize,
    /// The run-length code around all: the byte before, how often it came, and how often it comes again.
    last: Option<u8>,
    run: u32,
    again: u32,
    ended: bool,
    failed: Option<io::Error>,
}

impl<R: BufRead> BareBzip2<R> {
    /// Begins at the next byte of `input`.
    pub(super) fn new(input: R, marks: Marks) -> BareBzip2<R> {
        let bits = Bits { input: input.bytes(), bits: 0, count: 0 };
        let (chain, failed) = (Vec::new(), None);
        BareBzip2 { bits, marks, chain, at: 0, left: 0, last: None, run: 0, again: 0, ended: false, failed }
    }

    fn next_byte(&mut self) -> io::Result<Option<u8>> {
        loop {
            if let Some(byte) = self.last.filter(|_| self.again > 0) {
                self.again -= 1;
                return Ok(Some(byte));
            }
            if self.left == 0 {
                if self.ended || !self.begin()? {
                    self.ended = true;
                    return Ok(None);
                }
                continue;
            }
            let byte = self.step();
            if self.run == 4 {
                // Four times the same, then how often it comes again.
                (self.run, self.again) = (0, u32::from(byte));
                // What was before a run of no more does not count for the next.
                continue;
            }
            self.run = if self.last == Some(byte) && self.run > 0 { self.run + 1 } else { 1 };
            self.last = Some(byte);
            return Ok(Some(byte));
        }
    }

    /// The next byte of the block.
    fn step(&mut self) -> u8 {
        let entry = usize::try_from(self.at).ok().and_then(|at| self.chain.get(at)).copied().unwrap_or(0);
        self.at = entry >> 8;
        self.left -= 1;
        let [byte, ..] = entry.to_le_bytes();
        byte
    }

    /// Decodes a block; false at the end.
    fn begin(&mut self) -> io::Result<bool> {
        let [block, end] = *self.marks;
        let mut mark = Vec::with_capacity(block.len());
        for _ in block {
            mark.push(u8::try_from(self.bits.take(8)?).unwrap_or(0));
        }
        if mark == end {
            return Ok(false);
        }
        if mark != block {
            return Err(invalid());
        }
        (self.run, self.again, self.last) = (0, 0, None);
        let origin = self.bits.take(8)? << 16 | self.bits.take(16)?;
        let mut order = self.symbols_in_use()?;
        let symbols = order.len() + 2;
        let tables = self.bits.take(3)?;
        let count = self.bits.take(15)?;
        if !(2..=6).contains(&tables) || count == 0 || order.is_empty() {
            return Err(invalid());
        }
        let selectors = self.selectors(tables, count)?;
        let codes = (0..tables).map(|_| self.codes(symbols)).collect::<io::Result<Vec<_>>>()?;
        self.data(&selectors, &codes, &mut order)?;
        self.invert(origin)?;
        Ok(true)
    }

    /// Specification 2.2.2.
    fn symbols_in_use(&mut self) -> io::Result<Vec<u8>> {
        let groups = self.bits.take(16)?;
        let mut used = Vec::new();
        for group in (0..16_u8).filter(|group| groups >> (15 - group) & 1 == 1) {
            let members = self.bits.take(16)?;
            used.extend(
                (0..16_u8).filter(|member| members >> (15 - member) & 1 == 1).map(|member| group << 4 | member),
            );
        }
        Ok(used)
    }

    /// Specification 2.2.4: which table is used when, by place in a list whose first is the one used last.
    fn selectors(&mut self, tables: u32, count: u32) -> io::Result<Vec<usize>> {
        let mut order: Vec<usize> = (0..6).collect();
        let mut selectors = Vec::new();
        for _ in 0..count {
            let mut place = 0;
            while self.bits.take(1)? == 1 {
                place += 1;
                if place >= tables {
                    return Err(invalid());
                }
            }
            let table = order.remove(usize::try_from(place).unwrap_or(0));
            order.insert(0, table);
            selectors.push(table);
        }
        Ok(selectors)
    }

    /// Specification 2.2.5.
    fn codes(&mut self, symbols: usize) -> io::Result<Codes> {
        let mut length = self.bits.take(5)?;
        let mut lengths = Vec::new();
        for _ in 0..symbols {
            while self.bits.take(1)? == 1 {
                length = if self.bits.take(1)? == 0 { length + 1 } else { length.saturating_sub(1) };
            }
            lengths.push(
                usize::try_from(length).ok().filter(|length| (1..=LONGEST).contains(length)).ok_or_else(invalid)?,
            );
        }
        Ok(Codes::new(&lengths))
    }

    /// Specification 2.2.6: repetitions of the first byte of the list, and moves to its front.
    fn data(&mut self, selectors: &[usize], codes: &[Codes], order: &mut Vec<u8>) -> io::Result<()> {
        self.chain.clear();
        let end = order.len() + 1;
        let (mut repeat, mut weight) = (0_usize, 1_usize);
        for selector in selectors {
            let table = codes.get(*selector).ok_or_else(invalid)?;
            for _ in 0..GROUP {
                let symbol = table.next(&mut self.bits)?;
                if symbol < 2 {
                    repeat = repeat.saturating_add(weight << symbol);
                    weight = weight.saturating_mul(2);
                    if repeat > BLOCK {
                        return Err(invalid());
                    }
                    continue;
                }
                self.push(order.first().copied(), repeat)?;
                (repeat, weight) = (0, 1);
                if symbol == end {
                    return Ok(());
                }
                if symbol > end {
                    return Err(invalid());
                }
                let byte = order.remove(symbol - 1);
                order.insert(0, byte);
                self.push(Some(byte), 1)?;
            }
        }
        Err(invalid())
    }

    fn push(&mut self, byte: Option<u8>, times: usize) -> io::Result<()> {
        if self.chain.len() + times > BLOCK {
            return Err(invalid());
        }
        let byte = u32::from(byte.unwrap_or(0));
        self.chain.extend(std::iter::repeat_n(byte, times));
        Ok(())
    }

    /// Specification 2.3.2: the Burrows-Wheeler transformation, backwards.
    fn invert(&mut self, origin: u32) -> io::Result<()> {
        let mut starts = [0_u32; 257];
        for entry in &self.chain {
            if let Some(count) = starts.get_mut(usize::from(entry.to_le_bytes()[0]) + 1) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        for at in 0..self.chain.len() {
            let byte = self.chain.get(at).map_or(0, |entry| entry.to_le_bytes()[0]);
            let Some(start) = starts.get_mut(usize::from(byte)) else { continue };
            let place = usize::try_from(*start).unwrap_or(usize::MAX);
            *start += 1;
            if let Some(entry) = self.chain.get_mut(place) {
                *entry |= u32::try_from(at).unwrap_or(0) << 8;
            }
        }
        self.left = self.chain.len();
        let first = usize::try_from(origin).ok().and_then(|origin| self.chain.get(origin)).copied();
        self.at = first.ok_or_else(invalid)? >> 8;
        Ok(())
    }
}

impl<R: BufRead> Read for BareBzip2<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut failed = self.failed.take();
        let filled = super::bytewise::fill(buffer, &mut failed, || self.next_byte());
        self.failed = failed;
        filled
    }
}

fn invalid() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "not a valid bzip2 block")
}

/// Canonical codes of up to 20 bits.
struct Codes {
    /// For each length: how many codes have it.
    counts: [usize; LONGEST + 1],
    symbols: Vec<usize>,
}

impl Codes {
    fn new(lengths: &[usize]) -> Codes {
        let mut codes = Codes { counts: [0; LONGEST + 1], symbols: Vec::new() };
        for (length, count) in codes.counts.iter_mut().enumerate() {
            let before = codes.symbols.len();
            codes.symbols.extend((0..lengths.len()).filter(|symbol| lengths.get(*symbol) == Some(&length)));
            *count = codes.symbols.len() - before;
        }
        codes
    }

    fn next<R: BufRead>(&self, bits: &mut Bits<R>) -> io::Result<usize> {
        let (mut code, mut first, mut index) = (0_usize, 0_usize, 0_usize);
        for count in self.counts.iter().skip(1) {
            code = code << 1 | usize::from(bits.take(1)? == 1);
            first <<= 1;
            if let Some(within) = code.checked_sub(first).filter(|within| within < count) {
                return self.symbols.get(index + within).copied().ok_or_else(invalid);
            }
            index += count;
            first += count;
        }
        Err(invalid())
    }
}

/// Bits, highest first.
struct Bits<R> {
    input: io::Bytes<R>,
    bits: u32,
    count: u32,
}

impl<R: BufRead> Bits<R> {
    /// The next bits, at most 16, as a number.
    fn take(&mut self, count: u32) -> io::Result<u32> {
        while self.count < count {
            let byte = self.input.next().transpose()?.ok_or(ErrorKind::UnexpectedEof)?;
            self.bits = self.bits << 8 | u32::from(byte);
            self.count += 8;
        }
        self.count -= count;
        Ok(self.bits >> self.count & ((1 << count) - 1))
    }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "tests")]
mod tests {
    use super::*;
    use std::io::Write;

    /// A stream of one block by the usual writer, without what NSIS leaves out.
    fn bare(plain: &[u8], [block, last]: Marks) -> Vec<u8> {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
        encoder.write_all(plain).unwrap();
        let usual = encoder.finish().unwrap();
        let bit = |at: usize| usual[at / 8] >> (7 - at % 8) & 1;
        let end_mark: Vec<u8> = [0x17_u8, 0x72, 0x45, 0x38, 0x50, 0x90]
            .iter()
            .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
            .collect();
        let all: Vec<u8> = (0..usual.len() * 8).map(bit).collect();
        let end = all.windows(48).rposition(|window| window == end_mark).unwrap();
        // "BZh9" 32, magic of the block 48, checksum 32, randomised 1; origin 24 ...
        let number = |byte: u8| (0..8).rev().map(move |bit| byte >> bit & 1);
        let mark = |mark: &[u8]| mark.iter().flat_map(|byte| number(*byte)).collect::<Vec<u8>>();
        let bits = [mark(block), all[113..end].to_vec(), mark(last)].concat();
        bits.chunks(8).map(|byte| byte.iter().enumerate().map(|(at, bit)| bit << (7 - at)).sum()).collect()
    }

    #[test]
    fn blocks_are_those_of_bzip2() {
        let words: Vec<u8> = (0..40_000_u32).flat_map(|number| (number % 997).to_string().into_bytes()).collect();
        for plain in [
            b"a".to_vec(),
            b"aaaa".to_vec(),
            b"aaaaa".to_vec(),
            vec![7; 100_000],
            words,
            b"aaaaabbbbbbbbcaaaa".to_vec(),
        ] {
            for marks in [NSIS, ALZ] {
                let packed = bare(&plain, marks);
                let mut got = Vec::new();
                BareBzip2::new(&packed[..], marks).read_to_end(&mut got).unwrap();
                assert!(got == plain, "{} of {} bytes", got.len(), plain.len());
                for cut in (0..packed.len()).step_by(997) {
                    assert!(BareBzip2::new(&packed[..cut], marks).read_to_end(&mut Vec::new()).is_err());
                }
            }
        }
    }

    #[test]
    fn broken_blocks_end() {
        let packed = bare(&b"badger digs, badger eats, badger sleeps".repeat(9), NSIS);
        for at in 0..packed.len() {
            for bit in 0..8 {
                let mut broken = packed.clone();
                broken[at] ^= 1 << bit;
                let _ = BareBzip2::new(&broken[..], NSIS).take(10 << 20).read_to_end(&mut Vec::new());
            }
        }
    }
}
