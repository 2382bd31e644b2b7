//! From a password to the keys (ISO 32000-1 7.6.3.3 and 7.6.3.4; ISO 32000-2 7.6.4.3).
//!
//! The empty password is tried first, then all that are known, each as the user's and as the owner's.

use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use dachs_base::{Budget, LimitReached};
use md5::Md5;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::cipher::Cipher;
use super::{Keys, Lock, Parameters};
use crate::crypt::{Passwords, derive, rc4};

/// What a short password is filled up with (ISO 32000-1 algorithm 2).
const PADDING: [u8; 32] = [
    0x28, 0xBF, 0x4E, 0x5E, 0x4E, 0x75, 0x8A, 0x41, 0x64, 0x00, 0x4E, 0x56, 0xFF, 0xFA, 0x01, 0x08, 0x2E, 0x2E, 0x00,
    0xB6, 0xD0, 0x68, 0x3E, 0x80, 0x2F, 0x0C, 0xA9, 0xFE, 0x64, 0x53, 0x69, 0x7A,
];
/// Bytes of a password that count with AES-256.
const LONGEST: usize = 127;
/// Digests that a password costs before AES-256: as the user's and as the owner's, with the rounds of RC4.
const MD5_ROUNDS: u64 = 250;

/// The keys of a document, if a password opens it.
pub(super) fn open(parameters: &Parameters, passwords: &Passwords, budget: &Budget) -> Lock {
    let known = passwords.tries(None).map(|(_, password)| password);
    for password in std::iter::once(&b""[..]).chain(known) {
        let key = match parameters.version {
            5 => key_of_aes256(parameters, password, budget),
            _ => budget.charge_rounds(MD5_ROUNDS).map(|()| key_of_md5(parameters, password)),
        };
        match key {
            Ok(Some(key)) => return keyed(parameters, key),
            Ok(None) => {}
            Err(_) => {
                return Lock::Closed("it is encrypted, and passwords cost more rounds of digests than are allowed");
            }
        }
    }
    Lock::Closed("it is encrypted, and neither the empty password nor another one opens it")
}

fn keyed(parameters: &Parameters, key: Vec<u8>) -> Lock {
    let Parameters { streams, strings, metadata, .. } = *parameters;
    Lock::Keyed(Keys { key, streams, strings, metadata })
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

/// The key before AES-256, with a password of the user or of the owner.
fn key_of_md5(parameters: &Parameters, password: &[u8]) -> Option<Vec<u8>> {
    key_of_user(parameters, password).or_else(|| key_of_user(parameters, &user_password(parameters, password)?))
}

/// ISO 32000-1 algorithm 2, with the check of algorithms 4 to 6.
fn key_of_user(parameters: &Parameters, password: &[u8]) -> Option<Vec<u8>> {
    let old = parameters.revision < 3;
    let length = key_length(parameters);
    let mut hash = Md5::new();
    hash.update(padded(password));
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

/// ISO 32000-1 algorithm 7: what the user's password would be, if this is the owner's.
fn user_password(parameters: &Parameters, owner: &[u8]) -> Option<Vec<u8>> {
    let length = key_length(parameters);
    let mut key = Md5::digest(padded(owner)).to_vec();
    if parameters.revision >= 3 {
        for _ in 0..50 {
            key = Md5::digest(&key).to_vec();
        }
    }
    key.truncate(length);
    let rounds = if parameters.revision < 3 { 1u8 } else { 20 };
    let hidden = parameters.owner.get(..32)?.to_vec();
    Some((0..rounds).rev().fold(hidden, |bytes, round| {
        let key: Vec<u8> = key.iter().map(|byte| byte ^ round).collect();
        rc4::rc4(&key, &bytes)
    }))
}

fn key_length(parameters: &Parameters) -> usize {
    if parameters.revision < 3 { 5 } else { parameters.length.min(16) }
}

/// The first 32 bytes of a password and the padding.
fn padded(password: &[u8]) -> Vec<u8> {
    password.iter().chain(&PADDING).copied().take(32).collect()
}

/// ISO 32000-1 algorithm 4.
fn old_user(key: &[u8]) -> Vec<u8> {
    rc4::rc4(key, &PADDING)
}

/// ISO 32000-1 algorithm 5.
fn user(key: &[u8], identifier: &[u8]) -> Vec<u8> {
    let mut hash = Md5::new();
    hash.update(PADDING);
    hash.update(identifier);
    let first = hash.finalize().to_vec();
    (0..20).fold(first, |bytes, round: u8| {
        let key: Vec<u8> = key.iter().map(|byte| byte ^ round).collect();
        rc4::rc4(&key, &bytes)
    })
}

/// ISO 32000-2 algorithms 2.A, 11 and 12: `/U` and `/O` are a hash, a salt to check the password, and a salt for the key; the
/// owner's digests have `/U` in them.
fn key_of_aes256(parameters: &Parameters, password: &[u8], budget: &Budget) -> Result<Option<Vec<u8>>, LimitReached> {
    let password = password.get(..LONGEST).unwrap_or(password);
    let user = parameters.user.get(..48).unwrap_or_default();
    for (entry, hidden, other) in
        [(&parameters.user, &parameters.user_key, &[][..]), (&parameters.owner, &parameters.owner_key, user)]
    {
        let (Some(check), Some(salt), Some(hidden)) = (entry.get(32..40), entry.get(40..48), hidden.get(..32)) else {
            continue;
        };
        if entry.starts_with(&hash(parameters, &[password, check, other], password, other, budget)?) {
            let key = hash(parameters, &[password, salt, other], password, other, budget)?;
            // With a vector of zeros and without padding.
            let encrypted = [&[0; 16], hidden].concat();
            return Ok(Some(Cipher::Aes(key).blocks(&encrypted)));
        }
    }
    Ok(None)
}

fn hash(
    parameters: &Parameters,
    first: &[&[u8]],
    password: &[u8],
    other: &[u8],
    budget: &Budget,
) -> Result<Vec<u8>, LimitReached> {
    budget.charge_rounds(4)?;
    let first = Sha256::digest(first.concat()).to_vec();
    if parameters.revision == 5 { Ok(first) } else { hardened(first, password, other, budget) }
}

/// ISO 32000-2 algorithm 2.B.
fn hardened(mut key: Vec<u8>, password: &[u8], other: &[u8], budget: &Budget) -> Result<Vec<u8>, LimitReached> {
    // The last byte of a round is at most 255, so this ends after 288 rounds.
    for round in 0..300u32 {
        let text = [password, &key, other].concat();
        budget.charge_rounds(derive::rounds(u64::try_from(text.len()).unwrap_or(0).saturating_mul(64)))?;
        let encrypted = encrypted(&text, &key);
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
    Ok(key)
}

/// A text 64 times, encrypted by AES-128 in CBC mode with the two first quarters of the key.
fn encrypted(text: &[u8], key: &[u8]) -> Vec<u8> {
    let mut bytes = text.repeat(64);
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
