//! What no parser of rules is given: chains of operators so long that a tree of them cannot be taken down again.
//!
//! Parsers bound how deep parentheses are nested, but `1 + 1 + 1 + ...` is a tree as deep as it is long, and freeing it goes
//! down recursively. A rule shorter than [`SHORT`] cannot have too many; a longer one is counted.

use crate::fault::Fault;
use crate::split::operators;

/// In a rule of at most so many bytes, any number of operators is harmless.
const SHORT: usize = 16 << 10;
/// A longer rule may have so many operators beside its strings. The largest public rule has some hundreds.
const MOST: usize = 10_000;

/// Refuses what is not to be parsed.
///
/// # Errors
/// The reason, on the first line.
pub(crate) fn check(text: &str) -> Result<(), Fault> {
    if text.len() <= SHORT || operators(text.as_bytes()) <= MOST {
        return Ok(());
    }
    Err(Fault { line: 0, message: format!("it has more than {MOST} operators") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_chains_are_refused() {
        for operator in ["+", "-", "~", "not ", "\\1*", "^1", "|1", "&1", "<<1", "==1"] {
            let rule = |times: usize| format!("rule a {{ condition: 1{} 1 }}", operator.repeat(times));
            assert!(check(&rule(100_000)).is_err(), "{operator}");
            assert!(check(&rule(100)).is_ok(), "{operator}");
        }
    }

    #[test]
    fn strings_have_no_operators() {
        let strings = "$a = { 41 ( 42 | 43 ) [1-2] ~44 } $b = /a|b+c*/ $c = \"a+b-c\" // a+b-c\n".repeat(5000);
        assert_eq!(check(&format!("rule a {{ strings: {strings} condition: any of them }}")), Ok(()));
    }
}
