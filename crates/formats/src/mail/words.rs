//! Encoded words in names (RFC 2047): `=?utf-8?B?YmFkZ2Vy?=`.
//!
//! Texts in ISO 8859-1 become UTF-8; those in other character sets stay in them, because names are bytes to us.

use std::sync::Arc;

use super::base64::Base64;
use super::quoted::Quoted;
use super::turn::decode_all;

/// Replaces encoded words by what they say. Blanks between two of them do not count (RFC 2047 6.2).
pub(super) fn decode(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut rest = text;
    let mut after_word = false;
    while let Some(at) = find(rest, b"=?") {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        let Some((word, behind)) = word(from) else {
            decoded.extend_from_slice(rest.get(..at + 2).unwrap_or(rest));
            rest = rest.get(at + 2..).unwrap_or_default();
            after_word = false;
            continue;
        };
        if !after_word || !before.trim_ascii().is_empty() {
            decoded.extend_from_slice(before);
        }
        decoded.extend(word);
        rest = behind;
        after_word = true;
    }
    decoded.extend_from_slice(rest);
    decoded
}

/// The encoded word that `text` begins with, and what follows it.
fn word(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let rest = text.strip_prefix(b"=?")?;
    let (charset, rest) = cut(rest, b"?")?;
    let (encoding, rest) = cut(rest, b"?")?;
    let (data, behind) = cut(rest, b"?=")?;
    let bytes = match encoding {
        b"B" | b"b" => decode_all(Base64::new(Arc::default()), data),
        b"Q" | b"q" => decode_all(Quoted::of_names(), data),
        _ => return None,
    };
    Some((in_utf8(charset, bytes), behind))
}

/// Bytes of ISO 8859-1 as UTF-8; others as they are.
pub(super) fn in_utf8(charset: &[u8], bytes: Vec<u8>) -> Vec<u8> {
    let latin = [&b"iso-8859-1"[..], b"latin1", b"latin-1"];
    match latin.iter().any(|name| name.eq_ignore_ascii_case(charset)) {
        true => bytes.iter().map(|byte| char::from(*byte)).collect::<String>().into_bytes(),
        false => bytes,
    }
}

fn cut<'a>(text: &'a [u8], sign: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = find(text, sign)?;
    Some((text.get(..at)?, text.get(at + sign.len()..)?))
}

/// Where `needle` stands.
pub(super) fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    text.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_bytes() {
        let table = [
            ("plain.txt", "plain.txt"),
            ("=?utf-8?B?YmFkZ2Vy?=", "badger"),
            ("=?utf-8?q?bad=67er_1?= =?UTF-8?B?LnR4dA==?=", "badger 1.txt"),
            ("a =?iso-8859-1?Q?=E4?= b", "a ä b"),
            ("=?utf-8?X?abc?= =?", "=?utf-8?X?abc?= =?"),
        ];
        for (text, expected) in table {
            assert_eq!(String::from_utf8_lossy(&decode(text.as_bytes())), expected, "{text}");
        }
    }
}
