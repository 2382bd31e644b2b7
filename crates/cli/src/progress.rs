//! A line at the bottom of a terminal that tells how far a scan is.
//!
//! It is drawn on standard error, and only if that is a terminal. A second walk counts files ahead in a thread, so that
//! the time left can be estimated soon; it opens directories but no file. Results that are written to the same terminal
//! make the line step aside ([`Progress::above`]).

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::escape::shown;
use crate::quantity::{count, size};
use crate::tally::Tally;
use crate::walk::{Step, Walk};

/// How long the shown path may be, in characters.
const LONGEST: usize = 60;
/// How many bytes are held back at most before the line steps aside.
const HELD: usize = 1 << 16;

/// The line, or nothing at all.
pub(crate) struct Progress {
    bar: ProgressBar,
    ahead: Arc<Ahead>,
}

/// What the counting thread found so far.
#[derive(Default)]
struct Ahead {
    files: AtomicU64,
    bytes: AtomicU64,
    done: AtomicBool,
    stop: AtomicBool,
}

impl Progress {
    /// No progress line.
    pub(crate) fn hidden() -> Progress {
        Progress { bar: ProgressBar::hidden(), ahead: Arc::default() }
    }

    /// A progress line on standard error; `ahead` is a walk like the one that is scanned.
    pub(crate) fn new(ahead: Walk) -> Progress {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(8));
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(250));
        let progress = Progress { bar, ahead: Arc::default() };
        let counter = Arc::clone(&progress.ahead);
        // Should there be no thread to be had, there is just no estimate.
        drop(thread::Builder::new().name("count".to_owned()).spawn(move || counter.count(ahead)));
        progress
    }

    /// Shows how far the scan is, and the file it is at.
    pub(crate) fn show(&self, tally: &Tally, path: &[u8]) {
        if !self.bar.is_hidden() {
            self.bar.set_message(self.message(tally, path));
        }
    }

    /// An output on the same terminal, whose lines appear above this one.
    pub(crate) fn above<W: Write>(&self, out: W) -> Above<W> {
        Above { bar: self.bar.clone(), out, held: Vec::new() }
    }

    /// Takes the line away.
    pub(crate) fn finish(&self) {
        self.ahead.stop.store(true, Ordering::Relaxed);
        self.bar.finish_and_clear();
    }

    fn message(&self, tally: &Tally, path: &[u8]) -> String {
        let elapsed = self.bar.elapsed();
        let speed = size(crate::quantity::rate(tally.bytes, elapsed));
        let (files, bytes) = (self.ahead.files.load(Ordering::Relaxed), self.ahead.bytes.load(Ordering::Relaxed));
        let known = if self.ahead.done.load(Ordering::Relaxed) { "" } else { "+" };
        let found = match tally.detected + tally.suspicious {
            0 => String::new(),
            found => format!(", {} found", count(found)),
        };
        let left = match time_left(tally.bytes, bytes, elapsed) {
            Some(left) if known.is_empty() => format!(", {} left", clock(left)),
            _ => String::new(),
        };
        let (done, total) = (count(tally.files), count(files.max(tally.files)));
        format!("{done}/{total}{known} files, {} ({speed}/s){found}{left}  {}", size(tally.bytes), short(path))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Holds lines back until it is flushed, then lets the progress line step aside for them.
pub(crate) struct Above<W> {
    bar: ProgressBar,
    out: W,
    held: Vec<u8>,
}

impl<W: Write> Write for Above<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        if self.held.len() > HELD && self.held.ends_with(b"\n") {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        let held = std::mem::take(&mut self.held);
        self.bar.suspend(|| self.out.write_all(&held).and_then(|()| self.out.flush()))
    }
}

impl Ahead {
    fn count(&self, walk: Walk) {
        for step in walk {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            if let Step::File(candidate) = step {
                self.files.fetch_add(1, Ordering::Relaxed);
                self.bytes.fetch_add(candidate.size, Ordering::Relaxed);
            }
        }
        self.done.store(true, Ordering::Relaxed);
    }
}

/// How long the rest takes at the speed so far.
fn time_left(done: u64, total: u64, elapsed: Duration) -> Option<Duration> {
    let rest = u128::from(total.checked_sub(done)?);
    let milliseconds = (elapsed.as_millis() * rest).checked_div(u128::from(done))?;
    Some(Duration::from_millis(u64::try_from(milliseconds).ok()?))
}

/// Hours, minutes and seconds: `1:02:03`, `2:03`.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// The end of a path, which says most.
fn short(path: &[u8]) -> String {
    let text = shown(path);
    match text.char_indices().rev().nth(LONGEST - 1) {
        Some((start, _)) if start > 0 => format!("…{}", text.get(start..).unwrap_or_default()),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_is_in_proportion() {
        let second = Duration::from_secs(1);
        assert_eq!(time_left(10, 30, second), Some(2 * second));
        assert_eq!(time_left(0, 30, second), None);
        assert_eq!(time_left(31, 30, second), None);
    }

    #[test]
    fn times_and_paths_are_short() {
        assert_eq!(
            (clock(Duration::from_secs(63)), clock(Duration::from_secs(3_723))),
            ("1:03".into(), "1:02:03".into())
        );
        assert_eq!(short(b"a"), "a");
        assert_eq!(short(&[b'x'; 100]).chars().count(), LONGEST + 1);
        assert_eq!(short(&[b'x'; LONGEST]).chars().count(), LONGEST);
    }
}
