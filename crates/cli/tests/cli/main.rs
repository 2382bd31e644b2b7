//! The executable as its users see it: arguments in; lines, exit codes and messages out.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::print_stderr, reason = "tests")]

mod broken;
mod carriers;
mod catalogs;
mod clamscan;
mod clamscan_switches;
mod comparisons;
mod content;
mod differences;
mod exits;
mod files;
mod formats;
mod judgements;
mod kinds;
mod passwords;
mod profile;
mod samples;
mod schema;
mod signatures;
mod support;
mod teams;
mod trust;
mod yara;
