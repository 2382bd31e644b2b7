//! HTTP/1.1 as a server sees it (RFC 9110, RFC 9112), as codecs without I/O.
//!
//! * [`Head`]: request line and headers, from bytes
//! * [`Body`]: the bytes after it, by length or in chunks
//! * [`Multipart`]: files in a form (RFC 7578)
//! * [`Response`] and [`problem`]: what is answered; errors as RFC 9457
//!
//! Small on purpose: one request after the other, no upgrades, no trailers, no compression. Whatever is ambiguous is refused
//! (two lengths, a length and chunks, folded headers, blanks in names), because two readers that understand a request
//! differently are how requests are smuggled. Memory is bounded by the constants here, and no bytes make it panic.
#![forbid(unsafe_code)]

mod body;
mod head;
mod multipart;
mod response;

pub use body::{Body, Decoded};
pub use head::{Head, LONGEST_HEAD, Refusal};
pub use multipart::{Multipart, Part};
pub use response::{Response, problem, reason};
