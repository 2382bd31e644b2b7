//! Subsignatures that are no bodies: regular expressions, comparisons of bytes, hashes of pictures, macros.
//!
//! The text of a regular expression is not looked at here: whoever builds the image refuses what cannot be compiled.

use crate::expression;
use crate::number::{decimal, digit, integer};
use crate::offset;
use crate::refused::{Deferred, Parsed, Refused};

use dachs_base::Target;
use dachs_sigdb::model::{Compare, Comparison, Digits, NumberForm, Offset, OffsetBase, Regex, Subsignature};

/// The letters that may follow a regular expression.
const REGEX_FLAGS: &str = "greismxAEU";

/// Reads a subsignature that is no body; nothing if it is one.
///
/// # Errors
/// When it is malformed, or not supported yet.
pub(crate) fn parse(text: &str, index: u8, target: Target) -> Parsed<Option<Subsignature>> {
    if text.contains('/') {
        return regex(text, index, target).map(Some);
    }
    if let Some(hash) = text.strip_prefix("fuzzy_img#") {
        return picture(hash).map(Some);
    }
    if let Some(rest) = text.strip_prefix('$') {
        return macro_call(rest).map(Some);
    }
    if text.contains('#') {
        return compare(text).map(Some);
    }
    Ok(None)
}

/// `[offset:]trigger/regex/flags`; the trigger is an expression over earlier subsignatures.
fn regex(text: &str, index: u8, target: Target) -> Parsed<Subsignature> {
    let (before, rest) = text.split_once('/').unwrap_or((text, ""));
    let (pattern, flags) =
        rest.rsplit_once('/').ok_or_else(|| Refused::malformed("a regular expression without its last /"))?;
    // Modifiers of bodies are ignored here, as real databases need it.
    let flags = flags.split_once("::").map_or(flags, |(flags, _)| flags);
    if let Some(flag) = flags.chars().find(|flag| !REGEX_FLAGS.contains(*flag)) {
        return Err(Refused::malformed(format!("'{flag}' is not a flag of a regular expression")));
    }
    let mut deferred = Deferred::default();
    let (offset, trigger) = before.split_once(':').unwrap_or(("*", before));
    let offset = deferred.take(offset::parse(offset, target))?.unwrap_or(Offset::ANY);
    if offset.base == OffsetBase::VersionKey {
        deferred.take::<()>(Err(Refused::unsupported("a regular expression in version information (VI)")))?;
    }
    let (trigger, highest) = expression::parse(trigger)?;
    if highest >= index {
        return Err(Refused::malformed("the trigger of a regular expression must name earlier subsignatures"));
    }
    deferred.finish()?;
    if pattern.contains(char::REPLACEMENT_CHARACTER) {
        return Err(Refused::unsupported("a regular expression that is not UTF-8"));
    }
    let regex = Regex { text: pattern.to_owned(), flags: flags.to_owned() };
    Ok(Subsignature::Regex { offset, trigger, regex })
}

/// `hash[#distance]`
fn picture(text: &str) -> Parsed<Subsignature> {
    let (hash, distance) = text.split_once('#').unwrap_or((text, "0"));
    if hash.len() != 16 {
        return Err(Refused::malformed("the hash of a picture must have 16 digits"));
    }
    let number = hash.bytes().try_fold(0_u64, |number, byte| Ok(number << 4 | u64::from(digit(byte)?)))?;
    if decimal(distance, "a distance")? != 0 {
        return Err(Refused::malformed("the distance of a picture's hash must be 0"));
    }
    Ok(Subsignature::Picture(number))
}

/// `{min-max}id$`, after `$`.
fn macro_call(text: &str) -> Parsed<Subsignature> {
    let form = || Refused::malformed("a macro must be of the form ${min-max}id$");
    let parts = text.strip_suffix('$').and_then(|text| text.strip_prefix('{')).and_then(|text| text.split_once('}'));
    let (distance, id) = parts.ok_or_else(form)?;
    // A sign before the first number is no range's dash.
    let dash = distance.get(1..).and_then(|rest| rest.find('-')).ok_or_else(form)?;
    let (min, max) = distance.split_at_checked(dash.saturating_add(1)).ok_or_else(form)?;
    let number = |text: &str| unsigned(text).ok_or_else(form);
    let (min, max) = (number(min)?, number(max.get(1..).unwrap_or(""))?);
    let id = number(id.split_once('$').map_or(id, |(id, _)| id))?;
    let group = u8::try_from(id).ok().filter(|group| *group < offset::MACRO_GROUPS);
    let group = group.ok_or_else(|| Refused::malformed(format!("there is no macro group {id}")))?;
    Ok(Subsignature::Macro { min: min.into(), max: max.into(), group })
}

/// A number as C's `scanf` reads it for `%u`: blanks, a sign, digits; too large ones are the largest.
fn unsigned(text: &str) -> Option<u32> {
    let bare = text.trim_start();
    let (negative, digits) = bare.strip_prefix('-').map_or((false, bare), |digits| (true, digits));
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value = digits.parse::<u32>().unwrap_or(u32::MAX);
    Some(if negative { value.wrapping_neg() } else { value })
}

/// `id(>>offset#options#comparison[,comparison])`; what follows the parenthesis is ignored.
fn compare(text: &str) -> Parsed<Subsignature> {
    let form = || Refused::malformed("a comparison of bytes must be of the form id(>>offset#options#comparison)");
    let (id, rest) = text.split_once('(').ok_or_else(form)?;
    let (inner, _) = rest.split_once(')').ok_or_else(form)?;
    let fields: Vec<&str> = inner.split('#').collect();
    let &[shift, options, comparisons] = fields.as_slice() else { return Err(form()) };
    let id = u8::try_from(integer(id, "the subsignature of a comparison")?).unwrap_or(u8::MAX);
    let distance = match (shift.strip_prefix(">>"), shift.strip_prefix("<<")) {
        (Some(ahead), _) => integer(ahead, "the offset of a comparison")?,
        (_, Some(back)) => integer(back, "the offset of a comparison")?.saturating_neg(),
        _ => return Err(form()),
    };
    let (form, length) = number_form(options)?;
    let comparisons: Vec<_> = comparisons.split(',').map(comparison).collect::<Parsed<_>>()?;
    if comparisons.len() > 2 {
        return Err(Refused::malformed("more than two comparisons of one number"));
    }
    Ok(Subsignature::Compare(Compare { id, distance, form, length, comparisons }))
}

/// How the number is written, and how many bytes it has: letters, then a number.
fn number_form(options: &str) -> Parsed<(NumberForm, u32)> {
    let malformed = |reason: &str| Refused::malformed(format!("options '{options}' of a comparison: {reason}"));
    let end = options.bytes().take_while(|letter| b"hdaible".contains(letter)).count();
    let (letters, number) = options.split_at_checked(end).unwrap_or((options, ""));
    let has = |letter| letters.contains(letter);
    if !number.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(malformed("letters of h, d, a, i, l, b, e and then a number are expected"));
    }
    let length = u32::try_from(integer(number, "the length of a number")?).unwrap_or(u32::MAX);
    if ['h', 'd', 'a', 'i'].into_iter().filter(|letter| has(*letter)).count() > 1 || (has('l') && has('b')) {
        return Err(malformed("two letters exclude each other"));
    }
    if has('d') && has('l') {
        return Err(malformed("decimal numbers are not little-endian"));
    }
    if length == 0 || (has('h') && length > 18) || (has('i') && ![1, 2, 4, 8].contains(&length)) {
        return Err(malformed("a length that such numbers do not have"));
    }
    let text = |digits| NumberForm::Text { digits, little: has('l'), exact: has('e') };
    let form = match (has('h'), has('d'), has('a'), has('i')) {
        (_, true, _, _) => text(Digits::Decimal),
        _ if !has('l') && !has('b') => NumberForm::None,
        (true, ..) => text(Digits::Hexadecimal),
        (_, _, true, _) => text(Digits::Auto),
        (_, _, _, true) => NumberForm::Raw { little: has('l') },
        _ => NumberForm::None,
    };
    Ok((form, length))
}

/// `<`, `>` or `=`, and a number.
fn comparison(text: &str) -> Parsed<(Comparison, i64)> {
    let sign = |sign, comparison| text.strip_prefix(sign).map(|number| (number, comparison));
    let found = sign('=', Comparison::Equal).or(sign('<', Comparison::Less)).or(sign('>', Comparison::Greater));
    let (number, comparison) =
        found.ok_or_else(|| Refused::malformed(format!("'{text}' is not a comparison with <, > or =")))?;
    Ok((comparison, integer(number, "the number of a comparison")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_kinds_are_told_from_bodies() {
        for text in ["616263", "0:616263", "EP+0,5:61(62|63)::i"] {
            assert_eq!(parse(text, 1, Target::Pe), Ok(None), "{text}");
        }
        for text in ["0/abcd/", "0/ab:cd/is", "0/abcd/s::i", "0:0/abcd/", "0&0/x/g", "0/a#b/", "0/a\\/b/"] {
            let parsed = parse(text, 1, Target::Pe);
            assert!(matches!(parsed, Ok(Some(Subsignature::Regex { .. }))), "{text}");
        }
        assert!(matches!(parse("VI:0/a/", 1, Target::Pe), Err(Refused::Unsupported(_))));
    }

    #[test]
    fn macros_are_read() {
        // ClamAV reads the numbers as C's scanf does
        for (text, expected) in [
            ("${6-7}12$", (6, 7, 12)),
            ("${7-6}31$", (7, 6, 31)),
            ("${ 6- 7} 1$", (6, 7, 1)),
            ("${6-7}1$1$", (6, 7, 1)),
            ("${0-99999999999}0$", (0, u64::from(u32::MAX), 0)),
            ("${-6-7}1$", (4_294_967_290, 7, 1)),
        ] {
            let Ok(Some(Subsignature::Macro { min, max, group })) = parse(text, 1, Target::Any) else {
                panic!("{text}");
            };
            assert_eq!((min, max, group), expected, "{text}");
        }
    }

    #[test]
    fn comparisons_are_read() {
        let text = |digits, little, exact| NumberForm::Text { digits, little, exact };
        for (given, id, distance, form, length) in [
            ("0(>>5#hb4#=5)", 0, 5, text(Digits::Hexadecimal, false, false), 4),
            ("2(<<0x10#hle4#=5)", 2, -16, text(Digits::Hexadecimal, true, true), 4),
            ("00(>>-010#de20#=5)x", 0, -8, text(Digits::Decimal, false, true), 20),
            ("(>>#ale3#=5)::i", 0, 0, text(Digits::Auto, true, true), 3),
            ("-1(>>5#ib8#=5)(", 255, 5, NumberForm::Raw { little: false }, 8),
            ("9(<<-1#il0x4#=)#", 9, 1, NumberForm::Raw { little: true }, 4),
            ("0(>>5#h4#=5)", 0, 5, NumberForm::None, 4),
            ("0(>>5#4#=5)", 0, 5, NumberForm::None, 4),
        ] {
            let Ok(Some(Subsignature::Compare(compare))) = parse(given, 1, Target::Any) else { panic!("{given}") };
            let read = (compare.id, compare.distance, compare.form, compare.length);
            assert_eq!(read, (id, distance, form, length), "{given}");
        }
        for (given, comparisons) in [
            ("=5", vec![(Comparison::Equal, 5)]),
            (">0x10,<-7", vec![(Comparison::Greater, 16), (Comparison::Less, -7)]),
            ("= +5,=", vec![(Comparison::Equal, 5), (Comparison::Equal, 0)]),
            ("<99999999999999999999", vec![(Comparison::Less, i64::MAX)]),
        ] {
            let parsed = parse(&format!("0(>>5#hb4#{given})"), 1, Target::Any);
            let Ok(Some(Subsignature::Compare(compare))) = parsed else { panic!("{given}") };
            assert_eq!(compare.comparisons, comparisons, "{given}");
        }
    }

    #[test]
    fn malformed_ones_are_refused() {
        for text in [
            "/abcd/",
            "0/abcd/k",
            "1/abcd/",
            "2/abcd/",
            "0/abcd",
            "a:0/abcd/",
            "0(>>5#ab4#=5",
            "0(5#ab4#=5)",
            "0(>>5#=5)",
            "fuzzy_img#af2a",
            "fuzzy_img#af2ad01ed42993c7#1",
            "fuzzy_img#zf2ad01ed42993c7",
            "${6}1$",
            "${-6}1$",
            "${6-}1$",
            "${6-7}1",
            "${6-7}32$",
            "${6-7}-1$",
            "${6-7}$",
            "${6 - 7}1$",
            "${0x6-7}1$",
            "${6-7}1$::i",
            "$ {6-7}1$",
            "$$",
            "0(>>5#dl4#=5)",
            "0(>>5#hbl4#=5)",
            "0(>>5#hd4#=5)",
            "0(>>5#ib3#=5)",
            "0(>>5#hb19#=5)",
            "0(>>5#hb0#=5)",
            "0(>>5#hb#=5)",
            "0(>>5#hb-4#=5)",
            "0(>>5#h b4#=5)",
            "0(>>5#HB4#=5)",
            "0(>>5#hb09#=5)",
            "0(>>0x#hb4#=5)",
            "0(>>a#hb4#=5)",
            "0(>5#hb4#=5)",
            "0(>>5#hb4#5)",
            "0(>>5#hb4#)",
            "0(>>5#hb4#==5)",
            "0(>>5#hb4#>5,)",
            "0(>>5#hb4#>5,<1,=7)",
            "0(>>5#hb4#=5#)",
            "0 (>>5#hb4#=5)",
            "a(>>5#hb4#=5)",
            "*:0(>>5#hb4#=5)",
        ] {
            assert!(matches!(parse(text, 1, Target::Pe), Err(Refused::Malformed(_))), "{text}");
        }
    }
}
