//! The pieces of RTF: braces, control words and symbols, text (RTF 1.9.1, "RTF Syntax").

use std::io::BufRead;

use crate::stream::SourceRead;

/// Names longer than this are known to nobody; the rest of them is passed over.
const LONGEST: usize = 32;

/// A piece.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token {
    Open,
    Close,
    Word(Word),
    /// `\'` with the two bytes behind it, which need not be hex digits.
    Quoted,
    /// Another control symbol.
    Symbol(u8),
    /// A byte of text.
    Byte(u8),
    End,
}

/// A control word.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    letters: [u8; LONGEST],
    length: usize,
    pub(super) number: Option<i64>,
}

impl Word {
    /// Its letters; empty if there are too many.
    pub(super) fn name(&self) -> &[u8] {
        self.letters.get(..self.length).unwrap_or(&[])
    }
}

/// Reads pieces.
pub(super) struct Lexer {
    pub(super) input: SourceRead,
    /// Text comes as [`Token::Byte`]; otherwise it is passed over.
    pub(super) text: bool,
}

impl Lexer {
    /// The next piece.
    pub(super) fn next(&mut self) -> Token {
        loop {
            return match self.byte() {
                None => Token::End,
                Some(b'{') => Token::Open,
                Some(b'}') => Token::Close,
                Some(b'\\') => self.control(),
                Some(byte) if self.text => Token::Byte(byte),
                Some(_) => {
                    self.skip_text();
                    continue;
                }
            };
        }
    }

    /// How many bytes follow `\bin`, if they are there. More than there are mean none.
    pub(super) fn binary(&self, word: &Word, end: u64) -> Option<u64> {
        let count = word.number.filter(|_| word.name() == b"bin")?;
        let count = u64::try_from(count).unwrap_or(0);
        Some(if count > end.saturating_sub(self.input.position()) { 0 } else { count })
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.input.consume(1);
        Some(byte)
    }

    fn peek(&mut self) -> Option<u8> {
        // A `SourceRead` gives no errors.
        self.input.fill_buf().ok()?.first().copied()
    }

    fn skip_text(&mut self) {
        while let Ok(bytes) = self.input.fill_buf() {
            let special = bytes.iter().position(|byte| matches!(byte, b'{' | b'}' | b'\\'));
            let count = special.unwrap_or(bytes.len());
            let done = special.is_some() || bytes.is_empty();
            self.input.consume(count);
            if done {
                return;
            }
        }
    }

    fn control(&mut self) -> Token {
        match self.peek() {
            None => Token::End,
            Some(byte) if byte.is_ascii_alphabetic() => Token::Word(self.word()),
            Some(byte) => {
                self.input.consume(1);
                if byte != b'\'' {
                    return Token::Symbol(byte);
                }
                self.byte();
                self.byte();
                Token::Quoted
            }
        }
    }

    fn word(&mut self) -> Word {
        let mut word = Word::default();
        while let Some(letter) = self.peek().filter(u8::is_ascii_alphabetic) {
            if let Some(place) = word.letters.get_mut(word.length) {
                *place = letter;
            }
            word.length = word.length.saturating_add(1);
            self.input.consume(1);
        }
        let negative = self.peek() == Some(b'-');
        if negative {
            self.input.consume(1);
        }
        while let Some(digit) = self.peek().filter(u8::is_ascii_digit) {
            let before = word.number.unwrap_or(0);
            word.number = Some(before.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
            self.input.consume(1);
        }
        if negative {
            word.number = word.number.map(|number| -number);
        }
        if self.peek() == Some(b' ') {
            self.input.consume(1);
        }
        word
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn pieces_are_told_apart() {
        let text = br"{\rtf1\b-12 x\'41\*\{\verylongcontrolwordthatnobodyeverknew0}\";
        let input = SourceRead::new(Arc::new(dachs_base::Memory::new(*text)));
        let mut lexer = Lexer { input, text: true };
        let mut shown = Vec::new();
        loop {
            shown.push(match lexer.next() {
                Token::End => break,
                Token::Word(word) => format!("{}:{:?}", String::from_utf8_lossy(word.name()), word.number),
                token => format!("{token:?}"),
            });
        }
        let expected = ["Open", "rtf:Some(1)", "b:Some(-12)", "Byte(120)", "Quoted", "Symbol(42)", "Symbol(123)"];
        assert_eq!(shown[..7], expected);
        assert_eq!(shown[7..], [":Some(0)", "Close"]);
    }
}
