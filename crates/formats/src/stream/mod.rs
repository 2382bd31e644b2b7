//! Compressed streams as [`Source`]s, and sources as streams.
//!
//! Everything that holds bytes is read at offsets. A decoder gives bytes front to back only, so [`Replay`] stands between:
//! it keeps what was decoded as long as memory allows, and decodes again from the start when somebody reads behind that.
//! [`SourceRead`] is the way in: it lets a decoder read a source like a file. [`Fenced`] holds the memory that a decoder
//! was allowed to use. `Block` lets the members of a solid archive share one decoder.
//!
//! ```text
//! Arc<dyn Source> --SourceRead--> decoder --Replay--> Arc<dyn Source>
//! ```
//!
//! How a decoder says what went wrong: any error ends the stream, and the bytes before it count. Its kind decides what
//! is reported, see [`Replay`]; [`remark`] makes the error of a stream that was read to its end and is only odd.
//!
//! [`Source`]: dachs_base::Source

pub(crate) mod block;
mod careful;
pub(crate) mod coded;
mod cursor;
mod fenced;
pub(crate) mod frames;
mod replay;
mod source_read;

pub(crate) use careful::Careful;
pub use fenced::Fenced;
pub(crate) use replay::is_remark;
pub use replay::{Opener, Replay, remark};
pub use source_read::SourceRead;
