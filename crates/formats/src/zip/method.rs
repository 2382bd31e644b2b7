//! The compression methods of ZIP (APPNOTE 4.4.5): their names, and the decoders for those that can be read.

use std::io::{self, BufRead, ErrorKind, Read};

use dachs_base::{Budget, Reader};

use crate::codec::lzh::{self, Form};
use crate::codec::{self, Decoder};

/// Not compressed.
pub(super) const STORED: u16 = 0;
/// Encrypted by AE-x: the real method stands in an extra field (APPNOTE 4.4.5).
pub(super) const AES: u16 = 99;
/// The highest number that stands for a method.
const HIGHEST: u16 = 99;
const FLAG_END_MARK: u16 = 1 << 1;

/// What decoding needs besides the bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parameters {
    pub(super) method: u16,
    pub(super) flags: u16,
    pub(super) length: Option<u64>,
}

/// Numbers that occur in headers; others show that something is no header.
pub(super) fn is_known(method: u16) -> bool {
    method <= HIGHEST && name(method) != "unknown"
}

/// True if [`decoder`] can read it.
pub(super) fn is_supported(method: u16) -> bool {
    matches!(method, 1..=6 | 8 | 9 | 12 | 14 | 20 | 93 | 95 | 98)
}

/// The name for people.
pub(super) fn name(method: u16) -> &'static str {
    match method {
        STORED => "stored",
        1 => "shrink",
        2..=5 => "reduce",
        6 => "implode",
        7 => "tokenize",
        8 => "deflate",
        9 => "deflate64",
        10 => "PKWARE DCL implode",
        12 => "bzip2",
        14 => "lzma",
        16 => "IBM z/OS CMPSC",
        18 => "IBM TERSE",
        19 => "IBM LZ77",
        20 | 93 => "zstd",
        94 => "MP3",
        95 => "xz",
        96 => "JPEG",
        97 => "WavPack",
        98 => "PPMd",
        AES => "AES",
        _ => "unknown",
    }
}

/// Starts the decoder at the first byte of the data.
pub(super) fn decoder(
    input: impl BufRead + Send + 'static,
    parameters: Parameters,
    budget: &Budget,
) -> io::Result<Decoder> {
    match parameters.method {
        1 => codec::shrink(input, parameters.length.ok_or(ErrorKind::Unsupported)?, budget),
        2..=5 => reduce(input, parameters, budget),
        6 => implode(input, parameters, budget),
        8 => codec::deflate(input, budget),
        9 => codec::deflate64(input, budget),
        12 => codec::bzip2(input, false, budget),
        14 => lzma(input, parameters, budget),
        20 | 93 => codec::zstd(input, budget),
        95 => codec::xz(input, budget),
        98 => ppmd(input, parameters, budget),
        _ => Err(ErrorKind::Unsupported.into()),
    }
}

/// APPNOTE 5.3 and 4.4.4: the flags say which codes there are. The length must be known: nothing marks the end.
fn implode(input: impl BufRead + Send + 'static, parameters: Parameters, budget: &Budget) -> io::Result<Decoder> {
    let form = Form::Implode { large: parameters.flags & 2 != 0, literals: parameters.flags & 4 != 0 };
    lzh::decoder(form, input, parameters.length.ok_or(ErrorKind::Unsupported)?, budget)
}

/// APPNOTE 5.2: the method is the factor of compression and one more. The length must be known as well.
fn reduce(input: impl BufRead + Send + 'static, parameters: Parameters, budget: &Budget) -> io::Result<Decoder> {
    let factor = u8::try_from(parameters.method.saturating_sub(1)).unwrap_or(1);
    lzh::decoder(Form::Reduce(factor), input, parameters.length.ok_or(ErrorKind::Unsupported)?, budget)
}

/// APPNOTE 5.8.8: version of the encoder, length of the properties, properties; then the raw stream.
fn lzma(mut input: impl BufRead + Send + 'static, parameters: Parameters, budget: &Budget) -> io::Result<Decoder> {
    let mut header = [0; 9];
    input.read_exact(&mut header)?;
    let mut reader = Reader::new(&header, "lzma header");
    let version_and_length: Result<[u8; 4], _> = reader.array();
    let (Ok([_, _, 5, 0]), Ok(properties)) = (version_and_length, reader.array()) else {
        return Err(io::Error::new(ErrorKind::InvalidData, "the properties are not five bytes long"));
    };
    let length = parameters.length.filter(|_| parameters.flags & FLAG_END_MARK == 0);
    codec::lzma(input, properties, length, budget)
}

/// APPNOTE 5.10: the parameters in two bytes, then the stream, which ends at the stated length.
fn ppmd(mut input: impl BufRead + Send + 'static, parameters: Parameters, budget: &Budget) -> io::Result<Decoder> {
    let mut header = [0; 2];
    input.read_exact(&mut header)?;
    let decoder = codec::ppmd8(input, u16::from_le_bytes(header), budget)?;
    Ok(Box::new(decoder.take(parameters.length.unwrap_or(u64::MAX))))
}
