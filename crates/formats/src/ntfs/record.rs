//! Records of the file table.

use dachs_base::{Anomaly, Reader, Short};

use super::attribute::{self, Attribute};

/// The last two bytes of each stretch of this length stand elsewhere.
const STRIDE: usize = 512;

/// A record.
pub(super) struct Record {
    bytes: Vec<u8>,
    /// Where the first attribute begins.
    first: usize,
    pub(super) in_use: bool,
    /// The record of the file that this one belongs to; 0 if it is a file's first.
    pub(super) base: u64,
}

/// What a record holds.
pub(super) struct Attributes {
    pub(super) list: Vec<Attribute>,
    pub(super) broken: Option<Anomaly>,
}

impl Record {
    /// Reads a record; nothing if there is none.
    pub(super) fn read(mut bytes: Vec<u8>) -> Result<Option<Record>, Anomaly> {
        match bytes.first_chunk::<4>() {
            Some(b"FILE") => {}
            Some(b"BAAD") => return Err(Anomaly::damaged("the record is marked as broken")),
            Some([0, 0, 0, 0]) => return Ok(None),
            Some(_) => return Err(Anomaly::damaged("the record is broken")),
            None => return Err(Anomaly::damaged("the file table is cut off")),
        }
        let (update, count, first, flags, base) = header(&bytes)?;
        let in_use = flags & 1 != 0;
        let whole = repair(&mut bytes, usize::from(update), usize::from(count)).is_some();
        if in_use && !whole {
            return Err(Anomaly::damaged("the record was not written as a whole"));
        }
        Ok(Some(Record { bytes, first: first.into(), in_use, base: base & 0xffff_ffff_ffff }))
    }

    /// Its attributes, as far as they make sense.
    pub(super) fn attributes(&self) -> Attributes {
        let mut list = Vec::new();
        let mut rest = self.bytes.get(self.first..).unwrap_or_default();
        loop {
            let length = match attribute::header(rest) {
                Ok(None) => return Attributes { list, broken: None },
                Ok(Some(length)) => length,
                Err(short) => return Attributes { list, broken: Some(short.into()) },
            };
            let Some((bytes, next)) = rest.split_at_checked(length) else {
                let broken = Some(Anomaly::damaged("an attribute reaches past the end of its record"));
                return Attributes { list, broken };
            };
            match Attribute::read(bytes) {
                Ok(attribute) => list.extend(attribute),
                Err(short) => return Attributes { list, broken: Some(short.into()) },
            }
            rest = next;
        }
    }
}

/// Where the update sequence stands and how long it is, the first attribute, flags, the base record.
fn header(bytes: &[u8]) -> Result<(u16, u16, u16, u16, u64), Short> {
    let mut reader = Reader::new(bytes, "record of the file table");
    reader.skip(4)?;
    let (update, count) = (reader.u16_le()?, reader.u16_le()?);
    reader.skip(12)?;
    let (first, flags) = (reader.u16_le()?, reader.u16_le()?);
    reader.skip(8)?;
    Ok((update, count, first, flags, reader.u64_le()?))
}

/// Puts the last two bytes of each stretch back; `None` if they are not what they should be.
fn repair(bytes: &mut [u8], at: usize, count: usize) -> Option<()> {
    let sequence = bytes.get(at..)?.get(..count * 2)?.to_vec();
    let (pairs, _) = sequence.as_chunks::<2>();
    let (mark, saved) = pairs.split_first()?;
    if saved.len() != bytes.len() / STRIDE {
        return None;
    }
    for (stretch, saved) in bytes.chunks_exact_mut(STRIDE).zip(saved) {
        let last = stretch.last_chunk_mut::<2>()?;
        if last != mark {
            return None;
        }
        *last = *saved;
    }
    Some(())
}
