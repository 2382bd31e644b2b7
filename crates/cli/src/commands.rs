//! The commands, one module each. A command gets its parsed arguments, acts, and tells how the executable ends.
//!
//! A command that cannot do its work gives one helpful sentence as its error: what, where, what to do.

mod db;
mod doctor;
mod manual;
mod profile;
mod scan;

use crate::args::{Cli, Command};
use crate::exit::Exit;

/// Runs the command.
///
/// # Errors
/// The sentence to be shown.
pub(crate) fn run(cli: Cli) -> Result<Exit, String> {
    match cli.command {
        Command::Clamscan { arguments } => Ok(crate::clamscan::run(arguments)),
        Command::Scan(args) => scan::run(*args),
        Command::Db(args) => db::run(args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { directory } => manual::pages(&directory),
    }
}

/// Writes an answer to standard output. A reader that went away is no error.
fn answer(text: &str) -> Result<(), String> {
    use std::io::{ErrorKind, Write, stdout};
    let mut out = stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(format!("the answer cannot be written: {error}")),
        _ => Ok(()),
    }
}
