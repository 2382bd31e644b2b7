//! The messages between the pool, the zygote and the workers, as codecs without I/O.
//!
//! ```text
//! pool --Setup-->   zygote     once: how much memory a worker may use, and whether many files will come
//! pool <--Answer--  zygote     Ready with the layers of its jail, or Refused
//! pool --Order-->   zygote     fork a worker (its socket comes with the message), wait for a worker's end
//! pool <--Answer--  zygote     Forked (a pidfd comes with it), Ended
//! pool --Request--> worker     scan the files whose descriptors come with the message
//! pool <--Reply--   worker     for each the report, or the wish that it be scanned in a process of its own; of a worker in a team
//!                              also claims, each of which is answered, and pieces
//! pool --Answered-> worker     the answer to a claim
//! ```
//!
//! Every message fits in one packet of at most [`LONGEST`] bytes (`postcard`). Whoever reads a [`Reply`] reads what a
//! taken-over process may have written: decoding any bytes gives an error or a message within bounds, never a panic, and
//! [`Reply::decode`] also checks and cleans what the types cannot say. It does not check the numbers of signatures: who
//! looks them up in the image does.
#![forbid(unsafe_code)]

mod codec;
mod control;
mod reply;
mod request;
mod team;

pub use codec::{LONGEST, ProtoError};
pub use control::{Answer, End, JailReport, LayerReport, Order, Setup, Workload, exit};
pub use reply::{Body, FileReply, Reply};
pub use request::{File, Request};
pub use team::{Answered, Place};
