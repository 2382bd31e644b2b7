//! Compiled HTML Help (specification: M. Russotto, "Microsoft's HTML Help (.chm) format",
//! <https://www.russotto.net/chm/chmformat.html>, and his page on its LZX).
//!
//! ```text
//! ITSF header -> directory: ITSP header, chunks PMGL (lists of entries) and PMGI (an index)   list.rs
//! entry: name, section, offset, length      section 0: as it stands      section 1: one LZX stream
//! ::DataSpace/Storage/MSCompressed/Content, /ControlData, ResetTable                          section.rs
//! ```
//!
//! All chunks are read front to back, whatever the index says, so a file that no index leads to is seen. LZX starts anew
//! every few frames of 32 KiB, so each member begins at the last such place before it. Empty files and the tables of the
//! format itself (names that begin with `::`) are no members.

mod list;
mod section;

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Meta, Name, Part, Reader, Source, read_vec_at};

use self::list::{Entry, List};
use self::section::Section;
use crate::stream::Replay;
use crate::{Found, Search, Unpack};

/// Goes through the files of a help file.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    let (source, budget, found) = (Arc::clone(source), budget.clone(), Found::new(budget));
    Box::new(Help { source, budget, found, content: 0, list: None, section: None, position: 0 })
}

struct Help {
    source: Arc<dyn Source>,
    budget: Budget,
    found: Found,
    /// Where section 0 begins.
    content: u64,
    /// Absent until the header was read.
    list: Option<List>,
    /// The compressed section, or why it cannot be read; absent until it was looked for.
    section: Option<Result<Arc<Section>, Anomaly>>,
    /// The number of the next file.
    position: u64,
}

impl Search for Help {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        let Some(list) = self.list.as_mut() else { return self.read_header() };
        match list.next_entry(self.source.as_ref()) {
            Some(entry) => self.give(entry),
            None => {
                if list.is_broken() {
                    self.found.remark(None, Anomaly::damaged("the directory is broken; not all of it was read"));
                }
                self.found.end();
                Ok(())
            }
        }
    }
}

impl Help {
    fn read_header(&mut self) -> Result<(), Anomaly> {
        let bytes = read_vec_at(self.source.as_ref(), 0, 0x60);
        let mut reader = Reader::new(&bytes, "CHM header");
        reader.skip(4)?;
        let version = reader.u32_le()?;
        reader.skip(0x40)?;
        let (directory, length) = (reader.u64_le()?, reader.u64_le()?);
        // Before version 3 the content follows the directory.
        self.content = if version < 3 { directory.saturating_add(length) } else { reader.u64_le()? };
        self.list = Some(List::open(self.source.as_ref(), directory)?);
        Ok(())
    }

    fn give(&mut self, entry: Entry) -> Result<(), Anomaly> {
        if entry.name.starts_with(b"::") || entry.name.ends_with(b"/") {
            return Ok(());
        }
        let (name, length, position) = (Name::new(&entry.name), entry.length, self.position);
        self.found.meta(Meta { name, packed: 0, length, encrypted: false, position });
        self.position = position.saturating_add(1);
        if entry.length == 0 {
            return Ok(());
        }
        let name = Name::new(entry.name.strip_prefix(b"/").unwrap_or(&entry.name));
        if entry.section == 0 {
            let start = self.content.saturating_add(entry.offset);
            let part = Part::new(Arc::clone(&self.source), start, entry.length);
            return Ok(self.found.member(name, Arc::new(part), Some(entry.length))?);
        }
        match self.section(entry.section) {
            Ok(section) => {
                let (start, length, budget) = (entry.offset, entry.length, self.budget.clone());
                let replay = Replay::new(&self.budget, move || section.open(start, length, &budget));
                self.found.member(name, Arc::new(replay.expecting(Some(length), None)), None)?;
            }
            Err(anomaly) => self.found.remark(Some(name), anomaly),
        }
        Ok(())
    }

    fn section(&mut self, number: u64) -> Result<Arc<Section>, Anomaly> {
        if number != 1 {
            return Err(Anomaly::unsupported("it stands in a section of unknown form"));
        }
        let list = self.list.as_ref().ok_or_else(|| Anomaly::damaged("the directory is missing"))?;
        let (source, content) = (&self.source, self.content);
        self.section.get_or_insert_with(|| Section::find(source, content, list).map(Arc::new)).clone()
    }
}
