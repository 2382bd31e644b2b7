//! ARJ archives (the specification is "ARJ archive file format", TECHNOTE.TXT in ARJ's packages).
//!
//! ```text
//! 60 EA | size 2 | basic header: size of its fixed part 1 | ... | name 0 | comment 0 | crc32 4 | extended: size 2 (0: none)
//! ```
//!
//! The first header describes the archive, each other a file whose data follow; a header of size 0 ends the archive.
//! Methods 0 to 4 are opened. Checksums of headers are compared, and a wrong one is a remark.
//!
//! Not done: passwords; files that go on in another volume are told, and what there is of them is given.

use std::io::Read;
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Name, Reader, Short, Source};

use crate::Unpack;
use crate::codec::lzh::Form;
use crate::packed::{Check, Entry, File, Method, Packed, Walk};
use crate::stream::SourceRead;

/// The first bytes of a header, and the longest basic header.
const MARK: [u8; 2] = [0x60, 0xEA];
const LONGEST: u16 = 2600;

/// Flags of a file.
const GARBLED: u8 = 0x01;
const VOLUME: u8 = 0x04;
const CONTINUED: u8 = 0x08;

/// Types of files that have no bytes: folders, labels.
const FOLDER: u8 = 3;
const LABEL: u8 = 4;

/// Goes through the members of an archive.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Packed::open(Arj { begun: false }, source, budget)
}

struct Arj {
    /// The archive's own header was read.
    begun: bool,
}

impl Walk for Arj {
    const FIRST: u64 = 1;

    fn next_entry(&mut self, input: &mut SourceRead) -> Result<Entry, Anomaly> {
        let Some((basic, odd)) = header(input)? else { return Ok(Entry::End) };
        if !std::mem::replace(&mut self.begun, true) {
            return Ok(Entry::Other);
        }
        let mut file = entry(&basic)?;
        file.start = input.position();
        input.go_to(file.start.saturating_add(file.packed));
        if odd && file.remark.is_none() {
            file.remark = Some(Anomaly::odd("the checksum of its header is wrong"));
        }
        let empty = file.packed == 0 && file.remark.is_none();
        Ok(if empty && matches!(basic.get(6), Some(&(FOLDER | LABEL))) { Entry::Other } else { Entry::File(file) })
    }
}

/// A basic header, and if its checksum is wrong; none at the end. Moves behind its extended headers.
fn header(input: &mut SourceRead) -> Result<Option<(Vec<u8>, bool)>, Anomaly> {
    let [first, second, low, high] = array(input)?;
    if [first, second] != MARK {
        return Err(Anomaly::damaged("what should be a header is none"));
    }
    let size = u16::from_le_bytes([low, high]);
    if size == 0 {
        return Ok(None);
    }
    if size > LONGEST {
        return Err(Anomaly::damaged("a header is too long"));
    }
    let mut basic = vec![0; usize::from(size)];
    let got = input.read_fully(&mut basic);
    let crc = u32::from_le_bytes(array(input)?);
    if got < basic.len() {
        return Err(Short { what: "header of a member" }.into());
    }
    loop {
        let extended = u16::from_le_bytes(array(input)?);
        if extended == 0 {
            break;
        }
        input.go_to(input.position().saturating_add(u64::from(extended) + 4));
    }
    let odd = crc32fast::hash(&basic) != crc;
    Ok(Some((basic, odd)))
}

fn array<const N: usize>(input: &mut SourceRead) -> Result<[u8; N], Anomaly> {
    let mut bytes = [0; N];
    let read = input.read_exact(&mut bytes);
    read.map(|()| bytes).map_err(|_| Anomaly::damaged("the archive is cut off: its end mark is missing"))
}

/// What a basic header says of a file.
fn entry(basic: &[u8]) -> Result<File, Short> {
    let mut reader = Reader::new(basic, "header of a member");
    let fixed = u64::from(reader.clone().u8()?);
    let mut name = Reader::new(basic, "name of a member");
    name.skip(fixed)?;
    let name = name.rest().split(|byte| *byte == 0).next().unwrap_or_default();
    reader.skip(4)?; // sizes, versions, system
    let (flags, method) = (reader.u8()?, reader.u8()?);
    reader.skip(6)?; // type, password modifier, time
    let (packed, length, crc) = (u64::from(reader.u32_le()?), u64::from(reader.u32_le()?), reader.u32_le()?);
    let in_other_volumes = flags & (VOLUME | CONTINUED) != 0;
    let remark = in_other_volumes.then(|| Anomaly::unsupported("parts of it are in another volume"));
    let check = Check::Crc32(crc);
    Ok(File { name: Name::new(name), start: 0, packed, length, method: opened(flags, method), check, remark })
}

fn opened(flags: u8, method: u8) -> Method {
    match method {
        _ if flags & GARBLED != 0 => Method::Refused(Anomaly::encrypted("it is encrypted")),
        0 => Method::Stored,
        1..=3 => Method::Lzh(Form::Arj),
        4 => Method::Lzh(Form::ArjFastest),
        _ => Method::Refused(Anomaly::unsupported("it is compressed with an unknown method")),
    }
}
