//! Values of MIME fields: `multipart/mixed; boundary="abc"` (RFC 2045 5.1), with long and encoded parameters (RFC 2231).
//!
//! Read leniently, because mail readers are: semicolons, quotes and their ends may be missing, and comments stand anywhere.

use super::quoted::hex;
use super::words;

/// Parameters of one field that are read.
const MOST: usize = 256;
/// Pieces of one long parameter (RFC 2231 3).
const PIECES: usize = 256;
/// Bytes of a name that are decoded.
const LONGEST_NAME: usize = 4096;
/// Bytes of a boundary that are compared; RFC 2046 5.1.1 allows 70.
pub(super) const LONGEST_BOUNDARY: usize = 256;

/// A field's value taken apart.
#[derive(Default)]
pub(super) struct Value {
    /// What stands before the parameters, in lower case: `text/html`, `attachment`, `base64`.
    pub(super) main: Vec<u8>,
    parameters: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Value {
    /// Takes a value apart.
    pub(super) fn parse(text: &[u8]) -> Value {
        let mut rest = skip_blanks(text);
        let end = rest.iter().position(|byte| matches!(byte, b';' | b'(' | b',') || byte.is_ascii_whitespace());
        let (main, parameters) = rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or((rest, &[]));
        let main = main.trim_ascii().iter().filter(|byte| **byte != b'"').map(u8::to_ascii_lowercase).collect();
        let mut value = Value { main, parameters: Vec::new() };
        rest = parameters;
        while value.parameters.len() < MOST {
            let Some((name, content, behind)) = parameter(rest) else { break };
            value.parameters.push((name.to_ascii_lowercase(), content));
            rest = behind;
        }
        value
    }

    /// The value of a parameter, as it stands.
    pub(super) fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_slice())
    }

    /// The value of a parameter that names a file, decoded.
    pub(super) fn name(&self, name: &[u8]) -> Option<Vec<u8>> {
        let plain = || self.get(name).map(|value| words::decode(value.get(..LONGEST_NAME).unwrap_or(value)));
        let name = self.extended(name).or_else(plain)?;
        (!name.trim_ascii().is_empty()).then_some(name)
    }

    /// RFC 2231: `name*=utf-8'en'text`, or pieces `name*0*=`, `name*1=`.
    pub(super) fn extended(&self, name: &[u8]) -> Option<Vec<u8>> {
        let with = |ending: &str| [name, ending.as_bytes()].concat();
        if let Some(value) = self.get(&with("*")) {
            return Some(charset_and_text(value, true));
        }
        let mut whole = Vec::new();
        let mut encoded = Vec::new();
        for piece in 0..PIECES {
            let (plain, escaped) = (self.get(&with(&format!("*{piece}"))), self.get(&with(&format!("*{piece}*"))));
            match (plain, escaped) {
                (_, Some(text)) => encoded.push((text, true)),
                (Some(text), None) => encoded.push((text, false)),
                (None, None) => break,
            }
        }
        let first = encoded.first()?.1;
        for (text, escaped) in &encoded {
            let text = if *escaped && !first { unescape(text) } else { text.to_vec() };
            whole.extend(if *escaped || !first { text } else { escape(&text) });
        }
        Some(if first { charset_and_text(&whole, true) } else { whole })
    }
}

/// So that a plain piece survives [`unescape`].
fn escape(text: &[u8]) -> Vec<u8> {
    text.iter().flat_map(|byte| if *byte == b'%' { b"%25".to_vec() } else { vec![*byte] }).collect()
}

fn charset_and_text(value: &[u8], escaped: bool) -> Vec<u8> {
    let mut parts = value.splitn(3, |byte| *byte == b'\'');
    let (charset, text) = match (parts.next(), parts.next(), parts.next()) {
        (Some(charset), Some(_), Some(text)) => (charset, text),
        _ => (&b""[..], value),
    };
    words::in_utf8(charset, if escaped { unescape(text) } else { text.to_vec() })
}

/// Replaces `%41` by `A`.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        rest = match (first, behind) {
            (b'%', [high, low, behind @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                plain.push(hex(*high) << 4 | hex(*low));
                behind
            }
            _ => {
                plain.push(*first);
                behind
            }
        };
    }
    plain
}

/// The next parameter: its name, its value, and what follows.
fn parameter(text: &[u8]) -> Option<(&[u8], Vec<u8>, &[u8])> {
    let mut rest = text;
    loop {
        rest = skip_blanks(rest.trim_ascii_start());
        let end = rest.iter().position(|byte| matches!(byte, b'=' | b';' | b',') || byte.is_ascii_whitespace());
        let (name, behind) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
        match behind.trim_ascii_start().split_first()? {
            (b'=', value) if !name.is_empty() => {
                let (value, behind) = content(value.trim_ascii_start());
                return Some((name, value, behind));
            }
            (b';' | b',' | b'=', behind) => rest = behind,
            _ => rest = behind,
        }
    }
}

/// A value with or without quotes, and what follows it.
fn content(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let end = text.iter().position(|byte| *byte == b';').unwrap_or(text.len());
        let (value, behind) = text.split_at_checked(end).unwrap_or((text, &[]));
        return (value.trim_ascii().to_vec(), behind);
    };
    let mut value = Vec::new();
    let mut rest = quoted;
    loop {
        rest = match rest {
            [b'\\', escaped @ (b'\\' | b'"'), behind @ ..] => {
                value.push(*escaped);
                behind
            }
            [b'"', behind @ ..] => return (value, behind),
            [byte, behind @ ..] => {
                value.push(*byte);
                behind
            }
            [] => return (value, rest),
        };
    }
}

/// Passes blanks and comments in parentheses (RFC 5322 3.2.2), as far as those are closed.
fn skip_blanks(text: &[u8]) -> &[u8] {
    let mut rest = text.trim_ascii_start();
    while let Some(comment) = rest.strip_prefix(b"(") {
        let Some(end) = comment.iter().position(|byte| *byte == b')') else { return rest };
        rest = comment.get(end + 1..).unwrap_or_default().trim_ascii_start();
    }
    rest
}

/// What may be meant by the boundary of a field: the parameter in all readings, best one first.
pub(super) fn boundaries(field: &[u8]) -> Vec<Vec<u8>> {
    let value = Value::parse(field);
    let mut found: Vec<Vec<u8>> = value.extended(b"boundary").into_iter().collect();
    let lower = field.to_ascii_lowercase();
    let mut from = 0;
    while let Some(at) = lower.get(from..).and_then(|rest| words::find(rest, b"boundary")).filter(|_| found.len() < 8) {
        from += at + 8;
        let Some(rest) = field.get(from..).and_then(|rest| rest.trim_ascii_start().strip_prefix(b"=")) else {
            continue;
        };
        let rest = rest.trim_ascii_start();
        let (whole, _) = content(rest);
        let token = rest.split(|byte| matches!(byte, b';' | b'(' | b'"' | b'\'') || byte.is_ascii_whitespace());
        found.push(whole);
        found.extend(
            token.into_iter().find(|token| !token.is_empty()).filter(|_| !rest.starts_with(b"\"")).map(<[u8]>::to_vec),
        );
    }
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for boundary in found {
        let boundary = boundary.trim_ascii_end();
        let boundary = boundary.get(..LONGEST_BOUNDARY).unwrap_or(boundary).to_vec();
        if !boundary.is_empty() && !kept.contains(&boundary) && kept.len() < 4 {
            kept.push(boundary);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(bytes: Option<Vec<u8>>) -> String {
        String::from_utf8_lossy(&bytes.unwrap_or_else(|| b"none".to_vec())).into_owned()
    }

    #[test]
    fn names_are_found_however_they_are_written() {
        let table = [
            ("text/plain; name=a.txt", "a.txt"),
            ("text/plain; name=\"a b.txt\"; x=y", "a b.txt"),
            ("text/plain; NAME = a b.txt ; x=y", "a b.txt"),
            ("text/plain name=a.txt", "a.txt"),
            ("text/plain; name=\"a.txt", "a.txt"),
            ("text/plain (name=x); (c) name=a.txt", "a.txt"),
            ("text/plain; name=\"a\\\"b\\\\c\\d\"", "a\"b\\c\\d"),
            ("text/plain; name*=utf-8'en'a%20%E4%BD%a0", "a 你"),
            ("text/plain; name*=iso-8859-1''%e4", "ä"),
            ("text/plain; name*0=a; name*1=\"b;\"; name*2=c", "ab;c"),
            ("text/plain; name*1*=%41c; name*0*=utf-8''x%20; name*2=%41", "x Ac%41"),
            ("text/plain; name=\"=?utf-8?B?YmFkZ2Vy?=\"", "badger"),
            ("text/plain;;; ; name=a;", "a"),
            ("text/plain; name", "none"),
            ("text/plain; name=", "none"),
            ("", "none"),
        ];
        for (text, expected) in table {
            assert_eq!(show(Value::parse(text.as_bytes()).name(b"name")), expected, "{text}");
        }
    }

    #[test]
    fn the_main_value_is_in_lower_case() {
        let table =
            [("TEXT/Plain", "text/plain"), (" base64 (x)", "base64"), ("\"7bit\";", "7bit"), ("(c) a/b;c=d", "a/b")];
        for (text, expected) in table {
            assert_eq!(Value::parse(text.as_bytes()).main, expected.as_bytes(), "{text}");
        }
    }

    #[test]
    fn boundaries_in_all_readings() {
        let table: [(&str, &[&str]); 8] = [
            ("multipart/mixed; boundary=\"a b\"", &["a b"]),
            ("multipart/mixed; boundary=ab", &["ab"]),
            ("multipart/mixed; boundary=ab (c)", &["ab (c)", "ab"]),
            ("multipart/mixed boundary='ab'", &["'ab'", "ab"]),
            ("multipart/mixed; boundary=ab; boundary=\"cd \"", &["ab", "cd"]),
            ("multipart/mixed; charset=x boundary=ab", &["ab"]),
            ("multipart/mixed; boundary*0=ab; boundary*1=cd", &["abcd"]),
            ("multipart/mixed; boundary=\"\"", &[]),
        ];
        for (text, expected) in table {
            let found: Vec<_> = boundaries(text.as_bytes()).into_iter().map(|found| show(Some(found))).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
