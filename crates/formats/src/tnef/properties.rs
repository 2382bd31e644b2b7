//! Lists of properties in TNEF ([MS-OXTNEF] 2.1.3.4), of which those that hold content or a name are given.
//!
//! ```text
//! count | type, id, [GUID and name if id >= 0x8000], [count of values], value, ...
//! ```

use std::sync::Arc;

use dachs_base::Source;

use crate::stream::SourceRead;
use crate::utf16;

/// Bytes of a name that are read.
const LONGEST_NAME: u64 = 2048;
/// The flag of a type for several values ([MS-OXCDATA] 2.11.1).
const SEVERAL: u16 = 0x1000;
/// Identifiers from here on are followed by a GUID and a name.
const NAMED: u16 = 0x8000;

/// What a property holds that is of interest.
pub(super) enum Property {
    /// The long name of the attachment, in UTF-8 or as it is.
    Name(Vec<u8>),
    /// Content: where it stands, what it is, and whether it is compressed RTF.
    Content { start: u64, length: u64, what: &'static str, packed: bool },
}

/// Goes through a list.
pub(super) struct List {
    input: SourceRead,
    base: u64,
    /// Properties that are still to come.
    left: u32,
    /// The property at hand and how many of its values are still to come.
    property: (u16, u16, u32),
    /// True if the list ended before its time.
    pub(super) broken: bool,
}

impl List {
    /// The list in `length` bytes of `source` from `start`.
    pub(super) fn new(source: &Arc<dyn Source>, start: u64, length: u64) -> List {
        let input = SourceRead::range(Arc::clone(source), start, length);
        let mut list = List { input, base: start, left: 0, property: (0, 0, 0), broken: false };
        list.left = list.number().unwrap_or(0);
        list
    }

    /// The next property of interest.
    pub(super) fn next_property(&mut self) -> Option<Property> {
        while !self.broken && (self.left > 0 || self.property.2 > 0) {
            let found = if self.property.2 > 0 { self.value() } else { self.begin().map(|()| None) };
            match found {
                Some(Some(found)) => return Some(found),
                Some(None) => {}
                None => self.broken = true,
            }
        }
        None
    }

    /// Reads the next property's type and name.
    fn begin(&mut self) -> Option<()> {
        self.left -= 1;
        let kind = u16::from_le_bytes(self.bytes()?);
        let id = u16::from_le_bytes(self.bytes()?);
        if id >= NAMED {
            self.bytes::<16>()?;
            match self.number()? {
                0 => drop(self.number()?),
                _ => {
                    let length = u64::from(self.number()?);
                    self.pass(length)?;
                }
            }
        }
        let sized = matches!(kind & !SEVERAL, 0x000d | 0x001e | 0x001f | 0x0102);
        let count = if sized || kind & SEVERAL != 0 { self.number()? } else { 1 };
        self.property = (kind & !SEVERAL, id, count);
        Some(())
    }

    /// Reads the next value ([MS-OXCDATA] 2.11.1).
    fn value(&mut self) -> Option<Option<Property>> {
        let (kind, id, count) = self.property;
        self.property.2 = count.saturating_sub(1);
        let length = match kind {
            0x0002 | 0x0003 | 0x0004 | 0x000a | 0x000b => 4,
            0x0005 | 0x0006 | 0x0007 | 0x0014 | 0x0040 => 8,
            0x0048 => 16,
            0x000d | 0x001e | 0x001f | 0x0102 => u64::from(self.number()?),
            _ => return None,
        };
        let start = self.input.position();
        let found = self.found(kind, id, start, length);
        self.input.go_to(start);
        self.broken |= self.pass(length).is_none();
        Some(found)
    }

    fn found(&mut self, kind: u16, id: u16, start: u64, length: u64) -> Option<Property> {
        let content = |skip: u64, what, packed| {
            let start = self.base.saturating_add(start).saturating_add(skip);
            Some(Property::Content { start, length: length.checked_sub(skip)?, what, packed })
        };
        match (id, kind) {
            // PidTagBody, PidTagRtfCompressed, PidTagBodyHtml.
            (0x1000, 0x001e | 0x001f) => content(0, "body", false),
            (0x1009, 0x0102) => content(0, "body.rtf", true),
            (0x1013, _) => content(0, "body.html", false),
            // PidTagAttachDataObject and PidTagAttachDataBinary; an object begins with its interface (2.1.3.4).
            (0x3701, 0x000d) => content(16, "object", false),
            (0x3701, 0x0102) => content(0, "", false),
            // PidTagAttachLongFilename.
            (0x3707, 0x001e | 0x001f) => Some(Property::Name(self.name(kind, length))),
            _ => None,
        }
    }

    fn name(&mut self, kind: u16, length: u64) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(length.min(LONGEST_NAME)).unwrap_or(0)];
        let got = self.input.read_fully(&mut bytes);
        bytes.truncate(got);
        if kind == 0x001f {
            return utf16::little_until_zero(&bytes).into_bytes();
        }
        bytes.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()
    }

    fn number(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_le_bytes)
    }

    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        (self.input.read_fully(&mut bytes) == N).then_some(bytes)
    }

    /// Passes a value, and what fills it up to a multiple of four. None if it reaches past the end: of the bytes that there are, whatever
    /// the attribute says of its length.
    fn pass(&mut self, length: u64) -> Option<()> {
        let to = self.input.position().checked_add(length)?;
        if let Some(last) = to.checked_sub(1).filter(|_| length > 0) {
            self.input.go_to(last);
            self.bytes::<1>()?;
        }
        self.input.go_to(to.checked_next_multiple_of(4)?);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, reason = "tests")]

    use super::*;
    use dachs_base::Memory;

    /// The list in these bytes, whose attribute says that it has four gigabytes.
    fn list(bytes: &[u8]) -> List {
        List::new(&(Arc::new(Memory::new(bytes.to_vec())) as Arc<dyn Source>), 0, u64::from(u32::MAX))
    }

    #[test]
    fn values_end_with_the_bytes_that_there_are() {
        let mut many = list(b"\x01\0\0\0\x03\x10\x01\0\xff\xff\xff\xff1234");
        assert!(many.next_property().is_none() && many.broken);
    }

    #[test]
    fn content_that_is_cut_is_given_and_told() {
        let mut cut = list(b"\x01\0\0\0\x02\x01\x01\x37\x01\0\0\0\x64\0\0\0abc");
        let Some(Property::Content { start: 16, length: 100, .. }) = cut.next_property() else { panic!("no content") };
        assert!(cut.next_property().is_none() && cut.broken);
    }
}
