//! Members that are decoded in one pass.

use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Mutex};

use dachs_base::{Anomaly, Budget, Charge, Held, Meta, Name};
use rars::{Archive, ArchiveMember, ArchiveMemberDetail, ExtractionDecision, ExtractionErrorAction};

use super::{Opened, anomaly, lock};
use crate::crypt;

/// Bytes of members that are decoded together.
const TOGETHER: u64 = 32 << 20;

/// The methods of RAR 1.4 and 1.5: a step takes a bit at least and gives 272 bytes at most. Their decoder reads zeros behind the end of
/// its data without a complaint, so that only this bound tells that a size is a lie.
const OLD_METHODS: u8 = 15;
const OLD_RATIO: u64 = 8 * 272;

/// What a pass gave of a member.
pub(super) struct Decoded {
    /// What the archive says of it.
    pub(super) meta: Meta,
    pub(super) bytes: Option<Held>,
    pub(super) anomaly: Option<Anomaly>,
}

/// Where the next pass begins.
pub(super) enum Next {
    /// At this member.
    Member(usize),
    /// At this one, which is too large to be decoded with others.
    Large(usize, Meta),
    /// There are no more.
    End,
}

/// A pass at work.
pub(super) struct Batch<'a> {
    archive: &'a Opened,
    budget: &'a Budget,
    solid: bool,
    /// The first member that counts.
    first: usize,
    /// The member that comes next.
    index: usize,
    expected: u64,
    members: Vec<(Decoded, Option<Shared>)>,
    next: Next,
}

impl Batch<'_> {
    /// Decodes members from number `first` on.
    pub(super) fn decode(opened: &Opened, first: usize, budget: &Budget) -> (Vec<Decoded>, Next) {
        let archive = &opened.archive;
        let solid = archive.is_solid();
        let batch = Batch {
            archive: opened,
            budget,
            solid,
            first,
            index: 0,
            expected: 0,
            members: Vec::new(),
            next: Next::End,
        };
        // Both closures need the batch; they are never called at the same time.
        let batch = std::cell::RefCell::new(batch);
        let result = archive.extract_with_control_and_errors(
            opened.options(budget),
            |member| Ok(batch.borrow_mut().decide(member)),
            |member, error| {
                let wrong = member.meta.is_encrypted && error.kind() == rars::ErrorKind::ChecksumMismatch;
                batch.borrow_mut().note(if wrong { crypt::closed() } else { anomaly(error) });
                Ok(ExtractionErrorAction::Continue)
            },
        );
        let mut batch = batch.into_inner();
        if let Err(error) = result {
            batch.fail(archive, &error);
        }
        let members = batch.members.into_iter().map(|(decoded, bytes)| finish(decoded, bytes, budget)).collect();
        (members, batch.next)
    }

    fn decide(&mut self, member: &ArchiveMember) -> ExtractionDecision {
        let index = self.index;
        self.index = self.index.saturating_add(1);
        let meta = &member.meta;
        if meta.is_directory || meta.is_redirection {
            return ExtractionDecision::Skip;
        }
        if index < self.first {
            return self.pass();
        }
        if meta.is_encrypted {
            let opens = match &self.archive.password {
                Some(Ok(password)) => self.charge(index, password),
                Some(Err(anomaly)) => Err(anomaly.clone()),
                None => Err(crypt::closed()),
            };
            if let Err(anomaly) = opens {
                return self.refuse(member, index, anomaly);
            }
        }
        if meta.is_split_before || meta.is_split_after {
            return self.refuse(member, index, Anomaly::unsupported("it goes on in another volume"));
        }
        if says_too_much(member) {
            return self.refuse(member, index, Anomaly::damaged("its data cannot give as many bytes as it says"));
        }
        if meta.unpacked_size > TOGETHER {
            self.next = match self.members.is_empty() {
                true => Next::Large(index, told(member, index)),
                false => Next::Member(index),
            };
            return ExtractionDecision::Stop;
        }
        self.expected = self.expected.saturating_add(meta.unpacked_size);
        if self.expected > TOGETHER.min(self.budget.memory_left() / 2) && !self.members.is_empty() {
            self.next = Next::Member(index);
            return ExtractionDecision::Stop;
        }
        let shared = Shared::default();
        let writer = Collector { shared: shared.clone(), budget: self.budget.clone() };
        self.members.push((decoded(member, index), Some(shared)));
        ExtractionDecision::Extract(Box::new(writer))
    }

    /// Pays for the key of a member.
    fn charge(&self, index: usize, password: &[u8]) -> Result<(), Anomaly> {
        let cost = lock::member_cost(&self.archive.archive, index, password);
        self.budget.charge_rounds(cost).map_err(|reached| Anomaly::encrypted(format!("it is encrypted: {reached}")))
    }

    /// A member that was given before, or cannot be given.
    fn pass(&self) -> ExtractionDecision {
        match self.solid {
            true => ExtractionDecision::Extract(Box::new(Patient { budget: self.budget.clone() })),
            false => ExtractionDecision::Skip,
        }
    }

    fn refuse(&mut self, member: &ArchiveMember, index: usize, anomaly: Anomaly) -> ExtractionDecision {
        self.members.push((Decoded { anomaly: Some(anomaly), ..decoded(member, index) }, None));
        self.pass()
    }

    /// The member at hand could not be decoded to its end.
    fn note(&mut self, anomaly: Anomaly) {
        if let Some((decoded, _)) = self.members.last_mut() {
            decoded.anomaly.get_or_insert(anomaly);
        }
    }

    /// The pass broke off: the member at hand and all behind it cannot be decoded.
    fn fail(&mut self, archive: &Archive, error: &rars::Error) {
        self.note(anomaly(error));
        for (index, member) in archive.members().enumerate().skip(self.index.max(self.first)) {
            if !member.meta.is_directory && !member.meta.is_redirection {
                let anomaly = Anomaly::damaged("the archive could not be decoded up to this member");
                self.members.push((Decoded { anomaly: Some(anomaly), ..decoded(&member, index) }, None));
            }
        }
        self.next = Next::End;
    }
}

fn says_too_much(member: &ArchiveMember) -> bool {
    let (ArchiveMemberDetail::Rar13 { unpack_version, .. } | ArchiveMemberDetail::Rar15To40 { unpack_version, .. }) =
        &member.detail
    else {
        return false;
    };
    *unpack_version <= OLD_METHODS && member.meta.unpacked_size / OLD_RATIO > member.meta.packed_size
}

fn decoded(member: &ArchiveMember, index: usize) -> Decoded {
    Decoded { meta: told(member, index), bytes: None, anomaly: None }
}

/// What the archive says of a member.
fn told(member: &ArchiveMember, index: usize) -> Meta {
    let position = u64::try_from(index).unwrap_or(u64::MAX).saturating_add(1);
    let meta = &member.meta;
    let (packed, length, encrypted) = (meta.packed_size, meta.unpacked_size, meta.is_encrypted);
    Meta { name: Name::new(&meta.name), packed, length, encrypted, position }
}

fn finish(mut decoded: Decoded, bytes: Option<Shared>, budget: &Budget) -> Decoded {
    let Some(collected) = bytes.and_then(|shared| shared.lock().ok().map(|mut shared| std::mem::take(&mut *shared)))
    else {
        return decoded;
    };
    if collected.refused {
        decoded.anomaly = budget.check_time().err().map(Anomaly::from).or_else(|| {
            let limit = dachs_base::LimitReached { limit: dachs_base::Limit::Memory, allowed: budget.limits().memory };
            Some(limit.into())
        });
    }
    decoded.bytes = Some(Held::new(collected.bytes, collected.memory));
    decoded
}

#[derive(Default)]
struct Collected {
    bytes: Vec<u8>,
    memory: Vec<Charge>,
    refused: bool,
}

type Shared = Arc<Mutex<Collected>>;

/// Keeps what is written, as far as there is memory and time.
struct Collector {
    shared: Shared,
    budget: Budget,
}

impl Write for Collector {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut shared = self.shared.lock().map_err(|_| ErrorKind::Other)?;
        let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        match self.budget.reserve(count).and_then(|memory| self.budget.check_time().map(|()| memory)) {
            Ok(memory) => {
                shared.memory.push(memory);
                shared.bytes.extend_from_slice(bytes);
                Ok(bytes.len())
            }
            Err(_) => {
                shared.refused = true;
                Err(ErrorKind::OutOfMemory.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes everything, as long as there is time.
pub(super) struct Patient {
    pub(super) budget: Budget,
}

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.budget.check_time().map_err(|_| ErrorKind::TimedOut)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
