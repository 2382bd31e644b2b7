//! Decodes the hex digits of a destination as Word does, whatever stands between them.

use std::collections::HashSet;
use std::io::{self, ErrorKind, Read};
use std::sync::LazyLock;

use dachs_base::Budget;

use super::lexer::{Lexer, Token, Word};

/// Control words that begin another destination (RTF 1.9.1, appendix B), a line each.
static DESTINATIONS: LazyLock<HashSet<&[u8]>> =
    LazyLock::new(|| include_str!("destinations.txt").lines().map(str::as_bytes).collect());

/// Pieces between two looks at the clock.
const CLOCK: u32 = 1 << 12;

/// How groups inside the digits that begin with `\*` and an unknown word are read. Programs differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Their digits count.
    Stars,
    /// They do not.
    NoStars,
}

/// Gives the bytes of one destination.
pub(super) struct Hex {
    lexer: Lexer,
    budget: Budget,
    reading: Reading,
    /// Where the source ends.
    end: u64,
    /// Groups that are open inside the destination.
    level: u64,
    /// The group whose text belongs to another destination.
    foreign: Option<u64>,
    /// The first digit of a byte.
    digit: Option<u8>,
    /// Bytes of `\bin` that are still to come.
    binary: u64,
    steps: u32,
    done: bool,
}

impl Hex {
    /// Decodes from the position of the lexer, behind the control word of the destination.
    pub(super) fn new(lexer: Lexer, end: u64, reading: Reading, budget: &Budget) -> Hex {
        let lexer = Lexer { text: true, ..lexer };
        Hex {
            lexer,
            budget: budget.clone(),
            reading,
            end,
            level: 0,
            foreign: None,
            digit: None,
            binary: 0,
            steps: 0,
            done: false,
        }
    }

    /// The next byte.
    fn next(&mut self) -> io::Result<Option<u8>> {
        while !self.done {
            self.steps = self.steps.wrapping_add(1);
            if self.steps.is_multiple_of(CLOCK) && self.budget.check_time().is_err() {
                return Err(ErrorKind::TimedOut.into());
            }
            if self.binary > 0 {
                self.binary -= 1;
                return Ok(self.lexer.byte());
            }
            match self.lexer.next() {
                Token::End => self.done = true,
                Token::Open => self.level = self.level.saturating_add(1),
                Token::Close => self.close(),
                Token::Word(word) => self.word(&word),
                // Word forgets a lone first digit here.
                Token::Quoted => self.digit = None,
                Token::Symbol(b'*') if self.reading == Reading::NoStars && self.level > 0 => self.enter_foreign(),
                Token::Symbol(_) => {}
                Token::Byte(byte) => {
                    if let Some(byte) = self.digit(byte) {
                        return Ok(Some(byte));
                    }
                }
            }
        }
        Ok(None)
    }

    fn close(&mut self) {
        if self.foreign == Some(self.level) {
            self.foreign = None;
        }
        match self.level.checked_sub(1) {
            Some(level) => self.level = level,
            None => self.done = true,
        }
    }

    fn word(&mut self, word: &Word) {
        if let Some(count) = self.lexer.binary(word, self.end) {
            match self.foreign {
                None => self.binary = count,
                Some(_) => self.lexer.input.go_to(self.lexer.input.position().saturating_add(count)),
            }
        } else if DESTINATIONS.contains(word.name()) {
            match self.level {
                0 => self.done = true,
                _ => self.enter_foreign(),
            }
        }
    }

    fn enter_foreign(&mut self) {
        self.foreign.get_or_insert(self.level);
    }

    fn digit(&mut self, byte: u8) -> Option<u8> {
        if self.foreign.is_some() {
            return None;
        }
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            _ => return None,
        };
        match self.digit.take() {
            Some(first) => Some(first << 4 | digit),
            None => {
                self.digit = Some(digit);
                None
            }
        }
    }
}

impl Read for Hex {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut count = 0;
        for place in buffer.iter_mut() {
            let Some(byte) = self.next()? else { break };
            *place = byte;
            count += 1;
        }
        Ok(count)
    }
}
