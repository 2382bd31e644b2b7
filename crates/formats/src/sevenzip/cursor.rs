//! Places in a header, and what is read there: numbers, bits and checksums (7zFormat.txt, "Property IDs" and before).

use std::sync::Arc;

use dachs_base::{Charge, Reader, Short};

/// What is wrong with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It is broken.
    Damaged(&'static str),
    /// It uses something that cannot be read.
    Unsupported(&'static str),
}

impl From<Short> for Wrong {
    fn from(_: Short) -> Wrong {
        Wrong::Damaged("the header breaks off")
    }
}

/// The bytes of a header; the memory they take is reserved.
#[derive(Clone)]
pub(super) struct Bytes {
    bytes: Arc<Vec<u8>>,
    _memory: Arc<Charge>,
}

impl Bytes {
    /// Takes the bytes and what was reserved for them.
    pub(super) fn new(bytes: Vec<u8>, memory: Charge) -> Bytes {
        Bytes { bytes: Arc::new(bytes), _memory: Arc::new(memory) }
    }

    /// A place in them.
    pub(super) fn cursor(&self, at: usize) -> Cursor {
        Cursor { bytes: self.clone(), at }
    }

    /// The first byte: what the header is.
    pub(super) fn first(&self) -> Option<u8> {
        self.bytes.first().copied()
    }
}

/// A place in the header.
#[derive(Clone)]
pub(super) struct Cursor {
    bytes: Bytes,
    at: usize,
}

impl Cursor {
    /// Reads something and moves behind it.
    pub(super) fn read<T, E: From<Short>>(
        &mut self,
        take: impl FnOnce(&mut Reader<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let rest = self.bytes.bytes.get(self.at..).unwrap_or_default();
        let mut reader = Reader::new(rest, "7z header");
        let result = take(&mut reader);
        self.at += rest.len() - reader.left();
        result
    }

    /// One byte.
    pub(super) fn byte(&mut self) -> Result<u8, Short> {
        self.read(|reader| reader.u8())
    }

    /// A number of variable length, see [`number`].
    pub(super) fn number(&mut self) -> Result<u64, Short> {
        self.read(number)
    }

    /// Moves on.
    pub(super) fn skip(&mut self, count: u64) -> Result<(), Short> {
        self.read(|reader| reader.skip(count))
    }

    /// Moves behind the number of a property that must stand here.
    pub(super) fn expect(&mut self, id: u8) -> Result<(), Wrong> {
        match self.byte()? {
            found if found == id => Ok(()),
            _ => Err(Wrong::Damaged("the header has a table where it should not be")),
        }
    }
}

/// A number of one to nine bytes; the leading ones of the first byte tell how many follow.
pub(super) fn number(reader: &mut Reader<'_>) -> Result<u64, Short> {
    let first = reader.u8()?;
    let following = first.leading_ones();
    let mut value = 0;
    for place in 0..following {
        value |= u64::from(reader.u8()?) << (8 * place);
    }
    let high = u64::from(first) & (0x7F_u64 >> following);
    Ok(if following < 8 { value | high << (8 * following) } else { value })
}

/// A vector of bits, most significant bit of each byte first.
#[derive(Clone)]
pub(super) struct Bits {
    cursor: Cursor,
    /// How many bits were taken.
    taken: u64,
    byte: u8,
}

impl Bits {
    /// The bits that begin here.
    pub(super) fn new(cursor: &Cursor) -> Bits {
        Bits { cursor: cursor.clone(), taken: 0, byte: 0 }
    }

    /// The next bit; zero behind the end of the header.
    pub(super) fn next_bit(&mut self) -> bool {
        if self.taken.is_multiple_of(8) {
            self.byte = self.cursor.byte().unwrap_or(0);
        }
        let bit = self.byte & (0x80 >> (self.taken % 8)) != 0;
        self.taken += 1;
        bit
    }
}

/// A table of checksums, some of which may be absent.
#[derive(Clone)]
pub(super) struct Digests {
    /// Absent if all are there.
    defined: Option<Bits>,
    values: Cursor,
}

impl Digests {
    /// Reads a table of `count` and moves behind it.
    pub(super) fn read(cursor: &mut Cursor, count: u64) -> Result<Digests, Short> {
        let all = cursor.byte()? != 0;
        let defined = (!all).then(|| Bits::new(cursor));
        let mut present = count;
        if let Some(mut bits) = defined.clone() {
            cursor.skip(count.div_ceil(8))?;
            present = (0..count).map(|_| u64::from(bits.next_bit())).sum();
        }
        let values = cursor.clone();
        cursor.skip(present.saturating_mul(4))?;
        Ok(Digests { defined, values })
    }

    /// The next checksum, if it is there.
    pub(super) fn next_digest(&mut self) -> Option<u32> {
        let present = self.defined.as_mut().is_none_or(Bits::next_bit);
        present.then(|| self.values.read(|reader| reader.u32_le()).ok()).flatten()
    }
}
