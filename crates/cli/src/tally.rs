//! Counts over a whole scan, from which the summary and the exit code are made.

use std::collections::BTreeMap;
use std::time::Duration;

use dachs_base::Verdict;

use crate::exit::Exit;
use crate::record::{Outcome, Record, reason};

/// How many different reasons are counted apart; further ones are put together.
const REASONS: usize = 100;

/// Counts over a whole scan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Files that were looked at, wholly or not.
    pub(crate) files: u64,
    /// Their sizes together.
    pub(crate) bytes: u64,
    /// Bytes looked at, with what was unpacked.
    pub(crate) looked_at: u64,
    /// Files with a strong detection.
    pub(crate) detected: u64,
    /// Files with weak detections only.
    pub(crate) suspicious: u64,
    /// Files and directories that were not looked at wholly, and in which nothing was found.
    pub(crate) incomplete: u64,
    /// Arguments that made no sense.
    pub(crate) errors: u64,
    /// Why files were incomplete, by their first gap.
    pub(crate) reasons: BTreeMap<String, u64>,
    /// What was left out on purpose.
    pub(crate) skipped: BTreeMap<&'static str, u64>,
    /// What was done with detected files, `failed` included.
    pub(crate) actions: BTreeMap<&'static str, u64>,
    /// How long it took.
    pub(crate) time: Duration,
    /// True if a signal, or a closed output, ended it early.
    pub(crate) interrupted: bool,
}

impl Tally {
    /// Counts one record.
    pub(crate) fn add(&mut self, record: &Record) {
        match record.verdict() {
            Some(Verdict::Detected) => self.detected += 1,
            Some(Verdict::Suspicious) => self.suspicious += 1,
            Some(Verdict::Incomplete) => self.add_incomplete(record),
            Some(Verdict::Error) => self.errors += 1,
            Some(Verdict::Clean) | None => {}
        }
        if let Some(action) = &record.action {
            *self.actions.entry(action.as_ref().map_or("failed", |acted| acted.what)).or_default() += 1;
        }
        match &record.outcome {
            Outcome::Scanned(report, _) => {
                self.files += 1;
                self.bytes = self.bytes.saturating_add(record.size.unwrap_or(0));
                self.looked_at = self.looked_at.saturating_add(report.coverage.bytes);
            }
            Outcome::Skipped(why) => *self.skipped.entry(why.label()).or_default() += 1,
            Outcome::Wrong(_) => {}
        }
    }

    fn add_incomplete(&mut self, record: &Record) {
        self.incomplete += 1;
        let mut reason = record.leading_gap().map_or_else(|| "unknown".to_owned(), reason);
        if self.reasons.len() >= REASONS && !self.reasons.contains_key(&reason) {
            "other reasons".clone_into(&mut reason);
        }
        *self.reasons.entry(reason).or_default() += 1;
    }

    /// How the executable ends; `suspicious` tells whether weak detections count as detections.
    pub(crate) fn exit(&self, suspicious: bool) -> Exit {
        match self {
            _ if self.detected > 0 || (suspicious && self.suspicious > 0) => Exit::Detected,
            _ if self.interrupted => Exit::Interrupted,
            _ if self.errors > 0 => Exit::Error,
            _ if self.incomplete > 0 => Exit::Incomplete,
            _ => Exit::Clean,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::samples::every_kind;

    #[test]
    fn every_record_is_counted_once() {
        let mut tally = Tally::default();
        every_kind().iter().for_each(|record| tally.add(record));
        assert_eq!((tally.files, tally.bytes, tally.looked_at), (4, 40, 80));
        assert_eq!((tally.detected, tally.suspicious, tally.incomplete, tally.errors), (1, 1, 1, 1));
        assert_eq!(tally.reasons.get("encrypted"), Some(&1));
        assert_eq!(tally.skipped.get("socket"), Some(&1));
    }

    #[test]
    fn exit_codes_in_their_order() {
        let tally = |detected, suspicious, incomplete, errors, interrupted| Tally {
            detected,
            suspicious,
            incomplete,
            errors,
            interrupted,
            ..Tally::default()
        };
        let table = [
            (tally(0, 0, 0, 0, false), Exit::Clean, Exit::Clean),
            (tally(1, 1, 1, 1, true), Exit::Detected, Exit::Detected),
            (tally(0, 1, 0, 0, false), Exit::Clean, Exit::Detected),
            (tally(0, 1, 1, 0, false), Exit::Incomplete, Exit::Detected),
            (tally(0, 0, 1, 0, false), Exit::Incomplete, Exit::Incomplete),
            (tally(0, 0, 1, 1, false), Exit::Error, Exit::Error),
            (tally(0, 0, 1, 1, true), Exit::Interrupted, Exit::Interrupted),
        ];
        for (tally, plain, strict) in table {
            assert_eq!((tally.exit(false), tally.exit(true)), (plain, strict), "{tally:?}");
        }
    }
}
