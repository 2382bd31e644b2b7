//! A decoder together with the memory it was allowed to use.

use std::io::{self, ErrorKind, Read};

use dachs_base::{Budget, Charge};

/// A reader that holds memory of the budget for as long as it lives.
pub struct Fenced<R> {
    reader: R,
    _memory: Charge,
}

impl<R: Read> Fenced<R> {
    /// Sets `memory` bytes aside, then makes the reader.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfMemory`] if the budget refuses; whatever `make` gives.
    pub fn new(budget: &Budget, memory: u64, make: impl FnOnce() -> io::Result<R>) -> io::Result<Fenced<R>> {
        let charge = budget.reserve(memory).map_err(|_| io::Error::from(ErrorKind::OutOfMemory))?;
        Ok(Fenced { reader: make()?, _memory: charge })
    }
}

impl<R> Fenced<R> {
    /// The reader; its memory is given back.
    pub fn into_inner(self) -> R {
        self.reader
    }

    /// The reader.
    pub fn get_ref(&self) -> &R {
        &self.reader
    }
}

impl<R: Read> Read for Fenced<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}
