//! Streams of data: from the pieces of an attribute to bytes.

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Charge, Held, Reader, Source, read_vec_at};

use super::Boot;
use super::attribute::{self, Attribute, Body, Runs};
use super::record::Record;
use crate::joined::Extents;
use crate::mapped::{Map, Mapped, Method, Packed, Place};
use crate::wim;

/// Flags of an attribute.
const COMPRESSED: u16 = 0x0001;
const ENCRYPTED: u16 = 0x4000;
/// Bytes of a list of attributes.
const LONGEST_LIST: u64 = 256 * 1024;
/// Reparse point of a file that Windows has compressed as a whole ([MS-FSCC] 2.1.2.1, IO_REPARSE_TAG_WOF), and the stream of its
/// compressed bytes.
const COMPRESSED_FILE: u32 = 0x8000_0017;
const COMPRESSED_STREAM: &str = "WofCompressedData";

/// A stream, from all records of its file.
pub(super) struct Stream {
    pub(super) name: String,
    flags: u16,
    body: Body,
    /// Its bytes stand compressed in another stream, in this way.
    packed: Option<(u32, Box<Stream>)>,
}

/// A stream that can be read.
pub(super) struct Opened {
    pub(super) source: Arc<dyn Source>,
    /// Bytes of the image that it takes.
    pub(super) stored: u64,
    pub(super) remark: Option<Anomaly>,
}

/// The streams that these attributes make up; pieces of one are put together.
pub(super) fn streams(attributes: Vec<Attribute>) -> Vec<Stream> {
    let algorithm = attributes.iter().find_map(algorithm);
    let mut data: Vec<Attribute> = attributes.into_iter().filter(|a| a.kind == attribute::DATA).collect();
    let first = |body: &Body| if let Body::Runs(runs) = body { runs.first } else { 0 };
    data.sort_by(|a, b| a.name.cmp(&b.name).then(first(&a.body).cmp(&first(&b.body))));
    let mut streams: Vec<Stream> = Vec::new();
    for Attribute { name, flags, body, .. } in data {
        if let (Some(Stream { name: before, body: Body::Runs(whole), .. }), Body::Runs(piece)) =
            (streams.last_mut(), &body)
            && *before == name
            && piece.first > 0
        {
            let clusters = whole.list.iter().fold(whole.first, |sum, run| sum.saturating_add(run.0));
            whole.broken |= piece.broken || clusters != piece.first;
            whole.list.extend(&piece.list);
            continue;
        }
        streams.push(Stream { name, flags, body, packed: None });
    }
    if let Some(algorithm) = algorithm
        && let Some(packed) = streams.iter().position(|stream| stream.name == COMPRESSED_STREAM)
    {
        let packed = Box::new(streams.remove(packed));
        match streams.iter_mut().find(|stream| stream.name.is_empty()) {
            Some(plain) => plain.packed = Some((algorithm, packed)),
            None => streams.push(*packed),
        }
    }
    streams
}

/// How Windows has compressed a file as a whole ([MS-FSCC] 2.1.2.1; WOF_EXTERNAL_INFO, FILE_PROVIDER_EXTERNAL_INFO_V1): tag,
/// length, then version, provider (2: in the file itself), version, algorithm.
fn algorithm(attribute: &Attribute) -> Option<u32> {
    let (attribute::REPARSE, Body::Resident(value)) = (attribute.kind, &attribute.body) else { return None };
    let mut reader = Reader::new(value, "reparse point");
    let tag = reader.u32_le().ok()?;
    reader.skip(8).ok()?;
    let provider = reader.u32_le().ok()?;
    reader.skip(4).ok()?;
    let algorithm = reader.u32_le().ok()?;
    ((tag, provider) == (COMPRESSED_FILE, 2)).then_some(algorithm)
}

/// The bytes of a list of attributes.
pub(super) fn list_bytes(
    list: &Attribute,
    source: &Arc<dyn Source>,
    boot: &Boot,
    budget: &Budget,
) -> Result<Vec<u8>, Anomaly> {
    match &list.body {
        Body::Resident(bytes) => Ok(bytes.clone()),
        Body::Runs(runs) => {
            let length = runs.length.min(LONGEST_LIST);
            let _memory = budget.reserve(length)?;
            let source = extents(&runs.list, boot, budget)?.into_source(source, length);
            Ok(read_vec_at(source.as_ref(), 0, usize::try_from(length).unwrap_or(0)))
        }
    }
}

fn extents(list: &[(u64, Option<u64>)], boot: &Boot, budget: &Budget) -> Result<Extents, Anomaly> {
    let mut extents = Extents::new(budget);
    for (count, start) in list {
        extents.push(start.map(|start| start.saturating_mul(boot.cluster)), count.saturating_mul(boot.cluster))?;
    }
    Ok(extents)
}

/// The file table. Its first record names its clusters; if they are very many, a list names more records, which stand in
/// the part that is known by then.
pub(super) fn file_table(
    source: &Arc<dyn Source>,
    boot: &Boot,
    budget: &Budget,
) -> Result<(Arc<dyn Source>, Option<Anomaly>), Anomaly> {
    let size = usize::try_from(boot.record).unwrap_or(0);
    let missing = || Anomaly::damaged("the file table is missing or broken");
    let first = Record::read(read_vec_at(source.as_ref(), boot.table, size))?.ok_or_else(missing)?;
    let mut list = first.attributes().list;
    let others = match list.iter().find(|attribute| attribute.kind == attribute::LIST) {
        Some(list) => attribute::records_of(&list_bytes(list, source, boot, budget)?),
        None => Vec::new(),
    };
    let mut table = table(&mut list, source, boot, budget)?;
    for number in others.into_iter().filter(|number| *number > 0).take(super::MOST_RECORDS) {
        budget.check_time()?;
        let at = number.saturating_mul(boot.record);
        if let Ok(Some(record)) = Record::read(read_vec_at(table.0.as_ref(), at, size))
            && record.base == 0
        {
            list.extend(record.attributes().list.into_iter().filter(|a| a.kind == attribute::DATA));
            table = self::table(&mut list, source, boot, budget)?;
        }
    }
    Ok(table)
}

/// The table that the pieces known so far make up.
fn table(
    list: &mut [Attribute],
    source: &Arc<dyn Source>,
    boot: &Boot,
    budget: &Budget,
) -> Result<(Arc<dyn Source>, Option<Anomaly>), Anomaly> {
    let mut pieces: Vec<&Runs> = list
        .iter()
        .filter(|attribute| attribute.kind == attribute::DATA && attribute.name.is_empty())
        .filter_map(|attribute| if let Body::Runs(runs) = &attribute.body { Some(runs) } else { None })
        .collect();
    pieces.sort_by_key(|runs| runs.first);
    let length = pieces.first().map(|runs| runs.length).ok_or(Anomaly::damaged("the file table has no clusters"))?;
    let whole: Vec<_> = pieces.iter().flat_map(|runs| runs.list.iter().copied()).collect();
    let extents = extents(&whole, boot, budget)?;
    let there = extents.length().min(length);
    let short = there < length || pieces.iter().any(|runs| runs.broken);
    let remark = short.then(|| Anomaly::damaged("the file table is broken; not all of it was read"));
    Ok((extents.into_source(source, there), remark))
}

impl Stream {
    /// Makes a source of it; nothing if it is empty.
    pub(super) fn open(
        self,
        source: &Arc<dyn Source>,
        boot: &Boot,
        budget: &Budget,
    ) -> Result<Option<Opened>, Anomaly> {
        if let Some((algorithm, packed)) = self.packed {
            let length = match &self.body {
                Body::Resident(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
                Body::Runs(runs) => runs.length,
            };
            return packed.unpacked(algorithm, length, source, boot, budget);
        }
        let runs = match self.body {
            Body::Resident(bytes) if bytes.is_empty() => return Ok(None),
            Body::Resident(bytes) => {
                let stored = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                let source = Arc::new(Held::new(bytes, [budget.reserve(stored)?]));
                return Ok(Some(Opened { source, stored, remark: None }));
            }
            Body::Runs(runs) if runs.length == 0 => return Ok(None),
            Body::Runs(runs) => runs,
        };
        let mut remark =
            runs.broken.then(|| Anomaly::damaged("its list of clusters is broken; not all of it was read"));
        if self.flags & ENCRYPTED != 0 {
            remark = Some(Anomaly::encrypted("the file is encrypted"));
        }
        if runs.first > 0 {
            return Err(Anomaly::damaged("its first clusters are missing"));
        }
        let extents = extents(&runs.list, boot, budget)?;
        let (stored, there) = (extents.stored().min(runs.length), extents.length());
        let opened = if self.flags & COMPRESSED != 0 && runs.unit > 0 {
            compressed(extents, &runs, source, boot, budget)?
        } else {
            let written = runs.written.min(runs.length).min(there);
            let whole = extents.into_source(source, written);
            behind(whole, written, runs.length, budget)?
        };
        Ok(Some(Opened { source: opened, stored, remark }))
    }
}

impl Stream {
    /// A file of so many bytes that this stream holds compressed, in chunks as in a WIM file.
    fn unpacked(
        self,
        algorithm: u32,
        length: u64,
        source: &Arc<dyn Source>,
        boot: &Boot,
        budget: &Budget,
    ) -> Result<Option<Opened>, Anomaly> {
        let packing = match algorithm {
            0 => (Method::Xpress, 4096),
            1 => (Method::Lzx(15), 32_768),
            2 => (Method::Xpress, 8192),
            3 => (Method::Xpress, 16_384),
            _ => return Err(Anomaly::unsupported("Windows has compressed the file in an unknown way")),
        };
        let Some(packed) = self.open(source, boot, budget)? else { return Ok(None) };
        let all = (0, packed.source.len());
        Ok(Some(Opened { source: wim::chunked(&packed.source, all, length, packing, budget)?, ..packed }))
    }
}

/// What was not written is zeros.
fn behind(source: Arc<dyn Source>, written: u64, length: u64, budget: &Budget) -> Result<Arc<dyn Source>, Anomaly> {
    if written >= length {
        return Ok(source);
    }
    let mut extents = Extents::new(budget);
    extents.push(Some(0), written)?;
    Ok(extents.into_source(&source, length))
}

/// A compressed stream over its clusters: `clusters` is the stream as it is stored, units that are shorter with a hole behind.
fn compressed(
    clusters: Extents,
    runs: &Runs,
    source: &Arc<dyn Source>,
    boot: &Boot,
    budget: &Budget,
) -> Result<Arc<dyn Source>, Anomaly> {
    let unit = 1_u64.checked_shl(runs.unit.into()).and_then(|count| count.checked_mul(boot.cluster));
    let unit = unit.filter(|unit| *unit <= 1 << 20).ok_or(Anomaly::damaged("its compressed units make no sense"))?;
    let length = clusters.length();
    let memory = budget.reserve(u64::try_from(runs.list.len()).unwrap_or(u64::MAX).saturating_mul(32))?;
    let mut starts = Vec::with_capacity(runs.list.len());
    let mut at = 0_u64;
    for (count, start) in &runs.list {
        starts.push((at, start.is_some()));
        at = at.saturating_add(count.saturating_mul(boot.cluster));
    }
    let stored = clusters.into_source(source, length);
    let written = runs.written.min(runs.length).min(length);
    let units = Units { starts, length, unit, _memory: memory };
    let mapped = Arc::new(Mapped::new(units, &stored, written, unit, budget)?);
    behind(mapped, written, runs.length, budget)
}

/// The units of a compressed stream.
struct Units {
    /// Where in the stream each run begins, and whether it is stored.
    starts: Vec<(u64, bool)>,
    length: u64,
    unit: u64,
    _memory: Charge,
}

impl Units {
    /// Bytes of a unit that are stored: all of them before the first hole.
    fn stored(&self, first: u64) -> u64 {
        let end = first.saturating_add(self.unit).min(self.length);
        let mut index = self.starts.partition_point(|(start, _)| *start <= first).saturating_sub(1);
        loop {
            match self.starts.get(index) {
                Some((start, true)) if *start < end => index += 1,
                Some((start, false)) if *start < end => return start.saturating_sub(first),
                _ => return end - first,
            }
        }
    }
}

impl Map for Units {
    fn locate(&self, _file: &dyn Source, offset: u64) -> Place {
        let within = offset % self.unit;
        let first = offset - within;
        let end = self.unit.min(self.length.saturating_sub(first));
        match self.stored(first) {
            0 => Place::Hole(end.saturating_sub(within).max(1)),
            stored if stored >= end => Place::Stored(offset, end.saturating_sub(within).max(1)),
            length => {
                let size = usize::try_from(self.unit).unwrap_or(usize::MAX);
                Place::Packed(Packed { start: first, length, first, skip: 0, size, least: size, method: Method::Lznt1 })
            }
        }
    }
}
