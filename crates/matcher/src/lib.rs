//! Many byte patterns in one pass.
//!
//! Depends on nothing else of ours, so that it can be measured, fuzzed and published alone.
#![deny(unsafe_code)]

mod build;
mod code;
mod confirm;
mod filter;
mod layout;
mod marks;
pub mod naive;
pub mod pattern;
mod progress;
mod rarity;
mod scan;
mod set;
mod split;

pub use build::{Builder, Refusal};
pub use scan::{Flow, Hit, State, Statistics, Window};
pub use set::{Malformed, Patterns};
