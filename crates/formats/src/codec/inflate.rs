//! Deflate (RFC 1951), with the one thing that the usual readers leave out: a stream that is cut off is an error.

use std::io::{self, BufRead, ErrorKind, Read};

use flate2::{Decompress, FlushDecompress, Status};

/// Decodes one raw stream.
pub(super) struct Inflate<R> {
    input: R,
    state: Decompress,
    ended: bool,
}

impl<R: BufRead> Inflate<R> {
    /// Begins at the next byte of `input`.
    pub(super) fn new(input: R) -> Inflate<R> {
        Inflate { input, state: Decompress::new(false), ended: false }
    }

    /// One call of the decoder: bytes made, and whether the input is at its end.
    fn step(&mut self, buffer: &mut [u8]) -> io::Result<(usize, bool)> {
        let input = self.input.fill_buf()?;
        let at_end = input.is_empty();
        let (before_in, before_out) = (self.state.total_in(), self.state.total_out());
        let result = self.state.decompress(input, buffer, FlushDecompress::None);
        let taken = usize::try_from(self.state.total_in() - before_in).unwrap_or(0);
        let made = usize::try_from(self.state.total_out() - before_out).unwrap_or(0);
        self.input.consume(taken);
        match result {
            Ok(status) => self.ended = status == Status::StreamEnd,
            Err(_) if made > 0 => {}
            Err(_) => return Err(io::Error::new(ErrorKind::InvalidData, "not a valid deflate stream")),
        }
        Ok((made, at_end || (taken == 0 && made == 0)))
    }
}

impl<R: BufRead> Read for Inflate<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.ended && !buffer.is_empty() {
            match self.step(buffer)? {
                (0, true) if !self.ended => return Err(ErrorKind::UnexpectedEof.into()),
                (0, _) => {}
                (made, _) => return Ok(made),
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn deflated(plain: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_cut_is_an_error_and_keeps_what_came_before() {
        let plain: Vec<u8> = (0..5000u32).flat_map(|number| number.to_string().into_bytes()).collect();
        let packed = deflated(&plain);
        for cut in 0..packed.len() {
            let mut got = Vec::new();
            let error = Inflate::new(&packed[..cut]).read_to_end(&mut got).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
            assert!(plain.starts_with(&got));
        }
        let mut got = Vec::new();
        Inflate::new(&[&packed[..], b"more"].concat()[..]).read_to_end(&mut got).unwrap();
        assert!(got == plain);
    }
}
