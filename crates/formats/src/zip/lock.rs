//! Encrypted members: the cipher of PKZIP 2 (APPNOTE 6.1), and AE-1 and AE-2 of WinZip (APPNOTE 7.2.5; WinZip, "AES Encryption
//! Information: Encryption Specification AE-1 and AE-2").
//!
//! ```text
//! PKZIP: 12 bytes, of which the last checks the password | data
//! AE-x:  salt | 2 bytes that check the password | data in counter mode | 10 bytes of HMAC-SHA-1 over the data
//! ```
//!
//! Both checks are weak: of 256, or of 65,536 wrong passwords one passes. So a member counts as opened if its plain bytes have
//! the stated length and checksum, or its data the stated authentication code. If passwords pass the check and nothing
//! more, the data are damaged, or all of them are wrong: the member is given as the first of them reads it, and told as
//! encrypted all the same.

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;

use dachs_base::{Anomaly, Heuristic, LimitReached, Name, Part, Source, read_vec_at};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::Archive;
use super::method::{self, Parameters};
use super::record::Fields;
use crate::codec::Decoder;
use crate::crypt::block::Counted;
use crate::crypt::{Passwords, Trial, closed, derive, try_stream};
use crate::stream::{Replay, SourceRead};

/// Bytes before the data that PKZIP encrypts with them.
const CLASSIC_HEADER: u64 = 12;
/// Bytes that check a password of AE-x, and of its authentication code.
const VERIFIER: u64 = 2;
const CODE: u64 = 10;
/// How often AE-x digests a password.
const ITERATIONS: u32 = 1000;

/// The passwords of an archive.
pub(super) struct Keyring {
    passwords: Passwords,
    /// The place of the password that opened the last member.
    lucky: Option<usize>,
}

impl Keyring {
    pub(super) fn new(passwords: &Passwords) -> Keyring {
        Keyring { passwords: passwords.clone(), lucky: None }
    }
}

/// A key, and where what it decrypts stands.
#[derive(Clone)]
struct Locked {
    key: Key,
    start: u64,
    length: u64,
}

#[derive(Clone)]
enum Key {
    Classic(Classic),
    Aes(Vec<u8>),
}

impl Archive {
    /// The plain bytes of an encrypted member.
    pub(super) fn unlocked(
        &mut self,
        name: &Name,
        data: u64,
        fields: &Fields,
        end_known: bool,
    ) -> Result<Arc<dyn Source>, Anomaly> {
        if !fields.can_be_opened() {
            return Err(Anomaly::encrypted("it is encrypted in a way that is not known"));
        }
        let passwords = self.keyring.passwords.clone();
        let mut passed = None;
        for (place, password) in passwords.tries(self.keyring.lucky) {
            let locked = match self.locked(password, data, fields) {
                Ok(Some(locked)) => locked,
                Ok(None) => continue,
                Err(reached) => return Err(self.out_of_rounds(name, reached)),
            };
            match self.opens(&locked, fields, end_known) {
                Ok(Trial::Wrong) => {
                    passed.get_or_insert(locked);
                }
                // What a limit kept from being tried is told by the member itself.
                Ok(Trial::Right) | Err(_) => {
                    self.keyring.lucky = Some(place);
                    self.found.heuristic(Heuristic::EncryptedZip);
                    return Ok(self.plain(locked, fields, end_known));
                }
            }
        }
        let locked = passed.ok_or_else(closed)?;
        let text = "it is encrypted, and what a password made of it has not the stated checksum";
        self.found.remark(Some(name.clone()), Anomaly::encrypted(text));
        Ok(self.plain(locked, fields, false))
    }

    /// What a password makes of a member, if it passes the first check.
    fn locked(&self, password: &[u8], data: u64, fields: &Fields) -> Result<Option<Locked>, LimitReached> {
        match fields.aes.filter(|_| fields.method == method::AES) {
            Some(aes) => self.aes(password, data, fields, aes.strength),
            None => {
                self.budget.charge_rounds(1)?;
                Ok(self.classic(password, data, fields))
            }
        }
    }

    /// APPNOTE 6.1.5 and 6.1.6: the last byte of the header is the highest of the checksum, or of the time if the checksum
    /// was not known when it was written.
    fn classic(&self, password: &[u8], data: u64, fields: &Fields) -> Option<Locked> {
        let length = fields.packed.checked_sub(CLASSIC_HEADER)?;
        let mut cipher = Classic::new(password);
        let mut header: [u8; 12] = read_vec_at(self.source.as_ref(), data, 12).try_into().ok()?;
        cipher.decrypt(&mut header);
        let last = header.last().copied()?;
        let (time, crc) = (fields.time.to_be_bytes(), fields.crc.to_be_bytes());
        let fits = crc.first() == Some(&last) || (fields.has_descriptor() && time.first() == Some(&last));
        fits.then(|| Locked { key: Key::Classic(cipher), start: data.saturating_add(CLASSIC_HEADER), length })
    }

    fn aes(&self, password: &[u8], data: u64, fields: &Fields, strength: u8) -> Result<Option<Locked>, LimitReached> {
        let key_length = 8 + 8 * usize::from(strength);
        let salt_length = u64::from(strength) * 4 + 4;
        let Some(length) = fields.packed.checked_sub(salt_length + VERIFIER + CODE) else { return Ok(None) };
        let head = read_vec_at(self.source.as_ref(), data, key_length / 2 + 2);
        let Some((salt, verifier)) = head.split_at_checked(key_length / 2) else { return Ok(None) };
        let made = derive::pbkdf2_sha1(password, salt, ITERATIONS, 2 * key_length + 2, &self.budget)?;
        let fits = verifier.len() == 2 && made.ends_with(verifier);
        let start = data.saturating_add(salt_length + VERIFIER);
        Ok(fits.then_some(Locked { key: Key::Aes(made), start, length }))
    }

    /// True if the bytes say that the password is right.
    fn opens(&self, locked: &Locked, fields: &Fields, end_known: bool) -> Result<Trial, LimitReached> {
        match &locked.key {
            Key::Aes(made) => self.authentic(made, locked),
            Key::Classic(_) if !end_known => Ok(Trial::Wrong),
            Key::Classic(_) => {
                let opened = self.opener_of(locked.clone(), fields, end_known)();
                try_stream(opened, fields.length, Some(fields.crc), &self.budget)
            }
        }
    }

    /// Compares the authentication code of AE-x.
    fn authentic(&self, made: &[u8], locked: &Locked) -> Result<Trial, LimitReached> {
        let half = made.len().saturating_sub(2) / 2;
        let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(made.get(half..2 * half).unwrap_or_default()) else {
            return Ok(Trial::Wrong);
        };
        let mut input = SourceRead::range(Arc::clone(&self.source), locked.start, locked.length);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            self.budget.check_time()?;
            let got = input.read_fully(&mut buffer);
            if got == 0 {
                break;
            }
            mac.update(buffer.get(..got).unwrap_or_default());
        }
        let stated = read_vec_at(self.source.as_ref(), locked.start.saturating_add(locked.length), 10);
        let right = stated.len() == 10 && mac.finalize().into_bytes().starts_with(&stated);
        Ok(if right { Trial::Right } else { Trial::Wrong })
    }

    fn plain(&self, locked: Locked, fields: &Fields, end_known: bool) -> Arc<dyn Source> {
        if locked.length == 0 && fields.length == 0 {
            return Arc::new(Part::new(Arc::clone(&self.source), locked.start, 0));
        }
        // AE-2 states no checksum.
        let crc = (end_known && fields.aes.is_none_or(|aes| aes.version == 1)).then_some(fields.crc);
        let length = end_known.then_some(fields.length);
        let replay = Replay::new(&self.budget, self.opener_of(locked, fields, end_known));
        Arc::new(replay.expecting(length, crc))
    }

    fn opener_of(
        &self,
        locked: Locked,
        fields: &Fields,
        end_known: bool,
    ) -> impl Fn() -> io::Result<Decoder> + Send + Sync + 'static {
        let (source, budget) = (Arc::clone(&self.source), self.budget.clone());
        let real = fields.aes.filter(|_| fields.method == method::AES).map_or(fields.method, |aes| aes.method);
        let parameters = Parameters { method: real, flags: fields.flags, length: end_known.then_some(fields.length) };
        move || {
            let input = SourceRead::range(Arc::clone(&source), locked.start, locked.length);
            let plain = locked.key.decrypt(input)?;
            match real {
                method::STORED => Ok(plain),
                _ => method::decoder(io::BufReader::with_capacity(1 << 14, plain), parameters, &budget),
            }
        }
    }

    /// What is said of a member when passwords have cost too much: the limit, once for the archive.
    fn out_of_rounds(&mut self, name: &Name, reached: LimitReached) -> Anomaly {
        if !std::mem::replace(&mut self.told.rounds, true) {
            self.found.remark(Some(name.clone()), reached.into());
        }
        closed()
    }
}

impl Key {
    fn decrypt(&self, input: SourceRead) -> io::Result<Decoder> {
        match self {
            Key::Classic(cipher) => Ok(Box::new(ClassicRead { input, cipher: cipher.clone() })),
            Key::Aes(made) => {
                let half = made.len().saturating_sub(2) / 2;
                let counted = Counted::new(input, made.get(..half).unwrap_or_default());
                Ok(Box::new(counted.ok_or(ErrorKind::InvalidInput)?))
            }
        }
    }
}

/// The cipher of PKZIP 2: three numbers of 32 bits (APPNOTE 6.1.4).
#[derive(Clone)]
pub(super) struct Classic {
    keys: [u32; 3],
}

impl Classic {
    fn new(password: &[u8]) -> Classic {
        let mut cipher = Classic { keys: [0x1234_5678, 0x2345_6789, 0x3456_7890] };
        password.iter().for_each(|byte| cipher.update(*byte));
        cipher
    }

    fn update(&mut self, plain: u8) {
        let [first, second, third] = self.keys;
        let first = crc32(first, plain);
        let second = second.wrapping_add(first & 0xFF).wrapping_mul(0x0808_8405).wrapping_add(1);
        let [.., highest] = second.to_le_bytes();
        self.keys = [first, second, crc32(third, highest)];
    }

    fn decrypt(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            let [_, _, third] = self.keys;
            let word = (third & 0xFFFF) | 2;
            let [_, pad, ..] = word.wrapping_mul(word ^ 1).to_le_bytes();
            *byte ^= pad;
            self.update(*byte);
        }
    }
}

struct ClassicRead {
    input: SourceRead,
    cipher: Classic,
}

impl Read for ClassicRead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.input.read(buffer)?;
        self.cipher.decrypt(buffer.get_mut(..got).unwrap_or_default());
        Ok(got)
    }
}

/// One step of CRC-32 (ISO 3309), without the negation at start and end.
fn crc32(crc: u32, byte: u8) -> u32 {
    let [lowest, ..] = crc.to_le_bytes();
    crc >> 8 ^ CRC32.get(usize::from(lowest ^ byte)).copied().unwrap_or(0)
}

const CRC32: [u32; 256] = {
    let mut table = [0; 256];
    let mut at = 0u32;
    let mut rest: &mut [u32] = &mut table;
    while let Some((first, others)) = rest.split_first_mut() {
        let mut sum = at;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 };
            bit += 1;
        }
        *first = sum;
        at += 1;
        rest = others;
    }
    table
};
