//! The blocks behind the version (`Compression.Base.pas`, `TCompressedBlockReader`).
//!
//! ```text
//! checksum 4 | size 4 (8 since 6.7) | compressed 1 | checksum 4, up to 4,096 bytes | checksum 4, up to 4,096 bytes ...
//! ```
//!
//! What the pieces hold is LZMA with five bytes of properties before it. Checksums of pieces are compared: behind a wrong one
//! nothing is read.

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Reader, Source, read_vec_at};

use crate::codec::{self, Decoder};
use crate::stream::SourceRead;

/// Plain bytes of a piece.
const PIECE: usize = 4096;

/// A block: where its pieces begin and end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blocks {
    start: u64,
    /// The first byte behind it.
    pub(super) end: u64,
    compressed: bool,
}

impl Blocks {
    /// The block that begins at `at`.
    pub(super) fn find(source: &dyn Source, at: u64, wide: bool) -> Result<Blocks, Anomaly> {
        let length = if wide { 13 } else { 9 };
        let bytes = read_vec_at(source, at, length);
        let mut reader = Reader::new(&bytes, "head of a block");
        let sum = reader.u32_le()?;
        let size = if wide { reader.u64_le()? } else { u64::from(reader.u32_le()?) };
        let compressed = reader.u8()? != 0;
        if crc32fast::hash(bytes.get(4..).unwrap_or_default()) != sum {
            return Err(Anomaly::damaged("the checksum of a header is wrong"));
        }
        let start = at.saturating_add(u64::try_from(length).unwrap_or(0));
        Ok(Blocks { start, end: start.saturating_add(size), compressed })
    }

    /// The plain bytes.
    pub(super) fn open(self, source: &Arc<dyn Source>, budget: &Budget) -> io::Result<Decoder> {
        let input = SourceRead::range(Arc::clone(source), self.start, self.end - self.start);
        let mut pieces = Pieces { input, piece: io::Cursor::default() };
        if !self.compressed {
            return Ok(Box::new(pieces));
        }
        let mut properties = [0; 5];
        pieces.read_exact(&mut properties)?;
        let decoder = codec::lzma(pieces, properties, None, budget)?;
        // Some encoders leave out the mark of the end; a block that is cut off is noticed beforehand.
        Ok(if source.len() < self.end { decoder } else { Box::new(Unmarked(decoder)) })
    }
}

/// A stream that ends where its input does.
struct Unmarked<R>(R);

impl<R: Read> Read for Unmarked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(0),
            other => other,
        }
    }
}

/// The pieces of a block, joined.
struct Pieces {
    input: SourceRead,
    piece: io::Cursor<Vec<u8>>,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.piece.read(buffer)?;
        if got > 0 || buffer.is_empty() {
            return Ok(got);
        }
        let mut sum = [0; 4];
        match self.input.read_fully(&mut sum) {
            0 => return Ok(0),
            4 => {}
            _ => return Err(ErrorKind::UnexpectedEof.into()),
        }
        let mut piece = vec![0; PIECE];
        let count = self.input.read_fully(&mut piece);
        piece.truncate(count);
        if crc32fast::hash(&piece) != u32::from_le_bytes(sum) {
            return Err(io::Error::new(ErrorKind::InvalidData, "the checksum of a header is wrong"));
        }
        self.piece = io::Cursor::new(piece);
        self.piece.read(buffer)
    }
}
