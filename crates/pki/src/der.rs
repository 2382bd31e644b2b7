//! A reader of DER, as certificates are written in it.
//!
//! Specification: ITU-T X.690, sections 8.1 (tag, length, contents) and 10 (DER). Tags of more than one byte and lengths of
//! more than four are refused; so is the indefinite length. Nothing is recursive: whoever reads goes into a value by
//! making a reader of its contents.

/// INTEGER
pub const INTEGER: u8 = 0x02;
/// BIT STRING
pub const BIT_STRING: u8 = 0x03;
/// OCTET STRING
pub const OCTET_STRING: u8 = 0x04;
/// OBJECT IDENTIFIER
pub const OBJECT_IDENTIFIER: u8 = 0x06;
/// UTCTime
pub const UTC_TIME: u8 = 0x17;
/// GeneralizedTime
pub const GENERALIZED_TIME: u8 = 0x18;
/// SEQUENCE, constructed
pub const SEQUENCE: u8 = 0x30;
/// SET, constructed
pub const SET: u8 = 0x31;
/// `[0]`, explicit or of a constructed value.
pub const CONTEXT_0: u8 = 0xa0;
/// `[1]`, the same.
pub const CONTEXT_1: u8 = 0xa1;
/// `[3]`, the same.
pub const CONTEXT_3: u8 = 0xa3;

/// The values that stand in some bytes, one after the other.
#[derive(Clone, Debug)]
pub struct Values<'a>(&'a [u8]);

/// A value: its tag and its contents.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    /// Its tag.
    pub tag: u8,
    /// What is in it.
    pub contents: &'a [u8],
    /// All of it, with tag and length.
    pub whole: &'a [u8],
}

impl<'a> Values<'a> {
    /// Those in these bytes.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Values<'a> {
        Values(bytes)
    }

    /// The next value, if it has this tag.
    pub fn tagged(&mut self, tag: u8) -> Option<Value<'a>> {
        self.next().filter(|value| value.tag == tag)
    }

    /// The next value if it has this tag; otherwise it stays.
    pub fn optional(&mut self, tag: u8) -> Option<Value<'a>> {
        let mut ahead = self.clone();
        let value = ahead.tagged(tag)?;
        *self = ahead;
        Some(value)
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let (tag, rest) = self.0.split_first()?;
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match *first {
            short @ 0..=0x7f => (usize::from(short), rest),
            long @ 0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
                (bytes.iter().fold(0usize, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (contents, rest) = rest.split_at_checked(length)?;
        let whole = self.0.get(..self.0.len().checked_sub(rest.len())?)?;
        self.0 = rest;
        Some(Value { tag: *tag, contents, whole })
    }
}

impl<'a> Value<'a> {
    /// The values inside.
    #[must_use]
    pub fn values(&self) -> Values<'a> {
        Values::new(self.contents)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn values_are_read_one_after_the_other() {
        let bytes = [0x30, 3, 2, 1, 5, 0x04, 0x81, 2, 7, 8, 0x05, 0x80];
        let mut values = Values::new(&bytes);
        assert!(values.optional(INTEGER).is_none());
        let sequence = values.tagged(SEQUENCE).unwrap();
        assert_eq!(sequence.whole, &[0x30, 3, 2, 1, 5]);
        let mut inside = sequence.values();
        assert_eq!(inside.tagged(INTEGER).map(|value| value.contents), Some(&[5][..]));
        assert!(inside.next().is_none());
        assert_eq!(values.next().map(|value| value.contents), Some(&[7, 8][..]));
        assert!(values.next().is_none());
    }

    #[test]
    fn what_is_cut_off_is_no_value() {
        for bytes in [&[0x30][..], &[0x30, 2, 1], &[0x30, 0x82, 1], &[0x1f, 1, 1], &[0x30, 0x85, 0, 0, 0, 0, 0]] {
            assert!(Values::new(bytes).next().is_none(), "{bytes:?}");
        }
    }
}
