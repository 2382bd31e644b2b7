//! Agile encryption: AES in CBC mode in segments of 4,096 bytes, with digests as the document says in XML (MS-OFFCRYPTO
//! 2.3.4.10 to 2.3.4.15).

use std::io::Read;
use std::sync::Arc;

use dachs_base::{Budget, LimitReached, Source};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::crypt::block::{Aes, BLOCK};
use crate::mail;
use crate::stream::SourceRead;

/// Bytes of a segment.
const SEGMENT: usize = 4096;
/// More rounds make no valid document (2.3.4.10, spinCount).
const MOST_ROUNDS: u32 = 10_000_000;
/// 2.3.4.13: what the keys of the verifier, of its digest and of the package are told apart by.
const VERIFIER: [u8; 8] = [0xfe, 0xa7, 0xd2, 0x76, 0x3b, 0x4b, 0x9e, 0x79];
const DIGEST: [u8; 8] = [0xd7, 0xaa, 0x0f, 0x6d, 0x30, 0x61, 0x34, 0x4e];
const KEY: [u8; 8] = [0x14, 0x6e, 0x0b, 0xe7, 0xab, 0xac, 0xd0, 0xd6];

/// A key that is right.
pub(super) struct Package {
    key: Vec<u8>,
    salt: Vec<u8>,
    hash: Hash,
}

/// How bytes are digested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn named(name: &str) -> Option<Hash> {
        Some(match name {
            "SHA1" | "SHA-1" => Hash::Sha1,
            "SHA256" => Hash::Sha256,
            "SHA384" => Hash::Sha384,
            "SHA512" => Hash::Sha512,
            _ => return None,
        })
    }

    fn of(self, parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Hash::Sha1 => digest::<Sha1>(parts),
            Hash::Sha256 => digest::<Sha256>(parts),
            Hash::Sha384 => digest::<Sha384>(parts),
            Hash::Sha512 => digest::<Sha512>(parts),
        }
    }

    /// Rounds of 64 bytes that a digest of one more costs.
    fn rounds(self) -> u64 {
        if matches!(self, Hash::Sha1 | Hash::Sha256) { 1 } else { 2 }
    }
}

fn digest<D: Digest>(parts: &[&[u8]]) -> Vec<u8> {
    let mut digest = D::new();
    parts.iter().for_each(|part| digest.update(part));
    digest.finalize().to_vec()
}

/// One of the two elements that say how something is encrypted.
struct Element<'x> {
    tag: &'x str,
    hash: Hash,
    salt: Vec<u8>,
    /// Bytes of the key.
    key: usize,
}

impl<'x> Element<'x> {
    /// The first element of this name, with any prefix.
    fn find(xml: &'x str, name: &str) -> Option<Element<'x>> {
        let place = xml.find(&format!("{name} "))?;
        let tag = xml.get(place..)?.split('>').next()?;
        let is_aes =
            attribute(tag, "cipherAlgorithm")? == "AES" && attribute(tag, "cipherChaining")? == "ChainingModeCBC";
        let hash = Hash::named(attribute(tag, "hashAlgorithm")?)?;
        let salt = binary(tag, "saltValue")?;
        let key = attribute(tag, "keyBits")?.parse::<usize>().ok()? / 8;
        (is_aes && matches!(key, 16 | 24 | 32)).then_some(Element { tag, hash, salt, key })
    }
}

fn attribute<'x>(tag: &'x str, name: &str) -> Option<&'x str> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split('"').next()
}

fn binary(tag: &str, name: &str) -> Option<Vec<u8>> {
    let text = attribute(tag, name)?;
    Some(mail::decode_all(mail::Base64::new(Arc::default()), text.as_bytes()))
}

/// Tries a password.
pub(super) fn open(xml: &[u8], password: &[u8], budget: &Budget) -> Result<Option<Package>, LimitReached> {
    let xml = String::from_utf8_lossy(xml);
    match (Element::find(&xml, "keyData"), Element::find(&xml, "encryptedKey")) {
        (Some(data), Some(key)) => tried(&data, &key, password, budget),
        _ => Ok(None),
    }
}

fn tried(
    data: &Element<'_>,
    key: &Element<'_>,
    password: &[u8],
    budget: &Budget,
) -> Result<Option<Package>, LimitReached> {
    let spins = attribute(key.tag, "spinCount").and_then(|count| count.parse().ok());
    let Some(spins) = spins.filter(|count: &u32| *count <= MOST_ROUNDS) else { return Ok(None) };
    budget.charge_rounds(u64::from(spins).saturating_mul(key.hash.rounds()))?;
    let mut hash = key.hash.of(&[&key.salt, password]);
    for round in 0..spins {
        hash = key.hash.of(&[&round.to_le_bytes(), &hash]);
        if round & 0xFFF == 0 {
            budget.check_time()?;
        }
    }
    let hidden = |block: &[u8; 8], name: &str| -> Option<Vec<u8>> {
        let mut text = binary(key.tag, name)?;
        let aes = Aes::new(&fitted(key.hash.of(&[&hash, block]), key.key))?;
        aes.decrypt_chain(&mut vector(&key.salt), &mut text);
        Some(text)
    };
    let all = hidden(&VERIFIER, "encryptedVerifierHashInput")
        .zip(hidden(&DIGEST, "encryptedVerifierHashValue"))
        .zip(hidden(&KEY, "encryptedKeyValue"));
    let Some(((input, stated), mut package)) = all else { return Ok(None) };
    let right = stated.starts_with(&key.hash.of(&[&input]));
    package.truncate(data.key);
    Ok(right.then(|| Package { key: package, salt: data.salt.clone(), hash: data.hash }))
}

/// A digest cut or filled up to the length of a key (2.3.4.11).
fn fitted(mut hash: Vec<u8>, length: usize) -> Vec<u8> {
    hash.resize(length, 0x36);
    hash
}

/// The first bytes of something, filled up as 2.3.4.12 says.
fn vector(bytes: &[u8]) -> [u8; BLOCK] {
    let mut vector = [0x36; BLOCK];
    vector.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    vector
}

impl Package {
    /// The plain bytes.
    pub(super) fn open(&self, package: &Arc<dyn Source>, size: u64) -> impl Read + Send + use<> {
        let input = SourceRead::range(Arc::clone(package), 8, u64::MAX);
        let (salt, hash) = (self.salt.clone(), self.hash);
        Segments { input, aes: Aes::new(&self.key), salt, hash, number: 0, plain: Vec::new(), used: 0 }.take(size)
    }
}

struct Segments {
    input: SourceRead,
    aes: Option<Aes>,
    salt: Vec<u8>,
    hash: Hash,
    number: u32,
    plain: Vec<u8>,
    used: usize,
}

impl Segments {
    /// 2.3.4.15: each segment has a vector of its own.
    fn next_segment(&mut self) {
        self.plain.resize(SEGMENT, 0);
        let got = self.input.read_fully(&mut self.plain);
        self.plain.truncate(got / BLOCK * BLOCK);
        let mut vector = vector(&self.hash.of(&[&self.salt, &self.number.to_le_bytes()]));
        if let Some(aes) = &self.aes {
            aes.decrypt_chain(&mut vector, &mut self.plain);
        }
        self.number = self.number.wrapping_add(1);
        self.used = 0;
    }
}

impl Read for Segments {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.used >= self.plain.len() {
            self.next_segment();
        }
        let mut rest = self.plain.get(self.used..).unwrap_or_default();
        let count = rest.read(buffer)?;
        self.used = self.used.saturating_add(count);
        Ok(count)
    }
}
