//! The loop around codecs that take a slice of input and fill a slice of output: DEFLATE and bzip2.

use std::io::{self, BufRead, ErrorKind, Read};

use super::SourceRead;
use super::frames::Frame;

/// A codec without input and output of its own.
pub(crate) trait Codec: Send {
    /// Decodes from `input` to `output`, as far as either goes.
    fn run(&mut self, input: &[u8], output: &mut [u8]) -> Ran;

    /// Reads what stands behind the compressed data: checksums.
    ///
    /// # Errors
    /// A remark if a checksum is wrong; an error if bytes are missing.
    fn trailer(&mut self, input: &mut SourceRead) -> io::Result<()>;
}

/// What a codec did.
pub(crate) struct Ran {
    /// Bytes of input used.
    pub(crate) consumed: usize,
    /// Bytes of output made.
    pub(crate) produced: usize,
    /// What comes next.
    pub(crate) next: Next,
}

/// What comes after a run of a codec.
pub(crate) enum Next {
    /// More.
    More,
    /// The trailer.
    End,
    /// Nothing: the data is broken.
    Broken(&'static str),
}

/// A frame in a codec's format.
pub(crate) struct Coded<C> {
    input: SourceRead,
    codec: C,
    /// The outcome that is given once all bytes were.
    ended: Option<io::Result<()>>,
}

impl<C: Codec> Coded<C> {
    /// Decodes the frame whose data begin at the position of the input.
    pub(crate) fn new(input: SourceRead, codec: C) -> Coded<C> {
        Coded { input, codec, ended: None }
    }

    fn step(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let input = self.input.fill_buf()?;
        let starved = input.is_empty();
        let ran = self.codec.run(input, buffer);
        self.input.consume(ran.consumed);
        match ran.next {
            Next::More if ran.produced == 0 && starved => self.ended = Some(Err(ErrorKind::UnexpectedEof.into())),
            Next::More if ran.produced == 0 && ran.consumed == 0 => {
                self.ended = Some(Err(io::Error::new(ErrorKind::InvalidData, "the decoder stands still")));
            }
            Next::More => {}
            Next::End => self.ended = Some(self.codec.trailer(&mut self.input)),
            Next::Broken(detail) => self.ended = Some(Err(io::Error::new(ErrorKind::InvalidData, detail))),
        }
        Ok(ran.produced)
    }
}

impl<C: Codec> Read for Coded<C> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() {
            if let Some(ended) = self.ended.as_mut() {
                return std::mem::replace(ended, Ok(())).map(|()| 0);
            }
            let got = self.step(buffer)?;
            if got > 0 {
                return Ok(got);
            }
        }
        Ok(0)
    }
}

impl<C: Codec> Frame for Coded<C> {
    fn finish(self: Box<Self>) -> SourceRead {
        self.input
    }
}
