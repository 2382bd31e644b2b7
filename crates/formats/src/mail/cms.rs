//! What signed S/MIME data sign (RFC 8551 3.5.2; CMS: RFC 5652 3, 5.1, 5.2; BER: ITU-T X.690 8.1).
//!
//! ```text
//! ContentInfo { signedData, [0] SignedData { version, digests, { type, [0] OCTET STRING }, certificates ... } }
//! ```
//!
//! The octets may come in pieces, and lengths may be left open; they are given as ranges of the data, without a copy. Signatures
//! are not checked: whoever signed it, the content is looked at. Not done: compressed data.

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Source, read_vec_at};

use crate::joined::Extents;

/// Types of content, without their tag: 1.2.840.113549.1.7.2, .3, and 1.2.840.113549.1.9.16.1.23.
const SIGNED: &[u8] = b"\x2A\x86\x48\x86\xF7\x0D\x01\x07\x02";
const ENVELOPED: &[u8] = b"\x2A\x86\x48\x86\xF7\x0D\x01\x07\x03";
const AUTHENTICATED: &[u8] = b"\x2A\x86\x48\x86\xF7\x0D\x01\x09\x10\x01\x17";
/// Tags.
const IDENTIFIER: u8 = 0x06;
const OCTETS: u8 = 0x04;
const PIECES: u8 = 0x24;
const SEQUENCE: u8 = 0x30;
const CONTEXT_0: u8 = 0xA0;

/// The content that is signed; nothing if the signature is of something else, or there are certificates only.
///
/// # Errors
/// Why there may be content that cannot be had.
pub(super) fn content(source: &Arc<dyn Source>, budget: &Budget) -> Result<Option<Arc<dyn Source>>, Anomaly> {
    let unknown = || Anomaly::unsupported("S/MIME data (RFC 8551) that cannot be read");
    let mut values = Values { source: source.as_ref(), budget, at: 0 };
    values.enter(SEQUENCE).ok_or_else(unknown)?;
    let kind = values.identifier().ok_or_else(unknown)?;
    if kind == ENVELOPED || kind == AUTHENTICATED {
        return Err(Anomaly::encrypted("encrypted S/MIME data (RFC 8551)"));
    }
    if kind != SIGNED {
        return Err(unknown());
    }
    values.enter(CONTEXT_0).and_then(|_| values.enter(SEQUENCE)).ok_or_else(unknown)?;
    values.pass().and_then(|()| values.pass()).ok_or_else(unknown)?;
    let inner = values.enter(SEQUENCE).ok_or_else(unknown)?;
    let _kind = values.identifier().ok_or_else(unknown)?;
    if inner.end.is_some_and(|end| values.at >= end) || values.enter(CONTEXT_0).is_none() {
        return Ok(None);
    }
    let mut extents = Extents::new(budget);
    values.octets(&mut extents)?.ok_or_else(|| Anomaly::damaged("signed S/MIME data are broken"))?;
    let length = extents.length();
    Ok((length > 0).then(|| extents.into_source(source, length)))
}

/// A value's head.
struct Head {
    tag: u8,
    /// Where its contents begin, and where they end if that is told.
    start: u64,
    end: Option<u64>,
}

/// Goes through values.
struct Values<'a> {
    source: &'a dyn Source,
    budget: &'a Budget,
    at: u64,
}

impl Values<'_> {
    /// The head of the next value.
    fn head(&self) -> Option<Head> {
        let bytes = read_vec_at(self.source, self.at, 10);
        let (tag, first) = (*bytes.first()?, *bytes.get(1)?);
        let (size, length) = match first {
            0..0x80 => (2, Some(u64::from(first))),
            0x80 => (2, None),
            _ => {
                let count = usize::from(first & 0x7F);
                let digits = bytes.get(2..2 + count)?;
                (2 + count, Some(digits.iter().fold(0, |sum, digit| sum << 8 | u64::from(*digit))))
            }
        };
        let start = self.at.checked_add(u64::try_from(size).ok()?)?;
        let end = match length {
            Some(length) => Some(start.checked_add(length)?),
            None => None,
        };
        Some(Head { tag, start, end })
    }

    /// Goes into a value with this tag.
    fn enter(&mut self, tag: u8) -> Option<Head> {
        let head = self.head().filter(|head| head.tag == tag)?;
        self.at = head.start;
        Some(head)
    }

    /// Passes a value.
    fn pass(&mut self) -> Option<()> {
        let mut open = 0u32;
        loop {
            self.budget.check_time().ok()?;
            let head = self.head()?;
            match head.end {
                // The end of what was left open.
                Some(end) if head.tag == 0 && end == head.start => open = open.checked_sub(1)?,
                Some(_) => {}
                None => open = open.checked_add(1)?,
            }
            self.at = head.end.unwrap_or(head.start);
            if open == 0 {
                return Some(());
            }
        }
    }

    /// An object identifier.
    fn identifier(&mut self) -> Option<Vec<u8>> {
        let head = self.head().filter(|head| head.tag == IDENTIFIER)?;
        let length = usize::try_from(head.end?.checked_sub(head.start)?).ok().filter(|length| *length <= 64)?;
        self.at = head.end?;
        Some(read_vec_at(self.source, head.start, length))
    }

    /// The octets of a value, in one piece or several.
    fn octets(&mut self, extents: &mut Extents) -> Result<Option<()>, Anomaly> {
        let Some(first) = self.head() else { return Ok(None) };
        if first.tag == OCTETS {
            return self.piece(&first, extents);
        }
        if first.tag != PIECES {
            return Ok(None);
        }
        self.at = first.start;
        while first.end.is_none_or(|end| self.at < end) {
            self.budget.check_time()?;
            match self.head() {
                Some(head) if head.tag == OCTETS => {
                    if self.piece(&head, extents)?.is_none() {
                        return Ok(None);
                    }
                }
                // Pieces of pieces are read as if they were side by side.
                Some(head) if head.tag == PIECES => self.at = head.start,
                Some(head) if head.tag == 0 => return Ok(Some(())),
                _ => return Ok(None),
            }
        }
        Ok(Some(()))
    }

    fn piece(&mut self, head: &Head, extents: &mut Extents) -> Result<Option<()>, Anomaly> {
        let Some(end) = head.end else { return Ok(None) };
        extents.push(Some(head.start), end - head.start)?;
        self.at = end;
        Ok(Some(()))
    }
}
