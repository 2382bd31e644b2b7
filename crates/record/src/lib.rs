//! What is said about one file, whoever says it: the command line or a service.
//!
//! A worker's report names signatures by number. A [`Record`] is that report with names and a path; [`json`] writes it
//! as one object, [`escape`] makes bytes that others chose fit to be shown, and [`clamav`] has the words that ClamAV's
//! programs use. Nothing here decides or acts.
#![forbid(unsafe_code)]

pub mod clamav;
pub mod escape;
mod fate;
mod image;
pub mod json;
pub mod record;
pub mod rule;

pub use fate::{Acted, Skip};
pub use image::ImageNames;
pub use record::{Names, Naming, Outcome, Record};
