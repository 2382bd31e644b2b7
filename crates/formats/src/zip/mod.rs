//! ZIP archives (PKWARE APPNOTE 6.3.10).
//!
//! A ZIP archive says everything twice: each member has a local header before its data, and an entry in the central
//! directory at the end. Programs differ in what they believe, and malware lives in the differences. So everything that
//! some program could read is read here:
//!
//! ```text
//! 1. ends       every end record in the last MiB, last one first           -> directories
//! 2. directory  every entry of each; its local header is looked at as well -> members
//! 3. gaps       local headers in bytes that no entry has                   -> members that the directory hides,
//!                                                                             or all, if there is no directory
//! ```
//!
//! * Where local header and directory disagree on method, encryption or size, the member is given in both readings.
//! * Entries that share bytes are given once for each way of reading them ([`coverage`]); many of them are the mark of an
//!   overlap bomb, [`dachs_base::Heuristic::ZipOverlappingFiles`].
//! * An end record inside the data of a member is that member's, which is an archive itself.
//! * Encrypted members are opened if a password is right, [`lock`].
//! * A prefix (a self-extractor) shifts all offsets; it is found by where the directory stands.
//!
//! Not done: strong encryption (APPNOTE 7), volumes of split archives other than the one at hand, and the methods shrink and reduce of PKZIP 1.

mod coverage;
mod directory;
mod ends;
mod gaps;
mod lock;
mod member;
mod method;
mod record;

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Charge, LimitReached, Source, read_vec_at};

use self::coverage::Coverage;
use self::directory::Walk;
use self::ends::Directory;
use self::gaps::Gaps;
use self::lock::Keyring;
use self::record::{DESCRIPTOR, END_LENGTH, ONE_VOLUME};
use crate::{Found, Passwords, Search, Unpack};

/// Directories that are read; an archive that was changed in place may have several.
const DIRECTORIES: usize = 64;
/// More entries than these that share bytes are no accident.
const SHARED_BY_ACCIDENT: u64 = 5;

/// Goes through the members of an archive.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget, passwords: &Passwords) -> Box<dyn Unpack> {
    Box::new(Archive {
        source: Arc::clone(source),
        budget: budget.clone(),
        coverage: Coverage::new(budget),
        found: Found::new(budget),
        phase: Phase::Start,
        candidates: Vec::new(),
        memory: None,
        directories: Vec::new(),
        walked: Vec::new(),
        position: 0,
        last_end: None,
        shared: 0,
        told: Told::default(),
        keyring: Keyring::new(passwords),
    })
}

struct Archive {
    source: Arc<dyn Source>,
    budget: Budget,
    coverage: Coverage,
    found: Found,
    phase: Phase,
    /// Offsets of end records that were not looked at yet.
    candidates: Vec<u64>,
    /// What is reserved for them.
    memory: Option<Charge>,
    /// How many entries were met in the directory at hand, and behind it.
    position: u64,
    /// Directories that were not walked yet.
    directories: Vec<Directory>,
    /// Start and base of those that were.
    walked: Vec<(u64, u64)>,
    /// The last end record that counts.
    last_end: Option<u64>,
    /// Entries of the first directory that share bytes with others.
    shared: u64,
    told: Told,
    keyring: Keyring,
}

enum Phase {
    Start,
    Ends,
    Directory(Walk),
    Gaps(Gaps),
    Done,
}

/// Remarks that are made once for an archive.
#[derive(Default)]
struct Told {
    directories: bool,
    disagreement: bool,
    memory: bool,
    names: bool,
    rounds: bool,
    strays: bool,
}

impl Search for Archive {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Start => self.start(),
            Phase::Ends => self.next_end(),
            Phase::Directory(walk) => self.next_entry(walk)?,
            Phase::Gaps(gaps) => self.next_gap(gaps)?,
            Phase::Done => self.found.end(),
        }
        Ok(())
    }
}

/// The phases.
impl Archive {
    fn start(&mut self) {
        self.phase = Phase::Ends;
        let candidates = ends::candidates(self.source.as_ref());
        match self.budget.reserve(u64::try_from(candidates.len()).unwrap_or(u64::MAX).saturating_mul(8)) {
            Ok(memory) => {
                self.candidates = candidates;
                self.memory = Some(memory);
            }
            Err(reached) => {
                self.candidates = candidates.last().copied().into_iter().collect();
                self.found.remark(None, reached.into());
            }
        }
    }

    fn next_end(&mut self) {
        self.phase = Phase::Ends;
        if let Some(directory) = self.directories.pop() {
            self.walked.push((directory.start, directory.base));
            self.position = 0;
            self.phase = Phase::Directory(Walk::new(&self.source, directory));
        } else if let Some(position) = self.candidates.pop() {
            self.consider_end(position);
        } else {
            self.enter_gaps();
        }
    }

    /// Takes the directories of an end record, unless it stands in a member's data.
    fn consider_end(&mut self, position: u64) {
        if self.coverage.touches(position, position.saturating_add(END_LENGTH as u64)) {
            return;
        }
        let Some(found) = ends::resolve(&self.source, position) else { return };
        self.last_end = self.last_end.max(Some(found.position));
        for directory in found.directories.into_iter().rev() {
            if self.walked.contains(&(directory.start, directory.base)) {
                continue;
            }
            if self.walked.len() < DIRECTORIES {
                self.directories.push(directory);
            } else if !std::mem::replace(&mut self.told.directories, true) {
                self.found
                    .remark(None, Anomaly::damaged(format!("more than {DIRECTORIES} directories; not all were read")));
            }
        }
    }

    fn next_entry(&mut self, mut walk: Walk) -> Result<(), LimitReached> {
        match walk.next_entry() {
            Some(entry) => {
                self.take_entry(&entry, walk.disk())?;
                self.phase = Phase::Directory(walk);
            }
            None => {
                if !walk.is_complete() {
                    self.found.remark(None, Anomaly::damaged("the central directory breaks off"));
                }
                self.phase = Phase::Ends;
            }
        }
        Ok(())
    }

    fn enter_gaps(&mut self) {
        self.candidates = Vec::new();
        self.memory = None;
        if self.last_end.is_none() {
            let anomaly = self.no_directory();
            self.found.remark(None, anomaly);
        }
        // Without a memory of what was read, everything would be read again.
        let gaps = (!self.told.memory).then(|| Gaps::new(&self.source, &self.budget));
        self.phase = gaps.map_or(Phase::Done, Phase::Gaps);
    }

    fn no_directory(&self) -> Anomaly {
        let first = read_vec_at(self.source.as_ref(), 0, 4);
        match first == DESCRIPTOR || first == ONE_VOLUME {
            true => Anomaly::unsupported("one volume of a split archive; its directory is in another one"),
            false => Anomaly::damaged("there is no central directory; members were looked for by their local headers"),
        }
    }

    fn next_gap(&mut self, mut gaps: Gaps) -> Result<(), LimitReached> {
        if let Some(stray) = gaps.next_stray(&self.coverage)? {
            self.take_stray(stray)?;
            self.phase = Phase::Gaps(gaps);
        }
        Ok(())
    }
}
