//! xz (the .xz File Format 1.2.1): the decoder of a stream, or of several.
//!
//! ```text
//! stream    header 12 | blocks | index | footer 12
//! block     header (block.rs) | LZMA2 | zeros up to a multiple of 4 | check (check.rs)
//! index     0 | number of blocks | lengths of each | zeros | CRC-32
//! ```
//!
//! LZMA2 is ours ([`mod@super::lzma`]); the filters before it are those of lzma-rust2. All checks are made: of headers, of blocks, and that
//! the index tells of the blocks that were there. A wrong one ends the stream as damaged, after its bytes were given. A check of a kind that
//! nobody has defined is passed over.

mod block;
mod check;

use std::io::{self, ErrorKind, Read};

use dachs_base::{Reader, Short};

use self::block::{Chain, Header};
use self::check::Check;

/// 2.1.1.1: header magic bytes.
pub(crate) const MAGIC: [u8; 6] = [0xfd, b'7', b'z', b'X', b'Z', 0];
/// 2.1.2.4: footer magic bytes.
const FOOTER: [u8; 2] = *b"YZ";
/// What a decoder needs besides its dictionary: see [`super::lzma::FIXED`], and probabilities.
pub(crate) const FIXED: u64 = super::lzma::FIXED + 64 * 1024;

/// 1.2: a number of 7 bits a byte.
pub(crate) fn number(reader: &mut Reader<'_>) -> Result<u64, Short> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let byte = reader.u8()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    Ok(value)
}

/// An input whose bytes are counted.
struct Counted<R> {
    inner: R,
    count: u64,
}

impl<R> Counted<R> {
    fn new(inner: R) -> Counted<R> {
        Counted { inner, count: 0 }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.inner.read(buffer)?;
        self.count = self.count.saturating_add(u64::try_from(got).unwrap_or(0));
        Ok(got)
    }
}

/// A stream at work.
pub(crate) struct Xz<R: Read> {
    state: State<R>,
    /// No block may need a larger dictionary.
    most: u64,
    /// Whether another stream may follow.
    many: bool,
    /// Flags of the stream's header.
    flags: [u8; 2],
    seen: Records,
    ended: bool,
}

enum State<R: Read> {
    /// Before the header of a stream.
    Start(R),
    /// Before a block, or the index.
    Between(R),
    Block(Box<Block<R>>),
    Ended(R),
    /// An error took the input away.
    Lost,
}

/// A block at work.
struct Block<R: Read> {
    chain: Chain<R>,
    header: Header,
    check: Check,
    made: u64,
}

/// The lengths of blocks, as a checksum of them: what was there, and what the index says.
#[derive(Default)]
struct Records {
    count: u64,
    sum: crc32fast::Hasher,
}

impl Records {
    fn add(&mut self, packed: u64, plain: u64) {
        self.count = self.count.saturating_add(1);
        self.sum.update(&packed.to_le_bytes());
        self.sum.update(&plain.to_le_bytes());
    }

    fn agree(self, other: Records) -> bool {
        self.count == other.count && self.sum.finalize() == other.sum.finalize()
    }
}

impl<R: Read> Xz<R> {
    /// Decodes the stream that `input` stands at, and those behind it if there may be `many`. A block whose dictionary has more than `most`
    /// bytes is refused for want of memory.
    pub(crate) fn new(input: R, many: bool, most: u64) -> Xz<R> {
        Xz { state: State::Start(input), most, many, flags: [0; 2], seen: Records::default(), ended: false }
    }

    /// The input behind the stream; absent if an error came before its end.
    pub(crate) fn into_input(self) -> Option<R> {
        match self.state {
            State::Ended(input) => Some(input),
            _ => None,
        }
    }

    /// Some bytes of the block at work.
    fn run(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let State::Block(block) = &mut self.state else { return Ok(0) };
        let got = block.chain.read(buffer)?;
        block.check.update(buffer.get(..got).unwrap_or(&[]));
        block.made = block.made.saturating_add(u64::try_from(got).unwrap_or(0));
        Ok(got)
    }

    /// Goes on to the next block, or to the end.
    fn advance(&mut self) -> io::Result<()> {
        self.state = match std::mem::replace(&mut self.state, State::Lost) {
            State::Start(mut input) => {
                self.begin(&mut input)?;
                State::Between(input)
            }
            State::Between(input) => self.next_block(input)?,
            State::Block(block) => State::Between(self.end_block(*block)?),
            ended => ended,
        };
        Ok(())
    }

    /// 2.1.1: the header of a stream.
    fn begin(&mut self, input: &mut R) -> io::Result<()> {
        let mut header = [0; 12];
        input.read_exact(&mut header)?;
        self.header(header)
    }

    fn header(&mut self, header: [u8; 12]) -> io::Result<()> {
        let [magic @ .., first, second, a, b, c, d] = header;
        self.flags = [first, second];
        if magic != MAGIC || crc32fast::hash(&self.flags).to_le_bytes() != [a, b, c, d] {
            return Err(invalid("the header of an xz stream is broken"));
        }
        if first != 0 || second > 15 {
            return Err(io::Error::new(ErrorKind::Unsupported, "an xz stream of an unknown kind"));
        }
        Ok(())
    }

    fn next_block(&mut self, mut input: R) -> io::Result<State<R>> {
        let [first] = bytes(&mut input)?;
        if first == 0 {
            self.index(&mut input)?;
            self.footer(&mut input)?;
            let more = self.many && self.next_stream(&mut input)?;
            return Ok(if more { State::Between(input) } else { State::Ended(input) });
        }
        let header = Header::read(first, &mut input)?;
        if header.dictionary() > self.most {
            return Err(ErrorKind::OutOfMemory.into());
        }
        let check = Check::new(self.flags[1]).ok_or_else(|| invalid("the check of an xz stream cannot be"))?;
        let chain = header.chain(input);
        Ok(State::Block(Box::new(Block { chain, header, check, made: 0 })))
    }

    /// 3.3 and 3.4: what stands behind the data of a block.
    fn end_block(&mut self, block: Block<R>) -> io::Result<R> {
        let Counted { inner: mut input, count: packed } = block.chain.into_inner();
        let wrong = |told: Option<u64>, found: u64| told.is_some_and(|told| told != found);
        if wrong(block.header.packed, packed) || wrong(block.header.plain, block.made) {
            return Err(invalid("an xz block has not the length that it states"));
        }
        padding(&mut input, packed)?;
        let mut sum = [0; 64];
        let sum = sum.get_mut(..block.check.size()).unwrap_or_default();
        input.read_exact(sum)?;
        let size = block.header.size.saturating_add(packed).saturating_add(u64::try_from(sum.len()).unwrap_or(0));
        self.seen.add(size, block.made);
        if block.check.agrees(sum) { Ok(input) } else { Err(invalid("the checksum of an xz block is wrong")) }
    }

    /// 4: the index, whose first byte was read.
    fn index(&mut self, input: &mut R) -> io::Result<()> {
        let mut index = Index { input, sum: crc32fast::Hasher::new(), length: 1 };
        index.sum.update(&[0]);
        let count = index.number()?;
        let mut told = Records::default();
        let seen = std::mem::take(&mut self.seen);
        if count != seen.count {
            return Err(invalid("the index of an xz stream tells of other blocks"));
        }
        for _ in 0..count {
            let (packed, plain) = (index.number()?, index.number()?);
            told.add(packed, plain);
        }
        while !index.length.is_multiple_of(4) {
            if index.byte()? != 0 {
                return Err(invalid("the index of an xz stream is broken"));
            }
        }
        let sum = index.sum.finalize().to_le_bytes();
        if bytes(input)? != sum || !told.agree(seen) {
            return Err(invalid("the index of an xz stream is wrong"));
        }
        Ok(())
    }

    /// 2.1.2: the footer. The length of the index in it is not compared: nobody goes backwards.
    fn footer(&mut self, input: &mut R) -> io::Result<()> {
        let [a, b, c, d, size @ .., first, second, y, z] = bytes::<12, R>(input)?;
        let [e, f, g, h] = size;
        let sum = crc32fast::hash(&[e, f, g, h, first, second]).to_le_bytes();
        if [y, z] != FOOTER || sum != [a, b, c, d] || self.flags != [first, second] {
            return Err(invalid("the footer of an xz stream is broken"));
        }
        Ok(())
    }

    /// 2.2: looks for another stream behind zeros.
    fn next_stream(&mut self, input: &mut R) -> io::Result<bool> {
        loop {
            let mut header = [0; 12];
            let (first, rest) = header.split_at_mut(4);
            match read_up_to(input, first)? {
                0 => return Ok(false),
                4 if *first == [0; 4] => {}
                _ => {
                    input.read_exact(rest)?;
                    return self.header(header).map(|()| true);
                }
            }
        }
    }
}

/// The index while it is read.
struct Index<'a, R> {
    input: &'a mut R,
    sum: crc32fast::Hasher,
    length: u64,
}

impl<R: Read> Index<'_, R> {
    fn byte(&mut self) -> io::Result<u8> {
        let [byte] = bytes(self.input)?;
        self.sum.update(&[byte]);
        self.length = self.length.saturating_add(1);
        Ok(byte)
    }

    fn number(&mut self) -> io::Result<u64> {
        let mut value = 0;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(invalid("a number of an xz index is too long"))
    }
}

/// Zeros up to a multiple of four bytes.
fn padding(input: &mut impl Read, length: u64) -> io::Result<()> {
    for _ in 0..length.wrapping_neg() % 4 {
        if bytes(input)? != [0] {
            return Err(invalid("the padding of an xz block is not zero"));
        }
    }
    Ok(())
}

fn bytes<const N: usize, R: Read>(input: &mut R) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// As many bytes as there are.
fn read_up_to(input: &mut impl Read, mut buffer: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while !buffer.is_empty() {
        match input.read(buffer)? {
            0 => break,
            got => {
                done += got;
                buffer = buffer.get_mut(got..).unwrap_or_default();
            }
        }
    }
    Ok(done)
}

impl<R: Read> Read for Xz<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() && !self.ended {
            let got = self.run(buffer).inspect_err(|_| self.ended = true)?;
            if got > 0 {
                return Ok(got);
            }
            if matches!(self.state, State::Ended(_) | State::Lost) {
                return Ok(0);
            }
            self.advance().inspect_err(|_| self.ended = true)?;
        }
        Ok(0)
    }
}

fn invalid(detail: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, detail)
}
