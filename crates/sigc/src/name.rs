//! Names of signatures: what is taken off them when they are read, and what is added when they are loaded.

use crate::refused::{Parsed, Refused};

/// What names get whose source was not verified.
pub(crate) const UNOFFICIAL: &str = ".UNOFFICIAL";

/// A name as signatures write it, without the ` (Clam)` that some end with.
///
/// # Errors
/// When nothing is left.
pub(crate) fn bare(name: &str) -> Parsed<&str> {
    let name = name.strip_suffix(" (Clam)").unwrap_or(name);
    if name.is_empty() { Err(Refused::malformed("the name is empty")) } else { Ok(name) }
}

/// A name as reports show it when its source was not verified.
pub(crate) fn unofficial(name: &str) -> String {
    [name, UNOFFICIAL].concat()
}

/// A name as ignore lists give it, as signatures write it: without the ending of reports, and without the endings in
/// braces that bytecode may choose from.
pub(crate) fn listed(name: &str) -> &str {
    let name = name.strip_suffix(UNOFFICIAL).unwrap_or(name);
    name.find(".{").and_then(|at| name.get(..at)).unwrap_or(name)
}
