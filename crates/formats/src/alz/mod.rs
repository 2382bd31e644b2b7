//! ALZip's older archives (specification: "ALZ Archive Format" in the documents of unalz-rs; AlZipSpecs of XADMaster; the format
//! was never published).
//!
//! ```text
//! "ALZ\1" 4 bytes | "BLZ\1" header, name, data | ... | "ELZ\1" comment | "CLZ\1" 12 bytes | "CLZ\2"
//! ```
//!
//! Files are stored, or compressed with DEFLATE or with a bzip2 that has no header and no checksums.
//!
//! Not done: encrypted files, and files that go on in another volume; both are told.

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Name, Reader, Short, Source};

use crate::Unpack;
use crate::packed::{Check, Entry, File, Method, Packed, Walk};
use crate::stream::SourceRead;

/// What records begin with.
const ARCHIVE: [u8; 4] = *b"ALZ\x01";
const FILE: [u8; 4] = *b"BLZ\x01";
const DIRECTORY: [u8; 4] = *b"CLZ\x01";
const END: [u8; 4] = *b"CLZ\x02";
const COMMENT: [u8; 4] = *b"ELZ\x01";
/// Bits of a file's descriptor, and of its attributes.
const ENCRYPTED: u8 = 1;
const FOLDER: u8 = 0x10;

/// Goes through the members of an archive.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Packed::open(Alz, source, budget)
}

struct Alz;

impl Walk for Alz {
    const FIRST: u64 = 0;

    fn next_entry(&mut self, input: &mut SourceRead) -> Result<Entry, Anomaly> {
        let (sign, got) = input.peek::<4>();
        if got < 4 {
            return Err(Anomaly::damaged("the archive is cut off: its end is missing"));
        }
        let start = input.position();
        match sign {
            ARCHIVE => pass(input, start, 8),
            DIRECTORY => pass(input, start, 16),
            FILE => file(input),
            END => {
                input.go_to(start.saturating_add(4));
                Ok(Entry::End)
            }
            // Its length stands at the end of the file, so it is given with what follows it.
            COMMENT => Ok(Entry::End),
            _ => Err(Anomaly::damaged("what should be a header is none")),
        }
    }
}

fn pass(input: &mut SourceRead, start: u64, count: u64) -> Result<Entry, Anomaly> {
    input.go_to(start.saturating_add(count));
    Ok(Entry::Other)
}

/// Reads a file's header (4) and passes its data.
fn file(input: &mut SourceRead) -> Result<Entry, Anomaly> {
    let mut fixed = [0; 13];
    let got = input.read_fully(&mut fixed);
    let mut reader = Reader::new(fixed.get(4..got).unwrap_or_default(), "header of a file");
    let (length, attributes) = (reader.u16_le()?, reader.u8()?);
    reader.skip(4)?;
    let descriptor = reader.u8()?;
    reader.skip(1)?;
    let width = usize::from(descriptor >> 4);
    if !matches!(width, 0 | 1 | 2 | 4 | 8) {
        return Err(Anomaly::damaged("the header of a file makes no sense"));
    }
    let mut more = vec![0; if width == 0 { 0 } else { 6 + 2 * width }];
    let mut name = vec![0; usize::from(length)];
    if input.read_fully(&mut more) < more.len() || input.read_fully(&mut name) < name.len() {
        return Err(Short { what: "header of a file" }.into());
    }
    if width == 0 || attributes & FOLDER != 0 {
        return Ok(Entry::Other);
    }
    let mut reader = Reader::new(&more, "header of a file");
    let method = reader.u8()?;
    reader.skip(1)?;
    let check = Check::Crc32(reader.u32_le()?);
    let mut number = || -> Result<u64, Short> {
        let bytes = reader.take(u64::try_from(width).unwrap_or(0))?;
        Ok(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    };
    let (packed, length) = (number()?, number()?);
    let encrypted = descriptor & ENCRYPTED != 0;
    let start = input.position();
    let behind = start.saturating_add(packed).saturating_add(if encrypted { 12 } else { 0 });
    input.go_to(behind);
    // What stands behind the end cannot be gone to.
    let remark = (input.position() < behind || input.peek::<1>().1 == 0)
        .then(|| Anomaly::damaged("its bytes reach past the end, or go on in another volume"));
    let method = match method {
        _ if encrypted => Method::Refused(Anomaly::encrypted("it is encrypted")),
        0 => Method::Stored,
        1 => Method::BareBzip2,
        2 => Method::Deflate,
        _ => Method::Refused(Anomaly::unsupported(format!("its compression method {method} cannot be read"))),
    };
    Ok(Entry::File(File { name: Name::new(&name), start, packed, length, method, check, remark }))
}
