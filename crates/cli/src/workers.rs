//! The pool of workers as a scan sees it, and how many files it may hold.

use std::ffi::OsString;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use dachs_base::About;
use dachs_pool::{Config, Job, Pool, Workload};
use rustix::fd::OwnedFd;
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::scan::{Finished, Scanner};
use crate::walk::are_many;

/// The executable that workers are made from: this one.
pub(crate) const PROGRAM: &str = "/proc/self/exe";

/// Descriptors that are not for files with the workers: directories, sockets, standard streams.
const RESERVED: u64 = 200;
/// Descriptors that a file with the workers takes: itself, its directory, one for an action, and the worker's own.
const EACH: u64 = 4;

/// The pool as the scan sees it.
pub(crate) struct Workers(pub(crate) Pool);

impl Workers {
    /// Starts them.
    ///
    /// # Errors
    /// A sentence that says where to learn more.
    pub(crate) fn start(config: Config) -> Result<Workers, String> {
        Pool::start(config).map(Workers).map_err(|error| format!("{error}; `dachs doctor` tells more"))
    }
}

impl Scanner for Workers {
    fn submit(&mut self, tag: u64, file: OwnedFd, size: u64, about: About) -> Result<(), String> {
        self.0.submit(Job { tag, file, size, all_matches: false, about }).map_err(|error| error.to_string())
    }

    fn wait(&mut self, patience: Duration) -> Result<Option<Finished>, String> {
        match self.0.results().recv_timeout(patience) {
            Ok(done) => Ok(Some(Finished { tag: done.tag, report: done.report, elapsed: done.elapsed })),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err("the pool of workers ended unexpectedly".to_owned()),
        }
    }
}

/// What workers of a scan of these have to expect.
pub(crate) fn workload(paths: &[OsString]) -> Workload {
    if are_many(paths) { Workload::Many } else { Workload::Few }
}

/// Files that are with each worker or wait for it: a few parcels of small ones, so that no worker waits while the results of one
/// parcel are taken.
const AHEAD: usize = 64;

/// How many files may be with so many workers: never more than there are descriptors for. Asks for as many as we may have.
pub(crate) fn files_ahead(jobs: usize) -> usize {
    jobs.saturating_mul(AHEAD).min(files_at_once())
}

fn files_at_once() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // If it is refused, the old limit holds.
    let _ = setrlimit(Resource::Nofile, limit);
    let open = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(open.saturating_sub(RESERVED) / EACH).unwrap_or(usize::MAX).max(1)
}
