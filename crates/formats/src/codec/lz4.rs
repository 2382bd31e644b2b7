//! LZ4 frames (LZ4 Frame Format 1.6.4) inside archives, one behind the other; skippable frames between them are passed.
//!
//! The 7-Zip editions that know LZ4 write a skippable frame with the packed length before each frame.

use std::io::{self, BufRead, ErrorKind, Read};

use lz4_flex::frame::FrameDecoder;

/// Two blocks of up to 8 MiB, and the window before them.
pub(super) const MEMORY: u64 = 17 << 20;
const SKIPPABLE: u32 = 0x184D_2A50;

/// Decodes frames.
pub(super) struct Lz4<R: Read> {
    input: Option<R>,
    frame: Option<FrameDecoder<R>>,
}

impl<R: BufRead> Lz4<R> {
    pub(super) fn new(input: R) -> Lz4<R> {
        Lz4 { input: Some(input), frame: None }
    }

    /// Begins the next frame; none at the end.
    fn begin(&mut self) -> io::Result<()> {
        let Some(mut input) = self.input.take() else { return Ok(()) };
        while let head = input.fill_buf()?
            && !head.is_empty()
        {
            let magic = head.first_chunk().copied().map_or(0, u32::from_le_bytes);
            if magic & 0xFFFF_FFF0 != SKIPPABLE {
                self.frame = Some(FrameDecoder::new(input));
                break;
            }
            let mut header = [0; 8];
            input.read_exact(&mut header)?;
            let [_, _, _, _, size @ ..] = header;
            let size = u64::from(u32::from_le_bytes(size));
            if io::copy(&mut (&mut input).take(size), &mut io::sink())? < size {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Lz4<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() {
            let Some(frame) = &mut self.frame else {
                self.begin()?;
                if self.frame.is_none() {
                    return Ok(0);
                }
                continue;
            };
            let got = frame.read(buffer)?;
            if got > 0 {
                return Ok(got);
            }
            self.input = self.frame.take().map(FrameDecoder::into_inner);
        }
        Ok(0)
    }
}
