//! Signed data of PKCS #7 (RFC 2315 section 9, RFC 5652 section 5).

use crate::certificate::{Certificate, time};
use crate::der::{CONTEXT_0, CONTEXT_1, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET, Value, Values};
use crate::digest::Digest;

/// Certificates that are read.
const CERTIFICATES: usize = 64;
/// Signers that are read.
const SIGNERS: usize = 16;
/// Certificates one above the other.
const DEPTH: usize = 8;

/// `pkcs7-signedData`, 1.2.840.113549.1.7.2
const SIGNED_DATA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";
/// `messageDigest`, 1.2.840.113549.1.9.4
const MESSAGE_DIGEST: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04";
/// `contentType`, 1.2.840.113549.1.9.3
const CONTENT_TYPE: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03";

/// `data`, 1.2.840.113549.1.7.1
const DATA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01";
/// `signingTime`, 1.2.840.113549.1.9.5
const SIGNING_TIME: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x05";
/// `countersignature`, 1.2.840.113549.1.9.6
const COUNTER_SIGNATURE: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x06";

/// When something was signed, and who says so.
#[derive(Clone, Debug)]
pub struct Stamp<'s> {
    /// In seconds since 1970.
    pub time: i64,
    /// The certificates from that of who says so upwards, as [`SignedData::chain`].
    pub chain: Vec<&'s Certificate>,
}

/// What is signed, and by whom.
#[derive(Clone, Debug)]
pub struct SignedData {
    /// The object identifier of the kind of the content.
    pub kind: Vec<u8>,
    /// The contents of the value that is signed, without its tag and length; absent if it stands elsewhere.
    pub content: Option<Vec<u8>>,
    /// The certificates that come with it and could be read.
    pub certificates: Vec<Certificate>,
    /// Who signed it.
    pub signers: Vec<Signer>,
}

/// One signature.
#[derive(Clone, Debug)]
pub struct Signer {
    /// How the content is digested.
    pub digest: Digest,
    issuer: Vec<u8>,
    serial: Vec<u8>,
    /// The attributes that are signed instead of the content, as a set, with what they say of the content.
    attributes: Option<Attributes>,
    signature: Vec<u8>,
    /// A signature of the signature (RFC 2985 5.3.6), in DER.
    counter: Option<Vec<u8>>,
}

#[derive(Clone, Debug)]
struct Attributes {
    set: Vec<u8>,
    kind: Vec<u8>,
    digest: Vec<u8>,
    /// When it was signed, if that is said, in seconds since 1970.
    time: Option<i64>,
}

impl SignedData {
    /// Reads a `ContentInfo` with signed data.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<SignedData> {
        let mut info = Values::new(bytes).tagged(SEQUENCE)?.values();
        info.tagged(OBJECT_IDENTIFIER).filter(|oid| oid.contents == SIGNED_DATA)?;
        let mut fields = info.tagged(CONTEXT_0)?.values().tagged(SEQUENCE)?.values();
        fields.tagged(INTEGER)?; // version
        fields.tagged(SET)?; // digests
        let mut content = fields.tagged(SEQUENCE)?.values();
        let kind = content.tagged(OBJECT_IDENTIFIER)?.contents.to_vec();
        let content = content.optional(CONTEXT_0).and_then(|value| value.values().next());
        let certificates = fields.optional(CONTEXT_0);
        fields.optional(CONTEXT_1); // lists of revoked certificates
        let signers = fields.tagged(SET)?.values().take(SIGNERS).filter_map(|value| Signer::read(&value)).collect();
        let certificates = certificates.into_iter().flat_map(|list| list.values()).take(CERTIFICATES);
        Some(SignedData {
            kind,
            content: content.map(|value| value.contents.to_vec()),
            certificates: certificates.filter_map(|value| Certificate::read(value.whole)).collect(),
            signers,
        })
    }

    /// The certificates from that of a signer upwards, each signed by the next, as far as they are here; empty if the
    /// signature over a content with this digest is not that of the first.
    #[must_use]
    pub fn chain(&self, signer: &Signer, digest: &[u8]) -> Vec<&Certificate> {
        self.chain_over(&self.kind, signer, digest)
    }

    /// When a signer signed, by the counter-signature on it (RFC 2985 5.3.6). `None`: there is none. `Some(None)`: it is not right.
    #[must_use]
    pub fn stamp(&self, signer: &Signer) -> Option<Option<Stamp<'_>>> {
        let counter = signer.counter.as_ref()?;
        let stamp = || {
            let counter = Signer::read(&Values::new(counter).tagged(SEQUENCE)?)?;
            let chain = self.chain_over(DATA, &counter, &counter.digest.of(&[&signer.signature]));
            let time = counter.attributes.as_ref()?.time?;
            (!chain.is_empty()).then_some(Stamp { time, chain })
        };
        Some(stamp())
    }

    fn chain_over(&self, kind: &[u8], signer: &Signer, digest: &[u8]) -> Vec<&Certificate> {
        let first = self.certificates.iter().find(|certificate| signer.is_of(certificate));
        let Some(first) = first.filter(|first| signer.signs(kind, digest, first)) else { return Vec::new() };
        let mut chain = vec![first];
        while let Some(last) = chain.last().filter(|last| !last.is_root() && chain.len() < DEPTH) {
            let above = |other: &&Certificate| other.subject == last.issuer && last.is_signed_by(&other.key);
            match self.certificates.iter().find(above) {
                Some(above) => chain.push(above),
                None => break,
            }
        }
        chain
    }
}

impl Signer {
    fn read(value: &Value<'_>) -> Option<Signer> {
        let mut fields = value.values();
        fields.tagged(INTEGER)?; // version
        let mut who = fields.tagged(SEQUENCE)?.values();
        let (issuer, serial) = (who.tagged(SEQUENCE)?.contents.to_vec(), who.tagged(INTEGER)?.contents.to_vec());
        let digest = Digest::named(&fields.tagged(SEQUENCE)?)?;
        let attributes = match fields.optional(CONTEXT_0) {
            Some(value) => Some(Attributes::read(&value)?),
            None => None,
        };
        fields.tagged(SEQUENCE)?; // RSA, or RSA with the digest
        let signature = fields.tagged(OCTET_STRING)?.contents.to_vec();
        let counter = fields.optional(CONTEXT_1).and_then(|list| counter(&list));
        Some(Signer { digest, issuer, serial, attributes, signature, counter })
    }

    fn is_of(&self, certificate: &Certificate) -> bool {
        certificate.issuer == self.issuer && certificate.serial == self.serial
    }

    /// True if this is a signature of the certificate's owner over a content of this kind with this digest.
    #[must_use]
    pub fn signs(&self, kind: &[u8], digest: &[u8], certificate: &Certificate) -> bool {
        match &self.attributes {
            None => certificate.key.fits(self.digest, digest, &self.signature),
            Some(attributes) => {
                let value = self.digest.of(&[&attributes.set]);
                let about = attributes.digest == digest && attributes.kind == kind;
                about && certificate.key.fits(self.digest, &value, &self.signature)
            }
        }
    }
}

impl Attributes {
    /// Reads the authenticated attributes. What is signed is their encoding as a set (RFC 2315 9.3), whose first byte differs.
    fn read(value: &Value<'_>) -> Option<Attributes> {
        let set = [&[SET], value.whole.get(1..)?].concat();
        let find = |name: &[u8], tag: u8| -> Option<Vec<u8>> {
            let mut found = value.values().filter_map(|attribute| {
                let mut parts = attribute.values();
                let is_it = parts.tagged(OBJECT_IDENTIFIER)?.contents == name;
                Some(parts.tagged(SET)?).filter(|_| is_it)
            });
            let only = found.next()?;
            if found.next().is_some() {
                return None;
            }
            Some(only.values().tagged(tag)?.contents.to_vec())
        };
        let (kind, digest) = (find(CONTENT_TYPE, OBJECT_IDENTIFIER)?, find(MESSAGE_DIGEST, OCTET_STRING)?);
        Some(Attributes { set, kind, digest, time: value.values().find_map(|attribute| signing_time(&attribute)) })
    }
}

/// The first counter-signature among attributes that are not signed.
fn counter(list: &Value<'_>) -> Option<Vec<u8>> {
    list.values().find_map(|attribute| {
        let mut parts = attribute.values();
        parts.tagged(OBJECT_IDENTIFIER).filter(|name| name.contents == COUNTER_SIGNATURE)?;
        Some(parts.tagged(SET)?.values().tagged(SEQUENCE)?.whole.to_vec())
    })
}

/// The time in an attribute, if it is one of that.
fn signing_time(attribute: &Value<'_>) -> Option<i64> {
    let mut parts = attribute.values();
    parts.tagged(OBJECT_IDENTIFIER).filter(|name| name.contents == SIGNING_TIME)?;
    time(&parts.tagged(SET)?.values().next()?)
}
