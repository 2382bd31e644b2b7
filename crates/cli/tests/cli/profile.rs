//! `dachs db profile`: what YARA rules cost.

use std::path::Path;

use serde_json::Value;

use crate::support::{Run, command, folder, run};

const RULES: &[u8] = b"import \"hash\"\n\
    rule quick { condition: filesize < 10 }\n\
    private rule part { strings: $a = \"badger\" condition: $a }\n\
    rule plain : t { condition: part and quick }\n\
    rule slow { condition: for all i in (0..200000) : ( i >= 0 ) }\n\
    rule digest { condition: hash.md5(0, filesize) == \"x\" }\n";

fn profile(options: &[&str], rules: &Path, corpus: &[&Path]) -> Run {
    run(command(&["db", "profile"]).args(options).arg(rules).args(corpus))
}

#[test]
fn rules_are_measured_slowest_first() {
    let folder = folder(&[
        ("rules.yar", RULES),
        ("corpus/badger", b"a badger"),
        ("corpus/deep/long badger", b"a much longer badger"),
        ("corpus/none", b"nothing"),
        ("corpus/empty", b""),
    ]);
    let at = |name: &str| folder.path().join(name);
    let page = at("page.html");
    let run = profile(
        &["--format", "json", "--html", page.to_str().unwrap()],
        &at("rules.yar"),
        &[&at("corpus/badger"), &at("corpus/deep"), &at("corpus/none")],
    );
    assert_eq!(run.code, 0, "{}", run.err);
    let value: Value = serde_json::from_str(&run.out).unwrap();
    let names: Vec<&str> =
        value["rules"].as_array().unwrap().iter().map(|rule| rule["rule"].as_str().unwrap()).collect();
    assert_eq!((names[0], names.len()), ("slow", 4), "{value}");
    let hits = |name: &str| {
        let rules = value["rules"].as_array().unwrap();
        rules.iter().find(|rule| rule["rule"] == name).unwrap()["hits"].as_u64().unwrap()
    };
    assert_eq!((hits("slow"), hits("quick"), hits("plain"), hits("digest")), (3, 2, 1, 0));
    assert_eq!((value["files"].as_u64(), value["gaps"].as_array().unwrap().len()), (Some(3), 0));
    let nanoseconds: Vec<u64> =
        value["rules"].as_array().unwrap().iter().map(|rule| rule["nanoseconds"].as_u64().unwrap()).collect();
    assert!(nanoseconds.is_sorted_by(|one, other| one >= other) && nanoseconds[0] > 1_000_000, "{nanoseconds:?}");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("<svg") && page.contains("slow") && !page.contains("<script"));
}

#[test]
fn the_table_has_bars_and_the_choice_holds() {
    let folder = folder(&[("rules.yar", RULES), ("x", b"a badger")]);
    let at = |name: &str| folder.path().join(name);
    let run = profile(&["--skip-rule", "digest", "--top", "2"], &at("rules.yar"), &[&at("x")]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(
        run.out.starts_with("3 rules on 1 files") && run.out.contains("█") && run.out.contains("slow (rules.yar)"),
        "{}",
        run.out
    );
    assert_eq!(run.out.lines().count(), 5, "{}", run.out);
}

#[test]
fn what_cannot_be_measured_is_told() {
    let folder = folder(&[("rules.yar", RULES), ("empty.ndb", b""), ("x", b"a badger")]);
    let at = |name: &str| folder.path().join(name);
    let some = profile(&[], &at("rules.yar"), &[&at("x"), &at("nowhere")]);
    assert!(some.code == 3 && some.err.contains("nowhere"), "{} {}", some.code, some.err);
    let late = profile(&["--max-scan-time", "1ms"], &at("rules.yar"), &[&at("x")]);
    assert!(late.code == 2 && late.err.contains("--max-scan-time"), "{} {}", late.code, late.err);
    assert_eq!(profile(&[], &at("rules.yar"), &[&at("nowhere")]).code, 2);
    assert_eq!(profile(&[], &at("empty.ndb"), &[&at("x")]).code, 2);
}
