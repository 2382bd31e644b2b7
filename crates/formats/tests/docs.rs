//! `docs/formats.md` says of every kind what the code does.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use dachs_base::{Class, FileKind};
use dachs_formats::looks_into;

/// The cells of the row of a kind.
fn row<'a>(text: &'a str, label: &str) -> Vec<&'a str> {
    let start = format!("| `{label}` |");
    let mut rows = text.lines().filter(|line| line.starts_with(&start));
    let row = rows.next().unwrap_or_else(|| panic!("docs/formats.md has no row for `{label}`"));
    assert!(rows.next().is_none(), "docs/formats.md has two rows for `{label}`");
    row.strip_prefix('|').unwrap().strip_suffix('|').unwrap().split('|').map(str::trim).collect()
}

fn state(kind: FileKind) -> &'static str {
    match (looks_into(kind), kind.class()) {
        (true, _) => "yes",
        (false, Class::Archive | Class::Stream | Class::Document) => "no",
        _ => "holds none",
    }
}

#[test]
fn every_kind_stands_in_the_table_with_its_state() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/formats.md")).unwrap();
    for kind in FileKind::ALL {
        let cells = row(&text, kind.label());
        assert_eq!(cells.len(), 7, "{kind:?}");
        assert_eq!(cells[3], state(*kind), "docs/formats.md, `{}`: looked into", kind.label());
        assert!(!cells[2].is_empty(), "docs/formats.md, `{}`: identified by", kind.label());
        assert_eq!(cells[4].is_empty(), cells[3] == "holds none", "docs/formats.md, `{}`: incomplete", kind.label());
        assert_eq!(cells[6].is_empty(), cells[3] != "yes", "docs/formats.md, `{}`: reader", kind.label());
        assert!(cells[3] != "yes" || !cells[5].is_empty(), "docs/formats.md, `{}`: specification", kind.label());
    }
    let rows = text.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, FileKind::ALL.len(), "docs/formats.md has a row for a kind there is not");
}

/// The words in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn what_keeps_dachs_from_past_vulnerabilities_is_there() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let text = std::fs::read_to_string(format!("{root}/docs/past-vulnerabilities.md")).unwrap();
    let read = |path: String| std::fs::read_to_string(path).unwrap_or_default();
    let mut tests = 0;
    for word in text.lines().filter(|line| line.starts_with('|')).flat_map(quoted) {
        if let Some(target) = word.strip_prefix("fuzz/run ") {
            assert!(!read(format!("{root}/fuzz/fuzz_targets/{target}.rs")).is_empty(), "no fuzz target {target}");
        }
        let Some((file, test)) = word.split_once("::").filter(|(file, _)| *file != "Report") else { continue };
        let places = ["tests/FILE.rs", "src/FILE/tests.rs", "src/codec/FILE.rs"];
        let places = places.map(|place| format!("{root}/crates/formats/{}", place.replace("FILE", file)));
        let found = places.into_iter().any(|place| read(place).contains(&format!("fn {test}(")));
        assert!(found, "no test {word}");
        tests += 1;
    }
    assert!(tests > 30);
    let known = |name: &str| text.contains(name);
    assert!(["2019-1785", "2023-20032", "2026-20244"].into_iter().all(known));
}
