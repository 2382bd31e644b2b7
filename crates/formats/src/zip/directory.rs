//! Walks one central directory (APPNOTE 4.3.12), header by header, as long as headers come.
//!
//! The number of entries in the end record is not believed. The directory is read as a stream, so its length does not
//! matter.

use std::sync::Arc;

use dachs_base::{Name, Source};

use super::ends::Directory;
use super::record::{CENTRAL_LENGTH, Central, DIGITAL_SIGNATURE};
use crate::stream::SourceRead;

/// An entry of the directory.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) header: Central,
    pub(super) name: Name,
    /// Where its local header should stand.
    pub(super) local: u64,
}

/// A walk through a directory.
pub(super) struct Walk {
    directory: Directory,
    input: SourceRead,
}

impl Walk {
    /// Begins at the first header.
    pub(super) fn new(source: &Arc<dyn Source>, directory: Directory) -> Walk {
        Walk { directory, input: SourceRead::range(Arc::clone(source), directory.start, u64::MAX) }
    }

    /// The number of this volume, as the end record states it.
    pub(super) fn disk(&self) -> u32 {
        self.directory.disk
    }

    /// The next entry, or `None` where no header follows.
    pub(super) fn next_entry(&mut self) -> Option<Entry> {
        let (bytes, _) = self.input.peek::<CENTRAL_LENGTH>();
        let mut header = Central::read(&bytes)?;
        self.skip(CENTRAL_LENGTH as u64);
        let name = self.read_up_to(header.fields.name_length, Name::LONGEST);
        match header.needs_extra() {
            true => header.widen(&self.read_up_to(header.fields.extra_length, usize::MAX)),
            false => self.skip(u64::from(header.fields.extra_length)),
        }
        self.skip(u64::from(header.comment_length));
        let local = self.directory.base.wrapping_add(header.offset);
        Some(Entry { header, name: Name::new(&name), local })
    }

    /// True if the walk came to the end of the directory, not to something that is no header.
    pub(super) fn is_complete(&mut self) -> bool {
        let position = self.directory.start.saturating_add(self.input.position());
        let (signature, _) = self.input.peek::<4>();
        position == self.directory.end || signature == DIGITAL_SIGNATURE
    }

    /// Reads `length` bytes and gives the first `most` of them.
    fn read_up_to(&mut self, length: u16, most: usize) -> Vec<u8> {
        let wanted = usize::from(length).min(most);
        let mut bytes = vec![0; wanted];
        let got = self.input.read_fully(&mut bytes);
        bytes.truncate(got);
        self.skip(u64::from(length).saturating_sub(wanted as u64));
        bytes
    }

    fn skip(&mut self, count: u64) {
        self.input.go_to(self.input.position().saturating_add(count));
    }
}
