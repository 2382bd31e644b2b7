//! Which objects a rule can match at all, where that is provable from its condition.
//!
//! Most public rules ask for a Portable Executable in their first words: `uint16(0) == 0x5A4D and ...`. Such a rule is
//! false of any object that does not begin with `MZ`, whatever else it says, so that other objects need not pay for it.
//! Proved is only what stands as a whole condition, as one side of an `and`, or on all sides of an `or`.

use boreal_parser::expression::{Expression, ExpressionKind, ReadIntegerType};
use boreal_parser::hex_string::Token;
use boreal_parser::rule::{Rule, VariableDeclaration, VariableDeclarationValue};

/// Which objects a rule can match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gate {
    /// Any.
    #[default]
    Any,
    /// Those that begin with `MZ`.
    Mz,
}

impl Gate {
    /// The number in an image.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Gate::Any => 0,
            Gate::Mz => 1,
        }
    }

    /// The gate with this number; one that is not known is open.
    #[must_use]
    pub fn from_number(number: u8) -> Gate {
        if number == 1 { Gate::Mz } else { Gate::Any }
    }

    /// True if an object that begins so may pass.
    #[must_use]
    pub fn admits(self, object: &[u8]) -> bool {
        self == Gate::Any || object.starts_with(b"MZ")
    }
}

/// The gate of a rule. A global rule decides about others, and has none.
pub(crate) fn of(rule: &Rule) -> Gate {
    if !rule.is_global && needs_mz(&rule.condition, &rule.variables) { Gate::Mz } else { Gate::Any }
}

/// True if the condition is false of every object that does not begin with `MZ`. How deep it is nested was bounded by the
/// parser.
fn needs_mz(condition: &Expression, strings: &[VariableDeclaration]) -> bool {
    match &condition.expr {
        ExpressionKind::And(all) => all.iter().any(|part| needs_mz(part, strings)),
        ExpressionKind::Or(any) => !any.is_empty() && any.iter().all(|part| needs_mz(part, strings)),
        ExpressionKind::Eq(left, right) => reads_mz(left, right) || reads_mz(right, left),
        ExpressionKind::VariableAt { variable_name, offset, .. } => {
            let string = strings.iter().find(|string| string.name == *variable_name);
            matches!(offset.expr, ExpressionKind::Integer(0)) && string.is_some_and(begins_with_mz)
        }
        _ => false,
    }
}

/// `uint16(0)` and `0x5A4D`, or the same in another width or order.
fn reads_mz(read: &Expression, number: &Expression) -> bool {
    let (ExpressionKind::ReadInteger { ty, addr }, ExpressionKind::Integer(number)) = (&read.expr, &number.expr) else {
        return false;
    };
    if !matches!(addr.expr, ExpressionKind::Integer(0)) {
        return false;
    }
    match ty {
        ReadIntegerType::Uint16 | ReadIntegerType::Int16 => *number == 0x5A4D,
        ReadIntegerType::Uint16BE | ReadIntegerType::Int16BE => *number == 0x4D5A,
        ReadIntegerType::Uint32 | ReadIntegerType::Int32 => number & 0xFFFF == 0x5A4D,
        ReadIntegerType::Uint32BE | ReadIntegerType::Int32BE => number >> 16 == 0x4D5A,
        ReadIntegerType::Uint8 | ReadIntegerType::Int8 => false,
    }
}

/// True if every match of the string begins with these bytes.
fn begins_with_mz(string: &VariableDeclaration) -> bool {
    let modifiers = &string.modifiers;
    let changed = modifiers.wide || modifiers.nocase || modifiers.xor.is_some() || modifiers.base64.is_some();
    match &string.value {
        _ if changed => false,
        VariableDeclarationValue::Bytes(bytes) => bytes.starts_with(b"MZ"),
        VariableDeclarationValue::HexString(tokens) => tokens.starts_with(&[Token::Byte(b'M'), Token::Byte(b'Z')]),
        VariableDeclarationValue::Regex(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use boreal_parser::file::YaraFileComponent;

    fn gate(condition: &str) -> Gate {
        let text = format!(
            "rule a {{ strings: $mz = \"MZ\" $hex = {{ 4D 5A 90 }} $any = {{ ?D 5A }} $i = \"MZ\" nocase \
             $x = \"x\" condition: {condition} }}"
        );
        let file = boreal_parser::parse(&text).unwrap();
        match &file.components[0] {
            YaraFileComponent::Rule(rule) => of(rule),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_provable_is_proved() {
        for condition in [
            "uint16(0) == 0x5A4D",
            "0x5A4D == uint16(0)",
            "uint16be(0) == 0x4D5A and $x",
            "$x and (uint32(0) == 0x00905A4D)",
            "uint32be(0) == 0x4D5A9000",
            "$mz at 0 and $x",
            "filesize < 10 and ($hex at 0)",
            "(uint16(0) == 0x5A4D and $x) or ($mz at 0 and #x > 3)",
        ] {
            assert_eq!(gate(condition), Gate::Mz, "{condition}");
        }
    }

    #[test]
    fn what_is_not_provable_stays_open() {
        for condition in [
            "true",
            "uint16(0) == 0x5A4E",
            "uint16(1) == 0x5A4D",
            "uint16(0) != 0x5A4D",
            "not (uint16(0) == 0x5A4D)",
            "uint16(0) == 0x5A4D or $x",
            "uint8(0) == 0x4D",
            "$mz at 1",
            "$mz",
            "$any at 0",
            "$i at 0",
            "for any i in (1..2) : (uint16(0) == 0x5A4D)",
        ] {
            assert_eq!(gate(condition), Gate::Any, "{condition}");
        }
    }

    #[test]
    fn gates_admit_what_they_can_match() {
        assert!(Gate::Mz.admits(b"MZ") && !Gate::Mz.admits(b"M") && Gate::Any.admits(b""));
        assert_eq!((Gate::from_number(Gate::Mz.number()), Gate::from_number(77)), (Gate::Mz, Gate::Any));
    }
}
