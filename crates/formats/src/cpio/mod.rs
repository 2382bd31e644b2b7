//! cpio: the portable ASCII form `odc` (POSIX.1-1997 pax, "cpio Interchange Format"), the forms `newc` and `crc` of SVR4,
//! and the old binary form in both byte orders (`cpio(5)`; Linux, `driver-api/early-userspace/buffer-format`).
//!
//! Archives may stand one behind the other with zeros between, as in an initramfs; other bytes behind the trailer become
//! a member. The sums of the form `crc` are not compared.

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Name, Reader, Short, Source};

use crate::Unpack;
use crate::stored::{Entry, Place, Stored, Walk};

/// The name of the last entry.
const TRAILER: &[u8] = b"TRAILER!!!";
/// Most bytes of a name that are kept.
const LONGEST_NAME: u64 = 4096;
/// `c_mode`: the bits of the type, and a symbolic link.
const TYPE: u64 = 0o170_000;
const LINK: u64 = 0o120_000;

/// Unpacks a cpio archive.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Stored::open(Cpio { state: State::Entries, entries: 0, counted: false }, source, budget)
}

struct Cpio {
    state: State,
    /// How many entries there were.
    entries: u64,
    /// What was given last is a file with bytes.
    counted: bool,
}

enum State {
    Entries,
    /// Behind a trailer: zeros, then perhaps another archive.
    Behind,
    /// A rest that is told of and then given.
    Rest(u64),
    Done,
}

/// What a header says, and how the parts of an entry are aligned.
struct Header {
    mode: u64,
    name: u64,
    size: u64,
    align: u64,
}

impl Walk for Cpio {
    fn next_entry(&mut self, place: &mut Place) -> Entry {
        self.counted = false;
        match self.state {
            State::Entries => self.entry(place),
            State::Behind => self.behind(place),
            State::Rest(start) => {
                self.state = State::Done;
                let size = place.source.len().saturating_sub(start);
                Entry::File(Name::new(b"trailing data"), start, size)
            }
            State::Done => Entry::End,
        }
    }

    fn position(&self) -> Option<u64> {
        self.counted.then_some(self.entries)
    }
}

impl Cpio {
    fn entry(&mut self, place: &mut Place) -> Entry {
        let start = place.position();
        let (bytes, got) = place.take::<110>();
        let bytes = bytes.get(..got).unwrap_or(&bytes);
        let Some((header, length)) = read_header(bytes) else {
            // A rest that is all of the object would hold itself again.
            self.state = if got == 0 || start == 0 { State::Done } else { State::Rest(start) };
            return Entry::Remark(None, Anomaly::damaged("the cpio archive is cut off or broken"));
        };
        place.input.go_to(start.saturating_add(length));
        let name = place.take_text(header.name, LONGEST_NAME);
        let name = name.strip_suffix(&[0]).unwrap_or(&name);
        // Padding counts from the start of the entry.
        let inside = length.saturating_add(header.name);
        place.input.go_to(start.saturating_add(padded(inside, header.align)));
        if name == TRAILER && header.size == 0 {
            self.state = State::Behind;
            return Entry::Other;
        }
        let data = place.position();
        place.pass(padded(header.size, header.align), 1);
        self.entries = self.entries.saturating_add(1);
        self.counted = header.mode & TYPE != LINK && header.size > 0;
        if header.mode & TYPE == LINK { Entry::Other } else { Entry::File(Name::new(name), data, header.size) }
    }

    /// Passes zeros, a piece at a time.
    fn behind(&mut self, place: &mut Place) -> Entry {
        let (bytes, got) = place.input.peek::<512>();
        let bytes = bytes.get(..got).unwrap_or(&bytes);
        let Some(zeros) = bytes.iter().position(|byte| *byte != 0) else {
            place.pass(got as u64, 1);
            return if got == 0 { Entry::End } else { Entry::Other };
        };
        let start = place.position().saturating_add(zeros as u64);
        place.input.go_to(start);
        let (bytes, got) = place.input.peek::<110>();
        if bytes.get(..got).and_then(read_header).is_some() {
            self.state = State::Entries;
            return Entry::Other;
        }
        self.state = State::Rest(start);
        Entry::Remark(None, Anomaly::odd("data follow the end of the cpio archive"))
    }
}

fn padded(count: u64, align: u64) -> u64 {
    count.checked_next_multiple_of(align).unwrap_or(u64::MAX)
}

/// Reads a header in any of the forms, and tells its length.
fn read_header(bytes: &[u8]) -> Option<(Header, u64)> {
    match bytes {
        [b'0', b'7', b'0', b'7', b'0', b'1' | b'2', ..] => Some((ascii(bytes, 16, 8, 4)?, 110)),
        [b'0', b'7', b'0', b'7', b'0', b'7', ..] => Some((portable(bytes)?, 76)),
        [0xc7, 0x71, ..] => Some((binary(bytes, u16::from_le_bytes).ok()?, 26)),
        [0x71, 0xc7, ..] => Some((binary(bytes, u16::from_be_bytes).ok()?, 26)),
        _ => None,
    }
}

/// `newc`: eight hexadecimal digits a field.
fn ascii(bytes: &[u8], radix: u32, width: usize, align: u64) -> Option<Header> {
    let field = |index: usize| number(bytes.get(6 + index * width..6 + (index + 1) * width)?, radix);
    bytes.get(109)?;
    Some(Header { mode: field(1)?, name: field(11)?, size: field(6)?, align })
}

/// `odc`: octal digits, six for most fields, eleven for times and sizes.
fn portable(bytes: &[u8]) -> Option<Header> {
    let field = |at: usize, width: usize| number(bytes.get(at..at + width)?, 8);
    Some(Header { mode: field(18, 6)?, name: field(59, 6)?, size: field(65, 11)?, align: 1 })
}

/// The old form: 16-bit words, long numbers with their upper half first.
fn binary(bytes: &[u8], word: fn([u8; 2]) -> u16) -> Result<Header, Short> {
    let mut reader = Reader::new(bytes, "cpio header");
    reader.skip(6)?;
    let mode = u64::from(word(reader.array()?));
    reader.skip(12)?;
    let name = u64::from(word(reader.array()?));
    let (high, low) = (u64::from(word(reader.array()?)), u64::from(word(reader.array()?)));
    Ok(Header { mode, name, size: (high << 16) | low, align: 2 })
}

fn number(digits: &[u8], radix: u32) -> Option<u64> {
    let add = |sum: u64, byte: &u8| {
        let digit = char::from(*byte).to_digit(radix)?;
        sum.checked_mul(u64::from(radix))?.checked_add(u64::from(digit))
    };
    digits.iter().try_fold(0, add)
}
