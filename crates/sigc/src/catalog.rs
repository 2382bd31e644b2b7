//! Catalogs of what somebody signed (`.cat`): digests of programs and of other files, and one signature over all of them.
//!
//! ```text
//! SignedData ─> CertificateTrustList ─> members ─> attribute SpcIndirectData ─> kind of file, digest
//!       └─> signer ─> certificates, each signed by the key of the next
//! ```
//!
//! Specifications: RFC 2315, section 9 (`SignedData`); Microsoft, "Windows Authenticode Portable Executable Signature Format"
//! (`SpcIndirectDataContent`) and \[MS-CAESO\] 4.4.5.3.1 (`CertificateTrustList`). A member that is a program counts by the digest that
//! a signature of it would be over, one that is a cabinet by the digest of the whole file. Members of other kinds, and digests other than SHA-1
//! and SHA-256, are passed over.
//!
//! Whether the signature is right is found out here; whether anybody of the chain is trusted, at the time of a scan, by the
//! certificates (`.crb`) in the same image. As in ClamAV 1.4.6, a catalog that cannot be read or is not signed says nothing, and is
//! told.

use dachs_pki::der::{OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET, Value, Values};
use dachs_pki::{Certificate, SignedData};
use dachs_sigdb::model::{CatalogRule, DigestList};

use crate::refused::{Parsed, Refused};

/// A longer catalog is left out.
pub(crate) const LONGEST: usize = 32 << 20;

/// `certTrustList`, 1.3.6.1.4.1.311.10.1
const TRUST_LIST: &[u8] = b"\x2b\x06\x01\x04\x01\x82\x37\x0a\x01";
/// `CATALOG_LIST`, 1.3.6.1.4.1.311.12.1.1
const CATALOG: &[u8] = b"\x2b\x06\x01\x04\x01\x82\x37\x0c\x01\x01";
/// `SPC_INDIRECT_DATA`, 1.3.6.1.4.1.311.2.1.4
const INDIRECT_DATA: &[u8] = b"\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x04";
/// `SPC_PE_IMAGE_DATA`, 1.3.6.1.4.1.311.2.1.15
const PROGRAM: &[u8] = b"\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x0f";
/// `SPC_CAB_DATA`, 1.3.6.1.4.1.311.2.1.25
const CABINET: &[u8] = b"\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x19";

/// Reads a catalog.
///
/// # Errors
/// When it is broken, none, or its signature is not that of its content. Never as malformed.
pub(crate) fn parse(bytes: &[u8]) -> Parsed<CatalogRule> {
    let broken = || Refused::unsupported("a catalog that is broken");
    let data = SignedData::read(bytes).ok_or_else(broken)?;
    let content = data.content.as_deref().filter(|_| data.kind == TRUST_LIST).ok_or_else(broken)?;
    let wrong = || Refused::unsupported("a catalog whose signature is not right");
    let chains = data.signers.iter().map(|signer| (signer, data.chain(signer, &signer.digest.of(&[content]))));
    let (signer, chain) = chains.into_iter().find(|(_, chain)| !chain.is_empty()).ok_or_else(wrong)?;
    let whole = |chain: Vec<&Certificate>| chain.into_iter().map(|certificate| certificate.whole.clone()).collect();
    let stamp = data.stamp(signer).map(|stamp| stamp.ok_or_else(wrong)).transpose()?;
    let stamp = stamp.map(|stamp| (stamp.time, whole(stamp.chain)));
    let mut catalog = CatalogRule { chain: whole(chain), stamp, ..CatalogRule::default() };
    for member in members(content).ok_or_else(broken)? {
        add(&mut catalog, &member);
    }
    catalog.programs.sort();
    catalog.files.sort();
    Ok(catalog)
}

/// The members in a `CertificateTrustList`.
fn members(content: &[u8]) -> Option<Values<'_>> {
    let mut fields = Values::new(content);
    let mut usage = fields.tagged(SEQUENCE)?.values();
    usage.tagged(OBJECT_IDENTIFIER).filter(|usage| usage.contents == CATALOG)?;
    fields.tagged(OCTET_STRING)?; // what identifies the list
    fields.next()?; // when it was made
    fields.tagged(SEQUENCE)?; // how members are identified
    Some(fields.tagged(SEQUENCE)?.values())
}

/// Takes the digests that a member tells.
fn add(catalog: &mut CatalogRule, member: &Value<'_>) {
    let mut fields = member.values();
    let attributes = fields.tagged(OCTET_STRING).and_then(|_| fields.tagged(SET));
    for attribute in attributes.into_iter().flat_map(|attributes| attributes.values()) {
        let Some((kind, digest)) = indirect(&attribute) else { continue };
        match kind {
            PROGRAM => push(&mut catalog.programs, digest),
            CABINET => push(&mut catalog.files, digest),
            _ => {}
        }
    }
}

/// The kind of file and the digest in an attribute, if it is one of those.
fn indirect<'v>(attribute: &Value<'v>) -> Option<(&'v [u8], &'v [u8])> {
    let mut parts = attribute.values();
    parts.tagged(OBJECT_IDENTIFIER).filter(|oid| oid.contents == INDIRECT_DATA)?;
    let mut fields = parts.tagged(SET)?.values().tagged(SEQUENCE)?.values();
    let kind = fields.tagged(SEQUENCE)?.values().tagged(OBJECT_IDENTIFIER)?.contents;
    let mut info = fields.tagged(SEQUENCE)?.values();
    info.tagged(SEQUENCE)?; // which digest; its length tells
    Some((kind, info.tagged(OCTET_STRING)?.contents))
}

fn push(list: &mut DigestList, digest: &[u8]) {
    if let Ok(digest) = digest.try_into() {
        list.sha1.push(digest);
    } else if let Ok(digest) = digest.try_into() {
        list.sha256.push(digest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Signed with `osslsigncode`; see `tests/samples/README.md`.
    const SAMPLE: &[u8] = include_bytes!("../tests/samples/catalog.cat");

    #[test]
    fn members_are_told_by_kind_and_digest() {
        let catalog = parse(SAMPLE).unwrap();
        assert_eq!(catalog.chain.len(), 2);
        assert_eq!((catalog.programs.sha1.len(), catalog.programs.sha256.len()), (1, 1));
        assert_eq!((catalog.files.sha1.len(), catalog.files.sha256.len()), (1, 0));
    }

    #[test]
    fn what_was_changed_cut_or_never_signed_says_nothing() {
        for at in 0..SAMPLE.len() {
            assert!(parse(&SAMPLE[..at]).is_err(), "cut at {at}");
        }
        let members = SAMPLE.windows(CABINET.len()).position(|window| window == CABINET).unwrap();
        for at in [members, members + 60, SAMPLE.len() - 1] {
            let mut changed = SAMPLE.to_vec();
            changed[at] ^= 1;
            assert!(parse(&changed).is_err(), "changed at {at}");
        }
        assert!(parse(b"").is_err());
    }

    #[test]
    fn no_bytes_break_it() {
        for at in 0..SAMPLE.len() {
            for value in [0, 0x30, 0x80, 0xff] {
                let mut changed = SAMPLE.to_vec();
                changed[at] = value;
                let _ = parse(&changed);
            }
        }
    }
}
