//! The literals of a block (RFC 8878 3.1.1.3.1): as they are, one byte over and over, or in Huffman codes of one or four streams.

use super::BLOCK;
use super::huffman::{self, Table};

/// The literals of a block, and the tree that a later block may use again.
pub(super) struct Literals {
    /// [`BLOCK`] bytes, and some that are only read in passing.
    pub(super) bytes: Vec<u8>,
    pub(super) length: usize,
    table: Box<Table>,
    has_table: bool,
}

/// What the section's header says.
struct Header {
    form: u8,
    streams: Streams,
    /// Plain bytes.
    length: usize,
    /// Bytes of tree and streams.
    packed: usize,
    /// Bytes of the header.
    size: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Streams {
    One,
    Four,
}

impl Header {
    /// 3.1.1.3.1.1: two bits of the form, two of the size's own size, and sizes.
    fn read(bytes: &[u8]) -> Option<Header> {
        let first = *bytes.first()?;
        let number = bytes.iter().take(5).rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let field = |at: u32, bits: u32| usize::try_from(number >> at & ((1 << bits) - 1)).unwrap_or(0);
        let (form, kind) = (first & 3, first >> 2 & 3);
        let (size, length, packed) = match (form, kind) {
            (0 | 1, 0 | 2) => (1, field(3, 5), 0),
            (0 | 1, 1) => (2, field(4, 12), 0),
            (0 | 1, _) => (3, field(4, 20), 0),
            (_, 0 | 1) => (3, field(4, 10), field(14, 10)),
            (_, 2) => (4, field(4, 14), field(18, 14)),
            _ => (5, field(4, 18), field(22, 18)),
        };
        let packed = match form {
            0 => length,
            1 => 1,
            _ => packed,
        };
        let streams = if kind == 0 { Streams::One } else { Streams::Four };
        (length <= BLOCK && size <= bytes.len()).then_some(Header { form, streams, length, packed, size })
    }
}

impl Literals {
    pub(super) fn new() -> Literals {
        let table = Box::new([0; 1 << 11]);
        Literals { bytes: vec![0; BLOCK + 32], length: 0, table, has_table: false }
    }

    /// Reads the section at the start of `bytes[start..]` and tells where it ends.
    pub(super) fn read(&mut self, bytes: &[u8], start: usize) -> Option<usize> {
        let header = Header::read(bytes.get(start..)?)?;
        let start = start + header.size;
        let end = start + header.packed;
        let packed = bytes.get(start..end)?;
        let plain = self.bytes.get_mut(..header.length)?;
        self.length = header.length;
        match header.form {
            0 => plain.copy_from_slice(packed),
            1 => plain.fill(*packed.first()?),
            form => {
                let mut start = start;
                if form == 2 {
                    self.has_table = false;
                    start = huffman::read_tree(bytes, start, end, &mut self.table)?;
                    self.has_table = true;
                }
                self.has_table.then_some(())?;
                match header.streams {
                    Streams::One => huffman::decode_one(bytes, start, end, &self.table, plain)?,
                    Streams::Four => huffman::decode_four(bytes, start, end, &self.table, plain)?,
                }
            }
        }
        Some(end)
    }
}
