//! The engine as the rest of Dachs sees it: two traits, and what goes in and out.

use crate::Fault;
use std::time::Duration;

/// Takes rules one by one.
pub trait Compile {
    /// Adds a rule, or an import, to those of `source`, the only ones that it sees.
    ///
    /// # Errors
    /// What is wrong with it. It is as if it had not been added then.
    fn add(&mut self, source: u32, text: &str) -> Result<(), Fault>;

    /// What evaluates them.
    fn finish(self: Box<Self>) -> Box<dyn Evaluate>;
}

/// Compiled rules. Immutable, and without threads, files, or executable memory.
pub trait Evaluate: Send + Sync {
    /// Runs the rules on one object and calls `hit` for each that matches and is not private. Gives false if the time was
    /// over before all of them were decided.
    fn evaluate(&self, object: &Object<'_>, hit: &mut dyn FnMut(Hit<'_>)) -> bool;
}

/// What rules are run on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Object<'a> {
    /// All of its bytes.
    pub bytes: &'a [u8],
    /// What rules may ask besides.
    pub externals: &'a Externals,
    /// The time left, if it is limited.
    pub time: Option<Duration>,
}

/// The external variables, as THOR and LOKI set them. All are texts; what is not known is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Externals {
    /// `filename`: the last part of the path, or of the name of a member.
    pub filename: Vec<u8>,
    /// `filepath`: what stands before it, without a slash at the end.
    pub filepath: Vec<u8>,
    /// `extension`: from the last dot of the name on, in lower case: `.exe`.
    pub extension: Vec<u8>,
    /// `filetype`: what the object is, in capitals: `EXE`, `ZIP`, `PDF`.
    pub filetype: Vec<u8>,
    /// `owner`: the user who owns the file.
    pub owner: Vec<u8>,
}

impl Default for &Externals {
    fn default() -> Self {
        static NONE: Externals = Externals {
            filename: Vec::new(),
            filepath: Vec::new(),
            extension: Vec::new(),
            filetype: Vec::new(),
            owner: Vec::new(),
        };
        &NONE
    }
}

impl Externals {
    /// Their names.
    pub const NAMES: [&str; 5] = ["filename", "filepath", "extension", "filetype", "owner"];

    /// What a path says.
    #[must_use]
    pub fn of_path(path: &[u8]) -> Externals {
        let cut = path.iter().rposition(|byte| matches!(byte, b'/' | b'\\'));
        let (filepath, filename) = match cut {
            Some(cut) => (path.get(..cut).unwrap_or_default(), path.get(cut.saturating_add(1)..).unwrap_or_default()),
            None => (&[][..], path),
        };
        let dot = filename.iter().rposition(|byte| *byte == b'.');
        let extension = dot.and_then(|dot| filename.get(dot..)).unwrap_or_default();
        Externals {
            filename: filename.to_vec(),
            filepath: filepath.to_vec(),
            extension: extension.to_ascii_lowercase(),
            ..Externals::default()
        }
    }
}

/// A rule that matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit<'a> {
    /// Its source.
    pub source: u32,
    /// Its name.
    pub name: &'a str,
    /// Matches of its strings that are not private, by string. Not all, if fewer were enough for the condition.
    pub strings: Vec<StringMatch<'a>>,
}

/// A match of one string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StringMatch<'a> {
    /// The string's name, without its `$`.
    pub name: &'a str,
    /// Where in the object.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart() {
        for (path, filepath, filename, extension) in [
            ("/var/log/a.B.LOG", "/var/log", "a.B.LOG", ".log"),
            ("a", "", "a", ""),
            ("C:\\x\\y.exe", "C:\\x", "y.exe", ".exe"),
            ("/.bashrc", "", ".bashrc", ".bashrc"),
            ("dir/", "dir", "", ""),
        ] {
            let externals = Externals::of_path(path.as_bytes());
            let expected: [&[u8]; 3] = [filepath.as_bytes(), filename.as_bytes(), extension.as_bytes()];
            assert_eq!([&externals.filepath[..], &externals.filename, &externals.extension], expected, "{path}");
        }
    }
}
