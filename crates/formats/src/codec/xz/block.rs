//! The header of a block of xz (the .xz File Format 1.2.1, 3.1), and the chain of filters that it tells of.

use std::io::{self, ErrorKind, Read};

use dachs_base::{Reader, Short};
use lzma_rust2::filter::bcj::BcjReader;
use lzma_rust2::filter::delta::DeltaReader;

use super::{Counted, invalid, number};
use crate::codec::lzma::{Lzma2, dictionary_size};
use crate::stream::Careful;

/// Filters of a block at most.
const MOST_FILTERS: usize = 4;

/// What a block's header says.
pub(super) struct Header {
    /// Bytes of the header.
    pub(super) size: u64,
    pub(super) packed: Option<u64>,
    pub(super) plain: Option<u64>,
    /// Filters before LZMA2.
    filters: Vec<Filter>,
    dictionary: u32,
}

#[derive(Clone, Copy)]
enum Filter {
    Delta {
        distance: usize,
    },
    /// A filter for the branches of programs, its number, and the address of the first byte.
    Branches {
        number: u64,
        start: usize,
    },
}

impl Header {
    /// Reads a header whose first byte was `first`.
    ///
    /// # Errors
    /// If it is cut off or broken, or needs a filter that there is not.
    pub(super) fn read(first: u8, input: &mut impl Read) -> io::Result<Header> {
        let mut bytes = [0; 1024];
        let size = 4 * (usize::from(first) + 1);
        let bytes = bytes.get_mut(..size).unwrap_or_default();
        if let Some((place, rest)) = bytes.split_first_mut() {
            *place = first;
            input.read_exact(rest)?;
        }
        let summed = bytes.split_last_chunk().filter(|(bytes, sum)| crc32fast::hash(bytes).to_le_bytes() == **sum);
        let Some((bytes, _)) = summed else { return Err(invalid("the header of an xz block is broken")) };
        let size = u64::from(first) * 4 + 4;
        Header::parse(bytes, size).unwrap_or_else(|Short { .. }| Err(invalid("the header of an xz block is too short")))
    }

    fn parse(bytes: &[u8], size: u64) -> Result<io::Result<Header>, Short> {
        let mut reader = Reader::new(bytes, "xz block header");
        reader.skip(1)?;
        let flags = reader.u8()?;
        let packed = (flags & 0x40 != 0).then(|| number(&mut reader)).transpose()?;
        let plain = (flags & 0x80 != 0).then(|| number(&mut reader)).transpose()?;
        let mut filters = Vec::with_capacity(MOST_FILTERS);
        let count = flags & 3;
        for _ in 0..count {
            match filter(&mut reader)? {
                Ok(filter) => filters.push(filter),
                Err(error) => return Ok(Err(error)),
            }
        }
        let (last, length) = (number(&mut reader)?, number(&mut reader)?);
        let dictionary = match (last, reader.take(length)?) {
            (0x21, [bits]) => dictionary_size(*bits),
            _ => None,
        };
        let is_padded = reader.rest().iter().all(|byte| *byte == 0) && flags & 0x3c == 0;
        Ok(match dictionary.filter(|_| is_padded && packed != Some(0)) {
            Some(dictionary) => Ok(Header { size, packed, plain, filters, dictionary }),
            None => Err(unsupported()),
        })
    }

    /// Bytes of the dictionary.
    pub(super) fn dictionary(&self) -> u64 {
        self.dictionary.into()
    }

    /// The decoder of the block that `input` stands at.
    pub(super) fn chain<R: Read>(&self, input: R) -> Chain<R> {
        let mut chain = Chain::Lzma2(Box::new(Lzma2::new(Counted::new(input), self.dictionary)));
        for filter in self.filters.iter().rev() {
            chain = match *filter {
                Filter::Delta { distance } => Chain::Delta(Box::new(DeltaReader::new(chain, distance))),
                Filter::Branches { number, start } => {
                    Chain::Branches(Box::new(Careful::new(branches(number, start, chain))))
                }
            };
        }
        chain
    }
}

/// 5.3.2 and 5.3.3: a filter that comes before LZMA2.
fn filter(reader: &mut Reader<'_>) -> Result<io::Result<Filter>, Short> {
    let (filter, length) = (number(reader)?, number(reader)?);
    let start = match (filter, reader.take(length)?) {
        (3, [distance]) => return Ok(Ok(Filter::Delta { distance: usize::from(*distance) + 1 })),
        (4..=11, []) => 0,
        (4..=11, [a, b, c, d]) => u32::from_le_bytes([*a, *b, *c, *d]),
        _ => return Ok(Err(unsupported())),
    };
    Ok(Ok(Filter::Branches { number: filter, start: usize::try_from(start).unwrap_or(0) }))
}

fn unsupported() -> io::Error {
    io::Error::new(ErrorKind::Unsupported, "an xz block with filters that are not known")
}

fn branches<R: Read>(number: u64, start: usize, inner: R) -> BcjReader<R> {
    match number {
        4 => BcjReader::new_x86(inner, start),
        5 => BcjReader::new_ppc(inner, start),
        6 => BcjReader::new_ia64(inner, start),
        7 => BcjReader::new_arm(inner, start),
        8 => BcjReader::new_arm_thumb(inner, start),
        9 => BcjReader::new_sparc(inner, start),
        10 => BcjReader::new_arm64(inner, start),
        _ => BcjReader::new_riscv(inner, start),
    }
}

/// The filters of a block over its input.
pub(super) enum Chain<R: Read> {
    Lzma2(Box<Lzma2<Counted<R>>>),
    Delta(Box<DeltaReader<Chain<R>>>),
    Branches(Box<Careful<BcjReader<Chain<R>>>>),
}

impl<R: Read> Chain<R> {
    /// The input, and how many bytes of it the block took.
    pub(super) fn into_inner(self) -> Counted<R> {
        match self {
            Chain::Lzma2(lzma) => lzma.into_inner(),
            Chain::Delta(reader) => reader.into_inner().into_inner(),
            Chain::Branches(reader) => reader.into_inner().into_inner().into_inner(),
        }
    }
}

impl<R: Read> Read for Chain<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Chain::Lzma2(lzma) => lzma.read(buffer),
            Chain::Delta(reader) => reader.read(buffer),
            Chain::Branches(reader) => reader.read(buffer),
        }
    }
}
