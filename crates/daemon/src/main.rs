//! The executable `dachsd`, also by the name `clamd`: the scanner as a service.
//!
//! ```text
//! clamd's clients ──> door ──> clamd::Conversation ─┐                     ┌─> pool ──> jailed workers (dachs worker)
//! HTTP ─────────────> door ──> http ───────────┴─> scans::Desk ──────┘   one pool a generation of content
//!                                paths: rights, tree     streams: spool      reports: service (log, metrics, events)
//! keeper (main thread): signals, reload, watchdog, the end
//! ```
//!
//! This process parses no content and no database: it links neither, and starts the executable `dachs` for both. It needs no
//! capability; started by root it becomes another user once its sockets are bound. What hurts users of clamd is what shapes
//! it: scans go on during a reload and memory does not double; a full queue, a slow client or a full disk is an answer, not
//! a crash; nothing unread is called clean; nobody stops it or reads others' files through it.
#![forbid(unsafe_code)]

mod about;
mod arguments;
mod clamd;
mod content;
mod door;
mod event;
mod fair;
mod http;
mod inflow;
mod keeper;
mod listen;
mod log;
mod metrics;
mod notify;
mod peer;
mod rights;
mod scans;
mod service;
mod settings;
mod spool;
mod start;
mod tree;
mod users;
mod wake;

use std::process::ExitCode;

fn main() -> ExitCode {
    dachs_sys::service::few_arenas();
    // Before anything is opened: what was passed is found by its numbers.
    let passed = listen::passed();
    match arguments::parse(std::env::args_os().skip(1)) {
        arguments::Asked::Run { conf } => start::run(&conf, passed),
        arguments::Asked::Check { conf } => start::check(&conf),
        arguments::Asked::Say(text) => {
            start::say(&text);
            ExitCode::SUCCESS
        }
        arguments::Asked::Wrong(reason) => start::fail(&reason),
    }
}
