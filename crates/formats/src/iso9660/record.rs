//! Directory records, with their names in all dialects.

use dachs_base::{Reader, Short, Source, read_vec_at};

use super::Directory;
use crate::utf16;

const SECTOR: u64 = 2048;
const SECTOR_LENGTH: usize = 2048;
/// Continuation areas of one record that are followed (SUSP 5.1).
const AREAS: u32 = 16;
/// Bytes of a name that are kept.
const LONGEST_NAME: usize = 4096;

/// Where a tree begins.
pub(super) struct Root {
    pub(super) place: u64,
    pub(super) size: u64,
}

/// One entry of a directory.
#[derive(Default)]
pub(super) struct Record {
    pub(super) name: Vec<u8>,
    pub(super) place: u64,
    pub(super) size: u64,
    pub(super) is_directory: bool,
    /// The directory itself, its parent, or a directory that stands elsewhere as well (RRIP 4.1.5.3).
    pub(super) is_dots: bool,
    /// The file goes on in the next record.
    pub(super) continues: bool,
    /// Where a directory that was moved stands (RRIP 4.1.5.1).
    pub(super) child: Option<u64>,
}

/// The records of a directory.
pub(super) struct Records {
    place: u64,
    end: u64,
    /// The sector at hand, and what is left of it.
    sector: Vec<u8>,
    at: usize,
    joliet: bool,
    skip: u8,
    broken: bool,
}

impl Records {
    pub(super) fn new(directory: &Directory) -> Records {
        let end = directory.place.saturating_add(directory.size);
        let (joliet, skip) = (directory.joliet, directory.skip);
        Records { place: directory.place, end, sector: Vec::new(), at: 0, joliet, skip, broken: false }
    }

    /// True if a record made no sense.
    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    /// The next record; records do not cross sectors, and a length of zero ends one (6.8.1.1).
    pub(super) fn next_record(&mut self, disc: &dyn Source) -> Option<Record> {
        loop {
            let rest = self.sector.get(self.at..).unwrap_or_default();
            let length = usize::from(rest.first().copied().unwrap_or(0));
            if length == 0 {
                self.next_sector(disc)?;
                continue;
            }
            let bytes = rest.get(..length).unwrap_or_default();
            match record(bytes, self.joliet, self.skip, disc) {
                Ok(record) => {
                    self.at += length;
                    return Some(record);
                }
                Err(_) => {
                    self.broken = true;
                    self.at = self.sector.len();
                }
            }
        }
    }

    fn next_sector(&mut self, disc: &dyn Source) -> Option<()> {
        if self.place >= self.end {
            return None;
        }
        self.sector = read_vec_at(disc, self.place, SECTOR_LENGTH);
        self.broken |= self.sector.is_empty();
        self.place = self.place.saturating_add(SECTOR);
        self.at = 0;
        (!self.sector.is_empty()).then_some(())
    }
}

/// The record of a root directory.
pub(super) fn root(bytes: &[u8]) -> Result<Root, Short> {
    let mut reader = Reader::new(bytes, "root directory record");
    reader.skip(2)?;
    let place = u64::from(reader.u32_le()?).saturating_mul(SECTOR);
    reader.skip(4)?;
    Ok(Root { place, size: reader.u32_le()?.into() })
}

/// SUSP 5.3: the first record of the root may say how many bytes of each system use field to pass.
pub(super) fn system_use_skip(disc: &dyn Source, root: &Root) -> u8 {
    let bytes = read_vec_at(disc, root.place, 255);
    let skip = || {
        let start = 33 + usize::from(*bytes.get(32)?);
        let area = bytes.get(start.next_multiple_of(2)..)?;
        area.starts_with(b"SP\x07\x01\xbe\xef").then(|| area.get(6).copied()).flatten()
    };
    skip().unwrap_or(0)
}

/// 9.1.
fn record(bytes: &[u8], joliet: bool, skip: u8, disc: &dyn Source) -> Result<Record, Short> {
    let mut reader = Reader::new(bytes, "directory record");
    reader.skip(1)?;
    let attributes = u64::from(reader.u8()?);
    let place = u64::from(reader.u32_le()?).saturating_add(attributes).saturating_mul(SECTOR);
    reader.skip(4)?;
    let size = u64::from(reader.u32_le()?);
    reader.skip(11)?;
    let flags = reader.u8()?;
    reader.skip(6)?;
    let length = reader.u8()?;
    let name = reader.take(length.into())?;
    let mut record =
        Record { place, size, is_directory: flags & 2 != 0, continues: flags & 0x80 != 0, ..Record::default() };
    record.is_dots = record.is_directory && matches!(name, [0 | 1]);
    record.name = if joliet { plain(utf16::big(name).as_bytes()) } else { plain(name) };
    if length.is_multiple_of(2) {
        let _ = reader.skip(1);
    }
    if !joliet {
        let _ = reader.skip(skip.into());
        rock_ridge(reader.rest(), disc, &mut record);
    }
    Ok(record)
}

/// A name without its version and the dot before that (7.5.1).
fn plain(name: &[u8]) -> Vec<u8> {
    let name = name.split(|byte| *byte == b';').next().unwrap_or_default();
    name.strip_suffix(b".").unwrap_or(name).to_vec()
}

/// Takes the name and the place from system use entries: `signature, length, version, data` (SUSP 4.1).
fn rock_ridge(area: &[u8], disc: &dyn Source, record: &mut Record) {
    let mut name = Vec::new();
    let mut next = entries(area, &mut name, record);
    for _ in 0..AREAS {
        let Some((place, length)) = next else { break };
        let area = read_vec_at(disc, place, usize::from(length));
        next = entries(&area, &mut name, record);
    }
    if !name.is_empty() {
        record.name = name;
    }
}

/// Reads one area; gives where the next one is.
fn entries(mut area: &[u8], name: &mut Vec<u8>, record: &mut Record) -> Option<(u64, u16)> {
    let mut next = None;
    while let [a, b, length, _, ..] = *area {
        let Some((entry, rest)) = area.split_at_checked(usize::from(length).max(4)) else { break };
        let data = entry.get(4..).unwrap_or_default();
        match &[a, b] {
            b"NM" => {
                let text = data.get(1..).unwrap_or_default();
                if name.len() + text.len() <= LONGEST_NAME {
                    name.extend_from_slice(text);
                }
            }
            b"CL" => record.child = number(data, 0).map(|sector| u64::from(sector).saturating_mul(SECTOR)),
            b"RE" => record.is_dots = true,
            b"CE" => next = continuation(data),
            b"ST" => break,
            _ => {}
        }
        record.is_directory |= record.child.is_some();
        area = rest;
    }
    next
}

fn number(data: &[u8], at: usize) -> Option<u32> {
    data.get(at..)?.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes))
}

/// SUSP 5.1: sector, offset and length, each in both byte orders.
fn continuation(data: &[u8]) -> Option<(u64, u16)> {
    let place = u64::from(number(data, 0)?).saturating_mul(SECTOR).saturating_add(number(data, 8)?.into());
    Some((place, u16::try_from(number(data, 16)?).ok()?))
}
