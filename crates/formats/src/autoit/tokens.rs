//! Scripts of EA06: tokens, which become lines of text again.
//!
//! ```text
//! number of lines 4 | tokens ... 7F at the end of each line
//! 00 keyword, 01 function: number 4     05, 10, 20: a number of 4 or 8 bytes, a fraction of 8
//! 30 keyword, 31 function, 32 @macro, 33 $variable, 34 name, 35 .property, 36 "text", 37 directive:
//!        count 4, then as many units of UTF-16, each changed by the count
//! 40 ... operators
//! ```
//!
//! Words stand between blanks, with the letters that the tokens have (upper case, mostly); lines are not indented.

use std::fmt::Write;
use std::io::{self, ErrorKind, Read};

use crate::codec::bytewise::fill;
use crate::utf16;

/// Units of the longest text of one token.
const LONGEST_TEXT: u32 = 1 << 20;

/// The text of a script.
pub(super) struct Script<R> {
    input: R,
    /// Lines that are left.
    lines: u32,
    /// True at the start of a line.
    fresh: bool,
    /// Text of the token at hand, and how much of it was given.
    text: Vec<u8>,
    given: usize,
    failed: Option<io::Error>,
}

impl<R: Read> Script<R> {
    /// Reads the number of lines.
    ///
    /// # Errors
    /// Those of the input.
    pub(super) fn new(mut input: R) -> io::Result<Script<R>> {
        let lines = u32::from_le_bytes(array(&mut input)?);
        Ok(Script { input, lines, fresh: true, text: Vec::new(), given: 0, failed: None })
    }

    fn next_byte(&mut self) -> io::Result<Option<u8>> {
        loop {
            if let Some(byte) = self.text.get(self.given) {
                self.given += 1;
                return Ok(Some(*byte));
            }
            if self.lines == 0 {
                return Ok(None);
            }
            self.next_token()?;
        }
    }

    fn next_token(&mut self) -> io::Result<()> {
        self.text.clear();
        self.given = 0;
        let [code] = array(&mut self.input)?;
        if code == 0x7F {
            self.lines -= 1;
            self.fresh = true;
            self.text.extend(b"\r\n");
            return Ok(());
        }
        let word = self.word(code)?;
        if !self.fresh {
            self.text.push(b' ');
        }
        self.fresh = false;
        self.text.extend(word.into_bytes());
        Ok(())
    }

    fn word(&mut self, code: u8) -> io::Result<String> {
        Ok(match code {
            0x00 => {
                let number = u32::from_le_bytes(array(&mut self.input)?);
                let keyword = usize::try_from(number).ok().and_then(|number| KEYWORDS.get(number));
                keyword.map_or_else(|| numbered("keyword", number), |keyword| (*keyword).to_owned())
            }
            0x01 => numbered("function", u32::from_le_bytes(array(&mut self.input)?)),
            0x05 => i32::from_le_bytes(array(&mut self.input)?).to_string(),
            0x10 => i64::from_le_bytes(array(&mut self.input)?).to_string(),
            0x20 => f64::from_le_bytes(array(&mut self.input)?).to_string(),
            0x30 | 0x31 | 0x34 | 0x37 => self.string()?,
            0x32 => format!("@{}", self.string()?),
            0x33 => format!("${}", self.string()?),
            0x35 => format!(".{}", self.string()?),
            0x36 => format!("\"{}\"", self.string()?.replace('"', "\"\"")),
            _ => {
                let operator = code.checked_sub(0x40).and_then(|place| OPERATORS.get(usize::from(place)));
                let unknown = || io::Error::new(ErrorKind::InvalidData, "a token that is not known");
                (*operator.ok_or_else(unknown)?).to_owned()
            }
        })
    }

    fn string(&mut self) -> io::Result<String> {
        let count = u32::from_le_bytes(array(&mut self.input)?);
        if count > LONGEST_TEXT {
            return Err(io::Error::new(ErrorKind::InvalidData, "a text that is longer than any"));
        }
        let mut bytes = Vec::new();
        (&mut self.input).take(u64::from(count) * 2).read_to_end(&mut bytes)?;
        if bytes.len() < usize::try_from(count).unwrap_or(0) * 2 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let [low, high, ..] = count.to_le_bytes();
        let (units, _) = bytes.as_chunks_mut::<2>();
        for [first, second] in units {
            *first ^= low;
            *second ^= high;
        }
        Ok(utf16::little(&bytes))
    }
}

fn array<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn numbered(what: &str, number: u32) -> String {
    let mut text = what.to_owned();
    // Writing to a text does not fail.
    let _ = write!(text, "{number}");
    text
}

impl<R: Read> Read for Script<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut failed = self.failed.take();
        let filled = fill(buffer, &mut failed, || self.next_byte());
        self.failed = failed;
        filled
    }
}

const KEYWORDS: [&str; 45] = [
    "",
    "And",
    "Or",
    "Not",
    "If",
    "Then",
    "Else",
    "ElseIf",
    "EndIf",
    "While",
    "WEnd",
    "Do",
    "Until",
    "For",
    "Next",
    "To",
    "Step",
    "In",
    "ExitLoop",
    "ContinueLoop",
    "Select",
    "Case",
    "EndSelect",
    "Switch",
    "EndSwitch",
    "ContinueCase",
    "Dim",
    "ReDim",
    "Local",
    "Global",
    "Const",
    "Static",
    "Func",
    "EndFunc",
    "Return",
    "Exit",
    "ByRef",
    "With",
    "EndWith",
    "True",
    "False",
    "Default",
    "Null",
    "Volatile",
    "Enum",
];

/// From 0x40 on.
const OPERATORS: [&str; 25] = [
    ",", "=", ">", "<", "<>", ">=", "<=", "(", ")", "+", "-", "/", "*", "&", "[", "]", "==", "^", "+=", "-=", "/=",
    "*=", "&=", "?", ":",
];
