//! What all threads of the service share, and what is done with every report.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use dachs_base::{AnomalyKind, Report, Strength, Verdict};
use dachs_record::clamav::{incomplete_name, reason};
use dachs_record::escape::shown;
use dachs_record::{Outcome, Record};

use crate::event::Event;
use crate::log::{Level, Log};
use crate::metrics::Metrics;
use crate::peer::Peer;
use crate::scans::{Desk, Scanned};
use crate::settings::{Incomplete, Settings};
use crate::spool::Store;
use crate::wake::Mailbox;

/// What stands where ClamAV has its version, in the form that programs look for.
pub(crate) const ENGINE: &str = concat!("ClamAV 1.4.6-compatible (Dachs ", env!("CARGO_PKG_VERSION"), ")");
/// Events that late readers may still get.
const KEPT_EVENTS: usize = 256;

/// What the keeper is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Reload,
    Stop,
}

/// The service.
pub(crate) struct Service {
    pub(crate) settings: Settings,
    pub(crate) desk: Arc<Desk>,
    pub(crate) store: Arc<Store>,
    pub(crate) log: Log,
    pub(crate) metrics: Metrics,
    pub(crate) events: Events,
    /// The command that is run for detections.
    pub(crate) event: Option<Event>,
    pub(crate) wishes: Mailbox<Wish>,
    /// Why the last reload failed, if it did.
    pub(crate) trouble: Mutex<Option<String>>,
    pub(crate) stopping: AtomicBool,
    pub(crate) started: Instant,
}

impl Service {
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A record of what came back; counted, logged, and told to those who listen.
    pub(crate) fn conclude(&self, peer: &Peer, path: &[u8], size: u64, scanned: Scanned) -> Record {
        let Scanned { report, elapsed, content } = scanned;
        let record = Record::scanned(path.to_vec(), size, elapsed, report, &*content);
        self.count(&record);
        self.tell(peer, &record);
        record
    }

    /// A record of what could not be scanned.
    pub(crate) fn unscanned(&self, peer: &Peer, path: &[u8], report: Report) -> Record {
        let content = self.desk.content();
        let nameless = |report| Record::unreadable(path.to_vec(), None, first_detail(&report));
        let record = match content {
            Some(content) => Record::scanned(path.to_vec(), 0, Duration::ZERO, report, &*content),
            None => nameless(report),
        };
        self.tell(peer, &record);
        record
    }

    /// The version, as clients of clamd read it.
    pub(crate) fn version(&self) -> String {
        let daily = self.desk.content().map(|content| content.daily()).unwrap_or_default();
        format!("{ENGINE}{daily}")
    }

    fn count(&self, record: &Record) {
        let verdict = record.verdict().unwrap_or(Verdict::Error);
        self.metrics.scanned(verdict, record.elapsed, record.size.unwrap_or(0));
        if record.gaps().any(|gap| gap.kind == AnomalyKind::WorkerDied) {
            self.metrics.deaths.add(1);
        }
    }

    fn tell(&self, peer: &Peer, record: &Record) {
        let (level, event) = match record.verdict() {
            Some(Verdict::Detected | Verdict::Suspicious) => (Level::Notice, "detected"),
            Some(Verdict::Clean) if self.settings.log.clean => (Level::Info, "clean"),
            Some(Verdict::Clean) => (Level::Debug, "clean"),
            _ => (Level::Info, "incomplete"),
        };
        if event == "detected" {
            let mut json = Vec::new();
            // Writing to memory cannot fail.
            let _ = dachs_record::json::write(&mut json, record);
            self.events.push(String::from_utf8(json).unwrap_or_default());
            self.run_event(peer, record);
        }
        if !self.log.takes(level) {
            return;
        }
        let client = peer.to_string();
        let names: Vec<&str> = record.detections().map(|(_, naming)| naming.name.as_str()).collect();
        let (names, gap) = (names.join(" "), record.leading_gap().map(reason).unwrap_or_default());
        let mut values: Vec<(&str, &[u8])> = vec![("client", client.as_bytes()), ("path", &record.path)];
        if !names.is_empty() {
            values.push(("name", names.as_bytes()));
        }
        if !gap.is_empty() {
            values.push(("reason", gap.as_bytes()));
        }
        let (size, place) = (record.size.unwrap_or(0).to_string(), place(record));
        if self.settings.log.extended {
            values.push(("size", size.as_bytes()));
            values.push(("object", place.as_bytes()));
        }
        self.log.event(level, event, &values);
    }

    /// Has the command of `VirusEvent` run. Streams are named as clamd names them there.
    fn run_event(&self, peer: &Peer, record: &Record) {
        let Some(event) = &self.event else { return };
        let named = match record.path.as_slice() {
            b"stream" => format!("instream({})", peer.place()).into_bytes(),
            path => path.to_vec(),
        };
        let name = self.sentences(record, false).into_iter().next().map(|sentence| sentence.text).unwrap_or_default();
        if !event.found(&named, name.strip_suffix(" FOUND").unwrap_or(&name)) {
            self.log.error("an event is left out", "too many commands wait");
        }
    }

    /// What clients of clamd are told of a record: one sentence, or with all matches one for each name.
    pub(crate) fn sentences(&self, record: &Record, all_matches: bool) -> Vec<Sentence> {
        let strongest = record.detections().map(|(detection, _)| detection.strength).max().unwrap_or(Strength::Strong);
        let telling = record.detections().filter(|(detection, _)| all_matches || detection.strength == strongest);
        let found = telling.map(|(_, naming)| Sentence::found(&shown(naming.name.as_bytes())));
        let found: Vec<Sentence> = found.take(if all_matches { usize::MAX } else { 1 }).collect();
        if !found.is_empty() {
            return found;
        }
        vec![match (&record.outcome, record.leading_gap()) {
            (Outcome::Wrong(reason), _) => Sentence::error(reason),
            (Outcome::Scanned(report, _), Some(gap)) => self.incomplete(report, gap),
            (Outcome::Scanned(report, _), None) if report.gap => Sentence::error("not wholly looked at"),
            _ => Sentence::ok(),
        }]
    }

    /// The third answer, by policy. A file of which nothing could be read is an error whatever the policy.
    fn incomplete(&self, report: &Report, gap: &dachs_base::Anomaly) -> Sentence {
        let nothing = report.coverage.objects == 0 && gap.kind == AnomalyKind::Unreadable;
        let limit = matches!(gap.kind, AnomalyKind::Limit(_));
        match self.settings.incomplete {
            _ if nothing => Sentence::error(&reason(gap)),
            _ if limit && self.settings.limits_found => Sentence::found(incomplete_name(gap.kind)),
            Incomplete::Error => Sentence::error(&reason(gap)),
            Incomplete::Found => Sentence::found(incomplete_name(gap.kind)),
            Incomplete::Ok => Sentence::ok(),
        }
    }
}

/// What is said of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sentence {
    pub(crate) text: String,
    pub(crate) kind: SentenceKind,
}

/// Which of the three it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SentenceKind {
    Error,
    Found,
    Ok,
}

impl Sentence {
    fn ok() -> Sentence {
        Sentence { text: "OK".to_owned(), kind: SentenceKind::Ok }
    }

    fn found(name: &str) -> Sentence {
        Sentence { text: format!("{name} FOUND"), kind: SentenceKind::Found }
    }

    /// A reason, on one line.
    pub(crate) fn error(reason: &str) -> Sentence {
        let reason: String = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Sentence { text: format!("{reason} ERROR"), kind: SentenceKind::Error }
    }
}

fn first_detail(report: &Report) -> String {
    report.anomalies.first().map(|anomaly| anomaly.detail.clone()).unwrap_or_default()
}

fn place(record: &Record) -> String {
    let first = record.detections().next();
    first.map(|(detection, _)| dachs_record::escape::place(&detection.object).trim().to_owned()).unwrap_or_default()
}

/// Detections, for those who listen.
#[derive(Debug, Default)]
pub(crate) struct Events {
    kept: Mutex<Kept>,
    came: Condvar,
}

#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<(u64, String)>,
    last: u64,
}

impl Events {
    fn push(&self, event: String) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.last += 1;
        let number = kept.last;
        kept.events.push_back((number, event));
        if kept.events.len() > KEPT_EVENTS {
            kept.events.pop_front();
        }
        self.came.notify_all();
    }

    /// The number of the last event.
    pub(crate) fn last(&self) -> u64 {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).last
    }

    /// Events after this number; waits for one, but not for longer than `patience`.
    pub(crate) fn after(&self, number: u64, patience: Duration) -> Vec<(u64, String)> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing = |kept: &mut Kept| kept.last <= number;
        let (kept, _) = self.came.wait_timeout_while(kept, patience, nothing).unwrap_or_else(PoisonError::into_inner);
        kept.events.iter().filter(|(at, _)| *at > number).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_kept_for_late_readers_but_not_for_ever() {
        let events = Events::default();
        assert!(events.after(0, Duration::from_millis(1)).is_empty());
        (0..300).for_each(|number| events.push(number.to_string()));
        let got = events.after(0, Duration::ZERO);
        assert_eq!((got.len(), got.first().map(|(number, _)| *number)), (KEPT_EVENTS, Some(45)));
        assert_eq!(events.after(299, Duration::ZERO), [(300, "299".to_owned())]);
        assert_eq!(events.last(), 300);
    }
}
