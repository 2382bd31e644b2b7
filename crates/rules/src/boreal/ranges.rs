//! `$a in (filesize-100..filesize)` on a file of 50 bytes: for YARA the range begins before the file and holds all of it,
//! for boreal a negative bound matches nothing. So the lower bound of each range is written as the larger of itself and
//! 0: `((x) & ~((x) >> 63))`, which costs nothing and means the same to both.

use boreal_parser::expression::{Expression, ExpressionKind, ForIterator, ForSelection};
use boreal_parser::file::YaraFileComponent;
use std::borrow::Cow;
use std::ops::Range;

/// The text with its lower bounds as boreal needs them. A text that is no rule stays as it is.
pub(super) fn adapted(text: &str) -> Cow<'_, str> {
    if !text.contains("..") {
        return Cow::Borrowed(text);
    }
    let Ok(file) = boreal_parser::parse(text) else { return Cow::Borrowed(text) };
    let mut bounds = Vec::new();
    for component in &file.components {
        if let YaraFileComponent::Rule(rule) = component {
            find(&rule.condition, &mut bounds);
        }
    }
    if bounds.is_empty() {
        return Cow::Borrowed(text);
    }
    bounds.sort_by_key(|bound| bound.start);
    let (mut adapted, mut from) = (String::with_capacity(text.len().saturating_mul(2)), 0);
    for bound in bounds {
        let (Some(before), Some(bytes)) = (text.get(from..bound.start), text.get(bound.clone())) else { continue };
        adapted.push_str(before);
        adapted.push_str(&format!("(({bytes}) & ~(({bytes}) >> 63))"));
        from = bound.end;
    }
    adapted.push_str(text.get(from..).unwrap_or_default());
    Cow::Owned(adapted)
}

/// Where lower bounds stand that may be negative. How deep a condition is nested was bounded before.
fn find(condition: &Expression, bounds: &mut Vec<Range<usize>>) {
    match &condition.expr {
        ExpressionKind::VariableIn { from, .. } | ExpressionKind::ForIn { from, .. }
            if !matches!(from.expr, ExpressionKind::Integer(_)) =>
        {
            bounds.push(from.span.clone());
        }
        ExpressionKind::And(parts) | ExpressionKind::Or(parts) => parts.iter().for_each(|part| find(part, bounds)),
        ExpressionKind::Not(part) | ExpressionKind::Defined(part) => find(part, bounds),
        ExpressionKind::For { selection, body, .. } => {
            of_selection(selection, bounds);
            body.iter().for_each(|body| find(body, bounds));
        }
        ExpressionKind::ForIdentifiers { selection, iterator, body, .. } => {
            of_selection(selection, bounds);
            if let ForIterator::List(list) = iterator {
                list.iter().for_each(|item| find(item, bounds));
            }
            find(body, bounds);
        }
        _ => {}
    }
}

fn of_selection(selection: &ForSelection, bounds: &mut Vec<Range<usize>>) {
    if let ForSelection::Expr { expr, .. } = selection {
        find(expr, bounds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_that_may_be_negative_are_written_anew() {
        let rule = |condition: &str| format!("rule a {{ strings: $a = \"x\" condition: {condition} }}");
        for (condition, expected) in [
            ("$a in (0..10)", "$a in (0..10)"),
            ("$a", "$a"),
            ("$a in (filesize-10..filesize)", "$a in (((filesize-10) & ~((filesize-10) >> 63))..filesize)"),
            ("not any of them in (@a..9)", "not any of them in (((@a) & ~((@a) >> 63))..9)"),
            (
                "#a > 1 and for any i in (1..2) : ($a in (i-5..i) or $a in (1..2))",
                "#a > 1 and for any i in (1..2) : ($a in (((i-5) & ~((i-5) >> 63))..i) or $a in (1..2))",
            ),
        ] {
            assert_eq!(adapted(&rule(condition)), rule(expected));
        }
        assert_eq!(adapted("rule a { .."), "rule a { ..");
    }
}
