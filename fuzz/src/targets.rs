//! The targets by name, for the runner that needs no libFuzzer.

use crate::{FileKind, images, matching, unpacking};

/// A target: its name, and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target, as in fuzz/Cargo.toml.
pub const ALL: &[Target] = &[
    ("ar", |data| unpacking::as_kind(FileKind::Ar, data)),
    ("bzip2", |data| unpacking::as_kind(FileKind::Bzip2, data)),
    ("identify_unpack", unpacking::everything),
    ("matcher_oracle", matching::against_the_oracle),
    ("matcher_set", matching::hostile_set),
    ("sigdb_image", images::hostile),
];
