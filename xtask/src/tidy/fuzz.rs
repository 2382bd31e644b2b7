//! Every fuzz target that fuzz/Cargo.toml lists exists, and every file in fuzz/fuzz_targets is listed.

use std::collections::BTreeSet;

use super::Finding;
use super::tree::Tree;

const MANIFEST: &str = "fuzz/Cargo.toml";
const FOLDER: &str = "fuzz/fuzz_targets/";

/// Compares the list with the folder.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let manifest = tree.text(MANIFEST);
    let listed: BTreeSet<String> = listed(&manifest).map(|path| format!("fuzz/{path}")).collect();
    let there: BTreeSet<String> = tree.below(FOLDER, ".rs").map(|file| file.path.clone()).collect();
    let missing = listed.difference(&there).map(|path| Finding::new(MANIFEST, 0, format!("{path} does not exist")));
    let unlisted = there.difference(&listed).map(|path| Finding::new(path, 0, format!("{MANIFEST} does not list it")));
    missing.chain(unlisted).collect()
}

/// The values of the lines `path = "fuzz_targets/…"`.
fn listed(manifest: &str) -> impl Iterator<Item = &str> {
    let paths = manifest.lines().filter_map(|line| line.trim().strip_prefix("path = \"")?.strip_suffix('"'));
    paths.filter(|path| path.starts_with("fuzz_targets/"))
}

#[cfg(test)]
mod tests {
    use super::super::tree::File;
    use super::*;

    #[test]
    fn lists_and_files_agree() {
        let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
        let manifest = "[[bin]]\nname = \"a\"\npath = \"fuzz_targets/a.rs\"\n";
        let mut tree = Tree { files: vec![file(MANIFEST, manifest), file("fuzz/fuzz_targets/a.rs", "")] };
        assert_eq!(check(&tree), []);
        tree.files[1].path = "fuzz/fuzz_targets/b.rs".to_owned();
        let found: Vec<String> = check(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("a.rs does not exist"));
        assert!(found[1].contains("does not list it"));
    }
}
