//! Folds what is found out about single objects into the report of the file.
//!
//! A report holds [`Limits::detections`] and [`Report::PATHS`] bytes of their objects' paths; further detections are counted.

use crate::Options;
use crate::level::Object;
use crate::seen::Said;
use dachs_base::{
    Anomaly, AnomalyKind, Cause, Coverage, Detection, FileKind, Finding, Heuristic, Limit, Limits, MatchedString, Name,
    ObjectPath, Piece, Report, Strength,
};
use dachs_rules::Found;
use std::cell::Cell;
use std::collections::HashSet;

/// The report being made.
pub(crate) struct Fold {
    limits: Limits,
    report: Report,
    strong: bool,
    /// What was detected in the object that was detected in last.
    causes: HashSet<Cause>,
    /// Bytes of the paths of all detections.
    paths: usize,
    /// Counts what there was to say, whether it stands in the report or not.
    remarks: Cell<u64>,
    /// A limit was reached that counts for the whole file.
    limited: bool,
    /// An anomaly was left out that was the same as the one before.
    repeats: bool,
}

impl Fold {
    /// An empty report of a file of this kind.
    pub(crate) fn new(kind: FileKind, limits: Limits) -> Fold {
        let report = Report { kind: Some(kind), ..Report::default() };
        let (causes, remarks) = (HashSet::new(), Cell::new(0));
        Fold { limits, report, strong: false, causes, paths: 0, remarks, limited: false, repeats: false }
    }

    /// What was found out since the last time, or since the beginning; the next piece starts with nothing.
    pub(crate) fn take_piece(&mut self, options: &Options<'_>) -> Piece {
        let decided = self.decided(options);
        let kind = self.report.kind.unwrap_or(FileKind::Data);
        let next = Fold { remarks: self.remarks.clone(), ..Fold::new(kind, self.limits.clone()) };
        let Fold { report, limited, repeats, .. } = std::mem::replace(self, next);
        Piece { report, decided, limited, repeats, ..Piece::default() }
    }

    /// The limits that were reached so far are those that one worker alone reaches: nothing has been given to others.
    pub(crate) fn forget_limits(&mut self) {
        self.limited = false;
    }

    /// There is something to say, or would be if no allow list cancelled it.
    pub(crate) fn remark(&self) {
        self.remarks.set(self.remarks.get().saturating_add(1));
    }

    /// How much was said so far, of how much that was looked at.
    pub(crate) fn said(&self) -> Said {
        Said { remarks: self.remarks.get(), coverage: self.report.coverage }
    }

    /// Objects were looked at before, and there is nothing to say of them.
    pub(crate) fn know(&mut self, seen: Coverage) {
        self.report.coverage.add(Coverage { skipped: 0, ..seen });
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
        self.remark();
        if self.report.detections.last().is_none_or(|last| last.object != *path) {
            self.causes.clear();
        }
        if !self.causes.insert(cause) {
            return;
        }
        let first_strong = strength == Strength::Strong && !self.strong;
        self.strong |= first_strong;
        let length = path.weight();
        let most = usize::try_from(self.limits.detections).unwrap_or(usize::MAX);
        let has_room = |fold: &Fold| {
            fold.report.detections.len() < most
                && fold.paths.checked_add(length).is_some_and(|sum| sum <= Report::PATHS)
        };
        // The first strong one is kept in any case: it decides what the file is.
        if first_strong && !has_room(self) && self.report.detections.pop().is_some() {
            self.drop_detections(1);
        }
        if first_strong || has_room(self) {
            self.paths = self.paths.saturating_add(length);
            self.report.detections.push(Detection { cause, strength, object: path.clone(), kind, offset, strings });
        } else {
            self.drop_detections(1);
        }
    }

    /// So many detections more were left out.
    pub(crate) fn drop_detections(&mut self, count: u64) {
        if count > 0 {
            self.remark();
        }
        self.report.detections_dropped = self.report.detections_dropped.saturating_add(count);
    }

    /// Notes an anomaly of the object at `path`; the same one twice in a row is one.
    pub(crate) fn note(&mut self, anomaly: Anomaly, path: &ObjectPath) {
        self.remark();
        self.limited |= counts_for_all(anomaly.kind);
        let anomaly = Anomaly { object: path.clone(), ..anomaly };
        if self.report.anomalies.last() == Some(&anomaly) {
            self.repeats = true;
        } else {
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

/// True if a limit was reached that counts for the whole file, and not for one object. Time does too, but says so in any case.
pub(crate) fn counts_for_all(kind: AnomalyKind) -> bool {
    let AnomalyKind::Limit(limit) = kind else { return false };
    matches!(limit, Limit::Memory | Limit::Objects | Limit::Rounds | Limit::ScanSize)
}
