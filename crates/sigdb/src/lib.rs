//! The compiled image: layout, checking at load, evaluation of hits to findings.
//!
//! Content is compiled once, by [`Builder`], into bytes that every worker maps read-only and uses as they are: [`Image`]
//! copies nothing and builds nothing. An image with 8.7 million signatures is ready as fast as one with ten.
//!
//! ```text
//! Builder::add_…  ──finish──> image ──Image::new──> examine(object) -> findings
//!                                                   name, info, decode, find          for people
//! ```
//!
//! What signatures are is said by [`model`]; what a pattern is and how it is found, by `dachs_matcher`; this crate decides
//! what hits mean. It parses no text and opens no file.
//!
//! # The file
//!
//! All numbers are little-endian. All places are offsets from the start of the file or indexes into its tables, so an
//! image can be mapped anywhere. The same calls to the builder give the same bytes.
//!
//! ```text
//!   0  +--------------------------+
//!      | header, 64 bytes         |
//!  64  +--------------------------+   each section starts at a multiple of 64;
//!      | sections                 |   fewer than 64 zeros between two of them, and behind the last
//!      | ...                      |
//!      +--------------------------+
//!      | table of sections        |   64 bytes for each, sorted by kind and item, to the end of the file
//!      +--------------------------+
//!
//! header      0  magic "DACHSIMG"           16  length of the file, u64
//!             8  version, u32: 13           24  offset of the table of sections, u64
//!            12  sections, u32              32  SHA-256 of bytes 0..32 and the table of sections
//!
//! entry       0  kind, u16                   8  offset, u64                24  zero, u64
//!             2  item, u16                  16  length in bytes, u64       32  SHA-256 of the section
//!             4  bytes of a record, u32
//! ```
//!
//! The header's checksum covers the sections' checksums, so it stands for all of the content ([`Info::content`]). A section
//! without records is left out. The item is the number of a table of digests or of a target; else 0.
//!
//! | kind | section | record | item | described in |
//! |---|---|---|---|---|
//! | 1 | sources | 40 | | `sources` |
//! | 2 | skip reasons | 16 | | `sources` |
//! | 3 | texts of both, UTF-8 | 1 | | `sources` |
//! | 4 | index of names | 8 | | `names` |
//! | 5 | names | 1 | | `names` |
//! | 6 | signatures | 12 | | `signatures` |
//! | 7 | index of families of names | 8 | | `names` |
//! | 8 | families of names | 1 | | `names` |
//! | 9 | entries of sources | 20 | | `sources` |
//! | 16 | directories of digests | 4 | table | `hashes` |
//! | 17 | sizes of digests | 12 | table | `hashes` |
//! | 18 | digests | 1 | table | `hashes` |
//! | 19 | signatures of digests | 4 | table | `hashes` |
//! | 20 | first bytes of digests | 2 | table | `hashes` |
//! | 32 | patterns | 1 | target | `dachs_matcher` |
//! | 33 | index of uses | 4 | target | `rules` |
//! | 34 | uses of patterns | 4 | target | `rules` |
//! | 35 | subsignatures | 12 | target | `rules` |
//! | 36 | lists of patterns | 4 | target | `rules` |
//! | 37 | offsets | 24 | target | `offsets` |
//! | 38 | rules | 20 | target | `rules` |
//! | 39 | conditions and expressions | 1 | target | `logic` |
//! | 40 | rules without a hit | 4 | target | `rules` |
//! | 41 | special subsignatures | 1 | target | `rules` |
//! | 42 | patterns with one place | 16 | target | `placed` |
//! | 48 | rules about members | 1 | | `members` |
//! | 49 | settings | 1 | | `settings` |
//! | 50 | lists of links | 1 | | `links` |
//! | 56 | texts of YARA rules | 1 | | `yara` |
//! | 57 | index of details of YARA rules | 4 | | `yara` |
//! | 58 | details of YARA rules | 1 | | `yara` |
//!
//! # Who is believed
//!
//! [`Image::new`] believes nothing that it can check at once: magic, version, length, the header's checksum, that sections
//! lie inside, that their records are whole and that tables of one kind are of one length. It does not read the tables.
//! [`Image::verify`] reads them: every checksum, every order, every index.
//!
//! Evaluation does not rely on either. Each access is checked where it is made, an index that points nowhere finds
//! nothing, searches halve a range or walk it once, and the stack of an expression is as long as its bytes. So an image
//! whose checksums are right and whose content is hostile can hide signatures or name wrong ones, but it cannot make a
//! worker panic, hang or grow. The tests change images at random, with their checksums repaired, to show it.
//!
//! # Figures
//!
//! Measured with `cargo run --release -p dachs-sigdb --example measure -- N`, on two shared cores, with a load of ten:
//!
//! | N random MD5 signatures with sizes | 8,700,000 |
//! |---|---|
//! | bytes of the image, each with a name of 27 | 267,276,608 |
//! | CPU time to add them, to finish and to verify | 2.9 s |
//! | most memory, the image included | 604 MB (the image is in memory here; [`Builder::write`] does not keep it) |
//! | [`Image::new`] | 12 µs |
//! | [`Image::verify`] | 1.0 s |
//! | to find that no signature has an object's size, cold | 1.6 µs |
//!
//! An MD5 signature takes 31 bytes with its name: 16 for the digest, 4 for its number, 3 for the name, and 8 for its share of
//! sizes and directory (random sizes hardly repeat; those of real signatures do). A logical signature of known content
//! takes 700 bytes and more, most of them in the matcher's set.
//!
//! What was tried and lost: a list with a record of 8 bytes for each signature (source, kind, place), of which all but a few
//! thousand said the same as the one before; names as they are, which were half of an image; a checksum over all
//! sections at each start, which took longer than anything else that a short scan does.
//!
//! # Left out
//!
//! Names are not hashed: they lie apart and are never read in a scan; [`Image::find`] walks through all of them. The place
//! of a digest's signature in its table is not kept either (4 bytes each): it is only asked by who explains a signature. There is no bitmap in front of the sizes: it would cost a page for a
//! look-up, and the directory and the sizes cost two.
#![forbid(unsafe_code)]

mod builder;
mod certificates;
mod compare;
mod digests;
mod error;
mod examine;
mod hashes;
mod heralds;
mod icons;
mod image;
mod layout;
mod leads;
mod links;
mod logic;
mod members;
pub mod model;
mod names;
mod offsets;
mod placed;
mod recount;
mod regex;
mod rules;
mod scopes;
mod settings;
mod signatures;
mod sources;
mod tally;
mod windows;
mod yara;

pub use builder::Builder;
pub use dachs_matcher::md5::digest_all;
pub use error::{ImageError, Refusal};
pub use image::{Entries, Examined, Image, Info, SourceCounts, View};
pub use links::LinkOptions;
pub use members::Described;
#[doc(hidden)]
pub use regex::screens_pass_matches;
