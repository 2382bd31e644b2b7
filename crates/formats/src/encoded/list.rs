//! Lists of bytes as numbers: `77,90,144`, `4d 5a 90`, `4d,5a,90` (the registry's files break lines with a backslash), `4D-5A-90`.
//!
//! ```text
//! text --marks--> runs of what lists consist of --first numbers--> is it a list, of which form? --List--> its bytes
//! ```
//!
//! Tables of numbers look like lists too, so what a list decodes to must be of a known kind, or a text, to be given.

use std::io::{self, Read};

use dachs_base::{Class, Memory};

use super::digits::{Form, Input, LOOK, Measured};
use crate::codec::bytewise::fill;
use crate::stream::SourceRead;

/// No shorter run begins a list, in bytes.
pub(super) const RUN: u32 = 48;
/// Numbers that must follow each other for a list to begin.
const FIRST: usize = 16;
/// Numbers of a list that is believed.
pub(super) const SHORTEST: u64 = 48;
/// Numbers by which it is judged.
const LOOKED_AT: usize = 4096;
/// Words at the start of a run that may be no part of it.
const TRIED: usize = 4;

/// What lists are made of: digits, and what stands between numbers.
pub(super) const fn members() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler; the index is below 128")]
        {
            let between = matches!(byte, b' ' | b',' | b'-' | b'\t' | b'\r' | b'\n' | b'\\');
            table[byte as usize] = byte.is_ascii_hexdigit() || between;
        }
        byte += 1;
    }
    table
}

/// Where lists may begin, among the starts of runs of their [`members`], and of which form they are.
pub(super) fn places(window: &[u8], runs: Vec<usize>) -> Vec<(usize, Form)> {
    let mut places = Vec::new();
    for run in runs {
        if let Some((at, forms)) = first_numbers(window, run) {
            places.extend(forms.into_iter().flatten().map(|form| (at, form)));
        }
    }
    places
}

/// Where the first numbers stand behind a place, if they make a list: of either form, or of both, as `33,80` may be.
fn first_numbers(window: &[u8], run: usize) -> Option<(usize, [Option<Form>; 2])> {
    let mut at = run;
    for _ in 0..TRIED {
        let rest = window.get(at..)?;
        at += rest.iter().take(RUN as usize).position(u8::is_ascii_hexdigit)?;
        let rest = window.get(at..)?;
        let forms = [Form::Pairs, Form::Decimal]
            .map(|form| begin(rest, FIRST, |rest| number(rest, form), |rest| between(rest, form)).then_some(form));
        if forms.iter().any(Option::is_some) {
            return Some((at, forms));
        }
        at += rest.iter().position(|byte| !byte.is_ascii_hexdigit())?;
    }
    None
}

/// Do at least `least` terms begin here? `term` says how many bytes the next takes and what it stands for, `between` how many stand before
/// the one behind it.
pub(super) fn begin(
    mut rest: &[u8],
    least: usize,
    term: impl Fn(&[u8]) -> Option<(usize, u8)>,
    between: impl Fn(&[u8]) -> Option<usize>,
) -> bool {
    for count in 1..=least {
        let Some((length, _)) = term(rest) else { return false };
        let behind = rest.get(length..).unwrap_or_default();
        let Some(between) = between(behind) else { return count == least };
        rest = behind.get(between..).unwrap_or_default();
    }
    true
}

/// A number: how many digits it has, and what it is.
fn number(rest: &[u8], form: Form) -> Option<(usize, u8)> {
    let (most, base) = if form == Form::Pairs { (2, 16) } else { (3, 10) };
    let digit = |byte: &u8| char::from(*byte).to_digit(base);
    let digits = rest.iter().take(most).take_while(|byte| digit(byte).is_some()).count();
    let value = rest.iter().take(digits).filter_map(digit).fold(0, |value, digit| value * base + digit);
    let whole = rest.get(digits).is_none_or(|next| !next.is_ascii_alphanumeric());
    let right = if form == Form::Pairs { digits == 2 } else { digits > 0 };
    u8::try_from(value).ok().filter(|_| whole && right).map(|value| (digits, value))
}

/// How many bytes stand between two numbers: white space and at most one sign.
fn between(rest: &[u8], form: Form) -> Option<usize> {
    let mut signs = 0;
    let part = |byte: &&u8| match **byte {
        b' ' | b'\t' | b'\r' | b'\n' | b'\\' | b'_' => true,
        b',' => {
            signs += 1;
            signs == 1
        }
        b'-' if form == Form::Pairs => {
            signs += 1;
            signs == 1
        }
        _ => false,
    };
    let count = rest.iter().take(LOOK - 8).take_while(part).count();
    // Numbers of several digits are told apart by commas alone, lest a table be taken for a list.
    (count > 0 && (form == Form::Pairs || rest.iter().take(count).any(|byte| *byte == b','))).then_some(count)
}

/// The numbers of a list, one after the other.
pub(super) struct List<I> {
    input: I,
    form: Form,
    ended: bool,
}

impl<I: Input> List<I> {
    pub(super) fn new(input: I, form: Form) -> List<I> {
        List { input, form, ended: false }
    }

    fn next(&mut self) -> Option<u8> {
        if self.ended {
            return None;
        }
        let (look, got) = self.input.look();
        let look = look.get(..got).unwrap_or_default();
        let Some((length, value)) = number(look, self.form) else {
            self.ended = true;
            return None;
        };
        let behind = look.get(length..).unwrap_or_default();
        let between = between(behind, self.form);
        let next = between.and_then(|between| number(behind.get(between..)?, self.form));
        self.ended = next.is_none();
        self.input.pass(length + next.and(between).unwrap_or(0));
        Some(value)
    }
}

/// What stands for bytes, one term after the other.
pub(super) trait Terms {
    fn next_byte(&mut self) -> Option<u8>;
    /// How many bytes of the text were passed.
    fn position(&self) -> u64;
}

impl<I: Input> Terms for List<I> {
    fn next_byte(&mut self) -> Option<u8> {
        self.next()
    }

    fn position(&self) -> u64 {
        self.input.position()
    }
}

/// Is what the first terms stand for of a known kind, or a text?
pub(super) fn may_be(mut terms: impl Terms) -> bool {
    let first: Vec<u8> = std::iter::from_fn(|| terms.next_byte()).take(LOOKED_AT).collect();
    crate::identify(&Memory::new(first)).kind.class() != Class::Data
}

/// Goes through all terms.
///
/// # Errors
/// When the time is over.
pub(super) fn measure(
    mut terms: impl Terms,
    budget: &dachs_base::Budget,
) -> Result<Measured, dachs_base::LimitReached> {
    let mut measured = Measured::default();
    while terms.next_byte().is_some() {
        measured.digits += 1;
        if measured.digits.is_multiple_of(1 << 16) {
            budget.check_time()?;
        }
    }
    measured.length = terms.position();
    Ok(measured)
}

impl Read for List<SourceRead> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        fill(buffer, &mut None, || Ok(self.next()))
    }
}
