//! The system calls Dachs needs, wrapped.
//!
//! The only crate besides `matcher` with `unsafe` in it. It knows nothing of scanning: descriptors, packets, maps,
//! processes, memory, and the jail.
//!
//! * [`fd`]: positioned reads, holes, sealed memory files
//! * [`socket`]: packets with descriptors
//! * [`map`]: read-only views of files
//! * [`process`]: descriptors of processes, the end of one
//! * [`service`]: passed descriptors, another user, a client's groups
//! * [`alloc`]: an allocator with a limit
//! * [`jail`]: the layers between a parser and the machine
#![allow(unsafe_code, reason = "this crate is where system calls are wrapped; every block says why it holds")]
#![cfg(target_os = "linux")]

pub mod alloc;
mod arena;
#[cfg(feature = "attack")]
pub mod attack;
mod code;
pub mod fd;
pub mod jail;
mod large;
pub mod map;
pub mod process;
mod runs;
pub mod service;
pub mod socket;
