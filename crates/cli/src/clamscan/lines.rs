//! A line for each file, as ClamAV's `clamscan` writes them.
//!
//! ```text
//! a/x.exe: Win.Test.EICAR_HDB-1 FOUND
//! a/note.txt: OK
//! a/nothing: Empty file
//! a/cache: Excluded
//! a/link: Symbolic link
//! a/b.zip: encrypted: no password opened it (in secret.docx) ERROR
//! ```
//!
//! The last one ClamAV does not write: it says `OK`. What an unfinished scan is called here is [`Incomplete`].

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use dachs_base::{Anomaly, AnomalyKind, Report, Strength};
use dachs_record::clamav::{incomplete_name, reason};

use super::talk::Talk;
use crate::action::Acted;
use crate::content::display;
use crate::escape::shown;
use crate::output::Writer;
use crate::record::{Outcome, Record};
use crate::tally::Tally;
use crate::walk::Skip;

/// What is said of a file in which nothing was found, but that was not wholly looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Incomplete {
    /// `reason ERROR`, and exit code 2.
    #[default]
    Error,
    /// `Heuristics.Incomplete.… FOUND`, and exit code 1.
    Found,
    /// `OK`, as ClamAV does: the choice of whoever runs it.
    Ok,
}

/// What is shown.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Show {
    /// All names, not the most telling one.
    pub(super) all_matches: bool,
    /// Ring when something is found.
    pub(super) bell: bool,
    /// What is said of files that were not wholly looked at.
    pub(super) incomplete: Incomplete,
    /// Only what was found, and errors.
    pub(super) infected_only: bool,
    /// Limits are detections.
    pub(super) limits_found: bool,
    /// Directories in directories are meant to be entered.
    pub(super) recursive: bool,
    /// No `OK`.
    pub(super) suppress_ok: bool,
    /// Each file is named before its result.
    pub(super) verbose: bool,
}

/// Counts for the summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Files that were looked at.
    pub(super) files: u64,
    /// Files in which something was found.
    pub(super) infected: u64,
    /// Files and directories that were found and not wholly looked at.
    pub(super) errors: u64,
    /// What could not be done at all: arguments that make no sense. ClamAV does not count them in the summary.
    pub(super) wrong: u64,
    /// Infected files with which nothing could be done.
    pub(super) failed_actions: u64,
    /// Bytes looked at, with what was unpacked.
    pub(super) scanned: u64,
    /// Bytes of the files themselves.
    pub(super) read: u64,
}

/// Writes the lines.
pub(super) struct Lines<'a> {
    show: Show,
    talk: &'a mut Talk,
    /// What was counted so far.
    pub(super) counts: Counts,
}

impl<'a> Lines<'a> {
    /// Nothing is written yet.
    pub(super) fn new(show: Show, talk: &'a mut Talk) -> Lines<'a> {
        Lines { show, talk, counts: Counts::default() }
    }

    fn scanned(&mut self, record: &Record, report: &Report) -> io::Result<()> {
        let path = name(&record.path);
        if record.size == Some(0) && record.path != b"-" && report.detections.is_empty() && !report.gap {
            return if self.show.infected_only { Ok(()) } else { self.talk.info(&format!("{path}: Empty file")) };
        }
        if self.show.verbose {
            self.talk.info(&format!("Scanning {path}"))?;
        }
        if report.coverage.objects > 0 {
            self.counts.files += 1;
            self.counts.read = self.counts.read.saturating_add(record.size.unwrap_or(0));
            self.counts.scanned = self.counts.scanned.saturating_add(report.coverage.bytes);
        }
        if !report.detections.is_empty() {
            return self.detected(record, &path);
        }
        match record.leading_gap() {
            Some(gap) => self.incomplete(&path, gap, report.coverage.objects == 0),
            None if report.gap => self.error(&path, "not wholly looked at"),
            None => self.ok(&path),
        }
    }

    fn ok(&mut self, path: &str) -> io::Result<()> {
        let hidden = self.show.infected_only || self.show.suppress_ok;
        if hidden { Ok(()) } else { self.talk.remark(&format!("{path}: OK")) }
    }

    fn found(&mut self, path: &str, name: &str) -> io::Result<()> {
        if self.show.bell {
            self.talk.ring();
        }
        self.talk.info(&format!("{path}: {name} FOUND"))
    }

    fn error(&mut self, path: &str, reason: &str) -> io::Result<()> {
        self.counts.errors += 1;
        self.talk.fault(&format!("{path}: {reason} ERROR"))
    }

    fn detected(&mut self, record: &Record, path: &str) -> io::Result<()> {
        self.counts.infected += 1;
        let strongest = record.detections().map(|(detection, _)| detection.strength).max().unwrap_or(Strength::Strong);
        let telling =
            record.detections().filter(|(detection, _)| self.show.all_matches || detection.strength == strongest);
        let names: Vec<String> = telling.map(|(_, naming)| shown(naming.name.as_bytes())).collect();
        let count = if self.show.all_matches { names.len() } else { 1 };
        for name in names.iter().take(count) {
            self.found(path, name)?;
        }
        if let Outcome::Scanned(Report { detections_dropped: dropped @ 1.., .. }, _) = &record.outcome {
            self.talk
                .complain(&format!("WARNING: {path}: {dropped} further detections were left out of the report"))?;
        }
        match &record.action {
            None => Ok(()),
            Some(Ok(acted)) => self.talk.info(&action(&record.path, acted)),
            Some(Err(reason)) => {
                self.counts.failed_actions += 1;
                self.talk.complain(&format!("ERROR: {path}: nothing was done: {}", shown(reason.as_bytes())))
            }
        }
    }

    /// Says that a file was not wholly looked at. One of which nothing could be read is an error whatever the policy.
    fn incomplete(&mut self, path: &str, gap: &Anomaly, nothing: bool) -> io::Result<()> {
        let unreadable = nothing && gap.kind == AnomalyKind::Unreadable;
        let limit = matches!(gap.kind, AnomalyKind::Limit(_));
        match self.show.incomplete {
            _ if unreadable => self.error(path, &reason(gap)),
            _ if limit && self.show.limits_found => self.found_incomplete(path, gap),
            Incomplete::Error => self.error(path, &reason(gap)),
            Incomplete::Found => self.found_incomplete(path, gap),
            Incomplete::Ok => self.ok(path),
        }
    }

    fn found_incomplete(&mut self, path: &str, gap: &Anomaly) -> io::Result<()> {
        self.counts.infected += 1;
        self.found(path, incomplete_name(gap.kind))
    }

    fn skipped(&mut self, path: &[u8], why: Skip) -> io::Result<()> {
        let path = name(path);
        match why {
            Skip::TooDeep if self.show.recursive && self.show.incomplete != Incomplete::Ok => {
                self.error(&path, "directory not entered: limit reached (--max-dir-recursion)")
            }
            _ if self.show.infected_only => Ok(()),
            Skip::Excluded | Skip::KernelFileSystem => self.talk.info(&format!("{path}: Excluded")),
            Skip::SymbolicLink => self.talk.info(&format!("{path}: Symbolic link")),
            _ => Ok(()),
        }
    }

    fn wrong(&mut self, path: &[u8], reason: &str) -> io::Result<()> {
        self.counts.wrong += 1;
        let path = name(path);
        self.talk.complain(&format!("{path}: {}", shown(reason.as_bytes())))?;
        self.talk.warn(&format!("{path}: Can't access file"))
    }
}

impl Writer for Lines<'_> {
    fn record(&mut self, record: &Record) -> io::Result<()> {
        match &record.outcome {
            Outcome::Scanned(report, _) => self.scanned(record, report),
            Outcome::Skipped(why) => self.skipped(&record.path, *why),
            Outcome::Wrong(reason) => self.wrong(&record.path, reason),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.talk.flush()
    }

    fn finish(&mut self, _tally: &Tally) -> io::Result<()> {
        self.talk.flush()
    }
}

/// How a path is shown.
fn name(path: &[u8]) -> String {
    if path == b"-" { "stdin".to_owned() } else { shown(path) }
}

/// What was done with a file: `x (real path: '/a/x'): moved to '/vault/x'`.
fn action(path: &[u8], acted: &Acted) -> String {
    let what = match (acted.what, &acted.to) {
        (what, Some(to)) => format!("{what} to '{}'", real(to)),
        (_, None) => "Removed.".to_owned(),
    };
    format!("{} (real path: '{}'): {what}", name(path), real(path))
}

/// A path without links and dots, for a person; the file itself need not be there any more.
fn real(path: &[u8]) -> String {
    let path = Path::new(std::ffi::OsStr::from_bytes(path));
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (fs::canonicalize(parent), path.file_name()) {
        (Ok(parent), Some(name)) => display(&parent.join(name)),
        _ => display(path),
    }
}
