//! File entries, and where their bytes stand.

use std::sync::Arc;

use dachs_base::{Anomaly, Held, Reader, Short, Source};

use super::volume::{Disc, Long, is_tag};
use crate::joined::Extents;

/// Types of files (4/14.6.6).
const FOLDER: u8 = 4;
const FILE: u8 = 5;
const REAL_TIME: u8 = 249;
const STREAMS: u8 = 13;
/// Blocks that go on with a list of extents.
const MOST_LISTS: u32 = 4096;

/// A file or directory.
pub(super) struct Content {
    pub(super) source: Arc<dyn Source>,
    pub(super) stored: u64,
    pub(super) remark: Option<Anomaly>,
    pub(super) is_folder: bool,
    pub(super) is_file: bool,
    /// The directory of its streams.
    pub(super) streams: Option<Long>,
    /// Where it stands on the disc, and how long it is, if it is in one piece.
    pub(super) place: Option<(u64, u64)>,
}

/// What a file entry says.
struct Said {
    kind: u8,
    /// The form of its extents: short, long, extended, or its bytes themselves.
    form: u16,
    length: u64,
    streams: Option<Long>,
    extents: Vec<u8>,
}

fn said(bytes: &[u8], extended: bool) -> Result<Said, Short> {
    let mut reader = Reader::new(bytes, "file entry");
    reader.skip(27)?;
    let kind = reader.u8()?;
    reader.skip(6)?;
    let form = reader.u16_le()? & 7;
    reader.skip(20)?;
    let length = reader.u64_le()?;
    let mut streams = None;
    if extended {
        reader.skip(88)?;
        streams = Some(Long::read(&mut reader)?).filter(|place| place.length & 0x3fff_ffff > 0);
        reader.skip(40)?;
    } else {
        reader.skip(104)?;
    }
    let (attributes, list) = (reader.u32_le()?, reader.u32_le()?);
    reader.skip(attributes.into())?;
    Ok(Said { kind, form, length, streams, extents: reader.take(list.into())?.to_vec() })
}

impl Disc {
    /// The file or directory that is described at a place.
    pub(super) fn entry(&self, place: Long) -> Result<Content, Anomaly> {
        let broken = || Anomaly::damaged("its entry is missing or broken");
        let most = usize::try_from(self.block).unwrap_or(0);
        let bytes = self.read(place, most).ok_or_else(broken)?;
        let extended = is_tag(&bytes, 266);
        if !extended && !is_tag(&bytes, 261) {
            return Err(broken());
        }
        let Said { kind, form, length, streams, extents } = said(&bytes, extended)?;
        let is_folder = matches!(kind, FOLDER | STREAMS);
        let is_file = matches!(kind, 0 | FILE | REAL_TIME);
        if form == 3 {
            let mut bytes = extents;
            bytes.truncate(usize::try_from(length).unwrap_or(usize::MAX));
            let stored = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            let remark = (stored < length).then(|| Anomaly::damaged("its entry is shorter than what it holds"));
            let source = Arc::new(Held::new(bytes, [self.budget.reserve(stored)?]));
            return Ok(Content { source, stored, remark, is_folder, is_file, streams, place: None });
        }
        let mut list = Extents::new(&self.budget);
        let told = self.extents(form, extents, place.partition, length, &mut list);
        let remark = match told {
            Err(anomaly) if matches!(anomaly.kind, dachs_base::AnomalyKind::Limit(_)) => return Err(anomaly),
            Err(anomaly) => Some(anomaly),
            Ok(()) => (list.length() < length).then(|| Anomaly::damaged("its extents end before the file does")),
        };
        let (stored, there) = (list.stored(), list.length().min(length));
        let (source, _) = self.base(form, place.partition).ok_or_else(broken)?;
        let place = list.in_one_piece(there).filter(|_| Arc::ptr_eq(source, &self.source)).map(|start| (start, there));
        let source = list.into_source(source, there);
        Ok(Content { source, stored, remark, is_folder, is_file, streams, place })
    }

    /// What the places of extents count from: short ones stay in their partition.
    fn base(&self, form: u16, partition: u16) -> Option<(&Arc<dyn Source>, u64)> {
        match form {
            0 => self.place(partition, 0),
            _ => Some((&self.source, 0)),
        }
    }

    /// The extents of a file (4/12.1); a list may go on in a block of its own (4/14.5).
    fn extents(
        &self,
        form: u16,
        mut list: Vec<u8>,
        partition: u16,
        length: u64,
        extents: &mut Extents,
    ) -> Result<(), Anomaly> {
        let broken = || Anomaly::damaged("the list of its extents is broken");
        for _ in 0..MOST_LISTS {
            self.budget.check_time()?;
            let mut reader = Reader::new(&list, "list of extents");
            let mut next = None;
            while extents.length() < length && reader.left() >= 8 {
                let extent = extent(form, partition, &mut reader)?;
                let (kind, count) = (extent.length >> 30, u64::from(extent.length & 0x3fff_ffff));
                if count == 0 {
                    break;
                }
                match kind {
                    0 => {
                        let (source, at) = self.place(extent.partition, extent.block).ok_or_else(broken)?;
                        if form != 0 && !Arc::ptr_eq(source, &self.source) {
                            return Err(Anomaly::unsupported("a file in the partition of metadata with long extents"));
                        }
                        extents.push(Some(at), count)?;
                    }
                    3 => {
                        next = Some(extent);
                        break;
                    }
                    _ => extents.push(None, count)?,
                }
            }
            let Some(place) = next else { return Ok(()) };
            let bytes = self.read(place, usize::try_from(self.block).unwrap_or(0)).ok_or_else(broken)?;
            if !is_tag(&bytes, 258) {
                return Err(broken());
            }
            let mut reader = Reader::new(&bytes, "list of extents");
            reader.skip(20)?;
            let count = reader.u32_le()?;
            list = reader.take(count.into())?.to_vec();
        }
        Err(broken())
    }
}

fn extent(form: u16, partition: u16, reader: &mut Reader<'_>) -> Result<Long, Short> {
    match form {
        0 => Ok(Long { length: reader.u32_le()?, block: reader.u32_le()?, partition }),
        1 => Long::read(reader),
        _ => {
            let length = reader.u32_le()?;
            reader.skip(8)?;
            let (block, partition) = (reader.u32_le()?, reader.u16_le()?);
            reader.skip(2)?;
            Ok(Long { length, block, partition })
        }
    }
}
