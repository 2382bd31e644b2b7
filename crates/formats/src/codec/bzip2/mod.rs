//! bzip2 (the format description that comes with bzip2 1.0.8, and J. Tsai's "bzip2 format specification"), as it is, and as NSIS and ALZip
//! write it: blocks without a header of the stream, without checksums and without randomisation (`Source/bzip2` of NSIS, "ALZ Archive
//! Format" 5.1).
//!
//! ```text
//! stream    "BZh", level | blocks | mark of the end 48 bits, checksum of checksums 32
//! block     mark 48 bits, checksum 32, randomised 1 | origin 24, symbols in use, selectors, codes, data
//! bare      mark | origin 24, symbols in use ...        another mark at the end
//! ```
//!
//! A block is decoded at once (`block.rs`) into a chain, the chain is followed (`transform.rs`), and the plain bytes are handed out while
//! the run-length code around all is undone. All of it is safe Rust. The chain is what costs: it is followed from eight places at once. A
//! checksum is compared when its block has been given; a wrong one ends the stream as damaged.

mod bits;
mod block;
mod random;
mod transform;

use std::io::{self, ErrorKind, Read};

use self::bits::Bits;
use self::transform::Transform;

/// The longest block.
const BLOCK: usize = 900_000;
/// Marks of a block and of a stream's end.
const MARK: u64 = 0x3141_5926_5359;
const END: u64 = 0x1772_4538_5090;

/// What stands before a block, and at the end, of a bare stream.
pub(crate) type Marks = &'static [&'static [u8]; 2];
pub(crate) const NSIS: Marks = &[b"\x31", b"\x17"];
pub(crate) const ALZ: Marks = &[b"DLZ\x01", b"DLZ\x02"];

/// What a decoder needs for blocks of so many bytes: an entry of the chain for each, each in its order, and lanes for twice as many.
pub(crate) const fn memory(block: u64) -> u64 {
    7 * block + 300_000
}

/// What a decoder of blocks of the longest kind needs.
pub(crate) const MEMORY: u64 = memory(900_000);

/// What kind of stream it is.
#[derive(Clone, Copy)]
enum Form {
    Bare(Marks),
    /// With headers and checksums, and perhaps others behind it.
    Usual {
        many: bool,
    },
}

/// A stream at work.
pub(crate) struct Bzip2<R> {
    bits: Bits<R>,
    form: Form,
    /// Whether a stream's header was read and its end was not.
    inside: bool,
    /// Bytes of a block at most.
    most: usize,
    transform: Transform,
    /// The block in its order, and how much of it was used.
    block: Vec<u8>,
    used: usize,
    runs: Runs,
    sums: Sums,
    /// The outcome that is given once all bytes were.
    ended: Option<io::Result<()>>,
}

/// The checksum of the block at hand, what it should be, and the checksum of checksums.
struct Sums {
    block: u32,
    told: Option<u32>,
    all: u32,
}

impl<R: Read> Bzip2<R> {
    /// A stream that begins with its header; others may follow it if there may be `many`.
    pub(crate) fn new(source: R, many: bool) -> Bzip2<R> {
        Bzip2::of(source, Form::Usual { many })
    }

    /// A stream without a header.
    pub(crate) fn bare(source: R, marks: Marks) -> Bzip2<R> {
        Bzip2 { inside: true, ..Bzip2::of(source, Form::Bare(marks)) }
    }

    fn of(source: R, form: Form) -> Bzip2<R> {
        Bzip2 {
            bits: Bits::new(source),
            form,
            inside: false,
            most: BLOCK,
            transform: Transform::new(),
            block: Vec::new(),
            used: 0,
            runs: Runs::default(),
            sums: Sums { block: 0, told: None, all: 0 },
            ended: None,
        }
    }

    /// The source, and how many bytes of it were read that the stream did not need.
    pub(crate) fn into_parts(self) -> (R, usize) {
        let unused = self.bits.unused();
        (self.bits.into_source(), unused)
    }

    /// Goes on to the next block. True at the end of all.
    fn advance(&mut self) -> io::Result<bool> {
        if self.sums.told.take().is_some_and(|told| told != !self.sums.block) {
            return Err(io::Error::new(ErrorKind::InvalidData, "the checksum of a bzip2 block is wrong"));
        }
        if !self.inside {
            self.begin()?;
        }
        let randomised = match self.form {
            Form::Bare(marks) => match self.bare_mark(marks)? {
                true => false,
                false => return Ok(true),
            },
            Form::Usual { many } => match self.mark()? {
                Some(randomised) => randomised,
                None => {
                    self.inside = false;
                    return Ok(!many || !self.is_stream()?);
                }
            },
        };
        let origin = block::read(&mut self.bits, self.most, &mut self.transform)?;
        self.transform.invert(origin, &mut self.block).ok_or_else(invalid)?;
        if randomised {
            random::restore(&mut self.block);
        }
        (self.used, self.runs) = (0, Runs::default());
        Ok(false)
    }

    /// The header of a stream.
    fn begin(&mut self) -> io::Result<()> {
        let header = self.bits.take(32)?.to_be_bytes();
        let [b'B', b'Z', b'h', level @ b'1'..=b'9'] = header else { return Err(invalid()) };
        self.most = usize::from(level - b'0') * 100_000;
        self.sums.all = 0;
        self.inside = true;
        Ok(())
    }

    /// Whether another stream follows; whatever else does is left.
    fn is_stream(&mut self) -> io::Result<bool> {
        self.bits.align();
        if self.bits.is_empty()? {
            return Ok(false);
        }
        Ok(self.bits.look(24)? == 0x42_5a_68)
    }

    /// The mark before a block, its checksum, and whether it is randomised; or the end of the stream, and its checksum.
    fn mark(&mut self) -> io::Result<Option<bool>> {
        let mark = u64::from(self.bits.take(24)?) << 24 | u64::from(self.bits.take(24)?);
        let sum = self.bits.take(32)?;
        match mark {
            MARK => {
                self.sums = Sums { block: u32::MAX, told: Some(sum), all: self.sums.all.rotate_left(1) ^ sum };
                Ok(Some(self.bits.take(1)? == 1))
            }
            END if sum == self.sums.all => Ok(None),
            END => Err(io::Error::new(ErrorKind::InvalidData, "the checksum of a bzip2 stream is wrong")),
            _ => Err(invalid()),
        }
    }

    /// True if a block follows, false at the end.
    fn bare_mark(&mut self, [block, end]: Marks) -> io::Result<bool> {
        let mut mark = Vec::with_capacity(block.len());
        for _ in *block {
            mark.push((self.bits.take(8)? & 0xff) as u8);
        }
        if mark == *end {
            return Ok(false);
        }
        if mark == *block { Ok(true) } else { Err(invalid()) }
    }
}

impl<R: Read> Read for Bzip2<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() {
            let rest = self.block.get(self.used..).unwrap_or(&[]);
            let (used, made) = self.runs.expand(rest, buffer);
            self.used += used;
            if made > 0 {
                if self.sums.told.is_some() {
                    self.sums.block = crc(self.sums.block, buffer.get(..made).unwrap_or(&[]));
                }
                return Ok(made);
            }
            if let Some(ended) = self.ended.as_mut() {
                return std::mem::replace(ended, Ok(())).map(|()| 0);
            }
            self.ended = match self.advance() {
                Ok(false) => None,
                Ok(true) => Some(Ok(())),
                Err(error) => Some(Err(error)),
            };
        }
        Ok(0)
    }
}

/// The run-length code around all: behind four equal bytes stands how often the byte comes again.
#[derive(Default)]
struct Runs {
    last: u8,
    /// How many equal bytes came last, 0 to 4.
    run: u8,
    /// How often the last byte still comes.
    again: usize,
}

impl Runs {
    /// Fills `output` from `input`, and tells how many bytes of either were used.
    fn expand(&mut self, input: &[u8], output: &mut [u8]) -> (usize, usize) {
        let (mut used, mut made) = (0_usize, 0_usize);
        loop {
            if self.again > 0 {
                let count = self.again.min(output.len() - made);
                output.get_mut(made..made + count).unwrap_or_default().fill(self.last);
                self.again -= count;
                made += count;
            }
            let (Some(rest), Some(room)) = (input.get(used..), output.get_mut(made..)) else { return (used, made) };
            if rest.is_empty() || room.is_empty() {
                return (used, made);
            }
            if self.run == 4 {
                self.again = usize::from(rest.first().copied().unwrap_or(0));
                self.run = 0;
                used += 1;
                continue;
            }
            let count = self.copy(rest, room);
            used += count;
            made += count;
        }
    }

    /// Copies bytes up to the fourth of a run.
    fn copy(&mut self, input: &[u8], output: &mut [u8]) -> usize {
        let (mut last, mut run, mut count) = (self.last, self.run, 0_usize);
        for (byte, place) in input.iter().zip(output) {
            *place = *byte;
            count = count.wrapping_add(1);
            run = if *byte == last && run > 0 { run.wrapping_add(1) } else { 1 };
            last = *byte;
            if run == 4 {
                break;
            }
        }
        (self.last, self.run) = (last, run);
        count
    }
}

/// The remainder of a byte, and of one that up to seven zero bytes follow, by the polynomial 0x04C11DB7, highest bit first.
static REMAINDERS: [[u32; 256]; 8] = {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0_usize;
    let mut high = 0_u32;
    while byte < 256 {
        let mut sum = high;
        let mut table = 0;
        while table < 8 {
            let mut bit = 0;
            while bit < 8 {
                sum = if sum >> 31 == 1 { sum << 1 ^ 0x04c1_1db7 } else { sum << 1 };
                bit += 1;
            }
            #[allow(clippy::indexing_slicing, reason = "computed at compile time")]
            let place = &mut tables[table][byte];
            *place = sum;
            table += 1;
        }
        byte += 1;
        high = high.wrapping_add(1 << 24);
    }
    tables
};

/// The checksum of a block, without the last complement: eight bytes at once.
fn crc(mut sum: u32, bytes: &[u8]) -> u32 {
    let remainder = |table: &[u32; 256], byte: u64| table.get((byte & 0xff) as usize).copied().unwrap_or(0);
    let [t0, t1, t2, t3, t4, t5, t6, t7] = &REMAINDERS;
    let (eights, rest) = bytes.as_chunks::<8>();
    for eight in eights {
        let word = u64::from_be_bytes(*eight) ^ u64::from(sum) << 32;
        let high = remainder(t7, word >> 56)
            ^ remainder(t6, word >> 48)
            ^ remainder(t5, word >> 40)
            ^ remainder(t4, word >> 32);
        let low =
            remainder(t3, word >> 24) ^ remainder(t2, word >> 16) ^ remainder(t1, word >> 8) ^ remainder(t0, word);
        sum = high ^ low;
    }
    rest.iter().fold(sum, |sum, byte| remainder(t0, u64::from(sum >> 24) ^ u64::from(*byte)) ^ sum << 8)
}

fn invalid() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "not a valid bzip2 block")
}

#[cfg(test)]
mod tests;
