//! Something a reader of a report should know.
//!
//! Most anomalies are gaps: bytes exist that nobody looked at. A report with a gap and no detection is incomplete,
//! never clean. The others are remarks, which leave the verdict as it is.

use crate::{Limit, ObjectPath};
use serde::{Deserialize, Serialize};

/// What sort of anomaly it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum AnomalyKind {
    /// The format is broken, so that part of the object could not be read. A gap.
    Damaged,
    /// The object is encrypted and no password opened it. A gap.
    Encrypted,
    /// A limit was reached. A gap.
    Limit(Limit),
    /// The bytes could not be read: an I/O error, a file that changed under the scan. A gap.
    Unreadable,
    /// The format, or a method in it, is known but cannot be opened yet. A gap.
    Unsupported,
    /// The worker that scanned the object died or was killed. A gap.
    WorkerDied,
    /// The object is odd in a way that hides nothing: overlapping entries that were all read, a wrong checksum of
    /// bytes that were read, data before or after an archive that was scanned as well. A remark.
    Odd,
}

impl AnomalyKind {
    /// True if bytes exist that were not looked at.
    #[must_use]
    pub fn is_gap(self) -> bool {
        !matches!(self, AnomalyKind::Odd)
    }

    /// The word used in JSON; never changes.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            AnomalyKind::Damaged => "damaged",
            AnomalyKind::Encrypted => "encrypted",
            AnomalyKind::Limit(_) => "limit",
            AnomalyKind::Unreadable => "unreadable",
            AnomalyKind::Unsupported => "unsupported",
            AnomalyKind::WorkerDied => "worker-died",
            AnomalyKind::Odd => "odd",
        }
    }
}

/// Something a reader of a report should know about one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anomaly {
    /// What sort.
    pub kind: AnomalyKind,
    /// Which object; empty for the file itself. Filled in by the engine.
    pub object: ObjectPath,
    /// One sentence for a person. Never holds bytes of the content: those stand in `object`.
    pub detail: String,
}

impl Anomaly {
    /// An anomaly of the object at hand; the engine fills in the path.
    #[must_use]
    pub fn new(kind: AnomalyKind, detail: impl Into<String>) -> Anomaly {
        Anomaly { kind, object: ObjectPath::default(), detail: detail.into() }
    }

    /// Part of the object is broken and was not read.
    #[must_use]
    pub fn damaged(detail: impl Into<String>) -> Anomaly {
        Anomaly::new(AnomalyKind::Damaged, detail)
    }

    /// The object, or a part of it, is encrypted.
    #[must_use]
    pub fn encrypted(detail: impl Into<String>) -> Anomaly {
        Anomaly::new(AnomalyKind::Encrypted, detail)
    }

    /// The object uses a format or method that cannot be opened.
    #[must_use]
    pub fn unsupported(detail: impl Into<String>) -> Anomaly {
        Anomaly::new(AnomalyKind::Unsupported, detail)
    }

    /// The object is odd, though all of it was read.
    #[must_use]
    pub fn odd(detail: impl Into<String>) -> Anomaly {
        Anomaly::new(AnomalyKind::Odd, detail)
    }
}
