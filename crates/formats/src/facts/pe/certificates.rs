//! The certificates that come with the signature of a program (Authenticode), as signatures of revoked ones ask for them.
//!
//! ```text
//! certificate table ─> WIN_CERTIFICATE ─> ContentInfo ─> SignedData ─> certificates ─> subject, serial number, key
//! ```
//!
//! Specifications: Microsoft, "PE Format" (The Attribute Certificate Table); RFC 2315, sections 7 and 9.1 (`ContentInfo`,
//! `SignedData`); RFC 5280, section 4.1 (`Certificate`); RFC 8017, appendix A.1.1 (`RSAPublicKey`).
//!
//! As ClamAV does, watched on 1.4.6: the table must end the file; certificates are taken as they stand there, whether the
//! signature is valid or not. What is signed, and by whom, is checked elsewhere ([`super::signature`]).

use super::header::{Directory, Pe};
use dachs_base::{Budget, Certificate, Found, LimitReached, Reader, read_vec_at};
use dachs_pki::der::{BIT_STRING, CONTEXT_0, INTEGER, OBJECT_IDENTIFIER, SEQUENCE, Value, Values};
use sha1::{Digest, Sha1};

/// A certificate table that is longer is not read.
const LONGEST: u32 = 4 << 20;
/// Certificates of one program that are looked at.
const MOST: usize = 256;
/// Bytes of a `WIN_CERTIFICATE` before the certificate.
const HEAD: u64 = 8;
/// `WIN_CERT_TYPE_PKCS_SIGNED_DATA`
const SIGNED_DATA: u16 = 2;
/// `pkcs7-signedData`, 1.2.840.113549.1.7.2
const OID_SIGNED_DATA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";
/// `rsaEncryption`, 1.2.840.113549.1.1.1
const OID_RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";

/// The certificates; nothing if there are none.
pub(super) fn list(pe: &Pe, budget: &Budget) -> Found<Vec<Certificate>> {
    let Some(table) = table(pe, budget)? else { return Ok(None) };
    let Some(certificates) = signed_data(&table).and_then(certificates) else { return Ok(None) };
    let list: Vec<Certificate> = certificates.take(MOST).filter_map(|value| certificate(&value)).collect();
    Ok((!list.is_empty()).then_some(list))
}

/// The bytes of the first certificate of the table.
pub(super) fn table(pe: &Pe, budget: &Budget) -> Result<Option<Vec<u8>>, LimitReached> {
    // This directory alone has a file offset, not an address.
    let Some((offset, size)) = pe.directory(Directory::Certificates) else { return Ok(None) };
    let end = u64::from(offset).saturating_add(u64::from(size));
    if end != pe.source.len() || size > LONGEST {
        return Ok(None);
    }
    let _charge = budget.reserve(u64::from(size))?;
    let bytes = read_vec_at(&*pe.source, u64::from(offset), usize::try_from(size).unwrap_or(0));
    let mut reader = Reader::new(&bytes, "WIN_CERTIFICATE");
    let length = reader.u32_le().ok().and_then(|length| u64::from(length).checked_sub(HEAD));
    let kind = reader.skip(2).ok().and_then(|()| reader.u16_le().ok());
    let body = length.filter(|_| kind == Some(SIGNED_DATA)).and_then(|length| reader.take(length).ok());
    Ok(body.map(<[u8]>::to_vec))
}

/// The `SignedData` in a `ContentInfo`.
fn signed_data(bytes: &[u8]) -> Option<Values<'_>> {
    let mut info = Values::new(bytes).tagged(SEQUENCE)?.values();
    info.tagged(OBJECT_IDENTIFIER).filter(|oid| oid.contents == OID_SIGNED_DATA)?;
    Some(info.tagged(CONTEXT_0)?.values().tagged(SEQUENCE)?.values())
}

/// The certificates of a `SignedData`: its fourth field, behind the version, the digests and what is signed.
fn certificates(mut data: Values<'_>) -> Option<Values<'_>> {
    data.tagged(INTEGER)?;
    data.next()?;
    data.tagged(SEQUENCE)?;
    Some(data.tagged(CONTEXT_0)?.values())
}

/// One certificate with an RSA key.
fn certificate(value: &Value<'_>) -> Option<Certificate> {
    let mut fields = value.values().tagged(SEQUENCE)?.values();
    fields.optional(CONTEXT_0); // version
    let serial = fields.tagged(INTEGER)?;
    fields.tagged(SEQUENCE)?; // signature
    fields.tagged(SEQUENCE)?; // issuer
    fields.tagged(SEQUENCE)?; // validity
    let subject = fields.tagged(SEQUENCE)?;
    let mut key = fields.tagged(SEQUENCE)?.values();
    key.tagged(SEQUENCE)?.values().tagged(OBJECT_IDENTIFIER).filter(|oid| oid.contents == OID_RSA)?;
    let bits = key.tagged(BIT_STRING)?.contents.split_first()?.1;
    let modulus = Values::new(bits).tagged(SEQUENCE)?.values().tagged(INTEGER)?;
    let start = modulus.contents.iter().position(|byte| *byte != 0)?;
    Some(Certificate {
        subject: Sha1::digest(subject.contents).into(),
        serial: Sha1::digest(serial.contents).into(),
        modulus: modulus.contents.get(start..)?.to_vec(),
    })
}
