//! Digests of an object, computed while it is read.
//!
//! Most sizes do not occur among the signatures, and an object of such a size needs no digest. The size of a compressed stream, or
//! of a normalised text, shows only at its end: so nothing is digested of it until then, or until [`WAITED`] bytes were read and its
//! source does not [keep](Source::keeps) more. If its size does occur, it is read once more, out of the memory that holds it.

use crate::hashes::{DigestKind, Hashes};
use crate::layout::length;
use crate::model::Digest;
use crate::windows::Windows;
use dachs_base::Source;
use dachs_matcher::md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// Of an object whose size is not known, so many bytes are read before it is digested anyway: a stream keeps at least as many.
const WAITED: u64 = 1 << 20;
/// Bytes that are read again at once.
const CHUNK: usize = 1 << 16;

/// SHA-1 and SHA-256 of a whole object.
pub(crate) fn of_whole(source: &dyn Source) -> dachs_base::Digests {
    let (mut sha1, mut sha256, mut at) = (Sha1::new(), Sha256::new(), 0);
    let mut buffer = vec![0; CHUNK];
    loop {
        let got = source.read_at(at, &mut buffer).min(buffer.len());
        let bytes = buffer.get(..got).unwrap_or(&[]);
        sha1.update(bytes);
        sha256.update(bytes);
        at = at.saturating_add(length(got));
        if got < buffer.len() {
            return dachs_base::Digests { sha1: sha1.finalize().into(), sha256: sha256.finalize().into() };
        }
    }
}

/// The digests of an object that are wanted.
#[derive(Default)]
pub(crate) struct Digests {
    /// Nothing was digested yet: it may be that nothing has to be.
    waits: bool,
    md5: Option<Md5>,
    /// Instead of it.
    known_md5: Option<[u8; 16]>,
    sha1: Option<Sha1>,
    sha256: Option<Sha256>,
}

impl Digests {
    /// The digests that `hashes` needs of an object of this size; `None`: of a size yet unknown.
    pub(crate) fn wanted(hashes: &Hashes<'_>, size: Option<u64>) -> Digests {
        let mut digests = Digests::default();
        for kind in DigestKind::ALL {
            if hashes.wants(kind, size) {
                match kind {
                    DigestKind::Md5 => digests.md5 = Some(Md5::new()),
                    DigestKind::Sha1 => digests.sha1 = Some(Sha1::new()),
                    DigestKind::Sha256 => digests.sha256 = Some(Sha256::new()),
                }
            }
        }
        digests
    }

    /// As [`Digests::wanted`], of all of `source`, which may [know](Source::known_md5) one.
    pub(crate) fn wanted_of(hashes: &Hashes<'_>, source: &dyn Source) -> Digests {
        let digests = Digests::wanted(hashes, source.known_len());
        match source.known_md5().filter(|_| digests.md5.is_some()) {
            Some(known) => Digests { md5: None, known_md5: Some(known), ..digests },
            None => digests,
        }
    }

    /// As [`Digests::wanted_of`], for objects whose windows are [taken](Digests::take): of a size yet unknown, it waits for it.
    pub(crate) fn awaited(hashes: &Hashes<'_>, source: &dyn Source) -> Digests {
        let (digests, size) = (Digests::wanted_of(hashes, source), source.known_len());
        Digests { waits: size.is_none() && !digests.is_empty(), ..digests }
    }

    /// True if none is wanted.
    pub(crate) fn is_empty(&self) -> bool {
        self.md5.is_none() && self.known_md5.is_none() && self.sha1.is_none() && self.sha256.is_none()
    }

    /// Takes the window at hand of `source`, which is the `last` or not.
    pub(crate) fn take(&mut self, hashes: &Hashes<'_>, source: &dyn Source, windows: &Windows<'_>, last: bool) {
        let position = windows.position();
        if !self.waits {
            self.update(windows.fresh());
        } else if last || (position > WAITED && !source.keeps()) {
            *self = Digests::wanted(hashes, last.then_some(position));
            match windows.whole() {
                _ if self.is_empty() => {}
                Some(whole) => self.update(whole.bytes),
                None => self.read(source, position),
            }
        }
    }

    /// Takes the bytes of `source` up to `end`.
    fn read(&mut self, source: &dyn Source, end: u64) {
        let mut buffer = vec![0; CHUNK];
        let mut at = 0;
        while at < end {
            let wanted = usize::try_from(end - at).unwrap_or(CHUNK).min(CHUNK);
            let Some(place) = buffer.get_mut(..wanted) else { return };
            let got = source.read_at(at, place).min(wanted);
            if got == 0 {
                return;
            }
            self.update(buffer.get(..got).unwrap_or(&[]));
            at = at.saturating_add(length(got));
        }
    }

    /// Takes the object's next bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        if let Some(sha1) = &mut self.sha1 {
            sha1.update(bytes);
        }
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(bytes);
        }
    }

    /// The digests of all bytes taken, in the order in which they are looked up: MD5, SHA-1, SHA-256.
    pub(crate) fn finish(self) -> impl Iterator<Item = Digest> {
        let md5 = self.known_md5.or(self.md5.map(Md5::finish)).map(Digest::Md5);
        let sha1 = self.sha1.map(|sha1| Digest::Sha1(sha1.finalize().into()));
        let sha256 = self.sha256.map(|sha256| Digest::Sha256(sha256.finalize().into()));
        [md5, sha1, sha256].into_iter().flatten()
    }
}
