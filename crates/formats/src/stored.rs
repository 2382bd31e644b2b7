//! Archives whose members stand in them as they are: tar, cpio, ar, universal Mach-O.
//!
//! A format is a [`Walk`] from header to header. [`Stored`] makes an unpacker of it: members become parts of the archive's
//! own source, without a copy. The walk goes forward only and reads in pieces of several KiB, because the source may
//! be a stream that is decompressed as it is read. Entries without bytes are no members: there is nothing to scan.

use std::io::Read;
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Meta, Name, Part, Source};

use crate::stream::SourceRead;
use crate::{Item, Member, Unpack};

/// A way through the entries of an archive.
pub(crate) trait Walk: Send {
    /// Reads the next header. Must go forward, or end.
    fn next_entry(&mut self, place: &mut Place) -> Entry;

    /// The number of the file that was given last, as ClamAV counts, where it tests what such archives say of it.
    fn position(&self) -> Option<u64> {
        None
    }
}

/// What stands at a place of an archive.
pub(crate) enum Entry {
    /// A file: its name, where its bytes start, and how many there are.
    File(Name, u64, u64),
    /// Something that is no file.
    Other,
    /// A remark about the archive, or about the named member.
    Remark(Option<Name>, Anomaly),
    /// The end.
    End,
}

/// An archive and how far it was read.
pub(crate) struct Place {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) budget: Budget,
    pub(crate) input: SourceRead,
}

impl Place {
    /// The next `N` bytes, and how many of them there are.
    pub(crate) fn take<const N: usize>(&mut self) -> ([u8; N], usize) {
        let mut bytes = [0; N];
        let got = self.input.read_fully(&mut bytes);
        (bytes, got)
    }

    /// The next `count` bytes, of which at most `most` are kept; all are passed.
    pub(crate) fn take_text(&mut self, count: u64, most: u64) -> Vec<u8> {
        let end = self.position().saturating_add(count);
        let mut bytes = Vec::new();
        // A `SourceRead` gives no errors.
        let _ = (&mut self.input).take(count.min(most)).read_to_end(&mut bytes);
        self.input.go_to(end);
        bytes
    }

    /// Where the next byte stands.
    pub(crate) fn position(&self) -> u64 {
        self.input.position()
    }

    /// Goes forward by `count` bytes, then to a multiple of `unit`.
    pub(crate) fn pass(&mut self, count: u64, unit: u64) {
        let to = self.position().saturating_add(count);
        self.input.go_to(to.checked_next_multiple_of(unit).unwrap_or(u64::MAX));
    }
}

/// An unpacker over a [`Walk`].
pub(crate) struct Stored<W> {
    walk: W,
    place: Place,
    /// What follows the item that was given last.
    waiting: Option<Item>,
    done: bool,
}

impl<W: Walk + 'static> Stored<W> {
    /// Walks through `source` from its first byte.
    pub(crate) fn open(walk: W, source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
        let input = SourceRead::new(Arc::clone(source));
        let place = Place { source: Arc::clone(source), budget: budget.clone(), input };
        Box::new(Stored { walk, place, waiting: None, done: false })
    }
}

impl<W: Walk> Stored<W> {
    fn file(&mut self, name: Name, start: u64, size: u64) -> Item {
        if let Err(reached) = self.place.budget.charge_object() {
            self.done = true;
            return Item::Anomaly { member: Some(name), anomaly: reached.into() };
        }
        let part = Part::new(Arc::clone(&self.place.source), start, size);
        Item::Member(Member { name, source: Arc::new(part), packed_size: Some(size) })
    }
}

fn meta(name: &Name, size: u64, position: u64) -> Meta {
    Meta { name: name.clone(), packed: size, length: size, encrypted: false, position }
}

impl<W: Walk> Unpack for Stored<W> {
    fn next_item(&mut self) -> Option<Item> {
        if let Some(item) = self.waiting.take() {
            return Some(item);
        }
        while !self.done {
            if let Err(reached) = self.place.budget.check_time() {
                self.done = true;
                return Some(Item::Anomaly { member: None, anomaly: reached.into() });
            }
            match self.walk.next_entry(&mut self.place) {
                Entry::File(name, start, size) => {
                    let meta = self.walk.position().map(|position| meta(&name, size, position));
                    let file = (size > 0).then(|| self.file(name, start, size));
                    if let Some(meta) = meta {
                        self.waiting = file;
                        return Some(Item::Meta(meta));
                    }
                    if file.is_some() {
                        return file;
                    }
                }
                Entry::Other => {}
                Entry::Remark(member, anomaly) => return Some(Item::Anomaly { member, anomaly }),
                Entry::End => self.done = true,
            }
        }
        None
    }
}
