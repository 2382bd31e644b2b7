//! BinHex 4.0 (RFC 1741, appendix A): a file of the old Macintosh as text, with a data fork and a resource fork.
//!
//! ```text
//! (This file must be converted with BinHex 4.0)
//! :#3!... 64 characters a line, 6 bits each, runs of equal bytes shortened ...:
//!
//! name, type, creator, lengths, CRC | data fork, CRC | resource fork, CRC
//! ```
//!
//! Both forks are members, if they have bytes. A wrong checksum is a remark. Several files in one text are read one after the
//! other. Encoded lines that are missing shift what follows: the checksums tell.

mod coding;

use std::io::{self, Read};
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Name, Reader, Short, Source, read_vec_at};

use crate::mail::{Line, Lines, decoded_as};
use crate::stream::remark;
use crate::{Item, Member, Unpack};
use coding::{Coding, Crc};

/// The line that tells what follows, as far as all writers have it.
const MARK: &[u8] = b"(This file must be converted";
/// Bytes of a line that are looked at.
const LOOKED_AT: usize = 256;
/// Lines between two looks at the clock.
const STEP: u32 = 4096;
/// The longest header: a name of 255 bytes and the fixed fields.
const LONGEST_HEADER: usize = 1 + 255 + 21;

/// Unpacks a text with BinHex files.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Box::new(BinHex {
        source: Arc::clone(source),
        budget: budget.clone(),
        lines: Lines::new(source),
        step: Step::Mark,
        waiting: Vec::new(),
        files: 0,
    })
}

struct BinHex {
    source: Arc<dyn Source>,
    budget: Budget,
    lines: Lines,
    step: Step,
    /// What is to be given, last one first.
    waiting: Vec<Item>,
    files: u64,
}

#[derive(Clone, Copy)]
enum Step {
    /// Looks for the mark.
    Mark,
    /// Looks for the first line of data.
    Start,
    Done,
}

impl BinHex {
    /// Reads some lines.
    fn advance(&mut self) {
        if let Err(reached) = self.budget.check_time() {
            return self.stop(reached.into());
        }
        let mut line = Line::default();
        for _ in 0..STEP {
            let more = self.lines.read(&mut line, LOOKED_AT);
            match self.step {
                Step::Mark if more && holds_mark(&line.text) => self.step = Step::Start,
                Step::Start if line.text.trim_ascii_start().starts_with(b":") => {
                    let blanks = line.text.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
                    let start = line.start.saturating_add(u64::try_from(blanks).unwrap_or(0)).saturating_add(1);
                    self.step = Step::Mark;
                    return self.file(start);
                }
                _ if !more => return self.finish(),
                _ => {}
            }
        }
    }

    fn finish(&mut self) {
        if matches!(self.step, Step::Start) || self.files == 0 {
            self.waiting.push(anomaly(None, Anomaly::damaged("there are no BinHex data behind the first line")));
        }
        self.step = Step::Done;
    }

    fn stop(&mut self, reason: Anomaly) {
        self.step = Step::Done;
        self.waiting.push(anomaly(None, reason));
    }

    /// One file: its data stand from `start` to the next colon.
    fn file(&mut self, start: u64) {
        let range = (start, u64::MAX);
        self.files = self.files.saturating_add(1);
        let decoder = decoded_as(&self.source, range, &self.budget, Coding::default, |decoder| decoder);
        let bytes = read_vec_at(&decoder, 0, LONGEST_HEADER);
        let Ok(header) = Header::read(&bytes) else {
            return self.waiting.push(anomaly(None, Anomaly::damaged("the BinHex header is cut off")));
        };
        if !header.intact {
            self.waiting.push(anomaly(None, Anomaly::odd("the checksum of the BinHex header is wrong")));
        }
        let behind = header.length.saturating_add(u64::from(header.data)).saturating_add(2);
        let mut resource = header.name.clone();
        resource.extend_from_slice(b"/..namedfork/rsrc");
        self.fork(&resource, range, behind, header.resource);
        self.fork(&header.name, range, header.length, header.data);
    }

    fn fork(&mut self, name: &[u8], range: (u64, u64), skip: u64, length: u32) {
        if length == 0 || matches!(self.step, Step::Done) {
            return;
        }
        let name = Name::new(if name.is_empty() { b"content" } else { name });
        if let Err(reached) = self.budget.charge_object() {
            self.step = Step::Done;
            return self.waiting.push(anomaly(Some(name), reached.into()));
        }
        let length = u64::from(length);
        let around = move |decoder| Fork { decoder, skip, left: length, crc: Crc::default(), ended: false };
        let source = decoded_as(&self.source, range, &self.budget, Coding::default, around);
        let source = Arc::new(source.expecting(Some(length), None));
        self.waiting.push(Item::Member(Member { name, source, packed_size: None }));
    }
}

fn anomaly(member: Option<Name>, anomaly: Anomaly) -> Item {
    Item::Anomaly { member, anomaly }
}

fn holds_mark(line: &[u8]) -> bool {
    line.windows(MARK.len()).any(|window| window == MARK)
}

impl Unpack for BinHex {
    fn next_item(&mut self) -> Option<Item> {
        loop {
            if let Some(item) = self.waiting.pop() {
                return Some(item);
            }
            match self.step {
                Step::Done => return None,
                _ => self.advance(),
            }
        }
    }
}

/// RFC 1741 A: the header.
struct Header {
    name: Vec<u8>,
    data: u32,
    resource: u32,
    /// How many bytes it takes.
    length: u64,
    intact: bool,
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Header, Short> {
        let mut reader = Reader::new(bytes, "BinHex header");
        let count = u64::from(reader.u8()?);
        let name = reader.take(count)?.to_vec();
        // Version, type, creator, flags.
        reader.skip(1 + 4 + 4 + 2)?;
        let (data, resource) = (reader.u32_be()?, reader.u32_be()?);
        let length = 1 + count + 11 + 8;
        let mut crc = Crc::default();
        crc.add(bytes.get(..usize::try_from(length).unwrap_or(0)).unwrap_or_default());
        let intact = reader.u16_be()? == crc.value();
        Ok(Header { name, data, resource, length: length + 2, intact })
    }
}

/// The bytes of one fork, and its checksum behind them.
struct Fork<R> {
    decoder: R,
    skip: u64,
    left: u64,
    crc: Crc,
    ended: bool,
}

impl<R: Read> Fork<R> {
    fn pass(&mut self) -> io::Result<()> {
        let skip = std::mem::take(&mut self.skip);
        io::copy(&mut self.decoder.by_ref().take(skip), &mut io::sink()).map(drop)
    }

    fn check(&mut self) -> io::Result<usize> {
        let mut stated = [0; 2];
        if std::mem::replace(&mut self.ended, true) {
            return Ok(0);
        }
        self.decoder.read_exact(&mut stated)?;
        if u16::from_be_bytes(stated) == self.crc.value() { Ok(0) } else { Err(remark("the BinHex checksum is wrong")) }
    }
}

impl<R: Read> Read for Fork<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.pass()?;
        if self.left == 0 {
            return self.check();
        }
        let got = self.decoder.by_ref().take(self.left).read(buffer)?;
        self.left = self.left.saturating_sub(u64::try_from(got).unwrap_or(0));
        self.crc.add(buffer.get(..got).unwrap_or_default());
        Ok(got)
    }
}
