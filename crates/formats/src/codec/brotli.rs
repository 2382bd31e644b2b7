//! Brotli (RFC 7932), bare or in the frames of 7-Zip's Zstandard edition.
//!
//! ```text
//! 0x184D2A50 | 8 | packed length 4 | "BR" | plain length in units of 64 KiB 2 | a stream of that length     ... again
//! ```
//!
//! Windows beyond 16 MiB ("large window brotli", no part of the RFC) are refused, so that a stream needs no more memory than
//! [`WINDOW`].

use std::io::{self, BufRead, Read};

use brotli_decompressor::{BrotliDecoderParameter, Decompressor};

use crate::stream::Careful;

/// The window and what the codec keeps beside it.
pub(super) const WINDOW: u64 = 17 << 20;
/// Tables of codes: 3 x 256 trees at most.
pub(super) const FIXED: u64 = 4 << 20;
const FRAME: u32 = 0x184D_2A50;
const BUFFER: usize = 4096;

/// Decodes one stream, or frames.
pub(super) struct Brotli<R: Read> {
    state: State<R>,
}

enum State<R: Read> {
    /// Before the first frame, or behind one.
    Between(R),
    Bare(Careful<Decompressor<R>>),
    Framed(Careful<Decompressor<io::Take<R>>>),
    Ended,
}

impl<R: BufRead> Brotli<R> {
    pub(super) fn new(input: R) -> Brotli<R> {
        Brotli { state: State::Between(input) }
    }
}

impl<R: BufRead> State<R> {
    /// Begins the stream or frame at the position of the input; `first` if there was none before.
    fn begin(mut input: R, first: bool) -> io::Result<State<R>> {
        let head = input.fill_buf()?.get(..4).and_then(|head| head.first_chunk::<4>().copied());
        match head.map(u32::from_le_bytes) {
            Some(FRAME) => {
                let mut header = [0; 16];
                input.read_exact(&mut header)?;
                let [_, _, _, _, _, _, _, _, a, b, c, d, ..] = header;
                let length = u64::from(u32::from_le_bytes([a, b, c, d]));
                Ok(State::Framed(decoder(input.take(length))))
            }
            _ if first => Ok(State::Bare(decoder(input))),
            _ => Ok(State::Ended),
        }
    }
}

fn decoder<R: Read>(input: R) -> Careful<Decompressor<R>> {
    let mut decoder = Decompressor::new(input, BUFFER);
    decoder.set_parameter(BrotliDecoderParameter::BROTLI_DECODER_PARAM_LARGE_WINDOW, 0);
    Careful::new(decoder)
}

impl<R: BufRead> Read for Brotli<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut first = matches!(self.state, State::Between(_));
        loop {
            match &mut self.state {
                State::Bare(decoder) => return decoder.read(buffer),
                State::Framed(decoder) => {
                    let got = decoder.read(buffer)?;
                    if got > 0 || buffer.is_empty() {
                        return Ok(got);
                    }
                }
                State::Ended => return Ok(0),
                State::Between(_) => {}
            }
            self.state = match std::mem::replace(&mut self.state, State::Ended) {
                State::Between(input) => State::begin(input, std::mem::take(&mut first))?,
                State::Framed(decoder) => {
                    let mut input = decoder.into_inner().into_inner();
                    io::copy(&mut input, &mut io::sink())?;
                    State::begin(input.into_inner(), false)?
                }
                other => other,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "hello\n" without compression (an uncompressed meta-block of RFC 7932 9.2).
    const HELLO: &[u8] = b"\x8f\x02\x80hello\n\x03";

    fn framed(stream: &[u8]) -> Vec<u8> {
        let length = u32::try_from(stream.len()).unwrap().to_le_bytes();
        [&FRAME.to_le_bytes()[..], &[8, 0, 0, 0], &length, b"BR\x01\0", stream].concat()
    }

    fn plain(packed: &[u8]) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        Brotli::new(packed).read_to_end(&mut plain).map(|_| plain)
    }

    #[test]
    fn bare_streams_and_frames_are_decoded() {
        assert_eq!(plain(HELLO).unwrap(), b"hello\n");
        assert_eq!(plain(&[framed(HELLO), framed(HELLO)].concat()).unwrap(), b"hello\nhello\n");
    }

    #[test]
    fn a_cut_is_an_error() {
        for length in 1..HELLO.len() {
            assert!(plain(&HELLO[..length]).is_err(), "{length}");
            assert!(plain(&framed(&HELLO[..length])).is_err(), "{length}");
        }
    }
}
