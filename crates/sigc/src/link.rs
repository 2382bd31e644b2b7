//! Lines about links in mails.
//!
//! | kind | line | meaning |
//! |---|---|---|
//! | pdb | `R:expression` | links that must lead where they show: `where it leads:what it shows` |
//! | pdb | `H:host` | the same for links that show this host, or one below it |
//! | wdb | `X:expression` | such links are not suspicious |
//! | wdb | `M:host:host` | a link to the first, or below it, may show the second |
//! | wdb | `Y:expression` | links that lead to such addresses are not suspicious |
//! | gdb | `S:F:digest`, `S1:F:`, `S2:F:` | addresses with this SHA-256 lead to malware, are blocked, are made to catch passwords |
//! | gdb | `S:W:digest` | this digest does not count |
//! | gdb | `S:P:digest` | read and left out: the beginning of a digest, by which ClamAV finds the others faster |
//!
//! Behind all of them `:minFL-maxFL` may stand. Expressions are those of [`crate::posix`]; a `/` is added to them, as it is to
//! what they are compared with. Blank lines are passed over.

use dachs_sigdb::model::{DigestSays, LinkRule};

use crate::number::{decimal, hex};
use crate::refused::{Parsed, Refused};
use crate::{level, posix};

/// Which list a line is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    Allowed,
    Digests,
    Listed,
}

/// Reads a line.
///
/// # Errors
/// When it is malformed, not for us, or never of use.
pub(crate) fn parse(line: &str, list: List) -> Parsed<LinkRule> {
    let (tag, text) = line.split_once(':').ok_or_else(|| Refused::malformed("there is no colon"))?;
    let text = for_us(text)?;
    if text.is_empty() {
        return Err(Refused::malformed("there is nothing behind the colon"));
    }
    match (list, tag.as_bytes().first()) {
        (List::Listed | List::Digests, Some(b'H')) => Ok(LinkRule::Host(text.to_ascii_lowercase())),
        (List::Listed, Some(b'R')) => expression(text).map(LinkRule::Pair),
        (List::Allowed, Some(b'X')) => expression(text).map(LinkRule::AllowedPair),
        (List::Allowed, Some(b'Y')) => expression(text).map(LinkRule::AllowedAddress),
        (List::Allowed, Some(b'M')) => {
            let (real, shown) = text.split_once(':').unwrap_or((text, ""));
            Ok(LinkRule::AllowedHosts { real: real.to_ascii_lowercase(), shown: shown.to_ascii_lowercase() })
        }
        (List::Digests, Some(b'S')) => digest(tag, text),
        _ => Err(Refused::malformed(format!("'{tag}' is no tag of this list"))),
    }
}

fn digest(tag: &str, text: &str) -> Parsed<LinkRule> {
    let (form, digest) = text.split_once(':').ok_or_else(|| Refused::malformed("expected S:form:digest"))?;
    let digest = hex(digest)?;
    let says = match (form, tag.as_bytes().get(1)) {
        ("W", _) => DigestSays::Allowed,
        ("F", Some(b'1')) => DigestSays::Blocked,
        ("F", Some(b'2')) => DigestSays::Phishing,
        ("F", _) => DigestSays::Malware,
        ("P", _) => return Err(Refused::not_for_us("beginnings of digests, which say nothing without the digests")),
        _ => return Err(Refused::malformed(format!("'{form}' is not F, P or W"))),
    };
    Ok(LinkRule::Digest { digest, says })
}

fn expression(text: &str) -> Parsed<String> {
    posix::translate(&format!("{text}/"))
}

/// The text without the levels behind it.
fn for_us(text: &str) -> Parsed<&str> {
    let Some((before, levels)) = text.rsplit_once(':') else { return Ok(text) };
    let Some((min, max)) = levels.split_once('-') else { return Ok(text) };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(min) || !digits(max) {
        return Ok(text);
    }
    level::require(
        decimal(min, "a level")?,
        Some(max).filter(|max| !max.is_empty()).map(|max| decimal(max, "a level")).transpose()?,
    )?;
    Ok(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_rules() {
        assert_eq!(parse("H:Bank.com", List::Listed), Ok(LinkRule::Host("bank.com".into())));
        assert_eq!(parse("H:bank.com:1-", List::Listed), Ok(LinkRule::Host("bank.com".into())));
        assert_eq!(parse("R:a.b:c:1-300", List::Listed), Ok(LinkRule::Pair(r"a.b\x3ac\x2f".into())));
        let hosts = LinkRule::AllowedHosts { real: "a".into(), shown: "b".into() };
        assert_eq!(parse("M:a:b", List::Allowed), Ok(hosts));
        for (line, says) in [
            ("S:W:00ff", DigestSays::Allowed),
            ("S:F:00ff", DigestSays::Malware),
            ("S1:F:00ff", DigestSays::Blocked),
            ("S2:F:00ff", DigestSays::Phishing),
        ] {
            assert_eq!(parse(line, List::Digests), Ok(LinkRule::Digest { digest: vec![0, 255], says }), "{line}");
        }
        assert!(matches!(parse("S:P:00ff", List::Digests), Err(Refused::NotForUs(_))));
    }

    #[test]
    fn lines_that_clamav_takes_are_taken() {
        for line in [
            "R:a",
            "H:a:b",
            "H:abc.com:",
            "H:abc.com:-300",
            "H:abc.com:x",
            "H:abc.com:100",
            "R1:a:b",
            "R:a{:b",
            "H:(",
            "R::b",
            "R:(?i)a:b",
        ] {
            assert!(parse(line, List::Listed).is_ok(), "{line}");
        }
        for line in ["M:a", "X:a", "Y:a", "M:a:b:1-300", "M:(:b", "M:a:", "M::b"] {
            assert!(parse(line, List::Allowed).is_ok(), "{line}");
        }
        for line in ["R:a:b:1-100", "R:a:b:300-", "H:abc.com:1-100"] {
            assert!(matches!(parse(line, List::Listed), Err(Refused::NotForUs(_))), "{line}");
        }
    }

    #[test]
    fn malformed_lines_are_refused() {
        for line in [
            "H",
            "H:",
            "h:x",
            "Z:a",
            "abc",
            "R:[a:b",
            "R:a**:b",
            "Y:a",
            "M:a:b",
            "R:a||b:c",
            "R:a{1,300}:b",
            "R:*a:b",
            "R:(a|):b",
            "R:a+?:b",
            "R:(:b",
        ] {
            assert!(matches!(parse(line, List::Listed), Err(Refused::Malformed(_))), "{line}");
        }
        for line in ["H:a", "X:(:b", "Z:a", "R:a:b", "X:a**:b", "Y:"] {
            assert!(matches!(parse(line, List::Allowed), Err(Refused::Malformed(_))), "{line}");
        }
        for line in ["S:X:00", "S:F:zz", "S:F", "S:F:000", "Q:F:00"] {
            assert!(matches!(parse(line, List::Digests), Err(Refused::Malformed(_))), "{line}");
        }
    }
}
