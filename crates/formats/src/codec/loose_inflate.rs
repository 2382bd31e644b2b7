//! Deflate (RFC 1951) as NSIS writes it: blocks that are stored state their length once, without its complement.

use std::io::{self, BufRead, ErrorKind, Read};

use super::huffman::Codes;

/// How far a repetition may reach back.
const WINDOW: usize = 1 << 15;
/// RFC 1951 3.2.5: base and extra bits of lengths, from symbol 257 on, and of distances.
const LENGTHS: [(u16, u8); 29] = [
    (3, 0),
    (4, 0),
    (5, 0),
    (6, 0),
    (7, 0),
    (8, 0),
    (9, 0),
    (10, 0),
    (11, 1),
    (13, 1),
    (15, 1),
    (17, 1),
    (19, 2),
    (23, 2),
    (27, 2),
    (31, 2),
    (35, 3),
    (43, 3),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 4),
    (115, 4),
    (131, 5),
    (163, 5),
    (195, 5),
    (227, 5),
    (258, 0),
];
const DISTANCES: [(u16, u8); 30] = [
    (1, 0),
    (2, 0),
    (3, 0),
    (4, 0),
    (5, 1),
    (7, 1),
    (9, 2),
    (13, 2),
    (17, 3),
    (25, 3),
    (33, 4),
    (49, 4),
    (65, 5),
    (97, 5),
    (129, 6),
    (193, 6),
    (257, 7),
    (385, 7),
    (513, 8),
    (769, 8),
    (1025, 9),
    (1537, 9),
    (2049, 10),
    (3073, 10),
    (4097, 11),
    (6145, 11),
    (8193, 12),
    (12289, 12),
    (16385, 13),
    (24577, 13),
];
/// RFC 1951 3.2.7: the order in which lengths of codes for lengths stand.
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Decodes one stream.
pub(super) struct LooseInflate<R> {
    bits: Bits<R>,
    window: Box<[u8; WINDOW]>,
    made: usize,
    block: Block,
    last: bool,
    failed: Option<io::Error>,
}

enum Block {
    /// None was begun.
    None,
    Stored(u16),
    Coded(Box<Coded>),
}

/// The codes of a block, and the repetition at hand: its distance, and what is left of it.
struct Coded {
    literals: Codes,
    distances: Codes,
    copy: (usize, u16),
}

impl<R: BufRead> LooseInflate<R> {
    /// Begins at the next byte of `input`.
    pub(super) fn new(input: R) -> LooseInflate<R> {
        let bits = Bits { input: input.bytes(), bits: 0, count: 0 };
        LooseInflate { bits, window: Box::new([0; WINDOW]), made: 0, block: Block::None, last: false, failed: None }
    }

    fn next_byte(&mut self) -> io::Result<Option<u8>> {
        loop {
            match &mut self.block {
                Block::None if self.last => return Ok(None),
                Block::None => self.begin()?,
                Block::Stored(0) => self.block = Block::None,
                Block::Stored(left) => {
                    *left -= 1;
                    let [byte, _] = self.bits.take(8)?.to_le_bytes();
                    return Ok(Some(self.put(byte)));
                }
                Block::Coded(coded) if coded.copy.1 > 0 => {
                    coded.copy.1 -= 1;
                    let from = self.made.wrapping_sub(coded.copy.0) % WINDOW;
                    let byte = self.window.get(from).copied().unwrap_or(0);
                    return Ok(Some(self.put(byte)));
                }
                Block::Coded(coded) => match self.bits.symbol(&coded.literals)? {
                    symbol @ 0..=255 => {
                        let [byte, _] = symbol.to_le_bytes();
                        return Ok(Some(self.put(byte)));
                    }
                    256 => self.block = Block::None,
                    symbol => {
                        let length = self.bits.number(&LENGTHS, symbol - 257)?;
                        let symbol = self.bits.symbol(&coded.distances)?;
                        let distance = usize::from(self.bits.number(&DISTANCES, symbol)?);
                        if distance > self.made {
                            return Err(invalid());
                        }
                        coded.copy = (distance, length);
                    }
                },
            }
        }
    }

    /// RFC 1951 3.2.3.
    fn begin(&mut self) -> io::Result<()> {
        self.last = self.bits.take(1)? == 1;
        self.block = match self.bits.take(2)? {
            0 => {
                self.bits.align();
                Block::Stored(self.bits.take(16)?)
            }
            1 => {
                let lengths: Vec<u8> = (0..288_u16).map(fixed).collect();
                coded(&lengths, &[5; 30])?
            }
            2 => self.dynamic()?,
            _ => return Err(invalid()),
        };
        Ok(())
    }

    /// RFC 1951 3.2.7.
    fn dynamic(&mut self) -> io::Result<Block> {
        let literals = usize::from(self.bits.take(5)?) + 257;
        let distances = usize::from(self.bits.take(5)?) + 1;
        let count = usize::from(self.bits.take(4)?) + 4;
        let mut lengths = [0_u8; 19];
        for place in ORDER.iter().take(count) {
            let [length, _] = self.bits.take(3)?.to_le_bytes();
            if let Some(place) = lengths.get_mut(*place) {
                *place = length;
            }
        }
        let codes = Codes::new(&lengths).ok_or_else(invalid)?;
        let mut all: Vec<u8> = Vec::new();
        while all.len() < literals + distances {
            let before = all.last().copied();
            let (length, times) = match self.bits.symbol(&codes)? {
                16 => (before.ok_or_else(invalid)?, 3 + self.bits.take(2)?),
                17 => (0, 3 + self.bits.take(3)?),
                18 => (0, 11 + self.bits.take(7)?),
                length => (u8::try_from(length).map_err(|_| invalid())?, 1),
            };
            all.extend(std::iter::repeat_n(length, usize::from(times)));
        }
        let (first, second) = all.split_at(literals);
        coded(first, second)
    }

    fn put(&mut self, byte: u8) -> u8 {
        if let Some(place) = self.window.get_mut(self.made % WINDOW) {
            *place = byte;
        }
        self.made = self.made.wrapping_add(1);
        byte
    }
}

fn coded(literals: &[u8], distances: &[u8]) -> io::Result<Block> {
    let literals = Codes::new(literals).ok_or_else(invalid)?;
    let distances = Codes::new(distances).ok_or_else(invalid)?;
    Ok(Block::Coded(Box::new(Coded { literals, distances, copy: (0, 0) })))
}

/// RFC 1951 3.2.6.
fn fixed(symbol: u16) -> u8 {
    match symbol {
        0..=143 | 280.. => 8,
        144..=255 => 9,
        _ => 7,
    }
}

fn invalid() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "not a valid deflate stream")
}

impl<R: BufRead> Read for LooseInflate<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut failed = self.failed.take();
        let filled = super::bytewise::fill(buffer, &mut failed, || self.next_byte());
        self.failed = failed;
        filled
    }
}

/// Bits, lowest first.
struct Bits<R> {
    input: io::Bytes<R>,
    bits: u32,
    count: u8,
}

impl<R: BufRead> Bits<R> {
    /// Gets bytes until there are so many bits, at most 16, or the input ends.
    fn fill(&mut self, count: u8) -> io::Result<bool> {
        while self.count < count {
            let Some(byte) = self.input.next().transpose()? else { return Ok(false) };
            self.bits |= u32::from(byte) << self.count;
            self.count += 8;
        }
        Ok(true)
    }

    fn drop_bits(&mut self, count: u8) -> io::Result<()> {
        self.count = self.count.checked_sub(count).ok_or(ErrorKind::UnexpectedEof)?;
        self.bits >>= count;
        Ok(())
    }

    /// The next bits, at most 16, as a number.
    fn take(&mut self, count: u8) -> io::Result<u16> {
        self.fill(count)?;
        let [a, b, ..] = self.bits.to_le_bytes();
        let mask = 1_u16.checked_shl(u32::from(count)).unwrap_or(0).wrapping_sub(1);
        self.drop_bits(count)?;
        Ok(u16::from_le_bytes([a, b]) & mask)
    }

    /// Codes begin with their highest bit.
    fn symbol(&mut self, codes: &Codes) -> io::Result<u16> {
        self.fill(16)?;
        let [a, b, ..] = self.bits.to_le_bytes();
        let (symbol, length) = codes.decode(u16::from_le_bytes([a, b]).reverse_bits()).ok_or_else(invalid)?;
        self.drop_bits(length)?;
        Ok(symbol)
    }

    fn number(&mut self, table: &[(u16, u8)], symbol: u16) -> io::Result<u16> {
        let (base, extra) = *table.get(usize::from(symbol)).ok_or_else(invalid)?;
        Ok(base + self.take(extra)?)
    }

    fn align(&mut self) {
        let odd = self.count % 8;
        self.bits >>= odd;
        self.count -= odd;
    }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "tests")]
mod tests {
    use super::*;
    use std::io::Write;

    /// Stored blocks as NSIS has them.
    fn loose(plain: &[u8]) -> Vec<u8> {
        let blocks =
            plain.chunks(1000).flat_map(|chunk| [&[0][..], &(chunk.len() as u16).to_le_bytes(), chunk].concat());
        blocks.chain([1, 0, 0]).collect()
    }

    fn unpacked(packed: &[u8]) -> io::Result<Vec<u8>> {
        let mut got = Vec::new();
        LooseInflate::new(packed).read_to_end(&mut got).map(|_| got)
    }

    #[test]
    fn coded_blocks_are_those_of_deflate() {
        let plain: Vec<u8> = (0..30_000_u32).flat_map(|number| (number % 777).to_string().into_bytes()).collect();
        for (level, plain) in [(1, &plain[..]), (6, &plain), (9, &plain), (9, b"badger")] {
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::new(level));
            encoder.write_all(plain).unwrap();
            let packed = encoder.finish().unwrap();
            assert!(unpacked(&packed).unwrap() == plain);
            assert!(unpacked(&packed[..packed.len() - 3]).is_err());
        }
    }

    #[test]
    fn stored_blocks_have_no_complement() {
        let plain: Vec<u8> = (0..5000_u32).map(|number| number as u8).collect();
        assert!(unpacked(&loose(&plain)).unwrap() == plain);
    }
}
