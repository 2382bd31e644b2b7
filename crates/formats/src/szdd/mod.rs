//! Files of Microsoft's `compress.exe`: SZDD, its form in QBasic, and KWAJ (specification "SZDD and KWAJ file formats" in the
//! documentation of libmspack; "SZDD" in the documents of the Archive Team).
//!
//! ```text
//! SZDD     magic 8 | mode 'A' | last letter of the name | length 4 | LZSS
//! QBasic   magic 8 | length 4                                      | LZSS
//! KWAJ     magic 8 | method 2 | offset of the data 2 | flags 2 | fields that the flags name | data
//! ```
//!
//! Each holds one file. The length is that of the plain file; KWAJ need not say it, and then a stream that is cut off
//! cannot be told from a whole one. Bytes beyond the length are unpacked as well. There is no checksum.
//! Method 4 of KWAJ is MSZIP in blocks that each begin with their length; a length of zero ends them.

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Name, Reader, Short, Source, read_vec_at};

use crate::codec::lzh::{self, Form};
use crate::codec::lzss::{Lzss, WINDOW};
use crate::codec::mszip::{self, Mszip};
use crate::stream::{Fenced, Replay, SourceRead};
use crate::{Item, Member, Unpack};

const SZDD: &[u8] = b"SZDD\x88\xF0\x27\x33";
const QBASIC: &[u8] = b"SZ\x20\x88\xF0\x27\x33\xD1";
const KWAJ: &[u8] = b"KWAJ\x88\xF0\x27\xD1";
/// More than any header takes whose texts are of a sensible length.
const LONGEST_HEADER: usize = 4096;
/// The window and the input's buffer.
const MEMORY: u64 = 64 * 1024;

/// Unpacks the file that was compressed.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    let item = member(source, budget).unwrap_or_else(|anomaly| Item::Anomaly { member: None, anomaly });
    Box::new(One(Some(item)))
}

/// The one thing there is to tell.
struct One(Option<Item>);

impl Unpack for One {
    fn next_item(&mut self) -> Option<Item> {
        self.0.take()
    }
}

fn member(source: &Arc<dyn Source>, budget: &Budget) -> Result<Item, Anomaly> {
    let head = read_vec_at(source.as_ref(), 0, LONGEST_HEADER);
    let header = Header::read(&head)?;
    budget.charge_object()?;
    let (packed, again) = (Arc::clone(source), budget.clone());
    let opener = move || {
        let input = SourceRead::range(Arc::clone(&packed), header.data, u64::MAX);
        header.method.decoder(input, header.length, &again)
    };
    let replay = Replay::new(budget, opener).expecting(header.length, None);
    let packed_size = source.known_len().map(|length| length.saturating_sub(header.data));
    Ok(Item::Member(Member { name: Name::new(&header.name), source: Arc::new(replay), packed_size }))
}

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    /// Not at all.
    Stored,
    /// Every bit is inverted.
    Inverted,
    /// LZSS that begins at this place of its window.
    Lzss(usize),
    /// LZ77 with Huffman codes.
    Lzh,
    Mszip,
    /// Something that cannot be opened.
    Unknown(u16),
}

impl Method {
    fn decoder(self, input: SourceRead, length: Option<u64>, budget: &Budget) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Method::Stored => Box::new(input),
            Method::Inverted => Box::new(Inverted(input)),
            Method::Lzss(start) => Box::new(Fenced::new(budget, MEMORY, || Ok(Lzss::new(input, start)))?),
            Method::Lzh => lzh::decoder(Form::Kwaj, input, length.unwrap_or(u64::MAX), budget)?,
            Method::Mszip => Box::new(Fenced::new(budget, mszip::MEMORY, || Ok(Blocks::new(input)))?),
            Method::Unknown(number) => {
                return Err(io::Error::new(ErrorKind::Unsupported, format!("method {number} of KWAJ")));
            }
        })
    }
}

/// What stands before the data.
#[derive(Debug)]
struct Header {
    method: Method,
    /// Where the data begin.
    data: u64,
    /// Plain length, if it is told.
    length: Option<u64>,
    name: Vec<u8>,
}

impl Header {
    fn read(head: &[u8]) -> Result<Header, Anomaly> {
        let mut reader = Reader::new(head, "header of the compressed file");
        match reader.take(8)? {
            SZDD => Header::szdd(reader),
            QBASIC => Ok(Header::lzss(WINDOW - 18, 12, reader.u32_le()?)),
            KWAJ => Ok(Header::kwaj(reader)?),
            _ => Err(Anomaly::damaged("it does not begin as a file of compress.exe")),
        }
    }

    fn szdd(mut reader: Reader<'_>) -> Result<Header, Anomaly> {
        match reader.u8()? {
            b'A' => {
                reader.skip(1)?;
                Ok(Header::lzss(WINDOW - 16, 14, reader.u32_le()?))
            }
            _ => Err(Anomaly::unsupported("an SZDD file of an unknown mode")),
        }
    }

    fn lzss(start: usize, data: u64, length: u32) -> Header {
        Header { method: Method::Lzss(start), data, length: Some(u64::from(length)), name: b"content".to_vec() }
    }

    fn kwaj(mut reader: Reader<'_>) -> Result<Header, Short> {
        let method = match reader.u16_le()? {
            0 => Method::Stored,
            1 => Method::Inverted,
            2 => Method::Lzss(WINDOW - 18),
            3 => Method::Lzh,
            4 => Method::Mszip,
            number => Method::Unknown(number),
        };
        let data = u64::from(reader.u16_le()?);
        let flags = reader.u16_le()?;
        let length = if flags & 1 != 0 { Some(u64::from(reader.u32_le()?)) } else { None };
        if flags & 2 != 0 {
            reader.skip(2)?;
        }
        if flags & 4 != 0 {
            let count = reader.u16_le()?;
            reader.skip(u64::from(count))?;
        }
        let mut name = if flags & 8 != 0 { text(&mut reader, 8)? } else { Vec::new() };
        if flags & 16 != 0 {
            name.push(b'.');
            name.extend(text(&mut reader, 3)?);
        }
        if name.is_empty() {
            name = b"content".to_vec();
        }
        Ok(Header { method, data, length, name })
    }
}

/// A text that a zero byte ends, of at most so many bytes.
fn text(reader: &mut Reader<'_>, most: usize) -> Result<Vec<u8>, Short> {
    let mut bytes = Vec::new();
    while bytes.len() <= most {
        match reader.u8()? {
            0 => break,
            byte => bytes.push(byte),
        }
    }
    Ok(bytes)
}

/// Bytes of which every bit is inverted.
struct Inverted<R>(R);

impl<R: Read> Read for Inverted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.0.read(buffer)?;
        buffer.iter_mut().take(got).for_each(|byte| *byte = !*byte);
        Ok(got)
    }
}

/// Blocks of MSZIP, one behind the other.
struct Blocks {
    input: SourceRead,
    mszip: Mszip,
    plain: io::Cursor<Vec<u8>>,
    ended: bool,
}

impl Blocks {
    fn new(input: SourceRead) -> Blocks {
        Blocks { input, mszip: Mszip::default(), plain: io::Cursor::default(), ended: false }
    }
}

impl Read for Blocks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let got = self.plain.read(buffer)?;
            if got > 0 || buffer.is_empty() || self.ended {
                return Ok(got);
            }
            let mut length = [0; 2];
            self.input.read_exact(&mut length)?;
            let mut packed = vec![0; usize::from(u16::from_le_bytes(length))];
            self.ended = packed.is_empty();
            self.input.read_exact(&mut packed)?;
            if !self.ended {
                self.plain = io::Cursor::new(self.mszip.block(&packed, usize::MAX)?);
            }
        }
    }
}
