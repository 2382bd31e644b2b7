//! Bytes that scripts make of numbers one by one, by calls (`Chr(77) & Chr(&H5A)`, `chr(77).chr(90)`, `[char]77+[char]0x5A`) or by octal
//! escapes (`\115\132`), so that no word of theirs can be read.
//!
//! ```text
//! text --marks--> runs of what calls and escapes consist of --first ones--> is it an expression? --Characters--> its bytes
//! ```
//!
//! Strings may stand between calls (`Chr(69) & "ICA" & Chr(82)`). Sums within a call (`Chr(70 + 7)`) are not worked out.
//!
//! What the functions do: Microsoft, VBA language specification 6.1.2.11.1.4 (`Chr`, `ChrB`, `ChrW`); PHP manual, `chr`; PowerShell
//! language specification 6.2.3. Octal escapes: ECMA-262 B.1.2.

use std::io::{self, Read};

use dachs_matcher::table::Set;

use super::digits::{Form, Input};
use super::list::{Terms, begin};
use crate::codec::bytewise::fill;
use crate::stream::SourceRead;

/// No shorter run begins an expression, in bytes of the text.
pub(super) const RUN: u32 = 48;
/// Calls or escapes that must follow each other for an expression to begin.
const FIRST: usize = 5;
/// Bytes that an expression must make to be believed.
pub(super) const SHORTEST: u64 = 16;
/// Places in a run that are tried.
const TRIED: usize = 4;
/// So far into a run its first call may stand: scripts are indented.
const FAR: usize = 1024;

/// What calls and escapes consist of, with what stands between them.
static MEMBERS: Set = Set::new(&members());

pub(super) const fn members() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler; the index is below 128")]
        {
            let letter = matches!(byte | 0x20, b'a'..=b'f' | b'h' | b'r' | b'w' | b'x');
            let sign = matches!(
                byte,
                b'(' | b')' | b'[' | b']' | b'$' | b'&' | b'+' | b'.' | b'_' | b'\\' | b' ' | b'\t' | b'\r' | b'\n'
            );
            table[byte as usize] = letter || sign || byte.is_ascii_digit();
        }
        byte += 1;
    }
    table
}

/// Where expressions may begin, among the starts of runs of their [`members`], and of which form they are.
pub(super) fn places(window: &[u8], runs: Vec<usize>) -> Vec<(usize, Form)> {
    runs.into_iter().filter_map(|run| first(window, run)).collect()
}

/// The first expression of a run.
fn first(window: &[u8], run: usize) -> Option<(usize, Form)> {
    let mut at = run;
    for _ in 0..TRIED {
        let rest = window.get(at..)?;
        let starts = |byte: &u8| matches!(byte, b'C' | b'c' | b'[' | b'\\');
        at += rest.iter().take(FAR).take_while(|byte| MEMBERS.has(**byte)).position(starts)?;
        let rest = window.get(at..)?;
        let form = if rest.starts_with(b"\\") { Form::Octal } else { Form::Character };
        if begin(rest, FIRST, |rest| character(rest, form), |rest| between(rest, form)) {
            return Some((at, form));
        }
        at += 1;
    }
    None
}

/// A call or an escape: how many bytes of the text it takes, and the byte that it makes.
fn character(rest: &[u8], form: Form) -> Option<(usize, u8)> {
    match form {
        Form::Octal => escape(rest),
        _ if rest.starts_with(b"[") => cast(rest),
        _ => call(rest),
    }
}

/// `\115`: up to three digits.
fn escape(rest: &[u8]) -> Option<(usize, u8)> {
    let (digits, value) = number(rest.strip_prefix(b"\\")?, 8, 3)?;
    Some((1 + digits, value))
}

/// `[char]77`, `[char](77)`, `[char]0x4D`.
fn cast(rest: &[u8]) -> Option<(usize, u8)> {
    let behind = rest.split_at_checked(6).filter(|(word, _)| word.eq_ignore_ascii_case(b"[char]"))?.1;
    let spaces = spaces(behind);
    let behind = behind.get(spaces..)?;
    let bracket = usize::from(behind.starts_with(b"("));
    let (length, value) = value(behind.get(bracket..)?)?;
    let closed = bracket == 0 || behind.get(1 + length) == Some(&b')');
    closed.then_some((6 + spaces + 2 * bracket + length, value))
}

/// `Chr(77)`, `ChrW$(&H4D)`.
fn call(rest: &[u8]) -> Option<(usize, u8)> {
    let is = |at: usize, of: &[u8]| rest.get(at).is_some_and(|byte| of.contains(byte));
    let name = rest.get(..3).filter(|name| name.eq_ignore_ascii_case(b"chr"))?.len();
    let wide = name + usize::from(is(name, b"WwBb"));
    let open = wide + usize::from(is(wide, b"$"));
    let inside = rest.get(open..)?.strip_prefix(b"(")?;
    let before = spaces(inside);
    let (length, value) = value(inside.get(before..)?)?;
    let behind = inside.get(before + length..)?;
    let after = spaces(behind);
    (behind.get(after) == Some(&b')')).then_some((open + before + length + after + 2, value))
}

/// A number as languages write it: `77`, `&H4D`, `&H4D&`, `0x4d`.
fn value(rest: &[u8]) -> Option<(usize, u8)> {
    match rest {
        [b'&', b'H' | b'h', digits @ ..] => {
            let (length, value) = number(digits, 16, 4)?;
            Some((2 + length + usize::from(digits.get(length) == Some(&b'&')), value))
        }
        [b'0', b'X' | b'x', digits @ ..] => number(digits, 16, 4).map(|(length, value)| (2 + length, value)),
        _ => number(rest, 10, 3),
    }
}

/// Digits of a number of one byte: how many, and the number.
fn number(rest: &[u8], base: u32, most: usize) -> Option<(usize, u8)> {
    let digit = |byte: &u8| char::from(*byte).to_digit(base);
    let digits = rest.iter().take(most).map_while(digit);
    let (count, value) = digits.fold((0, 0), |(count, value), digit| (count + 1, value * base + digit));
    u8::try_from(value).ok().filter(|_| count > 0).map(|value| (count, value))
}

fn spaces(rest: &[u8]) -> usize {
    rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

/// How many bytes stand between two terms of an expression: white space, one operator, and what continues a line.
fn between(rest: &[u8], form: Form) -> Option<usize> {
    if form == Form::Octal {
        return Some(0);
    }
    let mut operators = 0;
    let part = |byte: &&u8| match **byte {
        b' ' | b'\t' | b'\r' | b'\n' | b'_' => true,
        b'&' | b'+' | b'.' | b',' => {
            operators += 1;
            operators == 1
        }
        _ => false,
    };
    let count = rest.iter().take(LONGEST_GAP).take_while(part).count();
    (operators == 1).then_some(count)
}

/// Bytes between two terms.
const LONGEST_GAP: usize = 96;

/// The bytes of an expression, one after the other.
pub(super) struct Characters<I> {
    input: I,
    form: Form,
    /// Within a string, the quote that ends it.
    quote: Option<u8>,
    ended: bool,
}

impl<I: Input> Characters<I> {
    pub(super) fn new(input: I, form: Form) -> Characters<I> {
        Characters { input, form, quote: None, ended: false }
    }

    fn next(&mut self) -> Option<u8> {
        while !self.ended {
            match self.quote {
                Some(quote) => {
                    if let Some(byte) = self.of_string(quote) {
                        return Some(byte);
                    }
                }
                None => return self.of_call(),
            }
        }
        None
    }

    /// The next byte of a string; `None` if it ended.
    fn of_string(&mut self, quote: u8) -> Option<u8> {
        match self.input.first() {
            Some(byte) if byte == quote => {
                self.quote = None;
                self.go_on(1);
                None
            }
            Some(byte) if !matches!(byte, b'\r' | b'\n') => {
                self.input.pass(1);
                Some(byte)
            }
            _ => {
                self.ended = true;
                None
            }
        }
    }

    fn of_call(&mut self) -> Option<u8> {
        let (look, got) = self.input.look();
        let Some((length, value)) = character(look.get(..got).unwrap_or_default(), self.form) else {
            self.ended = true;
            return None;
        };
        self.go_on(length);
        Some(value)
    }

    /// Passes a term, and what stands before the next; ends the expression if there is none.
    fn go_on(&mut self, length: usize) {
        let (look, got) = self.input.look();
        let behind = look.get(length..got).unwrap_or_default();
        let next = between(behind, self.form).and_then(|between| Some((between, behind.get(between..)?)));
        let quote = next.and_then(|(_, term)| term.first().copied()).filter(|byte| matches!(byte, b'"' | b'\''));
        match next {
            Some((between, _)) if quote.is_some() && self.form == Form::Character => {
                self.quote = quote;
                self.input.pass(length + between + 1);
            }
            Some((between, term)) if character(term, self.form).is_some() => self.input.pass(length + between),
            _ => {
                self.ended = true;
                self.input.pass(length);
            }
        }
    }
}

impl<I: Input> Terms for Characters<I> {
    fn next_byte(&mut self) -> Option<u8> {
        self.next()
    }

    fn position(&self) -> u64 {
        self.input.position()
    }
}

impl Read for Characters<SourceRead> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        fill(buffer, &mut None, || Ok(self.next()))
    }
}
