//! Collecting patterns into a set.

use std::fmt;

use crate::code;
use crate::pattern::{Element, Pattern, fixed_length};

/// What a set's bytes begin with.
pub(crate) const MAGIC: [u8; 8] = *b"dachsPat";

/// Collects the patterns of one set.
#[derive(Debug, Default)]
pub struct Builder {
    codes: Vec<Vec<u8>>,
}

/// Why a pattern cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// A folded element that is no lower-case ASCII letter, or a byte's value with bits outside its mask.
    Contradiction,
    /// Alternatives nested deeper than 32.
    Deep,
    /// A stretch between two long or open gaps holds no two bytes in succession that are known.
    NoAnchor,
    /// It starts or ends with a gap of any length.
    OpenEnd,
    /// It, or a stretch between two long or open gaps, is longer than the matcher's window allows.
    TooLong,
    /// More patterns than a set can number.
    TooMany,
    /// Negated alternatives of unequal or no fixed length.
    UnequalNegation,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Contradiction => "an element contradicts itself",
            Refusal::Deep => "alternatives are nested deeper than 32",
            Refusal::NoAnchor => "a part has no two known bytes in succession",
            Refusal::OpenEnd => "it starts or ends with a gap of any length",
            Refusal::TooLong => "a part is too long",
            Refusal::TooMany => "too many patterns in one set",
            Refusal::UnequalNegation => "negated alternatives have unequal lengths",
        })
    }
}

impl std::error::Error for Refusal {}

impl Builder {
    /// An empty set.
    #[must_use]
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Adds a pattern and gives its number: 0, 1, 2…
    ///
    /// # Errors
    /// [`Refusal`] says why the pattern cannot be taken; the set stays as it was.
    pub fn add(&mut self, pattern: &Pattern) -> Result<u32, Refusal> {
        check(&pattern.elements, code::DEPTH)?;
        let number = u32::try_from(self.codes.len()).map_err(|_| Refusal::TooMany)?;
        let mut out = Vec::new();
        code::encode(&pattern.elements, &mut out);
        self.codes.push(out);
        Ok(number)
    }

    /// The set as bytes for [`crate::Patterns::new`]: flat, position-independent, little-endian, and the same for the
    /// same patterns in the same order.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        for code in &self.codes {
            out.extend(u32::try_from(code.len()).unwrap_or(u32::MAX).to_le_bytes());
            out.extend_from_slice(code);
        }
        out
    }
}

fn check(elements: &[Element], depth: usize) -> Result<(), Refusal> {
    elements.iter().try_for_each(|element| match element {
        Element::Byte { value, mask } if value & !mask != 0 => Err(Refusal::Contradiction),
        Element::Folded(letter) if !letter.is_ascii_lowercase() => Err(Refusal::Contradiction),
        Element::Alternatives { options, negated } => {
            if *negated && fixed_length(std::slice::from_ref(element)).is_none() {
                return Err(Refusal::UnequalNegation);
            }
            let depth = depth.checked_sub(1).ok_or(Refusal::Deep)?;
            options.iter().try_for_each(|option| check(option, depth))
        }
        _ => Ok(()),
    })
}
