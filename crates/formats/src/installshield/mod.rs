//! The files behind an InstallShield set-up program.
//!
//! There is no published specification. Observed on set-up programs of InstallShield 11: behind the last section stands a
//! list of files, each with four texts that end in a zero byte, and its bytes as they are:
//!
//! ```text
//! "clam.exe\0" "Disk1\clam.exe\0" "0.0.0.0\0" "544\0" <544 bytes> "data1.cab\0" ...
//!  name         path               version     size
//! ```
//!
//! The other forms (`ISc(` cabinets, `ISSetupStream`, the scrambled list of MSI set-ups) are told and not opened.

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Name, Source};

use crate::Unpack;
use crate::stored::{Entry, Place, Stored, Walk};

/// The four texts of an entry are read at once; they are shorter than this.
const HEADER: usize = 1024;

/// Goes through the files behind a set-up program; `source` begins where the list does.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Stored::open(List { entries: 0, ended: false }, source, budget)
}

/// True if these bytes begin as a list of files does.
pub(crate) fn begins_list(bytes: &[u8]) -> bool {
    header(bytes).is_some()
}

struct List {
    entries: u64,
    ended: bool,
}

impl Walk for List {
    fn next_entry(&mut self, place: &mut Place) -> Entry {
        let start = place.position();
        let (bytes, got) = place.take::<HEADER>();
        if self.ended || got == 0 {
            return Entry::End;
        }
        let Some(header) = bytes.get(..got).and_then(header) else {
            self.ended = true;
            return Entry::Remark(None, self.unreadable());
        };
        self.entries = self.entries.saturating_add(1);
        let data = start.saturating_add(header.length);
        place.input.go_to(data.saturating_add(header.size));
        Entry::File(Name::new(header.path), data, header.size)
    }
}

impl List {
    fn unreadable(&self) -> Anomaly {
        match self.entries {
            0 => Anomaly::unsupported("this form of InstallShield archive cannot be opened yet"),
            _ => Anomaly::damaged("an entry of the InstallShield list is broken; what follows was not read"),
        }
    }
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
    use crate::Item;
    use dachs_base::{AnomalyKind, Limits, Memory, NoClock, read_vec_at};

    fn entry(name: &str, bytes: &[u8]) -> Vec<u8> {
        [format!("{name}\0Disk1\\{name}\x000.0.0.0\0{}\0", bytes.len()).as_bytes(), bytes].concat()
    }

    fn walk(bytes: &[u8]) -> (Vec<(String, Vec<u8>)>, Vec<AnomalyKind>) {
        let source: Arc<dyn Source> = Arc::new(Memory::new(bytes));
        let mut unpack = open(&source, &Budget::new(Limits::default(), NoClock));
        let (mut members, mut anomalies) = (Vec::new(), Vec::new());
        while let Some(item) = unpack.next_item() {
            match item {
                Item::Member(member) => {
                    anomalies.extend(member.source.problem().map(|problem| problem.kind));
                    let name = String::from_utf8_lossy(member.name.as_bytes()).into_owned();
                    members.push((name, read_vec_at(&*member.source, 0, 1 << 16)));
                }
                Item::Anomaly { anomaly, .. } => anomalies.push(anomaly.kind),
                Item::Heuristic(_) | Item::Embedded(_) | Item::Also(_) | Item::Meta(_) => {}
            }
        }
        (members, anomalies)
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
    fn other_forms_are_told() {
        assert_eq!(walk(b"ISc(\x00\x95\x00\x01 a cabinet").1, [AnomalyKind::Unsupported]);
        assert!(!begins_list(b"MZ\x90\0 is no list"));
    }
}
