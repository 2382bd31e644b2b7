//! What scripts hide in strings: calls of `dF`, `eval` and `unescape`, and packed functions.
//!
//! Each pass goes through the tokens once and writes a new list. What `eval` gives is not searched for further calls.

use std::io;

use super::lexer::Lexer;
use super::text::percent_decoded;
use super::tokens::{Kind, Token, Tokens};

/// Tokens in which the end of a packed function's body is looked for.
const BODY: usize = 2000;
/// Words of a packed text.
const MOST_WORDS: usize = 100_000;

/// Replaces what is hidden by what it says.
///
/// # Errors
/// When there is no memory for that.
pub(super) fn unfold(tokens: &mut Tokens, lexer: &mut Lexer) -> io::Result<()> {
    shifted(tokens, lexer)?;
    pass(tokens, |tokens, at| packed(tokens, lexer, at))?;
    pass(tokens, unescaped)?;
    pass(tokens, |tokens, at| evaluated(tokens, lexer, at))
}

/// What stands for some tokens: how many, and the others.
type Change = Option<(usize, Vec<Token>)>;

/// Goes through all tokens and puts in what `change` says of each.
fn pass(tokens: &mut Tokens, mut change: impl FnMut(&mut Tokens, usize) -> io::Result<Change>) -> io::Result<()> {
    let (mut made, mut at) = (Vec::new(), 0);
    while let Some(token) = tokens.list.get(at).copied() {
        match change(tokens, at)? {
            Some((count, others)) => {
                made.extend(others);
                at += count.max(1);
            }
            None => {
                made.push(token);
                at += 1;
            }
        }
    }
    tokens.list = made;
    Ok(())
}

/// The string in a call of this function: `name("…"`.
fn argument(tokens: &Tokens, at: usize, name: &[u8]) -> Option<Token> {
    let own = at.checked_sub(1).is_none_or(|before| !tokens.is_sign(before, b'.'));
    let call = own && tokens.is_word(at, name) && tokens.is_sign(at + 1, b'(');
    if call { tokens.literal(at + 2, Kind::Text) } else { None }
}

/// What a text says, as tokens that are not in the list.
fn read(tokens: &mut Tokens, lexer: &mut Lexer, text: &[u8]) -> io::Result<Vec<Token>> {
    let list = std::mem::take(&mut tokens.list);
    let done = lexer.feed(text, false, tokens);
    let made = std::mem::replace(&mut tokens.list, list);
    done.map(|()| made)
}

/// `unescape("%41")` is `"A"`. Observed: the token behind the string is taken for the closing one.
fn unescaped(tokens: &mut Tokens, at: usize) -> io::Result<Change> {
    let Some(text) = argument(tokens, at, b"unescape") else { return Ok(None) };
    let plain = percent_decoded(tokens.bytes(&text));
    Ok(Some((4, vec![tokens.make(Kind::Text, &plain)?])))
}

/// `eval("a;")` is `a;`, and takes a semicolon with it.
fn evaluated(tokens: &mut Tokens, lexer: &mut Lexer, at: usize) -> io::Result<Change> {
    let Some(text) = argument(tokens, at, b"eval").filter(|_| tokens.is_sign(at + 3, b')')) else { return Ok(None) };
    let text = tokens.bytes(&text).to_vec();
    let made = read(tokens, lexer, &text)?;
    Ok(Some((if tokens.is_sign(at + 4, b';') { 5 } else { 4 }, made)))
}

/// `dF("BCD;1")`: all characters are shifted by the last. What they say is put behind the script (observed).
fn shifted(tokens: &mut Tokens, lexer: &mut Lexer) -> io::Result<()> {
    let mut texts = Vec::new();
    pass(tokens, |tokens, at| {
        let Some(text) = argument(tokens, at, b"dF").filter(|text| !tokens.bytes(text).is_empty()) else {
            return Ok(None);
        };
        texts.push(text);
        Ok(Some((if tokens.is_sign(at + 4, b';') { 5 } else { 4 }, Vec::new())))
    })?;
    for text in texts {
        let Some((key, text)) = tokens.bytes(&text).split_last() else { continue };
        let shift = key.wrapping_sub(b'0');
        let shifted: Vec<u8> = percent_decoded(text).iter().map(|byte| byte.wrapping_sub(shift)).collect();
        let made = read(tokens, lexer, &percent_decoded(&shifted))?;
        tokens.list.extend(made);
    }
    Ok(())
}

/// `(function(p,a,c,k,e,d){…}('0 1=2;',62,3,'var|a|b'.split('|'),0,{}))`: the arguments become what they say.
fn packed(tokens: &mut Tokens, lexer: &mut Lexer, at: usize) -> io::Result<Change> {
    let Some(arguments) = body_of_packed(tokens, at).filter(|arguments| is_packed(tokens, *arguments)) else {
        return Ok(None);
    };
    let literal =
        |offset: usize, kind| tokens.literal(arguments + offset, kind).map(|token| tokens.bytes(&token).to_vec());
    let (Some(text), Some(base), Some(words)) =
        (literal(0, Kind::Text), literal(2, Kind::Number), literal(6, Kind::Text))
    else {
        return Ok(None);
    };
    let separator = literal(10, Kind::Text).and_then(|text| text.first().copied()).unwrap_or(b'|');
    let base = std::str::from_utf8(&base).ok().and_then(|base| base.parse().ok()).unwrap_or(10);
    let words: Vec<&[u8]> = words.split(|byte| *byte == separator).take(MOST_WORDS).collect();
    let plain = put_in(tokens, &text, base, &words)?;
    let mut made = tokens.list.get(at..arguments).unwrap_or(&[]).to_vec();
    made.extend(read(tokens, lexer, &plain)?);
    Ok(Some((arguments + 17 - at, made)))
}

/// A packed text with its words put in.
fn put_in(tokens: &mut Tokens, text: &[u8], base: usize, words: &[&[u8]]) -> io::Result<Vec<u8>> {
    let (mut plain, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let length = rest.iter().position(|byte| !is_digit(*byte)).unwrap_or(rest.len());
        let (digits, behind) = rest.split_at(length);
        let word = value(digits, base).and_then(|value| words.get(value)).filter(|word| !word.is_empty());
        plain.extend_from_slice(word.copied().unwrap_or(digits));
        let between = behind.iter().position(|byte| is_digit(*byte)).unwrap_or(behind.len());
        let (between, behind) = behind.split_at(between);
        plain.extend_from_slice(between);
        tokens.hold(plain.len())?;
        rest = behind;
    }
    Ok(plain)
}

/// Where the arguments of a packed function begin, if there is one here.
fn body_of_packed(tokens: &Tokens, at: usize) -> Option<usize> {
    let named = [b"p", b"a", b"c", b"k", b"e"].iter().enumerate().all(|(index, name)| {
        let before = if index == 0 { b'(' } else { b',' };
        tokens.is_sign(at + 1 + 2 * index, before) && tokens.is_word(at + 2 + 2 * index, *name)
    });
    if !named || !tokens.is_word(at, b"function") {
        return None;
    }
    let mut depth = 0_u32;
    for place in at..at.saturating_add(BODY).min(tokens.list.len()) {
        match tokens.list.get(place)?.kind {
            Kind::Sign(b'{') => depth += 1,
            Kind::Sign(b'}') if depth > 1 => depth -= 1,
            Kind::Sign(b'}') => return tokens.is_sign(place + 1, b'(').then_some(place + 2),
            _ => {}
        }
    }
    None
}

/// True if these are `"…",62,3,"…".split("|"),0,{}`.
fn is_packed(tokens: &Tokens, at: usize) -> bool {
    let signs: [(usize, u8); 10] = [
        (1, b','),
        (3, b','),
        (5, b','),
        (7, b'.'),
        (9, b'('),
        (11, b')'),
        (12, b','),
        (14, b','),
        (15, b'{'),
        (16, b'}'),
    ];
    signs.iter().all(|(offset, sign)| tokens.is_sign(at + offset, *sign)) && tokens.is_word(at + 8, b"split")
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

/// A number of a base up to 62: digits, small letters, large ones.
fn value(digits: &[u8], base: usize) -> Option<usize> {
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' => Some(usize::from(byte - b'0')),
        b'a'..=b'z' => Some(usize::from(byte - b'a') + 10),
        b'A'..=b'Z' => Some(usize::from(byte - b'A') + 36),
        _ => None,
    };
    digits
        .iter()
        .try_fold(0_usize, |value, byte| {
            value.checked_mul(base)?.checked_add(digit(byte).filter(|digit| *digit < base)?)
        })
        .filter(|_| !digits.is_empty())
}
