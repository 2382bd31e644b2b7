//! The service as its clients see it: `dachsd` started for each test, on sockets in a folder of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on fails"
)]

mod clamd;
mod clients;
mod house;
mod http;
mod keys;
mod linked;
mod load;
mod mail;
mod starter;
