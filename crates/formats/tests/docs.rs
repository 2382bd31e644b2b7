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
    let targets = read(format!("{root}/fuzz/src/targets.rs"));
    let mut tests = 0;
    for word in text.lines().filter(|line| line.starts_with('|')).flat_map(quoted) {
        if let Some(target) = word.strip_prefix("fuzz/run ") {
            assert!(targets.contains(&format!("target(\"{target}\", ")), "no fuzz target {target}");
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

/// The producers of each kind in `conformance/producers.txt`, and why there are fewer than three.
fn producers(text: &str) -> Vec<(String, Vec<String>, Option<String>)> {
    let mut kinds: Vec<(String, Vec<String>, Option<String>)> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        if let Some(kind) = line.strip_prefix("= ") {
            let kind = kind.split(" in ").next().unwrap();
            if kinds.iter().all(|(known, ..)| known != kind) {
                kinds.push((kind.to_owned(), Vec::new(), None));
            }
            let at = kinds.iter().position(|(known, ..)| known == kind).unwrap();
            let last = kinds.remove(at);
            kinds.push(last);
            continue;
        }
        let (_, names, reason) = kinds.last_mut().unwrap();
        match line.strip_prefix("! ") {
            Some(why) => *reason = Some(why.to_owned()),
            None => names.push(line.split(" | ").next().unwrap().trim().to_owned()),
        }
        assert!(line.starts_with('!') || line.split(" | ").count() >= 4, "producers.txt: {line}");
    }
    kinds.sort();
    kinds
}

/// Is there a test of the name that a reason gives?
fn is_test(word: &str) -> bool {
    let Some((file, test)) = word.split_once("::") else { return true };
    let places = ["tests/FILE.rs", "src/FILE/tests.rs", "src/FILE/mod.rs"];
    places.into_iter().any(|place| {
        let path = format!("{}/{}", env!("CARGO_MANIFEST_DIR"), place.replace("FILE", file));
        std::fs::read_to_string(path).is_ok_and(|text| text.contains(&format!("fn {test}(")))
    })
}

#[test]
fn every_format_has_samples_of_three_producers_or_a_reason() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let kinds = producers(&std::fs::read_to_string(format!("{root}/conformance/producers.txt")).unwrap());
    for kind in FileKind::ALL.iter().filter(|kind| looks_into(**kind)) {
        let row = kinds.iter().find(|(name, ..)| name == kind.label());
        let (_, names, reason) = row.unwrap_or_else(|| panic!("producers.txt says nothing of `{}`", kind.label()));
        let different: std::collections::BTreeSet<_> = names.iter().map(|name| name.split(',').next()).collect();
        let (label, count) = (kind.label(), different.len());
        assert!(count >= 3 || reason.is_some(), "producers.txt: `{label}` has {count} producers and no reason");
        assert!(reason.iter().flat_map(|reason| quoted(reason)).all(is_test), "producers.txt: `{label}`: no such test");
    }
    let row = |(kind, names, reason): &(String, Vec<String>, Option<String>)| {
        format!("| `{kind}` | {} | {} |\n", names.join("; "), reason.as_deref().unwrap_or_default())
    };
    let path = format!("{root}/docs/samples.md");
    let samples = format!("{SAMPLES}{}", kinds.iter().map(row).collect::<String>());
    if std::env::var_os("DACHS_BLESS").is_some() {
        std::fs::write(&path, &samples).unwrap();
    }
    assert!(std::fs::read_to_string(&path).unwrap() == samples, "docs/samples.md is old; see its head");
}

/// What stands above the table.
const SAMPLES: &str = "# Who made the samples

For each kind of object that is looked into ([formats.md](formats.md)): the programs that made samples with a planted file, which is
found by its digest and at its path (`cargo conformance producers`; the commands are in `conformance/producers.txt`, of which this
table is made: `DACHS_BLESS=1 cargo test -p dachs-formats --test docs`). The planted file is the EICAR test file, or the program in
ClamAV's test files. Where fewer than three producers are there, the last column says why, and what is tested instead.

| Kind | Producers | Why not more |
|---|---|---|
";
