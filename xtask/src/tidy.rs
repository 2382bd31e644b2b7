//! The rules of the house that a machine can check and no compiler does.
//!
//! Each check is a pure function from text to [`Finding`]s; this module reads the files, hands them to the checks and
//! collects what they say. The checks do not parse Rust: they look at a file with its comments and strings blanked out
//! ([`source::Source`]), which is enough for words, braces and lines.
//!
//! | module | rule |
//! |---|---|
//! | [`arrows`] | crates depend on each other as ARCHITECTURE.md says |
//! | [`formats`] | each format folder cites its specification, has a row in docs/formats.md and a fuzz target |
//! | [`jail`] | each line of a list of system calls has a reason |
//! | [`pure`] | pure crates carry the bans that make them pure |
//! | [`sizes`] | files and functions stay small |
//! | [`style`] | module essays, `unsafe` in two places, no leftovers |
//! | [`words`] | the project speaks of itself alone |

mod arrows;
mod formats;
mod jail;
mod pure;
mod sizes;
mod source;
mod style;
mod tree;
mod words;

use std::fmt;
use std::path::Path;

use source::Source;
use tree::Tree;

/// A rule that is broken, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// The file, relative to the root.
    pub(crate) file: String,
    /// The line, from 1; 0 if the whole file is meant.
    pub(crate) line: usize,
    /// What is wrong, in one sentence.
    pub(crate) message: String,
}

impl Finding {
    /// A finding at a line; 0 means the whole file.
    pub(crate) fn new(file: &str, line: usize, message: impl Into<String>) -> Finding {
        Finding { file: file.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.message),
            line => write!(f, "{}:{line}: {}", self.file, self.message),
        }
    }
}

/// All that the checks found.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Broken rules; any of them fails the run.
    pub(crate) findings: Vec<Finding>,
    /// Things to know, which fail nothing.
    pub(crate) notes: Vec<String>,
}

impl Outcome {
    /// True if no rule is broken.
    pub(crate) fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        match self.findings.len() {
            0 => writeln!(f, "tidy: all rules hold"),
            count => writeln!(f, "tidy: {count} broken rules"),
        }
    }
}

/// Checks the project below `root`.
pub(crate) fn check(root: &Path) -> Result<Outcome, String> {
    let tree = Tree::read(root)?;
    let sources: Vec<Source> = tree.rust().map(|file| Source::new(&file.path, &file.text)).collect();
    let mut outcome = Outcome::default();

    arrows::check(&tree.text("ARCHITECTURE.md"), &arrows::packages(root)?, &mut outcome);
    for source in &sources {
        outcome.findings.extend(style::check(source));
        outcome.findings.extend(sizes::check(source));
    }
    outcome.findings.extend(style::check_roots(&sources));
    outcome.notes.extend(sizes::summary(&sources));
    outcome.findings.extend(formats::check(&tree));
    for file in tree.below("crates/sys/src/jail/", ".txt") {
        outcome.findings.extend(jail::check(&file.path, &file.text));
    }
    outcome.findings.extend(pure::check(&tree));
    outcome.findings.extend(words::check(&tree));
    outcome.findings.sort();
    Ok(outcome)
}
