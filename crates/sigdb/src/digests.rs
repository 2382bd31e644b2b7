//! Digests of an object, computed while it is read.

use crate::hashes::{DigestKind, Hashes};
use crate::md5::Md5;
use crate::model::Digest;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// The digests of an object that are wanted.
#[derive(Default)]
pub(crate) struct Digests {
    md5: Option<Md5>,
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

    /// True if none is wanted.
    pub(crate) fn is_empty(&self) -> bool {
        self.md5.is_none() && self.sha1.is_none() && self.sha256.is_none()
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
        let md5 = self.md5.map(|md5| Digest::Md5(md5.finish()));
        let sha1 = self.sha1.map(|sha1| Digest::Sha1(sha1.finalize().into()));
        let sha256 = self.sha256.map(|sha256| Digest::Sha256(sha256.finalize().into()));
        [md5, sha1, sha256].into_iter().flatten()
    }
}
