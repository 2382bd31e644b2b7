//! Files in a form: `multipart/form-data` (RFC 7578, RFC 2046 5.1).
//!
//! ```text
//! preamble --BOUNDARY CRLF headers CRLF CRLF data CRLF--BOUNDARY CRLF … CRLF--BOUNDARY-- epilogue
//! ```
//!
//! Bytes go in as they come; out come parts and their data. A delimiter that is split between two pushes is kept back until
//! it is whole, so what is held is never more than a delimiter and the headers of one part.

use crate::head::{Refusal, refuse};

/// RFC 2046, 5.1.1.
const LONGEST_BOUNDARY: usize = 70;
/// The headers of one part, in bytes.
const LONGEST_HEADERS: usize = 4 << 10;
/// More parts are refused.
const MOST_PARTS: u32 = 1_000;

/// What comes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A part begins: the name of its file; absent for a field of the form.
    Begin(Option<String>),
    /// Bytes of it.
    Data(Vec<u8>),
    /// It is complete.
    End,
    /// More bytes are needed.
    More,
    /// There are no more parts.
    Over,
}

/// Reads a form.
#[derive(Debug)]
pub struct Multipart {
    /// `CRLF--BOUNDARY`
    delimiter: Vec<u8>,
    buffer: Vec<u8>,
    state: State,
    parts: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Preamble,
    /// After a delimiter: a line break, or two dashes.
    Delimited,
    Headers,
    Data,
    Over,
}

impl Multipart {
    /// A reader for this content type; absent if it is no form with a boundary.
    #[must_use]
    pub fn new(content_type: &str) -> Option<Multipart> {
        let (kind, parameters) = content_type.split_once(';')?;
        if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
            return None;
        }
        let boundary = parameter(parameters, "boundary")?;
        if boundary.is_empty() || boundary.len() > LONGEST_BOUNDARY {
            return None;
        }
        let delimiter = [b"\r\n--", boundary.as_bytes()].concat();
        // The first delimiter needs no line break before it.
        Some(Multipart { delimiter, buffer: b"\r\n".to_vec(), state: State::Preamble, parts: 0 })
    }

    /// Adds bytes; all are taken up by calling [`Multipart::next_part`] until it wants more.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.state != State::Over {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// True if the last delimiter has come.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// What is next.
    ///
    /// # Errors
    /// When it is malformed or has too many parts.
    pub fn next_part(&mut self) -> Result<Part, Refusal> {
        loop {
            match self.state {
                State::Over => return Ok(Part::Over),
                State::Preamble | State::Data => {
                    if let Some(part) = self.until_delimiter() {
                        return Ok(part);
                    }
                }
                State::Delimited => match self.buffer.first_chunk::<2>() {
                    None => return Ok(Part::More),
                    Some(b"--") => {
                        self.state = State::Over;
                        self.buffer = Vec::new();
                    }
                    Some(b"\r\n") => {
                        // They end the headers too if there are none.
                        self.state = State::Headers;
                    }
                    Some(_) => return refuse(400, "a delimiter of the form ends wrongly"),
                },
                State::Headers => return self.headers(),
            }
        }
    }

    /// What comes before the next delimiter; absent if that is found and nothing is before it that matters.
    fn until_delimiter(&mut self) -> Option<Part> {
        let is_data = self.state == State::Data;
        match find(&self.buffer, &self.delimiter) {
            Some(0) => {
                self.buffer.drain(..self.delimiter.len());
                self.state = State::Delimited;
                is_data.then_some(Part::End)
            }
            Some(at) => {
                let data: Vec<u8> = self.buffer.drain(..at).collect();
                is_data.then_some(Part::Data(data))
            }
            None => {
                // The tail may be the beginning of a delimiter.
                let kept = self.buffer.len().min(self.delimiter.len());
                let data: Vec<u8> = self.buffer.drain(..self.buffer.len() - kept).collect();
                Some(if data.is_empty() || !is_data { Part::More } else { Part::Data(data) })
            }
        }
    }

    fn headers(&mut self) -> Result<Part, Refusal> {
        let Some(end) = find(&self.buffer, b"\r\n\r\n") else {
            return if self.buffer.len() > LONGEST_HEADERS {
                refuse(400, "the headers of a part are too long")
            } else {
                Ok(Part::More)
            };
        };
        if end > LONGEST_HEADERS {
            return refuse(400, "the headers of a part are too long");
        }
        self.parts += 1;
        if self.parts > MOST_PARTS {
            return refuse(413, "the form has too many parts");
        }
        let headers: Vec<u8> = self.buffer.drain(..end + 4).collect();
        self.state = State::Data;
        Ok(Part::Begin(file_name(&String::from_utf8_lossy(&headers))))
    }
}

/// The name of the file in a part's headers.
fn file_name(headers: &str) -> Option<String> {
    let disposition = headers.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    parameter(disposition.split_once(';')?.1, "filename")
}

/// A parameter, quoted or not. A quoted one keeps its semicolons; `\"` and `%22` are quotation marks in it.
fn parameter(text: &str, wanted: &str) -> Option<String> {
    let mut rest = text;
    loop {
        let (name, after) = rest.split_once('=')?;
        let (value, left) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let (value, left) = after.split_once(';').unwrap_or((after, ""));
                (value.trim().to_owned(), left)
            }
        };
        if name.trim().trim_start_matches(';').trim().eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = left;
    }
}

fn unquote(text: &str) -> Option<(String, &str)> {
    let (mut value, mut escaped) = (String::new(), false);
    for (at, character) in text.char_indices() {
        match character {
            '"' if !escaped => return Some((value.replace("%22", "\""), text.get(at + 1..).unwrap_or_default())),
            // Browsers send paths of Windows with single backslashes.
            '\\' if !escaped && text.get(at + 1..).is_some_and(|rest| rest.starts_with('"')) => escaped = true,
            _ => {
                value.push(character);
                escaped = false;
            }
        }
    }
    None
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut at = 0;
    while let Some(rest) = bytes.get(at..) {
        let step = rest.iter().position(|byte| *byte == first)?;
        if rest.get(step..)?.starts_with(wanted) {
            return Some(at + step);
        }
        at += step + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: &[u8], piece: usize) -> Result<String, Refusal> {
        let mut multipart = Multipart::new("multipart/form-data; boundary=\"xy\"").unwrap();
        let (mut told, mut data) = (String::new(), Vec::new());
        for piece in form.chunks(piece) {
            multipart.push(piece);
            loop {
                match multipart.next_part()? {
                    Part::More | Part::Over => break,
                    Part::Begin(name) => told.push_str(&format!("[{}:", name.unwrap_or("-".into()))),
                    Part::Data(bytes) => data.extend(bytes),
                    Part::End => {
                        told.push_str(&format!("{}]", String::from_utf8_lossy(&data)));
                        data.clear();
                    }
                }
            }
            assert!(multipart.buffer.len() < 200);
        }
        Ok(if multipart.is_over() { told } else { format!("{told}…") })
    }

    #[test]
    fn forms_are_read_however_they_are_split() {
        let form = b"preamble\r\n--xy\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a;\\\"b.exe\"\r\n\
            Content-Type: x\r\n\r\nhello\r\n--x\r\nworld\r\n--xy\r\nContent-Disposition: form-data; name=n\r\n\r\n1\r\n\
            --xy\r\ncontent-disposition: form-data; filename=\"\"; name=z\r\n\r\n\r\n--xy--\r\nepilogue";
        for piece in [1, 2, 3, 7, 50, 1000] {
            assert_eq!(read(form, piece).unwrap(), "[a;\"b.exe:hello\r\n--x\r\nworld][-:1][:]", "{piece}");
        }
        assert_eq!(read(b"--xy\r\n\r\ndata\r\n--xy--", 3).unwrap(), "[-:data]");
        assert_eq!(read(b"--xy\r\nA: b\r\n\r\nhalf", 100).unwrap(), "[-:…");
    }

    #[test]
    fn what_is_no_form_is_refused() {
        for kind in [
            "multipart/form-data",
            "text/plain; boundary=x",
            "multipart/form-data; boundary=",
            "multipart/form-data; x=\"y",
        ] {
            assert!(Multipart::new(kind).is_none(), "{kind}");
        }
        assert!(Multipart::new("Multipart/Form-Data; charset=x; Boundary=abc").is_some());
        assert!(read(b"--xyz\r\n", 100).is_err());
        assert!(read(&[b"--xy\r\n".as_slice(), &[b'a'; 5000]].concat(), 6000).is_err());
    }
}
