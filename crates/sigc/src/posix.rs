//! Regular expressions of POSIX (extended), as container metadata and lists of addresses write them, in the syntax of
//! the crate `regex`.
//!
//! What is taken and what is refused is what ClamAV 1.4.6 takes and refuses, as watched: a backslash makes the next
//! character ordinary, whatever it is, but `\<` and `\>` are the borders of a word; nothing may be repeated twice; no
//! alternative may be empty, though a group may; a `)` without its `(` is ordinary; bounds are 1 to 255; `(?i)` at the very
//! start means letters in either case. `.` is any byte.

use std::fmt::Write;

use crate::refused::{Parsed, Refused};

/// The largest bound of a repetition (POSIX `RE_DUP_MAX`).
const MOST: u32 = 255;

/// The bytes that a bracket expression names.
type Class = [bool; 256];

/// The expression in the syntax of the crate `regex`, over bytes, with `.` for any of them.
///
/// # Errors
/// When it is none.
pub(crate) fn translate(text: &str) -> Parsed<String> {
    let (rest, either_case) = match text.strip_prefix("(?i)") {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let mut reader =
        Reader { rest: rest.as_bytes(), either_case, out: String::new(), depth: 0, before: Before::Nothing };
    if either_case {
        reader.out.push_str("(?i)");
    }
    while let Some(byte) = reader.bump() {
        reader.take(byte)?;
    }
    match (reader.depth, reader.before) {
        (1.., _) => Err(bad("a parenthesis is not closed")),
        (0, Before::Nothing) => Err(bad("an alternative is empty")),
        _ => Ok(reader.out),
    }
}

fn bad(reason: &str) -> Refused {
    Refused::malformed(format!("the regular expression: {reason}"))
}

/// What stands before the place at hand, in its alternative.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing.
    Nothing,
    /// Something that may not be repeated.
    Fixed,
    /// Something that may be.
    Atom,
}

struct Reader<'t> {
    rest: &'t [u8],
    either_case: bool,
    out: String,
    depth: u32,
    before: Before,
}

impl Reader<'_> {
    fn bump(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn take(&mut self, byte: u8) -> Parsed<()> {
        match byte {
            b'(' => self.open(),
            b')' if self.depth > 0 => return self.close(),
            b'|' => return self.alternative(),
            b'*' | b'+' | b'?' => return self.repeat(&char::from(byte).to_string()),
            b'{' if self.rest.first().is_some_and(u8::is_ascii_digit) => return self.bounds(),
            b'^' => self.put("^", Before::Fixed),
            b'$' => self.put("(?:$)", Before::Atom),
            b'.' => self.put(".", Before::Atom),
            b'[' => return self.bracket(),
            b'\\' => match self.bump() {
                None => return Err(bad("it ends with a backslash")),
                Some(b'<') => self.put(r"(?:\b{start})", Before::Atom),
                Some(b'>') => self.put(r"(?:\b{end})", Before::Atom),
                Some(byte) => self.literal(byte),
            },
            byte => self.literal(byte),
        }
        Ok(())
    }

    fn put(&mut self, text: &str, before: Before) {
        self.out.push_str(text);
        self.before = before;
    }

    fn literal(&mut self, byte: u8) {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => self.out.push(char::from(byte)),
            // Writing to a string cannot fail.
            _ => drop(write!(self.out, r"\x{byte:02x}")),
        }
        self.before = Before::Atom;
    }

    fn open(&mut self) {
        if let [b')', rest @ ..] = self.rest {
            self.rest = rest;
            return self.put("(?:)", Before::Atom);
        }
        self.depth = self.depth.saturating_add(1);
        self.put("(?:", Before::Nothing);
    }

    fn close(&mut self) -> Parsed<()> {
        if self.before == Before::Nothing {
            return Err(bad("an alternative is empty"));
        }
        self.depth = self.depth.saturating_sub(1);
        self.put(")", Before::Atom);
        Ok(())
    }

    fn alternative(&mut self) -> Parsed<()> {
        if self.before == Before::Nothing {
            return Err(bad("an alternative is empty"));
        }
        self.put("|", Before::Nothing);
        Ok(())
    }

    fn repeat(&mut self, how: &str) -> Parsed<()> {
        if self.before != Before::Atom {
            return Err(bad("there is nothing to repeat"));
        }
        self.put(how, Before::Fixed);
        Ok(())
    }

    /// `{n}`, `{n,}`, `{n,m}`, behind the brace.
    fn bounds(&mut self) -> Parsed<()> {
        let least = self.number();
        let most = match self.bump() {
            Some(b'}') => return self.counted(least, Some(least)),
            Some(b',') => self.rest.first().is_some_and(u8::is_ascii_digit).then(|| self.number()),
            _ => return Err(bad("a brace is not closed")),
        };
        match self.bump() {
            Some(b'}') => self.counted(least, most),
            _ => Err(bad("a brace is not closed")),
        }
    }

    fn counted(&mut self, least: u32, most: Option<u32>) -> Parsed<()> {
        let largest = most.unwrap_or(least.max(1));
        if largest > MOST || least > largest || largest == 0 {
            return Err(bad("the bounds of a repetition"));
        }
        match most {
            Some(most) => self.repeat(&format!("{{{least},{most}}}")),
            None => self.repeat(&format!("{{{least},}}")),
        }
    }

    /// The digits that come next; large numbers stay large.
    fn number(&mut self) -> u32 {
        let mut number = 0_u32;
        while let Some(digit) = self.rest.first().filter(|byte| byte.is_ascii_digit()) {
            number = number.saturating_mul(10).saturating_add(u32::from(digit.wrapping_sub(b'0')));
            self.bump();
        }
        number
    }

    /// A bracket expression, behind its `[`.
    fn bracket(&mut self) -> Parsed<()> {
        let negated = self.rest.first() == Some(&b'^');
        if negated {
            self.bump();
        }
        let mut class = [false; 256];
        self.members(&mut class)?;
        if self.either_case {
            fold(&mut class);
        }
        let ranges = ranges(&class.map(|named| named != negated));
        self.put(&ranges, Before::Atom);
        Ok(())
    }

    fn members(&mut self, class: &mut Class) -> Parsed<()> {
        let mut first = true;
        loop {
            match self.rest {
                [b']', rest @ ..] if !first => {
                    self.rest = rest;
                    return Ok(());
                }
                [b'[', b':', ..] => self.named_class(class)?,
                [b'-', after, ..] if !first && *after != b']' => return Err(bad("a range in brackets")),
                _ => self.range(class)?,
            }
            first = false;
        }
    }

    /// A single character, or a range of them.
    fn range(&mut self, class: &mut Class) -> Parsed<()> {
        let from = self.character()?;
        let to = match self.rest {
            [b'-', after, ..] if *after != b']' => {
                self.bump();
                self.character()?
            }
            _ => from,
        };
        if from > to || (from == b'-' && to != b'-') {
            return Err(bad("a range in brackets"));
        }
        for byte in from..=to {
            set(class, byte);
        }
        Ok(())
    }

    /// A character in brackets, which may be written `[.x.]` or `[=x=]`.
    fn character(&mut self) -> Parsed<u8> {
        let open = || bad("a bracket is not closed");
        match self.rest {
            [b'[', mark @ (b'.' | b'='), byte, end, b']', rest @ ..] if mark == end => {
                self.rest = rest;
                Ok(*byte)
            }
            [b'[', b'.' | b'=', ..] => Err(bad("an unknown character in brackets")),
            _ => self.bump().ok_or_else(open),
        }
    }

    fn named_class(&mut self, class: &mut Class) -> Parsed<()> {
        let rest = self.rest.get(2..).unwrap_or_default();
        let end = rest.windows(2).position(|pair| pair == b":]").ok_or_else(|| bad("a bracket is not closed"))?;
        let (name, after) = rest.split_at_checked(end).unwrap_or_default();
        let holds: fn(&u8) -> bool = match name {
            b"alnum" => u8::is_ascii_alphanumeric,
            b"alpha" => u8::is_ascii_alphabetic,
            b"blank" => |byte| matches!(byte, b' ' | b'\t'),
            b"cntrl" => u8::is_ascii_control,
            b"digit" => u8::is_ascii_digit,
            b"graph" => u8::is_ascii_graphic,
            b"lower" => u8::is_ascii_lowercase,
            b"print" => |byte| (b' '..=b'~').contains(byte),
            b"punct" => u8::is_ascii_punctuation,
            b"space" => |byte| matches!(byte, b'\t'..=b'\r' | b' '),
            b"upper" => u8::is_ascii_uppercase,
            b"xdigit" => u8::is_ascii_hexdigit,
            _ => return Err(bad("an unknown class of characters")),
        };
        self.rest = after.get(2..).unwrap_or_default();
        (0..=255).filter(holds).for_each(|byte| set(class, byte));
        Ok(())
    }
}

fn set(class: &mut Class, byte: u8) {
    if let Some(place) = class.get_mut(usize::from(byte)) {
        *place = true;
    }
}

fn holds(class: &Class, byte: u8) -> bool {
    class.get(usize::from(byte)).copied().unwrap_or(false)
}

/// Letters in either case.
fn fold(class: &mut Class) {
    for letter in b'a'..=b'z' {
        if holds(class, letter) || holds(class, letter.to_ascii_uppercase()) {
            set(class, letter);
            set(class, letter.to_ascii_uppercase());
        }
    }
}

/// A class in the syntax of `regex`.
fn ranges(class: &Class) -> String {
    let mut text = String::from("[");
    let mut from = None;
    for byte in 0..=255_u8 {
        let here = holds(class, byte);
        from = from.or(here.then_some(byte));
        let ends = byte == 255 || !holds(class, byte.saturating_add(1));
        if let Some(start) = from.filter(|_| here && ends) {
            // Writing to a string cannot fail.
            let _ = write!(text, r"\x{start:02x}-\x{byte:02x}");
            from = None;
        }
    }
    if text.len() == 1 { r"[^\x00-\xff]".to_owned() } else { text + "]" }
}

#[cfg(test)]
mod tests;
