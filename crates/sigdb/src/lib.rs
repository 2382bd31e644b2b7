//! The compiled image: layout, checking at load, evaluation of hits to findings.
#![forbid(unsafe_code)]

mod builder;
mod digests;
mod error;
mod examine;
mod hashes;
mod image;
mod layout;
mod logic;
pub mod model;
mod names;
mod offsets;
mod rules;
mod signatures;
mod sources;
mod tally;
mod windows;

pub use builder::Builder;
pub use error::{ImageError, Refusal};
pub use image::{Examined, Image, Info, SourceCounts, View};
