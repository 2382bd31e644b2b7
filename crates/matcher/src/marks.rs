//! The borders `(B)`, `(L)` and `(W)`: which bytes they are made of.
//!
//! At the start or the end of a pattern a mark looks at the byte beside the match and consumes nothing; the start and the
//! end of the object count as borders. In the middle it consumes one byte, a line's border also CR LF.

use crate::pattern::{Element, Mark};

/// On which side of the match a zero-width mark looks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Before its start.
    Left,
    /// Behind its end.
    Right,
}

/// A mark and whether it is negated.
pub(crate) type Border = (Mark, bool);

/// The zero-width marks before, the elements between, the zero-width marks after.
pub(crate) fn split(elements: &[Element]) -> (Vec<Border>, &[Element], Vec<Border>) {
    let is_mark = |element: &Element| matches!(element, Element::Mark { .. });
    let before = elements.iter().take_while(|element| is_mark(element)).count();
    let (head, rest) = elements.split_at(before);
    let after = rest.iter().rev().take_while(|element| is_mark(element)).count();
    let (body, tail) = rest.split_at(rest.len() - after);
    (borders(head), body, borders(tail))
}

fn borders(elements: &[Element]) -> Vec<Border> {
    let border = |element: &Element| match element {
        Element::Mark { mark, negated } => Some((*mark, *negated)),
        _ => None,
    };
    elements.iter().filter_map(border).collect()
}

/// Does the zero-width mark hold beside position `at` of the whole object `bytes`?
pub(crate) fn holds(border: Border, side: Side, bytes: &[u8], at: usize) -> bool {
    let (mark, negated) = border;
    let is_border = match side {
        _ if mark == Mark::WideWord => !is_wide_letter(side, bytes, at),
        Side::Left => at.checked_sub(1).and_then(|before| bytes.get(before)).is_none_or(|b| is_left(mark, *b)),
        Side::Right => bytes.get(at).is_none_or(|b| is_right(mark, *b, bytes.get(at.saturating_add(1)).copied())),
    };
    is_border != negated
}

/// How many bytes a mark in the middle of a pattern can consume at `at`.
pub(crate) fn consume(mark: Mark, negated: bool, bytes: &[u8], at: usize) -> [Option<usize>; 2] {
    let Some(&byte) = bytes.get(at) else { return [None, None] };
    let next = bytes.get(at.saturating_add(1)).copied();
    match (mark, negated) {
        (Mark::Line, false) => [(byte == b'\n').then_some(1), is_crlf(byte, next).then_some(2)],
        (Mark::Line, true) => [(byte != b'\n' && !is_crlf(byte, next)).then_some(1), None],
        _ => [((is_left(mark, byte) || is_right(mark, byte, None)) != negated).then_some(1), None],
    }
}

/// Does a letter or digit of 16 bits stand beside position `at`?
fn is_wide_letter(side: Side, bytes: &[u8], at: usize) -> bool {
    let letter = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphanumeric);
    match side {
        Side::Left => at.checked_sub(2).is_some_and(letter) && bytes.get(at.saturating_sub(1)) == Some(&0),
        Side::Right => letter(at) && bytes.get(at.saturating_add(1)).is_none_or(|high| *high == 0),
    }
}

fn is_left(mark: Mark, byte: u8) -> bool {
    match mark {
        Mark::Boundary => b" -/_.<@".contains(&byte),
        Mark::Line => byte == b'\n',
        Mark::Word | Mark::WideWord => !byte.is_ascii_alphanumeric(),
    }
}

fn is_right(mark: Mark, byte: u8, next: Option<u8>) -> bool {
    match mark {
        Mark::Boundary => b"\n\r \"'-/=>_".contains(&byte),
        Mark::Line => byte == b'\n' || is_crlf(byte, next),
        Mark::Word | Mark::WideWord => !byte.is_ascii_alphanumeric(),
    }
}

fn is_crlf(byte: u8, next: Option<u8>) -> bool {
    byte == b'\r' && next == Some(b'\n')
}
