//! Where encoded stretches may begin, and which of them are believed.
//!
//! Digits of base64 are marked, 64 bytes in a word, and runs that are long enough found by shifting the words: what else a text
//! holds is passed without a branch. Looking for runs in strides, back from every 24th byte, took ten times as long: words end
//! where nobody can foretell.

use std::sync::LazyLock;

use dachs_matcher::table::Sets;
use memchr::memmem::{self, Finder};

use super::digits::{Form, Measured};
use super::{characters, list};

/// No shorter run begins a stretch.
const RUN: u32 = 24;
/// Escaped bytes that begin a stretch.
const UNITS: usize = 24;
/// What stands so far before a stretch, or behind it, may speak of decoding.
pub(super) const AROUND: usize = 96;
/// Digits of a stretch that nothing speaks of: of base64, and hexadecimal ones: more than of any digest.
const BASE64: u64 = 64;
const HEX: u64 = 160;
/// Hexadecimal digits where something does.
const SHORT_HEX: u64 = 48;

/// Words of scripts that decode, in small letters.
const WORDS: [&[u8]; 12] = [
    b"base64",
    b"b64",
    b"atob",
    b"-enc",
    b" -e ",
    b" -ec ",
    b"hex",
    b"xxd",
    b"decode",
    b"unescape",
    b"inflate",
    b"bin",
];

static FINDERS: LazyLock<[Finder<'static>; 12]> = LazyLock::new(|| WORDS.map(Finder::new));

/// What scripts turn texts round with: `strrev`, `StrReverse`, `reverse()`, `rev`, and slices of Python and PowerShell.
const TURNS: [&[u8]; 3] = [b"rev", b"[::-1]", b"[-1.."];

static TURNERS: LazyLock<[Finder<'static>; 3]> = LazyLock::new(|| TURNS.map(Finder::new));

/// Does what stands around a stretch speak of turning it round?
pub(super) fn is_turned(around: &[u8]) -> bool {
    let around = around.to_ascii_lowercase();
    TURNERS.iter().any(|word| word.find(&around).is_some())
}

/// Where stretches may begin, in the first `fresh` bytes of a window.
pub(super) fn places(window: &[u8], fresh: usize) -> Vec<(usize, Form)> {
    let mut marks = Vec::with_capacity(window.len().div_ceil(64));
    MEMBERS.mark(window, &mut marks);
    let runs = long_runs(marks.iter().map(|[digits, _, _]| *digits), RUN);
    let mut places: Vec<(usize, Form)> = runs.into_iter().map(|place| (place, Form::Base64)).collect();
    places.extend(list::places(window, long_runs(marks.iter().map(|[_, lists, _]| *lists), list::RUN)));
    let runs = long_runs(marks.iter().map(|[_, _, expressions]| *expressions), characters::RUN);
    places.extend(characters::places(window, runs));
    for form in [Form::Backslash, Form::Number, Form::Percent, Form::Unicode] {
        let mut until = 0;
        for place in memmem::find_iter(window, form.prefix()) {
            if place >= until {
                let count = units(window.get(place..).unwrap_or_default(), form);
                until = place + count.max(1) * 3;
                places.extend((count >= UNITS).then_some((place, form)));
            }
        }
    }
    places.retain(|(place, _)| *place < fresh);
    places
}

/// How many escaped bytes stand here side by side, up to as many as are asked for.
fn units(mut rest: &[u8], form: Form) -> usize {
    let mut count = 0;
    while count < UNITS
        && let Some([first, second, behind @ ..]) = rest.strip_prefix(form.prefix())
        && first.is_ascii_hexdigit()
        && second.is_ascii_hexdigit()
    {
        let between = behind.iter().take(4).take_while(|byte| b" ,;\r\n\t".contains(byte)).count();
        rest = behind.get(between..).unwrap_or_default();
        count += 1;
    }
    count
}

/// What runs consist of: digits of base64, lists of numbers, expressions.
static MEMBERS: Sets<3> = Sets::new(&[digits(), list::members(), characters::members()]);

/// The digits of base64 (RFC 4648, table 1), among which are the hexadecimal ones.
const fn digits() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler; the index is below 128")]
        {
            table[byte as usize] = matches!(byte, b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'+' | b'/');
        }
        byte += 1;
    }
    table
}

/// Where at least `least` marks (24 or 48) stand side by side, in words of 64.
fn long_runs(marks: impl Iterator<Item = u64>, least: u32) -> Vec<usize> {
    let (mut places, mut inside) = (Vec::new(), false);
    let mut marks = marks.peekable();
    let mut number = 0;
    while let Some(here) = marks.next() {
        let next = marks.peek().copied().unwrap_or(0);
        if may_start(here, next) {
            let long = starts(u128::from(here) | u128::from(next) << 64, least);
            let mut begins = long & !(long << 1 | u64::from(inside));
            inside = long >> 63 != 0;
            while begins != 0 {
                places.push(number * 64 + usize::try_from(begins.trailing_zeros()).unwrap_or(0));
                begins &= begins - 1;
            }
        } else {
            inside = false;
        }
        number += 1;
    }
    places
}

/// Could a run of 24 marks or more start in the first of two words? It holds two bytes of marks side by side, the first of which may be
/// the first of the second word.
#[inline(always)]
fn may_start(here: u64, next: u64) -> bool {
    let whole = |word: u64| {
        let two = word & word >> 1;
        let four = two & two >> 2;
        four & four >> 4 & 0x0101_0101_0101_0101
    };
    let (here, next) = (whole(here), whole(next));
    (here & (here >> 8 | next << 56)) | (next & next >> 8 & 1) != 0
}

/// Those of the lower 64 bits from which on so many bits are set.
#[inline(always)]
fn starts(bits: u128, least: u32) -> u64 {
    let third = least / 3;
    let (mut all, mut length) = (bits, 1);
    while length < third {
        all &= all >> length;
        length *= 2;
    }
    all &= all >> third & all >> (2 * third);
    u64::try_from(all & u128::from(u64::MAX)).unwrap_or(0)
}
const _: () = assert!(RUN == 24, "three times a power of two");

/// Whether a stretch is believed, and what it is: runs of digits that are all hexadecimal are no base64.
pub(super) fn judge(form: Form, measured: &Measured, around: impl FnOnce() -> Vec<u8>) -> Option<Form> {
    if !form.prefix().is_empty() {
        return Some(form);
    }
    if form.is_list() || form.is_expression() {
        let shortest = if form.is_list() { list::SHORTEST } else { characters::SHORTEST };
        return (measured.digits >= shortest).then_some(form);
    }
    let spoken = || {
        let around = around().to_ascii_lowercase();
        FINDERS.iter().any(|word| word.find(&around).is_some())
    };
    let no_hex = measured.beyond || (measured.small && measured.capital) || !measured.digits.is_multiple_of(2);
    if !no_hex && measured.other {
        let long = measured.digits >= HEX || (measured.digits >= SHORT_HEX && spoken());
        return long.then_some(Form::Hex);
    }
    let mixed = measured.small && measured.capital && measured.other;
    let believed = (mixed && measured.digits >= BASE64) || spoken();
    believed.then_some(Form::Base64)
}
