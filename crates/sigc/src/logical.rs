//! Lines of `.ldb` and `.ldu`: `name;attributes;expression;subsignature0;subsignature1;…`.
//!
//! A subsignature is `[offset:]body[::modifiers]`, or one of the kinds of [`crate::special`]. There must be exactly as
//! many as the highest id of the expression says.

use dachs_base::Target;
use dachs_sigdb::model::{LogicalRule, Offset, Subsignature};

use crate::attributes;
use crate::body;
use crate::expression;
use crate::modifiers::Modifiers;
use crate::name;
use crate::ndb::anchored;
use crate::offset;
use crate::refused::{Deferred, Parsed, Refused};
use crate::special;

/// Reads a line: the name and the rule.
///
/// # Errors
/// When it is malformed, not for us, or needs what is not supported yet.
pub(crate) fn parse(line: &str) -> Parsed<(&str, LogicalRule)> {
    let fields = fields(line);
    let [name, attributes, expression, subsignatures @ ..] = fields.as_slice() else {
        return Err(Refused::malformed("expected name;attributes;expression;subsignature…"));
    };
    if subsignatures.is_empty() {
        return Err(Refused::malformed("there is no subsignature"));
    }
    let (expression, highest) = expression::parse(expression)?;
    check_count(subsignatures.len(), highest)?;
    let mut deferred = Deferred::default();
    let attributes = attributes::parse(attributes)?;
    let name = name::bare(name)?;
    let subsignatures = read_all(subsignatures, attributes.target, &mut deferred)?;
    deferred.finish()?;
    let rule = LogicalRule { target: attributes.target, conditions: attributes.conditions, expression, subsignatures };
    Ok((name, rule))
}

/// The fields of a line. From the fourth on, a `;` between two slashes belongs to a regular expression.
fn fields(line: &str) -> Vec<&str> {
    let mut fields: Vec<&str> = line.splitn(4, ';').collect();
    let Some(mut rest) = (fields.len() == 4).then(|| fields.pop()).flatten() else { return fields };
    while let Some(end) = field_end(rest) {
        let (field, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        fields.push(field);
        rest = after.get(1..).unwrap_or("");
    }
    fields.push(rest);
    fields
}

/// Where the first `;` stands that is not in a regular expression.
fn field_end(text: &str) -> Option<usize> {
    let (mut regex, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b';' if !regex => return Some(at),
            b'/' if !escaped => regex = !regex,
            _ => {}
        }
        escaped = byte == b'\\' && !escaped;
    }
    None
}

fn check_count(count: usize, highest: u8) -> Parsed<()> {
    let named = usize::from(highest) + 1;
    if count > usize::from(expression::IDS) {
        return Err(Refused::malformed(format!("{count} subsignatures; at most {}", expression::IDS)));
    }
    if count != named {
        return Err(Refused::malformed(format!("the expression asks for {named} subsignatures, there are {count}")));
    }
    Ok(())
}

fn read_all(texts: &[&str], target: Target, deferred: &mut Deferred) -> Parsed<Vec<Subsignature>> {
    let mut all = Vec::with_capacity(texts.len());
    for (index, text) in (0_u8..).zip(texts) {
        let subsignature = subsignature(text, index, target);
        all.extend(deferred.take(subsignature.map_err(|refused| with_index(refused, index)))?);
    }
    Ok(all)
}

fn subsignature(text: &str, index: u8, target: Target) -> Parsed<Subsignature> {
    if let Some(special) = special::parse(text, index, target)? {
        return Ok(special);
    }
    let (offset, body, modifiers) = split(text);
    let mut deferred = Deferred::default();
    let modifiers = Modifiers::parse(modifiers)?;
    let offset = deferred.take(offset::parse(offset, target))?;
    let mut patterns = deferred.take(body::patterns(body, modifiers))?.unwrap_or_default();
    let mut offset = offset.unwrap_or(Offset::ANY);
    if body::begins_anchored(body)
        && let [pattern] = patterns.as_slice()
        && let Some((base, placed)) = deferred.take(anchored(offset, pattern))?
    {
        (offset, patterns) = (base, vec![placed]);
    }
    deferred.finish()?;
    Ok(Subsignature::Body { offset, patterns })
}

/// Offset, body and modifiers. Where `::` stands twice, ClamAV takes what is before the first one as the body and ignores
/// the rest; real databases have such lines.
fn split(text: &str) -> (&str, &str, &str) {
    match text.split_once("::") {
        Some((body, rest)) if rest.contains("::") => ("*", body, ""),
        Some((placed, modifiers)) => {
            let (offset, body) = placed.split_once(':').unwrap_or(("*", placed));
            (offset, body, modifiers)
        }
        None => {
            let (offset, body) = text.split_once(':').unwrap_or(("*", text));
            (offset, body, "")
        }
    }
}

/// A malformed subsignature is named by its number.
fn with_index(refused: Refused, index: u8) -> Refused {
    match refused {
        Refused::Malformed(reason) => Refused::malformed(format!("subsignature {index}: {reason}")),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dachs_sigdb::model::{Condition, Element, Expression, OffsetBase};

    #[test]
    fn a_line_is_read() {
        let line = "A.Name;Engine:51-255,Target:1,FileSize:1-9;0&1;6162::wa;EP+4,2:6364::i";
        let (name, rule) = parse(line).unwrap();
        assert_eq!((name, rule.target, rule.conditions), ("A.Name", Target::Pe, vec![Condition::FileSize(1, 9)]));
        assert!(matches!(rule.expression, Expression::And(items) if items.len() == 2));
        let Subsignature::Body { offset, patterns } = &rule.subsignatures[0] else { panic!() };
        assert_eq!((offset.base, patterns.len()), (OffsetBase::Any, 2));
        assert_eq!((patterns[0].elements.len(), patterns[1].elements.len()), (4, 2));
        let Subsignature::Body { offset, patterns } = &rule.subsignatures[1] else { panic!() };
        assert_eq!((offset.base, offset.shift), (OffsetBase::EntryPoint(4), 2));
        assert_eq!(patterns[0].elements, [Element::Folded(b'c'), Element::Folded(b'd')]);
    }

    #[test]
    fn malformed_lines_are_refused() {
        for line in [
            "",
            " ",
            "t",
            "t;Target:0;0",
            "t;Target:0;0;",
            "t;Target:0;0;61626364;",
            "t;Target:0;0;6162;6263",
            "t;Target:0;0&1;6162",
            "t;Target:0;0&1;6162;6263;6364",
            ";Target:0;0;6162",
            "t;Target:0;;6162",
            "t;Target:0;0;61",
            "t;Target:0;0;zz",
            "t;Target:0;0;6162 ",
            "t;Target:0;0; 6162",
            "t;Target:0;0;6162::I",
            "t;Target:0;0;6162::x",
            "t;Target:0;0;6162:::i",
            "t;Target:0;0;::i",
            "t;Target:0;0;0:",
            "t;Target:0;0;6162:i",
            "t;Target:0;0;a:6162",
            "t;Target:0;0;3:3:6162",
            "t;Target:0;0;EP+0:6162",
            "t;Target:0;0;6?6?::i",
            "t;Target:7;0;zz",
            "t;Target:0;0;0:6162::i::i",
            "t;Target:0;0&1;6162;1/ab/",
            "t;;0;6162",
        ] {
            assert!(matches!(parse(line), Err(Refused::Malformed(_))), "{line}: {:?}", parse(line));
        }
        let many = format!("t;Target:0;63;{}", vec!["6162"; 65].join(";"));
        assert!(matches!(parse(&many), Err(Refused::Malformed(_))));
        let most = format!("t;Target:0;63;{}", vec!["6162"; 64].join(";"));
        assert!(parse(&most).is_ok());
    }

    #[test]
    fn lines_for_others_are_left_out_without_a_further_look() {
        for line in ["t;Engine:300-301,Target:0;0;zz", "t;Engine:51-255,Target:15;0;zz", "t;Foo:1;0;zz"] {
            assert!(matches!(parse(line), Err(Refused::NotForUs(_))), "{line}");
        }
    }

    #[test]
    fn what_is_not_there_yet_is_left_out_but_checked() {
        let line = "t;Target:0;0;6162{5-3}6364";
        assert!(matches!(parse(line), Err(Refused::Unsupported(_))), "{:?}", parse(line));
        assert!(matches!(parse("t;Target:0;0&1&2;6162;0/ab/;zz"), Err(Refused::Malformed(_))));
    }

    #[test]
    fn odd_lines_are_accepted() {
        for line in [
            "t;Target:0;1;6162;6263",
            "t;Target:0;0;6162::",
            "t;Target:0;0;6162::ii",
            "t;Target:0;0;:6162",
            "t;Target:0;0;61::w",
            "t;Target:0;0;6162::i*6566::i",
            "t;Target:0;0;6162::x::",
            "t;Target:0;0;*:6162",
            "t;Target:0;0;(61|6263)64656667::i",
            "t;Target:0;0&1;6162;0/ab;cd/",
            "t;Target:0;0;6162::fw",
            "t;Target:0;0;5:61[1-2]6364::i",
            "t;Target:0;0&1;6162;${1-2}3$",
            "t;Target:0;0;${1-2}3$",
            "t;Target:0;0&1;6162;1(>>2#hb4#=5)",
            "t;Target:0;0&1;6162;0/ab\\/;cd/i",
        ] {
            assert!(parse(line).is_ok(), "{line}: {:?}", parse(line));
        }
    }
}
