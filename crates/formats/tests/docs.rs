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
