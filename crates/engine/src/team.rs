//! Several workers look at one large file together: one *leads*, the others *help*.
//!
//! ```text
//! leader   file, streams around -> container: [0][1]    [3]       [6] -> rest, what else the file holds -> last piece
//! helper                           container:       [2]    [4][5]       (told: pieces 2, 4-5)
//! ```
//!
//! The container that is shared is the first one of several members: the file itself, or what stands in compressed streams, packages and
//! disk images around it (`tar` in `gzip`, the largest partition of a disk). Every worker opens it and walks through all its items, which are counted off into *stretches* of
//! some items or bytes. At the start of each a worker asks its [`Team`]; who asks first gets it. The others pass: they take
//! the items and look at none. In a ZIP archive or a file system that costs next to nothing; a compressed stream is decoded by each, which is
//! free where a core has nothing else to do. While the leader looks at the file itself (signatures of all bytes, digests, rules), helpers
//! have begun with its members. Who found what in stretches that follow one another says so in one [`Piece`]; put one
//! behind the other (`dachs_base::merged`), pieces are the report that one worker would have made alone. What crosses members:
//!
//! * *Order, and what is said twice*: pieces are merged in the order of the stretches, by the rules by which [`Fold`](crate::fold)
//!   makes a report; where something was dropped so that they would not give the same, they are not merged.
//! * *The first strong detection* ends a scan: the piece that ends with one is the last that counts, and earlier stretches are always
//!   looked at to their end. The leader asks what became of all before it leaves the container, and so knows whether to go on behind it.
//! * *Budgets* count for the whole file. Each piece says what it cost; passing is not counted. Where the sum is beyond a limit, or where
//!   some worker met one that counts for all, the pieces are not merged (what the leader met before it came to the container, it would
//!   have met alone: a disk that is too large for rules, say). The time is the same point for all, and who runs out of it says so.
//! * *What was [seen](crate::seen) before* is remembered by each worker for itself. Nothing of a result depends on it, as objects
//!   of which anything was said are never remembered; the charges of those scanned twice make the sum larger, never smaller.
//! * *Metadata of members* (`.cdb`), *heuristics of the container* and its anomalies are items, and belong to their stretch. That a part of
//!   the container was not looked at is said once for it, by the leader, whoever met it.
//! * *Allow lists and trusted signers* of objects around are asked by each worker: it has them all.
//! * *What patterns tell of the container, or ask to look at it again* comes behind its members, and is the leader's.
//! * *Lengths*: one worker has read a stream to its end before it opens it, and identifies members knowing their lengths. So
//!   helpers decode it once before they begin.
//! * *Passwords* are tried while walking, by each worker, and so in the same order. Words of a mail and links belong to objects inside of one
//!   stretch; a mail is never the container.
//!
//! Whatever else might differ shows in the *trace*, a checksum over the place of the container and all items so far: a worker whose
//! trace is not that of the others makes the team fail. Where pieces are not merged, where a worker that had a stretch died, or the team
//! failed, the file is given to one worker again, as if there had been no team. So a team can cost time, and never an answer.

use crate::fold::counts_for_all;
use crate::level::{self, Level, Object};
use crate::{Outcome, Scan};
use crc32fast::Hasher;
use dachs_base::{Claim, Class, FileKind, Piece, Report, Role, Spent, Turn};
use dachs_formats::{Identity, Item};

/// A stretch has at least so many items, or so many packed bytes; later ones more, so that there are never many thousands.
const ITEMS: u64 = 16;
const BYTES: u64 = 1 << 20;
/// A stretch grows to this part of what is before it.
const PART: u64 = 128;

/// The workers that look at a file together, as one of them sees them.
pub trait Team {
    /// What this worker does.
    fn role(&self) -> Role;

    /// Asks, and waits for the answer.
    fn claim(&self, claim: Claim) -> Turn;

    /// Hands over what was found.
    fn tell(&self, piece: Piece);
}

/// Where a scan stands in its team.
#[derive(Default)]
pub(crate) struct Share<'a> {
    team: Option<&'a dyn Team>,
    /// It is known which container is shared, or that none is.
    settled: bool,
    /// So many levels are on the way to it.
    depth: usize,
    /// The level of that container, while stretches are looked at.
    level: Option<usize>,
    stretches: Stretches,
    /// What was found since the last piece is to be told in the next.
    mine: bool,
    /// What had been spent when that began.
    begun: Spent,
    /// What comes behind the container is a piece too.
    rest: bool,
    /// Somebody has found what ends the scan, or there is nothing more to do here.
    over: bool,
}

/// Counts items off into stretches.
#[derive(Default)]
struct Stretches {
    trace: Hasher,
    items: u64,
    bytes: u64,
    /// The number of the next one, which begins at so many items or bytes.
    number: u32,
    at_items: u64,
    at_bytes: u64,
}

/// What objects of a kind are for a team.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Nothing that could be shared.
    Other,
    /// A container of several members.
    Shared,
    /// It holds one object, which may be a container, or one that is larger than all others.
    Through,
}

impl<'a> Share<'a> {
    /// A scan in a team, or a lonely one.
    pub(crate) fn new(team: Option<&'a dyn Team>) -> Share<'a> {
        let leads = team.is_some_and(|team| team.role() == Role::Leader);
        Share { team, settled: team.is_none(), mine: leads, ..Share::default() }
    }

    /// True for who looks at stretches only.
    pub(crate) fn is_helper(&self) -> bool {
        self.team.is_some_and(|team| team.role() == Role::Helper)
    }

    /// True if the scan has come to its end because of what others found.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// True if the innermost of so many levels is the container that is shared.
    pub(crate) fn is_at(&self, levels: usize) -> bool {
        self.level.is_some_and(|level| level.checked_add(1) == Some(levels))
    }

    /// Takes note of the next item of the container.
    pub(crate) fn count(&mut self, item: &Item) {
        self.stretches.count(item);
    }
}

impl Stretches {
    /// Begins with the container: what it is, and where it stands among the items of the objects around it.
    fn begin(&mut self, object: &Object, around: &[Level]) {
        around.iter().for_each(|level| self.add(b'g', &level.given.to_le_bytes()));
        object.path.0.iter().for_each(|name| self.add(b'p', name.as_bytes()));
        object
            .around
            .iter()
            .copied()
            .chain(object.identity.kinds())
            .for_each(|kind| self.add(b'k', kind.label().as_bytes()));
    }

    fn count(&mut self, item: &Item) {
        self.items = self.items.saturating_add(1);
        match item {
            Item::Member(member) => {
                let size = member.packed_size.unwrap_or_default();
                self.bytes = self.bytes.saturating_add(size);
                self.add(b'm', &size.to_le_bytes());
                self.add(b'n', member.name.as_bytes());
            }
            Item::Meta(meta) => {
                self.add(b'd', meta.name.as_bytes());
                [meta.packed, meta.length, meta.position]
                    .iter()
                    .for_each(|number| self.add(b'u', &number.to_le_bytes()));
            }
            Item::Anomaly { member, anomaly } => {
                self.add(b'a', anomaly.detail.as_bytes());
                member.iter().for_each(|name| self.add(b'n', name.as_bytes()));
            }
            Item::Heuristic(heuristic) => self.add(b'h', heuristic.name().as_bytes()),
            Item::Also(kind) => self.add(b'o', kind.label().as_bytes()),
            Item::Embedded(member) => self.add(b'e', member.name.as_bytes()),
        }
    }

    fn add(&mut self, tag: u8, bytes: &[u8]) {
        self.trace.update(&[tag]);
        self.trace.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
        self.trace.update(bytes);
    }

    fn trace(&self) -> u32 {
        self.trace.clone().finalize()
    }

    fn is_boundary(&self) -> bool {
        self.items >= self.at_items || self.bytes >= self.at_bytes
    }

    /// The claim for the stretch that begins here.
    fn claim(&mut self) -> Claim {
        let claim = Claim::Stretch { number: self.number, trace: self.trace() };
        self.number = self.number.saturating_add(1);
        self.at_items = self.items.saturating_add((self.items / PART).max(ITEMS));
        self.at_bytes = self.bytes.saturating_add((self.bytes / PART).max(BYTES));
        claim
    }
}

impl<'a> Scan<'a> {
    /// Settles, at the first objects that are entered, which container is shared.
    pub(crate) fn settle(&mut self, level: &mut Level) {
        if self.share.settled || self.levels.len() != self.share.depth || !self.is_main(&level.object) {
            return;
        }
        let way = if level.object.again { Way::Other } else { way(&level.object.identity) };
        // What others find in it is not known here: nothing can be remembered of it.
        if way != Way::Other {
            level.asked = None;
        }
        self.share.depth = self.share.depth.saturating_add(1);
        self.share.settled = way != Way::Through || self.is_enough();
        if way == Way::Shared && !self.is_enough() {
            self.fold.forget_limits();
            self.share.level = Some(self.levels.len());
            self.share.stretches.begin(&level.object, &self.levels);
        }
    }

    /// True if a member of the innermost object is most of it: of a stream, the first one.
    fn is_main(&self, member: &Object) -> bool {
        let Some(around) = self.levels.last().map(|level| &level.object) else { return true };
        let half = around.source.known_len().map(|length| length / 2);
        around.kind().class() == Class::Stream || member.source.known_len().is_some_and(|length| Some(length) > half)
    }

    /// Helps with a file: goes to the container that is shared, and looks at stretches of it.
    pub(crate) fn help(mut self, mut object: Object) -> Outcome {
        while let Some(next) = self.go_in(object) {
            object = next;
        }
        while self.share.level.is_some() && !self.is_enough() {
            self.step();
        }
        self.note_time();
        while self.share.level.is_some() && !self.levels.is_empty() {
            self.leave();
        }
        Outcome::Report(Report::default())
    }

    /// Enters an object on the way to the container, without looking at it; gives the next one on the way.
    fn go_in(&mut self, mut object: Object) -> Option<Object> {
        let is_stream = object.kind().class() == Class::Stream;
        if way(&object.identity) != Way::Other && !is_stream && object.source.known_len().is_none() {
            let first_read = u64::try_from(dachs_formats::FIRST_READ).unwrap_or(u64::MAX);
            if object.source.len() >= first_read {
                object.identity = level::identify(&*object.source, self.image, object.around.last().copied());
            }
        }
        self.enter(object, None);
        if self.share.settled {
            return None;
        }
        loop {
            let level = self.levels.last_mut()?;
            match level.next_item()? {
                Item::Member(member) => {
                    let object = Object::member(&level.object, member, self.image);
                    if self.is_main(&object) {
                        return Some(object);
                    }
                }
                Item::Embedded(_) | Item::Also(_) => return None,
                Item::Anomaly { .. } | Item::Heuristic(_) | Item::Meta(_) => {}
            }
        }
    }

    /// True if the next item of the container is to be looked at here. Otherwise it was passed.
    pub(crate) fn is_next_mine(&mut self) -> bool {
        if self.share.stretches.is_boundary() {
            let claim = self.share.stretches.claim();
            match self.ask(claim) {
                Turn::Take => self.take_up(),
                Turn::Pass => self.tell(),
                _ => {
                    self.conclude();
                    return false;
                }
            }
        }
        if self.share.mine {
            return true;
        }
        match self.levels.last_mut().and_then(Level::next_item) {
            Some(item) => self.share.count(&item),
            None => self.end_of_items(),
        }
        false
    }

    /// There are no more items in the container.
    pub(crate) fn end_of_items(&mut self) {
        let Stretches { number, .. } = self.share.stretches;
        let trace = self.share.stretches.trace();
        self.ask_to_leave(Claim::End { number, trace });
    }

    /// The container is being left before its end.
    pub(crate) fn leave_container(&mut self) {
        self.ask_to_leave(Claim::Stop);
    }

    fn ask_to_leave(&mut self, claim: Claim) {
        match self.ask(claim) {
            Turn::Alone => self.share = Share { settled: true, ..Share::default() },
            _ => self.conclude(),
        }
    }

    fn ask(&self, claim: Claim) -> Turn {
        self.share.team.map_or(Turn::Alone, |team| team.claim(claim))
    }

    /// Begins a piece, unless one has begun.
    fn take_up(&mut self) {
        if std::mem::replace(&mut self.share.mine, true) {
            return;
        }
        self.share.begun = self.budget.spent();
        if self.share.is_helper() {
            // What it met on its way to the container is the leader's to say.
            self.fold.take_piece(self.options);
        }
    }

    /// Tells what was found in the stretches behind, if they were looked at here.
    fn tell(&mut self) {
        if !std::mem::replace(&mut self.share.mine, false) {
            return;
        }
        let gap = self.levels.last_mut().is_some_and(|level| std::mem::replace(&mut level.gap, false));
        let piece = self.piece();
        self.hand_over(Piece { gap, ..piece });
    }

    fn piece(&mut self) -> Piece {
        let spent = self.budget.spent().since(self.share.begun);
        let cut = |level: &Level| level.object.source.problem().is_some_and(|problem| counts_for_all(problem.kind));
        let cut_off = self.levels.iter().any(cut);
        let piece = self.fold.take_piece(self.options);
        Piece { spent, limited: piece.limited || cut_off, ..piece }
    }

    fn hand_over(&self, piece: Piece) {
        if let Some(team) = self.share.team {
            team.tell(piece);
        }
    }

    /// The part of this worker in the container is done.
    fn conclude(&mut self) {
        self.tell();
        self.share.level = None;
        if self.share.is_helper() {
            self.share.over = true;
            return;
        }
        self.share.rest = true;
        self.share.begun = self.budget.spent();
        match (self.ask(Claim::Rest), self.levels.last_mut()) {
            (Turn::Rest { decided, gap }, Some(level)) => {
                level.gap |= gap;
                self.share.over = decided;
            }
            _ => self.share.over = true,
        }
    }

    /// The end of a scan: what came behind the container is told as well, if the container was shared.
    pub(crate) fn finish(mut self) -> Outcome {
        if !self.share.rest {
            return Outcome::Report(self.fold.report());
        }
        let piece = self.piece();
        self.hand_over(piece);
        Outcome::Report(Report::default())
    }
}

/// What an object is for a team.
fn way(identity: &Identity) -> Way {
    let mut kinds = identity.kinds().map(way_of);
    let first = kinds.next().unwrap_or(Way::Other);
    match kinds.next() {
        None => first,
        Some(second) if first == second && first == Way::Shared && kinds.all(|way| way == first) => first,
        Some(_) => Way::Other,
    }
}

fn way_of(kind: FileKind) -> Way {
    match kind {
        FileKind::Apm
        | FileKind::Bzip2
        | FileKind::Compress
        | FileKind::Deb
        | FileKind::Gpt
        | FileKind::Gzip
        | FileKind::Lz4
        | FileKind::Lzip
        | FileKind::Lzma
        | FileKind::Lzop
        | FileKind::Mbr
        | FileKind::Qcow
        | FileKind::Rpm
        | FileKind::Vhd
        | FileKind::Vhdx
        | FileKind::Vmdk
        | FileKind::Xz
        | FileKind::Zstd => Way::Through,
        FileKind::Alz
        | FileKind::Ar
        | FileKind::Arj
        | FileKind::Asar
        | FileKind::Cab
        | FileKind::Cpio
        | FileKind::Egg
        | FileKind::Ext
        | FileKind::Fat
        | FileKind::Hfs
        | FileKind::HfsPlus
        | FileKind::Iso9660
        | FileKind::Lha
        | FileKind::Ntfs
        | FileKind::Rar
        | FileKind::SevenZip
        | FileKind::SquashFs
        | FileKind::Tar
        | FileKind::Udf
        | FileKind::Wim
        | FileKind::Xar
        | FileKind::Zip => Way::Shared,
        _ => Way::Other,
    }
}

#[cfg(test)]
mod tests;
