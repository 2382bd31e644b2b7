//! The compiled image: layout, checking at load, evaluation of hits to findings.
#![forbid(unsafe_code)]

mod builder;
mod error;
mod image;
pub mod model;

pub use builder::Builder;
pub use error::{ImageError, Refusal};
pub use image::{Examined, Image, Info, SourceCounts, View};
