//! The plain list of files behind a set-up program: each with four texts that end in a zero byte, and its bytes as they are.
//!
//! ```text
//! "clam.exe\0" "Disk1\clam.exe\0" "0.0.0.0\0" "544\0" <544 bytes> "data1.cab\0" ...
//!  name         path               version     size
//! ```
//!
//! A cabinet in the list is opened with the header file that stands in the list too: see [`super::cabinet`]. It is then not
//! given itself, for its files are.

use std::collections::VecDeque;
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Name, Part, Source, read_vec_at};

use super::cabinet::{self, Set};
use crate::{Found, Search, Unpack};

/// The four texts of an entry are read at once; they are shorter than this.
const HEADER: usize = 1024;

/// Goes through the files; `source` begins where the list does.
pub(super) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    let (source, budget, found) = (Arc::clone(source), budget.clone(), Found::new(budget));
    Box::new(List { source, budget, found, at: 0, files: None, broken: false })
}

/// True if these bytes begin as a list of files does.
pub(crate) fn begins_list(bytes: &[u8]) -> bool {
    header(bytes).is_some()
}

/// Files of one list; more are not believed.
const MOST: usize = 100_000;

struct List {
    source: Arc<dyn Source>,
    budget: Budget,
    found: Found,
    /// Where the next entry stands.
    at: u64,
    /// The files that were not given yet; absent until the list was read.
    files: Option<VecDeque<Listed>>,
    /// The list breaks off.
    broken: bool,
}

/// A file of the list.
struct Listed {
    name: Name,
    bytes: Part,
    size: u64,
}

impl Search for List {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        let Some(files) = self.files.as_mut() else {
            let files = self.read()?;
            let (files, cabinets) = cabinet_sets(files);
            for set in cabinets {
                cabinet::give(&set, &mut self.found, &self.budget)?;
            }
            self.files = Some(files);
            return Ok(());
        };
        match files.pop_front() {
            Some(file) => Ok(self.found.member(file.name, Arc::new(file.bytes), Some(file.size))?),
            None if self.broken => {
                Err(Anomaly::damaged("an entry of the InstallShield list is broken; what follows was not read"))
            }
            None => {
                self.found.end();
                Ok(())
            }
        }
    }
}

impl List {
    fn read(&mut self) -> Result<Vec<Listed>, Anomaly> {
        let mut files = Vec::new();
        while files.len() < MOST {
            self.budget.check_time()?;
            let bytes = read_vec_at(self.source.as_ref(), self.at, HEADER);
            let Some(header) = header(&bytes) else {
                self.broken = !bytes.is_empty();
                break;
            };
            let start = self.at.saturating_add(header.length);
            let bytes = Part::new(Arc::clone(&self.source), start, header.size);
            files.push(Listed { name: Name::new(header.path), bytes, size: header.size });
            self.at = start.saturating_add(header.size);
        }
        Ok(files)
    }
}

/// Takes the cabinets out whose header stands in the list. Files of a set are called `data1.hdr`, `data1.cab`, `data2.cab`.
fn cabinet_sets(files: Vec<Listed>) -> (VecDeque<Listed>, Vec<Set>) {
    let is_cabinet = |file: &Listed| read_vec_at(&file.bytes, 0, 4) == cabinet::MAGIC;
    let lower = |file: &Listed| file.name.as_bytes().to_ascii_lowercase();
    let mut sets: Vec<Set> = Vec::new();
    for file in files.iter().filter(|file| lower(file).ends_with(b"1.hdr") && is_cabinet(file)) {
        let stem = lower(file);
        let stem = stem.get(..stem.len() - 5).unwrap_or_default().to_vec();
        sets.push(Set { stem, header: Arc::new(file.bytes.clone()), cabinets: Vec::new() });
    }
    let mut rest = VecDeque::new();
    for file in files {
        let name = lower(&file);
        let volume = |set: &Set| number_of(name.strip_prefix(set.stem.as_slice())?.strip_suffix(b".cab")?);
        let place = sets.iter_mut().find_map(|set| volume(set).map(|number| (set, number)));
        match place {
            Some((set, number)) if is_cabinet(&file) => set.cabinets.push((number, Arc::new(file.bytes))),
            _ => rest.push_back(file),
        }
    }
    (rest, sets)
}

fn number_of(digits: &[u8]) -> Option<u16> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The texts of an entry.
struct Header<'a> {
    path: &'a [u8],
    size: u64,
    /// Bytes of the header itself.
    length: u64,
}

fn header(bytes: &[u8]) -> Option<Header<'_>> {
    let mut texts = bytes.split(|byte| *byte == 0);
    let (name, path, version, size) = (texts.next()?, texts.next()?, texts.next()?, texts.next()?);
    texts.next()?; // the zero byte behind the size is there
    let printable = |text: &[u8]| !text.is_empty() && text.iter().all(|byte| *byte >= b' ');
    let numbers = version.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.') && version.contains(&b'.');
    if !printable(name) || !path.ends_with(name) || !printable(path) || !numbers {
        return None;
    }
    let size = std::str::from_utf8(size).ok()?.parse().ok()?;
    let length = u64::try_from(name.len() + path.len() + version.len()).ok()?;
    let digits = bytes.get(usize::try_from(length).ok()? + 3..)?.iter().position(|byte| *byte == 0)?;
    Some(Header { path, size, length: length + 4 + u64::try_from(digits).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seen::{Seen, seen};
    use dachs_base::{Limits, Memory, NoClock};

    fn entry(name: &str, bytes: &[u8]) -> Vec<u8> {
        [format!("{name}\0Disk1\\{name}\x000.0.0.0\0{}\0", bytes.len()).as_bytes(), bytes].concat()
    }

    fn walk(bytes: &[u8]) -> Seen {
        let source: Arc<dyn Source> = Arc::new(Memory::new(bytes));
        seen(&mut *open(&source, &Budget::new(Limits::default(), NoClock)))
    }

    #[test]
    fn the_files_of_a_list_are_given() {
        let list = [entry("a.exe", b"first"), entry("b.cab", &[0; 3000]), entry("c", b"\0\0last")].concat();
        let (members, anomalies) = walk(&list);
        let expected =
            [("Disk1\\a.exe", b"first".to_vec()), ("Disk1\\b.cab", vec![0; 3000]), ("Disk1\\c", b"\0\0last".to_vec())];
        assert_eq!(members, expected.map(|(name, bytes)| (name.to_owned(), bytes)));
        assert_eq!(anomalies, []);
    }

    #[test]
    fn every_cut_is_told() {
        let list = [entry("a.exe", b"first"), entry("b.cab", &[7; 50])].concat();
        let (first, whole) = (entry("a.exe", b"first").len(), list.len());
        for cut in (1..whole).filter(|cut| *cut != first) {
            assert!(!walk(&list[..cut]).1.is_empty(), "cut at {cut}");
        }
    }

    #[test]
    fn what_is_no_list_does_not_begin_as_one() {
        assert!(!begins_list(b"MZ\x90\0 is no list"));
    }
}
