//! A folder: some coders, and how the streams between them are joined (7zFormat.txt, "Folder").
//!
//! ```text
//! packed streams -> coder -> coder -> unpacked bytes        BCJ2 has four inputs, everything else has one
//! ```

use std::io::{self, ErrorKind, Read};

use dachs_base::{Anomaly, Budget, Reader, Short};
use lzma_rust2::filter::bcj::BcjReader;
use lzma_rust2::filter::bcj2::Bcj2Reader;
use lzma_rust2::filter::delta::DeltaReader;

use super::cursor::{Wrong, number};
use super::lock::{Key, Lock};
use super::swapped::Swapped;
use crate::codec::{self, Decoder};
use crate::crypt::block::Chained;

/// 7-Zip takes no more coders and streams than these either.
const MOST_CODERS: u64 = 32;
const MOST_STREAMS: u64 = 64;
/// Properties of a coder are a few bytes; these are the longest that are kept.
const MOST_PROPERTIES: u64 = 1024;

/// One coder.
#[derive(Clone, Debug)]
pub(super) struct Coder {
    method: Vec<u8>,
    inputs: u64,
    properties: Vec<u8>,
    /// What decrypts, once that is known.
    key: Option<(Lock, Key)>,
}

/// Coders and how they are joined.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    coders: Vec<Coder>,
    /// Input and output (that is, coder) of each join.
    joins: Vec<(u64, u64)>,
    /// The inputs that packed streams go to.
    packed: Vec<u64>,
}

impl Folder {
    /// Reads one.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Folder, Wrong> {
        let count = number(reader)?;
        if count == 0 || count > MOST_CODERS {
            return Err(Wrong::Damaged("a folder has no coders, or too many"));
        }
        let coders = (0..count).map(|_| Coder::read(reader)).collect::<Result<Vec<Coder>, Wrong>>()?;
        let inputs = coders.iter().map(|coder| coder.inputs).sum::<u64>();
        let joins = (1..count).map(|_| Ok((number(reader)?, number(reader)?))).collect::<Result<Vec<_>, Short>>()?;
        let packed_count = inputs.checked_sub(count - 1).filter(|_| inputs <= MOST_STREAMS);
        let packed = match packed_count.ok_or(Wrong::Damaged("a folder has too many streams"))? {
            1 => (0..inputs).find(|input| joins.iter().all(|(joined, _)| joined != input)).into_iter().collect(),
            several => (0..several).map(|_| number(reader)).collect::<Result<Vec<_>, Short>>()?,
        };
        Ok(Folder { coders, joins, packed })
    }

    /// How many outputs it has, that is, sizes.
    pub(super) fn outputs(&self) -> u64 {
        u64::try_from(self.coders.len()).unwrap_or(u64::MAX)
    }

    /// How many packed streams it takes.
    pub(super) fn packed_streams(&self) -> usize {
        self.packed.len()
    }

    /// The coder whose output is the folder's: the one that no other coder reads.
    pub(super) fn main_output(&self) -> Option<usize> {
        let joined = |coder: u64| self.joins.iter().any(|(_, output)| *output == coder);
        let main = (0..self.outputs()).rev().find(|coder| !joined(*coder))?;
        usize::try_from(main).ok()
    }

    /// Why it cannot be unpacked, if that can be said beforehand.
    pub(super) fn refusal(&self) -> Option<Anomaly> {
        let unknown = self.coders.iter().find(|coder| !coder.is_supported())?;
        let digits: String = unknown.method.iter().map(|byte| format!("{byte:02X}")).collect();
        Some(Anomaly::unsupported(format!("its compression method {digits} cannot be read")))
    }

    /// True if one of its coders decrypts.
    pub(super) fn is_encrypted(&self) -> bool {
        self.coders.iter().any(Coder::decrypts)
    }

    /// What its decrypting coders say; none if one makes no sense.
    pub(super) fn locks(&self) -> Option<Vec<Lock>> {
        self.coders.iter().filter(|coder| coder.decrypts()).map(|coder| Lock::read(&coder.properties)).collect()
    }

    /// Gives keys to its decrypting coders, in their order.
    pub(super) fn set_keys(&mut self, keys: &[Key]) {
        for (coder, key) in self.coders.iter_mut().filter(|coder| coder.decrypts()).zip(keys) {
            coder.key = Lock::read(&coder.properties).map(|lock| (lock, *key));
        }
    }

    /// Starts the decoders; `open` gives the packed streams.
    pub(super) fn decoder(
        &self,
        unpack_sizes: &[u64],
        open: &dyn Fn(usize) -> Decoder,
        budget: &Budget,
    ) -> io::Result<Decoder> {
        let mut build = Build { folder: self, unpack_sizes, open, budget, used: 0 };
        build.coder(self.main_output().ok_or_else(tangled)?)
    }

    /// Number of the first input of a coder.
    fn first_input(&self, coder: usize) -> u64 {
        self.coders.iter().take(coder).map(|coder| coder.inputs).sum()
    }
}

impl Coder {
    fn read(reader: &mut Reader<'_>) -> Result<Coder, Wrong> {
        let flags = reader.u8()?;
        if flags & 0xC0 != 0 {
            return Err(Wrong::Unsupported("a coder has alternatives"));
        }
        let method = reader.take(u64::from(flags & 0xF))?.to_vec();
        let (inputs, outputs) = match flags & 0x10 != 0 {
            true => (number(reader)?, number(reader)?),
            false => (1, 1),
        };
        if outputs != 1 || inputs > MOST_STREAMS {
            return Err(Wrong::Unsupported("a coder has several outputs"));
        }
        let mut properties = Vec::new();
        if flags & 0x20 != 0 {
            let size = number(reader)?;
            let bytes = reader.take(size)?;
            properties = bytes.get(..usize::try_from(size.min(MOST_PROPERTIES)).unwrap_or(0)).unwrap_or(bytes).to_vec();
        }
        Ok(Coder { method, inputs, properties, key: None })
    }

    fn decrypts(&self) -> bool {
        self.method == AES
    }

    fn is_supported(&self) -> bool {
        let inputs = if self.method == BCJ2 { 4 } else { 1 };
        let known = METHODS.contains(&self.method.as_slice()) || self.method == BCJ2 || self.decrypts();
        known && self.inputs == inputs
    }
}

/// AES-256 with SHA-256.
const AES: [u8; 4] = [0x06, 0xF1, 0x07, 0x01];
const BCJ2: [u8; 4] = [0x03, 0x03, 0x01, 0x1B];

/// Methods with one input that can be read (7-Zip's Methods.txt).
const METHODS: [&[u8]; 28] = [
    &[0x00],
    &[0x03],
    &[0x04],
    &[0x05],
    &[0x06],
    &[0x07],
    &[0x08],
    &[0x09],
    &[0x0A],
    &[0x0B],
    &[0x21],
    &[0x02, 0x03, 0x02],
    &[0x02, 0x03, 0x04],
    &[0x03, 0x01, 0x01],
    &[0x03, 0x03, 0x01, 0x03],
    &[0x03, 0x03, 0x02, 0x05],
    &[0x03, 0x03, 0x04, 0x01],
    &[0x03, 0x03, 0x05, 0x01],
    &[0x03, 0x03, 0x07, 0x01],
    &[0x03, 0x03, 0x08, 0x05],
    &[0x03, 0x04, 0x01],
    &[0x04, 0x01, 0x00],
    &[0x04, 0x01, 0x08],
    &[0x04, 0x01, 0x09],
    &[0x04, 0x02, 0x02],
    &[0x04, 0xF7, 0x11, 0x01],
    &[0x04, 0xF7, 0x11, 0x02],
    &[0x04, 0xF7, 0x11, 0x04],
];

/// Joins decoders, from the main output backwards.
struct Build<'a> {
    folder: &'a Folder,
    unpack_sizes: &'a [u64],
    open: &'a dyn Fn(usize) -> Decoder,
    budget: &'a Budget,
    /// A bit for each coder that was joined: each one may be read once only, so joins cannot go in circles.
    used: u64,
}

impl Build<'_> {
    fn coder(&mut self, number: usize) -> io::Result<Decoder> {
        let bit = 1u64 << number.min(63);
        if self.used & bit != 0 {
            return Err(tangled());
        }
        self.used |= bit;
        let coder = self.folder.coders.get(number).ok_or_else(tangled)?;
        let length = self.unpack_sizes.get(number).copied().ok_or_else(tangled)?;
        let first = self.folder.first_input(number);
        if coder.method == BCJ2 {
            let inputs = (first..first.saturating_add(4)).map(|input| self.input(input));
            let inputs = inputs.collect::<io::Result<Vec<Decoder>>>()?;
            return Ok(Box::new(Bcj2Reader::try_new(inputs, length)?));
        }
        let input = self.input(first)?;
        Ok(Box::new(start(coder, input, length, self.budget)?.take(length)))
    }

    fn input(&mut self, input: u64) -> io::Result<Decoder> {
        if let Some(packed) = self.folder.packed.iter().position(|other| *other == input) {
            return Ok((self.open)(packed));
        }
        let join = self.folder.joins.iter().find(|(joined, _)| *joined == input);
        let (_, output) = join.ok_or_else(tangled)?;
        self.coder(usize::try_from(*output).map_err(|_| tangled())?)
    }
}

fn tangled() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "the coders are not joined to each other")
}

/// Starts the decoder of a coder with one input.
fn start(coder: &Coder, input: Decoder, length: u64, budget: &Budget) -> io::Result<Decoder> {
    let buffered = |input| io::BufReader::with_capacity(1 << 14, input);
    Ok(match coder.method.as_slice() {
        [0x00] | [0x04, 0x01, 0x00] => input,
        [0x06, 0xF1, 0x07, 0x01] => {
            let (lock, key) = coder.key.as_ref().ok_or_else(tangled)?;
            Box::new(Chained::new(input, key, lock.vector).ok_or_else(tangled)?)
        }
        [0x21] => codec::lzma2(input, parameter(coder)?, Some(length), budget)?,
        [0x03, 0x01, 0x01] => codec::lzma(input, five(coder)?, Some(length), budget)?,
        [0x03, 0x04, 0x01] => {
            let [order, memory @ ..] = five(coder)?;
            codec::ppmd7(input, u32::from(order), u32::from_le_bytes(memory), budget)?
        }
        [0x04, 0x01, 0x08] => codec::deflate(buffered(input), budget)?,
        [0x04, 0x01, 0x09] => codec::deflate64(buffered(input), budget)?,
        [0x04, 0x02, 0x02] => codec::bzip2(buffered(input), true, budget)?,
        [0x04, 0xF7, 0x11, 0x01] => codec::zstd(buffered(input), budget)?,
        [0x04, 0xF7, 0x11, 0x02] => codec::brotli(buffered(input), budget)?,
        [0x04, 0xF7, 0x11, 0x04] => codec::lz4(buffered(input), budget)?,
        method => filter(method, &coder.properties, input)?,
    })
}

/// Filters, which make code compress better. Their positions count from the start of the folder.
fn filter(method: &[u8], properties: &[u8], input: Decoder) -> io::Result<Decoder> {
    Ok(match method {
        [0x02, 0x03, size @ (2 | 4)] => Box::new(Swapped::new(input, usize::from(*size))),
        [0x03] => Box::new(DeltaReader::new(input, properties.first().map_or(1, |byte| usize::from(*byte) + 1))),
        [0x04] | [0x03, 0x03, 0x01, 0x03] => Box::new(BcjReader::new_x86(input, 0)),
        [0x05] | [0x03, 0x03, 0x02, 0x05] => Box::new(BcjReader::new_ppc(input, 0)),
        [0x06] | [0x03, 0x03, 0x04, 0x01] => Box::new(BcjReader::new_ia64(input, 0)),
        [0x07] | [0x03, 0x03, 0x05, 0x01] => Box::new(BcjReader::new_arm(input, 0)),
        [0x08] | [0x03, 0x03, 0x07, 0x01] => Box::new(BcjReader::new_arm_thumb(input, 0)),
        [0x09] | [0x03, 0x03, 0x08, 0x05] => Box::new(BcjReader::new_sparc(input, 0)),
        [0x0A] => Box::new(BcjReader::new_arm64(input, 0)),
        [0x0B] => Box::new(BcjReader::new_riscv(input, 0)),
        _ => return Err(ErrorKind::Unsupported.into()),
    })
}

fn parameter(coder: &Coder) -> io::Result<u8> {
    coder.properties.first().copied().ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "a coder has no properties"))
}

fn five(coder: &Coder) -> io::Result<[u8; 5]> {
    let five = coder.properties.first_chunk::<5>().copied();
    five.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "the properties of a coder are too short"))
}
