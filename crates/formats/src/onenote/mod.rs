//! OneNote sections (specification: MS-ONESTORE): the files that are attached to their pages.
//!
//! An attached file stands in a `FileDataStoreObject` (2.6.13), which is found by its GUID wherever it stands:
//!
//! ```text
//! {BDE316E7-2665-4511-A4C4-8D4D0B7A9EAC}, length (u64), unused (u32), reserved (u64), the file, padding, GUID of the end
//! ```
//!
//! So neither the tables of the section nor its revisions have to be understood, and files that no page shows any more are
//! seen as well. The names of the files stand elsewhere; they are numbered here. The web's form of a section is a package
//! that holds the same objects.

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Name, Part, Reader, Short, Source, read_vec_at};

use crate::{Found, Search, Unpack};

/// How an attached file begins.
const FILE: [u8; 16] = *b"\xe7\x16\xe3\xbd\x65\x26\x11\x45\xa4\xc4\x8d\x4d\x0b\x7a\x9e\xac";
/// Length of what stands before the file's bytes.
const HEADER: u64 = 36;
/// Bytes that are searched at once.
const WINDOW: usize = 64 * 1024;

/// Goes through the files attached to a section.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Box::new(Section { source: Arc::clone(source), found: Found::new(budget), at: 0, count: 0 })
}

struct Section {
    source: Arc<dyn Source>,
    found: Found,
    /// Where the search goes on.
    at: u64,
    count: u64,
}

impl Search for Section {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        let window = read_vec_at(self.source.as_ref(), self.at, WINDOW);
        let place = memchr::memmem::find(&window, &FILE);
        let passed = match place {
            Some(place) => place,
            None if window.len() < WINDOW => {
                self.found.end();
                return Ok(());
            }
            None => WINDOW - FILE.len(),
        };
        self.at = self.at.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX));
        if place.is_some() {
            self.file()?;
        }
        Ok(())
    }
}

impl Section {
    fn file(&mut self) -> Result<(), Anomaly> {
        let length = length(&read_vec_at(self.source.as_ref(), self.at, 36))?;
        let start = self.at.saturating_add(HEADER);
        // A file may itself hold such objects: the search goes on inside it only if its length makes no sense.
        let fits = start.saturating_add(length) <= self.source.len();
        self.at = if fits { start.saturating_add(length) } else { start };
        self.count = self.count.saturating_add(1);
        let part = Part::new(Arc::clone(&self.source), start, length);
        let name = Name::new(format!("file {}", self.count).as_bytes());
        Ok(self.found.member(name, Arc::new(part), Some(length))?)
    }
}

fn length(bytes: &[u8]) -> Result<u64, Short> {
    let mut reader = Reader::new(bytes, "attached file");
    reader.skip(16)?;
    let length = reader.u64_le()?;
    reader.skip(12)?;
    Ok(length)
}
