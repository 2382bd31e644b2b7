//! Folds what is found out about single objects into the report of the file.

use crate::Options;
use crate::level::Object;
use dachs_base::{
    Anomaly, Cause, Detection, FileKind, Finding, Heuristic, Limits, MatchedString, Name, ObjectPath, Report, Strength,
};
use dachs_rules::Found;

/// The report being made.
pub(crate) struct Fold {
    limits: Limits,
    report: Report,
    strong: bool,
}

impl Fold {
    /// An empty report of a file of this kind.
    pub(crate) fn new(kind: FileKind, limits: Limits) -> Fold {
        let report = Report { kind: Some(kind), ..Report::default() };
        Fold { limits, report, strong: false }
    }

    /// One object was read.
    pub(crate) fn looked_at(&mut self, bytes: u64) {
        self.report.coverage.objects = self.report.coverage.objects.saturating_add(1);
        self.report.coverage.bytes = self.report.coverage.bytes.saturating_add(bytes);
    }

    /// Signatures were fulfilled in an object.
    pub(crate) fn detect(&mut self, findings: &[Finding], object: &Object) {
        for finding in findings {
            self.add(Cause::Signature(finding.signature), finding.strength, finding.offset, object);
        }
    }

    /// YARA rules matched an object.
    pub(crate) fn detect_rules(&mut self, found: Vec<Found>, object: &Object) {
        for Found { signature, strength, strings } in found {
            let offset = strings.first().map(|string| string.offset);
            self.add_at(Cause::Signature(signature), strength, offset, &object.path, object.kind(), strings);
        }
    }

    /// What an object says of a member fulfils signatures: they are detected in the member.
    pub(crate) fn detect_member(&mut self, findings: &[Finding], object: &Object, name: Name) {
        let path = object.path.child(name);
        for finding in findings {
            self.add_at(Cause::Signature(finding.signature), finding.strength, None, &path, object.kind(), Vec::new());
        }
    }

    /// An unpacker judged an object.
    pub(crate) fn judge(&mut self, heuristic: Heuristic, object: &Object) {
        self.add(Cause::Heuristic(heuristic), Strength::Weak, None, object);
    }

    /// Adds a detection, unless the same was found in another form of the same object.
    fn add(&mut self, cause: Cause, strength: Strength, offset: Option<u64>, object: &Object) {
        self.add_at(cause, strength, offset, &object.path, object.kind(), Vec::new());
    }

    fn add_at(
        &mut self,
        cause: Cause,
        strength: Strength,
        offset: Option<u64>,
        path: &ObjectPath,
        kind: FileKind,
        strings: Vec<MatchedString>,
    ) {
        let here = self.report.detections.iter().rev().take_while(|detection| detection.object == *path);
        if here.into_iter().any(|detection| detection.cause == cause) {
            return;
        }
        let first_strong = strength == Strength::Strong && !self.strong;
        self.strong |= first_strong;
        let room = usize::try_from(self.limits.detections).unwrap_or(usize::MAX);
        if first_strong && self.report.detections.len() >= room {
            self.report.detections.pop();
        }
        if self.report.detections.len() < room.max(usize::from(first_strong)) {
            self.report.detections.push(Detection { cause, strength, object: path.clone(), kind, offset, strings });
        }
    }

    /// Notes an anomaly of the object at `path`; the same one twice in a row is one.
    pub(crate) fn note(&mut self, anomaly: Anomaly, path: &ObjectPath) {
        let anomaly = Anomaly { object: path.clone(), ..anomaly };
        if self.report.anomalies.last() != Some(&anomaly) {
            self.report.note(anomaly, &self.limits);
        }
    }

    /// Notes an anomaly of an object that has no level of its own; a gap counts as an object skipped.
    pub(crate) fn note_skipped(&mut self, anomaly: Anomaly, path: &ObjectPath) {
        self.left(anomaly.kind.is_gap());
        self.note(anomaly, path);
    }

    /// An object was left, with or without a gap.
    pub(crate) fn left(&mut self, gap: bool) {
        self.report.coverage.skipped = self.report.coverage.skipped.saturating_add(u64::from(gap));
    }

    /// True if what was found is all that was asked for.
    pub(crate) fn decided(&self, options: &Options<'_>) -> bool {
        let weak = options.switches.precedence && !self.report.detections.is_empty();
        (self.strong || weak) && !options.all_matches
    }

    /// The report.
    pub(crate) fn report(self) -> Report {
        self.report
    }
}
