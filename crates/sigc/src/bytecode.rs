//! Programs for ClamAV's virtual machine (`.cbc`): they are counted and told, and not run.
//!
//! ```text
//! ClamBC numbers and texts, one after the other        format, time, author, targets, kind, minFL, maxFL, ...
//! name;attributes;expression;...                       the logical signature that starts it; or a name alone
//! ...                                                  types, globals, functions
//! ```
//!
//! A number is a letter ``` ` ``` plus how many digits follow, and as many characters ``` ` ``` plus a digit of 16, the lowest
//! first. A text is `|`, a number, and two such characters a byte. ClamAV counts a program among its signatures if it has a
//! logical signature; the others are hooked into parsers.

use crate::level;
use crate::refused::{Parsed, Refused};

/// What begins a program.
const MAGIC: &str = "ClamBC";
/// The formats that ClamAV 1.4 loads.
const FORMATS: std::ops::RangeInclusive<u64> = 6..=7;

/// What starts a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// A parser that reaches a certain point.
    Hook,
    /// A logical signature.
    Logical,
}

/// Looks at the first two lines of a program.
///
/// # Errors
/// When they are malformed or not for us.
pub(crate) fn parse(header: &str, second: &str) -> Parsed<Trigger> {
    let rest = header.strip_prefix(MAGIC).ok_or_else(|| Refused::malformed("it does not begin with ClamBC"))?;
    let mut numbers = Numbers(rest.as_bytes());
    let broken = || Refused::malformed("its header is broken");
    let format = numbers.number().ok_or_else(broken)?;
    if !FORMATS.contains(&format) {
        return Err(Refused::not_for_us("bytecode of another format"));
    }
    numbers.number().ok_or_else(broken)?; // when it was made
    numbers.text().ok_or_else(broken)?; // by whom
    numbers.number().ok_or_else(broken)?; // targets that it leaves out
    numbers.number().ok_or_else(broken)?; // its kind
    let (min, max) = (numbers.number().ok_or_else(broken)?, numbers.number().ok_or_else(broken)?);
    level::require(min, Some(max).filter(|max| *max > 0))?;
    let Some(attributes) = second.split(';').nth(1) else { return Ok(Trigger::Hook) };
    let range = attributes.split(',').find_map(|attribute| attribute.strip_prefix("Engine:"));
    if let Some((min, max)) = range.and_then(|range| range.split_once('-')) {
        level::require(crate::number::decimal(min, "Engine")?, Some(crate::number::decimal(max, "Engine")?))?;
    }
    Ok(Trigger::Logical)
}

struct Numbers<'t>(&'t [u8]);

impl Numbers<'_> {
    fn digit(&mut self) -> Option<u64> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        first.checked_sub(b'`').filter(|digit| *digit < 32).map(u64::from)
    }

    fn number(&mut self) -> Option<u64> {
        let length = self.digit().filter(|length| *length <= 16)?;
        let mut number = 0_u64;
        for place in 0..length {
            let digit = self.digit().filter(|digit| *digit < 16)?;
            number |= digit << place.saturating_mul(4);
        }
        Some(number)
    }

    /// Passes over a text.
    fn text(&mut self) -> Option<()> {
        self.0 = self.0.strip_prefix(b"|")?;
        let length = usize::try_from(self.number()?).ok()?;
        self.0 = self.0.get(length.checked_mul(2)?..)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header: format 7, made at 1, by nobody, for levels from `min` to `max`, both of two digits.
    fn header(min: &str, max: &str) -> String {
        format!("ClamBCagaa|a``c``a{min}{max}`|aa``:4096")
    }

    #[test]
    fn programs_are_told_apart() {
        let now = header("bdc", "`");
        assert_eq!(parse(&now, "A;Engine:52-255,Target:3;0;61"), Ok(Trigger::Logical));
        assert_eq!(parse(&now, "A"), Ok(Trigger::Hook));
        for (header, second) in [
            (header("boo", "`"), "A"),
            (header("bdc", "bdc"), "A"),
            (now.clone(), "A;Engine:110-119,Target:1;0;61"),
            (now.replace("BCag", "BCae"), "A"),
        ] {
            assert!(matches!(parse(&header, second), Err(Refused::NotForUs(_))), "{header}");
        }
    }

    #[test]
    fn broken_headers_are_refused() {
        for header in ["", "garbage", "ClamBC", "ClamBCa", "ClamBCagaa", "ClamBCagaaxx", "ClamBCagaa|p", "ClamBCag~"] {
            assert!(matches!(parse(header, "A"), Err(Refused::Malformed(_))), "{header}");
        }
    }
}
