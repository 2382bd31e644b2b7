//! What the fuzz targets do; [`targets`] lists them.
//!
//! A function here takes any bytes, goes through one door of Dachs with them, and panics if a promise is broken. The
//! same functions are driven in two ways:
//!
//! * by `guided`: libFuzzer, which follows the code that inputs reach: `fuzz/run TARGET SECONDS`;
//! * by `smoke`, a small deterministic mutator that needs nothing but a stable compiler: `fuzz/run --smoke`.
//!
//! | module | door | promise besides "no panic" |
//! |---|---|---|
//! | [`images`] | an image of signatures | evaluation ends, indices stay inside |
//! | [`matching`] | a set of patterns | the matcher agrees with the naive search |
//! | [`messages`] | a message between processes | decoded, encoded and decoded is the same |
//! | [`services`] | what clients and servers send over sockets | however it is split, the same is understood |
//! | [`signatures`] | certificates and signed data | a chain is no longer than there are certificates |
//! | [`texts`] | signature texts and containers | what is taken makes a good image |
//! | [`unpacking`] | files and archives | members are finite, and read the same twice |
#![forbid(unsafe_code)]

pub mod facts;
pub mod images;
pub mod matching;
pub mod messages;
pub mod rules;
pub mod services;
pub mod signatures;
pub mod targets;
pub mod texts;
pub mod unpacking;

pub use dachs_base::FileKind;
