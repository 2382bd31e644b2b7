//! Certificates of signers that were revoked: a program that comes with one is detected.
//!
//! They are few, so they stand in one section, as `postcard` writes them. A certificate is told by its subject, its serial number
//! and its key; whether what it signed is valid does not matter.

use crate::layout::{Frame, Section, Writer};
use crate::model::CertificateRule;
use crate::{ImageError, Refusal};
use dachs_base::Certificate;
use std::sync::Arc;

/// More are refused.
const MOST: usize = 65_536;

/// Collects rules.
#[derive(Default)]
pub(crate) struct CertificateWriter {
    rules: Vec<(u32, CertificateRule)>,
}

impl CertificateWriter {
    /// Adds the rule of a signature; gives its place.
    pub(crate) fn push(&mut self, rule: &CertificateRule, signature: u32) -> Result<u32, Refusal> {
        let place = u32::try_from(self.rules.len()).ok().filter(|_| self.rules.len() < MOST);
        let place = place.ok_or(Refusal::TooMany("certificates"))?;
        self.rules.push((signature, rule.clone()));
        Ok(place)
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        if !self.rules.is_empty() {
            // Plain data is always written.
            let bytes = postcard::to_allocvec(&self.rules).unwrap_or_default();
            writer.section(Section::Certificates, 0, |out| out.extend(bytes));
        }
    }
}

/// The rules of an image.
#[derive(Clone, Debug, Default)]
pub(crate) struct Certificates {
    rules: Arc<Vec<(u32, CertificateRule)>>,
}

impl Certificates {
    pub(crate) fn new(frame: &Frame<'_>) -> Result<Certificates, ImageError> {
        let bytes = frame.bytes(Section::Certificates, 0);
        if bytes.is_empty() {
            return Ok(Certificates::default());
        }
        match postcard::take_from_bytes::<Vec<(u32, CertificateRule)>>(bytes) {
            Ok((rules, [])) if rules.len() <= MOST => Ok(Certificates { rules: Arc::new(rules) }),
            _ => Err(ImageError::Section { section: Section::Certificates.name(), reason: "they cannot be read" }),
        }
    }

    /// True if there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rule at a place.
    pub(crate) fn rule(&self, place: u32) -> Option<(u32, &CertificateRule)> {
        self.rules.get(usize::try_from(place).ok()?).map(|(signature, rule)| (*signature, rule))
    }

    /// The signatures that one of these certificates fulfils, in the order in which they were added.
    pub(crate) fn of<'c>(&'c self, certificates: &'c [Certificate]) -> impl Iterator<Item = u32> + 'c {
        let is_named = |rule: &CertificateRule| certificates.iter().any(|certificate| rule.names(certificate));
        self.rules.iter().filter(move |(_, rule)| is_named(rule)).map(|(signature, _)| *signature)
    }
}

impl CertificateRule {
    fn names(&self, certificate: &Certificate) -> bool {
        self.subject == certificate.subject
            && self.serial.is_none_or(|serial| serial == certificate.serial)
            && self.modulus == certificate.modulus
    }
}
