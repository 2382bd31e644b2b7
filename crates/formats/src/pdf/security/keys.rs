//! From the empty password to the keys (ISO 32000-1 7.6.3.3 and 7.6.3.4; ISO 32000-2 7.6.4.3).

use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use md5::Md5;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::cipher::{self, Cipher};
use super::{Keys, Lock, Parameters};

/// What an empty password is filled up with (ISO 32000-1 algorithm 2).
const PADDING: [u8; 32] = [
    0x28, 0xBF, 0x4E, 0x5E, 0x4E, 0x75, 0x8A, 0x41, 0x64, 0x00, 0x4E, 0x56, 0xFF, 0xFA, 0x01, 0x08, 0x2E, 0x2E, 0x00,
    0xB6, 0xD0, 0x68, 0x3E, 0x80, 0x2F, 0x0C, 0xA9, 0xFE, 0x64, 0x53, 0x69, 0x7A,
];

/// The keys of a document, if the empty password opens it.
pub(super) fn open(parameters: &Parameters) -> Lock {
    let key = match parameters.version {
        5 => key_of_aes256(parameters),
        _ => key_of_md5(parameters),
    };
    match key {
        Some(key) => Lock::Keyed(Keys {
            key,
            streams: parameters.streams,
            strings: parameters.strings,
            metadata: parameters.metadata,
        }),
        None => Lock::Closed("it is encrypted, and the empty password does not open it"),
    }
}

/// The key of one object (ISO 32000-1 algorithm 1).
pub(super) fn of_object(key: &[u8], number: u64, generation: u64, salt: &[u8]) -> Vec<u8> {
    let mut hash = Md5::new();
    hash.update(key);
    hash.update(number.to_le_bytes().get(..3).unwrap_or(&[]));
    hash.update(generation.to_le_bytes().get(..2).unwrap_or(&[]));
    hash.update(salt);
    let length = key.len().saturating_add(5).min(16);
    hash.finalize().iter().copied().take(length).collect()
}

/// ISO 32000-1 algorithm 2, with the check of algorithms 4 to 6.
fn key_of_md5(parameters: &Parameters) -> Option<Vec<u8>> {
    let old = parameters.revision < 3;
    let length = if old { 5 } else { parameters.length.min(16) };
    let mut hash = Md5::new();
    hash.update(PADDING);
    hash.update(parameters.owner.get(..32)?);
    hash.update(parameters.permissions.to_le_bytes().get(..4)?);
    hash.update(&parameters.identifier);
    if parameters.revision >= 4 && !parameters.metadata {
        hash.update([0xFF; 4]);
    }
    let mut key: Vec<u8> = hash.finalize().iter().copied().take(length).collect();
    if !old {
        for _ in 0..50 {
            key = Md5::digest(&key).iter().copied().take(length).collect();
        }
    }
    let user = if old { old_user(&key) } else { user(&key, &parameters.identifier) };
    parameters.user.starts_with(&user).then_some(key)
}

/// ISO 32000-1 algorithm 4.
fn old_user(key: &[u8]) -> Vec<u8> {
    cipher::rc4(key, &PADDING)
}

/// ISO 32000-1 algorithm 5.
fn user(key: &[u8], identifier: &[u8]) -> Vec<u8> {
    let mut hash = Md5::new();
    hash.update(PADDING);
    hash.update(identifier);
    let first = hash.finalize().to_vec();
    (0..20).fold(first, |bytes, round: u8| {
        let key: Vec<u8> = key.iter().map(|byte| byte ^ round).collect();
        cipher::rc4(&key, &bytes)
    })
}

/// ISO 32000-2 algorithms 2.A and 11: `/U` is a hash, a salt to check the password, and a salt for the key.
fn key_of_aes256(parameters: &Parameters) -> Option<Vec<u8>> {
    let hash = |salt: &[u8]| if parameters.revision == 5 { Sha256::digest(salt).to_vec() } else { hardened(salt) };
    let (check, key) = (parameters.user.get(32..40)?, parameters.user.get(40..48)?);
    if !parameters.user.starts_with(&hash(check)) {
        return None;
    }
    // With a vector of zeros and without padding.
    let encrypted = [&[0; 16], parameters.user_key.get(..32)?].concat();
    Some(Cipher::Aes(hash(key)).blocks(&encrypted))
}

/// ISO 32000-2 algorithm 2.B for the empty password.
fn hardened(salt: &[u8]) -> Vec<u8> {
    let mut key = Sha256::digest(salt).to_vec();
    // The last byte of a round is at most 255, so this ends after 288 rounds.
    for round in 0..300u32 {
        let encrypted = encrypted(&key);
        let remainder = encrypted.iter().take(16).map(|byte| u32::from(*byte)).sum::<u32>() % 3;
        key = match remainder {
            0 => Sha256::digest(&encrypted).to_vec(),
            1 => Sha384::digest(&encrypted).to_vec(),
            _ => Sha512::digest(&encrypted).to_vec(),
        };
        let last = encrypted.last().copied().map_or(0, u32::from);
        if round >= 63 && last <= round.saturating_sub(31) {
            break;
        }
    }
    key.truncate(32);
    key
}

/// The key 64 times, encrypted with its own first half by AES-128 in CBC mode.
fn encrypted(key: &[u8]) -> Vec<u8> {
    let mut bytes = key.repeat(64);
    let Some((aes, vector)) = key
        .get(..16)
        .and_then(|half| aes::Aes128::new_from_slice(half).ok())
        .zip(key.get(16..32).and_then(|half| <[u8; 16]>::try_from(half).ok()))
    else {
        return bytes;
    };
    let mut before = vector;
    for block in bytes.as_chunks_mut::<16>().0 {
        let mixed = std::array::from_fn(|at| block.get(at).unwrap_or(&0) ^ before.get(at).unwrap_or(&0));
        let mut array = Array::from(mixed);
        aes.encrypt_block(&mut array);
        *block = array.into();
        before = *block;
    }
    bytes
}
