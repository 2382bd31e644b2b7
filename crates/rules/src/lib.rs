//! YARA rules: read, compiled, evaluated.
//!
//! ```text
//! trusted side   files ── split ──> items ── read, Compile::add ──> good texts, faults      (sigc)
//!                                              └─> image: texts, names, details            (sigdb)
//! zygote         texts of the image ── compile ──> RuleSet, then the jail closes           (worker)
//! worker         object ── RuleSet::run ──> Found: numbers, never names                    (engine)
//! trusted side   numbers ── image ──> names, tags, metadata, names of strings              (cli)
//! ```
//!
//! # Where rules are compiled
//!
//! An image carries rules as text, each one known to compile, and the zygote compiles them before its jail closes and
//! before any content is near. Workers are forked from it and share the compiled rules as the kernel shares pages. So
//! rules are compiled once for all workers, nothing is compiled on the content's side, and nothing is mapped that somebody
//! else compiled: both engines that were looked at say of their compiled form that it must not be loaded unless it is
//! trusted, and one of them holds machine code. A cache of it would need a signature of its own to be safe, and saves
//! less than a second.
//!
//! # Names and numbers
//!
//! Each rule that is told of is a signature of the image, with a number. A worker's report holds the number, and for each
//! matched string its index, offset, length and first bytes. Names, tags and metadata never leave the trusted side. Rules
//! of one file see each other, its includes, and nothing else (a namespace a source).
//!
//! # What is charged
//!
//! * Bytes: rules need all of an object in memory. The engine reserves that from the budget; an object for which there is
//!   no memory is told as a gap, and larger limits let it in.
//! * Time: what is left of the file's deadline goes to the engine, which looks at the clock itself and gives what it found
//!   until then.
//! * Matches: [`MATCHES`] of one string in one object count.
//!
//! Evaluation makes no system call but those for memory, starts no thread, and needs no executable memory.
//!
//! # Which engine
//!
//! `boreal` and YARA-X were measured against each other and against YARA 4.2.3: the same hits, and the same speed. boreal
//! builds in a tenth of the time, is a fifth of the size, asks for a fifth of the crates, and compiles to no machine code,
//! so that it stands here. YARA-X stands behind the same traits, [`Compile`] and [`Evaluate`], as the feature `yara-x` of
//! `conformance`, keeps the same contract (`tests/contract`), and is asked by `cargo conformance-yara-x` about the same files. It
//! is no feature of this crate, because its 250 crates would stand in the lock file of everybody for the sake of a test.
//!
//! # What it does not do
//!
//! It opens no file: who resolves an `include` is the caller. Modules that need a report of a sandbox or a C library
//! (`cuckoo`, `magic`) are not there; rules that import them are faults.
#![forbid(unsafe_code)]

mod alone;
mod boreal;
mod evaluate;
mod fault;
mod gate;
mod guard;
mod read;
mod set;
mod split;
#[cfg(test)]
mod tests;
mod weight;

pub use alone::{Alone, AloneSet, Wanted, alone};
pub use boreal::{BorealCompiler, MATCHES};
pub use evaluate::{Compile, Evaluate, Externals, Hit, Object, StringMatch};
pub use fault::Fault;
pub use gate::Gate;
pub use read::{Reading, STRONG, Value, read};
pub use set::{Found, Known, KnownRules, RuleSet, Text, compile};
pub use split::{Item, ItemKind, split};
