//! Encrypted archives: the password is found here, and the crate decrypts.
//!
//! RAR 5 digests a password 2^n times (n up to 24, chosen by the archive) and mostly states a check of it; RAR 3 and 4 digest
//! it 262,144 times and check nothing but the plain bytes. Where the headers are encrypted, a password is right if they can be
//! read; else if the first encrypted member has its checksum.

use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, LimitReached, Reader, Short, Source, read_vec_at};
use rars::{Archive, ArchiveMember, ArchiveReader, ExtractionDecision, ExtractionErrorAction};

use super::batch::Patient;
use super::{intact, options};
use crate::crypt::{Passwords, Trial, closed, derive};
use crate::stream::SourceRead;

/// How often RAR 3 and 4 digest a password.
const OLD_ROUNDS: u64 = 1 << 18;

/// An archive whose headers are encrypted, and its password.
///
/// # Errors
/// When no password opens it.
pub(super) fn open_headers(
    source: &Arc<dyn Source>,
    budget: &Budget,
    passwords: &Passwords,
) -> Result<(Archive, Vec<u8>), Anomaly> {
    let exponent = header_exponent(&read_vec_at(source.as_ref(), 0, 128));
    for (_, password) in passwords.tries(None) {
        budget.charge_rounds(cost(exponent, password)).map_err(|reached| not_all(&reached))?;
        let mut options = options(budget);
        options.password = Some(password);
        let timed = Timed { input: SourceRead::new(Arc::clone(source)), budget: budget.clone() };
        match ArchiveReader::read_reader_with_options(timed, options) {
            Ok(archive) => return Ok((archive, password.to_vec())),
            Err(_) => budget.check_time().map_err(|reached| not_all(&reached))?,
        }
    }
    Err(closed())
}

/// The password of the members, found by one of them.
///
/// # Errors
/// When none is right.
pub(super) fn find(archive: &Archive, budget: &Budget, passwords: &Passwords) -> Result<Vec<u8>, Anomaly> {
    let Some(index) = easiest(archive) else { return Err(closed()) };
    for (_, password) in passwords.tries(None) {
        match opens(archive, index, password, budget).map_err(|reached| not_all(&reached))? {
            Trial::Right => return Ok(password.to_vec()),
            Trial::Wrong => {}
        }
    }
    Err(closed())
}

/// What a password costs for a member.
pub(super) fn member_cost(archive: &Archive, index: usize, password: &[u8]) -> u64 {
    cost(encryption(archive, index).map(|encryption| encryption.kdf_count), password)
}

fn not_all(reached: &LimitReached) -> Anomaly {
    Anomaly::encrypted(format!("it is encrypted, and not all passwords were tried: {reached}"))
}

/// Rounds of digests; `exponent` is that of RAR 5.
fn cost(exponent: Option<u8>, password: &[u8]) -> u64 {
    match exponent {
        // HMAC takes two rounds.
        Some(exponent) => 2u64 << exponent.min(48),
        None => {
            let text = u64::try_from(password.len()).unwrap_or(0).saturating_mul(2).saturating_add(11);
            derive::rounds(OLD_ROUNDS.saturating_mul(text))
        }
    }
}

fn encryption(archive: &Archive, index: usize) -> Option<&rars::rar50::FileEncryption> {
    match archive {
        Archive::Rar50Plus(archive) => archive.files().nth(index)?.encryption.as_ref(),
        _ => None,
    }
}

/// The member by which passwords are tried: the smallest, or the first of a solid archive, for the others need those before.
fn easiest(archive: &Archive) -> Option<usize> {
    let members = archive.members().enumerate().filter(|(_, member)| {
        let meta = &member.meta;
        meta.is_encrypted && !meta.is_directory && !meta.is_redirection && !meta.is_split_before && !meta.is_split_after
    });
    let measured = members.filter(|(_, member)| member.meta.unpacked_size > 0);
    match archive.is_solid() {
        true => measured.map(|(index, _)| index).next(),
        false => measured.min_by_key(|(_, member)| member.meta.unpacked_size).map(|(index, _)| index),
    }
}

fn opens(archive: &Archive, index: usize, password: &[u8], budget: &Budget) -> Result<Trial, LimitReached> {
    budget.charge_rounds(member_cost(archive, index, password))?;
    if let Some((encryption, check)) = encryption(archive, index).and_then(|known| Some((known, known.check_value?)))
        && check.first_chunk::<8>().is_some_and(|check| check != &[0; 8])
    {
        let keys = rars::crypto::rar50::Rar50Keys::derive(password, encryption.salt, encryption.kdf_count);
        let right = keys.is_ok_and(|keys| keys.check_password(&check).is_ok());
        return Ok(if right { Trial::Right } else { Trial::Wrong });
    }
    Ok(decodes(archive, index, password, budget))
}

/// Decodes a member with a password, and lets the crate compare its checksum.
fn decodes(archive: &Archive, index: usize, password: &[u8], budget: &Budget) -> Trial {
    let mut options = options(budget);
    options.password = Some(password);
    let solid = archive.is_solid();
    let (mut at, mut trial) = (0, Trial::Wrong);
    // Both closures need it; they are never called at the same time.
    let failed = std::cell::Cell::new(false);
    let decide = |member: &ArchiveMember| {
        let here = at;
        at += 1;
        let no_file = member.meta.is_directory || member.meta.is_redirection;
        if here > index {
            return Ok(ExtractionDecision::Stop);
        }
        if here < index && (!solid || no_file) {
            return Ok(ExtractionDecision::Skip);
        }
        let sink: Box<dyn Write> = Box::new(Patient { budget: budget.clone() });
        Ok(ExtractionDecision::Extract(sink))
    };
    let result = archive.extract_with_control_and_errors(options, decide, |_, _| {
        failed.set(true);
        Ok(ExtractionErrorAction::Continue)
    });
    if result.is_ok() && !failed.get() && at > index {
        trial = Trial::Right;
    }
    trial
}

/// How often RAR 5 digests the password of encrypted headers, as a power of two (technote.txt, "Archive encryption header").
fn header_exponent(head: &[u8]) -> Option<u8> {
    let mut reader = Reader::new(head.strip_prefix(intact::NEW)?, "RAR encryption header");
    let mut read = || -> Result<(u64, u8), Short> {
        reader.skip(4)?;
        intact::number(&mut reader)?;
        let kind = intact::number(&mut reader)?;
        for _ in 0..3 {
            intact::number(&mut reader)?; // flags, version, flags of the encryption
        }
        Ok((kind, reader.u8()?))
    };
    let (kind, exponent) = read().ok()?;
    (kind == 4).then_some(exponent)
}

/// Reads on only while there is time: keys are made between two reads.
struct Timed {
    input: SourceRead,
    budget: Budget,
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.budget.check_time().map_err(|_| ErrorKind::TimedOut)?;
        self.input.read(buffer)
    }
}

impl Seek for Timed {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.input.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_have_their_price() {
        assert_eq!(cost(Some(15), b"x"), 65_536);
        assert_eq!(cost(Some(255), b"x"), 2 << 48);
        assert_eq!(cost(None, b"password"), 262_144 * 27 / 64 + 1);
        let head = [intact::NEW, &[0, 0, 0, 0, 0x21, 4, 0, 0, 1, 15]].concat();
        assert_eq!(header_exponent(&head), Some(15));
        assert_eq!(header_exponent(&head[..12]), None);
    }
}
