//! What bytes must occur where an expression matches: its needles.
//!
//! Of the expressions of real signatures nearly all are tried on objects in which they match nothing: three hundred name files
//! attached to mails, and all are asked of each mail with an attachment. Each has a stretch of plain bytes in it, and where none
//! of those stands, there is nothing to be compiled and nothing to be searched. So an image holds them beside the expression:
//!
//! ```text
//! Invoice_\d{8}\.(doc|xls)            "invoice_"              the longest stretch
//! (cmd|power)shell.{9}                "cmdshell" "powershell" one of several
//! [a-z]{8}=.                          none: it has to be tried
//! ```
//!
//! Needles are in lower case and stand for letters of either case. Of the stretches that must all occur, the longest is
//! taken; one that is shorter than a gram ([`super::grams`]) says nothing.

use super::grams::GRAM;
use super::{linear_text, parse};
use dachs_base::Reader;
use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

/// An expression has no more needles.
const MOST: usize = 16;
/// No needle is longer, in bytes.
const LONGEST: usize = 96;

/// The needles of an expression, as an image holds them: of each its length in a byte, then its bytes. Empty if there is none.
pub(super) fn of(text: &str, flags: &str) -> Vec<u8> {
    let found = linear_text(text, flags).and_then(|text| parse(&text, flags)).and_then(|hir| look(&hir).needed());
    let found = found.filter(|needles| shortest(needles) >= GRAM).unwrap_or_default();
    let record = |needle: Vec<u8>| u8::try_from(needle.len()).into_iter().chain(needle).collect::<Vec<u8>>();
    found.into_iter().flat_map(record).collect()
}

/// The needles in a record.
pub(crate) fn each(record: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut reader = Reader::new(record, "needles");
    std::iter::from_fn(move || {
        let length = reader.u8().ok()?;
        reader.take(u64::from(length)).ok()
    })
}

/// Strings of which one stands where something matches.
type Strings = Vec<Vec<u8>>;

/// What is known of a part of an expression.
struct Known {
    /// All that it can match, if that is little.
    exact: Option<Strings>,
    /// One of them stands in all that it matches.
    inside: Option<Strings>,
}

impl Known {
    const NOTHING: Known = Known { exact: None, inside: None };

    fn exactly(strings: Strings) -> Known {
        Known { exact: is_small(&strings).then_some(strings), inside: None }
    }

    fn needed(self) -> Option<Strings> {
        self.exact.or(self.inside)
    }
}

fn look(hir: &Hir) -> Known {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Known::exactly(vec![Vec::new()]),
        HirKind::Literal(literal) => {
            let bytes = literal.0.to_ascii_lowercase();
            if bytes.len() <= LONGEST {
                Known::exactly(vec![bytes])
            } else {
                Known { exact: None, inside: bytes.get(..LONGEST).map(|start| vec![start.to_vec()]) }
            }
        }
        HirKind::Class(class) => members(class).map_or(Known::NOTHING, Known::exactly),
        HirKind::Repetition(repetition) => repeated(repetition),
        HirKind::Capture(capture) => look(&capture.sub),
        HirKind::Concat(parts) => in_a_row(parts),
        HirKind::Alternation(parts) => either(parts),
    }
}

/// The bytes of a class, letters in lower case, if they are few.
fn members(class: &Class) -> Option<Strings> {
    let Class::Bytes(class) = class else { return None };
    let mut strings = Strings::new();
    for range in class.ranges() {
        if usize::from(range.end().abs_diff(range.start())) > 2 * MOST {
            return None;
        }
        strings.extend((range.start()..=range.end()).map(|byte| vec![byte.to_ascii_lowercase()]));
    }
    strings.sort_unstable();
    strings.dedup();
    Some(strings)
}

fn repeated(repetition: &Repetition) -> Known {
    let sub = look(&repetition.sub);
    match (repetition.min, repetition.max, sub.exact) {
        (0, Some(1), Some(mut exact)) => {
            exact.push(Vec::new());
            Known::exactly(exact)
        }
        (0, _, _) => Known::NOTHING,
        (least, most, Some(exact)) => {
            let mut row = Known::exactly(exact.clone()).exact;
            let mut times = 1;
            while let Some(longer) = row.as_ref().filter(|_| times < least).and_then(|row| cross(row, &exact)) {
                row = Some(longer);
                times += 1;
            }
            let whole = times == least && most == Some(least);
            if whole { Known { exact: row, inside: None } } else { Known { exact: None, inside: row } }
        }
        (_, _, None) => Known { exact: None, inside: sub.inside },
    }
}

fn in_a_row(parts: &[Hir]) -> Known {
    let mut row: Strings = vec![Vec::new()];
    let (mut best, mut whole): (Option<Strings>, bool) = (None, true);
    for part in parts {
        let known = look(part);
        match known.exact {
            Some(exact) => match cross(&row, &exact) {
                Some(longer) => row = longer,
                None => {
                    whole = false;
                    consider(&mut best, std::mem::replace(&mut row, exact));
                }
            },
            None => {
                whole = false;
                consider(&mut best, std::mem::replace(&mut row, vec![Vec::new()]));
                known.inside.into_iter().for_each(|inside| consider(&mut best, inside));
            }
        }
    }
    if whole {
        return Known::exactly(row);
    }
    consider(&mut best, row);
    Known { exact: None, inside: best }
}

fn either(parts: &[Hir]) -> Known {
    let known: Vec<Known> = parts.iter().map(look).collect();
    if known.iter().all(|known| known.exact.is_some()) {
        let all: Strings = known.iter().filter_map(|known| known.exact.as_ref()).flatten().cloned().collect();
        if is_small(&all) {
            return Known::exactly(all);
        }
    }
    let inside: Option<Vec<Strings>> = known.into_iter().map(Known::needed).collect();
    let inside: Option<Strings> = inside.map(|sets| sets.into_iter().flatten().collect());
    Known { exact: None, inside: inside.filter(is_small) }
}

/// Every string of the first with every one of the second behind it, if that is little.
fn cross(first: &Strings, second: &Strings) -> Option<Strings> {
    if first.len().saturating_mul(second.len()) > MOST {
        return None;
    }
    let joined = first.iter().flat_map(|start| second.iter().map(move |end| [start.as_slice(), end].concat()));
    Some(joined.collect()).filter(is_small)
}

/// Takes strings that say more than those before.
fn consider(best: &mut Option<Strings>, strings: Strings) {
    let says = |strings: &Strings| (shortest(strings), usize::MAX - strings.len());
    if best.as_ref().is_none_or(|best| says(best) < says(&strings)) {
        *best = Some(strings);
    }
}

fn is_small(strings: &Strings) -> bool {
    strings.len() <= MOST && strings.iter().all(|string| string.len() <= LONGEST)
}

fn shortest(strings: &Strings) -> usize {
    strings.iter().map(Vec::len).min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needles(text: &str, flags: &str) -> Vec<String> {
        each(&of(text, flags)).map(|needle| needle.escape_ascii().to_string()).collect()
    }

    #[test]
    fn what_must_occur_is_found() {
        let table: &[(&str, &str, &[&str])] = &[
            ("Invoice_\\d{8}\\.(doc|xls)", "", &["invoice_"]),
            ("(cmd|power)shell.{9}", "", &["cmdshell", "powershell"]),
            ("[a-z]{8}=.", "", &[]),
            ("a{3}b{2}c", "", &["aaabbc"]),
            ("(ab){4,}", "", &["abababab"]),
            ("x?marc\\.exe", "i", &["xmarc.exe", "marc.exe"]),
            ("foo|ba", "", &[]),
            ("fooo|[xX]baar", "", &["fooo", "xbaar"]),
            ("(?P<v>\\w+)=(?P=v);abcde", "", &[";abcde"]),
            ("(?=abcd)efgh", "", &["efgh", "abcdefgh"]),
            ("^abcd$", "m", &["abcd"]),
            ("(abcd)?ef", "", &["abcdef", "ef"]),
            ("\\x00\\xff\\xAA\\x0a", "", &["\\x00\\xff\\xaa\\n"]),
            ("[a-f0-9]{1000,}abcde", "", &["abcde"]),
        ];
        for (text, flags, expected) in table {
            let expected: &[&str] = if expected.iter().any(|needle| needle.len() < GRAM) { &[] } else { expected };
            assert_eq!(needles(text, flags), expected, "{text}");
        }
    }

    #[test]
    fn long_and_many_strings_are_bounded() {
        let long = "a".repeat(500);
        assert_eq!(needles(&long, ""), [long[..LONGEST].to_owned()]);
        assert_eq!(needles(&"(abcd|efgh)".repeat(30), "").len(), MOST);
        assert_eq!(needles("(abcd){5000}", "").len(), 1);
        assert_eq!(each(&[3, b'a']).count(), 0);
    }
}
