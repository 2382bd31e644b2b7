//! Zstandard (RFC 8878): frames and skippable frames, one behind the other.
//!
//! Frames that need a dictionary are unsupported. The codec holds back the last window of bytes until a frame ends, so a
//! frame that breaks off is ended by hand with an empty last block ([`Zstd::rescue`]): all bytes before the damage are
//! given.

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;

use dachs_base::{Budget, Name, Reader, Short, Source};
use ruzstd::decoding::errors::FrameDecoderError;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::Unpack;
use crate::stream::frames::{self, Begun, Frame, no_frame};
use crate::stream::{Fenced, SourceRead, remark};

/// 3.1.1: magic of a frame.
const MAGIC: u32 = 0xfd2f_b528;
/// 3.1.2: magic of a skippable frame, the last four bits being free.
const SKIPPABLE: u32 = 0x184d_2a50;
/// Tables, a block and its literals, and what the window needs besides itself.
const FIXED: u64 = 1 << 20;
/// Bytes decoded at once.
const STEP: usize = 64 * 1024;

/// Unpacks a Zstandard stream.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    frames::open(source, budget, Name::new(b"content"), begin)
}

fn begin(mut input: SourceRead, budget: &Budget, before: u64) -> io::Result<Begun> {
    let mut skipped = false;
    loop {
        let (head, got) = input.peek::<18>();
        let head = head.get(..got).unwrap_or(&head);
        match Reader::new(head, "zstd magic").u32_le() {
            Ok(MAGIC) => return frame(input, head, budget),
            Ok(magic) if magic & 0xffff_fff0 == SKIPPABLE => skip_frame(&mut input, budget)?,
            _ if before == 0 && !skipped => return Err(no_frame()),
            _ => return Ok(Begun::End(input.position())),
        }
        skipped = true;
    }
}

fn skip_frame(input: &mut SourceRead, budget: &Budget) -> io::Result<()> {
    budget.check_time().map_err(|_| io::Error::from(ErrorKind::TimedOut))?;
    let mut header = [0; 8];
    input.read_exact(&mut header)?;
    let [_, _, _, _, size @ ..] = header;
    let size = u32::from_le_bytes(size);
    // The last byte is read, so that a frame that is cut off is an error.
    if let Some(before_last) = size.checked_sub(1) {
        input.go_to(input.position().saturating_add(u64::from(before_last)));
        input.read_exact(&mut [0])?;
    }
    Ok(())
}

fn frame(mut input: SourceRead, head: &[u8], budget: &Budget) -> io::Result<Begun> {
    let header = Header::read(head).map_err(|_| io::Error::from(ErrorKind::UnexpectedEof))?;
    let window = header.window.saturating_add(header.window / 2);
    let fenced = Fenced::growing(budget, FIXED, window, || {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(budget.limits().memory);
        decoder.init(&mut input).map_err(begin_error)?;
        Ok(Zstd { input, decoder, checked: header.checked, length: header.length, given: 0, error: None })
    })?;
    Ok(Begun::Frame(Box::new(fenced)))
}

fn begin_error(error: FrameDecoderError) -> io::Error {
    let kind = match error {
        FrameDecoderError::WindowSizeTooBig { .. } => ErrorKind::OutOfMemory,
        FrameDecoderError::DictNotProvided { .. } => ErrorKind::Unsupported,
        _ => ErrorKind::InvalidData,
    };
    io::Error::new(kind, "a zstd frame that cannot begin: dictionary, window or header")
}

/// RFC 8878 3.1.1.1: what we need of a frame's header.
struct Header {
    window: u64,
    checked: bool,
    length: Option<u64>,
}

impl Header {
    fn read(head: &[u8]) -> Result<Header, Short> {
        let mut reader = Reader::new(head, "zstd frame header");
        reader.skip(4)?;
        let descriptor = reader.u8()?;
        let single = descriptor & 0x20 != 0;
        let window = if single { 0 } else { window_size(reader.u8()?) };
        reader.skip(match descriptor & 3 {
            3 => 4,
            count => u64::from(count),
        })?;
        let length = match descriptor >> 6 {
            0 if single => Some(u64::from(reader.u8()?)),
            0 => None,
            1 => Some(u64::from(reader.u16_le()?) + 256),
            2 => Some(u64::from(reader.u32_le()?)),
            _ => Some(reader.u64_le()?),
        };
        let window = if single { length.unwrap_or(0) } else { window };
        Ok(Header { window, checked: descriptor & 4 != 0, length })
    }
}

/// 3.1.1.1.2: exponent and mantissa.
fn window_size(byte: u8) -> u64 {
    let base = 1_u64 << (10 + u32::from(byte >> 3));
    base + base / 8 * u64::from(byte & 7)
}

struct Zstd {
    input: SourceRead,
    decoder: FrameDecoder,
    checked: bool,
    length: Option<u64>,
    given: u64,
    error: Option<io::Error>,
}

impl Zstd {
    fn decode(&mut self) {
        let strategy = BlockDecodingStrategy::UptoBytes(STEP);
        if let Err(error) = self.decoder.decode_blocks(&mut self.input, strategy) {
            let cut = self.input.peek::<1>().1 == 0;
            let kind = if cut { ErrorKind::UnexpectedEof } else { ErrorKind::InvalidData };
            drop(error);
            self.error = Some(io::Error::new(kind, "invalid zstd data"));
            self.rescue();
        }
    }

    /// Ends a broken frame with an empty raw block (3.1.1.2), so that the codec gives what it holds.
    fn rescue(&mut self) {
        let end = [1, 0, 0, 0, 0, 0, 0];
        let _ = self.decoder.decode_blocks(&end[..], BlockDecodingStrategy::UptoBlocks(1));
    }

    /// The outcome once all bytes were given.
    fn end(&mut self) -> io::Result<usize> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if self.checked && self.decoder.get_checksum_from_data() != self.decoder.get_calculated_checksum() {
            self.checked = false;
            return Err(remark("the zstd checksum is wrong"));
        }
        match self.length.take() {
            Some(length) if self.given < length => {
                Err(io::Error::new(ErrorKind::InvalidData, "the zstd frame is shorter than stated"))
            }
            Some(length) if self.given > length => Err(remark("the zstd frame is longer than stated")),
            _ => Ok(0),
        }
    }
}

impl Read for Zstd {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() {
            let got = self.decoder.read(buffer)?;
            if got > 0 {
                self.given = self.given.saturating_add(u64::try_from(got).unwrap_or(0));
                return Ok(got);
            }
            if self.decoder.is_finished() || self.error.is_some() {
                return self.end();
            }
            self.decode();
        }
        Ok(0)
    }
}

impl Frame for Zstd {
    fn finish(self: Box<Self>) -> SourceRead {
        self.input
    }
}
