//! The header of a message or a part (RFC 5322 2.2), of which the fields of MIME are kept (RFC 2045 3).
//!
//! A header ends at an empty line. It also ends, as mail readers have it, at a line that is no field, unless fields of MIME
//! follow that line: then the line is passed.

use dachs_base::{Budget, LimitReached};

use super::lines::{Line, Lines};
use super::parameters::{Value, boundaries};

/// Longer headers are passed without being read.
pub(super) const LONGEST: usize = 256 * 1024;
/// Empty lines that may stand before a message.
const EMPTY: u32 = 64;
/// Fields of one name that are read; mail readers differ in which of them counts.
const SAME: usize = 4;

/// A header.
#[derive(Default)]
pub(super) struct Header {
    types: Vec<Vec<u8>>,
    encodings: Vec<Vec<u8>>,
    dispositions: Vec<Vec<u8>>,
    /// It is longer than what is read.
    pub(super) too_long: bool,
    /// A line in it is no field.
    pub(super) broken: bool,
}

/// A field that is kept.
#[derive(Clone, Copy)]
enum Field {
    Type,
    Encoding,
    Disposition,
}

/// How the content of a part is encoded (RFC 2045 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// 7bit, 8bit, binary, and what nobody knows.
    Identity,
    Base64,
    Quoted,
    Uuencode,
    Yenc,
}

impl Header {
    /// Passes a byte order mark and empty lines before a message.
    pub(super) fn pass_empty(lines: &mut Lines) {
        let mut line = Line::default();
        if lines.read(&mut line, 3) && line.text == b"\xef\xbb\xbf" {
            line.start = line.start.saturating_add(3);
        }
        lines.go_to(line.start);
        for _ in 0..EMPTY {
            if !lines.read(&mut line, 1) || line.end > line.start {
                break;
            }
        }
        lines.go_to(line.start);
    }

    /// Reads the header that stands next; afterwards the body does. It ends at a line that `ends` takes for a boundary.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub(super) fn read(
        lines: &mut Lines,
        budget: &Budget,
        ends: impl Fn(&[u8]) -> bool,
    ) -> Result<Header, LimitReached> {
        // The line at hand, the field it belongs to, and the fields that are kept.
        let _memory = budget.reserve(3 * LONGEST as u64)?;
        let mut header = Header::default();
        let mut line = Line::default();
        let (mut left, mut field, mut value) = (LONGEST, None, Vec::new());
        let mut junk = None;
        while lines.read(&mut line, left.max(1100)) {
            if ends(&line.text) {
                lines.go_to(line.start);
                break;
            }
            if line.next > line.end && line.end == line.start {
                break;
            }
            let folded = matches!(line.text.first(), Some(b' ' | b'\t'));
            header.too_long |= line.text.len() > left;
            left = left.saturating_sub(line.text.len());
            if header.too_long {
                continue;
            }
            if folded {
                value.extend_from_slice(&line.text);
                continue;
            }
            header.keep(field, std::mem::take(&mut value));
            field = known(&line.text);
            if is_field(&line.text) {
                value = after_colon(&line.text);
                if field.is_some() && junk.take().is_some() {
                    header.broken = true;
                }
            } else if junk.is_none() {
                junk = Some(line.start);
            }
        }
        header.keep(field, value);
        if let Some(start) = junk {
            header.too_long = false;
            lines.go_to(start);
        }
        Ok(header)
    }

    fn keep(&mut self, field: Option<Field>, value: Vec<u8>) {
        let kept = match field {
            Some(Field::Type) => &mut self.types,
            Some(Field::Encoding) => &mut self.encodings,
            Some(Field::Disposition) => &mut self.dispositions,
            None => return,
        };
        if kept.len() < SAME {
            kept.push(value);
        }
    }

    /// The content type, if it is stated: the first multipart, else the first. One that is none counts as text (RFC 2045
    /// 5.2).
    pub(super) fn content_type(&self) -> Option<Vec<u8>> {
        let mut types = self.types.iter().map(|text| Value::parse(text).main);
        let first = types.next()?;
        let first = if first.contains(&b'/') || first == b"multipart" { first } else { b"text/plain".to_vec() };
        if first.starts_with(b"multipart") {
            return Some(first);
        }
        Some(types.find(|main| main.starts_with(b"multipart")).unwrap_or(first))
    }

    /// The boundary in all readings.
    pub(super) fn boundaries(&self) -> Vec<Vec<u8>> {
        self.types.iter().flat_map(|text| boundaries(text)).take(SAME).collect()
    }

    /// A parameter of the content type, in lower case.
    pub(super) fn parameter(&self, name: &[u8]) -> Option<Vec<u8>> {
        self.types.iter().find_map(|text| Value::parse(text).get(name).map(<[u8]>::to_ascii_lowercase))
    }

    /// How the content is encoded, in each reading.
    pub(super) fn encodings(&self) -> Vec<Encoding> {
        let mut encodings = Vec::new();
        for text in &self.encodings {
            let encoding = encoding(&Value::parse(text).main);
            if !encodings.contains(&encoding) {
                encodings.push(encoding);
            }
        }
        if encodings.is_empty() { vec![Encoding::Identity] } else { encodings }
    }

    /// The name of the file in this part (RFC 2183 2.3; RFC 2046 4.5.1 for the older way).
    pub(super) fn file_name(&self) -> Option<Vec<u8>> {
        let stated = |texts: &[Vec<u8>], name: &[u8]| texts.iter().find_map(|text| Value::parse(text).name(name));
        stated(&self.dispositions, b"filename").or_else(|| stated(&self.types, b"name"))
    }
}

/// RFC 2045 6.1, with the names that are in use for others.
fn encoding(name: &[u8]) -> Encoding {
    match name {
        b"base64" | b"base-64" | b"x-base64" | b"b64" => Encoding::Base64,
        b"quoted-printable" | b"quotedprintable" | b"x-quoted-printable" | b"qp" => Encoding::Quoted,
        b"x-uuencode" | b"x-uue" | b"uuencode" | b"uue" | b"x-uu" => Encoding::Uuencode,
        b"x-yenc" | b"yenc" => Encoding::Yenc,
        _ => Encoding::Identity,
    }
}

/// True if the line begins with a field's name and a colon (RFC 5322 3.6.8).
pub(super) fn is_field(line: &[u8]) -> bool {
    let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
    let valid = name.trim_ascii_end().iter().all(u8::is_ascii_graphic);
    name.len() < line.len() && valid && !name.is_empty() && name.first().is_some_and(u8::is_ascii_graphic)
}

fn after_colon(line: &[u8]) -> Vec<u8> {
    let colon = line.iter().position(|byte| *byte == b':').unwrap_or(0);
    line.get(colon + 1..).unwrap_or_default().to_vec()
}

fn known(line: &[u8]) -> Option<Field> {
    let name = line.split(|byte| *byte == b':').next().unwrap_or_default().trim_ascii_end();
    if name.len() == line.len() {
        return None;
    }
    match name.to_ascii_lowercase().as_slice() {
        b"content-type" => Some(Field::Type),
        b"content-transfer-encoding" => Some(Field::Encoding),
        b"content-disposition" => Some(Field::Disposition),
        _ => None,
    }
}

/// True for the fields that a part's header begins with.
pub(super) fn is_mime_field(line: &[u8]) -> bool {
    let start = line.get(..8).unwrap_or_default();
    start.eq_ignore_ascii_case(b"content-") && is_field(line)
}
