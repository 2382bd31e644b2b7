//! Certificates and signatures: what is signed, by whom, and whether that is true.
//!
//! Two parts of Dachs must believe a signature, or not: the one that reads signed databases, and the one that asks who signed a
//! program. Both get here what they need, and no more:
//!
//! ```text
//! bytes --der--> SignedData (PKCS #7) --Signer::signs--> the certificate that made it
//!                Certificate (X.509)  --is_signed_by---> the key of the next one          RSA with PKCS #1 v1.5 padding
//! ```
//!
//! Whom to trust is not decided here: [`SignedData::chain`] leads from a signer upwards as far as certificates
//! are there and their signatures hold, and whoever asks compares the end with what it trusts. Everything is read from
//! bytes that an attacker may have written: nothing is recursive, and keys have a longest size.
//!
//! Not done: other keys than RSA, other padding than PKCS #1 v1.5, lists of revoked certificates, time stamps of RFC 3161, names that
//! are equal and written differently.
#![forbid(unsafe_code)]

mod certificate;
pub mod der;
mod digest;
mod rsa;
mod signed;

pub use certificate::{Certificate, Uses};
pub use digest::{Digest, Pieces};
pub use rsa::PublicKey;
pub use signed::{SignedData, Signer, Stamp};
