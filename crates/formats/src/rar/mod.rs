//! RAR archives, versions 1.4 to 7 (specification: RAR 5.0 archive format, technote.txt; observed for the versions before).
//!
//! The crate `rars` reads headers and decodes. It pushes the bytes of members, in the order of the archive, into writers; an
//! unpacker gives sources that are pulled. So members are decoded in batches:
//!
//! ```text
//! headers -> [member, member, ...] one pass: as many as fit into memory together     batch.rs
//!         -> large member          a source of its own, decoded window by window     window.rs
//! ```
//!
//! In a solid archive each member needs those before it, so every pass begins at the first. That costs time, which is
//! limited, and not memory.
//!
//! The crate refuses an archive whose last block is cut or followed by something else. Then the blocks are walked here
//! ([`intact`]), and the archive is read up to the last block that is whole; the rest is told as damaged.
//!
//! Encrypted members, and archives whose headers are encrypted, are opened if a password is right, [`lock`].
//!
//! Not done: members that go on in other volumes, and members with different passwords. Both are told, by the member's name.

mod batch;
mod intact;
mod lock;
mod window;

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Charge, Heuristic, Part, Source};
use rars::{Archive, ArchiveReadOptions, ArchiveReader, ErrorKind};

use self::batch::{Batch, Next};
use crate::crypt::closed;
use crate::stream::{Replay, SourceRead};
use crate::{Found, Passwords, Search, Unpack};

/// Headers that are read at most, and bytes of them.
const HEADERS: u64 = 1 << 20;
/// Memory that the decoder needs besides its dictionary.
const MEMORY: u64 = 8 << 20;

/// Goes through the members of an archive.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget, passwords: &Passwords) -> Box<dyn Unpack> {
    let passwords = passwords.clone();
    let (source, budget, found) = (Arc::clone(source), budget.clone(), Found::new(budget));
    Box::new(Rar { source, budget, passwords, found, archive: None, next: 0, _memory: None })
}

struct Rar {
    source: Arc<dyn Source>,
    budget: Budget,
    passwords: Passwords,
    found: Found,
    /// Absent until its headers were read.
    archive: Option<Arc<Opened>>,
    /// The first member that was not given yet.
    next: usize,
    _memory: Option<Charge>,
}

/// An archive whose headers were read.
struct Opened {
    archive: Archive,
    /// The password, or why there is none; absent if nothing is encrypted.
    password: Option<Result<Vec<u8>, Anomaly>>,
}

impl Opened {
    fn options(&self, budget: &Budget) -> ArchiveReadOptions<'_> {
        let mut options = options(budget);
        options.password = self.password.as_ref().and_then(|password| password.as_deref().ok());
        options
    }
}

impl Search for Rar {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        match self.archive.clone() {
            None => self.read_headers(),
            Some(archive) => self.next_batch(&archive),
        }
    }
}

impl Rar {
    fn read_headers(&mut self) -> Result<(), Anomaly> {
        self._memory = Some(self.budget.reserve(MEMORY)?);
        let archive = match parse(&self.source, &self.budget) {
            Ok(archive) => archive,
            Err(error) if error.kind() == ErrorKind::PasswordRequired => {
                let (archive, password) = lock::open_headers(&self.source, &self.budget, &self.passwords)?;
                self.found.heuristic(Heuristic::EncryptedRar);
                if let Some(anomaly) = streams(&archive) {
                    self.found.remark(None, anomaly);
                }
                self.archive = Some(Arc::new(Opened { archive, password: Some(Ok(password)) }));
                return Ok(());
            }
            Err(error) => {
                let end = intact::end(self.source.as_ref()).filter(|end| *end < self.source.len());
                let Some(end) = end else {
                    return Err(anomaly(&error));
                };
                self.found
                    .remark(None, Anomaly::damaged("the archive is cut off, or something follows its last block"));
                let whole: Arc<dyn Source> = Arc::new(Part::new(Arc::clone(&self.source), 0, end));
                parse(&whole, &self.budget).map_err(|error| anomaly(&error))?
            }
        };
        let encrypted = archive.members().any(|member| member.meta.is_encrypted);
        let password = encrypted.then(|| lock::find(&archive, &self.budget, &self.passwords));
        if password.as_ref().is_some_and(Result::is_ok) {
            self.found.heuristic(Heuristic::EncryptedRar);
        }
        if let Some(anomaly) = streams(&archive) {
            self.found.remark(None, anomaly);
        }
        self.archive = Some(Arc::new(Opened { archive, password }));
        Ok(())
    }

    fn next_batch(&mut self, archive: &Arc<Opened>) -> Result<(), Anomaly> {
        let (members, next) = Batch::decode(archive, self.next, &self.budget);
        for member in members {
            self.found.meta(member.meta.clone());
            if let Some(anomaly) = member.anomaly {
                self.found.remark(Some(member.meta.name.clone()), anomaly);
            }
            if let Some(bytes) = member.bytes {
                self.budget.charge_bytes(bytes.len())?;
                self.found.member(member.meta.name, Arc::new(bytes), Some(member.meta.packed))?;
            }
        }
        match next {
            Next::Member(index) => self.next = index,
            Next::Large(index, meta) => {
                self.found.meta(meta.clone());
                let (archive, budget) = (Arc::clone(archive), self.budget.clone());
                let opener = move || Ok(Box::new(window::Windows::new(&archive, index, &budget)?) as _);
                self.found.member(meta.name, Arc::new(Replay::new(&self.budget, opener)), Some(meta.packed))?;
                self.next = index.saturating_add(1);
            }
            Next::End => self.found.end(),
        }
        Ok(())
    }
}

/// Alternate streams of files (NTFS) are services called `STM` (technote, "Service headers"); they are not decoded.
fn streams(archive: &Archive) -> Option<Anomaly> {
    let new = archive.as_rar50().map_or(0, |archive| archive.services().filter(|file| file.name == b"STM").count());
    let old =
        archive.as_rar15_40().map_or(0, |archive| archive.new_subs().filter(|sub| sub.file.name == b"STM").count());
    let text = "alternate streams of files were not looked into";
    (new.saturating_add(old) > 0).then(|| Anomaly::unsupported(text))
}

/// Limits of the decoder.
fn options(budget: &Budget) -> ArchiveReadOptions<'static> {
    let memory = budget.memory_left();
    ArchiveReadOptions::new()
        .with_max_header_count(HEADERS)
        .with_max_header_bytes(memory / 4)
        .with_rar50_dictionary_size_limit(memory / 2)
        .with_rar50_buffered_decode_limit(memory / 4)
        .with_max_reader_workspace_bytes(memory / 4 * 3)
}

fn parse(source: &Arc<dyn Source>, budget: &Budget) -> rars::Result<Archive> {
    ArchiveReader::read_reader_with_options(SourceRead::new(Arc::clone(source)), options(budget))
}

/// What an error of the decoder means.
fn anomaly(error: &rars::Error) -> Anomaly {
    match error.kind() {
        ErrorKind::PasswordRequired | ErrorKind::BadPassword => closed(),
        ErrorKind::UnsupportedFeature | ErrorKind::UnsupportedFormat => {
            Anomaly::unsupported("it uses a feature of RAR that cannot be read")
        }
        ErrorKind::ResourceLimit => Anomaly::unsupported("it needs more memory than there is for one archive"),
        ErrorKind::ChecksumMismatch => Anomaly::damaged("its checksum is wrong"),
        _ => Anomaly::damaged("it is broken"),
    }
}
