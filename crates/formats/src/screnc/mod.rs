//! Scripts that were encoded for Microsoft's script engines: `JScript.Encode` and `VBScript.Encode` (screnc.exe; "VBScript in a
//! Nutshell", 2nd edition, appendix E: The Script Encoder, <https://www.oreilly.com/library/view/vbscript-in-a/0596004885/ape.html>;
//! the vendor published no specification of the encoded form).
//!
//! ```text
//! #@~^ | length 6 digits of base64, == | encoded text | checksum 6 digits of base64, == | ^#~@
//! ```
//!
//! Each character becomes one of three others, by its place modulo 64; line breaks, `<`, `>` and `@` become two characters that
//! begin with `@`. The length counts what is encoded, without line breaks. Bytes from 128 on and control characters stand as they
//! are. The tables were compared with what `clamscan --leave-temps` of ClamAV 1.4.6 makes of every character at every place
//! (`characters_come_back` of the tests holds the alphabet both ways).
//!
//! A file that begins with the mark holds one script; in pages the body of a `<script>` element does, see
//! [`crate::html`] and [`crate::normalise`]. The checksum is not compared, as in ClamAV.
//!
//! An encoded text holds no `<`: one that stands there ends it, so that a wrong length hides nothing of a page.

use std::io::{self, Read};
use std::sync::Arc;

use dachs_base::{Budget, Name, Source};

use crate::stream::{Fenced, Replay, SourceRead};
use crate::{Item, Member, Unpack};

/// What an encoded script begins with.
pub(crate) const MARK: &[u8; 4] = b"#@~^";
/// Behind the length, and behind the checksum.
const PADDING: &[u8] = b"==";
/// The checksum, its padding and `^#~@`.
const TAIL: u8 = 12;
/// The buffers of a reader.
const MEMORY: u64 = 32 * 1024;
/// What the characters from 32 to 127 mean in each alphabet; `?` where nothing is encoded so.
const ALPHABETS: [&[u8; 96]; 3] = [
    b"20!)[83=X:5e9\\VsfNEkbYx^}Jmq?`?S?B'Hru17MR\"TjGd-\x20\x7f.L]~loytC&v%$+(#A4\x09*D?w;UiacPgQIOFh|6pnz/_KZ,W",
    b".GzVBj/&IA42[vrC89pEhqO\x09bD#u?~?^?wJa]\"KoN;LPg*}tT+-,0nkf5%!dMRc?{x)(sY3\x7fmUS|:_eFX1ilZH'\\=$y7`Q\x206",
    b"-uR`q^I\\b})6\x20|z\x7fkc3+hQfv1dTC?:?~?E,*t'7DyY/o&rj9{?8wgSG4x]0#Z[lHUpi.L!$NP\x09Vs5aKX;W\"mM%(FJ2A=_OBe",
];
/// What a tab means in each alphabet.
const TABS: [u8; 3] = [b'{', b'W', b'n'];
/// The alphabet of each place.
const PLACES: &[u8; 64] = b"1201202002021020102011200210200211020201011201021020112001120102";

/// Gives the script of a file, in the element of a page that ClamAV puts it into too.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    let item = match budget.charge_object() {
        Ok(()) => member(Name::new(b"content"), source, Form::Page, budget),
        Err(reached) => Item::Anomaly { member: None, anomaly: reached.into() },
    };
    Box::new(One(Some(item)))
}

/// What is put around what was decoded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Nothing.
    Bare,
    /// The element of a page.
    Page,
}

/// A member that is the bytes of `source` decoded.
pub(crate) fn member(name: Name, source: &Arc<dyn Source>, form: Form, budget: &Budget) -> Item {
    let (encoded, again) = (Arc::clone(source), budget.clone());
    let (before, after): (&[u8], &[u8]) = if form == Form::Page { (b"<script>", b"</script>") } else { (b"", b"") };
    let opener = move || {
        let input = SourceRead::new(Arc::clone(&encoded));
        Ok(Box::new(Fenced::new(&again, MEMORY, || Ok(before.chain(Decoding::new(input)).chain(after)))?) as _)
    };
    Item::Member(Member { name, source: Arc::new(Replay::new(budget, opener)), packed_size: source.known_len() })
}

/// The one thing there is to tell.
struct One(Option<Item>);

impl Unpack for One {
    fn next_item(&mut self) -> Option<Item> {
        self.0.take()
    }
}

/// Reads bytes, encoded stretches decoded.
struct Decoding<R> {
    reader: R,
    decoder: Decoder,
    made: Vec<u8>,
    given: usize,
    ended: bool,
}

impl<R: Read> Decoding<R> {
    fn new(reader: R) -> Decoding<R> {
        Decoding { reader, decoder: Decoder::new(true), made: Vec::new(), given: 0, ended: false }
    }
}

impl<R: Read> Read for Decoding<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut waiting = self.made.get(self.given..).unwrap_or(&[]);
            let got = waiting.read(buffer)?;
            self.given = self.given.saturating_add(got);
            if got > 0 || buffer.is_empty() || self.ended {
                return Ok(got);
            }
            self.made.clear();
            self.given = 0;
            let mut block = [0; 4096];
            let count = self.reader.read(&mut block)?;
            let made = &mut self.made;
            let mut write = |byte| made.push(byte);
            block.iter().take(count).for_each(|byte| self.decoder.take(*byte, &mut write));
            if count == 0 {
                self.ended = true;
                self.decoder.finish(&mut write);
            }
        }
    }
}

/// Decodes bytes one by one.
pub(crate) struct Decoder {
    state: State,
    /// What was read of the mark and the length.
    head: [u8; 12],
    held: usize,
    /// Later stretches are decoded too.
    all: bool,
}

#[derive(Clone, Copy)]
enum State {
    /// Before the mark, or in the head.
    Head,
    /// In the encoded text: bytes that are left of it, the place, and whether `@` was the last one.
    Body(u32, u8, bool),
    /// Bytes that are left of what stands behind it.
    Tail(u8),
    /// Nothing more is decoded.
    Done,
}

impl Decoder {
    /// Decodes the first stretch, or all.
    pub(crate) fn new(all: bool) -> Decoder {
        Decoder { state: State::Head, head: [0; 12], held: 0, all }
    }

    /// Takes a byte and writes what it gives.
    pub(crate) fn take(&mut self, byte: u8, write: &mut dyn FnMut(u8)) {
        match self.state {
            State::Head => self.head(byte, write),
            State::Body(left, place, escaped) => self.body(byte, (left, place, escaped), write),
            State::Tail(1) => self.state = if self.all { State::Head } else { State::Done },
            State::Tail(left) => self.state = State::Tail(left.saturating_sub(1)),
            State::Done => write(byte),
        }
    }

    /// Writes what waited for more.
    pub(crate) fn finish(&mut self, write: &mut dyn FnMut(u8)) {
        self.head.iter().take(std::mem::take(&mut self.held)).for_each(|byte| write(*byte));
    }

    fn head(&mut self, byte: u8, write: &mut dyn FnMut(u8)) {
        if MARK.get(self.held).is_some_and(|wanted| *wanted != byte) {
            self.finish(write);
            if byte != MARK[0] {
                return write(byte);
            }
        }
        if let Some(place) = self.head.get_mut(self.held) {
            *place = byte;
            self.held = self.held.saturating_add(1);
        }
        if self.held < self.head.len() {
            return;
        }
        match length(&self.head) {
            Some(length) => {
                self.held = 0;
                self.state = if length == 0 { State::Tail(TAIL) } else { State::Body(length, 0, false) };
            }
            None => self.finish(write),
        }
    }

    fn body(&mut self, byte: u8, (left, place, escaped): (u32, u8, bool), write: &mut dyn FnMut(u8)) {
        if matches!(byte, b'\r' | b'\n') {
            return;
        }
        if byte == b'<' {
            self.state = if self.all { State::Head } else { State::Done };
            return write(byte);
        }
        let next = place.wrapping_add(1) % 64;
        let (next, escapes) = match (byte, escaped) {
            (b'@', false) => (place, true),
            (_, true) => {
                write(unescaped(byte));
                (next, false)
            }
            _ => {
                write(decoded(byte, place));
                (next, false)
            }
        };
        let left = left.saturating_sub(1);
        self.state = if left == 0 { State::Tail(TAIL) } else { State::Body(left, next, escapes) };
    }
}

/// The length that the mark and what follows it say.
fn length(head: &[u8; 12]) -> Option<u32> {
    let (digits, padding) = head.get(MARK.len()..)?.split_at_checked(6)?;
    if padding != PADDING {
        return None;
    }
    let digit = |byte: &u8| {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        Some(u64::from(value))
    };
    let bits = digits.iter().try_fold(0, |bits: u64, byte| Some((bits << 6) | digit(byte)?))?;
    // 36 bits, of which the last four are padding.
    u32::try_from(bits >> 4).ok().map(u32::swap_bytes)
}

/// What stands behind `@`.
fn unescaped(byte: u8) -> u8 {
    match byte {
        b'#' => b'\r',
        b'&' => b'\n',
        b'!' => b'<',
        b'*' => b'>',
        b'$' => b'@',
        _ => 0xff,
    }
}

/// What a character at a place means.
fn decoded(byte: u8, place: u8) -> u8 {
    let alphabet = PLACES.get(usize::from(place)).map_or(0, |digit| usize::from(digit.wrapping_sub(b'0')));
    let meaning = match byte {
        b'\t' => TABS.get(alphabet),
        _ => ALPHABETS.get(alphabet).and_then(|characters| characters.get(usize::from(byte.checked_sub(32)?))),
    };
    meaning.copied().unwrap_or(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Encodes as screnc.exe does, with the tables read the other way.
    fn encoded(script: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        for (place, byte) in script.iter().enumerate() {
            let at = u8::try_from(place % 64).unwrap();
            match byte {
                b'\r' => body.extend(b"@#"),
                b'\n' => body.extend(b"@&"),
                b'<' => body.extend(b"@!"),
                b'>' => body.extend(b"@*"),
                b'@' => body.extend(b"@$"),
                _ => {
                    let characters = [9].into_iter().chain(32..128).filter(|from| !b"<>@".contains(from));
                    body.push(characters.into_iter().find(|from| decoded(*from, at) == *byte).unwrap_or(*byte));
                }
            }
        }
        let mut bits = u64::from(u32::try_from(body.len()).unwrap().swap_bytes()) << 4;
        let mut digits = [0; 6];
        for digit in digits.iter_mut().rev() {
            *digit = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[(bits & 63) as usize];
            bits >>= 6;
        }
        [MARK.as_slice(), &digits, b"==", &body, b"AAAAAA==^#~@"].concat()
    }

    fn read(bytes: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        Decoding::new(bytes).read_to_end(&mut plain).unwrap();
        plain
    }

    #[test]
    fn characters_come_back() {
        let all: Vec<u8> = [9, 10, 13].into_iter().chain(32..127).cycle().take(64 * 98).collect();
        assert_eq!(read(&encoded(&all)), all);
    }

    /// ClamAV 1.4.6 decodes it likewise.
    #[test]
    fn a_text_of_clamavs_comparison() {
        assert_eq!(read(b"#@~^CAAAAA==-mD~z'8iAAAAAA==^#~@"), b"var A=1;");
    }

    #[test]
    fn stretches_and_what_is_none() {
        let one = encoded(b"x=1;");
        let cases: [(Vec<u8>, &[u8]); 6] = [
            ([b"a;", &one[..], b"b;", &one].concat(), b"a;x=1;b;x=1;"),
            (b"##@~^AAAAAA==AAAAAA==^#~@y".to_vec(), b"#y"),
            (b"#@~#@~^".to_vec(), b"#@~#@~^"),
            (b"#@~^!!!!!!==abc".to_vec(), b"#@~^!!!!!!==abc"),
            ([&one[..14], b"\r\n", &one[14..]].concat(), b"x=1;"),
            ([b"#@~^/////w==", &one[12..14], b"</script>"].concat(), b"x=</script>"),
        ];
        for (bytes, plain) in cases {
            assert_eq!(read(&bytes), plain, "{}", String::from_utf8_lossy(&bytes));
        }
    }
}
