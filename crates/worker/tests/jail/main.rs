//! The jail under attack: real pool, real zygote, real workers, with an engine that misbehaves as the file tells it to.
//!
//! The executable of this test is also the worker: started as `worker` it enters the jail and serves. So that a worker
//! can be had with one layer or one rule missing, it is started through links whose names say which.
//!
//! `cargo test -p dachs-worker --test jail -- --ignored` measures the costs as well.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test"
)]

mod attack;
mod bench;
mod cost;
mod ends;
mod engine;
mod rules;
mod sources;
mod teams;
mod yara;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: dachs_sys::alloc::Bounded = dachs_sys::alloc::Bounded;

/// A test, and whether it only runs when asked for.
pub(crate) type Test = (&'static str, fn(), bool);

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("worker") {
        return dachs_worker::main_with(engine::scan, bench::plan);
    }
    let all =
        [attack::TESTS, cost::TESTS, ends::TESTS, rules::TESTS, sources::TESTS, teams::TESTS, yara::TESTS].concat();
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let flag = |name: &str| std::env::args().any(|argument| argument == name);
    for (name, test, ignored) in all {
        let asked = wanted.as_ref().is_none_or(|wanted| name.contains(wanted.as_str()));
        if flag("--list") {
            println!("{name}: test");
        } else if asked && ignored == flag("--ignored") {
            println!("test {name} ...");
            test();
        }
    }
    ExitCode::SUCCESS
}
