//! The project speaks of itself alone: no paths of one machine, no addresses of one network, no talk of how it was made.
//!
//! The list stands here in pieces, so that this file does not break its own rule. A line that must hold such a word
//! can be excepted in [`EXCEPTIONS`], with the reason.

use super::Finding;
use super::tree::Tree;

/// What may not stand in any text file, and why. `true`: only as a word of its own.
const FORBIDDEN: [(&str, bool, &str); 6] = [
    (concat!("/wo", "rk/"), false, "a path of one machine"),
    (concat!("/tmp/con", "tracts"), false, "a path of one machine"),
    (concat!("artifac", "tory"), false, "the address of one registry"),
    (concat!("sess", "ion"), true, "talk of how the project was made"),
    (concat!("sess", "ions"), true, "talk of how the project was made"),
    (concat!("issue", " #"), false, "a reference that only one tracker can resolve"),
];

/// File, forbidden word, and why it may stand there.
const EXCEPTIONS: [(&str, &str, &str); 0] = [];

/// Files with forbidden words.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| !file.path.ends_with("Cargo.lock")) {
        for (at, line) in file.text.lines().enumerate() {
            findings.extend(broken(&file.path, line).map(|message| Finding::new(&file.path, at + 1, message)));
        }
    }
    findings
}

fn broken(path: &str, line: &str) -> impl Iterator<Item = String> {
    let lower = line.to_lowercase();
    let excepted = |word: &str| EXCEPTIONS.iter().any(|(file, excepted, _)| *file == path && *excepted == word);
    let stands = |word: &str, alone: bool| if alone { is_alone(&lower, word) } else { lower.contains(word) };
    let found = FORBIDDEN.iter().filter(|(word, alone, _)| stands(word, *alone) && !excepted(word));
    found.map(|(word, _, why)| format!("`{word}` is {why}")).collect::<Vec<_>>().into_iter()
}

fn is_alone(line: &str, word: &str) -> bool {
    super::source::find_word(line, word).is_some()
}

#[cfg(test)]
mod tests {
    use super::super::tree::File;
    use super::*;

    fn findings(text: &str) -> usize {
        check(&Tree { files: vec![File { path: "README.md".to_owned(), text: text.to_owned() }] }).len()
    }

    #[test]
    fn forbidden_words_fail() {
        for (word, _, _) in FORBIDDEN {
            assert_eq!(findings(&format!("see {word} here\n")), 1, "{word}");
        }
    }

    #[test]
    fn other_words_pass() {
        assert_eq!(findings("IDSESSION, /network/, ../shared, an issue\n"), 0);
    }
}
