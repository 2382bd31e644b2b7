//! Encrypted Office documents that a known password opens (specification: MS-OFFCRYPTO).
//!
//! | document | encryption | where |
//! |---|---|---|
//! | OOXML in a compound file | agile or standard: `EncryptionInfo` says how, `EncryptedPackage` is the document | [`agile`], [`standard`] |
//! | `Workbook` | RC4 with MD5 or SHA-1: the record FilePass says how | [`rc4`] |
//! | `Workbook` | XOR obfuscation: the record FilePass says so | [`xor`] |
//! | `WordDocument` with `0Table` or `1Table`, and `Data` | the same: the table begins with what FilePass says | [`rc4`] |
//!
//! Excel and PowerPoint open documents with passwords of their own without asking, so that whoever gets such a document needs
//! none: those are among the agreed ones of [`Passwords`].
//!
//! Not done: presentations before 2007, XOR obfuscation of other documents than workbooks, other ciphers than AES and RC4, certificates instead of
//! passwords. All of that stays told as encrypted.

mod agile;
mod rc4;
mod standard;
mod xor;

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, LimitReached, Reader, Source, read_vec_at};

use crate::codec::Decoder;
use crate::crypt::{Passwords, closed, wide};
use crate::stream::Replay;

pub(super) use rc4::{Shape, table_header, workbook_header};
pub(super) use xor::{Stated, stated};

/// `EncryptionInfo` is no longer.
const LONGEST_INFO: usize = 64 * 1024;
/// A cipher that a password opened.
enum Opened {
    Agile(agile::Package),
    Standard(standard::Package),
}

/// The document in `EncryptedPackage`.
///
/// # Errors
/// When no password opens it.
pub(super) fn package(
    info: &dyn Source,
    package: &Arc<dyn Source>,
    budget: &Budget,
    passwords: &Passwords,
) -> Result<Arc<dyn Source>, Anomaly> {
    let info = read_vec_at(info, 0, LONGEST_INFO);
    let mut opened = None;
    for (_, password) in passwords.tries(None) {
        opened = open(&info, &wide(password), budget).map_err(|reached| not_all(&reached))?;
        if opened.is_some() {
            break;
        }
    }
    let opened = Arc::new(opened.ok_or_else(closed)?);
    let size: [u8; 8] =
        read_vec_at(package.as_ref(), 0, 8).try_into().map_err(|_| Anomaly::damaged("it is cut off"))?;
    let size = u64::from_le_bytes(size);
    let package = Arc::clone(package);
    let replay = Replay::new(budget, move || {
        let opened = Arc::clone(&opened);
        let decoder: Decoder = match opened.as_ref() {
            Opened::Agile(cipher) => Box::new(cipher.open(&package, size)),
            Opened::Standard(cipher) => Box::new(cipher.open(&package, size).ok_or(std::io::ErrorKind::InvalidData)?),
        };
        Ok(decoder)
    });
    Ok(Arc::new(replay.expecting(Some(size), None)))
}

/// Tries a password. The first two numbers of `EncryptionInfo` say which form it has (2.3.4.5, 2.3.4.10).
fn open(info: &[u8], password: &[u8], budget: &Budget) -> Result<Option<Opened>, LimitReached> {
    let mut reader = Reader::new(info, "EncryptionInfo");
    let versions = (reader.u16_le().unwrap_or(0), reader.u16_le().unwrap_or(0));
    let _flags = reader.u32_le();
    let rest = reader.rest();
    Ok(match versions {
        (4, 4) => agile::open(rest, password, budget)?.map(Opened::Agile),
        (2..=4, 2) => standard::open(rest, password, budget)?.map(Opened::Standard),
        _ => None,
    })
}

/// The plain form of a stream that RC4 encrypts. `header` is what FilePass says, or the start of a table.
///
/// # Errors
/// When no password opens it.
pub(super) fn stream(
    header: &[u8],
    streams: &[(Arc<dyn Source>, Shape)],
    budget: &Budget,
    passwords: &Passwords,
) -> Result<Vec<Arc<dyn Source>>, Anomaly> {
    for (_, password) in passwords.tries(None) {
        if let Some(key) = rc4::open(header, &wide(password), budget).map_err(|reached| not_all(&reached))? {
            return Ok(streams.iter().map(|(stream, shape)| rc4::plain(&key, stream, *shape, budget)).collect());
        }
    }
    Err(closed())
}

/// The plain form of a workbook that is obfuscated by XOR.
///
/// # Errors
/// When no password opens it.
pub(super) fn obfuscated(
    stated: Stated,
    stream: &Arc<dyn Source>,
    budget: &Budget,
    passwords: &Passwords,
) -> Result<Arc<dyn Source>, Anomaly> {
    for (_, password) in passwords.tries(None) {
        if let Some(array) = xor::open(stated, password, budget).map_err(|reached| not_all(&reached))? {
            return Ok(xor::plain(array, stream, budget));
        }
    }
    Err(closed())
}

fn not_all(reached: &LimitReached) -> Anomaly {
    Anomaly::encrypted(format!("it is encrypted, and not all passwords were tried: {reached}"))
}
