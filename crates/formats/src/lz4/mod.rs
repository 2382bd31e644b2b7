//! LZ4 frames (LZ4 Frame Format 1.6.4), the legacy frames of `lz4 -l` and of Linux kernels, and skippable frames.
//!
//! The frame is read here and only blocks are left to the codec, because a frame that breaks off between two blocks must
//! not look complete. A block with a wrong checksum is decoded all the same and remarked.

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;

use dachs_base::{Budget, Name, Source};
use lz4_flex::block::decompress_into_with_dict;

use crate::Unpack;
use crate::stream::frames::{self, Begun, Frame, no_frame};
use crate::stream::{Fenced, SourceRead, remark};

mod xxh32;

use xxh32::Xxh32;

const MAGIC: u32 = 0x184d_2204;
const LEGACY: u32 = 0x184c_2102;
const SKIPPABLE: u32 = 0x184d_2a50;
/// The size of a legacy block.
const LEGACY_BLOCK: usize = 8 << 20;
/// How far blocks that are linked look back.
const WINDOW: usize = 64 * 1024;

/// Unpacks an LZ4 stream.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    frames::open(source, budget, Name::new(b"content"), begin)
}

fn begin(mut input: SourceRead, budget: &Budget, before: u64) -> io::Result<Begun> {
    let mut skipped = false;
    loop {
        let start = input.position();
        let (magic, got) = input.peek::<4>();
        let magic = if got == 4 { u32::from_le_bytes(magic) } else { 0 };
        match magic {
            MAGIC | LEGACY => return frame(input, magic, budget),
            _ if magic & 0xffff_fff0 == SKIPPABLE => skip_frame(&mut input, budget)?,
            _ if before == 0 && !skipped => return Err(no_frame()),
            _ => return Ok(Begun::End(start)),
        }
        skipped = true;
    }
}

fn skip_frame(input: &mut SourceRead, budget: &Budget) -> io::Result<()> {
    budget.check_time().map_err(|_| io::Error::from(ErrorKind::TimedOut))?;
    input.read_exact(&mut [0; 4])?;
    let size = word(input)?;
    if let Some(before_last) = size.checked_sub(1) {
        input.go_to(input.position().saturating_add(u64::from(before_last)));
        input.read_exact(&mut [0])?;
    }
    Ok(())
}

fn frame(mut input: SourceRead, magic: u32, budget: &Budget) -> io::Result<Begun> {
    input.read_exact(&mut [0; 4])?;
    let header = if magic == LEGACY { Header::legacy() } else { Header::read(&mut input)? };
    // A block as it stands in the frame, decoded, and the window before it.
    let memory = header.block.saturating_mul(2).saturating_add(WINDOW);
    let memory = u64::try_from(memory).unwrap_or(u64::MAX);
    let make = || Ok(Lz4 { input, header, output: Vec::new(), at: 0, digest: Xxh32::new(), given: 0, ended: None });
    Ok(Begun::Frame(Box::new(Fenced::new(budget, memory, make)?)))
}

fn word(input: &mut SourceRead) -> io::Result<u32> {
    let mut bytes = [0; 4];
    input.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

/// The frame descriptor: FLG, BD, content size, dictionary, header checksum.
struct Header {
    block: usize,
    linked: bool,
    block_checksums: bool,
    content_checksum: bool,
    length: Option<u64>,
    legacy: bool,
    odd: Option<&'static str>,
}

impl Header {
    fn legacy() -> Header {
        Header {
            block: LEGACY_BLOCK,
            linked: false,
            block_checksums: false,
            content_checksum: false,
            length: None,
            legacy: true,
            odd: None,
        }
    }

    fn read(input: &mut SourceRead) -> io::Result<Header> {
        let mut descriptor = vec![0; 2];
        input.read_exact(&mut descriptor)?;
        let (flags, sizes) = match *descriptor.as_slice() {
            [flags, sizes] => (flags, sizes),
            _ => return Err(no_frame()),
        };
        let more = if flags & 8 != 0 { 8 } else { 0 } + if flags & 1 != 0 { 4 } else { 0 };
        descriptor.resize(2 + more, 0);
        input.read_exact(descriptor.get_mut(2..).unwrap_or_default())?;
        let mut checksum = [0];
        input.read_exact(&mut checksum)?;
        if flags >> 6 != 1 || flags & 1 != 0 {
            return Err(io::Error::new(ErrorKind::Unsupported, "an LZ4 frame of another version or with a dictionary"));
        }
        let length = descriptor.get(2..10).filter(|_| flags & 8 != 0);
        let [_, second, ..] = Xxh32::of(&descriptor).to_le_bytes();
        let odd = (checksum != [second]).then_some("the LZ4 header checksum is wrong");
        Ok(Header {
            block: block_size(sizes)?,
            linked: flags & 0x20 == 0,
            block_checksums: flags & 0x10 != 0,
            content_checksum: flags & 4 != 0,
            length: length.and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes),
            legacy: false,
            odd,
        })
    }
}

fn block_size(sizes: u8) -> io::Result<usize> {
    match sizes >> 4 & 7 {
        4 => Ok(64 << 10),
        5 => Ok(256 << 10),
        6 => Ok(1 << 20),
        7 => Ok(4 << 20),
        _ => Err(io::Error::new(ErrorKind::InvalidData, "an LZ4 frame without block size")),
    }
}

struct Lz4 {
    input: SourceRead,
    header: Header,
    /// The window of linked blocks, and the newest block.
    output: Vec<u8>,
    /// How much of `output` was given.
    at: usize,
    digest: Xxh32,
    given: u64,
    ended: Option<io::Result<()>>,
}

impl Lz4 {
    /// Reads one block into `output`; false at the end of the frame.
    fn block(&mut self) -> io::Result<bool> {
        let Some(size) = self.block_word()? else { return self.end().map(|()| false) };
        let stored = !self.header.legacy && size & 0x8000_0000 != 0;
        let length = usize::try_from(if stored { size & 0x7fff_ffff } else { size }).unwrap_or(usize::MAX);
        // A compressed block may be a little longer than its content (LZ4 block format, worst case).
        if length > self.header.block + self.header.block / 255 + 16 {
            return Err(io::Error::new(ErrorKind::InvalidData, "an LZ4 block that is too long"));
        }
        let mut data = vec![0; length];
        let got = self.input.read_fully(&mut data);
        data.truncate(got);
        self.keep_window();
        let decoded = self.decode(&data, stored);
        if got < length {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if self.header.block_checksums && word(&mut self.input)? != Xxh32::of(&data) {
            self.header.odd = Some("an LZ4 block checksum is wrong");
        }
        decoded.map(|()| true)
    }

    /// The size of the next block; `None` at the end mark, or where a legacy frame ends.
    fn block_word(&mut self) -> io::Result<Option<u32>> {
        let (bytes, got) = self.input.peek::<4>();
        let size = u32::from_le_bytes(bytes);
        let other_frame = matches!(size, MAGIC | LEGACY) || size & 0xffff_fff0 == SKIPPABLE;
        if self.header.legacy && (got == 0 || size == 0 || other_frame) {
            return Ok(None);
        }
        if got < 4 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.input.go_to(self.input.position().saturating_add(4));
        Ok(if size == 0 && !self.header.legacy { None } else { Some(size) })
    }

    fn keep_window(&mut self) {
        let keep = if self.header.linked { WINDOW } else { 0 };
        let drop = self.output.len().saturating_sub(keep);
        self.output.drain(..drop);
        self.at = self.output.len();
    }

    fn decode(&mut self, data: &[u8], stored: bool) -> io::Result<()> {
        let start = self.output.len();
        if stored {
            self.output.extend(data.iter().take(self.header.block));
        } else {
            self.output.resize(start.saturating_add(self.header.block), 0);
            let (window, room) = self.output.split_at_mut(start);
            let decoded = decompress_into_with_dict(data, room, window);
            self.output.truncate(start.saturating_add(*decoded.as_ref().unwrap_or(&0)));
            decoded.map_err(|_| io::Error::new(ErrorKind::InvalidData, "invalid LZ4 data"))?;
        }
        if self.header.content_checksum {
            self.digest.update(self.output.get(start..).unwrap_or(&[]));
        }
        Ok(())
    }

    /// The content checksum, and the length that the header states.
    fn end(&mut self) -> io::Result<()> {
        if self.header.content_checksum && word(&mut self.input)? != self.digest.finish() {
            self.header.odd = Some("the LZ4 content checksum is wrong");
        }
        match self.header.length {
            Some(length) if self.given < length => {
                Err(io::Error::new(ErrorKind::InvalidData, "the LZ4 frame is shorter than stated"))
            }
            Some(length) if self.given > length => Err(remark("the LZ4 frame is longer than stated")),
            _ => self.header.odd.map_or(Ok(()), |detail| Err(remark(detail))),
        }
    }
}

impl Read for Lz4 {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() {
            let rest = self.output.get(self.at..).unwrap_or(&[]);
            let count = rest.len().min(buffer.len());
            if let (true, Some(to), Some(from)) = (count > 0, buffer.get_mut(..count), rest.get(..count)) {
                to.copy_from_slice(from);
                self.at += count;
                self.given = self.given.saturating_add(u64::try_from(count).unwrap_or(0));
                return Ok(count);
            }
            if let Some(ended) = self.ended.as_mut() {
                return std::mem::replace(ended, Ok(())).map(|()| 0);
            }
            match self.block() {
                Ok(true) => {}
                Ok(false) => self.ended = Some(Ok(())),
                Err(error) => self.ended = Some(Err(error)),
            }
        }
        Ok(0)
    }
}

impl Frame for Lz4 {
    fn finish(self: Box<Self>) -> SourceRead {
        self.input
    }
}
