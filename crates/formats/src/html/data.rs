//! `data:` URLs (RFC 2397): `data:[<mediatype>][;base64],<data>`.
//!
//! Where a URL ends depends on what stands before it: a quote ends it, or the bracket of `url(`, or white space. Base64 is
//! read forgivingly: what is none of its digits is passed.

use std::io::{self, Read};

use super::Characters;

/// The longest header that is taken for one.
const LONGEST: usize = 256;

/// A URL found in a page.
pub(super) struct Url {
    characters: Characters,
    header: Vec<u8>,
    end: End,
    base64: bool,
}

/// What ends a URL.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// This character.
    At(u8),
    /// White space, a quote, or a bracket.
    Any,
}

impl End {
    fn after(before: u8) -> End {
        match before {
            b'"' | b'\'' | b'`' => End::At(before),
            b'(' => End::At(b')'),
            _ => End::Any,
        }
    }

    fn is(self, byte: u8) -> bool {
        match self {
            End::At(end) => byte == end,
            End::Any => byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>' | b')'),
        }
    }
}

impl Url {
    /// Reads the header of a URL from behind `data:`. What stands `before` tells whether there is one at all: a word in a
    /// sentence has no media type.
    pub(super) fn read(mut characters: Characters, before: u8) -> Option<Url> {
        if before.is_ascii_alphanumeric() {
            return None;
        }
        let end = End::after(before);
        let mut header = Vec::new();
        loop {
            match characters.next()?.byte {
                b',' => break,
                byte if end.is(byte) || header.len() >= LONGEST || !is_header(byte) => return None,
                byte if byte.is_ascii_whitespace() => {}
                byte => header.push(byte),
            }
        }
        let base64 = header.to_ascii_lowercase().ends_with(b";base64");
        let in_place = before == b'=' || end != End::Any;
        let typed = header.is_empty() || header.starts_with(b";") || header.contains(&b'/');
        let some = characters.clone().next().is_some_and(|first| !end.is(first.byte));
        (some && typed && (base64 || in_place)).then_some(Url { characters, header, end, base64 })
    }

    /// RFC 2397 2: the media type, by default plain text.
    pub(super) fn media_type(&self) -> &[u8] {
        match self.header.split(|byte| *byte == b';').next() {
            None | Some([]) => b"text/plain",
            Some(name) => name,
        }
    }
}

fn is_header(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte.is_ascii_whitespace() || b"/;=.+-_%!#$&^*~'\"".contains(&byte)
}

/// Reads the data of a URL.
pub(super) struct Data {
    characters: Characters,
    end: End,
    base64: bool,
    /// Characters read behind a `%` that began no escape.
    waiting: [Option<u8>; 2],
    done: bool,
    bits: u32,
    digits: u32,
}

impl Data {
    pub(super) fn new(url: &Url) -> Data {
        Data {
            characters: url.characters.clone(),
            end: url.end,
            base64: url.base64,
            waiting: [None; 2],
            done: false,
            bits: 0,
            digits: 0,
        }
    }

    /// The next character of the URL.
    fn character(&mut self) -> Option<u8> {
        let [first, second] = &mut self.waiting;
        if let Some(byte) = first.take().or_else(|| second.take()) {
            return Some(byte);
        }
        if self.done {
            return None;
        }
        let byte = self.characters.next().map(|character| character.byte).filter(|byte| !self.end.is(*byte));
        self.done = byte.is_none();
        byte
    }

    /// RFC 3986 2.1: the next octet, with escapes resolved.
    fn octet(&mut self) -> Option<u8> {
        let byte = self.character()?;
        if byte != b'%' {
            return Some(byte);
        }
        let (high, low) = (self.character(), self.character());
        match (high.and_then(digit), low.and_then(digit)) {
            (Some(high), Some(low)) => Some((high << 4) | low),
            _ => {
                self.waiting = [high, low];
                Some(byte)
            }
        }
    }

    /// RFC 4648 4: the next byte of base64. Padding and what is no digit is passed.
    fn decoded(&mut self) -> Option<u8> {
        loop {
            let octet = self.octet()?;
            if octet == b'=' {
                self.digits = 0;
            }
            let Some(value) = sextet(octet) else { continue };
            self.bits = (self.bits << 6 | u32::from(value)) & 0xff_ffff;
            self.digits = (self.digits + 1) % 4;
            let [_, .., byte] = match self.digits {
                2 => self.bits >> 4,
                3 => self.bits >> 2,
                0 => self.bits,
                _ => continue,
            }
            .to_be_bytes();
            return Some(byte);
        }
    }
}

impl Read for Data {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut count = 0;
        for place in buffer {
            let Some(byte) = (if self.base64 { self.decoded() } else { self.octet() }) else { break };
            *place = byte;
            count += 1;
        }
        Ok(count)
    }
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// RFC 4648, table 1; the URL-safe digits of table 2 as well.
fn sextet(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}
