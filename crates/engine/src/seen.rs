//! Objects of one file that were scanned before: an identical member is not scanned twice.
//!
//! ```text
//! first sight    length and CRC-32 are kept                                  nothing of ordinary archives comes farther
//! second sight   the same of both: its SHA-256 is kept once it was scanned, if nothing at all was said of it or of what is inside
//! from then on   the same SHA-256: what the second one added to the coverage is added again, and that is all
//! ```
//!
//! A CRC-32 is nothing that could be relied on, but takes a hundredth of what a scan does; a SHA-256 takes a tenth. An archive that holds
//! further objects is digested at first sight: it is dear to scan, and an archive of archives that are all the same
//! grows with each step. A page or a text with something in it is not, nor what was compressed by itself, as a tar in a gzip stream: whoever
//! has that twice has the stream twice. The digests of those were a twenty-fifth of the time of archives.
//!
//! The same bytes are the same object only in the same place: what stands around it, and whether it was found in the midst of something,
//! decides what is looked for. So both are part of the question, and with them the depth. What names and sizes say of a member, as its archive
//! tells them, is judged elsewhere, each time. An object of which anything was said (a detection, an anomaly) is always scanned again, so
//! that all of it is told with its own path. Only objects that are [held](dachs_base::Source::held) in memory anyway are looked at.

use crate::level::Object;
use dachs_base::{Class, Coverage, FileKind};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// So many objects are remembered.
const MOST: usize = 4096;

/// What was scanned before.
#[derive(Default)]
pub(crate) struct Seen {
    objects: HashMap<Place, Known>,
}

/// What an object must have in common with another to be asked for its digest.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Place {
    length: usize,
    crc32: u32,
    kind: FileKind,
    around: Vec<FileKind>,
    embedded: bool,
}

impl Place {
    /// An archive among other members.
    fn is_dear(&self) -> bool {
        let alone = self.around.last().is_some_and(|kind| kind.class() == Class::Stream);
        !alone && matches!(self.kind.class(), Class::Archive | Class::Stream)
    }
}

/// What is known of objects of one place.
enum Known {
    /// There was one.
    Once,
    /// One with this digest is clean, and was all that is told.
    Clean([u8; 32], Coverage),
}

/// An object that was asked about, is being scanned, and may be remembered when it is left.
pub(crate) struct Asked {
    place: Place,
    again: bool,
    /// What had been said and looked at before it.
    before: Said,
}

/// How much was said of a file so far.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Said {
    /// Detections and anomalies, those that there was no room for, that were said before, and that an allow list cancels.
    pub(crate) remarks: u64,
    /// What was looked at.
    pub(crate) coverage: Coverage,
}

/// What became of the question.
pub(crate) enum Sight {
    /// It is to be scanned.
    New(Option<Asked>),
    /// It was scanned, clean, and looking at it added this.
    Known(Coverage),
}

impl Seen {
    /// Asks whether an object was scanned before. `said`: of the file so far.
    pub(crate) fn ask(&self, object: &Object, said: Said) -> Sight {
        let Some(bytes) = object.source.held().filter(|bytes| !bytes.is_empty()) else { return Sight::New(None) };
        let place = Place {
            length: bytes.len(),
            crc32: crc32fast::hash(bytes),
            kind: object.kind(),
            around: object.around.clone(),
            embedded: object.embedded,
        };
        match self.objects.get(&place) {
            Some(Known::Clean(digest, coverage)) if *digest == digest_of(bytes) => Sight::Known(*coverage),
            Some(Known::Clean(..)) => Sight::New(None),
            known => Sight::New(Some(Asked { place, again: known.is_some(), before: said })),
        }
    }

    /// An object was scanned, and what is inside of it. `said`: of the file, now.
    pub(crate) fn keep(&mut self, asked: Asked, object: &Object, said: Said) {
        let Asked { place, again, before } = asked;
        let clean = said.remarks == before.remarks && said.coverage.skipped == before.coverage.skipped;
        if !clean || (self.objects.len() >= MOST && !self.objects.contains_key(&place)) {
            return;
        }
        let coverage = since(said.coverage, before.coverage);
        let known = match object.source.held() {
            Some(bytes) if again || (coverage.objects > 1 && place.is_dear()) => {
                Known::Clean(digest_of(bytes), coverage)
            }
            _ => Known::Once,
        };
        self.objects.insert(place, known);
    }
}

fn digest_of(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// What was looked at in between.
fn since(now: Coverage, before: Coverage) -> Coverage {
    Coverage {
        bytes: now.bytes.saturating_sub(before.bytes),
        objects: now.objects.saturating_sub(before.objects),
        skipped: now.skipped.saturating_sub(before.skipped),
    }
}
