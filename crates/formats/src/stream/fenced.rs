//! A decoder together with the memory it was allowed to use.

use std::io::{self, ErrorKind, Read};

use dachs_base::{Budget, Charge};

/// A reader that holds memory of the budget for as long as it lives.
///
/// A dictionary grows with what was decoded, so [`Fenced::growing`] reserves as the reader gives bytes, and a small
/// stream that announces a dictionary of 64 MiB costs next to nothing.
pub struct Fenced<R> {
    reader: R,
    budget: Budget,
    charges: Vec<Charge>,
    reserved: u64,
    /// The decoder never needs more than this.
    most: u64,
    given: u64,
}

impl<R: Read> Fenced<R> {
    /// Sets `memory` bytes aside, then makes the reader.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfMemory`] if the budget refuses; whatever `make` gives.
    pub fn new(budget: &Budget, memory: u64, make: impl FnOnce() -> io::Result<R>) -> io::Result<Fenced<R>> {
        Fenced::growing(budget, memory, 0, make)
    }

    /// Sets `fixed` bytes aside, then makes the reader; more follow with the bytes it gives, up to a dictionary of
    /// `dictionary` bytes.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfMemory`] if the budget refuses; whatever `make` gives.
    pub fn growing(
        budget: &Budget,
        fixed: u64,
        dictionary: u64,
        make: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<Fenced<R>> {
        let first = reserve(budget, fixed)?;
        let most = fixed.saturating_add(dictionary);
        Ok(Fenced { reader: make()?, budget: budget.clone(), charges: vec![first], reserved: fixed, most, given: 0 })
    }

    /// Makes sure that the memory for `count` further bytes is set aside, in steps that double.
    fn grow(&mut self, count: usize) -> io::Result<()> {
        self.given = self.given.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        let needed = self.given.saturating_mul(2).min(self.most);
        if needed > self.reserved {
            let step = needed.saturating_sub(self.reserved).max(self.reserved).min(self.most - self.reserved);
            self.charges.push(reserve(&self.budget, step)?);
            self.reserved = self.reserved.saturating_add(step);
        }
        Ok(())
    }
}

fn reserve(budget: &Budget, count: u64) -> io::Result<Charge> {
    budget.reserve(count).map_err(|_| ErrorKind::OutOfMemory.into())
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
        if self.reserved < self.most {
            self.grow(buffer.len())?;
        }
        self.reader.read(buffer)
    }
}
