//! A reader of DER, as certificates are written in it.
//!
//! Specification: ITU-T X.690, sections 8.1 (tag, length, contents) and 10 (DER). Tags of more than one byte and lengths of
//! more than four are refused; so is the indefinite length. Nothing is recursive: whoever reads goes into a value by
//! making a reader of its contents.

use dachs_base::Reader;

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
/// `[0]`, explicit or of a constructed value.
pub(super) const CONTEXT_0: u8 = 0xa0;

/// The values that stand in some bytes, one after the other.
#[derive(Clone)]
pub(super) struct Values<'a>(Reader<'a>);

/// A value: its tag and its contents.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    pub(super) tag: u8,
    pub(super) contents: &'a [u8],
}

impl<'a> Values<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Values<'a> {
        Values(Reader::new(bytes, "DER"))
    }

    /// The next value, if it has this tag.
    pub(super) fn tagged(&mut self, tag: u8) -> Option<Value<'a>> {
        self.next().filter(|value| value.tag == tag)
    }

    /// The next value if it has this tag; otherwise it stays.
    pub(super) fn optional(&mut self, tag: u8) -> Option<Value<'a>> {
        let mut ahead = self.clone();
        let value = ahead.tagged(tag)?;
        *self = ahead;
        Some(value)
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let tag = self.0.u8().ok().filter(|tag| tag & 0x1f != 0x1f)?;
        let length = match self.0.u8().ok()? {
            short @ 0..=0x7f => u64::from(short),
            long @ 0x81..=0x84 => {
                let bytes = self.0.take(u64::from(long & 0x7f)).ok()?;
                bytes.iter().fold(0, |length, byte| length << 8 | u64::from(*byte))
            }
            _ => return None,
        };
        Some(Value { tag, contents: self.0.take(length).ok()? })
    }
}

impl<'a> Value<'a> {
    /// The values inside.
    pub(super) fn values(&self) -> Values<'a> {
        Values::new(self.contents)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_one_after_the_other() {
        let bytes = [0x30, 3, 2, 1, 5, 0x04, 0x81, 2, 7, 8, 0x05, 0x80];
        let mut values = Values::new(&bytes);
        assert!(values.optional(INTEGER).is_none());
        let mut inside = values.tagged(SEQUENCE).unwrap().values();
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
