//! What may follow a subsignature's body after `::`, in any order and combination.
//!
//! * `i`: letters match in either case, in alternatives too; nibbles stay as they are.
//! * `w`: each byte is followed by a zero byte, alternatives and unknown bytes included; gaps stay as they are.
//! * `a`: also without `w`; alone it says nothing.
//! * `f`: only as a whole word, which is `(W)` at both ends.

use dachs_sigdb::model::{Element, Mark};

use crate::body::Piece;
use crate::refused::{Parsed, Refused};

/// The modifiers of one subsignature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Modifiers {
    /// `a`
    pub(crate) ascii: bool,
    /// `f`
    pub(crate) full_word: bool,
    /// `i`
    pub(crate) no_case: bool,
    /// `w`
    pub(crate) wide: bool,
}

impl Modifiers {
    /// Reads the letters.
    ///
    /// # Errors
    /// When one of them is none of the four.
    pub(crate) fn parse(text: &str) -> Parsed<Modifiers> {
        let mut modifiers = Modifiers::default();
        for letter in text.chars() {
            match letter {
                'a' => modifiers.ascii = true,
                'f' => modifiers.full_word = true,
                'i' => modifiers.no_case = true,
                'w' => modifiers.wide = true,
                other => return Err(Refused::malformed(format!("'{other}' is not a modifier (i, w, a or f)"))),
            }
        }
        Ok(modifiers)
    }

    /// The body in the forms in which it is looked for.
    pub(crate) fn variants(self, mut body: Vec<Piece>) -> Vec<Vec<Piece>> {
        if self.no_case {
            body.iter_mut().for_each(fold_piece);
        }
        if self.full_word {
            body.insert(0, word());
            body.push(word());
        }
        let mut variants = Vec::with_capacity(2);
        if self.wide {
            variants.push(widen(&body));
        }
        if self.ascii || !self.wide {
            variants.push(body);
        }
        variants
    }
}

fn word() -> Piece {
    Piece::Element(Element::Mark { mark: Mark::Word, negated: false })
}

fn fold_piece(piece: &mut Piece) {
    if let Piece::Element(element) = piece {
        fold(element);
    }
}

/// Letters match in either case; bytes that are known by half stay as they are.
fn fold(element: &mut Element) {
    match element {
        Element::Byte { value, mask: 0xff } if value.is_ascii_alphabetic() => {
            *element = Element::Folded(value.to_ascii_lowercase());
        }
        Element::Alternatives { options, .. } => options.iter_mut().flatten().for_each(fold),
        _ => {}
    }
}

/// A zero byte after each byte. `[x-y]` becomes a gap between parts, and the border of a word at either end one of 16-bit
/// characters.
fn widen(pieces: &[Piece]) -> Vec<Piece> {
    let mut wide = Vec::with_capacity(pieces.len().saturating_mul(2));
    for piece in pieces {
        match piece {
            Piece::Element(element) => wide.extend(widen_element(element).into_iter().map(Piece::Element)),
            Piece::Anchored { min, max } => wide.push(Piece::Cut { min: *min, max: Some(*max) }),
            other => wide.push(other.clone()),
        }
    }
    wide.first_mut().into_iter().for_each(widen_border);
    wide.last_mut().into_iter().for_each(widen_border);
    wide
}

fn widen_border(piece: &mut Piece) {
    if let Piece::Element(Element::Mark { mark: mark @ Mark::Word, .. }) = piece {
        *mark = Mark::WideWord;
    }
}

fn widen_element(element: &Element) -> Vec<Element> {
    let zero = Element::Byte { value: 0, mask: 0xff };
    match element {
        Element::Alternatives { options, negated } => {
            let options = options.iter().map(|option| option.iter().flat_map(widen_element).collect()).collect();
            vec![Element::Alternatives { options, negated: *negated }]
        }
        Element::Mark { .. } => vec![element.clone()],
        _ => vec![element.clone(), zero],
    }
}
