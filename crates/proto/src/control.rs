//! Between the pool and the zygote.

use crate::codec::codec;
use serde::{Deserialize, Serialize};

/// What the zygote must know before it closes its jail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// Memory that content may make a worker use, in bytes (`Limits::memory`).
    pub memory: u64,
    /// What is to come.
    pub workload: Workload,
}

/// What a zygote is to expect: what makes each worker cost less takes time at the start, and memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Workload {
    /// A few files: the start must be short.
    Few,
    /// Many files, and then the end: each archive or document costs less, for some milliseconds of a processor at the start and some megabytes.
    Many,
    /// Files for as long as the machine runs: as for many, but what is taken at rest counts, and the image stays shared with all who map it.
    Service,
}

/// What the zygote is asked to do. Workers are numbered by the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Fork a worker; its socket comes with the message.
    Fork {
        /// Its number.
        worker: u64,
        /// It is for one file alone, of this size in bytes. Such workers are many, and what they would each make is made before.
        alone: Option<u64>,
        /// A worker that was killed after its work; nobody asks how it ended.
        done: Option<u64>,
    },
    /// Wait until this worker, which is dead or was killed, has ended, and tell how.
    Wait {
        /// Its number.
        worker: u64,
    },
}

/// What the zygote answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The worker has ended.
    Ended(End),
    /// The worker was forked; a pidfd comes with the message.
    Forked,
    /// The worker could not be forked: the kernel's error number.
    NotForked(i32),
    /// The jail is closed, and this is what it is made of.
    Ready(JailReport),
    /// The zygote will not scan, for this reason.
    Refused(String),
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// By itself, with this code; see [`exit`].
    Exited(i32),
    /// By this signal.
    Killed(i32),
    /// Nobody knows: the zygote is gone, or never had such a worker.
    Unknown,
}

/// Codes that a worker exits with.
pub mod exit {
    /// The socket was closed, or the one file was scanned.
    pub const DONE: i32 = 0;
    /// A layer of the jail that must be there could not be entered.
    pub const JAIL: i32 = 101;
    /// A request could not be read, or a reply not be written.
    pub const TALK: i32 = 102;
    /// The limit for memory was reached.
    pub const MEMORY: i32 = 103;
    /// The scanner has a mistake: it panicked.
    pub const PANIC: i32 = 104;
}

/// The layers of the jail that the workers of a pool live in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JailReport {
    /// In the order in which they were entered.
    pub layers: Vec<LayerReport>,
}

/// One layer of the jail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerReport {
    /// Its name: `seccomp`, `landlock`, `network`, …
    pub layer: String,
    /// True if workers are inside it.
    pub on: bool,
    /// How far it goes, or why it is off.
    pub detail: String,
}

codec!(Answer);
codec!(Order);
codec!(Setup);
