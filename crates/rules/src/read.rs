//! What a rule says of itself: name, tags, metadata, names of strings; and what follows for its gate and its strength.

use crate::Gate;
use crate::fault::Fault;
use crate::{gate, guard, weight};
use boreal_parser::file::YaraFileComponent;
use boreal_parser::rule::{MetadataValue, Rule};
use dachs_base::Strength;

/// A rule as far as people and the loader need it; the engine reads the text itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Its name.
    pub name: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its metadata, in order.
    pub metadata: Vec<(String, Value)>,
    /// The names of its strings, with `$`.
    pub strings: Vec<String>,
    /// Other rules may use it, but nobody is told of it.
    pub is_private: bool,
    /// If it is false, no rule of its source matches.
    pub is_global: bool,
    /// Which objects it can match at all.
    pub gate: Gate,
    /// About how much memory its strings take when they are compiled, in bytes.
    pub weight: u64,
}

/// A value in the metadata.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A text; bytes that are not UTF-8 are replaced.
    Text(String),
    /// A number.
    Integer(i64),
    /// True or false.
    Boolean(bool),
}

/// From this `score` on a rule detects; below it suspects. A rule without a score has it.
///
/// The scores are Nextron's, as LOKI and THOR use them: 40 a notice, 60 a warning, 80 an alert, and 75 for a rule that
/// has none.
pub const STRONG: i64 = 75;

impl Reading {
    /// How much the rule says, by its metadata `score`.
    #[must_use]
    pub fn strength(&self) -> Strength {
        let score = |(name, value): &(String, Value)| match value {
            Value::Integer(score) if name.eq_ignore_ascii_case("score") => Some(*score),
            Value::Text(text) if name.eq_ignore_ascii_case("score") => text.trim().parse().ok(),
            _ => None,
        };
        let weak = self.metadata.iter().find_map(score).is_some_and(|score| score < STRONG);
        if weak { Strength::Weak } else { Strength::Strong }
    }
}

/// Reads the text of one rule.
///
/// # Errors
/// What is wrong with it, and on which of its lines.
pub fn read(text: &str) -> Result<Reading, Fault> {
    guard::check(text)?;
    let file = boreal_parser::parse(text).map_err(|error| Fault::of(&error.to_diagnostic(), text))?;
    let mut rules = file.components.into_iter().filter_map(|component| match component {
        YaraFileComponent::Rule(rule) => Some(rule),
        _ => None,
    });
    match (rules.next(), rules.next()) {
        (Some(rule), None) => Ok(reading(&rule)),
        _ => Err(Fault { line: 0, message: "this is not one rule".to_owned() }),
    }
}

fn reading(rule: &Rule) -> Reading {
    let value = |value: &MetadataValue| match value {
        MetadataValue::Bytes(bytes) => Value::Text(String::from_utf8_lossy(bytes).into_owned()),
        MetadataValue::Integer(number) => Value::Integer(*number),
        MetadataValue::Boolean(truth) => Value::Boolean(*truth),
    };
    Reading {
        name: rule.name.clone(),
        tags: rule.tags.iter().map(|tag| tag.tag.clone()).collect(),
        metadata: rule.metadatas.iter().map(|entry| (entry.name.clone(), value(&entry.value))).collect(),
        strings: rule.variables.iter().map(|string| format!("${}", string.name)).collect(),
        is_private: rule.is_private,
        is_global: rule.is_global,
        gate: gate::of(rule),
        weight: weight::of(rule),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_tells_of_itself() {
        let text = "private rule a : t1 t2 { meta: author = \"x\" n = -3 b = true strings: $ = \"y\" $z = \"MZ\" \
                    condition: $z at 0 and any of them }";
        let rule = read(text).unwrap();
        assert_eq!((rule.name.as_str(), rule.tags.join(" ").as_str()), ("a", "t1 t2"));
        assert_eq!(rule.metadata[1], ("n".to_owned(), Value::Integer(-3)));
        assert_eq!(rule.strings, ["$", "$z"]);
        assert_eq!((rule.is_private, rule.is_global, rule.gate), (true, false, Gate::Mz));
    }

    #[test]
    fn scores_tell_the_strength() {
        let strength = |meta: &str| read(&format!("rule a {{ meta: {meta} condition: true }}")).unwrap().strength();
        for (meta, expected) in [
            ("a = 1", Strength::Strong),
            ("score = 74", Strength::Weak),
            ("score = 75", Strength::Strong),
            ("Score = \" 60 \"", Strength::Weak),
            ("score = \"high\"", Strength::Strong),
            ("score = -1", Strength::Weak),
        ] {
            assert_eq!(strength(meta), expected, "{meta}");
        }
    }

    #[test]
    fn faults_have_a_line() {
        assert_eq!(read("rule a {\n condition:\n  1 + }").unwrap_err().line, 2);
        assert!(read("import \"pe\"").is_err());
    }
}
