//! Enters the jail, then scans one descriptor after another: the only code that touches content.
//!
//! ```text
//! main: take over the descriptors, map the image, compile its YARA rules, close the jail         zygote
//!       loop: an order -> fork a worker, or wait for one's end
//!                           └─> tighten the jail, then                   scan
//!                               loop: a request and its files -> the engine, one by one -> a reply
//! ```
//!
//! The zygote never looks at content. A worker has the files at hand and one socket, and nothing else: see
//! `dachs_sys::jail` for what it cannot do, and docs/jail.md for the proof.
//!
//! A worker writes nothing, not even when it fails: a panic becomes a last reply with its place in the source and an
//! exit code, exhausted memory becomes an exit code, everything else a signal. The pool turns them into a report.
#![forbid(unsafe_code)]

mod deadline;
mod file;
mod profile;
mod rules;
mod scan;
mod team;
mod zygote;

use dachs_base::{Budget, Source};
use dachs_engine::{Options, Outcome};
use dachs_sigdb::Image;
use dachs_sys::jail::Plan;
use std::process::ExitCode;
use std::sync::Arc;

pub use deadline::Deadline;
pub use file::FileSource;

/// What scans a file: `dachs_engine::scan`, but for tests.
pub type Engine = fn(Arc<dyn Source>, &Image<'_>, &Budget, &Options<'_>) -> Outcome;

/// What `dachs worker` runs: the zygote, and in its forks the workers. The pool starts it; started otherwise, it fails.
#[must_use]
pub fn main() -> ExitCode {
    main_with(dachs_engine::scan, |plan| plan)
}

/// As [`main`], with another engine and, in tests, another plan of the jail.
#[must_use]
pub fn main_with(engine: Engine, plan: impl FnOnce(Plan) -> Plan) -> ExitCode {
    match zygote::run(engine, plan) {
        Ok(()) => ExitCode::SUCCESS,
        Err(zygote::Failure) => ExitCode::FAILURE,
    }
}
