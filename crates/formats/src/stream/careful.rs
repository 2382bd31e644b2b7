//! Saves the bytes that a decoder throws away when it fails.

use std::io::{self, Read};

/// Bytes asked for at once.
const STEP: usize = 512;

/// Reads a decoder in small steps, so that an error costs only the bytes of the step it happens in.
///
/// Some decoders give nothing at all from a call that ends in an error, though they decoded much of it. The error comes
/// with the next read.
pub(crate) struct Careful<R> {
    reader: R,
    error: Option<io::Error>,
}

impl<R> Careful<R> {
    /// Reads `reader` carefully.
    pub(crate) fn new(reader: R) -> Careful<R> {
        Careful { reader, error: None }
    }

    /// The reader.
    pub(crate) fn into_inner(self) -> R {
        self.reader
    }
}

impl<R: Read> Read for Careful<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        for piece in buffer.chunks_mut(STEP) {
            if let Some(error) = self.error.take() {
                return Err(error);
            }
            match self.reader.read(piece) {
                Ok(got) => {
                    done += got;
                    if got < piece.len() {
                        break;
                    }
                }
                Err(error) if done == 0 => return Err(error),
                Err(error) => {
                    self.error = Some(error);
                    break;
                }
            }
        }
        Ok(done)
    }
}
