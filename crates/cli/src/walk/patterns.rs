//! What a walk leaves out by regular expressions, as ClamAV's `--include`, `--exclude` and their kin for directories.
//!
//! The expressions are POSIX extended ones and not anchored. Those for directories are compared with the path as it is
//! shown, those for files with the real path, absolute and without links, as ClamAV does. They run in linear time on
//! bytes ([`regex::bytes`]); back-references, which POSIX leaves undefined here, are refused.
//!
//! The real path is looked up by name, and so may be that of another file if somebody moves files meanwhile. It decides
//! only what is left out, and what is left out is said; nothing is opened by it.

use std::ffi::OsStr;
use std::fs::canonicalize;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use regex::bytes::{RegexSet, RegexSetBuilder};

/// Regular expressions on paths.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patterns {
    /// Files to leave out.
    pub(crate) exclude_files: Option<RegexSet>,
    /// Directories to leave out, with all in them.
    pub(crate) exclude_directories: Option<RegexSet>,
    /// If there are any: the only files to scan.
    pub(crate) include_files: Option<RegexSet>,
    /// If there are any: the only directories to enter.
    pub(crate) include_directories: Option<RegexSet>,
}

impl Patterns {
    /// True if the file with this path is left out.
    pub(super) fn leave_out_file(&self, path: &[u8]) -> bool {
        if self.include_files.is_none() && self.exclude_files.is_none() {
            return false;
        }
        // A path that is too long to be looked up is compared as it is shown.
        let real = canonicalize(OsStr::from_bytes(path)).map_or(path.to_vec(), |real| real.into_os_string().into_vec());
        leave_out(self.include_files.as_ref(), self.exclude_files.as_ref(), &real)
    }

    /// True if the directory with this path is left out.
    pub(super) fn leave_out_directory(&self, path: &[u8]) -> bool {
        leave_out(self.include_directories.as_ref(), self.exclude_directories.as_ref(), path)
    }
}

fn leave_out(include: Option<&RegexSet>, exclude: Option<&RegexSet>, path: &[u8]) -> bool {
    include.is_some_and(|set| !set.is_match(path)) || exclude.is_some_and(|set| set.is_match(path))
}

/// Compiles expressions; `None` if there is none.
///
/// # Errors
/// A sentence about the first that is wrong.
pub(crate) fn expressions(sources: &[String]) -> Result<Option<RegexSet>, String> {
    if sources.is_empty() {
        return Ok(None);
    }
    // Names need not be text: a dot is any byte, and classes are of ASCII.
    let set = RegexSetBuilder::new(sources).unicode(false).dot_matches_new_line(true).build();
    set.map(Some).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(sources: &[&str]) -> Option<RegexSet> {
        expressions(&sources.iter().map(|source| (*source).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn expressions_are_not_anchored_and_compare_bytes() {
        let patterns = Patterns { exclude_files: set(&["\\.iso$", "a.b"]), ..Patterns::default() };
        for path in [&b"x/y.iso"[..], b"a\xffb", b"/a\nb/c"] {
            assert!(patterns.leave_out_file(path), "{path:?}");
            assert!(!patterns.leave_out_directory(path));
        }
        assert!(!patterns.leave_out_file(b"x/y.iso/z"));
    }

    #[test]
    fn files_are_compared_by_their_real_paths() {
        let patterns = Patterns { exclude_files: set(&["^/.*/Cargo.toml$"]), ..Patterns::default() };
        assert!(patterns.leave_out_file(b"src/../Cargo.toml") && !patterns.leave_out_file(b"src/main.rs"));
    }

    #[test]
    fn what_is_excluded_is_left_out_though_it_is_included() {
        let include_directories = set(&["^/srv", "mail"]);
        let patterns = Patterns { include_directories, exclude_directories: set(&["cache"]), ..Patterns::default() };
        assert!(!patterns.leave_out_directory(b"/srv/x"));
        assert!(!patterns.leave_out_directory(b"/var/mail"));
        assert!(patterns.leave_out_directory(b"/srv/cache") && patterns.leave_out_directory(b"/usr"));
    }

    #[test]
    fn a_wrong_expression_is_told() {
        assert!(expressions(&["(".to_owned()]).unwrap_err().contains('('));
        assert!(expressions(&[]).unwrap().is_none());
    }
}
