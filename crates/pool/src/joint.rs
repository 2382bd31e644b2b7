//! A file that a team of workers looks at: who has which stretch, and what became of it.
//!
//! ```text
//! leader's slot   open --claims and pieces--> Rest: waits until no helper is at work --> outcome: one report, or none
//! helper's slot          join --claims and pieces--> left
//! ```
//!
//! Workers are believed nothing. Which stretches a piece stands for is known from what was answered, not from what is said; claims come in
//! their order or end the worker; there are at most [`STRETCHES`] stretches, and pieces of at most [`WEIGHT`] bytes in all. A
//! worker that lies can make the report wrong, as a worker that has a file alone can; that is all it can do.
//!
//! The file is given to one worker alone after all (*failed*), if a helper that had a stretch died, if one saw other items than the
//! others did, or if the pieces do not make up a report that one worker would have given.

use crate::Job;
use dachs_base::{About, Claim, Limits, Piece, Report, Role, Turn, merged};
use dachs_sys::process;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// An honest worker counts some two thousand stretches in the largest file.
const STRETCHES: u32 = 1 << 14;
/// Bytes of the messages that pieces came in, all together: several reports of the greatest length.
const WEIGHT: usize = 1 << 20;
/// Pieces are kept by where they begin: before all stretches, at a stretch, behind all.
const HEAD: u64 = 0;
const REST: u64 = u64::MAX;

/// The file, and how far it is.
#[derive(Debug)]
pub(crate) struct Joint {
    pub(crate) job: Job,
    /// So many helpers there may be.
    most: usize,
    begun: Instant,
    /// When all of its workers are stopped.
    deadline: Instant,
    state: Mutex<State>,
    /// Rung when a helper leaves.
    left: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// No more helpers.
    closed: bool,
    failed: bool,
    /// Stretches that somebody has.
    claimed: u32,
    /// The claims for stretches, and for what comes behind the last; each is what all others must claim.
    claims: Vec<Claim>,
    /// A helper has, or had, a stretch.
    helped: bool,
    /// Helpers at work, by their handles.
    helpers: Vec<Arc<OwnedFd>>,
    /// Helpers that were promised, whose workers are not there yet.
    promised: usize,
    pieces: BTreeMap<u64, Piece>,
    weight: usize,
}

/// One worker of the team, as its slot sees it.
#[derive(Debug)]
pub(crate) struct Member {
    role: Role,
    /// The stretch that it may ask for next.
    next: u32,
    /// Where its piece begins, if it has one under way.
    piece: Option<u64>,
    /// Whether it must tell that now.
    owes: bool,
    /// It had a stretch.
    helped: bool,
    /// It was told to conclude; only the leader says more.
    concluded: bool,
    rested: bool,
}

/// It broke the rules of the talk: how.
pub(crate) type Nonsense = &'static str;

impl Member {
    pub(crate) fn new(role: Role) -> Member {
        let piece = (role == Role::Leader).then_some(HEAD);
        Member { role, next: 0, piece, owes: false, helped: false, concluded: false, rested: false }
    }

    /// The stretch is another's, or there are no more.
    fn must_tell(&mut self) {
        self.owes = self.piece.is_some();
    }

    fn conclude(&mut self) -> Turn {
        self.must_tell();
        self.concluded = true;
        Turn::Conclude
    }
}

impl Joint {
    /// A file that may take so long, and so many helpers.
    ///
    /// # Errors
    /// When there are no more descriptors.
    pub(crate) fn new(job: &Job, time: Duration, most: usize) -> io::Result<Joint> {
        let (begun, file) = (Instant::now(), job.file.try_clone()?);
        let about = About { path: job.about.path.clone(), owner: job.about.owner.clone() };
        let job = Job { file, about, ..*job };
        let deadline = begun.checked_add(time).unwrap_or(begun);
        Ok(Joint { job, most, begun, deadline, state: Mutex::default(), left: Condvar::new() })
    }

    /// How long it is under way.
    pub(crate) fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// How long its workers may still take.
    pub(crate) fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// True if helpers are welcome.
    pub(crate) fn is_open(&self) -> bool {
        !self.lock().closed
    }

    /// True if the leader may not have had all of it, or not as it would have alone.
    pub(crate) fn was_helped(&self) -> bool {
        let state = self.lock();
        state.helped || state.failed
    }

    /// True if it is to be given to one worker alone.
    pub(crate) fn has_failed(&self) -> bool {
        self.lock().failed
    }

    /// Promises a helper, unless none is wanted any more.
    pub(crate) fn join(&self) -> bool {
        let mut state = self.lock();
        let wanted = !state.closed && state.promised < self.most;
        if wanted {
            state.promised = state.promised.saturating_add(1);
        }
        wanted
    }

    /// The helper that was promised is there; false if it came too late, and is to be sent away.
    pub(crate) fn enter(&self, helper: Arc<OwnedFd>) -> bool {
        let mut state = self.lock();
        state.helpers.push(helper);
        !state.closed
    }

    /// A helper that was promised has left, or never came: `lost` if it was not told to.
    pub(crate) fn leave(&self, helper: Option<&Arc<OwnedFd>>, member: &Member, lost: bool) {
        let mut state = self.lock();
        state.promised = state.promised.saturating_sub(1);
        state.helpers.retain(|other| helper.is_none_or(|helper| !Arc::ptr_eq(other, helper)));
        let unsaid = member.piece.is_some();
        state.failed |= member.helped && (lost || unsaid);
        // It has seen the end, or that there is nothing to share.
        state.closed |= !lost;
        self.left.notify_all();
    }

    /// Nobody needs helpers any more: those at work are killed.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        for helper in &state.helpers {
            // It may just have ended.
            let _ = process::kill(helper.as_fd());
        }
    }

    /// Answers a worker. For [`Claim::Rest`], waits until no helper is at work, as long as there is time.
    ///
    /// # Errors
    /// When no honest worker claims that.
    pub(crate) fn answer(&self, member: &mut Member, claim: Claim) -> Result<Turn, Nonsense> {
        if member.owes || member.concluded != (claim == Claim::Rest) || member.rested {
            return Err("a claim at the wrong time");
        }
        match claim {
            Claim::Stretch { number, .. } => self.answer_stretch(member, number, claim),
            Claim::End { number, .. } if number == member.next => {
                self.lock().compare(number, claim)?;
                Ok(self.answer_leaving(member))
            }
            Claim::End { .. } => Err("a claim out of order"),
            Claim::Stop => Ok(self.answer_leaving(member)),
            Claim::Rest => self.answer_rest(member),
        }
    }

    fn answer_stretch(&self, member: &mut Member, number: u32, claim: Claim) -> Result<Turn, Nonsense> {
        let mut state = self.lock();
        if number != member.next || number > state.claimed || number >= STRETCHES {
            return Err("a claim out of order");
        }
        member.next = number.saturating_add(1);
        state.compare(number, claim)?;
        if state.failed || state.decided().is_some() {
            return Ok(member.conclude());
        }
        if number < state.claimed {
            member.must_tell();
            return Ok(Turn::Pass);
        }
        state.claimed = member.next;
        member.piece = member.piece.or(Some(u64::from(member.next)));
        member.helped |= member.role == Role::Helper;
        state.helped |= member.helped;
        Ok(Turn::Take)
    }

    fn answer_leaving(&self, member: &mut Member) -> Turn {
        let mut state = self.lock();
        state.closed = true;
        if member.role == Role::Leader && !state.helped {
            member.rested = true;
            return Turn::Alone;
        }
        member.conclude()
    }

    fn answer_rest(&self, member: &mut Member) -> Result<Turn, Nonsense> {
        if member.role != Role::Leader {
            return Err("a helper's claim to lead");
        }
        let mut state = self.lock();
        state.closed = true;
        let at_work = |state: &mut State| state.promised > 0 && !state.failed;
        state =
            self.left.wait_timeout_while(state, self.time_left(), at_work).unwrap_or_else(PoisonError::into_inner).0;
        state.failed |= state.promised > 0;
        (member.rested, member.owes, member.piece) = (true, true, Some(REST));
        let decided = state.decided();
        let gap = state.pieces.range(..=decided.unwrap_or(REST)).any(|(_, piece)| piece.gap);
        Ok(Turn::Rest { decided: decided.is_some(), gap })
    }

    /// Takes what a worker told, in a message of so many bytes.
    ///
    /// # Errors
    /// When nobody asked for it, or it is too much.
    pub(crate) fn take(&self, member: &mut Member, piece: Piece, weight: usize) -> Result<(), Nonsense> {
        let mut state = self.lock();
        let Some(key) = member.piece.take().filter(|_| member.owes) else {
            return Err("a piece that nobody asked for");
        };
        member.owes = false;
        state.weight = state.weight.saturating_add(weight);
        if state.weight > WEIGHT {
            return Err("pieces that are too long");
        }
        state.pieces.insert(key, piece);
        Ok(())
    }

    /// The report of the file, once the leader has ended with `last`; `None` if it is to be given to one worker alone.
    pub(crate) fn outcome(&self, leader: &Member, last: Report, limits: &Limits) -> Option<Report> {
        let mut state = self.lock();
        state.closed = true;
        if leader.piece == Some(HEAD) {
            // It has never told a piece: nobody helped, or what it found before it came to the container ends the scan, or it sees no
            // container.
            return (leader.rested || leader.next == 0).then_some(last);
        }
        if state.failed || !state.pieces.contains_key(&REST) {
            return None;
        }
        let decided = state.decided().unwrap_or(REST);
        let pieces = std::mem::take(&mut state.pieces).into_iter();
        merged(pieces.filter(|(key, _)| *key <= decided || *key == REST).map(|(_, piece)| piece), limits)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Where the piece begins that ends the scan.
    fn decided(&self) -> Option<u64> {
        self.pieces.iter().find(|(_, piece)| piece.decided).map(|(key, _)| *key)
    }

    /// Compares a claim with those of the others for the same stretch.
    fn compare(&mut self, number: u32, claim: Claim) -> Result<(), Nonsense> {
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        match self.claims.get(number) {
            Some(other) => self.failed |= *other != claim,
            None if number == self.claims.len() => self.claims.push(claim),
            None => return Err("a claim out of order"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
