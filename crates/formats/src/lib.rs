//! What bytes are and what they contain.
//!
//! [`identify`] tells what an object is from magic and structure; [`unpack`] goes through what it holds. Each format has
//! a folder of its own with its specification cited.
#![forbid(unsafe_code)]

mod unpack;

pub use unpack::{Item, Member, Unpack};

use dachs_base::{Budget, FileKind, Source};
use std::sync::Arc;

/// What an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its kind.
    pub kind: FileKind,
    /// Formats that it is at the same time: a program with a ZIP archive behind it. Each is unpacked as well.
    pub also: Vec<FileKind>,
}

/// Tells what an object is. Reads a bounded number of bytes from its start and its end.
#[must_use]
pub fn identify(source: &dyn Source) -> Identity {
    let _ = source;
    Identity { kind: FileKind::Data, also: Vec::new() }
}

/// What [`unpack`] can do for an object.
pub enum Unpacking {
    /// Objects of this kind hold others, and this goes through them.
    Members(Box<dyn Unpack>),
    /// Objects of this kind hold no others.
    Nothing,
    /// Objects of this kind hold others, or content in another form, which cannot be looked into yet.
    Unsupported,
}

/// Goes through what an object of this kind holds.
#[must_use]
pub fn unpack(kind: FileKind, source: &Arc<dyn Source>, budget: &Budget) -> Unpacking {
    let _ = (kind, source, budget);
    Unpacking::Nothing
}
