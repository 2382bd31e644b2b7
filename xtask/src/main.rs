//! The house's own tools, run as `cargo xtask NAME`, so that nothing has to be installed.
//!
//! * `tidy` checks the rules of the house that no compiler checks: see [`mod@tidy`].
//! * `bench` measures Dachs beside its rivals: see [`mod@bench`].
//! * `pgo` builds releases with what the compiler learned from a run: see `bench/pgo.rs`.
//! * `rarity` makes the matcher's table of how rare short stretches of bytes are: see [`mod@rarity`].
//!
//! A tool prints what it found and ends with 0 if all is well, with 1 if not, and with 2 if it was asked wrongly.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool speaks to the person who runs it")]

mod bench;
mod rarity;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask tidy\n       cargo xtask bench [OPTION...] [NAME...]\n       cargo xtask pgo\n       cargo xtask rarity --check|KIND...";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["tidy"] => tidy(&workspace_root()),
        ["bench", "--help"] => {
            println!("{}", bench::USAGE);
            ExitCode::SUCCESS
        }
        ["bench", options @ ..] => bench::run(&workspace_root(), options),
        ["pgo"] => bench::optimise(&workspace_root()),
        ["rarity", arguments @ ..] if !arguments.is_empty() => rarity::run(&workspace_root(), arguments),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// Runs all checks and prints what they found.
fn tidy(root: &Path) -> ExitCode {
    match tidy::check(root) {
        Ok(outcome) => {
            print!("{outcome}");
            if outcome.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("tidy: {error}");
            ExitCode::from(2)
        }
    }
}

/// The folder above this crate.
fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}
