//! What a pattern is: the language between the readers of signatures and the matcher.
//!
//! A pattern is a list of [`Element`]s that must follow each other. It is a superset of what ClamAV's body signatures can
//! say; the readers of texts (`dachs-sigc`) build it and check what their format allows, the matcher compiles it.

use crate::code;
use crate::confirm::Way;

/// A byte pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pattern {
    /// What must follow each other.
    pub elements: Vec<Element>,
}

impl Pattern {
    /// Writes bytes that tell it from every other pattern: those of two patterns are the same only where the two match the same.
    pub fn write(&self, out: &mut Vec<u8>) {
        code::encode(&self.elements, Way::On, out);
    }
}

/// One step of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Element {
    /// One of several alternatives, possibly of different lengths, possibly nested. `negated`: none of them, which is
    /// allowed where all have the same fixed length, and consumes that length.
    Alternatives {
        /// The alternatives.
        options: Vec<Vec<Element>>,
        /// True for "none of them".
        negated: bool,
    },
    /// A byte `b` with `b & mask == value`: an exact byte, a nibble, or any byte (`mask` 0).
    Byte {
        /// The bits that must be there.
        value: u8,
        /// The bits that count.
        mask: u8,
    },
    /// An ASCII letter in either case; holds the lower-case one.
    Folded(u8),
    /// Between `min` and `max` bytes of any value; `max` absent for any number. A gap of a fixed length has `min == max`.
    Gap {
        /// At least so many.
        min: u32,
        /// At most so many.
        max: Option<u32>,
    },
    /// A border. At the start or the end of a pattern it consumes nothing; in its middle it consumes what the border is
    /// made of.
    Mark {
        /// Which border.
        mark: Mark,
        /// True for "not a border".
        negated: bool,
    },
}

/// A border, as in ClamAV's `(B)`, `(L)` and `(W)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mark {
    /// A word boundary made of blanks and punctuation.
    Boundary,
    /// The border of a line.
    Line,
    /// A byte that is not an ASCII letter or digit.
    Word,
    /// The same in 16-bit characters: no ASCII letter or digit that is followed by a zero byte. The object's end cuts
    /// characters: half a letter is a letter behind a match, and none before it. At the ends of a pattern only; in its
    /// middle it is [`Mark::Word`].
    WideWord,
}

/// How many bytes the elements consume, if that is one number.
pub(crate) fn fixed_length(elements: &[Element]) -> Option<usize> {
    elements.iter().try_fold(0_usize, |sum, element| sum.checked_add(fixed_length_of(element)?))
}

fn fixed_length_of(element: &Element) -> Option<usize> {
    match element {
        Element::Byte { .. } | Element::Folded(_) => Some(1),
        Element::Gap { min, max } => (Some(*min) == *max).then_some(*min as usize),
        Element::Mark { mark, negated } => (*mark != Mark::Line || *negated).then_some(1),
        Element::Alternatives { options, .. } => {
            let first = fixed_length(options.first()?)?;
            options.iter().all(|option| fixed_length(option) == Some(first)).then_some(first)
        }
    }
}
