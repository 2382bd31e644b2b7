//! The description of an image: entries of directories.

use std::collections::VecDeque;
use std::sync::Arc;

use dachs_base::{Anomaly, Reader, Short, Source, read_vec_at};

use crate::utf16;

/// Attribute of a folder, and of what only leads elsewhere.
const FOLDER: u32 = 0x10;
const REPARSE: u32 = 0x400;
/// Bytes of an entry that are read; names have at most 64 KiB.
const LONGEST: u64 = 3 * 65_536;

/// A directory, and how far it was read.
pub(super) struct Directory {
    content: Arc<dyn Source>,
    /// The number of the image.
    image: u64,
    /// Where its entries begin, and where the next one is.
    start: u64,
    at: u64,
    /// Streams of the last file that were not given yet.
    streams: VecDeque<(Vec<u8>, [u8; 20])>,
}

/// What an entry is.
pub(super) enum Found {
    /// A file; its streams are waiting.
    File,
    Directory(Vec<u8>, Directory),
}

/// The root of the image that is described here: it stands behind the security data.
pub(super) fn root(content: Arc<dyn Source>, image: u64) -> Result<Directory, Anomaly> {
    let head = read_vec_at(content.as_ref(), 0, 8);
    let length = u64::from(Reader::new(&head, "description of the image").u32_le()?);
    let start = length.max(8).next_multiple_of(8);
    let directory = Directory { content, image, start, at: start, streams: VecDeque::new() };
    let entry = directory.entry(start)?.ok_or(Anomaly::damaged("the description of the image is empty"))?;
    Ok(Directory { start: entry.children, at: entry.children, ..directory })
}

/// An entry as it stands.
struct Dentry {
    attributes: u32,
    children: u64,
    name: Vec<u8>,
    streams: Vec<(Vec<u8>, [u8; 20])>,
    /// Where the next entry begins.
    next: u64,
}

impl Directory {
    /// What it is known by: the image, and the place in its description.
    pub(super) fn number(&self) -> u64 {
        self.image << 40 | self.start & ((1 << 40) - 1)
    }

    pub(super) fn next_stream(&mut self) -> Option<(Vec<u8>, [u8; 20])> {
        self.streams.pop_front()
    }

    /// The next entry. Goes forward, or ends.
    pub(super) fn next(&mut self) -> Result<Option<Found>, Anomaly> {
        if self.start == 0 {
            return Ok(None);
        }
        let Some(entry) = self.entry(self.at)? else { return Ok(None) };
        self.at = entry.next;
        let prefix = |stream: &[u8]| match stream {
            b"" => entry.name.clone(),
            stream => [&entry.name, b":".as_slice(), stream].concat(),
        };
        let streams = entry.streams.iter().map(|(stream, digest)| (prefix(stream), *digest));
        self.streams.extend(streams);
        if entry.attributes & FOLDER != 0 && entry.attributes & REPARSE == 0 {
            let child = Directory {
                content: Arc::clone(&self.content),
                image: self.image,
                start: entry.children,
                at: entry.children,
                streams: VecDeque::new(),
            };
            return Ok(Some(Found::Directory(entry.name, child)));
        }
        Ok(Some(Found::File))
    }

    /// The entry at a place, with the streams behind it; nothing at the end of a directory.
    fn entry(&self, at: u64) -> Result<Option<Dentry>, Anomaly> {
        let head = read_vec_at(self.content.as_ref(), at, 8);
        let length = Reader::new(&head, "entry of a directory").u64_le()?;
        if length <= 8 {
            return Ok(None);
        }
        if !(102..=LONGEST).contains(&length) {
            return Err(Anomaly::damaged("the directory is broken; not all of it was read"));
        }
        let bytes = read_vec_at(self.content.as_ref(), at, usize::try_from(length).unwrap_or(0));
        let (mut entry, count) = dentry(&bytes)?;
        let mut next = at.saturating_add(length).next_multiple_of(8);
        for _ in 0..count {
            let head = read_vec_at(self.content.as_ref(), next, 8);
            let length = Reader::new(&head, "stream of a file").u64_le()?;
            if !(38..=LONGEST).contains(&length) {
                return Err(Anomaly::damaged("the directory is broken; not all of it was read"));
            }
            let bytes = read_vec_at(self.content.as_ref(), next, usize::try_from(length).unwrap_or(0));
            entry.streams.push(stream(&bytes)?);
            next = next.saturating_add(length).next_multiple_of(8);
        }
        entry.next = next;
        Ok(Some(entry))
    }
}

/// An entry without the streams behind it, and how many of those there are.
fn dentry(bytes: &[u8]) -> Result<(Dentry, u16), Short> {
    let mut reader = Reader::new(bytes, "entry of a directory");
    reader.skip(8)?;
    let attributes = reader.u32_le()?;
    reader.skip(4)?;
    let children = reader.u64_le()?;
    reader.skip(40)?;
    let digest = reader.array::<20>()?;
    reader.skip(12)?;
    let (count, _short, length) = (reader.u16_le()?, reader.u16_le()?, reader.u16_le()?);
    let name = utf16::little(reader.take(length.into())?).into_bytes();
    // What only leads elsewhere has the description of where as its stream.
    let streams = vec![(Vec::new(), digest)];
    Ok((Dentry { attributes, children, name, streams, next: 0 }, count))
}

/// Name and digest of a stream.
fn stream(bytes: &[u8]) -> Result<(Vec<u8>, [u8; 20]), Short> {
    let mut reader = Reader::new(bytes, "stream of a file");
    reader.skip(16)?;
    let digest = reader.array::<20>()?;
    let length = reader.u16_le()?;
    Ok((utf16::little(reader.take(length.into())?).into_bytes(), digest))
}
