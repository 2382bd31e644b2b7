//! How heavy a rule is: about how much memory its strings take when they are compiled.
//!
//! An engine bounds each regular expression by itself, but a rule may have ten thousand strings and a file any number of
//! rules. So it is estimated before anything is compiled, from what is written: a literal takes its bytes, once for each
//! form and key; anything else takes a state for each place in it, with repetitions written out.

use boreal_parser::hex_string::Token;
use boreal_parser::regex::{Node, RepetitionKind, RepetitionRange};
use boreal_parser::rule::{Rule, VariableDeclaration, VariableDeclarationValue};

/// What a state takes, in bytes; measured with boreal: 47 for a class of bytes, 75 for letters in either case.
const STATE: u64 = 64;

/// The weight of a rule, in bytes.
pub(crate) fn of(rule: &Rule) -> u64 {
    rule.variables.iter().fold(0, |sum, string| sum.saturating_add(of_string(string)))
}

fn of_string(string: &VariableDeclaration) -> u64 {
    let modifiers = &string.modifiers;
    let forms = if modifiers.wide { 3 } else { 1 };
    let keys = modifiers.xor.map_or(1, |(from, to)| u64::from(to.saturating_sub(from)).saturating_add(1));
    let one = match &string.value {
        VariableDeclarationValue::Bytes(bytes) => length(bytes),
        VariableDeclarationValue::HexString(tokens) => of_tokens(tokens).saturating_mul(STATE),
        VariableDeclarationValue::Regex(regex) => of_node(&regex.ast).saturating_mul(STATE),
    };
    one.saturating_mul(forms).saturating_mul(keys)
}

/// States of a hexadecimal string.
fn of_tokens(tokens: &[Token]) -> u64 {
    let of = |token: &Token| match token {
        Token::Jump(jump) => u64::from(jump.to.unwrap_or(jump.from)).max(1),
        Token::Alternatives(all) => all.iter().fold(1, |sum, tokens| of_tokens(tokens).saturating_add(sum)),
        _ => 1,
    };
    tokens.iter().fold(0, |sum, token| of(token).saturating_add(sum))
}

/// States of a regular expression. How deep it is nested was bounded by the parser.
fn of_node(node: &Node) -> u64 {
    match node {
        Node::Alternation(nodes) | Node::Concat(nodes) => {
            nodes.iter().fold(1, |sum, node| of_node(node).saturating_add(sum))
        }
        Node::Group(node) => of_node(node),
        Node::Repetition { node, kind, .. } => {
            let times = match kind {
                RepetitionKind::ZeroOrOne | RepetitionKind::ZeroOrMore | RepetitionKind::OneOrMore => 1,
                RepetitionKind::Range(
                    RepetitionRange::Exactly(most) | RepetitionRange::AtLeast(most) | RepetitionRange::Bounded(_, most),
                ) => u64::from(*most).max(1),
            };
            of_node(node).saturating_mul(times)
        }
        _ => 1,
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use boreal_parser::file::YaraFileComponent;

    #[test]
    fn strings_weigh_what_they_say() {
        for (string, expected) in [
            ("\"badger\"", 6),
            ("\"badger\" wide ascii", 18),
            ("\"badger\" xor", 6 * 256),
            ("\"badger\" xor(1-2) wide", 6 * 3 * 2),
            ("{ 41 ?? [2-9] ( 41 | 42 43 ) 44 }", (2 + 9 + 4 + 1) * STATE),
            ("/abc/", 4 * STATE),
            ("/(ab){1,100}c*/", (3 * 100 + 1 + 1) * STATE),
            ("/((((a{1000}){1000}){1000}){1000}){1000}/", 1_000_000_000_000_000 * STATE),
        ] {
            let text = format!("rule a {{ strings: $a = {string} condition: $a }}");
            let Ok(file) = boreal_parser::parse(&text) else { panic!("{string}") };
            let YaraFileComponent::Rule(rule) = &file.components[0] else { panic!("{string}") };
            assert_eq!(of(rule), expected, "{string}");
        }
    }
}
