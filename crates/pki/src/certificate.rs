//! X.509 certificates (RFC 5280).

use crate::der::{
    BIT_STRING, CONTEXT_0, CONTEXT_3, GENERALIZED_TIME, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, UTC_TIME,
    Value, Values,
};
use crate::digest::Digest;
use crate::rsa::PublicKey;

/// `rsaEncryption`, 1.2.840.113549.1.1.1
const RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
/// `extKeyUsage`, 2.5.29.37
const USAGE: &[u8] = b"\x55\x1d\x25";
/// `basicConstraints`, 2.5.29.19
const CONSTRAINTS: &[u8] = b"\x55\x1d\x13";
/// `codeSigning`, 1.3.6.1.5.5.7.3.3
const CODE: &[u8] = b"\x2b\x06\x01\x05\x05\x07\x03\x03";

/// `timeStamping`, 1.3.6.1.5.5.7.3.8
const TIME: &[u8] = b"\x2b\x06\x01\x05\x05\x07\x03\x08";

/// What a certificate may be used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    /// To sign code: it says so, or it says nothing of what it is for.
    pub code: bool,
    /// To sign certificates: it is one of an authority.
    pub certificates: bool,
    /// To sign when something was signed: it says so.
    pub time: bool,
}

/// A certificate with an RSA key.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The contents of its subject.
    pub subject: Vec<u8>,
    /// The contents of its issuer.
    pub issuer: Vec<u8>,
    /// The contents of its serial number.
    pub serial: Vec<u8>,
    /// Its key.
    pub key: PublicKey,
    /// From when on it is valid, in seconds since 1970.
    pub from: i64,
    /// Until when, likewise.
    pub until: i64,
    /// What it may be used for.
    pub uses: Uses,
    /// All of it, in DER.
    pub whole: Vec<u8>,
    digest: Digest,
    /// What is signed of it, digested.
    value: Vec<u8>,
    signature: Vec<u8>,
}

impl Certificate {
    /// Reads one; nothing if it is broken, or its key or signature are none of RSA.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Certificate> {
        let whole = Values::new(bytes).tagged(SEQUENCE)?;
        let mut outer = whole.values();
        let signed = outer.tagged(SEQUENCE)?;
        let digest = Digest::of_signature(&outer.tagged(SEQUENCE)?)?;
        let signature = bits(&outer.tagged(BIT_STRING)?)?.to_vec();
        let mut fields = signed.values();
        fields.optional(CONTEXT_0); // version
        let serial = fields.tagged(INTEGER)?.contents.to_vec();
        fields.tagged(SEQUENCE)?; // the algorithm of the signature again
        let issuer = fields.tagged(SEQUENCE)?.contents.to_vec();
        let mut validity = fields.tagged(SEQUENCE)?.values();
        let (from, until) = (time(&validity.next()?)?, time(&validity.next()?)?);
        let subject = fields.tagged(SEQUENCE)?.contents.to_vec();
        let key = key(fields.tagged(SEQUENCE)?.values())?;
        let uses = uses(&mut fields);
        let value = digest.of(&[signed.whole]);
        let whole = whole.whole.to_vec();
        Some(Certificate { subject, issuer, serial, key, from, until, uses, whole, digest, value, signature })
    }

    /// True if the owner of this key signed the certificate.
    #[must_use]
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        key.fits(self.digest, &self.value, &self.signature)
    }

    /// True at this time, in seconds since 1970.
    #[must_use]
    pub fn is_valid_at(&self, time: i64) -> bool {
        (self.from..=self.until).contains(&time)
    }

    /// True if it is the issuer of itself.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.subject == self.issuer
    }
}

/// The bytes of a bit string that ends with a whole byte.
fn bits<'a>(value: &Value<'a>) -> Option<&'a [u8]> {
    value.contents.split_first().filter(|(unused, _)| **unused == 0).map(|(_, bytes)| bytes)
}

fn key(mut fields: Values<'_>) -> Option<PublicKey> {
    fields.tagged(SEQUENCE)?.values().tagged(OBJECT_IDENTIFIER).filter(|oid| oid.contents == RSA)?;
    PublicKey::read(bits(&fields.tagged(BIT_STRING)?)?)
}

/// What the extensions behind the key say (RFC 5280 4.2).
fn uses(fields: &mut Values<'_>) -> Uses {
    fields.optional(0x81); // issuerUniqueID
    fields.optional(0x82); // subjectUniqueID
    let (mut uses, mut limited) = (Uses { code: true, ..Uses::default() }, false);
    let extensions = fields.optional(CONTEXT_3).and_then(|list| list.values().tagged(SEQUENCE));
    for extension in extensions.into_iter().flat_map(|list| list.values()) {
        let mut parts = extension.values();
        let Some(oid) = parts.tagged(OBJECT_IDENTIFIER) else { continue };
        parts.optional(1); // critical
        let Some(value) = parts.tagged(OCTET_STRING).and_then(|value| value.values().tagged(SEQUENCE)) else {
            continue;
        };
        if oid.contents == USAGE {
            let code = value.values().any(|purpose| purpose.contents == CODE);
            uses.code = code && (uses.code || !limited);
            uses.time |= value.values().any(|purpose| purpose.contents == TIME);
            limited = true;
        } else if oid.contents == CONSTRAINTS {
            uses.certificates = value.values().next().is_some_and(|first| first.tag == 1 && first.contents != [0]);
        }
    }
    uses
}

/// Seconds since 1970 (RFC 5280 4.1.2.5).
pub(crate) fn time(value: &Value<'_>) -> Option<i64> {
    let digits: &[u8] = value.contents.strip_suffix(b"Z")?;
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        let text = digits.get(range)?;
        text.iter()
            .all(u8::is_ascii_digit)
            .then(|| text.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
    };
    let (year, rest) = match value.tag {
        UTC_TIME => (number(0..2).map(|year| if year < 50 { 2000 + year } else { 1900 + year })?, 2),
        GENERALIZED_TIME => (number(0..4)?, 4),
        _ => return None,
    };
    let part = |place: usize| number(rest + 2 * place..rest + 2 * place + 2);
    let (month, day) = (part(0)?, part(1)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (hour, minute) = (part(2)?, part(3)?);
    // UTCTime may be without seconds in BER.
    let second = if digits.len() > rest + 8 { part(4)? } else { 0 };
    Some(days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Days from 1970 to a day of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // The year begins with March, so that the day of leap years is the last one.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_years = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    of_years + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds() {
        let time = |tag, text: &'static str| time(&Value { tag, contents: text.as_bytes(), whole: &[] });
        assert_eq!(time(UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(time(UTC_TIME, "491231235959Z"), Some(2_524_607_999));
        assert_eq!(time(GENERALIZED_TIME, "20000301000000Z"), Some(951_868_800));
        assert_eq!(time(GENERALIZED_TIME, "19000301000000Z"), Some(-2_203_891_200));
        for wrong in ["", "Z", "7001010000Z+", "701301000000Z", "70010100000xZ"] {
            assert_eq!(time(UTC_TIME, wrong), None, "{wrong}");
        }
    }
}
