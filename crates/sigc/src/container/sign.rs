//! Signatures that stand beside a container (`main-62.cvd.sign`), as ClamAV 1.5 has them.
//!
//! ```text
//! #clamsign-1.0
//! lowest level:highest level:pkcs7-pem:signed data of PKCS #7 in base64, over the whole container, which is not in it
//! ```
//!
//! One line that verifies is enough; lines for other levels or in other forms are passed over. Who is trusted says whoever asks for
//! the compilation ([`Roots`]): a certificate must lead to one of theirs, and all on the way must be valid now. ClamAV takes
//! such a signature instead of the one inside; here a container must verify by both.

use std::io::Read;

use dachs_pki::{Certificate, SignedData};

use crate::{Error, Input, Roots};

/// What a file of signatures begins with.
const HEADER: &str = "#clamsign-1.0";
/// The level of ClamAV 1.5, which these signatures are for.
const LEVEL: u64 = 230;
/// `pkcs7-data`, 1.2.840.113549.1.7.1
const DATA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01";

/// Verifies a container by the signatures beside it.
///
/// # Errors
/// When none of them is right.
pub(super) fn verify(input: &Input, text: &str, roots: &Roots) -> Result<(), Error> {
    let wrong = |reason: &str| Error::unverified(input.name(), format!("the signature beside it: {reason}"));
    let mut lines = text.lines();
    if lines.next().map(str::trim_end) != Some(HEADER) {
        return Err(wrong("it is none"));
    }
    let signed: Vec<SignedData> = lines.filter_map(|line| signed(line.trim_end())).collect();
    if signed.is_empty() {
        return Err(wrong("there is none that can be read"));
    }
    for data in &signed {
        for signer in &data.signers {
            let mut reader = input.open().map_err(|error| Error::reading(input.name(), error))?;
            let digest = digest(&mut reader, signer.digest).map_err(|error| Error::reading(input.name(), error))?;
            if is_trusted(&data.chain(signer, &digest), roots) {
                return Ok(());
            }
        }
    }
    Err(wrong("it is not over these bytes, or nobody who is trusted made it"))
}

/// The signed data of a line for our level.
fn signed(line: &str) -> Option<SignedData> {
    let mut fields = line.splitn(4, ':');
    let (lowest, highest) = (fields.next()?.parse::<u64>().ok()?, fields.next()?.parse::<u64>().ok()?);
    let fits = (lowest..=highest).contains(&LEVEL) && fields.next()? == "pkcs7-pem";
    let data = base64(fields.next()?)?;
    SignedData::read(&data).filter(|data| fits && data.kind == DATA && data.content.is_none())
}

fn digest(reader: &mut dyn Read, digest: dachs_pki::Digest) -> std::io::Result<Vec<u8>> {
    let (mut buffer, mut trouble) = (vec![0; 1 << 16], None);
    let value = digest.of_stream(&mut |take| match reader.read(&mut buffer) {
        Ok(0) => false,
        Ok(got) => {
            take(buffer.get(..got).unwrap_or_default());
            true
        }
        Err(error) => {
            trouble = Some(error);
            false
        }
    });
    trouble.map_or(Ok(value), Err)
}

/// True if this chain leads to one who is trusted.
fn is_trusted(chain: &[&Certificate], roots: &Roots) -> bool {
    for (depth, certificate) in chain.iter().enumerate() {
        if !certificate.is_valid_at(roots.now) || (depth > 0 && !certificate.uses.certificates) {
            return false;
        }
        let vouches = |root: &&Certificate| {
            let same = root.whole == certificate.whole;
            let above =
                root.subject == certificate.issuer && root.uses.certificates && certificate.is_signed_by(&root.key);
            root.is_valid_at(roots.now) && (same || above)
        };
        if roots.certificates.iter().any(|root| vouches(&root)) {
            return true;
        }
    }
    false
}

/// Base64 without line breaks (RFC 4648 4).
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text = text.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(text.len());
    let (mut bits, mut count) = (0_u32, 0_u32);
    for digit in text.bytes() {
        let value = DIGITS.iter().position(|other| *other == digit)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xFF).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read() {
        for (text, bytes) in [("", &b""[..]), ("Zg==", b"f"), ("Zm8=", b"fo"), ("Zm9v", b"foo"), ("Zm9vYg", b"foob")] {
            assert_eq!(base64(text).as_deref(), Some(bytes));
        }
        assert_eq!(base64("Z m"), None);
    }
}
