//! Where `clamscan` says things: results on standard output, errors and warnings on standard error, all of it in the
//! log but for what is said of clean files.

use std::fs::File;
use std::io::{self, BufWriter, Stdout, Write, stderr, stdout};
use std::path::Path;

use crate::content::display;

/// The three ways to say something.
pub(super) struct Talk {
    out: BufWriter<Stdout>,
    log: Option<File>,
    quiet: bool,
    /// True if errors and warnings go to standard output.
    merged: bool,
}

impl Talk {
    /// Begins to talk; a log is appended to.
    ///
    /// # Errors
    /// A sentence, when the log cannot be written.
    pub(super) fn new(quiet: bool, merged: bool, log: Option<&Path>) -> Result<Talk, String> {
        let failed = |path: &Path, error: io::Error| format!("Failed to open log file {}: {error}", display(path));
        let log = log.map(|path| open(path).map_err(|error| failed(path, error))).transpose()?;
        Ok(Talk { out: BufWriter::new(stdout()), log, quiet, merged })
    }

    /// Says something that a log does not hold.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(super) fn remark(&mut self, text: &str) -> io::Result<()> {
        if self.quiet { Ok(()) } else { writeln!(self.out, "{text}") }
    }

    /// Says a result.
    ///
    /// # Errors
    /// When standard output or the log cannot be written.
    pub(super) fn info(&mut self, text: &str) -> io::Result<()> {
        self.remark(text)?;
        self.note(text)
    }

    /// Says something that is worth knowing.
    ///
    /// # Errors
    /// When standard output or the log cannot be written.
    pub(super) fn warn(&mut self, text: &str) -> io::Result<()> {
        match self.quiet {
            true => self.note(&format!("WARNING: {text}")),
            false => self.complain(&format!("WARNING: {text}")),
        }
    }

    /// Says what went wrong, quiet or not.
    ///
    /// # Errors
    /// When standard output or the log cannot be written.
    pub(super) fn complain(&mut self, text: &str) -> io::Result<()> {
        match self.merged {
            true => writeln!(self.out, "{text}")?,
            false => {
                self.out.flush()?;
                // Nobody hears it if standard error is closed.
                let _ = writeln!(stderr(), "{text}");
            }
        }
        self.note(text)
    }

    /// Says the result of a file that is not wholly looked at: it is an error too, and so is said though quiet.
    ///
    /// # Errors
    /// When standard output or the log cannot be written.
    pub(super) fn fault(&mut self, text: &str) -> io::Result<()> {
        if self.quiet { self.complain(text) } else { self.info(text) }
    }

    /// Rings.
    pub(super) fn ring(&self) {
        let _ = stderr().write_all(b"\x07");
    }

    /// Hands everything to the system.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn note(&mut self, text: &str) -> io::Result<()> {
        self.log.as_mut().map_or(Ok(()), |log| log.write_all(format!("{text}\n").as_bytes()))
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut log = File::options().append(true).create(true).open(path)?;
    log.write_all(format!("\n{}\n\n", "-".repeat(79)).as_bytes())?;
    Ok(log)
}
