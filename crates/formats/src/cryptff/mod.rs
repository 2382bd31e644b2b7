//! CryptFF: a file whose bytes are all turned round (observed: `clamscan` of ClamAV 1.4.6 finds what stands in one; there is no published
//! specification).
//!
//! ```text
//! b6 b9 ac ae fe ff ff ff | 8 bytes | content, each byte XOR 0xff
//! ```
//!
//! The member is the content, turned while it is read.

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Name, Source};

use crate::{Found, Search, Unpack};

/// Bytes before the content.
const HEADER: u64 = 16;

/// Gives the content.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Box::new(Content { source: Arc::clone(source), found: Found::new(budget) })
}

struct Content {
    source: Arc<dyn Source>,
    found: Found,
}

impl Search for Content {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        self.found.end();
        let length = self.source.len().checked_sub(HEADER).filter(|length| *length > 0);
        let length = length.ok_or_else(|| Anomaly::damaged("it ends within its header"))?;
        let turned = Turned { source: Arc::clone(&self.source) };
        Ok(self.found.member(Name::new(b"content"), Arc::new(turned), Some(length))?)
    }
}

/// The content of a file.
struct Turned {
    source: Arc<dyn Source>,
}

impl Source for Turned {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let got = self.source.read_at(offset.saturating_add(HEADER), buffer);
        buffer.iter_mut().take(got).for_each(|byte| *byte = !*byte);
        got
    }

    fn len(&self) -> u64 {
        self.source.len().saturating_sub(HEADER)
    }

    fn known_len(&self) -> Option<u64> {
        self.source.known_len().map(|length| length.saturating_sub(HEADER))
    }

    fn problem(&self) -> Option<Anomaly> {
        self.source.problem()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Item;
    use dachs_base::{Limits, Memory, NoClock, read_vec_at};

    #[test]
    fn content_is_turned() {
        let plain = b"a badger";
        let turned: Vec<u8> = plain.iter().map(|byte| !*byte).collect();
        let bytes = [b"\xb6\xb9\xac\xae\xfe\xff\xff\xff12345678".as_slice(), &turned].concat();
        let budget = Budget::new(Limits::default(), NoClock);
        let source: Arc<dyn Source> = Arc::new(Memory::new(bytes.clone()));
        let mut unpack = open(&source, &budget);
        let Some(Item::Member(member)) = unpack.next_item() else { panic!("no member") };
        assert_eq!(read_vec_at(member.source.as_ref(), 0, 100), plain);
        assert_eq!(read_vec_at(member.source.as_ref(), 2, 3), b"bad");
        assert!(unpack.next_item().is_none());
        let source: Arc<dyn Source> = Arc::new(Memory::new(bytes.get(..16).unwrap_or_default().to_vec()));
        assert!(matches!(open(&source, &budget).next_item(), Some(Item::Anomaly { .. })));
    }
}
