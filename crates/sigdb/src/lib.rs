//! The compiled image: layout, checking at load, evaluation of hits to findings.
#![forbid(unsafe_code)]
pub mod model;
