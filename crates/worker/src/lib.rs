//! Enters the jail, then scans one descriptor at a time.
#![forbid(unsafe_code)]

use std::process::ExitCode;

/// What `dachs worker` runs: the zygote, and in its forks the workers. The pool starts it.
#[must_use]
pub fn main() -> ExitCode {
    ExitCode::FAILURE
}
