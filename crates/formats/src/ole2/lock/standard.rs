//! Standard encryption: AES in ECB mode, SHA-1 50,000 times (MS-OFFCRYPTO 2.3.4.5 to 2.3.4.9).

use std::io::Read;
use std::sync::Arc;

use dachs_base::{Budget, LimitReached, Reader, Short, Source};
use sha1::{Digest, Sha1};

use crate::crypt::block::Aes;
use crate::stream::SourceRead;

/// How often a password is digested.
const ROUNDS: u32 = 50_000;

/// A key that is right.
pub(super) struct Package {
    key: Vec<u8>,
}

/// What `EncryptionInfo` says behind its first eight bytes (2.3.2 and 2.3.3).
struct Info {
    /// Bytes of the key.
    key: usize,
    salt: Vec<u8>,
    verifier: [u8; 16],
    hash: [u8; 32],
}

impl Info {
    fn read(rest: &[u8]) -> Result<Info, Short> {
        let mut reader = Reader::new(rest, "EncryptionInfo");
        let size = reader.u32_le()?;
        let mut header = reader.sub(u64::from(size), "EncryptionHeader")?;
        header.skip(16)?;
        let bits = header.u32_le()?;
        let salt = reader.u32_le()?;
        let salt = reader.take(u64::from(salt.min(64)))?.to_vec();
        let verifier = reader.array()?;
        reader.skip(4)?;
        let hash = reader.array()?;
        Ok(Info { key: usize::try_from(bits / 8).unwrap_or(0), salt, verifier, hash })
    }
}

/// Tries a password.
pub(super) fn open(rest: &[u8], password: &[u8], budget: &Budget) -> Result<Option<Package>, LimitReached> {
    let Some(info) = Info::read(rest).ok().filter(|info| matches!(info.key, 16 | 24 | 32)) else { return Ok(None) };
    budget.charge_rounds(u64::from(ROUNDS))?;
    let mut hash: [u8; 20] = Sha1::new().chain_update(&info.salt).chain_update(password).finalize().into();
    for round in 0..ROUNDS {
        hash = Sha1::new().chain_update(round.to_le_bytes()).chain_update(hash).finalize().into();
    }
    let last: [u8; 20] = Sha1::new().chain_update(hash).chain_update([0; 4]).finalize().into();
    let mut key = [derived(&last, 0x36), derived(&last, 0x5C)].concat();
    key.truncate(info.key);
    let Some(aes) = Aes::new(&key) else { return Ok(None) };
    let (mut verifier, mut stated) = (info.verifier, info.hash);
    aes.decrypt_each(&mut verifier);
    aes.decrypt_each(&mut stated);
    let right = stated.starts_with(&Sha1::digest(verifier));
    Ok(right.then_some(Package { key }))
}

/// 2.3.4.7: half of the key's material.
fn derived(hash: &[u8; 20], fill: u8) -> Vec<u8> {
    let mut bytes = [fill; 64];
    bytes.iter_mut().zip(hash).for_each(|(byte, hash)| *byte ^= hash);
    Sha1::digest(bytes).to_vec()
}

impl Package {
    /// The plain bytes.
    pub(super) fn open(&self, package: &Arc<dyn Source>, size: u64) -> Option<impl Read + Send + use<>> {
        let aes = Aes::new(&self.key)?;
        let input = SourceRead::range(Arc::clone(package), 8, u64::MAX);
        Some(Each { input, aes, plain: Vec::new(), used: 0 }.take(size))
    }
}

/// AES, each block by itself.
struct Each {
    input: SourceRead,
    aes: Aes,
    plain: Vec<u8>,
    used: usize,
}

impl Read for Each {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.used >= self.plain.len() {
            self.plain.resize(4096, 0);
            let got = self.input.read_fully(&mut self.plain);
            self.plain.truncate(got / 16 * 16);
            self.aes.decrypt_each(&mut self.plain);
            self.used = 0;
        }
        let mut rest = self.plain.get(self.used..).unwrap_or_default();
        let count = rest.read(buffer)?;
        self.used = self.used.saturating_add(count);
        Ok(count)
    }
}
