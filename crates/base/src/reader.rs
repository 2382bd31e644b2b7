//! The one door for attacker bytes.
//!
//! Format code takes numbers and ranges from a [`Reader`] and does no indexing, no `as` and no length arithmetic of its
//! own. Every take is checked; what is missing is a [`Short`], which says what was being read.
//!
//! ```
//! use dachs_base::Reader;
//! let mut reader = Reader::new(b"\x02\x00\x00\x00ab", "example record");
//! let count = reader.u32_le()?;
//! assert_eq!(reader.take(u64::from(count))?, b"ab");
//! assert!(reader.u8().is_err());
//! # Ok::<(), dachs_base::Short>(())
//! ```

use crate::Anomaly;

/// Bytes ended too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short {
    /// What was being read.
    pub what: &'static str,
}

impl From<Short> for Anomaly {
    fn from(short: Short) -> Anomaly {
        Anomaly::damaged(format!("the {} is cut off", short.what))
    }
}

/// Reads numbers and ranges from a slice, front to back.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

macro_rules! number {
    ($name:ident, $type:ty, $from:ident, $doc:literal) => {
        #[doc = $doc]
        ///
        /// # Errors
        /// When there are not enough bytes.
        pub fn $name(&mut self) -> Result<$type, Short> {
            self.array().map(<$type>::$from)
        }
    };
}

impl<'a> Reader<'a> {
    /// Reads `bytes`; `what` names the record for messages ("zip central header").
    #[must_use]
    pub fn new(bytes: &'a [u8], what: &'static str) -> Reader<'a> {
        Reader { rest: bytes, what }
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn take(&mut self, count: u64) -> Result<&'a [u8], Short> {
        let split = usize::try_from(count).ok().and_then(|at| self.rest.split_at_checked(at));
        let (taken, rest) = split.ok_or(Short { what: self.what })?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes as an array.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Short> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(Short { what: self.what })?;
        self.rest = rest;
        Ok(*taken)
    }

    /// Skips `count` bytes.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn skip(&mut self, count: u64) -> Result<(), Short> {
        self.take(count).map(drop)
    }

    /// A reader over the next `count` bytes.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn sub(&mut self, count: u64, what: &'static str) -> Result<Reader<'a>, Short> {
        self.take(count).map(|bytes| Reader::new(bytes, what))
    }

    /// All bytes that are left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    number!(u8, u8, from_le_bytes, "One byte.");
    number!(u16_le, u16, from_le_bytes, "A 16-bit number, little-endian.");
    number!(u16_be, u16, from_be_bytes, "A 16-bit number, big-endian.");
    number!(u32_le, u32, from_le_bytes, "A 32-bit number, little-endian.");
    number!(u32_be, u32, from_be_bytes, "A 32-bit number, big-endian.");
    number!(u64_le, u64, from_le_bytes, "A 64-bit number, little-endian.");
    number!(u64_be, u64, from_be_bytes, "A 64-bit number, big-endian.");

    /// How many bytes are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// True if no byte is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_in_both_orders() {
        let mut reader = Reader::new(&[1, 2, 3, 4, 5, 6], "test");
        assert_eq!(reader.u16_le(), Ok(0x0201));
        assert_eq!(reader.u32_be(), Ok(0x0304_0506));
        assert_eq!(reader.u8(), Err(Short { what: "test" }));
    }

    #[test]
    fn a_short_take_takes_nothing() {
        let mut reader = Reader::new(b"abc", "test");
        assert!(reader.take(4).is_err());
        assert!(reader.take(u64::MAX).is_err());
        assert_eq!(reader.take(2), Ok(&b"ab"[..]));
        assert_eq!(reader.rest(), b"c");
        assert!(reader.is_empty());
    }
}
