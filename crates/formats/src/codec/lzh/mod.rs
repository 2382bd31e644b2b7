//! LZ77 with Huffman codes as in LHarc, LHA and ARJ, and with Shannon-Fano codes as in PKZIP (H. Okumura, "History of data compression in Japan"; the sources of
//! `ar002`; ARJ TECHNOTE).
//!
//! A format of codes ([`Items`]) gives bytes and matches, and [`Expand`] makes plain bytes of them. The plain length must be
//! known: no stream has an end mark. Only method 3 of KWAJ may end where its input does.

mod adaptive;
mod bits;
mod fastest;
mod fixed;
mod implode;
mod kwaj;
mod reduce;

use std::io::{self, BufRead, ErrorKind, Read};

use dachs_base::Budget;

use self::adaptive::Adaptive;
use self::bits::Bits;
use self::fastest::Fastest;
use self::fixed::Blocks;
use self::implode::Implode;
use self::kwaj::Kwaj;
use self::reduce::Reduce;
use super::Decoder;
use super::bytewise::fill;
use crate::stream::Fenced;

/// Tables, codes and the input's buffer.
const MEMORY: u64 = 96 * 1024;

/// What the next code says.
enum Item {
    Byte(u8),
    /// So many bytes that stand so far back; 1 is the last byte.
    Match {
        distance: usize,
        length: usize,
    },
}

/// A format of codes.
trait Items: Send {
    fn next_item(&mut self) -> io::Result<Item>;
}

/// Which format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// LHA's `lh1`: adaptive codes.
    Lh1,
    /// LHA's `lh4` and `lh5`.
    Lh5,
    /// LHA's `lh6`.
    Lh6,
    /// LHA's `lh7`.
    Lh7,
    /// LArc's `lzs`.
    Lzs,
    /// ARJ's methods 1 to 3.
    Arj,
    /// ARJ's method 4.
    ArjFastest,
    /// ZIP's method 6, by bits 1 and 2 of a member's flags: a dictionary of 8 KiB; codes for literals.
    Implode { large: bool, literals: bool },
    /// ZIP's methods 2 to 5, by their number less one.
    Reduce(u8),
    /// KWAJ's method 3.
    Kwaj,
}

/// Decodes `length` plain bytes; with [`u64::MAX`] as many as there are, where that can be told.
pub(crate) fn decoder(
    form: Form,
    input: impl BufRead + Send + 'static,
    length: u64,
    budget: &Budget,
) -> io::Result<Decoder> {
    let zip = matches!(form, Form::Implode { .. } | Form::Reduce(_));
    let bits = if zip { Bits::lowest_first(input) } else { Bits::new(input) };
    let (items, window): (Box<dyn Items>, u32) = match form {
        Form::Lh1 => (Box::new(Adaptive::new(bits)), 12),
        Form::Lh5 => (Box::new(Blocks::new(bits, 14, 4)), 13),
        Form::Lh6 => (Box::new(Blocks::new(bits, 16, 5)), 15),
        Form::Lh7 => (Box::new(Blocks::new(bits, 17, 5)), 16),
        Form::Lzs => (Box::new(Lzs { bits, at: 0 }), 11),
        Form::Arj => (Box::new(Blocks::new(bits, 17, 5)), 16),
        Form::ArjFastest => (Box::new(Fastest::new(bits)), 15),
        Form::Implode { large, literals } => (Box::new(Implode::new(bits, large, literals)), 13),
        Form::Reduce(factor) => (Box::new(Reduce::new(bits, factor)), 12),
        Form::Kwaj => (Box::new(Kwaj::new(bits)), 12),
    };
    let window = 1usize << window;
    let memory = MEMORY.saturating_add(u64::try_from(window).unwrap_or(u64::MAX));
    let before = if zip { 0 } else { b' ' };
    let open = length == u64::MAX && form == Form::Kwaj;
    let window = vec![before; window];
    let make = || Ok(Expand { items, window, at: 0, copy: (0, 0), left: length, open, failed: None });
    Ok(Box::new(Fenced::new(budget, memory, make)?))
}

/// Makes plain bytes of bytes and matches.
struct Expand {
    items: Box<dyn Items>,
    /// The last bytes; spaces before the first, or zeros in ZIP.
    window: Vec<u8>,
    at: usize,
    /// Distance and length of the match at hand.
    copy: (usize, usize),
    /// Bytes still to be made.
    left: u64,
    /// The end of the input is the end.
    open: bool,
    /// What went wrong after bytes that were given first.
    failed: Option<io::Error>,
}

impl Expand {
    fn next_byte(&mut self) -> io::Result<Option<u8>> {
        if self.copy.1 == 0 {
            match self.items.next_item() {
                Ok(Item::Byte(byte)) => return Ok(Some(self.put(byte))),
                Ok(Item::Match { distance, length }) => self.copy = (distance, length),
                Err(error) if self.open && error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        self.copy.1 = self.copy.1.saturating_sub(1);
        let from = self.at.wrapping_sub(self.copy.0) & (self.window.len() - 1);
        let byte = self.window.get(from).copied().unwrap_or(b' ');
        Ok(Some(self.put(byte)))
    }

    fn put(&mut self, byte: u8) -> u8 {
        if let Some(place) = self.window.get_mut(self.at) {
            *place = byte;
        }
        self.at = (self.at + 1) & (self.window.len() - 1);
        byte
    }
}

impl Read for Expand {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let mut failed = self.failed.take();
        let filled = fill(buffer.get_mut(..most).unwrap_or_default(), &mut failed, || self.next_byte());
        self.failed = failed;
        let done = filled?;
        self.left = self.left.saturating_sub(u64::try_from(done).unwrap_or(0));
        Ok(done)
    }
}

/// LArc's first method: a window of 2 KiB in which places are absolute, counted from 17 bytes before its end.
struct Lzs {
    bits: Bits,
    at: usize,
}

impl Items for Lzs {
    fn next_item(&mut self) -> io::Result<Item> {
        if self.bits.take(1)? == 1 {
            self.at += 1;
            return Ok(Item::Byte(self.bits.byte()?));
        }
        let place = usize::from(self.bits.take(11)?) + 17;
        let length = usize::from(self.bits.take(4)?) + 2;
        // The window's first byte was written at place 0 of ours, which is place 2048 - 17 of theirs.
        let distance = self.at.wrapping_sub(place) & 2047;
        self.at += length;
        Ok(Item::Match { distance: if distance == 0 { 2048 } else { distance }, length })
    }
}

fn broken(detail: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, detail)
}
