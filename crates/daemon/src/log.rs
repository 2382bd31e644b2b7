//! The log: one line an event, which no client can forge or break.
//!
//! ```text
//! 2026-11-21T22:01:02Z notice detected client="uid 8 pid 71" path="stream" name="Eicar-Signature"     text
//! {"time":"2026-…","level":"notice","event":"detected","client":"uid 8 pid 71",…}                      json
//! <5>detected client="uid 8 pid 71" path="stream" name="Eicar-Signature"                               journal
//! ```
//!
//! Every value that somebody else chose goes through [`dachs_record::escape::shown`], and quotation marks in it are
//! escaped too, so a value ends where it seems to end. Errors while writing are dropped: a full disk stops no scan.

use std::fs::{self, File, OpenOptions};
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use chrono::{SecondsFormat, Utc};
use dachs_record::escape::shown;

/// How much an event matters: sd-daemon(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Error = 3,
    Warning = 4,
    Notice = 5,
    Info = 6,
    Debug = 7,
}

impl Level {
    fn label(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Notice => "notice",
            Level::Info => "info",
            Level::Debug => "debug",
        }
    }
}

/// How standard error is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    Journal,
    Json,
    #[default]
    Text,
}

/// Where events go.
#[derive(Debug)]
pub(crate) struct Log {
    format: Format,
    most: Level,
    file: Option<Mutex<Kept>>,
}

#[derive(Debug)]
struct Kept {
    path: PathBuf,
    file: File,
    size: u64,
    /// The size at which it ends; absent for no limit.
    largest: Option<u64>,
    rotate: bool,
}

/// What the log file is to be.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogFile {
    pub(crate) path: PathBuf,
    pub(crate) largest: Option<u64>,
    pub(crate) rotate: bool,
}

impl Log {
    /// Begins to log.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub(crate) fn new(format: Format, verbose: bool, file: Option<&LogFile>) -> Result<Log, String> {
        let file = file.map(Kept::open).transpose()?.map(Mutex::new);
        Ok(Log { format, most: if verbose { Level::Debug } else { Level::Info }, file })
    }

    /// True if events of this level are written.
    pub(crate) fn takes(&self, level: Level) -> bool {
        level <= self.most
    }

    /// Writes one event with its values.
    pub(crate) fn event(&self, level: Level, event: &str, values: &[(&str, &[u8])]) {
        if !self.takes(level) {
            return;
        }
        let line = match self.format {
            Format::Journal => format!("<{}>{}\n", level as u8, plain(event, values)),
            Format::Json => json(level, event, values),
            Format::Text => text(level, event, values),
        };
        let _ = stderr().lock().write_all(line.as_bytes());
        if let Some(file) = &self.file {
            file.lock().unwrap_or_else(PoisonError::into_inner).write(&text(level, event, values));
        }
    }

    pub(crate) fn error(&self, event: &str, reason: &str) {
        self.event(Level::Error, event, &[("reason", reason.as_bytes())]);
    }

    pub(crate) fn info(&self, event: &str, detail: &str) {
        self.event(Level::Info, event, &[("detail", detail.as_bytes())]);
    }

    /// Opens the file anew: somebody has moved it away.
    pub(crate) fn reopen(&self) {
        if let Some(file) = &self.file {
            let mut kept = file.lock().unwrap_or_else(PoisonError::into_inner);
            if let Ok(file) = open(&kept.path) {
                kept.size = file.metadata().map_or(0, |metadata| metadata.len());
                kept.file = file;
            }
        }
    }
}

fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn text(level: Level, event: &str, values: &[(&str, &[u8])]) -> String {
    format!("{} {} {}\n", now(), level.label(), plain(event, values))
}

fn plain(event: &str, values: &[(&str, &[u8])]) -> String {
    let mut line = event.to_owned();
    for (key, value) in values {
        line.push_str(&format!(" {key}=\"{}\"", shown(value).replace('"', "\\x22")));
    }
    line
}

fn json(level: Level, event: &str, values: &[(&str, &[u8])]) -> String {
    let mut object = serde_json::Map::new();
    object.insert("time".to_owned(), now().into());
    object.insert("level".to_owned(), level.label().into());
    object.insert("event".to_owned(), event.into());
    for (key, value) in values {
        object.insert((*key).to_owned(), shown(value).into());
    }
    format!("{}\n", serde_json::Value::Object(object))
}

fn open(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    // A link in its place would lead the service's rights elsewhere.
    let flags = rustix::fs::OFlags::NOFOLLOW.bits();
    OpenOptions::new().append(true).create(true).mode(0o640).custom_flags(flags.cast_signed()).open(path)
}

impl Kept {
    fn open(wanted: &LogFile) -> Result<Kept, String> {
        let file = open(&wanted.path).map_err(|error| format!("{}: {error}", wanted.path.display()))?;
        let size = file.metadata().map_or(0, |metadata| metadata.len());
        Ok(Kept { path: wanted.path.clone(), file, size, largest: wanted.largest, rotate: wanted.rotate })
    }

    fn write(&mut self, line: &str) {
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if self.largest.is_some_and(|largest| self.size.saturating_add(length) > largest) && !self.begin_anew() {
            return;
        }
        self.size = self.size.saturating_add(length);
        let _ = self.file.write_all(line.as_bytes());
    }

    /// The file is full: true if there is a new one.
    fn begin_anew(&mut self) -> bool {
        let mut old = self.path.clone().into_os_string();
        old.push(".old");
        if !self.rotate || fs::rename(&self.path, old).is_err() {
            return false;
        }
        match open(&self.path) {
            Ok(file) => {
                (self.file, self.size) = (file, 0);
                true
            }
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_value_breaks_its_line() {
        let bad = b"x\" level=\"error\n<3>forged\x1b[2J\xff";
        let line = plain("detected", &[("path", bad)]);
        assert_eq!(line.matches('\n').count() + line.matches('\x1b').count(), 0);
        assert_eq!(line, "detected path=\"x\\x22 level=\\x22error\\x0a<3>forged\\x1b[2J\\xff\"");
        let value: serde_json::Value = serde_json::from_str(&json(Level::Info, "e", &[("path", bad)])).unwrap();
        assert_eq!(value["event"], "e");
    }

    #[test]
    fn a_full_file_is_begun_anew_or_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut wanted = LogFile { path: path.clone(), largest: Some(100), rotate: true };
        let mut kept = Kept::open(&wanted).unwrap();
        (0..3).for_each(|_| kept.write(&format!("{}\n", "x".repeat(59))));
        assert_eq!((fs::read(&path).unwrap().len(), fs::read(folder.path().join("log.old")).unwrap().len()), (60, 60));
        wanted.rotate = false;
        let mut kept = Kept::open(&wanted).unwrap();
        (0..3).for_each(|_| kept.write(&format!("{}\n", "x".repeat(29))));
        assert_eq!(fs::read(&path).unwrap().len(), 90);
    }
}
