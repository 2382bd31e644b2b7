//! Memory of the budget that is set aside as a structure grows.

use std::io::{self, ErrorKind};

use dachs_base::{Budget, Charge};

/// So much is set aside at once.
const STEP: usize = 256 * 1024;

/// What is set aside.
pub(super) struct Guard {
    budget: Budget,
    held: usize,
    charges: Vec<Charge>,
}

impl Guard {
    pub(super) fn new(budget: &Budget) -> Guard {
        Guard { budget: budget.clone(), held: 0, charges: Vec::new() }
    }

    /// Makes sure that so many bytes are set aside.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfMemory`] if the budget refuses.
    pub(super) fn hold(&mut self, bytes: usize) -> io::Result<()> {
        if bytes <= self.held {
            return Ok(());
        }
        let step = bytes.saturating_sub(self.held).max(STEP);
        let count = u64::try_from(step).unwrap_or(u64::MAX);
        self.charges.push(self.budget.reserve(count).map_err(|_| io::Error::from(ErrorKind::OutOfMemory))?);
        self.held = self.held.saturating_add(step);
        Ok(())
    }
}
