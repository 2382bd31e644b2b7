//! Encrypted folders: AES-256 in CBC mode with a key of many rounds of SHA-256 (7-Zip's Methods.txt, 06F10701; the parameters
//! as 7-Zip writes them).
//!
//! ```text
//! properties: 2^n rounds (6 bits), salt?, vector? | lengths | salt | vector
//! key:        SHA-256 of (salt, password in 16-bit characters, number of the round as 64 bits) for each round
//! ```
//!
//! Nothing in the format checks a password but the checksums of the plain bytes. So a password is tried by unpacking the
//! first file of a folder, or the header. Folders of one archive mostly have the same salt, and then one key.

use dachs_base::{Anomaly, Budget, LimitReached, Reader};
use sha2::{Digest, Sha256};

use super::header::{Packed, Stream};
use crate::crypt::block::BLOCK;
use crate::crypt::{Passwords, Trial, closed, derive, wide};

/// More rounds than 2 to this are refused, as 7-Zip does.
const MOST_CYCLES: u8 = 24;
/// This number of rounds stands for none: the key is salt and password as they are.
const NO_CYCLES: u8 = 0x3F;
/// Keys that are remembered.
const KEYS: usize = 256;
/// Rounds that are digested at once.
const TOGETHER: u64 = 64;

/// A key.
pub(super) type Key = [u8; 32];

/// What the properties of an encrypting coder say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lock {
    cycles: u8,
    salt: Vec<u8>,
    pub(super) vector: [u8; BLOCK],
}

impl Lock {
    /// Reads them; none if they make no sense.
    pub(super) fn read(properties: &[u8]) -> Option<Lock> {
        let mut reader = Reader::new(properties, "7z AES properties");
        let first = reader.u8().ok()?;
        let mut lock = Lock { cycles: first & 0x3F, salt: Vec::new(), vector: [0; BLOCK] };
        if first & 0xC0 == 0 {
            return Some(lock);
        }
        let second = reader.u8().ok()?;
        let salt = u64::from(first >> 7) + u64::from(second >> 4);
        let vector = u64::from(first >> 6 & 1) + u64::from(second & 0xF);
        lock.salt = reader.take(salt).ok()?.to_vec();
        let bytes = reader.take(vector).ok()?;
        lock.vector.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        Some(lock)
    }

    fn is_bearable(&self) -> bool {
        self.cycles <= MOST_CYCLES || self.cycles == NO_CYCLES
    }

    /// The key that a password makes.
    fn key(&self, password: &[u8], budget: &Budget) -> Result<Key, LimitReached> {
        let password = wide(password);
        if self.cycles == NO_CYCLES {
            let mut key = [0; 32];
            key.iter_mut().zip(self.salt.iter().chain(&password)).for_each(|(to, from)| *to = *from);
            return Ok(key);
        }
        let unit = self.salt.len().saturating_add(password.len()).saturating_add(8);
        let rounds = 1u64 << self.cycles.min(MOST_CYCLES);
        budget.charge_rounds(derive::rounds(u64::try_from(unit).unwrap_or(u64::MAX).saturating_mul(rounds)))?;
        let together = TOGETHER.min(rounds);
        let one = [self.salt.as_slice(), &password, &[0; 8]].concat();
        let mut text = one.repeat(usize::try_from(together).unwrap_or(1));
        let mut hash = Sha256::new();
        for first in (0..rounds).step_by(usize::try_from(together).unwrap_or(1)) {
            for (number, text) in (first..).zip(text.chunks_exact_mut(unit)) {
                if let Some(counter) = text.last_chunk_mut::<8>() {
                    *counter = number.to_le_bytes();
                }
            }
            hash.update(&text);
            if first & 0xFFFF == 0 {
                budget.check_time()?;
            }
        }
        Ok(hash.finalize().into())
    }
}

/// The passwords of an archive, and the keys that were made of them.
pub(super) struct Keyring {
    passwords: Passwords,
    /// The place of the password that opened something.
    lucky: Option<usize>,
    keys: Vec<(usize, Lock, Key)>,
    /// True once passwords cost too much.
    exhausted: bool,
}

impl Keyring {
    pub(super) fn new(passwords: &Passwords) -> Keyring {
        Keyring { passwords: passwords.clone(), lucky: None, keys: Vec::new(), exhausted: false }
    }

    /// Finds the password of a folder, whose first stream is this one; `tried` unpacks that with the folder as it is.
    pub(super) fn unlock(
        &mut self,
        packed: &mut Packed,
        stream: &Stream,
        budget: &Budget,
        tried: &dyn Fn(Packed, &Stream) -> Result<Trial, LimitReached>,
    ) -> Result<(), Anomaly> {
        let locks =
            packed.folder.locks().ok_or_else(|| Anomaly::encrypted("it is encrypted in a way that is not known"))?;
        if !locks.iter().all(Lock::is_bearable) {
            return Err(Anomaly::encrypted("it is encrypted, and its key takes more than 2^24 rounds of digests"));
        }
        if self.exhausted {
            return Err(closed());
        }
        let passwords = self.passwords.clone();
        for (place, password) in passwords.tries(self.lucky) {
            let keys =
                locks.iter().map(|lock| self.key(place, password, lock, budget)).collect::<Result<Vec<Key>, _>>();
            let right = keys.and_then(|keys| {
                packed.folder.set_keys(&keys);
                tried(packed.clone(), stream)
            });
            match right {
                Ok(Trial::Wrong) => {}
                Ok(Trial::Right) => {
                    self.lucky = Some(place);
                    return Ok(());
                }
                Err(reached) => {
                    self.exhausted = true;
                    let text = format!("it is encrypted, and not all passwords were tried: {reached}");
                    return Err(Anomaly::encrypted(text));
                }
            }
        }
        Err(closed())
    }

    fn key(&mut self, place: usize, password: &[u8], lock: &Lock, budget: &Budget) -> Result<Key, LimitReached> {
        let same = |known: &&(usize, Lock, Key)| {
            known.0 == place && known.1.salt == lock.salt && known.1.cycles == lock.cycles
        };
        if let Some((.., key)) = self.keys.iter().find(same) {
            return Ok(*key);
        }
        let key = lock.key(password, budget)?;
        if self.keys.len() >= KEYS {
            self.keys.clear();
        }
        self.keys.push((place, lock.clone(), key));
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use dachs_base::{Limits, NoClock};

    #[test]
    fn properties_are_read() {
        let lock = Lock::read(&[0x53, 0x07, 1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
        assert_eq!(
            (lock.cycles, lock.salt.len(), lock.vector.starts_with(&[1, 2, 3, 4, 5, 6, 7, 8, 0])),
            (19, 0, true)
        );
        let lock = Lock::read(&[0xD3, 0x10, 9, 8, 7]).unwrap();
        assert_eq!((lock.salt, lock.vector.first()), (vec![9, 8], Some(&7)));
        assert!(Lock::read(&[]).is_none() && Lock::read(&[0x53, 0xFF, 1]).is_none());
    }

    #[test]
    fn a_key_is_charged_before_it_is_made() {
        let budget = Budget::new(Limits { rounds: 1000, ..Limits::default() }, NoClock);
        let lock = |cycles| Lock { cycles, salt: Vec::new(), vector: [0; 16] };
        assert!(lock(24).key(b"x", &budget).is_err());
        assert!(lock(3).key(b"x", &budget).is_ok());
        assert!(lock(NO_CYCLES).key(b"x", &budget).unwrap().starts_with(b"x\0\0"));
        assert!(!lock(25).is_bearable());
    }
}
