//! Where encoded stretches may begin, and which of them are believed.
//!
//! Runs of digits are looked for in strides: a run that is long enough has a digit at every place of a stride. Words and
//! numbers of texts end before that, so most bytes of a text are never looked at.

use std::sync::LazyLock;

use memchr::memmem::{self, Finder};

use super::digits::{Form, Measured};

/// No shorter run begins a stretch.
const RUN: usize = 24;
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

/// The words, ready to be looked for: a document in PDF asks a thousand times.
static FINDERS: LazyLock<[Finder<'static>; WORDS.len()]> = LazyLock::new(|| WORDS.map(Finder::new));

/// Which bytes are digits of base64; those of hexadecimal numbers are among them.
const DIGIT: [bool; 256] = {
    let (mut table, mut byte) = ([false; 256], 0);
    while byte < 256 {
        #[allow(clippy::cast_possible_truncation, clippy::indexing_slicing, reason = "counted up to 255 in a constant")]
        {
            table[byte] = matches!(byte as u8, b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'+' | b'/');
        }
        byte += 1;
    }
    table
};

/// Where stretches may begin, in the first `fresh` bytes of a window.
pub(super) fn places(window: &[u8], fresh: usize) -> Vec<(usize, Form)> {
    let mut places: Vec<(usize, Form)> = runs(window).into_iter().map(|place| (place, Form::Base64)).collect();
    for form in [Form::Backslash, Form::Number, Form::Percent] {
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

/// Where runs of digits begin.
fn runs(window: &[u8]) -> Vec<usize> {
    let digit = |byte: &u8| DIGIT.get(usize::from(*byte)).copied().unwrap_or(false);
    let (mut places, mut at) = (Vec::new(), 0);
    // Everything before `at` was looked at. A run that begins there has a digit at its last place.
    while let Some(stride) = window.get(at..).and_then(|rest| rest.get(..RUN)) {
        if let Some(other) = stride.iter().rposition(|byte| !digit(byte)) {
            at += other + 1;
            continue;
        }
        places.push(at);
        let behind = window.get(at + RUN..).unwrap_or_default();
        at += RUN + behind.iter().position(|byte| !digit(byte)).unwrap_or(behind.len());
    }
    places
}

/// Whether a stretch is believed, and what it is: runs of digits that are all hexadecimal are no base64. `around` is asked only
/// where it decides.
pub(super) fn judge(form: Form, measured: &Measured, around: impl FnOnce() -> Vec<u8>) -> Option<Form> {
    if !form.prefix().is_empty() {
        return Some(form);
    }
    let spoken = || speaks(&around());
    let no_hex = measured.beyond || (measured.small && measured.capital) || !measured.digits.is_multiple_of(2);
    if !no_hex && measured.other {
        let believed = measured.digits >= HEX || (measured.digits >= SHORT_HEX && spoken());
        return believed.then_some(Form::Hex);
    }
    let mixed = measured.small && measured.capital && measured.other;
    let believed = (mixed && measured.digits >= BASE64) || spoken();
    believed.then_some(Form::Base64)
}

/// Does it speak of decoding?
fn speaks(around: &[u8]) -> bool {
    let around = around.to_ascii_lowercase();
    FINDERS.iter().any(|word| word.find(&around).is_some())
}
