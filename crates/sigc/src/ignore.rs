//! What is left out of other sources: names (`.ign2`), and single lines (`.ign`). Holds for what is loaded afterwards.

use std::collections::{HashMap, HashSet};

use md5::{Digest, Md5};

use crate::name;
use crate::number::{decimal, hex};
use crate::refused::{Parsed, Refused};

/// All that is to be left out.
#[derive(Debug, Default)]
pub(crate) struct Ignored {
    /// By name; with a digest only the line that has it.
    names: HashMap<String, Option<[u8; 16]>>,
    /// By source, line and name.
    lines: HashSet<(String, u64, String)>,
}

impl Ignored {
    /// Takes a line of `.ign2`: `name[:md5-of-line]`.
    ///
    /// # Errors
    /// When it is malformed.
    pub(crate) fn add_name(&mut self, line: &str) -> Parsed<()> {
        let (name, digest) = match line.split_once(':') {
            Some((name, digest)) => (name, Some(md5(digest)?)),
            None => (line, None),
        };
        self.names.insert(name::bare(name::listed(name))?.to_owned(), digest);
        Ok(())
    }

    /// Takes a line of `.ign`: `source:line:name`.
    ///
    /// # Errors
    /// When it is malformed.
    pub(crate) fn add_line(&mut self, line: &str) -> Parsed<()> {
        let mut fields = line.split(':');
        let (Some(source), Some(number), Some(name), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(Refused::malformed("expected source:line:name"));
        };
        self.lines.insert((source.to_owned(), decimal(number, "a line")?, name::bare(name)?.to_owned()));
        Ok(())
    }

    /// True if the signature `name`, on this line of this source, is to be left out.
    pub(crate) fn holds(&self, source: &str, number: u64, name: &str, line: &[u8]) -> bool {
        let by_name =
            self.names.get(name).is_some_and(|digest| digest.is_none_or(|digest| digest == Md5::digest(line).0));
        // Most databases have no such list; then no key is made.
        by_name || !self.lines.is_empty() && self.lines.contains(&(source.to_owned(), number, name.to_owned()))
    }
}

fn md5(text: &str) -> Parsed<[u8; 16]> {
    hex(text)?.try_into().map_err(|_| Refused::malformed("the digest of a line must have 32 digits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_lines_are_left_out() {
        let mut ignored = Ignored::default();
        ignored.add_name("A.B-1.UNOFFICIAL").unwrap();
        ignored.add_name("C.D-2:900150983cd24fb0d6963f7d28e17f72").unwrap();
        ignored.add_line("main.ndb:7:E.F-3").unwrap();
        assert!(ignored.holds("x", 1, "A.B-1", b""));
        assert!(ignored.holds("x", 1, "C.D-2", b"abc"));
        assert!(!ignored.holds("x", 1, "C.D-2", b"abd"));
        assert!(ignored.holds("main.ndb", 7, "E.F-3", b""));
        assert!(!ignored.holds("main.ndb", 8, "E.F-3", b""));
    }

    #[test]
    fn malformed_lines_are_refused() {
        let mut ignored = Ignored::default();
        for line in ["", "a:12", ":900150983cd24fb0d6963f7d28e17f72"] {
            assert!(ignored.add_name(line).is_err(), "{line}");
        }
        for line in ["", "a:b:c", "a:1", "a:1:", "a:1:b:c"] {
            assert!(ignored.add_line(line).is_err(), "{line}");
        }
    }
}
