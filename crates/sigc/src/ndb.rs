//! Lines of `.ndb`, `.ndu` and `.sdb`, `name:target:offset:hex[:minFL[:maxFL]]`, and of `.db`, `name=hex`.

use dachs_base::Target;
use dachs_sigdb::model::{BodyRule, Offset, OffsetBase, Pattern};

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
    deferred.take(anchored(offset, hex))?;
    deferred.finish()?;
    let pattern = patterns.into_iter().flatten().next().unwrap_or_default();
    Ok(BodyRule { target, offset: offset.unwrap_or(Offset::ANY), pattern })
}

/// ClamAV counts an offset to what follows the single byte of `[x-y]`, which an offset of ours cannot say.
pub(crate) fn anchored(offset: Option<Offset>, hex: &str) -> Parsed<()> {
    let fixed = offset.is_some_and(|offset| offset.base != OffsetBase::Any);
    if fixed && body::begins_anchored(hex) {
        return Err(Refused::unsupported("an offset with [x-y] after the first byte is not supported yet"));
    }
    Ok(())
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
        for line in ["t:0:$1$:61626364", "t:0:4:61[1-2]636465"] {
            assert!(matches!(parse(line), Err(Refused::Unsupported(_))), "{line}");
        }
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
