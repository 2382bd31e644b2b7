//! What is said about one path: the unit that every output format writes, one by one, in the order of the walk.
//!
//! A [`Record`] is made from a worker's report, whose numbers of signatures become names here, or from the walk itself
//! for what could not be opened. It is plain data; nothing in it is escaped yet.

use std::sync::Arc;
use std::time::Duration;

use dachs_base::{Anomaly, AnomalyKind, Cause, Detection, Limit, MatchedString, Report, Strength, Verdict};
use dachs_sigdb::model::YaraRule;

use crate::{Acted, Skip};

/// What is said about one path.
#[derive(Clone, Debug)]
pub struct Record {
    /// The path as given or found, raw.
    pub path: Vec<u8>,
    /// The file's size in bytes, if it came to be known.
    pub size: Option<u64>,
    /// How long the scan took, without waiting.
    pub elapsed: Duration,
    /// What became of it.
    pub outcome: Outcome,
    /// What was done with it, or why that failed; `None` if nothing was to be done.
    pub action: Option<Result<Acted, String>>,
}

/// What became of a path.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It was looked at, wholly or not. The names of its detections stand in the same order as the report's.
    Scanned(Report, Vec<Naming>),
    /// It is not scanned on purpose.
    Skipped(Skip),
    /// It cannot be scanned: no such path, a wrong argument.
    Wrong(String),
}

/// What a detection is called, and by which source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naming {
    /// The signature's name.
    pub name: String,
    /// The database file it stands in; absent for the engine's own judgement.
    pub source: Option<String>,
    /// What a YARA rule says of itself; absent for all other signatures.
    pub rule: Option<Arc<YaraRule>>,
}

impl Naming {
    /// A name, and nothing more.
    #[must_use]
    pub fn plain(name: String) -> Naming {
        Naming { name, source: None, rule: None }
    }
}

/// Names signatures by their numbers.
pub trait Names {
    /// What the signature with this number is called; `None` if there is none.
    fn naming(&self, signature: u32) -> Option<Naming>;
}

impl Record {
    /// A file that was scanned.
    #[must_use]
    pub fn scanned(path: Vec<u8>, size: u64, elapsed: Duration, report: Report, names: &dyn Names) -> Record {
        let namings = report.detections.iter().map(|detection| naming(detection, names)).collect();
        Record { size: Some(size), elapsed, ..Record::new(path, Outcome::Scanned(report, namings)) }
    }

    /// Something that should have been looked at and could not be.
    #[must_use]
    pub fn unreadable(path: Vec<u8>, size: Option<u64>, reason: impl Into<String>) -> Record {
        let report = Report::unscanned(Anomaly::new(AnomalyKind::Unreadable, reason));
        Record { size, ..Record::new(path, Outcome::Scanned(report, Vec::new())) }
    }

    /// A file that is not looked at because of its size.
    #[must_use]
    pub fn too_large(path: Vec<u8>, size: u64) -> Record {
        let report =
            Report::unscanned(Anomaly::new(AnomalyKind::Limit(Limit::ObjectSize), "the file is larger than asked for"));
        Record { size: Some(size), ..Record::new(path, Outcome::Scanned(report, Vec::new())) }
    }

    /// Something left out on purpose.
    #[must_use]
    pub fn skipped(path: Vec<u8>, why: Skip) -> Record {
        Record::new(path, Outcome::Skipped(why))
    }

    /// An argument that makes no sense.
    #[must_use]
    pub fn wrong(path: Vec<u8>, reason: String) -> Record {
        Record::new(path, Outcome::Wrong(reason))
    }

    fn new(path: Vec<u8>, outcome: Outcome) -> Record {
        Record { path, size: None, elapsed: Duration::ZERO, outcome, action: None }
    }

    /// The one-word answer; `None` for what was left out on purpose.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        match &self.outcome {
            Outcome::Scanned(report, _) => Some(report.verdict()),
            Outcome::Skipped(_) => None,
            Outcome::Wrong(_) => Some(Verdict::Error),
        }
    }

    /// Detections with their names.
    pub fn detections(&self) -> impl Iterator<Item = (&Detection, &Naming)> {
        let (detections, namings) = match &self.outcome {
            Outcome::Scanned(report, namings) => (report.detections.as_slice(), namings.as_slice()),
            _ => (&[][..], &[][..]),
        };
        detections.iter().zip(namings)
    }

    /// The anomalies that mean unread bytes.
    pub fn gaps(&self) -> impl Iterator<Item = &Anomaly> {
        let anomalies = match &self.outcome {
            Outcome::Scanned(report, _) => report.anomalies.as_slice(),
            _ => &[],
        };
        anomalies.iter().filter(|anomaly| anomaly.kind.is_gap())
    }

    /// The gap that says most: a limit explains the damage that it caused in what was cut off by it.
    #[must_use]
    pub fn leading_gap(&self) -> Option<&Anomaly> {
        self.gaps().min_by_key(|gap| match gap.kind {
            AnomalyKind::WorkerDied => 0,
            AnomalyKind::Limit(_) => 1,
            AnomalyKind::Encrypted => 2,
            AnomalyKind::Unreadable => 3,
            AnomalyKind::Unsupported => 4,
            _ => 5,
        })
    }

    /// About how much memory it holds, in bytes.
    #[must_use]
    pub fn weight(&self) -> usize {
        let names = |path: &dachs_base::ObjectPath| path.0.iter().map(|name| name.as_bytes().len() + 24).sum::<usize>();
        let inner: usize = match &self.outcome {
            Outcome::Scanned(report, namings) => {
                let detections = report.detections.iter().map(|detection| {
                    64 + names(&detection.object) + detection.strings.len() * size_of::<MatchedString>() * 2
                });
                let anomalies =
                    report.anomalies.iter().map(|anomaly| 64 + anomaly.detail.len() + names(&anomaly.object));
                let namings = namings.iter().map(|naming| 64 + naming.name.len());
                detections.chain(anomalies).chain(namings).sum()
            }
            _ => 0,
        };
        size_of::<Record>() + self.path.len() + inner
    }
}

/// A number that the image does not know can only come from a worker that was taken over: it is shown as such.
fn naming(detection: &Detection, names: &dyn Names) -> Naming {
    match detection.cause {
        Cause::Signature(number) => {
            names.naming(number).unwrap_or_else(|| Naming::plain(format!("Unknown.Signature-{number}")))
        }
        Cause::Heuristic(heuristic) => Naming::plain(heuristic.name().to_owned()),
        _ => Naming::plain("Unknown.Cause".to_owned()),
    }
}

/// The short reason of a gap for a summary: `encrypted`, `limit of depth (--max-depth)`, `permission denied`.
#[must_use]
pub fn reason(gap: &Anomaly) -> String {
    match gap.kind {
        AnomalyKind::Limit(limit) => format!("limit of {limit}"),
        AnomalyKind::Unreadable if gap.object.0.is_empty() && gap.detail.len() <= 40 => gap.detail.clone(),
        AnomalyKind::WorkerDied => "worker died".to_owned(),
        kind => kind.label().to_owned(),
    }
}

/// The word for a strength in JSON; never changes.
#[must_use]
pub fn strength_label(strength: Strength) -> &'static str {
    match strength {
        Strength::Weak => "weak",
        Strength::Strong => "strong",
    }
}

#[cfg(test)]
mod tests {
    use super::samples::record;
    use super::*;

    #[test]
    fn a_limit_leads_before_the_damage_it_caused() {
        let limit = Anomaly::new(AnomalyKind::Limit(Limit::Depth), "limit");
        let record =
            record(b"x", vec![], vec![Anomaly::odd("odd"), Anomaly::damaged("first"), limit, Anomaly::damaged("last")]);
        assert_eq!(record.leading_gap().map(|gap| gap.detail.as_str()), Some("limit"));
        assert_eq!(record.gaps().count(), 3);
    }
}

#[cfg(any(test, feature = "samples"))]
pub mod samples {
    //! Records for the tests of the outputs.

    use super::*;
    use dachs_base::{Coverage, FileKind, Limits, Name, ObjectPath};

    /// Knows signature 0 and nothing else.
    pub struct OneName;

    impl Names for OneName {
        fn naming(&self, signature: u32) -> Option<Naming> {
            (signature == 0).then(|| Naming { name: "Test.Badger".into(), source: Some("test.hdb".into()), rule: None })
        }
    }

    /// A detection at offset 7 of a text, behind this way of members.
    #[must_use]
    pub fn detection(signature: u32, strength: Strength, members: &[&[u8]]) -> Detection {
        let object = ObjectPath(members.iter().map(|name| Name::new(name)).collect());
        Detection {
            cause: Cause::Signature(signature),
            strength,
            object,
            kind: FileKind::Ascii,
            offset: Some(7),
            strings: Vec::new(),
        }
    }

    /// A scanned ZIP archive of 10 bytes.
    #[must_use]
    pub fn record(path: &[u8], detections: Vec<Detection>, anomalies: Vec<Anomaly>) -> Record {
        let coverage = Coverage { bytes: 20, objects: 2, skipped: 0 };
        let mut report = Report { kind: Some(FileKind::Zip), detections, coverage, ..Report::default() };
        anomalies.into_iter().for_each(|anomaly| report.note(anomaly, &Limits::default()));
        Record::scanned(path.to_vec(), 10, Duration::from_micros(1_500), report, &OneName)
    }

    /// Clean, detected in a member, suspicious, encrypted, missing, and a socket.
    #[must_use]
    pub fn every_kind() -> Vec<Record> {
        let encrypted = Anomaly { object: ObjectPath(vec![Name::new(b"x\xff")]), ..Anomaly::encrypted("no password") };
        vec![
            record(b"clean", vec![], vec![Anomaly::odd("a remark")]),
            record(b"a.zip", vec![detection(0, Strength::Strong, &[b"in\n.zip", b"eicar"])], vec![]),
            record(b"odd\xff", vec![detection(9, Strength::Weak, &[])], vec![]),
            record(b"locked", vec![], vec![encrypted]),
            Record::wrong(b"nowhere".to_vec(), "no such file or directory".into()),
            Record::skipped(b"talk".to_vec(), Skip::Socket),
        ]
    }
}
