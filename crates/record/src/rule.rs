//! What a YARA rule says of itself and where its strings matched, as JSON: the same in JSON lines and in SARIF.
//!
//! ```json
//! {"tags":["apt"],"metadata":{"author":"somebody","score":80},
//!  "strings":[{"name":"$a","offset":16,"length":5,"text":"hello"},
//!             {"name":"$b","offset":99,"length":40,"text":"\u0001…","bytes":"Af8…"}]}
//! ```

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dachs_base::{Detection, MatchedString};
use dachs_sigdb::model::{MetadataValue, YaraRule};
use serde::Serialize;
use serde_json::{Map, Value};

/// A rule that matched.
#[derive(Serialize)]
pub struct RuleLine<'a> {
    tags: &'a [String],
    metadata: Map<String, Value>,
    strings: Vec<StringLine<'a>>,
}

#[derive(Serialize)]
struct StringLine<'a> {
    name: &'a str,
    offset: u64,
    length: u64,
    text: Cow<'a, str>,
    /// In base64, where they are not plain text.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<String>,
}

impl<'a> RuleLine<'a> {
    /// What is said of a rule, and of this match.
    #[must_use]
    pub fn new(rule: &'a YaraRule, detection: &'a Detection) -> RuleLine<'a> {
        let string = |found| StringLine::new(rule, found);
        RuleLine { tags: &rule.tags, metadata: metadata(rule), strings: detection.strings.iter().map(string).collect() }
    }
}

impl<'a> StringLine<'a> {
    /// A string whose number the rule does not have comes from a worker that was taken over: it has no name.
    fn new(rule: &'a YaraRule, found: &'a MatchedString) -> StringLine<'a> {
        let is_plain = found.bytes.iter().all(|byte| (b' '..=b'~').contains(byte));
        StringLine {
            name: rule.strings.get(usize::from(found.string)).map_or("", String::as_str),
            offset: found.offset,
            length: found.length,
            text: String::from_utf8_lossy(&found.bytes),
            bytes: (!is_plain).then(|| STANDARD.encode(&found.bytes)),
        }
    }
}

/// The metadata; a name that comes more than once has a list of values.
#[must_use]
pub fn metadata(rule: &YaraRule) -> Map<String, Value> {
    let mut all: Map<String, Value> = Map::new();
    for (name, entry) in &rule.metadata {
        let entry = match entry {
            MetadataValue::Text(text) => Value::from(text.as_str()),
            MetadataValue::Integer(number) => Value::from(*number),
            MetadataValue::Boolean(truth) => Value::from(*truth),
        };
        match all.get_mut(name) {
            None => {
                all.insert(name.clone(), entry);
            }
            Some(Value::Array(list)) => list.push(entry),
            Some(first) => *first = Value::Array(vec![first.take(), entry]),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::samples::detection;
    use dachs_base::Strength;
    use serde_json::json;

    #[test]
    fn a_rule_has_all_its_fields() {
        let text = |text: &str| MetadataValue::Text(text.into());
        let rule = YaraRule {
            tags: vec!["t".into()],
            metadata: vec![
                ("ref".into(), text("a")),
                ("score".into(), MetadataValue::Integer(80)),
                ("ref".into(), text("b")),
                ("ref".into(), MetadataValue::Boolean(true)),
            ],
            strings: vec!["$a".into()],
        };
        let found = |string, bytes: &[u8]| MatchedString { string, offset: 5, length: 9, bytes: bytes.to_vec() };
        let strings = vec![found(0, b"x y"), found(7, b"\x01\xff")];
        let detection = Detection { strings, ..detection(0, Strength::Strong, &[]) };
        let expected = json!({"tags": ["t"], "metadata": {"ref": ["a", "b", true], "score": 80}, "strings": [
            {"name": "$a", "offset": 5, "length": 9, "text": "x y"},
            {"name": "", "offset": 5, "length": 9, "text": "\u{1}\u{fffd}", "bytes": "Af8="}]});
        assert_eq!(serde_json::to_value(RuleLine::new(&rule, &detection)).unwrap(), expected);
    }
}
