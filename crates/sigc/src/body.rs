//! Body signatures: the hexadecimal language of `.ndb`, `.db` and of most subsignatures, read into patterns.
//!
//! | written | read as |
//! |---|---|
//! | `6a`, `6?`, `?a`, `??` | a byte, one with a nibble unknown, any byte |
//! | `*`, `{n}`, `{n-m}`, `{-m}`, `{n-}` | a gap; its maximum 0, written or left out, means any length |
//! | `(6a\|6b)`, `!(6a\|6b)` | alternatives, which may nest and have several lengths; none of them |
//! | `6a[1-4]6b6c6d` | a single byte some bytes before (or after) the rest of its part |
//! | `(B)`, `(L)`, `(W)`, with `!` | borders |
//!
//! A gap cuts a signature into parts, and each part must have two known bytes in succession, or it is malformed. One gap
//! cuts nothing: `{n}` below 128 bytes, as long as no longer or variable gap was written in braces before it.
//!
//! Reading goes in three steps: [`parse`] gives [`Piece`]s, the [`Modifiers`] of a subsignature change them, and
//! [`finish`] checks the parts and makes a [`Pattern`]. Where ClamAV 1.4 refuses sound signatures (alternatives of several
//! lengths after one byte) or never finds them, we do what they say.

use dachs_sigdb::model::{Element, Mark, Pattern};

use crate::cursor::Cursor;
use crate::modifiers::Modifiers;
use crate::number::{self, decimal, digit};
use crate::refused::{Parsed, Refused};

/// Alternatives may be nested this deep.
const DEEPEST: u32 = 15;

/// `[x-y]` may reach this far.
const FARTHEST: u32 = 32;

/// `{n}` from here on is a gap between parts.
const LONG: u32 = 128;

/// Gaps are longer never: the engines of the time count in 31 bits.
const LONGEST: u64 = i32::MAX as u64;

/// One step of a body signature, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// `[x-y]`.
    Anchored {
        /// At least so many bytes.
        min: u32,
        /// At most so many.
        max: u32,
    },
    /// A gap between two parts.
    Cut {
        /// At least so many bytes.
        min: u32,
        /// At most so many; absent for any number.
        max: Option<u32>,
    },
    /// Anything else.
    Element(Element),
    /// A gap of a fixed length inside of a part.
    Skip(u32),
}

/// Reads a body signature with its modifiers. There are two patterns where it is looked for as it is and widened.
///
/// # Errors
/// When it is malformed, or cannot be matched yet.
pub(crate) fn patterns(text: &str, modifiers: Modifiers) -> Parsed<Vec<Pattern>> {
    let pieces = parse(text)?;
    modifiers.variants(pieces).into_iter().map(finish).collect()
}

/// Reads the text of a body signature.
///
/// # Errors
/// When it is malformed.
pub(crate) fn parse(text: &str) -> Parsed<Vec<Piece>> {
    let mut cursor = Cursor::new(text);
    // Most pieces are bytes, of two digits each.
    let mut pieces = Vec::with_capacity(text.len() / 2);
    let mut cut = false;
    loop {
        cursor.pairs(number::byte, |value| pieces.push(Piece::Element(Element::Byte { value, mask: 0xff })));
        let Some(next) = cursor.peek() else { return Ok(pieces) };
        pieces.push(match next {
            b'*' => star(&mut cursor),
            b'{' => brace(&mut cursor, &mut cut)?,
            b'[' => bracket(&mut cursor)?,
            b'(' | b'!' => Piece::Element(group(&mut cursor)?),
            _ => Piece::Element(byte(&mut cursor)?),
        });
    }
}

/// True if the body has exact bytes and nothing else.
pub(crate) fn is_literal(pattern: &Pattern) -> bool {
    pattern.elements.iter().all(|element| matches!(element, Element::Byte { mask: 0xff, .. }))
}

/// True if the body begins with a single byte before `[x-y]`.
pub(crate) fn begins_anchored(text: &str) -> bool {
    text.find('[').is_some_and(|at| at == 2)
}

/// Checks the parts and makes a pattern.
///
/// # Errors
/// When a part is malformed, or a gap can never be filled.
pub(crate) fn finish(pieces: Vec<Piece>) -> Parsed<Pattern> {
    for part in pieces.split(|piece| matches!(piece, Piece::Cut { .. })) {
        check_part(part)?;
    }
    if pieces.iter().any(|piece| matches!(piece, Piece::Cut { min, max: Some(max) } if min > max)) {
        return Err(Refused::unsupported("a gap whose longest length is below its shortest never matches"));
    }
    // In the memory of the pieces, since both are of one size.
    let mut elements: Vec<Element> = pieces.into_iter().map(element).collect();
    elements.dedup_by(|next, last| joins(last, next));
    Ok(Pattern { elements })
}

/// A part needs two known bytes in succession, and `[x-y]` a single byte beside it at the part's end.
fn check_part(part: &[Piece]) -> Parsed<()> {
    let known = part.windows(2).any(|pair| pair.iter().all(is_known));
    if !known {
        return Err(Refused::malformed("a part without two known bytes in succession"));
    }
    let count = part.len();
    let beside = |at: usize| {
        let first = at == 1 && part.first().is_some_and(is_byte);
        let last = at.checked_add(2) == Some(count) && part.last().is_some_and(is_byte);
        first || last
    };
    let anchored = part.iter().enumerate().filter(|(_, piece)| matches!(piece, Piece::Anchored { .. }));
    if anchored.into_iter().any(|(at, _)| !beside(at)) {
        return Err(Refused::malformed("[x-y] must stand beside a single byte at the start or the end of its part"));
    }
    Ok(())
}

fn is_known(piece: &Piece) -> bool {
    matches!(piece, Piece::Element(Element::Byte { mask: 0xff, .. } | Element::Folded(_)))
}

fn is_byte(piece: &Piece) -> bool {
    matches!(piece, Piece::Element(Element::Byte { .. } | Element::Folded(_)))
}

fn element(piece: Piece) -> Element {
    match piece {
        Piece::Anchored { min, max } => Element::Gap { min, max: Some(max) },
        Piece::Cut { min, max } => Element::Gap { min, max },
        Piece::Element(element) => element,
        Piece::Skip(count) => Element::Gap { min: count, max: Some(count) },
    }
}

/// Gaps that follow each other become one: is the next element a part of the last now?
fn joins(last: &mut Element, next: &Element) -> bool {
    let (Element::Gap { min, max }, Element::Gap { min: more, max: most }) = (last, next) else { return false };
    *min = min.saturating_add(*more);
    *max = max.zip(*most).map(|(max, most)| max.saturating_add(most));
    true
}

fn star(cursor: &mut Cursor<'_>) -> Piece {
    cursor.bump();
    Piece::Cut { min: 0, max: None }
}

/// `{n}`, `{n-m}`, `{-m}`, `{n-}`.
fn brace(cursor: &mut Cursor<'_>, cut: &mut bool) -> Parsed<Piece> {
    cursor.bump();
    let inside = cursor.until('}').ok_or_else(|| Refused::malformed("a { without its }"))?;
    let Some((min, max)) = inside.split_once('-') else {
        let count = length(inside)?;
        if (1..LONG).contains(&count) && !*cut {
            return Ok(Piece::Skip(count));
        }
        *cut = true;
        return Ok(Piece::Cut { min: count, max: Some(count).filter(|count| *count > 0) });
    };
    *cut = true;
    Ok(Piece::Cut { min: length(min)?, max: Some(length(max)?).filter(|max| *max > 0) })
}

/// `[x-y]` or `[x]`.
fn bracket(cursor: &mut Cursor<'_>) -> Parsed<Piece> {
    cursor.bump();
    let inside = cursor.until(']').ok_or_else(|| Refused::malformed("a [ without its ]"))?;
    let (min, max) = inside.split_once('-').unwrap_or((inside, inside));
    if min.is_empty() || max.is_empty() {
        return Err(Refused::malformed(format!("[{inside}] needs two numbers")));
    }
    let (min, max) = (length(min)?, length(max)?);
    if min > max || max > FARTHEST {
        return Err(Refused::malformed(format!("[{inside}] must be a range up to {FARTHEST}")));
    }
    Ok(Piece::Anchored { min, max })
}

fn length(text: &str) -> Parsed<u32> {
    let length = decimal(text, "the length of a gap")?;
    let fitting = u32::try_from(length).ok().filter(|_| length <= LONGEST);
    fitting.ok_or_else(|| Refused::malformed(format!("a gap of {text} bytes is too long")))
}

/// A border or alternatives, possibly negated.
fn group(cursor: &mut Cursor<'_>) -> Parsed<Element> {
    let negated = cursor.eat("!");
    for (text, mark) in [("(B)", Mark::Boundary), ("(L)", Mark::Line), ("(W)", Mark::Word)] {
        if cursor.eat(text) {
            return Ok(Element::Mark { mark, negated });
        }
    }
    if !cursor.eat("(") {
        return Err(Refused::malformed("a ! that negates nothing"));
    }
    let options = options(cursor, 0)?;
    if negated && !is_negatable(&options) {
        return Err(Refused::malformed("only alternatives of known bytes and of one length can be negated"));
    }
    Ok(Element::Alternatives { options, negated })
}

/// What stands between an opening parenthesis, already taken, and its closing one.
fn options(cursor: &mut Cursor<'_>, depth: u32) -> Parsed<Vec<Vec<Element>>> {
    if depth > DEEPEST {
        return Err(Refused::malformed(format!("alternatives nested deeper than {DEEPEST}")));
    }
    let mut options = Vec::new();
    let mut option = Vec::new();
    loop {
        match cursor.peek() {
            None => return Err(Refused::malformed("a ( without its )")),
            Some(b'(') => {
                cursor.bump();
                option.push(Element::Alternatives { options: self::options(cursor, depth + 1)?, negated: false });
            }
            Some(end @ (b'|' | b')')) => {
                cursor.bump();
                if options.is_empty() && option.is_empty() {
                    return Err(Refused::malformed("alternatives that begin with nothing"));
                }
                options.push(std::mem::take(&mut option));
                if end == b')' {
                    return Ok(options);
                }
            }
            Some(_) => option.push(byte(cursor)?),
        }
    }
}

fn is_negatable(options: &[Vec<Element>]) -> bool {
    let length = options.first().map_or(0, Vec::len);
    let known = |element: &Element| matches!(element, Element::Byte { mask: 0xff, .. });
    length > 0 && options.iter().all(|option| option.len() == length && option.iter().all(known))
}

/// Two digits, each of which may be `?`.
fn byte(cursor: &mut Cursor<'_>) -> Parsed<Element> {
    let (high_value, high_mask) = nibble(cursor)?;
    let (low_value, low_mask) = nibble(cursor)?;
    Ok(Element::Byte { value: high_value << 4 | low_value, mask: high_mask << 4 | low_mask })
}

fn nibble(cursor: &mut Cursor<'_>) -> Parsed<(u8, u8)> {
    match cursor.peek() {
        None => Err(Refused::malformed("an odd number of hexadecimal digits")),
        Some(b'?') => {
            cursor.bump();
            Ok((0, 0))
        }
        Some(next) => {
            let value = digit(next)?;
            cursor.bump();
            Ok((value, 0xf))
        }
    }
}

#[cfg(test)]
mod tests;
