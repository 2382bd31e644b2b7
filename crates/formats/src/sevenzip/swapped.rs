//! The filters SWAP2 and SWAP4 (7-Zip's Methods.txt): words of two or four bytes, each turned around. A last word that is not
//! whole stays as it is.

use std::io::{self, Read};

/// Words of `size` bytes, turned around.
pub(super) struct Swapped<R> {
    input: R,
    size: usize,
    word: io::Cursor<Vec<u8>>,
}

impl<R: Read> Swapped<R> {
    pub(super) fn new(input: R, size: usize) -> Swapped<R> {
        Swapped { input, size, word: io::Cursor::default() }
    }
}

impl<R: Read> Read for Swapped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let got = self.word.read(rest)?;
            done += got;
            if got == 0 {
                let mut word = Vec::with_capacity(self.size);
                let most = u64::try_from(self.size).unwrap_or(4);
                if (&mut self.input).take(most).read_to_end(&mut word)? == 0 {
                    break;
                }
                if word.len() == self.size {
                    word.reverse();
                }
                self.word = io::Cursor::new(word);
            }
        }
        Ok(done)
    }
}
