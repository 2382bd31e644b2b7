//! The forms in which results are written: for a person, as JSON lines, as SARIF.
//!
//! Each form is a [`Writer`] that is given the records one by one, in the order of the walk. Results go where the writer
//! was told to (standard output); progress, warnings and the summary go to standard error ([`crate::progress`],
//! [`summary`]).

pub(crate) mod human;
pub(crate) mod json;
pub(crate) mod sarif;
pub(crate) mod summary;

use std::io;

use clap::ValueEnum;

use crate::record::Record;
use crate::tally::Tally;

/// The forms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Lines for a person.
    #[default]
    Human,
    /// One JSON object a line for each file (docs/json.md).
    Jsonl,
    /// One SARIF 2.1.0 log, for code hosts and dashboards.
    Sarif,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Also into files and pipes.
    Always,
    /// Not at all.
    Never,
}

impl Color {
    /// Whether to colour an output that is a terminal or not.
    pub(crate) fn applies(self, is_terminal: bool) -> bool {
        match self {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }
}

/// Writes records in one form.
pub(crate) trait Writer {
    /// Writes one record; may write nothing.
    ///
    /// # Errors
    /// When the output cannot be written.
    fn record(&mut self, record: &Record) -> io::Result<()>;

    /// Hands everything so far to the system.
    ///
    /// # Errors
    /// When the output cannot be written.
    fn flush(&mut self) -> io::Result<()>;

    /// Writes what comes at the end.
    ///
    /// # Errors
    /// When the output cannot be written.
    fn finish(&mut self, tally: &Tally) -> io::Result<()>;
}
