//! SIS of EPOC release 5 and 6: a header of counts and pointers, and records of files.

use std::collections::VecDeque;
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Name, Part, Reader, Source, read_vec_at};

use super::unpacked;
use crate::{Found, Search, Unpack, utf16};

/// The second identifier of files for EPOC release 6, whose records are longer and whose files may be packed.
const RELEASE6: u32 = 0x1000_3A12;
/// Options of the header: names in UTF-16; files as they are.
const UNICODE: u16 = 0x0001;
const NOT_PACKED: u16 = 0x0008;
/// Bytes of the longest name that is read.
const LONGEST_NAME: u32 = 4096;
/// No record of sensible languages is longer.
const LONGEST_RECORD: usize = 16 * 1024;

/// Goes through the files.
pub(super) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    let (source, found) = (Arc::clone(source), Found::new(budget));
    Box::new(Files { source, budget: budget.clone(), found, header: None, waiting: VecDeque::new(), at: 0, left: 0 })
}

struct Files {
    source: Arc<dyn Source>,
    budget: Budget,
    found: Found,
    /// Absent until it was read.
    header: Option<Header>,
    /// Files of the record at hand.
    waiting: VecDeque<File>,
    /// Where the next record stands, and how many there are.
    at: u64,
    left: u16,
}

#[derive(Clone, Copy)]
struct Header {
    languages: u16,
    unicode: bool,
    packed: bool,
    release6: bool,
}

struct File {
    name: Vec<u8>,
    start: u32,
    length: u32,
    plain: Option<u32>,
}

impl Search for Files {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        let Some(header) = self.header else { return self.read_header() };
        if let Some(file) = self.waiting.pop_front() {
            return self.give(file, header);
        }
        if self.left == 0 {
            self.found.end();
            return Ok(());
        }
        self.left -= 1;
        self.read_record(header)
    }
}

impl Files {
    fn read_header(&mut self) -> Result<(), Anomaly> {
        let bytes = read_vec_at(self.source.as_ref(), 0, 68);
        let mut reader = Reader::new(&bytes, "SIS header");
        reader.skip(4)?;
        let release6 = reader.u32_le()? == RELEASE6;
        reader.skip(10)?;
        let (languages, files) = (reader.u16_le()?, reader.u16_le()?);
        reader.skip(14)?;
        let options = reader.u16_le()?;
        reader.skip(14)?;
        self.at = u64::from(reader.u32_le()?);
        self.left = files;
        let packed = release6 && options & NOT_PACKED == 0;
        self.header = Some(Header { languages, unicode: release6 && options & UNICODE != 0, packed, release6 });
        Ok(())
    }

    fn read_record(&mut self, header: Header) -> Result<(), Anomaly> {
        let bytes = read_vec_at(self.source.as_ref(), self.at, LONGEST_RECORD);
        let mut reader = Reader::new(&bytes, "SIS file record");
        match reader.u32_le()? {
            0 => self.read_files(&mut reader, 1, header)?,
            1 => self.read_files(&mut reader, header.languages, header)?,
            // Options that the user may choose: a length and a pointer each and a language, and what was chosen.
            2 => {
                let count = u64::from(reader.u32_le()?);
                reader.skip(count.saturating_mul(8 * u64::from(header.languages)).saturating_add(16))?;
            }
            3 | 4 => {
                let length = reader.u32_le()?;
                reader.skip(u64::from(length))?;
            }
            5 | 6 => {}
            _ => return Err(Anomaly::damaged("a record of the list of files is of no known kind")),
        }
        let read = bytes.len().saturating_sub(reader.left());
        self.at = self.at.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        Ok(())
    }

    /// A file, in so many languages.
    fn read_files(&mut self, reader: &mut Reader<'_>, count: u16, header: Header) -> Result<(), Anomaly> {
        reader.skip(8)?;
        let source_name = (reader.u32_le()?, reader.u32_le()?);
        let target_name = (reader.u32_le()?, reader.u32_le()?);
        let lengths = numbers(reader, count)?;
        let starts = numbers(reader, count)?;
        let plain = if header.release6 { numbers(reader, count)? } else { Vec::new() };
        if header.release6 {
            reader.skip(8)?;
        }
        let name = if target_name.0 > 0 { target_name } else { source_name };
        let name = self.name(name, header.unicode);
        for (language, (start, length)) in starts.into_iter().zip(lengths).enumerate() {
            let name = if count == 1 { name.clone() } else { [&name, format!(":{language}").as_bytes()].concat() };
            self.waiting.push_back(File { name, start, length, plain: plain.get(language).copied() });
        }
        Ok(())
    }

    fn name(&self, (length, start): (u32, u32), unicode: bool) -> Vec<u8> {
        let length = usize::try_from(length.min(LONGEST_NAME)).unwrap_or(0);
        let bytes = read_vec_at(self.source.as_ref(), u64::from(start), length);
        let name = if unicode { utf16::little(&bytes).into_bytes() } else { bytes };
        if name.is_empty() { b"file".to_vec() } else { name }
    }

    fn give(&mut self, file: File, header: Header) -> Result<(), Anomaly> {
        let (start, length) = (u64::from(file.start), u64::from(file.length));
        if length == 0 {
            return Ok(());
        }
        let member: Arc<dyn Source> = match header.packed {
            true => unpacked(&self.source, start, length, file.plain.map(u64::from), &self.budget),
            false => Arc::new(Part::new(Arc::clone(&self.source), start, length)),
        };
        Ok(self.found.member(Name::new(&file.name), member, Some(length))?)
    }
}

fn numbers(reader: &mut Reader<'_>, count: u16) -> Result<Vec<u32>, Anomaly> {
    (0..count).map(|_| Ok(reader.u32_le()?)).collect()
}
