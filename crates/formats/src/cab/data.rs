//! The data blocks of a folder ([MS-CAB] 2.4); how they are compressed stands in `mszip`, `quantum` and `lzx`.
//!
//! A block is up to 64 KiB of compressed data and 32 KiB of plain bytes.

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dachs_base::{Anomaly, Budget};

use super::header::{Folder, exact};
use crate::codec::Decoder;
use crate::codec::lzx::{self, Lzx};
use crate::codec::mszip::Mszip;
use crate::codec::quantum::{self, Quantum};
use crate::stream::{Fenced, SourceRead};

/// Blocks, compressed and plain, and the state of DEFLATE.
const MEMORY: u64 = 320 * 1024;

/// Why the blocks of a folder cannot be read, if so.
pub(super) fn refusal(method: u16) -> Option<Anomaly> {
    match method & 0x0F {
        0 | 1 => None,
        2 | 3 if window_size(method).is_some() => None,
        2 => Some(Anomaly::unsupported("it is compressed with a Quantum window of an unknown size")),
        3 => Some(Anomaly::unsupported("it is compressed with an LZX window of an unknown size")),
        _ => Some(Anomaly::unsupported("it is compressed with an unknown method")),
    }
}

/// The window that a method needs, in bytes.
fn window_size(method: u16) -> Option<usize> {
    let bits = method >> 8 & 0x1F;
    match method & 0x0F {
        2 => quantum::window_size(bits),
        3 => lzx::window_size(bits),
        _ => None,
    }
}

/// Starts to read a folder whose blocks begin at the position of `input`. `wrong` is set when a checksum is.
pub(super) fn open(
    input: SourceRead,
    folder: Folder,
    reserve: u8,
    wrong: &Arc<AtomicBool>,
    budget: &Budget,
) -> io::Result<Decoder> {
    let window = window_size(folder.method).unwrap_or(0);
    let memory = MEMORY.saturating_add(u64::try_from(window).unwrap_or(u64::MAX));
    let make = || {
        let method = Method::new(folder.method).ok_or(ErrorKind::Unsupported)?;
        Ok(Blocks { input, left: folder.blocks, reserve, method, plain: Vec::new(), at: 0, wrong: Arc::clone(wrong) })
    };
    Ok(Box::new(Fenced::new(budget, memory, make)?))
}

enum Method {
    Stored,
    Mszip(Mszip),
    Quantum(Box<Quantum>),
    Lzx(Box<Lzx>),
}

impl Method {
    fn new(method: u16) -> Option<Method> {
        match method & 0x0F {
            0 => Some(Method::Stored),
            1 => Some(Method::Mszip(Mszip::default())),
            2 => Some(Method::Quantum(Box::new(Quantum::new(method >> 8 & 0x1F)?))),
            3 => Some(Method::Lzx(Box::new(Lzx::new(method >> 8 & 0x1F)?))),
            _ => None,
        }
    }

    /// The plain bytes of a block, of which there should be `length`.
    fn unpack(&mut self, packed: Vec<u8>, length: usize) -> io::Result<Vec<u8>> {
        match self {
            Method::Stored => Ok(packed),
            Method::Mszip(mszip) => match mszip.block(&packed, length)? {
                plain if plain.len() < length => Err(broken("an MSZIP block is shorter than stated")),
                plain => Ok(plain),
            },
            Method::Quantum(quantum) => {
                quantum.frame(&packed, length).ok_or_else(|| broken("not a valid Quantum frame"))
            }
            Method::Lzx(lzx) => lzx.frame(&packed, length).map_err(|_| broken("not a valid LZX frame")),
        }
    }
}

/// The blocks of a folder, one behind the other.
struct Blocks {
    input: SourceRead,
    left: u16,
    reserve: u8,
    method: Method,
    plain: Vec<u8>,
    /// How many of the plain bytes were given.
    at: usize,
    wrong: Arc<AtomicBool>,
}

impl Blocks {
    fn next_block(&mut self) -> io::Result<()> {
        self.left = self.left.saturating_sub(1);
        let [a, b, c, d, sizes @ ..] = exact::<8>(&mut self.input)?;
        let [low, high, plain_low, plain_high] = sizes;
        let length = usize::from(u16::from_le_bytes([plain_low, plain_high]));
        if length == 0 {
            return Err(io::Error::new(ErrorKind::Unsupported, "the data go on in the next cabinet"));
        }
        if length > lzx::FRAME {
            return Err(broken("a data block is too long"));
        }
        let mut summed = Vec::from(sizes);
        (&mut self.input).take(u64::from(self.reserve)).read_to_end(&mut summed)?;
        let mut packed = vec![0; usize::from(u16::from_le_bytes([low, high]))];
        self.input.read_exact(&mut packed)?;
        let checksum = u32::from_le_bytes([a, b, c, d]);
        if checksum != 0 && checksum != sum(&packed) ^ sum(&summed) {
            self.wrong.store(true, Ordering::Relaxed);
        }
        self.plain = self.method.unpack(packed, length)?;
        self.at = 0;
        Ok(())
    }
}

impl Read for Blocks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at >= self.plain.len() {
            if self.left == 0 {
                return Ok(0);
            }
            self.next_block()?;
        }
        let rest = self.plain.get(self.at..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.at += count;
        Ok(count)
    }
}

/// [MS-CAB] 3.1: the exclusive or of all 32-bit words; the bytes of a last word that is not whole come in reverse order.
fn sum(bytes: &[u8]) -> u32 {
    let (words, tail) = bytes.as_chunks::<4>();
    let whole = words.iter().fold(0, |sum, word| sum ^ u32::from_le_bytes(*word));
    whole ^ tail.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

fn broken(detail: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, detail)
}
