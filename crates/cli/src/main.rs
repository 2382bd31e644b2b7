//! dachs: the command line.
#![forbid(unsafe_code)]
#![allow(dead_code, reason = "under construction")]
mod escape;
mod exit;
mod interrupt;
mod quantity;
mod spool;
mod walk;

fn main() {}
