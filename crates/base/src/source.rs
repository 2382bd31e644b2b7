//! Where an object's bytes come from.
//!
//! A [`Source`] is read at offsets, like a file with `pread`. It is a file descriptor (in the worker), a [`Part`] of
//! another source (a stored member of an archive: no copy), a [`Memory`] buffer (a [`Held`] one if it was reserved), or a stream that is
//! decompressed as it is read (`dachs_formats`). Reading never fails: a source gives the bytes it has and remembers the first problem,
//! which the engine asks for when it is done with the object. So no reader can forget to report one.

use crate::{Anomaly, Charge};
use std::borrow::Cow;
use std::sync::Arc;

/// What is not in memory anyway is [held](Source::held) there if it has at most so many bytes.
pub const HELD: u64 = 1 << 20;

/// Random access to an object's bytes.
pub trait Source: Send + Sync {
    /// Reads at `offset` into `buffer`, as many bytes as there are; fewer than asked for only at the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> usize;

    /// How many bytes there are. May have to decompress all of a stream to find out.
    fn len(&self) -> u64;

    /// True if there is no byte.
    fn is_empty(&self) -> bool {
        self.read_at(0, &mut [0]) == 0
    }

    /// The length, if it is known without work.
    fn known_len(&self) -> Option<u64> {
        Some(self.len())
    }

    /// The first offset at or after `offset` that may hold a byte other than zero. Sources that know of holes skip them.
    fn next_data(&self, offset: u64) -> u64 {
        offset
    }

    /// All bytes, if they lie in memory in one piece, or are few enough ([`HELD`]) to be brought there at once. Asked by those
    /// who go through the whole object: it is read or decoded once then, and nobody copies it.
    fn held(&self) -> Option<&[u8]> {
        None
    }

    /// True if all bytes that were read so far, and some more, can be read again from memory: nothing has to be decoded twice for it.
    fn keeps(&self) -> bool {
        false
    }

    /// The MD5 of all bytes, if somebody found it out before.
    fn known_md5(&self) -> Option<[u8; 16]> {
        None
    }

    /// What went wrong while reading so far: damage, a limit, an I/O error. Bytes after it were not given.
    fn problem(&self) -> Option<Anomaly> {
        None
    }
}

/// Fills `buffer` from `offset`, or tells that there are not enough bytes.
pub fn read_exact_at(source: &dyn Source, offset: u64, buffer: &mut [u8]) -> bool {
    source.read_at(offset, buffer) == buffer.len()
}

/// Up to `count` bytes from `offset`. The caller bounds `count`: it is allocated at once, as far as the source is known to
/// have so many.
#[must_use]
pub fn read_vec_at(source: &dyn Source, offset: u64, count: usize) -> Vec<u8> {
    let left = source.known_len().map(|known| usize::try_from(known.saturating_sub(offset)).unwrap_or(usize::MAX));
    let mut bytes = vec![0; left.map_or(count, |left| left.min(count))];
    let got = source.read_at(offset, &mut bytes);
    bytes.truncate(got);
    bytes
}

/// As [`read_vec_at`], but without a copy of what is [held](Source::held), if that is not much more than is asked for.
#[must_use]
pub fn bytes_at(source: &dyn Source, offset: u64, count: usize) -> Cow<'_, [u8]> {
    let most = u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(4);
    match source.known_len().filter(|length| *length <= most).and_then(|_| source.held()) {
        Some(held) => {
            let rest = usize::try_from(offset).ok().and_then(|start| held.get(start..)).unwrap_or(&[]);
            Cow::Borrowed(rest.get(..count).unwrap_or(rest))
        }
        None => Cow::Owned(read_vec_at(source, offset, count)),
    }
}

/// Copies of `bytes` what stands from `offset` on, as much as there is and as the buffer takes.
pub fn copy_at(bytes: &[u8], offset: u64, buffer: &mut [u8]) -> usize {
    let rest = usize::try_from(offset).ok().and_then(|start| bytes.get(start..)).unwrap_or(&[]);
    let count = rest.len().min(buffer.len());
    if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
        to.copy_from_slice(from);
    }
    count
}

/// Bytes in memory.
#[derive(Clone, Debug)]
pub struct Memory {
    bytes: Arc<[u8]>,
}

impl Memory {
    /// A source of these bytes.
    #[must_use]
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Memory {
        Memory { bytes: bytes.into() }
    }
}

impl Source for Memory {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> usize {
        copy_at(&self.bytes, offset, buffer)
    }

    fn len(&self) -> u64 {
        u64::try_from(self.bytes.len()).unwrap_or(u64::MAX)
    }

    fn held(&self) -> Option<&[u8]> {
        Some(&self.bytes)
    }
}

/// Bytes in memory that were reserved, for as long as they live.
pub struct Held {
    bytes: Vec<u8>,
    _memory: Vec<Charge>,
}

impl Held {
    /// A source of these bytes, which `memory` was set aside for.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>, memory: impl IntoIterator<Item = Charge>) -> Held {
        Held { bytes: bytes.into(), _memory: memory.into_iter().collect() }
    }
}

impl Source for Held {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> usize {
        copy_at(&self.bytes, offset, buffer)
    }

    fn len(&self) -> u64 {
        u64::try_from(self.bytes.len()).unwrap_or(u64::MAX)
    }

    fn held(&self) -> Option<&[u8]> {
        Some(&self.bytes)
    }
}

/// A range of another source. Reads past the parent's end give nothing.
#[derive(Clone)]
pub struct Part {
    parent: Arc<dyn Source>,
    start: u64,
    length: u64,
}

impl Part {
    /// `length` bytes of `parent` from `start`. The range may reach past the parent's end; [`Source::problem`] then says so.
    #[must_use]
    pub fn new(parent: Arc<dyn Source>, start: u64, length: u64) -> Part {
        Part { parent, start, length: length.min(u64::MAX - start) }
    }

    /// How many bytes of the range the parent has.
    fn present(&self) -> u64 {
        self.known_len().unwrap_or(self.length)
    }
}

impl Source for Part {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let left = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = left.min(buffer.len());
        match buffer.get_mut(..count) {
            Some(wanted) if count > 0 => self.parent.read_at(self.start.saturating_add(offset), wanted),
            _ => 0,
        }
    }

    fn len(&self) -> u64 {
        self.present()
    }

    fn known_len(&self) -> Option<u64> {
        // The parent is asked once: parts of parts are nested deep, and two questions each would be 2^depth.
        self.parent.known_len().map(|length| self.length.min(length.saturating_sub(self.start)))
    }

    fn next_data(&self, offset: u64) -> u64 {
        self.parent.next_data(self.start.saturating_add(offset)).saturating_sub(self.start).max(offset)
    }

    fn held(&self) -> Option<&[u8]> {
        let held = self.parent.held()?;
        let rest = usize::try_from(self.start).ok().and_then(|start| held.get(start..)).unwrap_or(&[]);
        Some(usize::try_from(self.length).ok().and_then(|length| rest.get(..length)).unwrap_or(rest))
    }

    fn keeps(&self) -> bool {
        self.parent.keeps()
    }

    fn problem(&self) -> Option<Anomaly> {
        let short = self.present() < self.length;
        short.then(|| Anomaly::damaged("its bytes reach past the end of the file that holds it"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_at_offsets() {
        let memory = Memory::new(*b"badger");
        assert_eq!(read_vec_at(&memory, 3, 10), b"ger");
        assert_eq!(read_vec_at(&memory, 6, 1), b"");
        assert_eq!(read_vec_at(&memory, u64::MAX, 1), b"");
        assert!(!read_exact_at(&memory, 5, &mut [0; 2]));
    }

    #[test]
    fn a_part_ends_where_it_should() {
        let parent: Arc<dyn Source> = Arc::new(Memory::new(*b"badger"));
        let part = Part::new(Arc::clone(&parent), 1, 3);
        assert_eq!((read_vec_at(&part, 0, 10), part.len()), (b"adg".to_vec(), 3));
        assert_eq!(read_vec_at(&part, 2, 10), b"g");
        assert_eq!(part.problem(), None);
        let past = Part::new(parent, 4, u64::MAX);
        assert_eq!((read_vec_at(&past, 0, 10), past.len()), (b"er".to_vec(), 2));
        assert!(past.problem().is_some());
        assert_eq!((part.held(), past.held()), (Some(&b"adg"[..]), Some(&b"er"[..])));
    }

    #[test]
    fn what_is_held_is_what_is_read() {
        let memory: Arc<dyn Source> = Arc::new(Memory::new(*b"badger"));
        for (start, length) in [(0, 6), (1, 3), (4, 9), (6, 1), (9, 2), (0, u64::MAX)] {
            let part = Part::new(Arc::clone(&memory), start, length);
            for (offset, count) in [(0, 10), (1, 2), (2, 0), (7, 1), (u64::MAX, 1)] {
                assert_eq!(bytes_at(&part, offset, count), read_vec_at(&part, offset, count), "{start} {length}");
            }
        }
    }

    #[test]
    fn parts_of_parts_are_asked_once_a_level() {
        let mut part: Arc<dyn Source> = Arc::new(Memory::new(*b"badger"));
        for _ in 0..1000 {
            part = Arc::new(Part::new(part, 0, 10));
        }
        assert_eq!((part.len(), part.known_len()), (6, Some(6)));
        assert!(part.problem().is_some());
    }
}
