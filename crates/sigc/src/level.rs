//! Functionality levels: which engines a signature is meant for.
//!
//! ClamAV numbers what its engine can do. A signature may say from which level to which it is meant; engines outside of
//! that range leave it out without a word. Dachs claims one level for every such test.

use crate::refused::{Parsed, Refused};

/// The level of ClamAV 1.4.6.
pub(crate) const LEVEL: u64 = 216;

/// From which level a hash of any size may be given.
pub(crate) const ANY_SIZE: u64 = 73;

/// From which level attributes other than `Engine` and `Target` may be given.
pub(crate) const ATTRIBUTES: u64 = 51;

/// Refuses what is meant for older or newer engines.
pub(crate) fn require(min: u64, max: Option<u64>) -> Parsed<()> {
    if min > LEVEL {
        return Err(Refused::not_for_us("meant for newer engines (functionality level)"));
    }
    if max.is_some_and(|max| max < LEVEL) {
        return Err(Refused::not_for_us("meant for older engines (functionality level)"));
    }
    Ok(())
}
