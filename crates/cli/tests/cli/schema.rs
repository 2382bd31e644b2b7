//! Checks a value against as much of JSON Schema 2020-12 as docs/report.schema.json uses; panics at anything else.

use serde_json::{Map, Value};

/// What is wrong with `value`, each with the keyword that is violated.
pub(crate) fn violations(root: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let keywords = schema.as_object().unwrap();
    keywords.iter().flat_map(|(keyword, rule)| violation(root, keywords, keyword, rule, value)).collect()
}

fn violation(root: &Value, schema: &Map<String, Value>, keyword: &str, rule: &Value, value: &Value) -> Vec<String> {
    let when = |wrong: bool| if wrong { vec![format!("{keyword} {rule}: {value}")] } else { vec![] };
    match keyword {
        "$schema" | "title" | "description" | "$defs" => vec![],
        "$ref" => violations(root, root.pointer(rule.as_str().unwrap().trim_start_matches('#')).unwrap(), value),
        "type" => when(!is_of_type(rule.as_str().unwrap(), value)),
        "const" => when(rule != value),
        "enum" => when(!rule.as_array().unwrap().contains(value)),
        "minimum" => when(value.as_f64().is_some_and(|number| number < rule.as_f64().unwrap())),
        "minItems" => when(value.as_array().is_some_and(|items| (items.len() as u64) < rule.as_u64().unwrap())),
        "required" => when(rule.as_array().unwrap().iter().any(|name| value.get(name.as_str().unwrap()).is_none())),
        "oneOf" => {
            let fits = |option: &&Value| violations(root, option, value).is_empty();
            when(rule.as_array().unwrap().iter().filter(fits).count() != 1)
        }
        "items" => value.as_array().into_iter().flatten().flat_map(|item| violations(root, rule, item)).collect(),
        "properties" => properties(root, rule, value),
        other => panic!("the checker does not know {other} in {schema:?}"),
    }
}

fn properties(root: &Value, rules: &Value, value: &Value) -> Vec<String> {
    let present = |(name, rule): (&String, &Value)| Some(violations(root, rule, value.get(name)?));
    // Fields without a description in the schema are a mistake of ours, though readers must bear them.
    let unknown = value.as_object().into_iter().flatten().filter(|(name, _)| rules.get(name).is_none());
    let unknown = unknown.map(|(name, _)| format!("{name} is not in the schema"));
    rules.as_object().unwrap().iter().filter_map(present).flatten().chain(unknown).collect()
}

fn is_of_type(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => panic!("the checker does not know the type {other}"),
    }
}
