//! Source texts to an image.
//!
//! Signatures come as texts in ClamAV's formats: loose files, or members of its signed containers. This crate reads them
//! line by line into the language of `dachs_sigdb::model`, and feeds a `dachs_sigdb::Builder`:
//!
//! ```text
//! paths --files--> Input --container--> members --lines--> hash | ndb | logical --> Builder --> image
//!                                                             |
//!                                                body, offset, expression, attributes
//!                            files of YARA rules --yara--> texts and rules --> Builder
//! ```
//!
//! * A malformed line ends the compilation with an error that names it; nothing is guessed.
//! * A YARA rule that does not compile is told with its line, and left out; the others load.
//! * A line that is sound but cannot be used is left out, and counted by its reason; see [`Compilation::problems`].
//! * A container whose digital signature does not verify is an error.
//!
//! The crate is linked by the trusted side alone, and [`files()`] and [`compile_paths`] are all of it that touches the file
//! system. `docs/signatures.md` tells what is read and how to write signatures.
#![forbid(unsafe_code)]

mod attributes;
mod body;
mod built_in;
mod bytecode;
mod catalog;
mod certificate;
mod compile;
mod container;
mod cursor;
mod error;
mod explain;
mod expression;
mod files;
mod hash;
mod icon;
mod ignore;
mod indicator;
mod input;
mod kind;
mod level;
mod lines;
mod link;
mod logical;
mod magic;
mod member;
mod modifiers;
mod name;
mod ndb;
mod number;
mod offset;
mod password;
mod posix;
mod refused;
mod select;
mod special;
mod switch;
mod target;
mod yara;

pub use built_in::builtin;
pub use compile::{Categories, Compilation, Options, Roots, compile, compile_into, compile_with};
pub use error::{Error, Problem};
pub use explain::explain;
pub use files::{compile_paths, files, roots};
pub use input::{Included, Input};
pub use select::Selector;
