//! The digits of an encoded stretch, one behind the other, and the bytes that they stand for.
//!
//! Between digits may stand what programs wrap lines with and join strings by: white space, written-out line ends, and a quote,
//! an operator and a quote. Behind such a gap the digits must go on for a while, or end the stretch well, lest the next
//! word of a text be taken for more.

use std::io::{self, BufRead, Read};

use dachs_base::Budget;

use crate::codec::bytewise::fill;
use crate::stream::SourceRead;

/// Bytes looked at behind a digit, and how long a gap may be.
pub(super) const LOOK: usize = 160;
const LONGEST_GAP: usize = 96;
/// So many digits behind a gap show that the stretch goes on.
const GOES_ON: usize = 16;

/// How bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Base64,
    Hex,
    /// `\x4d`
    Backslash,
    /// `0x4d`
    Number,
    /// `%4d`
    Percent,
    /// `\u004d`
    Unicode,
    /// Numbers, see [`list`](super::list): `77,90`
    Decimal,
    /// `4d 5a`
    Pairs,
    /// Terms of an expression, see [`characters`](super::characters): `Chr(77) & Chr(90)`
    Character,
    /// `\115\132`
    Octal,
}

impl Form {
    pub(super) const ALL: [Form; 10] = [
        Form::Base64,
        Form::Hex,
        Form::Backslash,
        Form::Number,
        Form::Percent,
        Form::Unicode,
        Form::Decimal,
        Form::Pairs,
        Form::Character,
        Form::Octal,
    ];

    /// True for lists of numbers.
    pub(super) fn is_list(self) -> bool {
        matches!(self, Form::Decimal | Form::Pairs)
    }

    /// True for expressions that make characters of numbers.
    pub(super) fn is_expression(self) -> bool {
        matches!(self, Form::Character | Form::Octal)
    }

    pub(super) fn index(self) -> usize {
        Form::ALL.iter().position(|form| *form == self).unwrap_or(0)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Form::Base64 => "base64",
            Form::Hex => "hex",
            Form::Backslash | Form::Number | Form::Percent | Form::Unicode => "escaped bytes",
            Form::Decimal | Form::Pairs => "numbers",
            Form::Character | Form::Octal => "characters",
        }
    }

    /// What stands before the two digits of each byte.
    pub(super) fn prefix(self) -> &'static [u8] {
        match self {
            Form::Base64 | Form::Hex | Form::Decimal | Form::Pairs | Form::Character | Form::Octal => b"",
            Form::Backslash => b"\\x",
            Form::Number => b"0x",
            Form::Percent => b"%",
            Form::Unicode => b"\\u00",
        }
    }

    pub(super) fn is_digit(self, byte: u8) -> bool {
        match self {
            Form::Base64 => byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'),
            _ => byte.is_ascii_hexdigit(),
        }
    }
}

/// What was found out about a stretch.
#[derive(Default, Debug)]
pub(super) struct Measured {
    /// Bytes of the text that it takes.
    pub(super) length: u64,
    pub(super) digits: u64,
    /// Which digits occur: small letters, capital letters, others; letters beyond F.
    pub(super) small: bool,
    pub(super) capital: bool,
    pub(super) other: bool,
    pub(super) beyond: bool,
}

/// Goes through a stretch.
///
/// # Errors
/// When the time is over.
pub(super) fn measure(input: impl Input, form: Form, budget: &Budget) -> Result<Measured, dachs_base::LimitReached> {
    let mut digits = Digits::new(input, form);
    let mut measured = Measured::default();
    let mut checked = 0;
    loop {
        digits.pass_run(&mut |run| measured.take(run));
        let Some(digit) = digits.next() else { break };
        measured.take(&[digit]);
        if measured.digits >> 16 != checked {
            checked = measured.digits >> 16;
            budget.check_time()?;
        }
    }
    measured.length = digits.input.position();
    Ok(measured)
}

impl Measured {
    /// Takes digits that stand side by side.
    fn take(&mut self, run: &[u8]) {
        self.digits = self.digits.saturating_add(u64::try_from(run.len()).unwrap_or(u64::MAX));
        for digit in run {
            self.small |= digit.is_ascii_lowercase();
            self.capital |= digit.is_ascii_uppercase();
            self.other |= !digit.is_ascii_alphabetic();
            self.beyond |= !digit.is_ascii_hexdigit();
        }
    }
}

/// Where digits come from, front to back.
pub(super) trait Input {
    /// The next byte.
    fn first(&mut self) -> Option<u8>;
    /// The next bytes, as far as they are at hand: none at the end.
    fn at_hand(&mut self) -> &[u8];
    /// Passes bytes.
    fn pass(&mut self, count: usize);
    /// The next bytes, and how many there are.
    fn look(&mut self) -> ([u8; LOOK], usize);
    /// How many bytes were passed.
    fn position(&self) -> u64;
}

impl Input for SourceRead {
    fn first(&mut self) -> Option<u8> {
        self.fill_buf().ok()?.first().copied()
    }

    fn at_hand(&mut self) -> &[u8] {
        self.fill_buf().unwrap_or_default()
    }

    fn pass(&mut self, count: usize) {
        if self.fill_buf().is_ok_and(|bytes| bytes.len() >= count) {
            return self.consume(count);
        }
        let to = SourceRead::position(self).saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        self.go_to(to);
    }

    fn look(&mut self) -> ([u8; LOOK], usize) {
        self.peek()
    }

    fn position(&self) -> u64 {
        SourceRead::position(self)
    }
}

/// What is at hand of a text.
pub(super) struct Rest<'t> {
    bytes: &'t [u8],
    passed: u64,
}

impl<'t> Rest<'t> {
    pub(super) fn new(bytes: &'t [u8]) -> Rest<'t> {
        Rest { bytes, passed: 0 }
    }
}

impl Input for Rest<'_> {
    fn first(&mut self) -> Option<u8> {
        self.bytes.first().copied()
    }

    fn at_hand(&mut self) -> &[u8] {
        self.bytes
    }

    fn pass(&mut self, count: usize) {
        self.bytes = self.bytes.get(count..).unwrap_or_default();
        self.passed = self.passed.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    }

    fn look(&mut self) -> ([u8; LOOK], usize) {
        let mut look = [0; LOOK];
        let count = look.iter_mut().zip(self.bytes).map(|(to, byte)| *to = *byte).count();
        (look, count)
    }

    fn position(&self) -> u64 {
        self.passed
    }
}

/// The digits of a stretch.
struct Digits<I> {
    input: I,
    form: Form,
    count: usize,
    ended: bool,
}

impl<I: Input> Digits<I> {
    fn new(input: I, form: Form) -> Digits<I> {
        Digits { input, form, count: 0, ended: false }
    }

    /// Gives the digits that stand here side by side and are at hand, and passes them; none of those that are escaped.
    fn pass_run(&mut self, take: &mut dyn FnMut(&[u8])) {
        if self.ended || !self.form.prefix().is_empty() {
            return;
        }
        let (form, bytes) = (self.form, self.input.at_hand());
        let count = bytes.iter().position(|byte| !form.is_digit(*byte)).unwrap_or(bytes.len());
        take(bytes.get(..count).unwrap_or_default());
        self.input.pass(count);
        self.count = self.count.wrapping_add(count);
    }

    fn next(&mut self) -> Option<u8> {
        if self.ended {
            return None;
        }
        let starts_byte = self.count.is_multiple_of(2) && !self.form.prefix().is_empty();
        let byte = self.input.first();
        if let Some(digit) = byte.filter(|byte| !starts_byte && self.form.is_digit(*byte)) {
            self.input.pass(1);
            self.count = self.count.wrapping_add(1);
            return Some(digit);
        }
        let (look, got) = self.input.look();
        let look = look.get(..got).unwrap_or_default();
        let passed = if starts_byte { self.escape(look) } else { self.gap(look) };
        let Some(passed) = passed else {
            self.ended = true;
            return None;
        };
        self.input.pass(passed);
        let digit = self.input.first();
        self.input.pass(1);
        self.count = self.count.wrapping_add(1);
        digit
    }

    /// How many bytes to pass up to the digits of the next escaped byte.
    fn escape(&self, look: &[u8]) -> Option<usize> {
        let between = |byte: &u8| b" \t\r\n,;\"'+&_".contains(byte);
        let gap = look.iter().take(LONGEST_GAP).take_while(|byte| between(byte)).count();
        let digits = look.get(gap..)?.strip_prefix(self.form.prefix())?;
        let two = digits.iter().take(2).filter(|byte| byte.is_ascii_hexdigit()).count() == 2;
        two.then_some(gap + self.form.prefix().len())
    }

    /// How many bytes to pass up to the next digit; `None` if the stretch ends here.
    fn gap(&self, look: &[u8]) -> Option<usize> {
        let (mut at, mut outside) = (0, false);
        loop {
            let rest = look.get(at..).filter(|_| at <= LONGEST_GAP)?;
            if let Some(passed) = echo(look.get(..at).unwrap_or_default(), rest) {
                at += passed;
                continue;
            }
            match rest {
                [b' ' | b'\t' | b'\r' | b'\n', ..] => at += 1,
                [b'"' | b'\'', ..] => {
                    outside = !outside;
                    at += 1;
                }
                [b'\\', b'n' | b'r' | b't' | b'\r' | b'\n', ..] => at += 2,
                [b'+' | b'.' | b'&' | b'_' | b',', ..] if outside => at += 1,
                [byte, ..] if !outside && at > 0 && self.form.is_digit(*byte) => break,
                _ => return None,
            }
        }
        let behind = look.get(at..)?;
        let run = behind.iter().take_while(|byte| self.form.is_digit(**byte)).count();
        let pads = behind.get(run..)?.iter().take_while(|byte| **byte == b'=').count();
        let well = |byte: &u8| byte.is_ascii_whitespace() || b"\"')]<-\\".contains(byte);
        let ends = behind.get(run + pads..)?.first().is_none_or(well);
        let whole = self.count.wrapping_add(run + pads).is_multiple_of(4);
        (run >= GOES_ON || (ends && whole)).then_some(at)
    }
}

/// How much of a command there is that writes the next line of a stretch into a file: what is left of the last command (`>> a.txt`), and
/// the start of the next (`echo `).
fn echo(before: &[u8], rest: &[u8]) -> Option<usize> {
    match rest.first()? {
        b'>' => {
            let end = rest.iter().position(|byte| *byte == b'\n')? + 1;
            echo(b"\n", rest.get(end..)?).map(|command| end + command)
        }
        b'@' | b'e' | b'E' if before.ends_with(b"\n") => {
            let at = usize::from(rest.starts_with(b"@"));
            let command = rest.get(at..at + 5)?;
            let gap = matches!(command.last(), Some(b' ' | b'.' | b'('));
            (gap && command.get(..4)?.eq_ignore_ascii_case(b"echo")).then_some(at + 5)
        }
        _ => None,
    }
}

/// The bytes of a stretch.
pub(super) struct Decoded {
    digits: Digits<SourceRead>,
    bits: u32,
    /// How many bits of a byte are at hand.
    count: u32,
}

impl Decoded {
    pub(super) fn new(input: SourceRead, form: Form) -> Decoded {
        Decoded { digits: Digits::new(input, form), bits: 0, count: 0 }
    }

    fn next(&mut self) -> Option<u8> {
        let width = if self.digits.form == Form::Base64 { 6 } else { 4 };
        while self.count < 8 {
            let value = value(self.digits.next()?, self.digits.form)?;
            self.bits = (self.bits << width | u32::from(value)) & 0xFFFF;
            self.count += width;
        }
        self.count -= 8;
        u8::try_from(self.bits >> self.count & 0xFF).ok()
    }
}

fn value(digit: u8, form: Form) -> Option<u8> {
    if form != Form::Base64 {
        return char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    }
    Some(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

impl Read for Decoded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        fill(buffer, &mut None, || Ok(self.next()))
    }
}
