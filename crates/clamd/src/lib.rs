//! The protocol of ClamAV's clamd, both sides of it, and its configuration file, as codecs without I/O.
//!
//! * [`Server`]: bytes from a client become [`Asked`] commands and pieces of streams
//! * [`reply`]: what a server answers, line by line
//! * [`client`]: commands and chunks to send, and the replies that come back
//! * [`conf`]: clamd.conf, every key of it honoured or refused by name
//!
//! The behaviour is that of clamd 1.4.6 as documented in clamd(8) and clamd.conf(5) and as watched from outside; what is
//! meant to differ stands in docs/service.md. All of it reads what strangers wrote: memory is bounded by the constants
//! here, and no bytes make it panic.
#![forbid(unsafe_code)]

pub mod client;
mod command;
pub mod conf;
pub mod reply;
mod server;

pub use command::{Command, Framing, Mode};
pub use server::{Asked, Fault, Server, Step};
