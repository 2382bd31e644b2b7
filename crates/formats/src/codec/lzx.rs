//! LZX ([MS-PATCH] 2.1 to 2.7 without its deltas; "Microsoft LZX Data Compression Format", part of the Cabinet SDK).
//!
//! A stream is cut into frames of 32 KiB, each in a data block of its own; blocks of codes go on from frame to frame.
//! Bits come in 16-bit words, the lowest byte first and the highest bit first. Behind everything stands a filter that
//! turns the absolute targets of x86 calls into relative ones.
//!
//! In WIM files each chunk is a stream of its own, the filter is always on, and headers of blocks are shorter.
//!
//! Reading is by position in the frame at hand, so that nothing need be kept between frames but the codes, the window and
//! three distances.

use super::huffman::Codes;

/// Bytes of a frame; only the last may be shorter.
pub(crate) const FRAME: usize = 32 * 1024;
/// Symbols of the codes for lengths and for the aligned bits.
const LENGTHS: usize = 249;
const ALIGNED: usize = 8;
/// The filter stops after so many bytes.
const FILTERED: usize = FRAME * 32768;

/// Data that no encoder makes.
#[derive(Debug)]
pub(crate) struct Broken;

/// A decoder between two frames.
pub(crate) struct Lzx {
    window: Vec<u8>,
    /// Where the next byte goes in the window.
    at: usize,
    /// The last three distances, newest first.
    recent: [usize; 3],
    main_lengths: Vec<u8>,
    length_lengths: Vec<u8>,
    main: Codes,
    length: Codes,
    aligned: Codes,
    block: Block,
    /// Bytes left of the block.
    left: usize,
    /// A byte that fills up an uncompressed block of odd length is still to come.
    padded: bool,
    /// The size of the file that the filter believes in; absent before the first frame, 0 without a filter.
    filter: Option<u32>,
    /// Bytes of the frames before.
    before: usize,
    /// The headers of blocks are those of a WIM file.
    wim: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Block {
    Verbatim,
    Aligned,
    Stored,
}

/// Size of the window, in bytes; `None` if there is no such window.
pub(crate) fn window_size(bits: u16) -> Option<usize> {
    (15..=21).contains(&bits).then(|| 1 << bits)
}

impl Lzx {
    /// A decoder with a window of 2 to the power of `bits`, 15 to 21.
    pub(crate) fn new(bits: u16) -> Option<Lzx> {
        let slots = match bits {
            20 => 42,
            21 => 50,
            _ => usize::from(bits) * 2,
        };
        Some(Lzx {
            window: vec![0; window_size(bits)?],
            at: 0,
            recent: [1; 3],
            main_lengths: vec![0; 256 + 8 * slots],
            length_lengths: vec![0; LENGTHS],
            main: Codes::default(),
            length: Codes::default(),
            aligned: Codes::default(),
            block: Block::Verbatim,
            left: 0,
            padded: false,
            filter: None,
            before: 0,
            wim: false,
        })
    }

    /// Decodes a chunk of a WIM file, of 2 to the power of `bits` bytes or fewer.
    pub(crate) fn wim_chunk(bits: u16, input: &[u8], length: usize) -> Result<Vec<u8>, Broken> {
        /// The size of the file that the filter believes in.
        const FILTERED_FILE: u32 = 12_000_000;
        let mut decoder = Lzx::new(bits).ok_or(Broken)?;
        (decoder.wim, decoder.filter) = (true, Some(FILTERED_FILE));
        decoder.frame(input, length)
    }

    /// Decodes the frame in `input` into `length` plain bytes. Some encoders fill up the last frame, so that a match reaches
    /// past the end of a frame that is shorter than others; it is cut there.
    pub(crate) fn frame(&mut self, input: &[u8], length: usize) -> Result<Vec<u8>, Broken> {
        let mut bits = Bits { input, at: 0 };
        if self.filter.is_none() {
            let filter = if bits.take(1)? == 1 { bits.take(16)? << 16 | bits.take(16)? } else { 0 };
            self.filter = Some(filter);
        }
        let mut plain = Vec::with_capacity(length.min(FRAME));
        while plain.len() < length {
            if self.left == 0 {
                self.begin_block(&mut bits)?;
            }
            let room = length - plain.len();
            match self.block {
                Block::Stored => self.stored(&mut bits, room, &mut plain)?,
                _ => self.coded(&mut bits, room, length < FRAME, &mut plain)?,
            }
        }
        let filtered = self.before;
        self.before = self.before.saturating_add(plain.len());
        if filtered < FILTERED {
            unfilter(&mut plain, filtered, self.filter.unwrap_or(0));
        }
        Ok(plain)
    }

    fn begin_block(&mut self, bits: &mut Bits<'_>) -> Result<(), Broken> {
        if std::mem::take(&mut self.padded) {
            bits.bytes::<1>()?;
        }
        let kind = bits.take(3)?;
        let size = match self.wim {
            true if bits.take(1)? == 1 => 32 * 1024,
            true if self.window.len() < 64 * 1024 => bits.take(16)?,
            _ => bits.take(16)? << 8 | bits.take(8)?,
        };
        self.left = usize::try_from(size).ok().filter(|size| *size > 0).ok_or(Broken)?;
        self.block = match kind {
            1 => Block::Verbatim,
            2 => Block::Aligned,
            3 => Block::Stored,
            _ => return Err(Broken),
        };
        if self.block == Block::Stored {
            bits.align();
            for distance in &mut self.recent {
                *distance = usize::try_from(u32::from_le_bytes(bits.bytes()?)).map_err(|_| Broken)?;
            }
            self.padded = self.left % 2 == 1;
            return Ok(());
        }
        if self.block == Block::Aligned {
            let mut lengths = [0; ALIGNED];
            for length in &mut lengths {
                *length = small(bits.take(3)?);
            }
            self.aligned = Codes::new(&lengths).ok_or(Broken)?;
        }
        let (letters, matches) = self.main_lengths.split_at_mut_checked(256).ok_or(Broken)?;
        read_lengths(bits, letters)?;
        read_lengths(bits, matches)?;
        self.main = Codes::new(&self.main_lengths).ok_or(Broken)?;
        read_lengths(bits, &mut self.length_lengths)?;
        self.length = Codes::new(&self.length_lengths).ok_or(Broken)?;
        Ok(())
    }

    /// Bytes of a block that is not compressed.
    fn stored(&mut self, bits: &mut Bits<'_>, room: usize, plain: &mut Vec<u8>) -> Result<(), Broken> {
        for _ in 0..room.min(self.left) {
            let [byte] = bits.bytes()?;
            self.put(byte, plain);
        }
        self.left -= room.min(self.left);
        if self.left == 0 && self.padded && bits.bytes::<1>().is_ok() {
            self.padded = false;
        }
        Ok(())
    }

    /// One byte or match.
    fn coded(&mut self, bits: &mut Bits<'_>, room: usize, last: bool, plain: &mut Vec<u8>) -> Result<(), Broken> {
        let symbol = bits.symbol(&self.main)?;
        if let Ok(byte) = u8::try_from(symbol) {
            self.left -= 1;
            self.put(byte, plain);
            return Ok(());
        }
        let symbol = symbol - 256;
        let length = match symbol % 8 {
            7 => usize::from(bits.symbol(&self.length)?) + 9,
            short => usize::from(short) + 2,
        };
        let distance = self.distance(bits, u32::from(symbol / 8))?;
        let length = if last { length.min(room) } else { length };
        if length > room || length > self.left || distance == 0 || distance > self.window.len() {
            return Err(Broken);
        }
        self.left -= length;
        let mask = self.window.len() - 1;
        for _ in 0..length {
            let from = self.at.wrapping_sub(distance) & mask;
            let byte = self.window.get(from).copied().unwrap_or(0);
            self.put(byte, plain);
        }
        Ok(())
    }

    /// The distance of a match whose symbol names this slot.
    fn distance(&mut self, bits: &mut Bits<'_>, slot: u32) -> Result<usize, Broken> {
        let [newest, second, oldest] = self.recent;
        let (distance, recent) = match slot {
            0 => (newest, self.recent),
            1 => (second, [second, newest, oldest]),
            2 => (oldest, [oldest, second, newest]),
            _ => {
                let (base, extra) = slot_shape(slot);
                let offset = base + self.extra_bits(bits, extra)? - 2;
                let distance = usize::try_from(offset).map_err(|_| Broken)?;
                (distance, [distance, newest, second])
            }
        };
        self.recent = recent;
        Ok(distance)
    }

    fn extra_bits(&self, bits: &mut Bits<'_>, extra: u32) -> Result<u32, Broken> {
        if self.block == Block::Aligned && extra >= 3 {
            let high = long(bits, extra - 3)? << 3;
            return Ok(high + u32::from(bits.symbol(&self.aligned)?));
        }
        long(bits, extra)
    }

    fn put(&mut self, byte: u8, plain: &mut Vec<u8>) {
        if let Some(place) = self.window.get_mut(self.at) {
            *place = byte;
        }
        self.at = (self.at + 1) & (self.window.len() - 1);
        plain.push(byte);
    }
}

/// The first distance of a slot (plus two), and how many bits are added.
fn slot_shape(slot: u32) -> (u32, u32) {
    match slot {
        0..4 => (slot, 0),
        4..36 => ((2 + slot % 2) << (slot / 2 - 1), slot / 2 - 1),
        _ => ((slot - 34) << 17, 17),
    }
}

/// Up to 17 bits.
fn long(bits: &mut Bits<'_>, count: u32) -> Result<u32, Broken> {
    match count.checked_sub(16) {
        Some(high) => Ok(bits.take(high)? << 16 | bits.take(16)?),
        None => bits.take(count),
    }
}

/// Lengths of codes, as differences to those before ([MS-PATCH] 2.4).
fn read_lengths(bits: &mut Bits<'_>, lengths: &mut [u8]) -> Result<(), Broken> {
    let mut own = [0; 20];
    for length in &mut own {
        *length = small(bits.take(4)?);
    }
    let codes = Codes::new(&own).ok_or(Broken)?;
    let mut at = 0;
    while at < lengths.len() {
        let symbol = bits.symbol(&codes)?;
        let before = lengths.get(at).copied().unwrap_or(0);
        let (value, count) = match symbol {
            17 => (0, bits.take(4)? + 4),
            18 => (0, bits.take(5)? + 20),
            19 => {
                let count = bits.take(1)? + 4;
                (difference(before, bits.symbol(&codes)?)?, count)
            }
            _ => (difference(before, symbol)?, 1),
        };
        let end = at + usize::try_from(count).map_err(|_| Broken)?;
        lengths.get_mut(at..end).ok_or(Broken)?.fill(value);
        at = end;
    }
    Ok(())
}

fn difference(before: u8, symbol: u16) -> Result<u8, Broken> {
    let symbol = u8::try_from(symbol).ok().filter(|symbol| *symbol <= 16).ok_or(Broken)?;
    Ok((before + 17 - symbol) % 17)
}

fn small(number: u32) -> u8 {
    u8::try_from(number).unwrap_or(0)
}

/// Turns the targets of calls back ("E8 preprocessing").
fn unfilter(plain: &mut [u8], before: usize, file: u32) {
    let (Ok(file), Some(end)) = (i32::try_from(file), plain.len().checked_sub(10)) else { return };
    let mut at = 0;
    while at < end && file > 0 {
        let call = plain.get(at) == Some(&0xE8);
        let target = plain.get_mut(at + 1..).and_then(|rest| rest.first_chunk_mut::<4>());
        at += 1;
        let (true, Some(target)) = (call, target) else { continue };
        let Ok(place) = i32::try_from(before + at - 1) else { return };
        let absolute = i32::from_le_bytes(*target);
        if absolute >= -place && absolute < file {
            let relative = if absolute >= 0 { absolute - place } else { absolute + file };
            *target = relative.to_le_bytes();
        }
        at += 4;
    }
}

/// Bits of a frame, by position.
struct Bits<'a> {
    input: &'a [u8],
    /// How many bits were taken.
    at: usize,
}

impl Bits<'_> {
    /// The next 16 bits, zeros behind the end.
    fn peek(&self) -> u16 {
        let word = |number: usize| {
            let byte = |at: usize| u32::from(self.input.get(at).copied().unwrap_or(0));
            byte(number * 2) | byte(number * 2 + 1) << 8
        };
        let both = word(self.at / 16) << 16 | word(self.at / 16 + 1);
        u16::try_from(both << (self.at % 16) >> 16).unwrap_or(0)
    }

    fn skip(&mut self, count: u32) -> Result<(), Broken> {
        self.at += usize::try_from(count).map_err(|_| Broken)?;
        // The last word may be half there.
        if self.at > self.input.len().next_multiple_of(2) * 8 { Err(Broken) } else { Ok(()) }
    }

    /// Up to 16 bits.
    fn take(&mut self, count: u32) -> Result<u32, Broken> {
        let bits = u32::from(self.peek()) >> (16 - count.min(16));
        self.skip(count)?;
        Ok(bits)
    }

    fn symbol(&mut self, codes: &Codes) -> Result<u16, Broken> {
        let (symbol, length) = codes.decode(self.peek()).ok_or(Broken)?;
        self.skip(u32::from(length))?;
        Ok(symbol)
    }

    /// Passes 1 to 16 bits, to the next word.
    fn align(&mut self) {
        self.at = (self.at / 16 + 1) * 16;
    }

    /// Bytes as they are; only from a whole byte on. The words that follow are counted from behind them.
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        let rest = self.input.get(self.at / 8..).ok_or(Broken)?;
        let (bytes, rest) = rest.split_first_chunk::<N>().ok_or(Broken)?;
        self.input = rest;
        self.at = 0;
        Ok(*bytes)
    }
}
