//! Lines and summary of `clamdscan`, as ClamAV 1.4 writes them.

use std::fs::File;
use std::io::{self, Write, stderr, stdout};
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Local};
use dachs_clamd::client::{Outcome, Reply};
use dachs_record::clamav::reason;

use super::error_of;
use crate::content::display;
use crate::escape::shown;
use crate::output::Writer;
use crate::record::{self, Record};
use crate::tally::Tally;

/// Writes the lines, and counts.
pub(super) struct Lines {
    quiet: bool,
    infected_only: bool,
    log: Option<File>,
    infected: u64,
    errors: u64,
    failed_actions: u64,
    /// The argument at hand.
    argument: Vec<u8>,
    /// Lines that were written of it.
    told: u64,
    /// Its files are asked for one by one, and what is clean among them is not worth a line.
    file_by_file: bool,
}

impl Lines {
    /// Nothing is written yet; a log is appended to.
    ///
    /// # Errors
    /// A sentence, when the log cannot be written.
    pub(super) fn new(quiet: bool, infected_only: bool, log: Option<&Path>) -> Result<Lines, String> {
        let open = |path: &Path| {
            let file = File::options().append(true).create(true).open(path);
            file.map_err(|error| format!("Failed to open log file {}: {error}", display(path)))
        };
        let log = log.map(open).transpose()?;
        Ok(Lines {
            quiet,
            infected_only,
            log,
            infected: 0,
            errors: 0,
            failed_actions: 0,
            argument: Vec::new(),
            told: 0,
            file_by_file: false,
        })
    }

    /// What is scanned next is this argument.
    pub(super) fn begin(&mut self, argument: &[u8]) {
        self.argument = if argument == b"-" { b"stream".to_vec() } else { argument.to_vec() };
        self.told = 0;
        self.file_by_file = false;
    }

    /// The argument is a folder whose files are asked for one by one.
    pub(super) fn begin_files(&mut self, folder: &[u8]) {
        self.begin(folder);
        self.file_by_file = true;
    }

    /// That was all of it: one line, if there was nothing to tell.
    pub(super) fn end(&mut self) {
        if self.told == 0 {
            self.ok(&self.argument.clone());
        }
    }

    /// What the service says of an object.
    pub(super) fn reply(&mut self, reply: &Reply) {
        match (&reply.outcome, error_of(&reply.outcome)) {
            (Outcome::Found(name), _) => self.found(&reply.path, name),
            (_, Some(reason)) => self.error(&reply.path, reason),
            (Outcome::Passed(what), _) if !self.infected_only => {
                self.say(&format!("{}: {what}", shown(&reply.path)));
            }
            (Outcome::Ok, _) if !self.file_by_file => self.ok(&reply.path),
            _ => {}
        }
    }

    /// Something that cannot be done at all.
    pub(super) fn wrong(&mut self, text: &str) {
        self.errors += 1;
        self.complain(&format!("ERROR: {text}"));
    }

    /// The service cannot be reached.
    pub(super) fn unreachable(&mut self, tried: &[String]) {
        self.errors += 1;
        tried.iter().for_each(|text| self.complain(&format!("ERROR: {text}")));
    }

    pub(super) fn warn(&mut self, text: &str) {
        self.complain(&format!("WARNING: {text}"));
    }

    /// The block at the end.
    pub(super) fn summary(&mut self, begun: DateTime<Local>, time: Duration, action: &str) {
        let mut text = format!("\n----------- SCAN SUMMARY -----------\nInfected files: {}\n", self.infected);
        if self.errors > 0 {
            text.push_str(&format!("Total errors: {}\n", self.errors));
        }
        if self.failed_actions > 0 {
            text.push_str(&format!("Not {action}: {}\n", self.failed_actions));
        }
        let (seconds, thousandths) = (time.as_secs(), time.subsec_millis());
        text.push_str(&format!("Time: {seconds}.{thousandths:03} sec ({} m {} s)\n", seconds / 60, seconds % 60));
        let date = |date: DateTime<Local>| date.format("%Y:%m:%d %H:%M:%S").to_string();
        text.push_str(&format!("Start Date: {}\nEnd Date:   {}", date(begun), date(Local::now())));
        self.say(&text);
    }

    /// The exit code.
    pub(super) fn exit(&self) -> u8 {
        match (self.infected, self.errors) {
            (1.., _) => 1,
            (0, 1..) => 2,
            _ => 0,
        }
    }

    fn ok(&mut self, path: &[u8]) {
        if !self.infected_only {
            self.say(&format!("{}: OK", shown(path)));
        }
    }

    fn found(&mut self, path: &[u8], name: &str) {
        self.infected += 1;
        self.told += 1;
        self.say(&format!("{}: {} FOUND", shown(path), shown(name.as_bytes())));
    }

    fn error(&mut self, path: &[u8], reason: &str) {
        self.errors += 1;
        self.told += 1;
        let path = if path.is_empty() { String::new() } else { format!("{}: ", shown(path)) };
        self.say(&format!("{path}{} ERROR", shown(reason.as_bytes())));
    }

    fn say(&mut self, text: &str) {
        if !self.quiet {
            // What nobody reads changes nothing, here and below.
            let _ = writeln!(stdout(), "{text}");
        }
        self.note(text);
    }

    fn complain(&mut self, text: &str) {
        let _ = writeln!(stderr(), "{text}");
        self.note(text);
    }

    fn note(&mut self, text: &str) {
        if let Some(log) = &mut self.log {
            let _ = writeln!(log, "{text}");
        }
    }
}

impl Writer for Lines {
    fn record(&mut self, record: &Record) -> io::Result<()> {
        let path = if record.path == b"-" { b"stream".to_vec() } else { record.path.clone() };
        if let Some((_, naming)) = record.detections().next() {
            let name = naming.name.clone();
            self.found(&path, &name);
        } else if let Some(gap) = record.leading_gap() {
            self.error(&path, &reason(gap));
        } else if let record::Outcome::Wrong(reason) = &record.outcome {
            self.error(&path, reason);
        }
        match &record.action {
            None => {}
            Some(Ok(acted)) => {
                let to = acted.to.as_ref().map_or_else(String::new, |to| format!(" to '{}'", shown(to)));
                self.say(&format!("{}: {}{to}", shown(&path), acted.what));
            }
            Some(Err(reason)) => {
                self.failed_actions += 1;
                self.complain(&format!("ERROR: {}: nothing was done: {}", shown(&path), shown(reason.as_bytes())));
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self, _tally: &Tally) -> io::Result<()> {
        Ok(())
    }
}
