//! Words, numbers, strings and signs. Everything else only separates them.
//!
//! Regular expressions are not told from divisions. A word or number that reaches the end of a text is not complete: the
//! next text goes on with it, and if there is none, it is lost.

use std::io;

use super::number;
use super::text::unescaped;
use super::tokens::Tokens;

/// Signs that are kept.
const SIGNS: &[u8] = b"(){}[].;,+<>-*%&|^!~?:=/";

/// A longer end of a text is not kept for the next.
const LONGEST: usize = 1024;

/// Reads one text after the other.
#[derive(Default)]
pub(super) struct Lexer {
    /// The unfinished end of the last text.
    pending: Vec<u8>,
}

impl Lexer {
    /// Reads a text. `closes` says that an unfinished string ends with it.
    ///
    /// # Errors
    /// When there is no memory for the tokens.
    pub(super) fn feed(&mut self, text: &[u8], closes: bool, tokens: &mut Tokens) -> io::Result<()> {
        let pending = std::mem::take(&mut self.pending);
        let kept = if pending.len() <= LONGEST { pending.as_slice() } else { &[] };
        let joined = [kept, text].concat();
        let mut rest = joined.as_slice();
        while let Some(first) = rest.first() {
            let length = match first {
                _ if rest.starts_with(b"//") => line_comment(rest),
                _ if rest.starts_with(b"/*") => block_comment(rest),
                b'"' | b'\'' => string(rest, *first, closes, tokens)?,
                b'0'..=b'9' => figure(rest, tokens)?,
                _ if is_word(*first) => word(rest, tokens)?,
                sign => {
                    if SIGNS.contains(sign) {
                        tokens.sign(*sign)?;
                    }
                    Some(1)
                }
            };
            let Some(length) = length else { break };
            rest = rest.get(length..).unwrap_or(&[]);
        }
        self.pending = rest.to_vec();
        Ok(())
    }
}

/// Observed: up to the next white space, not to the end of the line.
fn line_comment(rest: &[u8]) -> Option<usize> {
    Some(rest.iter().position(|byte| matches!(byte, b'\t'..=b'\r' | b' ')).unwrap_or(rest.len()))
}

fn block_comment(rest: &[u8]) -> Option<usize> {
    let inside = rest.get(2..).unwrap_or(&[]);
    memchr::memmem::find(inside, b"*/").map(|at| at.saturating_add(4))
}

/// Up to the quote that began it; a backslash takes the next byte with it.
fn string(rest: &[u8], quote: u8, closes: bool, tokens: &mut Tokens) -> io::Result<Option<usize>> {
    let mut at = 1;
    loop {
        match rest.get(at) {
            Some(b'\\') => at += 2,
            Some(byte) if *byte == quote => break,
            Some(_) => at += 1,
            None if closes => break,
            None => return Ok(None),
        }
    }
    let inside = rest.get(1..at.min(rest.len())).unwrap_or(&[]);
    tokens.text(&unescaped(inside))?;
    Ok(Some(at.saturating_add(1).min(rest.len())))
}

fn figure(rest: &[u8], tokens: &mut Tokens) -> io::Result<Option<usize>> {
    let length = number::length(rest);
    match rest.get(..length) {
        Some(figure) if length < rest.len() => tokens.number(number::written(figure).as_bytes())?,
        _ => return Ok(None),
    }
    Ok(Some(length))
}

fn word(rest: &[u8], tokens: &mut Tokens) -> io::Result<Option<usize>> {
    let Some(length) = rest.iter().position(|byte| !is_word(*byte)) else { return Ok(None) };
    tokens.word(rest.get(..length).unwrap_or(&[]))?;
    Ok(Some(length))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$')
}
