//! The words of ClamAV's programs for what was not wholly looked at.

use dachs_base::{Anomaly, AnomalyKind, Limit};

use crate::escape::{place, shown};

/// Why a file was not wholly looked at.
#[must_use]
pub fn reason(gap: &Anomaly) -> String {
    let place = place(&gap.object);
    let place = if place.is_empty() { place } else { format!(" {}", place.trim()) };
    match gap.kind {
        AnomalyKind::Limit(limit) => format!("limit reached ({}){place}", limit_option(limit)),
        AnomalyKind::Unreadable => format!("{}{place}", shown(gap.detail.as_bytes())),
        kind => format!("{}: {}{place}", kind.label(), shown(gap.detail.as_bytes())),
    }
}

/// The option that sets a limit.
#[must_use]
pub fn limit_option(limit: Limit) -> &'static str {
    match limit {
        Limit::Depth => "--max-recursion",
        Limit::Objects => "--max-files",
        Limit::ObjectSize => "--max-filesize",
        Limit::ScanSize => "--max-scansize",
        Limit::Rounds => "rounds of digests for passwords",
        Limit::Steps => "steps of a regular expression",
        Limit::Time => "--max-scantime",
        _ => "memory",
    }
}

/// The name of a gap as a detection; of limits as ClamAV has them.
#[must_use]
pub fn incomplete_name(kind: AnomalyKind) -> &'static str {
    match kind {
        AnomalyKind::Limit(Limit::Depth) => "Heuristics.Limits.Exceeded.MaxRecursion",
        AnomalyKind::Limit(Limit::Objects) => "Heuristics.Limits.Exceeded.MaxFiles",
        AnomalyKind::Limit(Limit::ObjectSize) => "Heuristics.Limits.Exceeded.MaxFileSize",
        AnomalyKind::Limit(Limit::ScanSize) => "Heuristics.Limits.Exceeded.MaxScanSize",
        AnomalyKind::Limit(Limit::Time) => "Heuristics.Limits.Exceeded.MaxScanTime",
        AnomalyKind::Limit(_) => "Heuristics.Limits.Exceeded.Memory",
        AnomalyKind::Damaged => "Heuristics.Incomplete.Damaged",
        AnomalyKind::Encrypted => "Heuristics.Incomplete.Encrypted",
        AnomalyKind::Unreadable => "Heuristics.Incomplete.Unreadable",
        AnomalyKind::Unsupported => "Heuristics.Incomplete.Unsupported",
        AnomalyKind::WorkerDied => "Heuristics.Incomplete.WorkerDied",
        _ => "Heuristics.Incomplete",
    }
}
