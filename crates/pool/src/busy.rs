//! Which worker has which job, so that a job can be given up while it is scanned.

use dachs_sys::process;
use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The workers at work, by the tags of their jobs.
#[derive(Debug, Default)]
pub(crate) struct Busy {
    workers: Mutex<HashMap<u64, OwnedFd>>,
}

/// A worker is at work as long as this lives.
#[derive(Debug)]
pub(crate) struct Working<'a> {
    busy: &'a Busy,
    tag: u64,
}

impl Busy {
    /// Notes that a worker has a job. Without a descriptor left, the job just cannot be given up.
    pub(crate) fn enter(&self, tag: u64, worker: BorrowedFd<'_>) -> Working<'_> {
        if let Ok(handle) = worker.try_clone_to_owned() {
            self.lock().insert(tag, handle);
        }
        Working { busy: self, tag }
    }

    /// Kills the worker that has this job, if one has.
    pub(crate) fn kill(&self, tag: u64) {
        if let Some(handle) = self.lock().get(&tag) {
            // It may just have ended.
            let _ = process::kill(handle.as_fd());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, OwnedFd>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.busy.lock().remove(&self.tag);
    }
}
