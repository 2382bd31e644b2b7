//! Every format that is unpacked has its citation, its row in docs/formats.md and a fuzz target.
//!
//! A format is a folder of `dachs-formats` whose `mod.rs` has a function `open`, or one for each of several kinds (`open_apm`):
//! `crates/formats/src/NAME/`. A fuzz target covers a format if it has the format's name, or if fuzz/src/targets.rs says so of it. A row of docs/formats.md covers it if one of its cells is the name, as code or not.

use std::collections::BTreeSet;

use super::Finding;
use super::source::blank;
use super::tree::{File, Tree};

const ROOT: &str = "crates/formats/src/";
const TABLE: &str = "docs/formats.md";
const TARGETS: &str = "fuzz/src/targets.rs";
const CITATIONS: [&str; 9] =
    ["RFC", "APPNOTE", "http://", "https://", "pecification", "POSIX", "Format 1", "(5)", "mach-o/"];
/// Folders whose kinds have another name in the table.
const KINDS: [(&str, &str); 1] = [("sevenzip", "7z")];

/// Formats that lack one of the three.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let rows = rows(&tree.text(TABLE));
    let covered = covered(tree);
    let mut findings = Vec::new();
    for (name, file) in formats(tree) {
        let mut lacks =
            |what: &str| findings.push(Finding::new(&file.path, 1, format!("the format {name} lacks {what}")));
        if !CITATIONS.iter().any(|citation| essay(&file.text).contains(citation)) {
            lacks("a citation of its specification in `//!`");
        }
        let kind = KINDS.iter().find(|(folder, _)| *folder == name).map_or(name, |(_, kind)| kind);
        if !rows.contains(kind) {
            lacks("a row in docs/formats.md");
        }
        if !covered.contains(name) {
            lacks(
                "a fuzz target (one of its name, or one that names it: `target(\"disks\", \"disk images: ext\", …)`)",
            );
        }
    }
    findings
}

/// The modules that have a function `open` or `open_KIND`, with their names.
fn formats(tree: &Tree) -> impl Iterator<Item = (&str, &File)> {
    tree.below(ROOT, ".rs").filter_map(|file| {
        let name = file.path.strip_prefix(ROOT)?.strip_suffix("/mod.rs")?;
        let text = blank(&file.text);
        let mut public = text.lines().filter(|line| line.starts_with("pub"));
        let opens = public.any(|line| line.contains(" fn open(") || line.contains(" fn open_"));
        opens.then_some((name, file))
    })
}

/// The lines of the module comment.
fn essay(text: &str) -> String {
    text.lines().filter(|line| line.starts_with("//!")).collect::<Vec<_>>().join("\n")
}

/// All cells of the table, without back-quotes and in lower case.
fn rows(table: &str) -> BTreeSet<String> {
    let lines = table.lines().filter(|line| line.starts_with('|'));
    let cells = lines.flat_map(|line| line.split(['|', ',']));
    cells.map(|cell| cell.trim().trim_matches('`').to_lowercase()).filter(|cell| !cell.is_empty()).collect()
}

/// The names that fuzz targets have or say they cover: `target("disks", "disk images: dmg, ext", …)`.
fn covered(tree: &Tree) -> BTreeSet<String> {
    let text = tree.text(TARGETS);
    let mut names = BTreeSet::new();
    for words in text.lines().filter_map(|line| line.trim().strip_prefix("target(\"")) {
        let mut quoted = words.split('"').step_by(2);
        names.extend(quoted.next().map(str::to_owned));
        let list = quoted.next().and_then(|what| what.split_once(": "));
        names.extend(list.into_iter().flat_map(|(_, list)| list.split(", ")).map(str::to_owned));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        let file = |(path, text): &(&str, &str)| File { path: (*path).to_owned(), text: (*text).to_owned() };
        Tree { files: files.iter().map(file).collect() }
    }

    const ZIP: (&str, &str) = ("crates/formats/src/zip/mod.rs", "//! ZIP, APPNOTE 6.3.10.\npub(crate) fn open() {}\n");

    #[test]
    fn a_complete_format_passes() {
        let table = (TABLE, "| folder | kind |\n|---|---|\n| `zip` | ZIP |\n");
        assert_eq!(
            check(&tree(&[ZIP, table, (TARGETS, "    target(\"zip\", \"ZIP archives\", |data| all(data)),\n")])),
            []
        );
        assert_eq!(check(&tree(&[ZIP, table, (TARGETS, "    target(\"all\", \"archives: tar, zip\", all),\n")])), []);
    }

    #[test]
    fn an_incomplete_format_fails() {
        let several = check(&tree(&[("crates/formats/src/upx/mod.rs", "//! Programs.\npub(crate) fn open_pe() {}\n")]));
        assert_eq!(several.len(), 3, "{several:?}");
        let found = check(&tree(&[("crates/formats/src/ar/mod.rs", "//! Archives.\npub fn open() {}\n")]));
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found.iter().all(|finding| finding.message.starts_with("the format ar lacks")));
    }

    #[test]
    fn modules_without_open_are_no_formats() {
        let files = [
            ("crates/formats/src/stream/mod.rs", "//! Streams.\nfn open_all() {}\n// pub fn open()\n"),
            ("crates/formats/src/stream/frames.rs", "//! Frames.\npub fn open() {}\n"),
        ];
        assert_eq!(check(&tree(&files)), []);
    }
}
