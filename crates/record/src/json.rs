//! One JSON object a line: the contract stands in docs/json.md and docs/report.schema.json.
//!
//! Fields are only ever added, never changed or taken away, as long as `v` is 1. A text that comes from names which are
//! not UTF-8 has the wrong bytes replaced, and a second field beside it carries the exact bytes in base64.

use std::borrow::Cow;
use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dachs_base::{Anomaly, AnomalyKind, Coverage, Detection, Limit, ObjectPath};
use serde::Serialize;

use crate::Acted;
use crate::record::{Naming, Outcome, Record, strength_label};
use crate::rule::RuleLine;

/// Writes the object of one record, without a line break.
///
/// # Errors
/// When the output cannot be written.
pub fn write(mut out: impl Write, record: &Record) -> io::Result<()> {
    Ok(serde_json::to_writer(&mut out, &Line::new(record))?)
}

#[derive(Serialize)]
struct Line<'a> {
    v: u32,
    path: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<ActionLine<'a>>,
    #[serde(flatten)]
    scanned: Option<Scanned<'a>>,
}

#[derive(Serialize)]
struct ActionLine<'a> {
    what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_bytes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

#[derive(Serialize)]
struct Scanned<'a> {
    ms: f64,
    detections: Vec<DetectionLine<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    detections_dropped: u64,
    anomalies: Vec<AnomalyLine<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    anomalies_dropped: u64,
    coverage: CoverageLine,
}

#[derive(Serialize)]
struct DetectionLine<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    strength: &'static str,
    #[serde(flatten)]
    object: ObjectLine<'a>,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<RuleLine<'a>>,
}

#[derive(Serialize)]
struct AnomalyLine<'a> {
    what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<&'static str>,
    #[serde(flatten)]
    object: ObjectLine<'a>,
    detail: &'a str,
}

/// The way to an object: the path of the file, then one name a level.
#[derive(Serialize)]
struct ObjectLine<'a> {
    object: Vec<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object_bytes: Option<Vec<String>>,
}

#[derive(Serialize)]
struct CoverageLine {
    bytes: u64,
    objects: u64,
    skipped: u64,
}

impl<'a> Line<'a> {
    fn new(record: &'a Record) -> Line<'a> {
        let (skipped, error, kind) = match &record.outcome {
            Outcome::Skipped(why) => (Some(why.label()), None, None),
            Outcome::Wrong(reason) => (None, Some(reason.as_str()), None),
            Outcome::Scanned(report, _) => (None, None, report.kind.map(|kind| kind.label())),
        };
        Line {
            v: 1,
            path: String::from_utf8_lossy(&record.path),
            path_bytes: exact(&record.path),
            verdict: record.verdict().map(|verdict| verdict.label()),
            skipped,
            error,
            kind,
            size: record.size,
            action: record.action.as_ref().map(ActionLine::new),
            scanned: Scanned::new(record),
        }
    }
}

impl<'a> ActionLine<'a> {
    fn new(action: &'a Result<Acted, String>) -> ActionLine<'a> {
        match action {
            Err(error) => ActionLine { what: "failed", to: None, to_bytes: None, error: Some(error) },
            Ok(Acted { what, to }) => ActionLine {
                what,
                to: to.as_deref().map(String::from_utf8_lossy),
                to_bytes: to.as_deref().and_then(exact),
                error: None,
            },
        }
    }
}

impl<'a> Scanned<'a> {
    fn new(record: &'a Record) -> Option<Scanned<'a>> {
        let Outcome::Scanned(report, _) = &record.outcome else {
            return None;
        };
        let detection = |(detection, naming)| DetectionLine::new(&record.path, detection, naming);
        Some(Scanned {
            // Microseconds are as exact as it gets, and keep the number short.
            ms: record
                .elapsed
                .as_micros()
                .min(u128::from(u32::MAX))
                .try_into()
                .map_or(f64::MAX, |us: u32| f64::from(us) / 1e3),
            detections: record.detections().map(detection).collect(),
            detections_dropped: report.detections_dropped,
            anomalies: report.anomalies.iter().map(|anomaly| AnomalyLine::new(&record.path, anomaly)).collect(),
            anomalies_dropped: report.anomalies_dropped,
            coverage: CoverageLine::from(report.coverage),
        })
    }
}

impl<'a> DetectionLine<'a> {
    fn new(path: &'a [u8], detection: &'a Detection, naming: &'a Naming) -> DetectionLine<'a> {
        DetectionLine {
            name: &naming.name,
            source: naming.source.as_deref(),
            strength: strength_label(detection.strength),
            object: ObjectLine::new(path, &detection.object),
            kind: detection.kind.label(),
            offset: detection.offset,
            rule: naming.rule.as_deref().map(|rule| RuleLine::new(rule, detection)),
        }
    }
}

impl<'a> AnomalyLine<'a> {
    fn new(path: &'a [u8], anomaly: &'a Anomaly) -> AnomalyLine<'a> {
        AnomalyLine {
            what: anomaly.kind.label(),
            limit: match anomaly.kind {
                AnomalyKind::Limit(limit) => Some(limit_label(limit)),
                _ => None,
            },
            object: ObjectLine::new(path, &anomaly.object),
            detail: &anomaly.detail,
        }
    }
}

impl<'a> ObjectLine<'a> {
    fn new(path: &'a [u8], object: &'a ObjectPath) -> ObjectLine<'a> {
        let names = || std::iter::once(path).chain(object.0.iter().map(dachs_base::Name::as_bytes));
        let all_text = names().all(|name| std::str::from_utf8(name).is_ok());
        ObjectLine {
            object: names().map(String::from_utf8_lossy).collect(),
            object_bytes: (!all_text).then(|| names().map(|name| STANDARD.encode(name)).collect()),
        }
    }
}

impl From<Coverage> for CoverageLine {
    fn from(coverage: Coverage) -> CoverageLine {
        CoverageLine { bytes: coverage.bytes, objects: coverage.objects, skipped: coverage.skipped }
    }
}

/// The bytes in base64, if text cannot carry them.
fn exact(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).is_err().then(|| STANDARD.encode(bytes))
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The word for a limit in JSON; never changes.
fn limit_label(limit: Limit) -> &'static str {
    match limit {
        Limit::Depth => "depth",
        Limit::Memory => "memory",
        Limit::Objects => "objects",
        Limit::ObjectSize => "object-size",
        Limit::Rounds => "rounds",
        Limit::ScanSize => "scan-size",
        Limit::Steps => "steps",
        Limit::Time => "time",
        _ => "other",
    }
}
