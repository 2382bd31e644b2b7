//! What the workers of a team say: those that look at one large file together.
//!
//! The items of the file's first container of several members are counted off into *stretches*. All workers of a team walk
//! through the container; who comes to a stretch first gets it, the others pass it. What one of them found in stretches that
//! follow one another is a *piece*. One worker is the *leader*: it also looks at all that is not inside the container; the others are
//! *helpers*. The pieces, put one behind the other by [`merged`], are the report that one worker alone would have given.

use crate::{Limits, Report};
use serde::{Deserialize, Serialize};

/// What a scan charged to its budget: see [`Budget::spent`](crate::Budget::spent).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// Bytes that were unpacked.
    pub bytes: u64,
    /// Objects that were unpacked.
    pub objects: u64,
    /// Rounds of digests that passwords cost.
    pub rounds: u64,
}

impl Spent {
    /// What was spent since an earlier time.
    #[must_use]
    pub fn since(self, earlier: Spent) -> Spent {
        Spent {
            bytes: self.bytes.saturating_sub(earlier.bytes),
            objects: self.objects.saturating_sub(earlier.objects),
            rounds: self.rounds.saturating_sub(earlier.rounds),
        }
    }

    fn and(self, other: Spent) -> Spent {
        Spent {
            bytes: self.bytes.saturating_add(other.bytes),
            objects: self.objects.saturating_add(other.objects),
            rounds: self.rounds.saturating_add(other.rounds),
        }
    }

    /// True if one worker could have spent this and met no limit. Of bytes half of them must be left: a stream that several
    /// read is decoded more or less often than by one.
    fn is_within(self, limits: &Limits) -> bool {
        self.bytes <= limits.scan_size / 2 && self.objects <= limits.objects && self.rounds <= limits.rounds
    }
}

/// What a worker of a team does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// It looks at stretches only.
    Helper,
    /// It looks at stretches, and at all that is outside the container.
    Leader,
}

/// What a worker asks. `trace` is a checksum of all items so far: who sees other items than the others is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Claim {
    /// The container ended before this stretch.
    End {
        /// The stretch that would have come.
        number: u32,
        /// Of all items.
        trace: u32,
    },
    /// The leader has told its pieces; what became of the others'?
    Rest,
    /// It looks at no more stretches.
    Stop,
    /// It has come to this stretch; shall it look at it? Each is asked for once, in order.
    Stretch {
        /// From 0.
        number: u32,
        /// Of the items before it.
        trace: u32,
    },
}

/// The answer to a [`Claim`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Turn {
    /// Nobody helped: the leader goes on as if it had been alone.
    Alone,
    /// Tell what was found, and look at no more stretches.
    Conclude,
    /// Another worker has the stretch: tell what was found until here, and pass it.
    Pass,
    /// What became of all stretches, for the leader.
    Rest {
        /// Something was found that ends the scan.
        decided: bool,
        /// Part of the container was not looked at.
        gap: bool,
    },
    /// Look at the stretch.
    Take,
}

/// What one worker found in stretches that follow one another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// What was found.
    pub report: Report,
    /// It ends with something that ends the scan.
    pub decided: bool,
    /// An anomaly of the container itself says that part of it was not looked at.
    pub gap: bool,
    /// A limit was reached that counts for the whole file: one worker alone could have reached it elsewhere.
    pub limited: bool,
    /// An anomaly was left out that was the same as the one before.
    pub repeats: bool,
    /// What it cost.
    pub spent: Spent,
}

/// The report that one worker alone would have given, of what several found; `None` where that cannot be said.
#[must_use]
pub fn merged(pieces: impl IntoIterator<Item = Piece>, limits: &Limits) -> Option<Report> {
    let mut pieces = pieces.into_iter();
    let first = pieces.next()?;
    let (mut report, mut spent) = (first.report, first.spent);
    let mut limited = first.limited;
    for piece in pieces {
        limited |= piece.limited;
        spent = spent.and(piece.spent);
        report.append(piece.report, piece.repeats, limits)?;
    }
    (!limited && spent.is_within(limits)).then_some(report)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Anomaly, Cause, Coverage, Detection, FileKind, Name, ObjectPath, Strength};

    fn said(report: Report) -> Piece {
        Piece { report, ..Piece::default() }
    }

    fn remarks(texts: &[&str]) -> Piece {
        said(Report { anomalies: texts.iter().map(|text| Anomaly::odd(*text)).collect(), ..Report::default() })
    }

    fn detections(found: &[(u32, &str)]) -> Piece {
        let detection = |&(signature, path): &(u32, &str)| Detection {
            cause: Cause::Signature(signature),
            strength: Strength::Weak,
            object: ObjectPath(vec![Name::new(path.as_bytes())]),
            kind: FileKind::Data,
            offset: None,
            strings: Vec::new(),
        };
        said(Report { detections: found.iter().map(detection).collect(), ..Report::default() })
    }

    fn together(pieces: impl IntoIterator<Item = Piece>) -> Option<Report> {
        merged(pieces, &Limits { anomalies: 3, detections: 3, ..Limits::default() })
    }

    #[test]
    fn what_is_said_twice_in_a_row_is_said_once() {
        let report = together([remarks(&["a", "b"]), remarks(&["b"]), remarks(&["a"])]).unwrap();
        assert_eq!(report.anomalies, remarks(&["a", "b", "a"]).report.anomalies);
        let report = together([detections(&[(1, "x")]), detections(&[(1, "x"), (2, "x")])]).unwrap();
        assert_eq!(report.detections, detections(&[(1, "x"), (2, "x")]).report.detections);
        let again = [detections(&[(1, "x")]), detections(&[(1, "y")]), detections(&[(1, "x")])];
        assert_eq!(together(again).unwrap().detections.len(), 3);
    }

    #[test]
    fn anomalies_beyond_the_limit_are_counted() {
        let report = together([remarks(&["a", "b"]), remarks(&["c", "d", "e"])]).unwrap();
        assert_eq!((report.anomalies.len(), report.anomalies_dropped), (3, 2));
        let repeats = Piece { repeats: true, ..remarks(&["c", "d"]) };
        assert_eq!(together([remarks(&["a", "b"]), repeats]), None);
    }

    #[test]
    fn what_cannot_be_said_is_not() {
        let mut full = remarks(&["a", "b", "c"]);
        full.report.anomalies_dropped = 1;
        assert!(together([full.clone(), remarks(&["d"])]).is_some_and(|report| report.anomalies_dropped == 2));
        assert_eq!(together([remarks(&["d"]), full]), None);
        assert_eq!(together([detections(&[(1, "x"), (2, "x")]), detections(&[(1, "y"), (2, "y")])]), None);
        assert_eq!(together([Piece { limited: true, ..Piece::default() }, Piece::default()]), None);
        let dear = |objects| Piece { spent: Spent { objects, ..Spent::default() }, ..Piece::default() };
        assert!(together([dear(500_000), dear(500_000)]).is_some());
        assert_eq!(together([dear(500_000), dear(500_001)]), None);
        assert_eq!(together([]), None);
    }

    #[test]
    fn coverage_and_gaps_add_up() {
        let part =
            || Report { gap: true, coverage: Coverage { bytes: 1, objects: 2, skipped: 3 }, ..Report::default() };
        let report = together([said(part()), said(Report::default()), said(part())]).unwrap();
        assert!(report.gap);
        assert_eq!(report.coverage, Coverage { bytes: 2, objects: 4, skipped: 6 });
    }
}
