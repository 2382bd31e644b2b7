//! The queue of jobs: bounded, and it can be closed from either side.
//!
//! Small files that wait one behind another leave it together, as a *parcel*. Who waits for room in it is woken when half of it is
//! empty, not for each job that goes: small files take so little time that waking somebody for each took as long as scanning them.
//!
//! Who finds no job is given a file that others are at already, if there is one that several may look at: see `joint`.

use crate::Job;
use crate::joint::Joint;
use dachs_base::About;
use dachs_proto::Request;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A larger file is no part of a parcel of several, in bytes.
const SMALL: u64 = 1 << 18;
/// The files of a parcel of several hold no more bytes together.
const PARCEL: u64 = 1 << 19;

#[derive(Debug)]
pub(crate) struct Queue {
    /// How many take from it.
    takers: usize,
    longest: usize,
    state: Mutex<State>,
    /// Rung when a job comes or goes, or the queue is closed.
    came: Condvar,
    went: Condvar,
}

#[derive(Debug, Default)]
struct State {
    jobs: VecDeque<Job>,
    /// Files under way that helpers are welcome at, oldest first.
    joints: Vec<Arc<Joint>>,
    closed: bool,
    /// How many wait for jobs, and for room. To ring for nobody would be a system call all the same.
    takers: usize,
    givers: usize,
}

/// What somebody who has nothing to do is given.
#[derive(Debug)]
pub(crate) enum Work {
    /// Files to scan.
    Parcel(Vec<Job>),
    /// A file to help with, and to [leave](Joint::leave).
    Help(Arc<Joint>),
}

impl State {
    /// A file that wants a helper, which is promised to it.
    fn help(&mut self) -> Option<Arc<Joint>> {
        self.joints.retain(|joint| joint.is_open());
        self.joints.iter().find(|joint| joint.join()).map(Arc::clone)
    }
}

impl Queue {
    /// A queue for so many who take from it, and for so many jobs.
    pub(crate) fn new(takers: usize, longest: usize) -> Queue {
        Queue { takers: takers.max(1), longest, state: Mutex::default(), came: Condvar::new(), went: Condvar::new() }
    }

    /// Adds a job; waits while the queue is full. False if it is closed.
    pub(crate) fn push(&self, job: Job) -> bool {
        let full = |state: &mut State| !state.closed && state.jobs.len() >= self.longest;
        let mut state = self.lock();
        state.givers += 1;
        state = self.went.wait_while(state, full).unwrap_or_else(PoisonError::into_inner);
        state.givers -= 1;
        if state.closed {
            return false;
        }
        state.jobs.push_back(job);
        if state.takers > 0 {
            self.came.notify_one();
        }
        true
    }

    /// The next job, and those behind it that go with it, or, if there is none, a file to help with; waits for one. None once the
    /// queue is closed. Each taker leaves the others their share of what waits.
    pub(crate) fn pop(&self) -> Option<Work> {
        let mut state = self.lock();
        while state.jobs.is_empty() && !state.closed {
            if let Some(joint) = state.help() {
                return Some(Work::Help(joint));
            }
            state.takers += 1;
            state = self.came.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.takers -= 1;
        }
        let share = state.jobs.len().div_ceil(self.takers);
        let count = parcel(state.jobs.iter().take(share));
        let jobs = state.jobs.drain(..count).collect();
        if state.givers > 0 && state.jobs.len() <= self.longest / 2 {
            self.went.notify_one();
        }
        (count > 0).then_some(Work::Parcel(jobs))
    }

    /// Tells those who have nothing to do of a file that they can help with.
    pub(crate) fn offer(&self, joint: &Arc<Joint>) {
        let mut state = self.lock();
        state.joints.push(Arc::clone(joint));
        if state.takers > 0 {
            self.came.notify_all();
        }
    }

    /// The file is done.
    pub(crate) fn withdraw(&self, joint: &Arc<Joint>) {
        self.lock().joints.retain(|other| !Arc::ptr_eq(other, joint));
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

/// How many of these, from the first on, go together.
fn parcel<'a>(jobs: impl Iterator<Item = &'a Job>) -> usize {
    let mut jobs = jobs.take(Request::FILES).peekable();
    let Some(first) = jobs.peek().copied() else { return 0 };
    let (mut bytes, mut said) = (0_u64, 0_usize);
    let together = |job: &&Job| {
        bytes = bytes.saturating_add(job.size);
        said = said.saturating_add(job.about.path.len()).saturating_add(job.about.owner.len());
        job.size <= SMALL && bytes <= PARCEL && said <= About::LONGEST_PATH && job.all_matches == first.all_matches
    };
    jobs.take_while(together).count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;
    use std::time::Duration;

    /// The jobs of a parcel.
    fn jobs(work: Work) -> Vec<Job> {
        match work {
            Work::Parcel(jobs) => jobs,
            Work::Help(joint) => panic!("help with {joint:?}"),
        }
    }

    fn job(tag: u64) -> Job {
        let file = dachs_sys::fd::sealed_memory("test", b"").unwrap();
        Job { tag, file, size: 0, all_matches: false, about: About::default() }
    }

    /// How many of these jobs go together.
    fn together(jobs: Vec<Job>) -> usize {
        parcel(jobs.iter())
    }

    #[test]
    fn small_files_that_ask_for_the_same_go_together() {
        let sized = |size| Job { size, ..job(0) };
        let named = |length| Job { about: About::new(&vec![b'x'; length], b""), ..job(0) };
        assert_eq!(together(Vec::new()), 0);
        assert_eq!(together((0..40).map(job).collect()), Request::FILES);
        assert_eq!(together(vec![sized(SMALL + 1), job(1)]), 1);
        assert_eq!(together(vec![job(1), job(2), sized(SMALL + 1)]), 2);
        assert_eq!(together(vec![sized(SMALL), sized(SMALL), sized(1)]), 2);
        assert_eq!(together(vec![job(1), Job { all_matches: true, ..job(2) }]), 1);
        assert_eq!(together(vec![named(2048), named(2048), named(1)]), 2);
        assert_eq!(together(vec![named(9000), job(1)]), 2);
    }

    #[test]
    fn each_taker_leaves_the_others_their_share() {
        let queue = Queue::new(2, 100);
        (0..9).for_each(|tag| assert!(queue.push(job(tag))));
        let taken: Vec<usize> = (0..4).map(|_| queue.pop().map_or(0, |work| jobs(work).len())).collect();
        assert_eq!(taken, [5, 2, 1, 1]);
    }

    #[test]
    fn every_job_comes_out_once() {
        let queue = Arc::new(Queue::new(3, 2));
        let takers: Vec<_> = (0..3)
            .map(|_| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || {
                    std::iter::from_fn(|| queue.pop()).flat_map(jobs).map(|job| job.tag).collect::<Vec<_>>()
                })
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
    fn who_has_no_job_helps() {
        let queue = Queue::new(2, 100);
        let joint = Arc::new(Joint::new(&job(1), Duration::from_secs(60), 1).unwrap());
        queue.offer(&joint);
        assert!(queue.push(job(2)));
        assert_eq!(jobs(queue.pop().unwrap())[0].tag, 2, "jobs go first");
        assert!(matches!(queue.pop(), Some(Work::Help(helped)) if Arc::ptr_eq(&helped, &joint)));
        joint.close();
        assert!(queue.push(job(3)));
        assert_eq!(jobs(queue.pop().unwrap())[0].tag, 3);
        assert!(queue.lock().help().is_none());
        queue.withdraw(&joint);
        queue.close();
        assert!(queue.pop().is_none());
    }

    #[test]
    fn closing_frees_those_who_wait() {
        let queue = Arc::new(Queue::new(1, 1));
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
