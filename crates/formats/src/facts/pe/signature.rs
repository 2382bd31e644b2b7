//! Who signed a program (Authenticode), if what the signature says of it is true.
//!
//! ```text
//! certificate table ─> SignedData ─> SpcIndirectDataContent ─> digest of the program: is it that of these bytes?
//!                          └─> signer ─> certificates, each signed by the key of the next
//! ```
//!
//! Specification: Microsoft, "Windows Authenticode Portable Executable Signature Format". What is left out of the digest is the
//! checksum of the header, the entry of the certificate table, and that table, which must end the file. Whether somebody at the
//! end of the chain is trusted, the content says.
//!
//! When it was made says a counter-signature (RFC 2985 5.3.6), if there is one.
//!
//! Not done: time stamps of RFC 3161 (ClamAV 1.4.6 does not read them either); keys other than RSA; several signatures in one.

use super::certificates;
use super::header::{Directory, Pe};
use dachs_base::{Budget, Digests, Found, LimitReached, Signature, Stamp, read_vec_at};
use dachs_pki::der::{OCTET_STRING, SEQUENCE, Values};
use dachs_pki::{Certificate, Digest, SignedData};

/// `SPC_INDIRECT_DATA`, 1.3.6.1.4.1.311.2.1.4
const INDIRECT_DATA: &[u8] = b"\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x04";
/// Bytes that are digested at once.
const STEP: usize = 64 * 1024;

/// The signature; nothing if there is none that holds.
pub(super) fn find(pe: &Pe, budget: &Budget) -> Found<Signature> {
    let Some(table) = certificates::table(pe, budget)? else { return Ok(None) };
    let Some(data) = SignedData::read(&table).filter(|data| data.kind == INDIRECT_DATA) else { return Ok(None) };
    let Some(content) = &data.content else { return Ok(None) };
    let Some((digest, stated)) = stated(content) else { return Ok(None) };
    if of_program(pe, digest, budget)? != stated {
        return Ok(None);
    }
    let chains = data.signers.iter().map(|signer| (signer, data.chain(signer, &signer.digest.of(&[content]))));
    let Some((signer, chain)) = chains.into_iter().find(|(_, chain)| !chain.is_empty()) else { return Ok(None) };
    let stamp = match data.stamp(signer) {
        None => Stamp::None,
        Some(None) => Stamp::Broken,
        Some(Some(stamp)) => Stamp::At { time: stamp.time, chain: whole(stamp.chain) },
    };
    Ok(Some(Signature { chain: whole(chain), stamp }))
}

fn whole(chain: Vec<&Certificate>) -> Vec<Vec<u8>> {
    chain.into_iter().map(|certificate| certificate.whole.clone()).collect()
}

/// The digests that a signature would be over.
pub(super) fn digests(pe: &Pe, budget: &Budget) -> Found<Digests> {
    let of = |digest| of_program(pe, digest, budget);
    let (sha1, sha256) = (of(Digest::Sha1)?.try_into().ok(), of(Digest::Sha256)?.try_into().ok());
    Ok(sha1.zip(sha256).map(|(sha1, sha256)| Digests { sha1, sha256 }))
}

/// What the signature says that the program's digest is.
fn stated(content: &[u8]) -> Option<(Digest, Vec<u8>)> {
    let mut fields = Values::new(content);
    fields.tagged(SEQUENCE)?; // what sort of program
    let mut info = fields.tagged(SEQUENCE)?.values();
    let digest = Digest::named(&info.tagged(SEQUENCE)?)?;
    Some((digest, info.tagged(OCTET_STRING)?.contents.to_vec()))
}

/// The digest of a program without what a signature changes.
fn of_program(pe: &Pe, digest: Digest, budget: &Budget) -> Result<Vec<u8>, LimitReached> {
    let end = pe.directory(Directory::Certificates).filter(|(offset, _)| *offset > 0);
    let end = end.map_or_else(|| pe.source.len(), |(offset, _)| u64::from(offset));
    let (checksum, entry) = pe.signed_places();
    let mut parts = [(0, checksum), (checksum.saturating_add(4), entry), (entry.saturating_add(8), end)].into_iter();
    let (mut at, mut until) = (0, 0);
    let mut limit = None;
    let value = digest.of_stream(&mut |take| {
        while at >= until {
            match parts.next() {
                Some((start, end)) => (at, until) = (start, end),
                None => return false,
            }
        }
        limit = budget.check_time().err();
        let step = usize::try_from(until.saturating_sub(at)).unwrap_or(STEP).min(STEP);
        let bytes = read_vec_at(&*pe.source, at, step);
        take(&bytes);
        at = at.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        limit.is_none() && !bytes.is_empty()
    });
    limit.map_or(Ok(value), Err)
}
