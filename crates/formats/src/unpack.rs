//! What every unpacker gives: a stream of [`Item`]s, one at a time, so that an archive of ten million members costs no
//! more memory than one of two.

use dachs_base::{Anomaly, Heuristic, Name, Source};
use std::sync::Arc;

/// Goes through the members of one object.
///
/// Unpackers do not fail, they report: damage is an [`Item::Anomaly`], after which they go on where that is possible. They
/// end after finitely many items on any input, and charge every member and every byte they produce to the budget they were
/// made with; an unpacker whose member is refused says so and ends.
pub trait Unpack: Send {
    /// The next member or remark; `None` at the end. After `None` it stays `None`.
    fn next_item(&mut self) -> Option<Item>;
}

/// What an unpacker found.
pub enum Item {
    /// A remark about the object, or about one of its members that could not be given.
    Anomaly {
        /// Which member; absent for the object itself.
        member: Option<Name>,
        /// The remark.
        anomaly: Anomaly,
    },
    /// A judgement about the object as a whole.
    Heuristic(Heuristic),
    /// A member to be scanned.
    Member(Member),
}

/// An object inside another.
pub struct Member {
    /// Its name, as raw bytes; a format without names gives a describing one.
    pub name: Name,
    /// Its bytes.
    pub source: Arc<dyn Source>,
    /// How many bytes it takes in its parent, if that is known.
    pub packed_size: Option<u64>,
}
