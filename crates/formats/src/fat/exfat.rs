//! exFAT: a set of entries for each file, whose clusters need no chain if they lie one behind the other.

use std::cell::RefCell;
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Reader, Short, Source, read_vec_at};

use super::{Clusters, Entries, Width};
use crate::Unpack;
use crate::joined::Extents;
use crate::tree::{Entry, File, Tree, Volume};
use crate::utf16;

/// Entries of a directory, by type; those without the highest bit are not in use.
const FILE: u8 = 0x85;
const STREAM: u8 = 0xc0;
const NAME: u8 = 0xc1;

pub(super) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    let opened = volume(source, budget).and_then(|(volume, root)| {
        let (content, told) = volume.clusters.directory(root)?;
        Ok((volume, vec![(Vec::new(), root, Directory { content, entries: Entries::new(told) })]))
    });
    Tree::open(source, budget, opened)
}

struct ExFat {
    clusters: Clusters,
}

struct Directory {
    content: Arc<dyn Source>,
    entries: Entries,
}

/// The boot sector: 80: the table's sector, 88: that of cluster 2, 92: clusters, 96: root, 108: sizes of a sector and a cluster
/// as powers of two.
fn volume(source: &Arc<dyn Source>, budget: &Budget) -> Result<(ExFat, u64), Anomaly> {
    let head = read_vec_at(source.as_ref(), 0, 512);
    let mut reader = Reader::new(&head, "boot sector");
    reader.skip(80)?;
    let table = u64::from(reader.u32_le()?);
    reader.skip(4)?;
    let (heap, count, root) = (u64::from(reader.u32_le()?), reader.u32_le()?.into(), reader.u32_le()?.into());
    reader.skip(8)?;
    let (sector, cluster) = (u32::from(reader.u8()?), u32::from(reader.u8()?));
    if !(9..=12).contains(&sector) || sector + cluster > 25 {
        return Err(Anomaly::damaged("the boot sector makes no sense"));
    }
    let clusters = Clusters {
        source: Arc::clone(source),
        budget: budget.clone(),
        width: Width::Bits32,
        table: table << sector,
        heap: heap << sector,
        size: 1 << (sector + cluster),
        count,
        piece: RefCell::default(),
    };
    Ok((ExFat { clusters }, root))
}

/// What a set of entries says of a file.
struct Stream {
    /// Its clusters lie one behind the other.
    in_one_piece: bool,
    letters: u8,
    /// Bytes that were written; behind them a file is zeros.
    written: u64,
    first: u64,
    length: u64,
}

impl Stream {
    fn read(entry: &[u8]) -> Result<Option<Stream>, Short> {
        let mut reader = Reader::new(entry, "stream of a file");
        let (kind, flags) = (reader.u8()?, reader.u8()?);
        reader.skip(1)?;
        let letters = reader.u8()?;
        reader.skip(4)?;
        let written = reader.u64_le()?;
        reader.skip(4)?;
        let (first, length) = (reader.u32_le()?.into(), reader.u64_le()?);
        Ok((kind == STREAM).then_some(Stream { in_one_piece: flags & 2 != 0, letters, written, first, length }))
    }
}

impl Volume for ExFat {
    type Directory = Directory;

    fn next_entry(&mut self, directory: &mut Directory) -> Result<Entry<Directory>, Anomaly> {
        let Directory { content, entries } = directory;
        let Some(entry) = entries.next(content.as_ref()) else { return Ok(entries.end()) };
        let [kind, secondary, _, _, attributes, ..] = entry;
        match kind {
            0 => return Ok(Entry::End),
            FILE => {}
            _ => return Ok(Entry::Other),
        }
        let (mut stream, mut units) = (None, Vec::new());
        for _ in 0..secondary.min(18) {
            let Some(entry) = entries.next(content.as_ref()) else { break };
            if entry.first() == Some(&NAME) {
                units.extend_from_slice(entry.get(2..).unwrap_or_default());
            } else if stream.is_none() {
                stream = Stream::read(&entry)?;
            }
        }
        let Some(stream) = stream else {
            return Ok(Entry::Remark(Vec::new(), Anomaly::damaged("an entry of the directory is broken")));
        };
        units.truncate(usize::from(stream.letters) * 2);
        let name = utf16::little(&units).into_bytes();
        if attributes & 0x10 != 0 {
            return Ok(self.folder(name, &stream));
        }
        Ok(self.file(name.clone(), &stream).unwrap_or_else(|anomaly| Entry::Remark(name, anomaly)))
    }
}

impl ExFat {
    fn extents(&self, stream: &Stream, length: u64) -> Result<(Extents, Option<Anomaly>), Anomaly> {
        let mut extents = Extents::new(&self.clusters.budget);
        let told = if stream.in_one_piece {
            let place = self.clusters.place(stream.first);
            place.and_then(|place| Ok(extents.push(Some(place), length)?))
        } else {
            self.clusters.chain(stream.first, length, &mut extents)
        };
        match told {
            Err(anomaly) if matches!(anomaly.kind, dachs_base::AnomalyKind::Limit(_)) => Err(anomaly),
            Ok(()) if extents.length() < length => {
                Ok((extents, Some(Anomaly::damaged("its chain of clusters ends before the file does"))))
            }
            told => Ok((extents, told.err())),
        }
    }

    fn file(&self, name: Vec<u8>, stream: &Stream) -> Result<Entry<Directory>, Anomaly> {
        let written = stream.written.min(stream.length);
        let (extents, remark) = self.extents(stream, written)?;
        let stored = extents.length().min(written);
        let length = if remark.is_some() { stored } else { stream.length };
        // What was not written is zeros, whatever stands in its clusters.
        let mut file = Extents::new(&self.clusters.budget);
        file.push((stored > 0).then_some(0), stored)?;
        let source = extents.into_source(&self.clusters.source, stored);
        let source = if length > stored { file.into_source(&source, length) } else { source };
        Ok(Entry::File(File { name, id: None, source, stored, remark }))
    }

    fn folder(&self, name: Vec<u8>, stream: &Stream) -> Entry<Directory> {
        match self.extents(stream, stream.length.min(super::LONGEST_DIRECTORY)) {
            Ok((_, Some(anomaly))) | Err(anomaly) => Entry::Remark(name, anomaly),
            Ok((extents, None)) => {
                let length = extents.length();
                let content = extents.into_source(&self.clusters.source, length);
                let directory = Directory { content, entries: Entries::new(None) };
                Entry::Directory { name, id: stream.first, directory }
            }
        }
    }
}
