//! Lines of `.ndb`, `.ndu` and `.sdb`, `name:target:offset:hex[:minFL[:maxFL]]`, and of `.db`, `name=hex`.

use dachs_base::Target;
use dachs_sigdb::model::{BodyRule, Element, Offset, OffsetBase, Pattern};

use crate::body;
use crate::level;
use crate::modifiers::Modifiers;
use crate::name;
use crate::number::decimal;
use crate::offset;
use crate::refused::{Deferred, Parsed, Refused};
use crate::target;

/// Shorter bodies without wildcards are malformed where ClamAV looks for them with its search for literals.
const SHORTEST_LITERAL: usize = 3;

/// Reads a line of `.ndb`: the name and the rule.
///
/// # Errors
/// When it is malformed, not for us, or needs what is not supported yet.
pub(crate) fn parse(line: &str) -> Parsed<(&str, BodyRule)> {
    let fields: Vec<&str> = line.splitn(7, ':').collect();
    let (name, number, offset, hex, levels) = match fields.as_slice() {
        [name, number, offset, hex, levels @ ..] if levels.len() <= 2 => (*name, *number, *offset, *hex, levels),
        _ => return Err(Refused::malformed("expected name:target:offset:hex, with up to two levels after it")),
    };
    let level = |at: usize| levels.get(at).map(|level| decimal(level, "a level")).transpose();
    level::require(level(0)?.unwrap_or(0), level(1)?)?;
    let target = target::parse(number)?;
    Ok((name::bare(name)?, rule(target, offset, hex)?))
}

/// Reads a line of `.db`: the name and the rule. Nothing when `=` stands there twice, as in a heading.
///
/// # Errors
/// When it is malformed or needs what is not supported yet.
pub(crate) fn parse_plain(line: &str) -> Parsed<(&str, BodyRule)> {
    let (name, hex) = line.split_once('=').ok_or_else(|| Refused::malformed("expected name=hex"))?;
    if hex.starts_with('=') {
        return Err(Refused::not_for_us("a line with == is no signature"));
    }
    Ok((name::bare(name)?, rule(Target::Any, "*", hex)?))
}

fn rule(target: Target, offset: &str, hex: &str) -> Parsed<BodyRule> {
    let mut deferred = Deferred::default();
    let offset = deferred.take(offset::parse(offset, target))?;
    let patterns = deferred.take(body::patterns(hex, Modifiers::default()))?;
    if let Some(pattern) = patterns.as_ref().and_then(|patterns| patterns.first()) {
        check_literal(target, offset.unwrap_or(Offset::ANY), pattern)?;
    }
    let offset = offset.unwrap_or(Offset::ANY);
    let pattern = patterns.into_iter().flatten().next().unwrap_or_default();
    let placed = if body::begins_anchored(hex) { deferred.take(anchored(offset, &pattern))? } else { None };
    deferred.finish()?;
    let (offset, pattern) = placed.unwrap_or((offset, pattern));
    Ok(BodyRule { target, offset, pattern })
}

/// ClamAV counts an offset to what follows the single byte of `[x-y]`. The same from the first byte that this one can be:
/// `6:61[1-2]6263` is `3:(??61??|61????)6263`.
pub(crate) fn anchored(offset: Offset, pattern: &Pattern) -> Parsed<(Offset, Pattern)> {
    let unchanged = || Ok((offset, pattern.clone()));
    let (single, min, max, rest) = match pattern.elements.as_slice() {
        [single @ (Element::Byte { .. } | Element::Folded(_)), Element::Gap { min, max: Some(max) }, rest @ ..] => {
            (single, *min, *max, rest)
        }
        _ => return unchanged(),
    };
    let Some((base, max)) = earlier(offset, min, max)? else { return unchanged() };
    let any = Element::Byte { value: 0, mask: 0 };
    let option = |gap: u32| {
        let count = |count: u32| std::iter::repeat_n(any.clone(), usize::try_from(count).unwrap_or(0));
        count(max.saturating_sub(gap)).chain([single.clone()]).chain(count(gap)).collect()
    };
    let options = Element::Alternatives { options: (min..=max).map(option).collect(), negated: false };
    let elements = [options].into_iter().chain(rest.iter().cloned()).collect();
    Ok((Offset { base, ..offset }, Pattern { elements }))
}

/// The offset of a byte that stands up to `max` bytes before `offset`, and how far it can be; nothing if it can be anywhere.
fn earlier(offset: Offset, min: u32, max: u32) -> Parsed<Option<(OffsetBase, u32)>> {
    let back = u64::from(max).saturating_add(1);
    let unsupported = || Refused::unsupported("an offset near its base with [x-y] after the first byte");
    let before = |from: u64| from.checked_sub(back).ok_or_else(unsupported);
    Ok(Some(match offset.base {
        OffsetBase::Absolute(from) if from < back && offset.shift == 0 => {
            let reach = u32::try_from(from).unwrap_or(u32::MAX).saturating_sub(1);
            // Before the object there is nothing, so a place that cannot be stands for it.
            if reach < min { (OffsetBase::Absolute(u64::MAX), max) } else { (OffsetBase::Absolute(0), reach) }
        }
        OffsetBase::Absolute(from) => (OffsetBase::Absolute(before(from)?), max),
        OffsetBase::End(from) => (OffsetBase::End(from.saturating_add(back)), max),
        OffsetBase::EntryPoint(from) => (OffsetBase::EntryPoint(from.saturating_sub_unsigned(back)), max),
        OffsetBase::LastSection(from) => (OffsetBase::LastSection(before(from)?), max),
        OffsetBase::Section { index, offset } => (OffsetBase::Section { index, offset: before(offset)? }, max),
        OffsetBase::Any | OffsetBase::Group(_) => return Ok(None),
        _ => return Err(unsupported()),
    }))
}

fn check_literal(target: Target, offset: Offset, pattern: &Pattern) -> Parsed<()> {
    let searched = match target {
        Target::Any => offset.shift == 0,
        Target::Pe => offset.shift == 0 && offset.base != OffsetBase::Any,
        _ => false,
    };
    if searched && body::is_literal(pattern) && pattern.elements.len() < SHORTEST_LITERAL {
        return Err(Refused::malformed(format!("fewer than {SHORTEST_LITERAL} bytes")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read() {
        let (name, rule) = parse("Some.Name (Clam):6:EP+4:616263").unwrap();
        assert_eq!((name, rule.target), ("Some.Name", Target::Elf));
        assert_eq!(rule.offset.base, OffsetBase::EntryPoint(4));
        assert_eq!(rule.pattern.elements.len(), 3);
        assert_eq!(parse_plain("n=616263").unwrap().1.target, Target::Any);
    }

    #[test]
    fn malformed_lines_are_refused() {
        let cases = [
            "t:0:*",
            "t:0:*:",
            "t:0:*:61626364:51:255:3",
            "t:0:*:61626364:a",
            "t:0:*:61626364:51:a",
            "t:0:*:61626364:-1",
            "t:0:*:61626364:51-255",
            ":0:*:61626364",
            "t:0:*:61626364 ",
            "",
            " ",
            " #x",
            "t:-1:*:61626364",
            "t:a:*:61626364",
            "t: 1:*:61626364",
            "t:1a:*:61626364",
            "t:0:zz:61626364",
            "t:0:*:6162",
            "t:1:0:6162",
            "t:1:EOF-5:6162",
            "t:0:EP+0:616263",
            "t:0:*:6162zz",
            "t:7:*:6162zz",
        ];
        for line in cases {
            assert!(matches!(parse(line), Err(Refused::Malformed(_))), "{line}");
        }
        for line in ["t=", "=616263", "t", "t=61626364=", "t=6162", "t:0:*:616263", ""] {
            assert!(matches!(parse_plain(line), Err(Refused::Malformed(_))), "{line}");
        }
    }

    #[test]
    fn lines_for_others_are_left_out_without_a_further_look() {
        let cases = [
            "t:0:*:6162zz64:300",
            "t:zz:*:61626364:300",
            "t:0:*:61626364:51:100",
            "t:0:*:61626364:51:",
            "t:15:*:zz",
            "t:255:*:zz",
            "t:99999999999:*:zz",
        ];
        for line in cases {
            assert!(matches!(parse(line), Err(Refused::NotForUs(_))), "{line}");
        }
        assert!(matches!(parse_plain("a == b"), Err(Refused::NotForUs(_)) | Err(Refused::Malformed(_))));
        assert!(matches!(parse_plain("a==6162"), Err(Refused::NotForUs(_))));
    }

    #[test]
    fn what_is_not_there_yet_is_left_out() {
        for line in ["t:1:VI:61[1-2]626364", "t:1:SE0:61[1-2]636465"] {
            assert!(matches!(parse(line), Err(Refused::Unsupported(_))), "{line}");
        }
    }

    #[test]
    fn offsets_are_those_of_what_follows_a_byte_apart() {
        // the line, where its pattern starts then, and how many places the byte has
        for (line, base, options) in [
            ("t:0:6:61[1-2]636465", OffsetBase::Absolute(3), 2),
            ("t:0:2:61[1-2]636465", OffsetBase::Absolute(0), 1),
            ("t:0:1:61[1-2]636465", OffsetBase::Absolute(u64::MAX), 2),
            ("t:0:6,3:61[0-4]636465", OffsetBase::Absolute(1), 5),
            ("t:0:EOF-6:61[1-2]636465", OffsetBase::End(9), 2),
            ("t:1:EP+1:61[1-2]636465", OffsetBase::EntryPoint(-2), 2),
            ("t:1:SL+9:61[3]636465", OffsetBase::LastSection(5), 1),
        ] {
            let (_, rule) = parse(line).unwrap();
            assert_eq!(rule.offset.base, base, "{line}");
            let Some(Element::Alternatives { options: found, .. }) = rule.pattern.elements.first() else { panic!() };
            assert_eq!(found.len(), options, "{line}");
        }
        let (_, rule) = parse("t:0:*:61[1-2]636465").unwrap();
        assert!(matches!(rule.pattern.elements.first(), Some(Element::Byte { .. })));
    }

    #[test]
    fn odd_lines_are_accepted() {
        let cases = [
            "t::*:61626364",
            "t:01:*:61626364",
            "t:1:*:6162",
            "t:6:*:6162",
            "t:1:0,5:6162",
            "t:0:*:61626364:",
            "t:0:*:61626364::255",
            " t:0:*:616263",
            "t t:0::616263",
            "t:0:*:616263:216:216",
            "t:0:*:(B)6162",
            "t:0:*:6162??",
            "t:0:0,:616263",
        ];
        for line in cases {
            assert!(parse(line).is_ok(), "{line}: {:?}", parse(line));
        }
    }
}
