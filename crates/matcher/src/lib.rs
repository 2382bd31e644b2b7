//! Many byte patterns in one pass.
//!
//! Depends on nothing else of ours, so that it can be measured, fuzzed and published alone.
pub mod pattern;
