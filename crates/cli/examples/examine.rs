//! Examines files in this process, without a jail: what profilers look at, and what instrumented builds need, whose counts no jailed
//! worker could write. Never for files that nobody trusts.
//!
//! `cargo run --release -p dachs-cli --example examine -- IMAGE PATH...`
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a measurement for people")]

use dachs_base::{Budget, Limits, Memory, Switches, Verdict};
use dachs_engine::{Options, Outcome};
use dachs_sigdb::Image;
use dachs_worker::Deadline;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

#[global_allocator]
static ALLOCATOR: dachs_sys::alloc::Bounded = dachs_sys::alloc::Bounded;

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let Some((image, paths)) = arguments.split_first().filter(|(_, paths)| !paths.is_empty()) else {
        eprintln!("usage: examine IMAGE PATH...");
        return ExitCode::from(2);
    };
    match examine_all(image, paths) {
        Ok(seen) => {
            println!("{} files, {} detected, {} incomplete", seen.files, seen.detected, seen.incomplete);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("examine: {}: {error}", image.display());
            ExitCode::FAILURE
        }
    }
}

#[derive(Default)]
struct Seen {
    files: usize,
    detected: usize,
    incomplete: usize,
}

fn examine_all(image: &Path, paths: &[PathBuf]) -> Result<Seen, String> {
    let bytes = std::fs::read(image).map_err(|error| error.to_string())?;
    let image = Image::new(&bytes).map_err(|error| error.to_string())?;
    let mut seen = Seen::default();
    for path in paths {
        examine(&image, path, &mut seen);
    }
    Ok(seen)
}

/// Goes down into folders; what cannot be read is passed over.
fn examine(image: &Image<'_>, path: &Path, seen: &mut Seen) {
    if let Ok(entries) = std::fs::read_dir(path) {
        entries.flatten().for_each(|entry| examine(image, &entry.path(), seen));
    } else if let Ok(bytes) = std::fs::read(path) {
        seen.files += 1;
        match verdict(image, bytes) {
            Verdict::Detected => seen.detected += 1,
            Verdict::Incomplete => seen.incomplete += 1,
            _ => {}
        }
    }
}

fn verdict(image: &Image<'_>, bytes: Vec<u8>) -> Verdict {
    let limits = Limits::default();
    let deadline = Deadline::after(limits.time_for(u64::try_from(bytes.len()).unwrap_or(u64::MAX)));
    let options = Options { switches: Switches::STANDARD, ..Options::default() };
    match dachs_engine::scan(Arc::new(Memory::new(bytes)), image, &Budget::new(limits, deadline), &options) {
        Outcome::Report(report) => report.verdict(),
        Outcome::Isolate(_) => Verdict::Incomplete,
    }
}
