//! Certificates of signers: a program that comes with a revoked one is detected, and one that a trusted one signed is not looked at.
//! What a signed catalog lists counts as signed, too: programs by the digest that a signature would be over, other files as a whole.
//!
//! They are few, so they stand in one section, as `postcard` writes them. A certificate is told by its subject, its serial number
//! and its key. Of a revoked one it does not matter whether what it signed is valid. Trust asks for more, as watched on ClamAV
//! 1.4.6: the signature holds and is over the very program (that is a fact, [`dachs_base::Signature`]), every certificate up to the
//! trusted one is valid now and of an authority, and none is revoked.

use crate::layout::{Frame, Section, Writer};
use crate::model::{CatalogRule, CertificateRule, TrustRule};
use crate::{ImageError, Refusal};
use dachs_base::{Certificate, Digests, Signature, Stamp};
use dachs_pki::PublicKey;
use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};
use std::sync::Arc;

/// More are refused.
const MOST: usize = 65_536;
/// More digests in all catalogs are refused: each takes up to 32 bytes of memory in every process.
const DIGESTS: usize = 1 << 18;

/// Collects rules.
#[derive(Default)]
pub(crate) struct CertificateWriter(Stored);

/// As it is written.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Stored {
    /// Revoked ones, with their signatures.
    rules: Vec<(u32, CertificateRule)>,
    trusted: Vec<TrustRule>,
    catalogs: Vec<CatalogRule>,
}

impl Stored {
    fn is_bounded(&self) -> bool {
        let lists = [self.rules.len(), self.trusted.len(), self.catalogs.len()];
        lists.into_iter().all(|length| length <= MOST) && self.digests() <= DIGESTS
    }

    /// How many digests the catalogs hold.
    fn digests(&self) -> usize {
        let of = |catalog: &CatalogRule| catalog.programs.len().saturating_add(catalog.files.len());
        self.catalogs.iter().map(of).fold(0, usize::saturating_add)
    }
}

impl CertificateWriter {
    /// Adds the rule of a signature; gives its place.
    pub(crate) fn push(&mut self, rule: &CertificateRule, signature: u32) -> Result<u32, Refusal> {
        let rules = &mut self.0.rules;
        let place = u32::try_from(rules.len()).ok().filter(|_| rules.len() < MOST);
        let place = place.ok_or(Refusal::TooMany("certificates"))?;
        rules.push((signature, rule.clone()));
        Ok(place)
    }

    /// Adds a certificate that is trusted. False if there are too many.
    pub(crate) fn trust(&mut self, rule: TrustRule) -> bool {
        let room = self.0.trusted.len() < MOST;
        if room {
            self.0.trusted.push(rule);
        }
        room
    }

    /// Adds what somebody signed. False if that is too much.
    pub(crate) fn push_catalog(&mut self, rule: CatalogRule) -> bool {
        let more = rule.programs.len().saturating_add(rule.files.len());
        let room = self.0.catalogs.len() < MOST && self.0.digests().saturating_add(more) <= DIGESTS;
        if room {
            self.0.catalogs.push(rule);
        }
        room
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        if !self.0.rules.is_empty() || !self.0.trusted.is_empty() || !self.0.catalogs.is_empty() {
            // Plain data is always written.
            let bytes = postcard::to_allocvec(&self.0).unwrap_or_default();
            writer.section(Section::Certificates, 0, |out| out.extend(bytes));
        }
    }
}

/// The rules of an image.
#[derive(Clone, Debug, Default)]
pub(crate) struct Certificates(Arc<Stored>);

impl Certificates {
    pub(crate) fn new(frame: &Frame<'_>) -> Result<Certificates, ImageError> {
        let bytes = frame.bytes(Section::Certificates, 0);
        if bytes.is_empty() {
            return Ok(Certificates::default());
        }
        match postcard::take_from_bytes::<Stored>(bytes) {
            Ok((mut stored, [])) if stored.is_bounded() => {
                // Only sorted lists can be searched, and who wrote this is not known.
                stored.catalogs.iter_mut().for_each(|catalog| {
                    catalog.programs.sort();
                    catalog.files.sort();
                });
                Ok(Certificates(Arc::new(stored)))
            }
            _ => Err(ImageError::Section { section: Section::Certificates.name(), reason: "they cannot be read" }),
        }
    }

    /// True if there are no revoked ones.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.rules.is_empty()
    }

    /// True if programs may be trusted because somebody signed a list with their digests.
    pub(crate) fn has_programs(&self) -> bool {
        self.0.catalogs.iter().any(|catalog| !catalog.programs.is_empty())
    }

    /// True if files of any kind may.
    pub(crate) fn has_files(&self) -> bool {
        self.0.catalogs.iter().any(|catalog| !catalog.files.is_empty())
    }

    /// True if somebody who is trusted signed a list with a program of these digests, at a time in seconds since 1970.
    pub(crate) fn trusts_program(&self, digests: &Digests, now: i64) -> bool {
        self.lists(|catalog| catalog.programs.holds(digests), now)
    }

    /// The same of a file of any kind.
    pub(crate) fn trusts_file(&self, digests: &Digests, now: i64) -> bool {
        self.lists(|catalog| catalog.files.holds(digests), now)
    }

    fn lists(&self, holds: impl Fn(&CatalogRule) -> bool, now: i64) -> bool {
        let signed = |catalog: &CatalogRule| {
            let stamp = catalog.stamp.clone().map_or(Stamp::None, |(time, chain)| Stamp::At { time, chain });
            Signature { chain: catalog.chain.clone(), stamp }
        };
        self.0.catalogs.iter().any(|catalog| holds(catalog) && self.trust(&signed(catalog), now))
    }

    /// True if somebody is trusted.
    pub(crate) fn has_trust(&self) -> bool {
        !self.0.trusted.is_empty()
    }

    /// True if what this signature is over need not be looked at, at a time in seconds since 1970.
    pub(crate) fn trust(&self, signature: &Signature, now: i64) -> bool {
        match &signature.stamp {
            Stamp::None => self.trusts_chain(&signature.chain, Purpose::Code, now),
            Stamp::Broken => false,
            // As in ClamAV 1.4.6: who says when must be trusted, even where the certificates are valid now.
            Stamp::At { time, chain } => {
                self.trusts_chain(chain, Purpose::Time, *time)
                    && self.trusts_chain(&signature.chain, Purpose::Code, *time)
            }
        }
    }

    /// True if somebody at the end of a chain is trusted for this, and all of it was valid at a time.
    fn trusts_chain(&self, chain: &[Vec<u8>], purpose: Purpose, time: i64) -> bool {
        let chain: Option<Vec<_>> = chain.iter().map(|der| dachs_pki::Certificate::read(der)).collect();
        let Some(chain) = chain.filter(|chain| !chain.is_empty() && chain.iter().all(|one| !self.is_revoked(one)))
        else {
            return false;
        };
        for (depth, certificate) in chain.iter().enumerate() {
            let used = match purpose {
                _ if depth > 0 => certificate.uses.certificates,
                Purpose::Code => certificate.uses.code,
                Purpose::Time => certificate.uses.time,
            };
            if !used || !certificate.is_valid_at(time) {
                return false;
            }
            let rules = self.0.trusted.iter().filter(|rule| rule.is_for(purpose));
            if rules.into_iter().any(|rule| rule.is(certificate) || rule.vouches(certificate)) {
                return true;
            }
        }
        false
    }

    fn is_revoked(&self, certificate: &dachs_pki::Certificate) -> bool {
        self.0.rules.iter().any(|(_, rule)| rule.is(certificate))
    }

    /// The rule at a place.
    pub(crate) fn rule(&self, place: u32) -> Option<(u32, &CertificateRule)> {
        self.0.rules.get(usize::try_from(place).ok()?).map(|(signature, rule)| (*signature, rule))
    }

    /// The signatures that one of these certificates fulfils, in the order in which they were added.
    pub(crate) fn of<'c>(&'c self, certificates: &'c [Certificate]) -> impl Iterator<Item = u32> + 'c {
        let is_named = |rule: &CertificateRule| certificates.iter().any(|certificate| rule.names(certificate));
        self.0.rules.iter().filter(move |(_, rule)| is_named(rule)).map(|(signature, _)| *signature)
    }
}

/// What somebody is trusted for.
#[derive(Clone, Copy)]
enum Purpose {
    Code,
    Time,
}

impl TrustRule {
    /// True if it is for this. ClamAV asks for both uses of it, the signer's own as well.
    fn is_for(&self, purpose: Purpose) -> bool {
        let used = match purpose {
            Purpose::Code => self.code,
            Purpose::Time => self.time,
        };
        used && self.certificates
    }

    /// True if it is this very certificate.
    fn is(&self, certificate: &dachs_pki::Certificate) -> bool {
        self.certificate.is(certificate)
    }

    /// True if its owner signed this certificate.
    fn vouches(&self, certificate: &dachs_pki::Certificate) -> bool {
        digest(&certificate.issuer) == self.certificate.subject
            && certificate.is_signed_by(&PublicKey::usual(&self.certificate.modulus))
    }
}

fn digest(bytes: &[u8]) -> [u8; 20] {
    Sha1::digest(bytes).into()
}

impl CertificateRule {
    fn is(&self, certificate: &dachs_pki::Certificate) -> bool {
        self.names(&Certificate {
            subject: digest(&certificate.subject),
            serial: digest(&certificate.serial),
            modulus: certificate.key.modulus.clone(),
        })
    }

    fn names(&self, certificate: &Certificate) -> bool {
        self.subject == certificate.subject
            && self.serial.is_none_or(|serial| serial == certificate.serial)
            && self.modulus == certificate.modulus
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Certificates that `openssl` made: one of an authority, one that it signed, and one that the latter signed though it is of no
    /// authority.
    const ROOT: &[u8] = include_bytes!("../tests/samples/root.der");
    const SIGNER: &[u8] = include_bytes!("../tests/samples/signer.der");
    const BELOW: &[u8] = include_bytes!("../tests/samples/below.der");

    fn rule(der: &[u8]) -> CertificateRule {
        let certificate = dachs_pki::Certificate::read(der).unwrap();
        CertificateRule {
            subject: digest(&certificate.subject),
            serial: Some(digest(&certificate.serial)),
            modulus: certificate.key.modulus,
        }
    }

    fn trusting(der: &[u8], revoked: &[&[u8]]) -> Certificates {
        let trusted = vec![TrustRule { certificate: rule(der), code: true, certificates: true, time: false }];
        let rules = revoked.iter().map(|der| (0, rule(der))).collect();
        Certificates(Arc::new(Stored { rules, trusted, catalogs: Vec::new() }))
    }

    #[test]
    fn trust_follows_authorities_alone() {
        let chain = |chain: &[&[u8]]| {
            let chain = chain.iter().map(|der| der.to_vec()).collect();
            Signature { chain, stamp: Stamp::None }
        };
        let now = dachs_pki::Certificate::read(SIGNER).unwrap().from + 1;
        for (trusted, revoked, signed, expected) in [
            (ROOT, &[][..], &[SIGNER][..], true),
            (ROOT, &[], &[SIGNER, ROOT], true),
            (SIGNER, &[], &[SIGNER], true),
            (SIGNER, &[], &[BELOW], true),
            (ROOT, &[], &[BELOW, SIGNER], false),
            (ROOT, &[], &[BELOW], false),
            (BELOW, &[], &[SIGNER], false),
            (ROOT, &[SIGNER], &[SIGNER], false),
            (ROOT, &[], &[], false),
            (ROOT, &[], &[b"none"], false),
        ] {
            assert_eq!(trusting(trusted, revoked).trust(&chain(signed), now), expected, "{}", signed.len());
            assert!(!trusting(trusted, revoked).trust(&chain(signed), 0), "before it is valid");
        }
    }
}
