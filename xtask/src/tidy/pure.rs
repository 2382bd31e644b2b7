//! Pure crates carry the bans that make them pure.
//!
//! ARCHITECTURE.md marks a crate as pure in its list of crates. Such a crate has a `clippy.toml` with the banned
//! functions and types. Clippy reads only the nearest such file, so it repeats the one at the root, and all of them
//! are the same.

use super::Finding;
use super::tree::Tree;

/// The first ban: a file without it bans nothing.
const BAN: &str = "disallowed-methods";

/// Compares the files.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let root = tree.text("clippy.toml");
    let pure = pure(&tree.text("ARCHITECTURE.md"));
    let path = |name: &String| format!("crates/{name}/clippy.toml");
    let model = pure.first().map(|name| tree.text(&path(name))).unwrap_or_default();
    let mut findings = Vec::new();
    for path in pure.iter().map(path) {
        let text = tree.text(&path);
        let wrong = match text.as_str() {
            "" => "a pure crate needs this file, with its bans",
            text if !text.starts_with(&root) => "it does not begin with the settings of the root's clippy.toml",
            text if !text.contains(BAN) => "it bans nothing",
            text if text != model => "it differs from those of the other pure crates",
            _ => continue,
        };
        findings.push(Finding::new(&path, 0, wrong));
    }
    findings
}

/// The crates whose line in the list ends with `pure`, or has `pure, ` in its last column.
fn pure(document: &str) -> Vec<String> {
    let block = document.lines().skip_while(|line| line.trim() != "crates/").skip(1);
    let lines = block.take_while(|line| line.starts_with("  "));
    let pure = lines.filter(|line| line.rsplit("  ").next().is_some_and(|last| last.trim().starts_with("pure")));
    pure.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tree::File;
    use super::*;

    const MAP: &str =
        "```\ncrates/\n  a   words    pure\n  b   bytes    pure, unsafe in one place\n  c   calls    I/O\n```";

    fn findings(root: &str, a: &str, b: &str) -> Vec<String> {
        let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
        let files = vec![
            file("ARCHITECTURE.md", MAP),
            file("clippy.toml", root),
            file("crates/a/clippy.toml", a),
            file("crates/b/clippy.toml", b),
        ];
        check(&Tree { files }).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn pure_crates_are_found() {
        assert_eq!(pure(MAP), ["a", "b"]);
    }

    #[test]
    fn files_must_agree() {
        let good = "x = 1\ndisallowed-methods = []\n";
        assert_eq!(findings("x = 1\n", good, good), [""; 0]);
        assert!(findings("x = 2\n", good, good)[0].contains("does not begin"));
        assert!(
            findings("x = 1\n", good, "x = 1\ndisallowed-methods = [1]\n")[0]
                .starts_with("crates/b/clippy.toml: it differs")
        );
        assert!(findings("x = 1\n", good, "")[0].contains("needs this file"));
        assert!(findings("x = 1\n", "x = 1\n", "x = 1\n")[0].contains("bans nothing"));
    }
}
