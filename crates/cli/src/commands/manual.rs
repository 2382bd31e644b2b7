//! `dachs completions` and `dachs man`: made from the same source as the command line itself.

use std::path::Path;

use clap::CommandFactory;

use super::answer;
use crate::args::Cli;
use crate::escape::shown;
use crate::exit::Exit;

/// Writes completions for a shell to standard output.
pub(super) fn completions(shell: clap_complete::Shell) -> Result<Exit, String> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "dachs", &mut script);
    answer(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Clean)
}

/// Writes a page for each command into a folder.
pub(super) fn pages(directory: &Path) -> Result<Exit, String> {
    let place = shown(directory.as_os_str().as_encoded_bytes());
    std::fs::create_dir_all(directory).map_err(|error| format!("{place}: the folder cannot be made: {error}"))?;
    clap_mangen::generate_to(Cli::command(), directory)
        .map_err(|error| format!("{place}: the manual pages cannot be written: {error}"))?;
    Ok(Exit::Clean)
}
