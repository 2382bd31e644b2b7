//! Compressed clusters, and those that were unpacked last.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read};
use std::sync::{Arc, Mutex};

use dachs_base::{Anomaly, Budget, Charge, LimitReached, Source};

use crate::codec::bzip2::{self, Bzip2};
use crate::codec::{adc, lzfse, lznt1, lzo, lzx::Lzx, xpress};

/// A compressed cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packed {
    /// Where its compressed bytes stand in the file, and how many there are at most.
    pub(crate) start: u64,
    pub(crate) length: u64,
    /// Where it begins on the disk, behind the first `skip` bytes of it.
    pub(crate) first: u64,
    pub(crate) skip: usize,
    /// How many bytes it has at most, and at least.
    pub(crate) size: usize,
    pub(crate) least: usize,
    pub(crate) method: Method,
}

/// How a cluster is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// Apple Data Compression.
    Adc,
    /// One bzip2 stream.
    Bzip2,
    /// DEFLATE without a frame.
    Deflate,
    /// A block of LZ4.
    Lz4,
    /// LZFSE, with LZVN in it.
    Lzfse,
    /// LZMA with the header of LZMA-alone.
    Lzma,
    /// LZNT1.
    Lznt1,
    /// LZO1X.
    Lzo,
    /// LZVN without a frame.
    Lzvn,
    /// LZX as in WIM files, with a window of 2 to this power.
    Lzx(u16),
    /// XPRESS with Huffman codes.
    Xpress,
    /// An xz stream.
    Xz,
    /// DEFLATE in a zlib stream.
    Zlib,
    /// Zstandard.
    Zstd,
}

/// The clusters that were unpacked last, and the memory they take.
pub(crate) struct Clusters {
    budget: Budget,
    /// Newest last.
    kept: Mutex<VecDeque<(Packed, Arc<[u8]>)>>,
    most: usize,
    _memory: Charge,
}

impl Clusters {
    /// Keeps up to `most` clusters of up to `size` bytes.
    pub(crate) fn new(budget: &Budget, size: u64, most: usize) -> Result<Arc<Clusters>, LimitReached> {
        let memory = budget.reserve(size.saturating_mul(u64::try_from(most).unwrap_or(u64::MAX)))?;
        Ok(Arc::new(Clusters { budget: budget.clone(), kept: Mutex::default(), most, _memory: memory }))
    }

    /// The bytes of a cluster.
    pub(crate) fn get(&self, file: &dyn Source, packed: Packed) -> Result<Arc<[u8]>, Anomaly> {
        let mut kept = self.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let key = |packed: &Packed| (packed.start, packed.length, packed.size);
        if let Some(at) = kept.iter().position(|(known, _)| key(known) == key(&packed)) {
            let found = kept.remove(at).ok_or_else(broken)?;
            let bytes = Arc::clone(&found.1);
            kept.push_back(found);
            return if bytes.len() < packed.least { Err(broken()) } else { Ok(bytes) };
        }
        while kept.len() >= self.most {
            kept.pop_front();
        }
        let bytes: Arc<[u8]> = unpack(file, packed, &self.budget)?.into();
        kept.push_back((packed, Arc::clone(&bytes)));
        Ok(bytes)
    }
}

fn broken() -> Anomaly {
    Anomaly::damaged("a compressed cluster is broken")
}

/// The bytes of a compressed cluster.
fn unpack(file: &dyn Source, packed: Packed, budget: &Budget) -> Result<Vec<u8>, Anomaly> {
    let _input = budget.reserve(packed.length)?;
    let size = u64::try_from(packed.size).unwrap_or(u64::MAX);
    let _output = budget.reserve(size)?;
    budget.charge_bytes(size)?;
    let length = usize::try_from(packed.length).map_err(|_| broken())?;
    let input = dachs_base::read_vec_at(file, packed.start, length);
    match packed.method.plain(&input, packed.size, budget) {
        Ok(plain) if plain.len() >= packed.least => Ok(plain),
        Err(error) if error.kind() == ErrorKind::OutOfMemory => {
            Err(LimitReached { limit: dachs_base::Limit::Memory, allowed: budget.limits().memory }.into())
        }
        _ => Err(broken()),
    }
}

impl Method {
    /// Up to `most` plain bytes. Bytes behind the compressed data are of no account.
    fn plain(self, input: &[u8], most: usize, budget: &Budget) -> io::Result<Vec<u8>> {
        let of = |plain: Option<Vec<u8>>| plain.ok_or_else(|| ErrorKind::InvalidData.into());
        match self {
            Method::Adc => of(adc::decode(input, most)),
            Method::Bzip2 => read(Bzip2::new(input, false), most, bzip2::MEMORY, budget),
            Method::Deflate => inflate(input, false, most),
            Method::Lz4 => lz4(input, most),
            Method::Lzfse => of(lzfse::decode(input, most)),
            Method::Lzma => lzma(input, most, budget),
            Method::Lznt1 => of(lznt1::decode(input, most)),
            Method::Lzo => of(lzo::decode(input, most)),
            Method::Lzvn => of(lzfse::lzvn(input, most)),
            Method::Lzx(bits) => Lzx::wim_chunk(bits, input, most).map_err(|_| ErrorKind::InvalidData.into()),
            Method::Xpress => of(xpress::decode(input, most)),
            Method::Xz => xz(input, most, budget),
            Method::Zlib => inflate(input, true, most),
            Method::Zstd => zstd(input, most, budget),
        }
    }
}

/// What a decoder that takes so much memory gives.
fn read(decoder: impl Read, most: usize, memory: u64, budget: &Budget) -> io::Result<Vec<u8>> {
    let _memory = budget.reserve(memory).map_err(|_| ErrorKind::OutOfMemory)?;
    let mut plain = Vec::new();
    decoder.take(u64::try_from(most).unwrap_or(u64::MAX)).read_to_end(&mut plain)?;
    Ok(plain)
}

fn inflate(input: &[u8], zlib: bool, most: usize) -> io::Result<Vec<u8>> {
    let mut plain = vec![0; most];
    let mut inflater = flate2::Decompress::new(zlib);
    inflater.decompress(input, &mut plain, flate2::FlushDecompress::Finish).map_err(io::Error::other)?;
    plain.truncate(usize::try_from(inflater.total_out()).unwrap_or(0));
    Ok(plain)
}

fn lz4(input: &[u8], most: usize) -> io::Result<Vec<u8>> {
    let mut plain = vec![0; most];
    let count = lz4_flex::block::decompress_into(input, &mut plain).map_err(io::Error::other)?;
    plain.truncate(count);
    Ok(plain)
}

/// A dictionary need not be larger than the cluster.
fn lzma(input: &[u8], most: usize, budget: &Budget) -> io::Result<Vec<u8>> {
    let (properties, data) = input.split_first_chunk::<5>().ok_or(ErrorKind::UnexpectedEof)?;
    let (length, data) = data.split_first_chunk::<8>().ok_or(ErrorKind::UnexpectedEof)?;
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    let length = Some(u64::from_le_bytes(*length)).filter(|length| *length <= most);
    let mut plain = Vec::new();
    let [first, dictionary @ ..] = *properties;
    let dictionary = u32::from_le_bytes(dictionary).min(u32::try_from(most).unwrap_or(u32::MAX)).to_le_bytes();
    let [a, b, c, d] = dictionary;
    let input = io::Cursor::new(data.to_vec());
    crate::codec::lzma(input, [first, a, b, c, d], length, budget)?.take(most).read_to_end(&mut plain)?;
    Ok(plain)
}

fn xz(input: &[u8], most: usize, budget: &Budget) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    crate::codec::xz(io::Cursor::new(input.to_vec()), budget)?.take(most).read_to_end(&mut plain)?;
    Ok(plain)
}

fn zstd(input: &[u8], most: usize, budget: &Budget) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    crate::codec::zstd(io::Cursor::new(input.to_vec()), budget)?.take(most).read_to_end(&mut plain)?;
    Ok(plain)
}
