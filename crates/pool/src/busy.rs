//! Which worker has which job, so that a job can be given up: while it waits, and while it is scanned.

use crate::control::Worker;
use dachs_sys::process;
use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The workers at work, by the tags of their jobs.
#[derive(Debug, Default)]
pub(crate) struct Busy {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// A file that several look at has several.
    workers: HashMap<u64, Vec<Arc<OwnedFd>>>,
    /// Jobs that nobody wants any more.
    given_up: HashSet<u64>,
    /// Nobody wants any job any more.
    stopped: bool,
}

/// A worker is at work as long as this lives.
#[derive(Debug)]
pub(crate) struct Working<'a> {
    busy: &'a Busy,
    tags: Vec<u64>,
    worker: Arc<OwnedFd>,
}

impl Busy {
    /// Notes that a worker has these jobs.
    pub(crate) fn enter(&self, tags: impl Iterator<Item = u64>, worker: &Worker) -> Working<'_> {
        let tags: Vec<u64> = tags.collect();
        let mut state = self.lock();
        if tags.iter().any(|tag| state.given_up.contains(tag)) {
            // It may just have ended.
            let _ = process::kill(worker.handle());
        }
        tags.iter().for_each(|tag| state.workers.entry(*tag).or_default().push(worker.shared_handle()));
        Working { busy: self, tags, worker: worker.shared_handle() }
    }

    /// Nobody wants this job any more: kills the workers that have it, if any have.
    pub(crate) fn give_up(&self, tag: u64) {
        let mut state = self.lock();
        state.given_up.insert(tag);
        for handle in state.workers.get(&tag).into_iter().flatten() {
            // It may just have ended.
            let _ = process::kill(handle.as_fd());
        }
    }

    /// True if nobody wants this job any more.
    pub(crate) fn is_given_up(&self, tag: u64) -> bool {
        let state = self.lock();
        state.stopped || state.given_up.contains(&tag)
    }

    /// Nobody wants any job any more that was not begun.
    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
    }

    /// This job was told.
    pub(crate) fn forget(&self, tag: u64) {
        self.lock().given_up.remove(&tag);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        let mut state = self.busy.lock();
        for tag in &self.tags {
            let workers = state.workers.get_mut(tag);
            let left = workers.map_or(0, |workers| {
                workers.retain(|worker| !Arc::ptr_eq(worker, &self.worker));
                workers.len()
            });
            if left == 0 {
                state.workers.remove(tag);
            }
        }
    }
}
