//! Many byte patterns in one pass.
//!
//! Depends on nothing else of ours, so that it can be measured, fuzzed and published alone.
//!
//! This first version says what is to be found and finds it slowly, with the oracle.
#![forbid(unsafe_code)]

mod build;
mod code;
mod marks;
pub mod naive;
pub mod pattern;
mod set;

pub use build::{Builder, Refusal};
pub use set::{Flow, Hit, Malformed, Patterns, State, Window};
