//! Starts workers, feeds them, times them out, replaces them, and turns a death into a report.
//!
//! ```text
//! submit -> Queue -> Slot (a thread each) --request and files-> shared worker          <-fork- zygote
//!                      │                  <-reply, hostile----                           ▲
//!                      │                  --request and file--> one-file worker        <─┘
//!                      ▼                                                                 │
//!                    Done                 Control: forks, ends, starts the zygote again ─┘
//! ```
//!
//! A worker may do anything to the file it was given and to nothing else; whatever it does, the job it had gives one
//! [`Done`] with a [`Report`]: its own, or one with the reason why there is none. Files that were scanned by a worker
//! before it went bad keep their reports; those after it get a fresh worker.
//!
//! A slot that has nothing to do helps another with a large archive, see `team`: the report is the same, and comes sooner.
//!
//! The crate parses nothing but replies and links no parser.
#![forbid(unsafe_code)]

mod busy;
mod control;
mod ends;
mod joint;
mod queue;
mod slot;
mod team;

use busy::Busy;
use control::{Control, Start};
use dachs_base::{About, Anomaly, Limits, Report, RuleCosts, RuleRange, Switches};
use queue::{Queue, Work};
use slot::{Shop, Slot};
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

pub use dachs_proto::{JailReport, LayerReport, Workload};

/// So many jobs wait for each slot; each holds a descriptor.
const QUEUED: usize = 2 * dachs_proto::Request::FILES;

/// What a pool needs.
#[derive(Debug)]
pub struct Config {
    /// How many files are scanned at once, at least 1.
    pub jobs: usize,
    /// What the scan of one file may spend.
    pub limits: Limits,
    /// Report every detection of a file, not only the first.
    pub all_matches: bool,
    /// Run YARA rules on members too, and not only on files themselves.
    pub rules_on_members: bool,
    /// Archives, disk images and compressed streams of so many bytes or more are looked at by all workers that have nothing else to
    /// do; normally [`Config::SHARED_FROM`].
    pub shared_from: u64,
    /// What is looked into and reported besides signatures.
    pub switches: Switches,
    /// Passwords for what is encrypted. Those beyond [`Config::PASSWORDS`], and longer ones than [`Config::PASSWORD`], are not used.
    pub passwords: Vec<Vec<u8>>,
    /// How many files will be scanned.
    pub workload: Workload,
    /// The compiled image: a sealed memory file, or a file opened for reading only.
    pub image: OwnedFd,
    /// The executable that runs `dachs_worker::main` when its first argument is `worker`: normally `/proc/self/exe`.
    pub program: PathBuf,
}

impl Config {
    /// 32 MiB: in less time than it takes to scan so much, ten workers are made. In bytes.
    pub const SHARED_FROM: u64 = 32 << 20;
    /// How many passwords are used.
    pub const PASSWORDS: usize = dachs_proto::Request::PASSWORDS;
    /// How long they may be, in bytes.
    pub const PASSWORD: usize = dachs_proto::Request::PASSWORD;
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
    /// Report every detection of this file, whatever [`Config::all_matches`] says.
    pub all_matches: bool,
    /// What is known of it besides its bytes; the default where no rule asks.
    pub about: About,
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

/// A pool of jailed workers. Ends them all when it is dropped.
pub struct Pool {
    results: Receiver<Done>,
    submitter: Submitter,
    shop: Arc<Shop>,
    layers: JailReport,
    threads: Vec<JoinHandle<()>>,
}

/// Gives jobs to a pool, from any thread.
#[derive(Clone, Debug)]
pub struct Submitter {
    jobs: Arc<Queue>,
}

impl Submitter {
    /// Queues a file; waits while the queue is full.
    ///
    /// # Errors
    /// When the pool was stopped.
    pub fn submit(&self, job: Job) -> Result<(), PoolError> {
        if self.jobs.push(job) { Ok(()) } else { Err(PoolError::Stopped) }
    }
}

/// Where results go: called by the thread of the slot that has one, which waits until it returns.
type Deliver = Arc<dyn Fn(Done) + Send + Sync>;

impl Pool {
    /// Starts the zygote and waits until its jail is closed.
    ///
    /// # Errors
    /// When it cannot be started or refuses.
    pub fn start(config: Config) -> Result<Pool, PoolError> {
        let (sender, results) = channel();
        // Nobody listens while the pool is being dropped.
        Pool::assemble(config, Arc::new(move |done| drop(sender.send(done))), results)
    }

    /// As [`Pool::start`], but each result is given to `deliver` by the thread that has it, and none to
    /// [`Pool::results`]. It must return soon, and must not drop the pool.
    ///
    /// # Errors
    /// As [`Pool::start`].
    pub fn start_with(config: Config, deliver: impl Fn(Done) + Send + Sync + 'static) -> Result<Pool, PoolError> {
        Pool::assemble(config, Arc::new(deliver), channel().1)
    }

    fn assemble(config: Config, deliver: Deliver, results: Receiver<Done>) -> Result<Pool, PoolError> {
        let Config {
            jobs,
            limits,
            all_matches,
            rules_on_members,
            shared_from,
            switches,
            passwords,
            workload,
            image,
            program,
        } = config;
        let fits = |password: &Vec<u8>| password.len() <= Config::PASSWORD;
        let passwords = passwords.into_iter().filter(fits).take(Config::PASSWORDS).collect();
        let (control, layers) = Control::new(Start { program, image, memory: limits.memory, workload })?;
        let jobs = jobs.max(1);
        let queue = Arc::new(Queue::new(jobs, jobs.saturating_mul(QUEUED)));
        let shop = Arc::new(Shop {
            control,
            limits,
            all_matches,
            rules_on_members,
            shared_from: if jobs > 1 { shared_from } else { u64::MAX },
            switches,
            passwords,
            busy: Busy::default(),
            queue: Arc::clone(&queue),
        });
        let mut pool = Pool { results, submitter: Submitter { jobs: queue }, shop, layers, threads: Vec::new() };
        for _ in 0..jobs {
            pool.threads.push(slot(&pool.shop, &deliver).map_err(PoolError::Start)?);
        }
        Ok(pool)
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

    /// Where the results arrive, in the order in which they are done. Workers never wait for them to be taken.
    #[must_use]
    pub fn results(&self) -> &Receiver<Done> {
        &self.results
    }

    /// Gives a job up that was submitted and is not done: nobody wants its result any more. If a worker has it, that worker is
    /// killed; if it waits, none gets it. Its [`Done`] comes all the same.
    pub fn cancel(&self, tag: u64) {
        self.shop.busy.give_up(tag);
    }

    /// A worker of its own that measures rules instead of scanning.
    #[must_use]
    pub fn profiler(&self) -> Profiler<'_> {
        Profiler(Slot::new(&self.shop))
    }

    /// Which layers of the jail the workers live in.
    #[must_use]
    pub fn layers(&self) -> &JailReport {
        &self.layers
    }

    /// Waits for the jobs at hand, drops those in the queue, and ends all processes.
    pub fn stop(self) {}
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("threads", &self.threads.len()).finish_non_exhaustive()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.submitter.jobs.close();
        self.shop.busy.stop();
        for thread in self.threads.drain(..) {
            // A thread that panicked has nothing more to say.
            let _ = thread.join();
        }
    }
}

/// Measures what YARA rules cost, one file after another, in a worker like all others.
#[derive(Debug)]
pub struct Profiler<'a>(Slot<'a>);

impl Profiler<'_> {
    /// What these rules cost on this file, each alone. The worker keeps them compiled until others are asked for.
    ///
    /// # Errors
    /// Why the file was not measured.
    pub fn costs(&mut self, job: &Job, rules: RuleRange) -> Result<RuleCosts, Anomaly> {
        self.0.costs(job, rules)
    }
}

impl Drop for Profiler<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Starts the thread of a slot. It ends when the queue is closed.
fn slot(shop: &Arc<Shop>, deliver: &Deliver) -> io::Result<JoinHandle<()>> {
    let (shop, deliver) = (Arc::clone(shop), Arc::clone(deliver));
    std::thread::Builder::new().name("dachs-slot".to_owned()).spawn(move || {
        let mut slot = Slot::new(&shop);
        while let Some(work) = shop.queue.pop() {
            match work {
                Work::Help(joint) => slot.help(&joint),
                Work::Parcel(parcel) => slot.scan(&parcel, &mut |done| {
                    shop.busy.forget(done.tag);
                    deliver(done);
                }),
            }
        }
        slot.close();
    })
}
