//! RPM packages (specification: the RPM Package format, versions 3 and 4, in rpm's docs/manual/format.md).
//!
//! ```text
//! lead (96 bytes) | signature header, padded to 8 | header | payload: a compressed cpio archive
//! header: 8E AD E8 01, 0 (4), entries (u32), length of the data (u32), entries of 16 bytes, data        big-endian
//! ```
//!
//! The payload is a member of its own, whose form is told from its bytes. The scripts that run at installation stand in the
//! header, which is a member too, as it is.

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Name, Part, Reader, Source, read_vec_at};

use crate::{Found, Search, Unpack};

const LEAD: u64 = 96;
const MAGIC: &[u8] = b"\x8e\xad\xe8\x01";

/// Goes through a package.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Box::new(Package { source: Arc::clone(source), found: Found::new(budget) })
}

/// What a payload begins with: gzip, bzip2, xz, LZMA, Zstandard, or cpio as it is (docs/manual/format.md, "Payload").
const PAYLOADS: [&[u8]; 8] =
    [b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x5d\0\0", b"\x28\xb5\x2f\xfd", b"0707", b"\xc7\x71", b"\x71\xc7"];

struct Package {
    source: Arc<dyn Source>,
    found: Found,
}

impl Search for Package {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        self.found.end();
        let signature = header_length(self.source.as_ref(), LEAD)?;
        let header = LEAD.saturating_add(signature).checked_next_multiple_of(8).unwrap_or(u64::MAX);
        let length = header_length(self.source.as_ref(), header)?;
        self.give(b"header", header, length)?;
        let payload = header.saturating_add(length);
        let start = read_vec_at(self.source.as_ref(), payload, 6);
        if !PAYLOADS.iter().any(|magic| start.starts_with(magic)) {
            let anomaly = Anomaly::damaged("the payload is not where the headers of the package say");
            self.found.remark(None, anomaly);
        }
        self.give(b"payload", payload, self.source.len().saturating_sub(payload))
    }
}

impl Package {
    fn give(&mut self, name: &[u8], start: u64, length: u64) -> Result<(), Anomaly> {
        let part = Part::new(Arc::clone(&self.source), start, length);
        Ok(self.found.member(Name::new(name), Arc::new(part), Some(length))?)
    }
}

/// The length of the header that begins at `at`.
fn header_length(source: &dyn Source, at: u64) -> Result<u64, Anomaly> {
    let bytes = read_vec_at(source, at, 16);
    let mut reader = Reader::new(&bytes, "RPM header");
    if reader.take(4)? != MAGIC {
        return Err(Anomaly::damaged("a header of the package is broken; what follows it was not unpacked"));
    }
    reader.skip(4)?;
    let (entries, data) = (u64::from(reader.u32_be()?), u64::from(reader.u32_be()?));
    Ok(16 + entries.saturating_mul(16).saturating_add(data))
}
