//! A signature, decoded for a person.

use dachs_sigdb::Image;

/// The signature decoded for a person; empty if there is no such signature.
#[must_use]
pub fn explain(image: &Image<'_>, signature: u32) -> String {
    image.name(signature).unwrap_or("").to_owned()
}
