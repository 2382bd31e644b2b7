//! A packed stretch of bytes: what UPX says of one, and the way back.

use std::io::Read;
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Reader, Short, Source, bytes_at};

use super::nrv::{self, Variant};
use crate::codec;
use crate::stream::SourceRead;

/// How a stretch is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Stored,
    /// And how many bytes a word of bits has.
    Nrv(Variant, usize),
    Lzma,
    Deflate,
}

impl Method {
    /// By UPX's numbers.
    pub(super) fn of(number: u8) -> Option<Method> {
        Some(match number {
            2 => Method::Nrv(Variant::B, 4),
            3 => Method::Nrv(Variant::B, 1),
            4 => Method::Nrv(Variant::B, 2),
            5 => Method::Nrv(Variant::D, 4),
            6 => Method::Nrv(Variant::D, 1),
            7 => Method::Nrv(Variant::D, 2),
            8 => Method::Nrv(Variant::E, 4),
            9 => Method::Nrv(Variant::E, 1),
            10 => Method::Nrv(Variant::E, 2),
            14 => Method::Lzma,
            15 => Method::Deflate,
            _ => return None,
        })
    }
}

/// A packed stretch of a file.
#[derive(Clone, Copy)]
pub(super) struct Packed {
    pub(super) method: Method,
    pub(super) start: u64,
    /// Packed bytes, or more if it is not known how many.
    pub(super) length: u64,
    /// Plain bytes, at most.
    pub(super) plain: u64,
}

impl Packed {
    /// Puts the plain bytes behind `plain`. They are charged, and so is the memory for the packed ones; that for the plain ones is the
    /// caller's.
    ///
    /// # Errors
    /// What keeps it from being unpacked. What was unpacked before stays.
    pub(super) fn unpack(&self, source: &Arc<dyn Source>, plain: &mut Vec<u8>, budget: &Budget) -> Result<(), Anomaly> {
        let most = usize::try_from(self.plain).unwrap_or(usize::MAX);
        let input = |from: u64| {
            let (start, length) = (self.start.saturating_add(from), self.length.saturating_sub(from));
            SourceRead::range(Arc::clone(source), start, length)
        };
        let failed = |_| Anomaly::damaged("the packed program breaks off or makes no sense");
        match self.method {
            Method::Nrv(variant, word) => {
                let _memory = budget.reserve(self.length)?;
                let packed = bytes_at(source.as_ref(), self.start, usize::try_from(self.length).unwrap_or(usize::MAX));
                let before = plain.len();
                let decoded = nrv::decode(&packed, (variant, word), plain, most, budget);
                budget.charge_bytes(u64::try_from(plain.len().saturating_sub(before)).unwrap_or(u64::MAX))?;
                decoded.map(drop)
            }
            Method::Stored => {
                budget.charge_bytes(self.plain)?;
                input(0).take(self.plain).read_to_end(plain).map(drop).map_err(failed)
            }
            Method::Deflate => {
                budget.charge_bytes(self.plain)?;
                read(codec::deflate(input(0), budget), self.plain, plain)
            }
            Method::Lzma => {
                budget.charge_bytes(self.plain)?;
                let properties = self.properties(source)?;
                read(codec::lzma(input(2), properties, Some(self.plain), budget), self.plain, plain)
            }
        }
    }

    /// LZMA of UPX begins with two bytes of its own: all bits of the literals' contexts and those of the position; both parts of the former.
    fn properties(&self, source: &Arc<dyn Source>) -> Result<[u8; 5], Short> {
        let head = bytes_at(source.as_ref(), self.start, 2);
        let mut reader = Reader::new(&head, "packed program");
        let (position, literals) = (reader.u8()? & 7, reader.u8()?);
        let first = u32::from(position) * 45 + u32::from(literals >> 4) * 9 + u32::from(literals & 15);
        let [a, b, c, d] = u32::try_from(self.plain).unwrap_or(u32::MAX).to_le_bytes();
        Ok([u8::try_from(first).unwrap_or(u8::MAX), a, b, c, d])
    }
}

/// Reads what a decoder gives.
fn read(decoder: std::io::Result<codec::Decoder>, most: u64, plain: &mut Vec<u8>) -> Result<(), Anomaly> {
    let read = decoder.and_then(|decoder| decoder.take(most).read_to_end(plain));
    read.map(drop).map_err(|error| match error.kind() {
        std::io::ErrorKind::OutOfMemory => {
            Anomaly::unsupported("unpacking the program takes more memory than is allowed")
        }
        _ => Anomaly::damaged("the packed program breaks off or makes no sense"),
    })
}

/// What UPX writes about a whole program, 32 bytes from `UPX!` on.
pub(super) struct Header {
    pub(super) packed: Packed,
    pub(super) filter: u8,
    pub(super) parameter: u8,
    /// Adler-32 of the plain bytes.
    pub(super) sum: u32,
}

/// Bytes of it.
const LENGTH: usize = 32;

impl Header {
    /// Reads the header at the start of `bytes`, which stands at `place` of the file; the last of its bytes is the sum of the others.
    pub(super) fn read(bytes: &[u8], place: u64) -> Option<Header> {
        let bytes = bytes.get(..LENGTH)?;
        let (summed, sum) = bytes.get(4..)?.split_at_checked(27)?;
        if summed.iter().map(|byte| u32::from(*byte)).sum::<u32>() % 251 != u32::from(*sum.first()?) {
            return None;
        }
        let mut reader = Reader::new(bytes, "header of UPX");
        reader.skip(6).ok()?; // magic, version, format
        let method = Method::of(reader.u8().ok()?)?;
        reader.skip(1).ok()?; // level
        let sum = reader.u32_le().ok()?;
        reader.skip(4).ok()?; // sum of the packed bytes
        let (plain, length) = (reader.u32_le().ok()?.into(), reader.u32_le().ok()?.into());
        reader.skip(4).ok()?; // size of the file
        let (filter, parameter) = (reader.u8().ok()?, reader.u8().ok()?);
        let start = place.checked_add(u64::try_from(LENGTH).ok()?)?;
        Some(Header { packed: Packed { method, start, length, plain }, filter, parameter, sum })
    }
}
