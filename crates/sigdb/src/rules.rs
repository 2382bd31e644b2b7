//! Body and logical signatures: the sets of patterns, one for each target, and what their hits mean.
//!
//! ```text
//! hit of pattern p ──use index──> uses[i .. j]: subsignatures that want p
//!                                   └─> subsignature: rule, offset, patterns      counted per object
//!                                         └─> rule: signature, its subsignatures, its logic
//! ```
//!
//! A pattern that several signatures share stands in the matcher once. A rule is looked at after the last window only if
//! one of its subsignatures was hit, or if it could be fulfilled without any match (`0=0`); those few stand in a list.
//!
//! Records, little-endian, all numbers counted within the target's own tables:
//!
//! ```text
//! use index       first use u32                                   one more than there are patterns
//! use             subsignature u30, then 2 bits: the pattern is a herald of it; the pattern has several parts
//! subsignature    rule u32 | pattern u32 | count u5, 3 bits | offset u23, 1 bit: it has heralds
//!                 count 1: that pattern; else a start in the lists
//!                 bits: a pattern has several parts; all starts matter; one match tells as much as many
//! pattern list    pattern u32
//! rule            signature u32 | first subsignature u32 | subsignatures u32 (0 never) | logic start u32 | logic length u32
//! always          rule u32, sorted
//! special         1 u8 | lengths u32 of trigger, flags, text, needles | trigger | flags | text | needles    regex
//!                 2 u8 | length u32 | see `compare`                                                           comparison
//!                 3 u8 | group u8 | min u64 | max u64                                                         macro
//!                 4 u8 | hash u64                                                                             picture
//! ```
//!
//! A subsignature of no pattern (count 0) is special, and its pattern a start in their section.
//!
//! A body signature is a rule of one subsignature without logic. Members of groups are such rules too, but they say
//! nothing by themselves: macros ask where they were found.

mod read;
mod write;

pub(crate) use read::{Expression, RuleRecord, RuleSet, Special, Sub, Use};
pub(crate) use write::RuleWriter;

/// The bit of a use that says that the pattern has several parts.
const SEVERAL_PARTS: u32 = 1 << 31;
/// The bit of a use that says that the pattern is a herald of the subsignature, see [`crate::heralds`].
const HERALD: u32 = 1 << 30;
/// The bit of a subsignature that says that each of its patterns has a herald.
const HERALDED: u32 = 1 << 31;
/// The bit of a subsignature that says that one match tells as much as many.
const ONE_MATCH: u32 = 1 << 7;
/// The bit of a subsignature that says that a macro asks where all of its matches start.
const ALL_STARTS: u32 = 1 << 6;
/// The bit of a subsignature that says that one of its patterns has several parts.
const PARTED: u32 = 1 << 5;
/// Subsignatures have at most so many patterns.
const MOST_PATTERNS: usize = 31;
/// The kinds of special subsignatures.
const REGEX: u8 = 1;
const COMPARE: u8 = 2;
const MACRO: u8 = 3;
const PICTURE: u8 = 4;
/// Rules have at most so many subsignatures: an expression keeps a bit for each.
const MOST_SUBSIGNATURES: usize = 64;
