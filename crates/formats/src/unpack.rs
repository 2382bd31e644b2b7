//! What every unpacker gives: a stream of [`Item`]s, one at a time, so that an archive of ten million members costs no
//! more memory than one of two.
//!
//! Four shapes of it are shared. Where members stand one behind the other as they are, a format is a
//! [`Walk`](crate::stored::Walk). Where an object is one compressed stream, it is a [`stream`](crate::stream). Where folders
//! lead to files, it is a [`Volume`](crate::tree::Volume). Where a step may find nothing, or several things at once, it is a
//! [`Search`], which is an unpacker by itself.

use std::collections::VecDeque;
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, FileKind, Heuristic, LimitReached, Meta, Name, Source};

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
    /// An object in the midst of the bytes, found by how it begins. It is scanned, but not searched for others.
    Embedded(Member),
    /// The object is of this kind as well, which showed only now.
    Also(FileKind),
    /// What an archive says of a member, before the member or what is remarked of it. Given where ClamAV's signatures of
    /// container metadata apply: in ZIP, RAR, 7z, CAB, CHM, LHA, ARJ, tar, cpio and ISO 9660, for members whose bytes cannot be had too.
    Meta(Meta),
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

/// A search through an object, step by step. It is an [`Unpack`].
pub(crate) trait Search: Send {
    /// Where it puts what it finds.
    fn found(&mut self) -> &mut Found;

    /// Does a piece of work, short enough that the clock is looked at between two of them. An error is told, and ends the
    /// search.
    fn step(&mut self) -> Result<(), Anomaly>;
}

impl<S: Search> Unpack for S {
    fn next_item(&mut self) -> Option<Item> {
        loop {
            let found = self.found();
            if let Some(item) = found.items.pop_front() {
                return Some(item);
            }
            if found.ended {
                return None;
            }
            let in_time = found.budget.check_time().map_err(Anomaly::from);
            if let Err(anomaly) = in_time.and_then(|()| self.step()) {
                self.found().end_with(None, anomaly);
            }
        }
    }
}

/// What a [`Search`] found and did not hand out yet.
pub(crate) struct Found {
    items: VecDeque<Item>,
    budget: Budget,
    ended: bool,
}

impl Found {
    /// Nothing yet; members will be charged to `budget`.
    pub(crate) fn new(budget: &Budget) -> Found {
        Found { items: VecDeque::new(), budget: budget.clone(), ended: false }
    }

    /// A member, which is charged.
    pub(crate) fn member(
        &mut self,
        name: Name,
        source: Arc<dyn Source>,
        packed_size: Option<u64>,
    ) -> Result<(), LimitReached> {
        self.budget.charge_object()?;
        self.items.push_back(Item::Member(Member { name, source, packed_size }));
        Ok(())
    }

    /// An object in the midst of the bytes, which is charged.
    pub(crate) fn embedded(&mut self, name: Name, source: Arc<dyn Source>) -> Result<(), LimitReached> {
        self.budget.charge_object()?;
        self.items.push_back(Item::Embedded(Member { name, source, packed_size: None }));
        Ok(())
    }

    /// The object is of this kind as well.
    pub(crate) fn also(&mut self, kind: FileKind) {
        self.items.push_back(Item::Also(kind));
    }

    /// What the archive says of a member that comes next.
    pub(crate) fn meta(&mut self, meta: Meta) {
        self.items.push_back(Item::Meta(meta));
    }

    /// A remark about the object, or about one of its members.
    pub(crate) fn remark(&mut self, member: Option<Name>, anomaly: Anomaly) {
        self.items.push_back(Item::Anomaly { member, anomaly });
    }

    /// What an unpacker inside this one found, and charged.
    pub(crate) fn pass_on(&mut self, item: Item) {
        self.items.push_back(item);
    }

    /// A judgement about the object.
    pub(crate) fn heuristic(&mut self, heuristic: Heuristic) {
        self.items.push_back(Item::Heuristic(heuristic));
    }

    /// No step follows.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    /// No step follows, for this reason.
    pub(crate) fn end_with(&mut self, member: Option<Name>, anomaly: Anomaly) {
        self.end();
        self.remark(member, anomaly);
    }

    /// True if no step follows.
    pub(crate) fn is_ended(&self) -> bool {
        self.ended
    }
}
