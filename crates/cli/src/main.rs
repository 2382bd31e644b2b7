//! The executable `dachs`: looks for malware, compiles signatures, and acts on what workers report.
//!
//! ```text
//! dachs scan    args -> content -> pool of workers -> walk -> scan -> output -> exit code
//! dachs clamscan  the same scan with the command line of ClamAV's; also if the executable is called so
//! dachs clamdscan  ClamAV's client of clamd, likewise
//! dachs worker  (hidden) the other side of the jail: dachs_worker::main
//! dachs db, doctor, completions, man
//! ```
//!
//! This process has the caller's rights and never parses what it scans: it opens files and hands descriptors to
//! workers. `dachs worker` is told apart before anything else happens, so that a worker starts fast and small.
#![forbid(unsafe_code)]

mod action;
mod args;
mod clamdscan;
mod clamscan;
mod commands;
mod content;
mod exit;
mod input;
mod interrupt;
mod line;
mod order;
mod output;
mod owners;
mod profile;
mod progress;
mod quantity;
mod say;
mod scan;
mod service;
mod spool;
mod tally;
mod walk;
mod workers;

use std::env::args_os;
use std::process::ExitCode;

use dachs_record::{escape, record};
use exit::Exit;

/// Counts only in workers; see `dachs_sys::alloc`.
#[global_allocator]
static ALLOCATOR: dachs_sys::alloc::Bounded = dachs_sys::alloc::Bounded;

fn main() -> ExitCode {
    if args_os().next().is_some_and(|program| clamscan::is_name(&program)) {
        return clamscan::run(args_os().skip(1)).into();
    }
    if args_os().next().is_some_and(|program| clamdscan::is_name(&program)) {
        return ExitCode::from(clamdscan::run(args_os().skip(1)));
    }
    if args_os().nth(1).is_some_and(|argument| argument == "worker") {
        return dachs_worker::main();
    }
    // Read before clap sees it: the options are not of its kind.
    if args_os().nth(1).is_some_and(|argument| argument == "clamscan") {
        return clamscan::run(args_os().skip(2)).into();
    }
    if args_os().nth(1).is_some_and(|argument| argument == "clamdscan") {
        return ExitCode::from(clamdscan::run(args_os().skip(2)));
    }
    match args::parse(args_os()) {
        Ok(cli) => commands::run(cli).unwrap_or_else(|reason| fail(&reason)).into(),
        Err(error) => {
            // Help goes to standard output and is no mistake; if nobody reads it, there is nothing left to do.
            let _ = error.print();
            if error.use_stderr() { Exit::Error.into() } else { ExitCode::SUCCESS }
        }
    }
}

fn fail(reason: &str) -> Exit {
    say::say(reason);
    Exit::Error
}
