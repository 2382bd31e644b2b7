//! RC4: with MD5 and 40 bits (MS-OFFCRYPTO 2.3.6), or as CryptoAPI has it, with SHA-1 and 40 to 128 bits (2.3.5). Each block
//! of a stream has a key of its own, made of the number of the block.

use std::io::Read;
use std::sync::Arc;

use dachs_base::{Budget, LimitReached, Reader, Short, Source, read_vec_at};
use md5::Md5;
use sha1::{Digest, Sha1};

use crate::codec::Decoder;
use crate::crypt::rc4::{Rc4, rc4};
use crate::stream::{Replay, SourceRead};

/// MS-XLS 2.4.117.
const FILE_PASS: u16 = 0x002f;
/// Records that are looked at before FilePass, which comes second or third.
const RECORDS: u32 = 16;
/// Longer descriptions make no sense.
const LONGEST: usize = 4096;
/// MS-XLS 2.2.10: records whose data are plain: BOF (of all versions), FilePass, UsrExcl, FileLock, InterfaceHdr, RRDInfo,
/// RRDHead.
pub(super) const PLAIN: [u16; 10] = [0x0809, 0x0409, 0x0209, 0x0009, FILE_PASS, 0x0194, 0x0195, 0x00E1, 0x0196, 0x0138];
/// BoundSheet8: its first four bytes are plain.
pub(super) const BOUND_SHEET: u16 = 0x0085;

/// What of a stream is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ole2) enum Shape {
    /// All but its first bytes; blocks of 512 bytes.
    Behind(u64),
    /// The data of most records; blocks of 1,024 bytes.
    Records,
}

/// A key that is right.
#[derive(Clone)]
pub(super) struct Key {
    hash: Vec<u8>,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Md5,
    /// With so many bytes of key.
    Sha1(usize),
}

impl Key {
    /// The key of a block.
    fn of(&self, block: u32) -> Vec<u8> {
        match self.form {
            Form::Md5 => Md5::new().chain_update(&self.hash).chain_update(block.to_le_bytes()).finalize().to_vec(),
            Form::Sha1(length) => {
                let hash = Sha1::new().chain_update(&self.hash).chain_update(block.to_le_bytes()).finalize();
                let mut key: Vec<u8> = hash.iter().copied().take(length).collect();
                // 2.3.5.2: 40 bits are filled up to 128.
                if length == 5 {
                    key.resize(16, 0);
                }
                key
            }
        }
    }
}

/// What the record FilePass of a workbook holds; none if there is none.
pub(super) fn file_pass(stream: &Arc<dyn Source>) -> Option<Vec<u8>> {
    let mut input = SourceRead::new(Arc::clone(stream));
    for _ in 0..RECORDS {
        let mut header = [0; 4];
        input.read_exact(&mut header).ok()?;
        let [a, b, c, d] = header;
        let (kind, length) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
        let start = input.position();
        if kind == FILE_PASS {
            return Some(read_vec_at(stream.as_ref(), start, usize::from(length)));
        }
        input.go_to(start.saturating_add(u64::from(length)));
    }
    None
}

/// What the record FilePass of a workbook says of RC4; none if there is none.
pub(in crate::ole2) fn workbook_header(stream: &Arc<dyn Source>) -> Option<Vec<u8>> {
    // 1 is RC4, 0 is XOR.
    file_pass(stream)?.strip_prefix(&[1, 0]).map(<[u8]>::to_vec)
}

/// What the table of an encrypted document says, and how long that is (MS-DOC 2.2.6); none if it is not encrypted with RC4.
/// The second name is that of the table.
pub(in crate::ole2) fn table_header(document: &dyn Source) -> Option<(u64, &'static str)> {
    let head = read_vec_at(document, 0, 18);
    let mut reader = Reader::new(&head, "header of a document");
    reader.skip(10).ok()?;
    let flags = reader.u16_le().ok()?;
    reader.skip(2).ok()?;
    let length = reader.u32_le().ok()?;
    let table = if flags & 0x0200 != 0 { "1table" } else { "0table" };
    // fEncrypted without fObfuscated.
    (flags & 0x8100 == 0x0100).then_some((u64::from(length), table))
}

/// Tries a password on what FilePass or a table says.
pub(super) fn open(header: &[u8], password: &[u8], budget: &Budget) -> Result<Option<Key>, LimitReached> {
    budget.charge_rounds(8)?;
    let header = header.get(..LONGEST).unwrap_or(header);
    let mut reader = Reader::new(header, "RC4 encryption header");
    let versions = (reader.u16_le().unwrap_or(0), reader.u16_le().unwrap_or(0));
    Ok(match versions {
        (1, 1) => old(reader, password).ok().flatten(),
        (2..=4, 2) => crypto_api(reader, password).ok().flatten(),
        _ => None,
    })
}

/// 2.3.6.1 to 2.3.6.4.
fn old(mut reader: Reader<'_>, password: &[u8]) -> Result<Option<Key>, Short> {
    let (salt, verifier): ([u8; 16], [u8; 32]) = (reader.array()?, reader.array()?);
    let first = Md5::digest(password);
    let short = first.get(..5).unwrap_or_default();
    let mut hash = Md5::new();
    for _ in 0..16 {
        hash.update(short);
        hash.update(salt);
    }
    let hash = hash.finalize().iter().copied().take(5).collect();
    let key = Key { hash, form: Form::Md5 };
    let plain = rc4(&key.of(0), &verifier);
    let (input, stated) = plain.split_at(16);
    Ok((Md5::digest(input).as_slice() == stated).then_some(key))
}

/// 2.3.5.1 to 2.3.5.6.
fn crypto_api(mut reader: Reader<'_>, password: &[u8]) -> Result<Option<Key>, Short> {
    reader.skip(4)?;
    let size = reader.u32_le()?;
    let mut header = reader.sub(u64::from(size), "EncryptionHeader")?;
    header.skip(8)?;
    let cipher = header.u32_le()?;
    header.skip(4)?;
    let bits = header.u32_le()?;
    let salt = reader.u32_le()?;
    let salt = reader.take(u64::from(salt.min(64)))?;
    let verifier: [u8; 16] = reader.array()?;
    reader.skip(4)?;
    let stated: [u8; 20] = reader.array()?;
    // 0 stands for 40 bits (2.3.2).
    let length = if bits == 0 { 5 } else { usize::try_from(bits / 8).unwrap_or(0) };
    if cipher != 0x6801 || !(5..=16).contains(&length) {
        return Ok(None);
    }
    let hash = Sha1::new().chain_update(salt).chain_update(password).finalize().to_vec();
    let key = Key { hash, form: Form::Sha1(length) };
    let plain = rc4(&key.of(0), &[&verifier[..], &stated].concat());
    let (input, stated) = plain.split_at(16);
    Ok((Sha1::digest(input).as_slice() == stated).then_some(key))
}

/// A stream, decrypted.
pub(super) fn plain(key: &Key, stream: &Arc<dyn Source>, shape: Shape, budget: &Budget) -> Arc<dyn Source> {
    let (key, source) = (key.clone(), Arc::clone(stream));
    let length = stream.len();
    let replay = Replay::new(budget, move || {
        let input = SourceRead::new(Arc::clone(&source));
        let block = if shape == Shape::Records { 1024 } else { 512 };
        let pad = Pad { key: key.clone(), block, at: 0, rc4: Rc4::new(&key.of(0)) };
        let decoder: Decoder = match shape {
            Shape::Behind(start) => Box::new(Behind { input, pad, start }),
            Shape::Records => Box::new(Records { input, pad, header: Vec::new(), plain: 0, left: 0 }),
        };
        Ok(decoder)
    });
    Arc::new(replay.expecting(Some(length), None))
}

/// RC4 with a new key for each block.
struct Pad {
    key: Key,
    block: u64,
    at: u64,
    rc4: Rc4,
}

impl Pad {
    /// Takes the next byte of the stream; gives it decrypted.
    fn next(&mut self, byte: u8) -> u8 {
        if self.at.is_multiple_of(self.block) {
            self.rc4 = Rc4::new(&self.key.of(u32::try_from(self.at / self.block).unwrap_or(u32::MAX)));
        }
        self.at = self.at.saturating_add(1);
        let mut one = [byte];
        self.rc4.apply(&mut one);
        let [plain] = one;
        plain
    }
}

/// A stream whose first bytes are plain.
struct Behind {
    input: SourceRead,
    pad: Pad,
    start: u64,
}

impl Read for Behind {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let got = self.input.read(buffer)?;
        for byte in buffer.get_mut(..got).unwrap_or_default() {
            let is_plain = self.pad.at < self.start;
            let plain = self.pad.next(*byte);
            if !is_plain {
                *byte = plain;
            }
        }
        Ok(got)
    }
}

/// A stream of records: their headers are plain.
struct Records {
    input: SourceRead,
    pad: Pad,
    /// The bytes of a header that were met so far.
    header: Vec<u8>,
    /// How many of the next bytes are plain, and how many belong to the record at hand.
    plain: u64,
    left: u64,
}

impl Records {
    fn next(&mut self, byte: u8) -> u8 {
        let decrypted = self.pad.next(byte);
        if self.left == 0 {
            self.header.push(byte);
            if let Ok([a, b, c, d]) = <[u8; 4]>::try_from(self.header.as_slice()) {
                self.begin(u16::from_le_bytes([a, b]), u64::from(u16::from_le_bytes([c, d])));
            }
            return byte;
        }
        self.left = self.left.saturating_sub(1);
        let is_plain = self.plain > 0;
        self.plain = self.plain.saturating_sub(1);
        if is_plain { byte } else { decrypted }
    }

    fn begin(&mut self, kind: u16, length: u64) {
        self.header.clear();
        self.left = length;
        self.plain = match kind {
            BOUND_SHEET => 4,
            kind if PLAIN.contains(&kind) => length,
            _ => 0,
        };
    }
}

impl Read for Records {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let got = self.input.read(buffer)?;
        for byte in buffer.get_mut(..got).unwrap_or_default() {
            *byte = self.next(*byte);
        }
        Ok(got)
    }
}
