//! The layers between a parser and the machine.

mod probe;

pub use probe::{Probe, State, probe};
