//! Certificates and signed data: `pki`.

use dachs_pki::{Certificate, SignedData};

/// Reads the bytes as either, and verifies what there is.
pub fn read(data: &[u8]) {
    if let Some(certificate) = Certificate::read(data) {
        let _ = (certificate.is_signed_by(&certificate.key), certificate.is_valid_at(0));
    }
    if let Some(signed) = SignedData::read(data) {
        let content = signed.content.clone().unwrap_or_default();
        for signer in &signed.signers {
            let chain = signed.chain(signer, &signer.digest.of(&[&content]));
            assert!(chain.len() <= signed.certificates.len() + 1, "a chain is longer than there are certificates");
        }
    }
}
