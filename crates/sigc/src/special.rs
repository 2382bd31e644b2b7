//! Subsignatures that are no bodies: regular expressions, comparisons of bytes, hashes of pictures, macros.
//!
//! Only regular expressions can be matched yet. The others are told from bodies and checked as far as their outer form
//! goes, so that a malformed one still ends the load. The text of a regular expression is not looked at here: whoever
//! builds the image refuses what cannot be compiled.

use crate::expression;
use crate::number::{decimal, digit, range};
use crate::offset;
use crate::refused::{Deferred, Parsed, Refused};

use dachs_base::Target;
use dachs_sigdb::model::{Offset, OffsetBase, Regex, Subsignature};

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
        picture(hash)?;
        return Err(Refused::unsupported("hashes of pictures (fuzzy_img) are not supported yet"));
    }
    if let Some(rest) = text.strip_prefix("${") {
        macro_call(rest)?;
        return Err(Refused::unsupported("macro groups are not supported yet"));
    }
    if text.contains('#') {
        compare(text)?;
        return Err(Refused::unsupported("comparisons of bytes (byte_compare) are not supported yet"));
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
fn picture(text: &str) -> Parsed<()> {
    let (hash, distance) = text.split_once('#').unwrap_or((text, "0"));
    if hash.len() != 16 {
        return Err(Refused::malformed("the hash of a picture must have 16 digits"));
    }
    hash.bytes().try_for_each(|byte| digit(byte).map(drop))?;
    if decimal(distance, "a distance")? != 0 {
        return Err(Refused::malformed("the distance of a picture's hash must be 0"));
    }
    Ok(())
}

/// `min-max}id$`, after `${`
fn macro_call(text: &str) -> Parsed<()> {
    let parts = text.strip_suffix('$').and_then(|text| text.split_once('}'));
    let (distance, id) = parts.ok_or_else(|| Refused::malformed("a macro must be of the form ${min-max}id$"))?;
    range(distance, "the distance of a macro")?;
    if id.is_empty() || decimal(id, "a macro")? >= 32 {
        return Err(Refused::malformed(format!("there is no macro group '{id}'")));
    }
    Ok(())
}

/// `id(>>offset#options#comparison)`
fn compare(text: &str) -> Parsed<()> {
    let form = || Refused::malformed("a comparison of bytes must be of the form id(>>offset#options#comparison)");
    let (id, rest) = text.split_once('(').ok_or_else(form)?;
    let mut fields = rest.strip_suffix(')').ok_or_else(form)?.split('#');
    let (Some(shift), Some(options), Some(comparison), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(form());
    };
    decimal(id, "the subsignature of a comparison")?;
    shift.strip_prefix(">>").or_else(|| shift.strip_prefix("<<")).ok_or_else(form)?;
    let sound = options.starts_with(['h', 'd', 'a', 'i']) && comparison.starts_with(['<', '>', '=']);
    if sound { Ok(()) } else { Err(form()) }
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
        for text in [
            "VI:0/a/",
            "0(>>5#ab4#=5)",
            "0(<<12#hle4#>10,<20)",
            "fuzzy_img#af2ad01ed42993c7",
            "fuzzy_img#af2ad01ed42993c7#0",
            "${6-7}12$",
        ] {
            assert!(matches!(parse(text, 1, Target::Pe), Err(Refused::Unsupported(_))), "{text}");
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
            "${6-7}1",
            "${6-7}32$",
            "${6-7}$",
        ] {
            assert!(matches!(parse(text, 1, Target::Pe), Err(Refused::Malformed(_))), "{text}");
        }
    }
}
