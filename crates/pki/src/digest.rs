//! Digests by their names in DER.

use md5::Md5;
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};

use crate::der::{OBJECT_IDENTIFIER, Value};

/// How bytes are digested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the digest of that name")]
pub enum Digest {
    Md5,
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// Gives the next bytes to whom it is called with; false if there are none.
pub type Pieces<'p> = dyn FnMut(&mut dyn FnMut(&[u8])) -> bool + 'p;

/// Object identifiers, in DER without tag and length: of the digest, and of RSA with it (RFC 8017 A.2.4 and B.1; RFC 8017 C).
const NAMES: [(Digest, &[u8], &[u8]); 5] = [
    (Digest::Md5, b"\x2a\x86\x48\x86\xf7\x0d\x02\x05", b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04"),
    (Digest::Sha1, b"\x2b\x0e\x03\x02\x1a", b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05"),
    (Digest::Sha256, b"\x60\x86\x48\x01\x65\x03\x04\x02\x01", b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"),
    (Digest::Sha384, b"\x60\x86\x48\x01\x65\x03\x04\x02\x02", b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c"),
    (Digest::Sha512, b"\x60\x86\x48\x01\x65\x03\x04\x02\x03", b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d"),
];

impl Digest {
    /// The digest that an `AlgorithmIdentifier` names.
    #[must_use]
    pub fn named(algorithm: &Value<'_>) -> Option<Digest> {
        let oid = algorithm.values().tagged(OBJECT_IDENTIFIER)?.contents;
        NAMES.iter().find(|(_, name, _)| *name == oid).map(|(digest, ..)| *digest)
    }

    /// The digest in an `AlgorithmIdentifier` of a signature by RSA.
    pub(crate) fn of_signature(algorithm: &Value<'_>) -> Option<Digest> {
        let oid = algorithm.values().tagged(OBJECT_IDENTIFIER)?.contents;
        NAMES.iter().find(|(.., name)| *name == oid).map(|(digest, ..)| *digest)
    }

    /// Its object identifier.
    pub(crate) fn name(self) -> &'static [u8] {
        NAMES.iter().find(|(digest, ..)| *digest == self).map_or(&[], |(_, name, _)| name)
    }

    /// The digest of bytes in several parts.
    #[must_use]
    pub fn of(self, parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Digest::Md5 => digest::<Md5>(parts),
            Digest::Sha1 => digest::<Sha1>(parts),
            Digest::Sha256 => digest::<Sha256>(parts),
            Digest::Sha384 => digest::<Sha384>(parts),
            Digest::Sha512 => digest::<Sha512>(parts),
        }
    }

    /// The digest of all that `next` gives, until it gives nothing.
    pub fn of_stream(self, next: &mut Pieces<'_>) -> Vec<u8> {
        match self {
            Digest::Md5 => stream::<Md5>(next),
            Digest::Sha1 => stream::<Sha1>(next),
            Digest::Sha256 => stream::<Sha256>(next),
            Digest::Sha384 => stream::<Sha384>(next),
            Digest::Sha512 => stream::<Sha512>(next),
        }
    }
}

fn digest<D: sha2::Digest>(parts: &[&[u8]]) -> Vec<u8> {
    let mut digest = D::new();
    parts.iter().for_each(|part| digest.update(part));
    digest.finalize().to_vec()
}

fn stream<D: sha2::Digest>(next: &mut Pieces<'_>) -> Vec<u8> {
    let mut digest = D::new();
    while next(&mut |bytes| digest.update(bytes)) {}
    digest.finalize().to_vec()
}
