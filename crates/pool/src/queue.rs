//! The queue of jobs: bounded, and it can be closed from either side.
//!
//! Who waits for room in it is woken when half of it is empty, not for each job that goes: small files take so little time that
//! waking somebody for each took as long as scanning them.

use crate::Job;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub(crate) struct Queue {
    longest: usize,
    state: Mutex<State>,
    /// Rung when a job comes or goes, or the queue is closed.
    came: Condvar,
    went: Condvar,
}

#[derive(Debug, Default)]
struct State {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Queue {
    pub(crate) fn new(longest: usize) -> Queue {
        Queue { longest, state: Mutex::default(), came: Condvar::new(), went: Condvar::new() }
    }

    /// Adds a job; waits while the queue is full. False if it is closed.
    pub(crate) fn push(&self, job: Job) -> bool {
        let full = |state: &mut State| !state.closed && state.jobs.len() >= self.longest;
        let mut state = self.went.wait_while(self.lock(), full).unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return false;
        }
        state.jobs.push_back(job);
        self.came.notify_one();
        true
    }

    /// The next job; waits for one. None once the queue is closed.
    pub(crate) fn pop(&self) -> Option<Job> {
        let empty = |state: &mut State| !state.closed && state.jobs.is_empty();
        let mut state = self.came.wait_while(self.lock(), empty).unwrap_or_else(PoisonError::into_inner);
        let job = state.jobs.pop_front();
        if state.jobs.len() <= self.longest / 2 {
            self.went.notify_one();
        }
        job
    }

    /// Are so few jobs left that whoever brings more should be told?
    pub(crate) fn is_low(&self) -> bool {
        self.lock().jobs.len() <= self.longest / 2
    }

    /// Drops what is queued and takes nothing more.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.jobs.clear();
        self.came.notify_all();
        self.went.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;

    fn job(tag: u64) -> Job {
        let file = dachs_sys::fd::sealed_memory("test", b"").unwrap();
        Job { tag, file, size: 0, all_matches: false, about: crate::About::default() }
    }

    #[test]
    fn every_job_comes_out_once() {
        let queue = Arc::new(Queue::new(2));
        let takers: Vec<_> = (0..3)
            .map(|_| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || std::iter::from_fn(|| queue.pop()).map(|job| job.tag).collect::<Vec<_>>())
            })
            .collect();
        (0..100).for_each(|tag| assert!(queue.push(job(tag))));
        while !queue.lock().jobs.is_empty() {
            thread::yield_now();
        }
        queue.close();
        let mut tags: Vec<u64> = takers.into_iter().flat_map(|taker| taker.join().unwrap()).collect();
        tags.sort_unstable();
        assert_eq!(tags, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn closing_frees_those_who_wait() {
        let queue = Arc::new(Queue::new(1));
        assert!(queue.push(job(1)));
        let waiting = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.push(job(2)))
        };
        queue.close();
        assert!(!waiting.join().unwrap() && !queue.push(job(3)));
        assert!(queue.pop().is_none());
    }
}
