//! What the type of a part says about it (RFC 2046), and what it is called.

use dachs_base::{Anomaly, Name};

use super::header::Header;

/// Types whose content is a message (RFC 2046 5.2.1, RFC 6532 3.7).
pub(super) fn is_message(kind: &[u8]) -> bool {
    matches!(kind, b"message/rfc822" | b"message/global" | b"message/news")
}

/// What the file in a part is called.
pub(super) fn part_name(name: &[u8], number: &str, kind: &[u8]) -> Name {
    if !name.is_empty() {
        return Name::new(name);
    }
    Name::new(&[b"part ", number.as_bytes(), b" ", kind.get(..64).unwrap_or(kind)].concat())
}

/// True if the part is S/MIME data that may hold signed content (RFC 8551 3.2).
pub(super) fn may_be_signed(kind: &[u8], header: &Header) -> bool {
    let smime = header.parameter(b"smime-type").unwrap_or_default();
    matches!(kind, b"application/pkcs7-mime" | b"application/x-pkcs7-mime")
        && !matches!(smime.as_slice(), b"certs-only" | b"enveloped-data" | b"authenveloped-data")
}

/// What is to be said of parts whose content stays closed.
pub(super) fn not_opened(kind: &[u8], header: &Header) -> Option<Anomaly> {
    let smime = || header.parameter(b"smime-type").unwrap_or_default();
    match kind {
        b"message/partial" => Some(Anomaly::unsupported("a fragment of a message; fragments are not put together")),
        b"application/pkcs7-mime" | b"application/x-pkcs7-mime" => match smime().as_slice() {
            b"enveloped-data" | b"authenveloped-data" => Some(Anomaly::encrypted("encrypted S/MIME data (RFC 8551)")),
            _ => None,
        },
        _ => None,
    }
}
