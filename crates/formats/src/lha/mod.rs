//! LHA archives, also called LZH (the specification is "LHA header format" in the sources of LHa for UNIX, header.doc.md).
//!
//! ```text
//! level 0   size 1 | sum 1 | method 5 | packed 4 | length 4 | time 4 | attribute 1 | 0 | name | crc16 2 | more
//! level 1   ... as level 0 ... | 1 | name | crc16 2 | system 1 | size of the next 2 | extended headers
//! level 2   size 2 | method 5 | packed 4 | length 4 | time 4 | 0x20 | 2 | crc16 2 | system 1 | size 2 | extended headers
//! level 3   4, 0   | ... as level 2 ...                          | 3 | ...               | total 4 | size 4 | extended ...
//! ```
//!
//! An archive ends with a zero byte; one without it is told to be cut off. Methods `lh0`, `lh1`, `lh4` to `lh7`, `lz4`, `lz5`
//! and `lzs` are opened. A wrong checksum of a member's bytes is a remark; stored members are not compared.
//!
//! Not done: `lh2`, `lh3`, the methods of PMarc (`pm0` to `pm2`), `lhx`; they are told.

use std::io::Read;
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Name, Reader, Short, Source};

use crate::Unpack;
use crate::codec::lzh::Form;
use crate::packed::{Check, Entry, File, Method, Packed, Walk};
use crate::stream::SourceRead;

/// Longer headers are no headers.
const LONGEST: u64 = 64 * 1024;

/// Types of extended headers.
const NAME: u8 = 0x01;
const FOLDER: u8 = 0x02;
const SIZES: u8 = 0x42;

/// Goes through the members of an archive.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Packed::open(Lha, source, budget)
}

struct Lha;

impl Walk for Lha {
    const FIRST: u64 = 0;

    fn next_entry(&mut self, input: &mut SourceRead) -> Result<Entry, Anomaly> {
        let (head, got) = input.peek::<21>();
        if got > 0 && head.first() == Some(&0) {
            input.go_to(input.position().saturating_add(1));
            return Ok(Entry::End);
        }
        if got < head.len() {
            return Err(Anomaly::damaged("the archive is cut off: its end mark is missing"));
        }
        let [size, second, dash, l, .., level] = head;
        if dash != b'-' || !matches!(l, b'l' | b'p') {
            return Err(Anomaly::damaged("what should be a header is none"));
        }
        let header = match level {
            0 | 1 => Header::old(input, u64::from(size) + 2, level)?,
            2 => Header::new(input, u64::from(u16::from_le_bytes([size, second])))?,
            3 => {
                let size = long_size(input);
                Header::new(input, u64::from(size))?
            }
            _ => return Err(Anomaly::unsupported("a header of an unknown level")),
        };
        let start = input.position();
        input.go_to(start.saturating_add(header.packed));
        Ok(header.entry(start))
    }
}

/// Level 3: the size of all headers stands at 24.
fn long_size(input: &mut SourceRead) -> u32 {
    let (head, _) = input.peek::<28>();
    head.last_chunk::<4>().map_or(0, |size| u32::from_le_bytes(*size))
}

/// What all levels say.
#[derive(Default)]
struct Header {
    method: [u8; 5],
    packed: u64,
    length: u64,
    crc: u16,
    name: Vec<u8>,
    folder: Vec<u8>,
}

/// The next bytes, wholly.
fn bytes(input: &mut SourceRead, count: u64) -> Result<Vec<u8>, Short> {
    let mut bytes = Vec::new();
    let got = input.take(count.min(LONGEST)).read_to_end(&mut bytes).unwrap_or(0);
    match u64::try_from(got) {
        Ok(got) if got == count => Ok(bytes),
        _ => Err(Short { what: "header of a member" }),
    }
}

impl Header {
    /// Levels 0 and 1. Moves behind all headers.
    fn old(input: &mut SourceRead, size: u64, level: u8) -> Result<Header, Short> {
        let head = bytes(input, size)?;
        let mut reader = Reader::new(&head, "header of a member");
        reader.skip(2)?;
        let mut header = Header::fixed(&mut reader)?;
        let count = reader.u8()?;
        header.name = reader.take(u64::from(count))?.to_vec();
        header.crc = reader.u16_le()?;
        if level == 0 {
            return Ok(header);
        }
        reader.skip(1)?; // system
        // The size of the first extended header ends the basic one, behind what else may be there.
        let rest = reader.rest();
        let mut next = rest.last_chunk::<2>().map_or(0, |size| u64::from(u16::from_le_bytes(*size)));
        while next > 0 {
            let extended = bytes(input, next)?;
            header.packed = header.packed.saturating_sub(next);
            next = header.extended(&mut Reader::new(&extended, "extended header"), next, false)?;
        }
        Ok(header)
    }

    /// Levels 2 and 3. Moves behind all headers.
    fn new(input: &mut SourceRead, size: u64) -> Result<Header, Short> {
        let head = bytes(input, size)?;
        let mut reader = Reader::new(&head, "header of a member");
        reader.skip(2)?;
        let mut header = Header::fixed(&mut reader)?;
        header.crc = reader.u16_le()?;
        reader.skip(1)?; // system
        let wide = head.get(20) == Some(&3);
        if wide {
            reader.skip(4)?;
        }
        let mut next = if wide { u64::from(reader.u32_le()?) } else { u64::from(reader.u16_le()?) };
        while next > 0 {
            next = header.extended(&mut reader, next, wide)?;
        }
        Ok(header)
    }

    /// From the method to the level.
    fn fixed(reader: &mut Reader<'_>) -> Result<Header, Short> {
        let method = reader.array::<5>()?;
        let (packed, length) = (u64::from(reader.u32_le()?), u64::from(reader.u32_le()?));
        reader.skip(6)?; // time, attribute, level
        Ok(Header { method, packed, length, ..Header::default() })
    }

    /// An extended header of a size; gives the size of the next.
    fn extended(&mut self, reader: &mut Reader<'_>, size: u64, wide: bool) -> Result<u64, Short> {
        let number = if wide { 4 } else { 2 };
        let least = number + 1;
        let kind = reader.u8()?;
        let content = reader.take(size.checked_sub(least).ok_or(Short { what: "extended header" })?)?;
        match kind {
            NAME => self.name = content.to_vec(),
            FOLDER => self.folder = content.to_vec(),
            SIZES => {
                let mut sizes = Reader::new(content, "sizes of a member");
                self.packed = sizes.u64_le()?;
                self.length = sizes.u64_le()?;
            }
            _ => {}
        }
        if wide { reader.u32_le().map(u64::from) } else { reader.u16_le().map(u64::from) }
    }

    /// Folders end with 0xFF, which stands for the separator.
    fn path(&self) -> Name {
        let folder = self.folder.iter().map(|byte| if *byte == 0xFF { b'/' } else { *byte });
        let path: Vec<u8> = folder.chain(self.name.iter().copied()).collect();
        Name::new(&path)
    }

    fn entry(&self, start: u64) -> Entry {
        let method = match &self.method {
            b"-lhd-" => return Entry::Other,
            b"-lh0-" | b"-lz4-" => Method::Stored,
            b"-lh1-" => Method::Lzh(Form::Lh1),
            b"-lh4-" | b"-lh5-" => Method::Lzh(Form::Lh5),
            b"-lh6-" => Method::Lzh(Form::Lh6),
            b"-lh7-" => Method::Lzh(Form::Lh7),
            b"-lzs-" => Method::Lzh(Form::Lzs),
            b"-lz5-" => Method::Lz5,
            _ => Method::Refused(Anomaly::unsupported("it is compressed with an unknown method")),
        };
        let check = Check::Crc16(self.crc);
        let (packed, length) = (self.packed, self.length);
        Entry::File(File { name: self.path(), start, packed, length, method, check, remark: None })
    }
}
