//! Archives whose members are compressed one by one, each behind a header of its own: LHA, ARJ, ALZ.
//!
//! A format is a [`Walk`] from header to header. [`Packed`] makes an unpacker of it. Entries without bytes are no members:
//! there is nothing to scan. Bytes behind the archive's end are a member of their own.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;

use dachs_base::{Anomaly, AnomalyKind, Budget, Meta, Name, Part, Source};

use crate::codec::lzh::{self, Form};
use crate::codec::lzss::{Lzss, WINDOW};
use crate::codec::{self, Decoder};
use crate::stream::{Fenced, Replay, SourceRead, remark};
use crate::{Item, Member, Unpack};

/// A way through the entries of an archive.
pub(crate) trait Walk: Send {
    /// The number of the first file, as ClamAV counts.
    const FIRST: u64;

    /// Reads the next header and moves behind the data that follow it. Must go forward, or end.
    ///
    /// # Errors
    /// Why the walk ends before the archive does.
    fn next_entry(&mut self, input: &mut SourceRead) -> Result<Entry, Anomaly>;
}

/// What stands at a place of an archive.
pub(crate) enum Entry {
    File(File),
    /// Something without bytes.
    Other,
    /// The end of the archive.
    End,
}

/// A file in an archive.
#[derive(Clone)]
pub(crate) struct File {
    pub(crate) name: Name,
    /// Where its data begin, and how long they are.
    pub(crate) start: u64,
    pub(crate) packed: u64,
    /// Its plain length.
    pub(crate) length: u64,
    pub(crate) method: Method,
    pub(crate) check: Check,
    /// Something to tell besides.
    pub(crate) remark: Option<Anomaly>,
}

/// How a file is compressed.
#[derive(Clone)]
pub(crate) enum Method {
    Stored,
    /// LArc's `lz5`.
    Lz5,
    Lzh(Form),
    Deflate,
    /// bzip2 as ALZip writes it.
    BareBzip2,
    /// It cannot be opened, and why.
    Refused(Anomaly),
}

/// A checksum of the plain bytes.
#[derive(Clone, Copy)]
pub(crate) enum Check {
    Crc16(u16),
    Crc32(u32),
}

/// An unpacker over a [`Walk`].
pub(crate) struct Packed<W> {
    walk: W,
    source: Arc<dyn Source>,
    budget: Budget,
    input: SourceRead,
    /// What follows the item that was given last.
    waiting: VecDeque<Item>,
    /// The number of the next file.
    position: u64,
    done: bool,
}

impl<W: Walk + 'static> Packed<W> {
    /// Walks through `source` from its first byte.
    pub(crate) fn open(walk: W, source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
        let input = SourceRead::new(Arc::clone(source));
        let (source, budget) = (Arc::clone(source), budget.clone());
        let (waiting, position) = (VecDeque::new(), W::FIRST);
        Box::new(Packed { walk, source, budget, input, waiting, position, done: false })
    }
}

impl<W: Walk> Packed<W> {
    fn step(&mut self) -> Result<Option<Item>, Anomaly> {
        self.budget.check_time()?;
        match self.walk.next_entry(&mut self.input)? {
            Entry::Other => Ok(None),
            Entry::End => {
                self.done = true;
                self.behind()
            }
            Entry::File(mut file) => {
                let meta = Item::Meta(self.meta(&file));
                let remark = file.remark.take();
                let name = Some(file.name.clone());
                let found = match file.method.clone() {
                    Method::Refused(anomaly) => Some(Item::Anomaly { member: name.clone(), anomaly }),
                    _ if file.length == 0 && file.packed == 0 => None,
                    method => Some(self.member(file, method)?),
                };
                self.waiting.extend(found);
                self.waiting.extend(remark.map(|anomaly| Item::Anomaly { member: name, anomaly }));
                Ok(Some(meta))
            }
        }
    }

    /// What a header says, and counts the file.
    fn meta(&mut self, file: &File) -> Meta {
        let position = self.position;
        self.position = position.saturating_add(1);
        let encrypted = matches!(&file.method, Method::Refused(anomaly) if anomaly.kind == AnomalyKind::Encrypted);
        Meta { name: file.name.clone(), packed: file.packed, length: file.length, encrypted, position }
    }

    fn member(&self, file: File, method: Method) -> Result<Item, Anomaly> {
        self.budget.charge_object()?;
        let packed_size = Some(file.packed);
        let name = file.name.clone();
        let source: Arc<dyn Source> = match method {
            Method::Stored => Arc::new(Part::new(Arc::clone(&self.source), file.start, file.packed)),
            method => Arc::new(self.unpacked(file, method)),
        };
        Ok(Item::Member(Member { name, source, packed_size }))
    }

    fn unpacked(&self, file: File, method: Method) -> Replay {
        let (length, check) = (file.length, file.check);
        let (source, budget) = (Arc::clone(&self.source), self.budget.clone());
        let replay = Replay::new(&self.budget, move || {
            let input = SourceRead::range(Arc::clone(&source), file.start, file.packed);
            let decoder = method.decoder(input, length, &budget)?;
            Ok(match check {
                Check::Crc16(sum) => Box::new(Checked { decoder, left: length, sum: 0, expected: sum }),
                Check::Crc32(_) => decoder,
            })
        });
        let crc32 = match check {
            Check::Crc32(sum) => Some(sum),
            Check::Crc16(_) => None,
        };
        replay.expecting(Some(length), crc32)
    }

    /// Bytes behind the end.
    fn behind(&self) -> Result<Option<Item>, Anomaly> {
        let (start, length) = (self.input.position(), self.source.len());
        if start >= length {
            return Ok(None);
        }
        self.budget.charge_object()?;
        let source = Arc::new(Part::new(Arc::clone(&self.source), start, length - start));
        Ok(Some(Item::Member(Member { name: Name::new(b"trailing data"), source, packed_size: None })))
    }
}

impl<W: Walk> Unpack for Packed<W> {
    fn next_item(&mut self) -> Option<Item> {
        if let Some(item) = self.waiting.pop_front() {
            return Some(item);
        }
        while !self.done {
            match self.step() {
                Ok(None) => {}
                Ok(Some(item)) => return Some(item),
                Err(anomaly) => {
                    self.done = true;
                    return Some(Item::Anomaly { member: None, anomaly });
                }
            }
        }
        None
    }
}

impl Method {
    fn decoder(&self, input: SourceRead, length: u64, budget: &Budget) -> io::Result<Decoder> {
        match self {
            Method::Deflate => codec::deflate(input, budget),
            Method::BareBzip2 => codec::alz_bzip2(input, budget),
            Method::Lzh(form) => lzh::decoder(*form, input, length, budget),
            Method::Lz5 => {
                let make = || Ok(Lzss::with_window(input, WINDOW - 18, lz5_window()).take(length));
                Ok(Box::new(Fenced::new(budget, 64 * 1024, make)?))
            }
            Method::Stored | Method::Refused(_) => Ok(Box::new(input)),
        }
    }
}

/// The window of `lz5` before the first byte: runs of each byte, all bytes up and down, zeros, spaces.
fn lz5_window() -> [u8; WINDOW] {
    let runs = (0..=255u8).flat_map(|byte| [byte; 13]);
    let rest = (0..=255).chain((0..=255).rev()).chain([0; 128]).chain([b' '; 128]);
    let mut window = [0; WINDOW];
    for (place, byte) in window.iter_mut().zip(runs.chain(rest)) {
        *place = byte;
    }
    window
}

/// Compares the plain bytes with a CRC-16.
struct Checked {
    decoder: Decoder,
    left: u64,
    sum: u16,
    expected: u16,
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.decoder.read(buffer)?;
        if got == 0 && !buffer.is_empty() && self.left == 0 && self.sum != self.expected {
            return Err(remark("its checksum is wrong"));
        }
        self.sum = buffer.iter().take(got).fold(self.sum, |sum, byte| crc16(sum, *byte));
        self.left = self.left.saturating_sub(u64::try_from(got).unwrap_or(0));
        Ok(got)
    }
}

/// CRC-16/ARC: the polynomial 0x8005, reflected.
pub(crate) fn crc16(sum: u16, byte: u8) -> u16 {
    let low = usize::from((sum ^ u16::from(byte)) & 0xFF);
    sum >> 8 ^ CRC16.get(low).copied().unwrap_or(0)
}

const CRC16: [u16; 256] = {
    let mut table = [0; 256];
    let mut at = 0u16;
    let mut rest: &mut [u16] = &mut table;
    while let Some((first, others)) = rest.split_first_mut() {
        let mut sum = at;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0xA001 } else { sum >> 1 };
            bit += 1;
        }
        *first = sum;
        at += 1;
        rest = others;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_catalogue() {
        assert_eq!(b"123456789".iter().fold(0, |sum, byte| crc16(sum, *byte)), 0xBB3D);
    }
}
