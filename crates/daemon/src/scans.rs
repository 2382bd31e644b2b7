//! The desk where files to scan are handed in, and from where reports come back.
//!
//! ```text
//! submit ──> Fair queue ──> pool of the current generation ──> answer (a closure, called once)
//!              │ cancel: taken out                │ cancel: its worker is killed
//! replace ─────┴──> a new generation: what waits goes to it; the old one finishes what it has, and is dropped
//! ```
//!
//! A generation is an image and the workers that scan with it. At most two scans a worker are with the pool, so that nearly
//! all that waits goes to a new generation at once. Every order is answered once, unless it was cancelled.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use dachs_base::{About, Anomaly, AnomalyKind, Limits, Report, Switches};
use dachs_pool::{Config, Done, Job, Pool, Workload};

use crate::content::Content;
use crate::fair::Fair;
use crate::peer::Client;

/// What is called with the outcome of a scan, once. It must return soon.
type Answer = Box<dyn FnOnce(Scanned) + Send>;

/// What the desk works with.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// Files that are scanned at once.
    pub(crate) jobs: usize,
    pub(crate) limits: Limits,
    pub(crate) switches: Switches,
    pub(crate) passwords: Vec<Vec<u8>>,
    /// The executable `dachs`.
    pub(crate) program: PathBuf,
    /// Orders that may wait.
    pub(crate) waiting: usize,
}

/// A file that came back.
pub(crate) struct Scanned {
    pub(crate) report: Report,
    /// Without waiting.
    pub(crate) elapsed: Duration,
    /// What it was scanned with: names for the report's numbers.
    pub(crate) content: Arc<Content>,
}

/// A file to scan.
pub(crate) struct Order {
    pub(crate) client: Client,
    pub(crate) file: OwnedFd,
    pub(crate) size: u64,
    pub(crate) all_matches: bool,
    /// What is known of it besides.
    pub(crate) about: About,
    pub(crate) answer: Answer,
}

/// An order that was taken, for cancelling it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ticket {
    number: u64,
    client: Client,
}

/// Why an order was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Too much waits already.
    Full,
    /// The service is being stopped.
    Stopping,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Full => "too many files wait to be scanned",
            Refusal::Stopping => "the service is being stopped",
        })
    }
}

/// The desk.
pub(crate) struct Desk {
    setting: Setting,
    state: Mutex<State>,
    /// Rung when an order leaves the queue or is answered.
    moved: Condvar,
    /// Files scanned since the start.
    scanned: AtomicU64,
}

struct State {
    waiting: Fair<Client, (u64, Order)>,
    running: HashMap<u64, Running>,
    generations: BTreeMap<u64, Generation>,
    last_number: u64,
    stopping: bool,
}

struct Generation {
    pool: Pool,
    content: Arc<Content>,
    running: usize,
}

struct Running {
    generation: u64,
    /// Absent if it was cancelled.
    answer: Option<Answer>,
}

/// How much there is to do.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Load {
    pub(crate) waiting: usize,
    pub(crate) running: usize,
    pub(crate) generations: usize,
    pub(crate) scanned: u64,
}

impl Desk {
    /// A desk without workers: [`Desk::replace`] brings them.
    pub(crate) fn new(setting: Setting) -> Desk {
        let state = State {
            waiting: Fair::new(),
            running: HashMap::new(),
            generations: BTreeMap::new(),
            last_number: 0,
            stopping: false,
        };
        Desk { setting, state: Mutex::new(state), moved: Condvar::new(), scanned: AtomicU64::new(0) }
    }

    /// Starts workers with this content, has them scan `trial`, and if all is well gives them all new work.
    ///
    /// # Errors
    /// A sentence, when they do not start, or fail the trial. Everything stays as it was.
    pub(crate) fn replace(self: &Arc<Desk>, content: Content, trial: &[&[u8]]) -> Result<(), String> {
        let content = Arc::new(content);
        let number = {
            let mut state = self.lock();
            state.last_number += 1;
            state.last_number
        };
        let (desk, (sender, trials)) = (Arc::downgrade(self), std::sync::mpsc::channel());
        let config = Config {
            jobs: self.setting.jobs,
            limits: self.setting.limits.clone(),
            all_matches: false,
            rules_on_members: true,
            shared_from: Config::SHARED_FROM,
            switches: self.setting.switches,
            passwords: self.setting.passwords.clone(),
            workload: Workload::Service,
            image: content.share()?,
            program: self.setting.program.clone(),
        };
        let deliver = move |done: Done| match done.tag {
            // Nobody waits for a trial any more that took too long.
            tag if tag < TRIALS => drop(sender.send(done)),
            _ => deliver(&desk, number, done),
        };
        let pool = Pool::start_with(config, deliver).map_err(|error| error.to_string())?;
        self.try_out(&pool, trial, &trials)?;
        let mut state = self.lock();
        state.generations.insert(number, Generation { pool, content, running: 0 });
        self.pump(&mut state);
        Ok(())
    }

    /// Scans harmless bytes: a worker that dies of them, or finds something in them, would do so in everything.
    fn try_out(&self, pool: &Pool, trial: &[&[u8]], done: &std::sync::mpsc::Receiver<Done>) -> Result<(), String> {
        for (tag, bytes) in (0..TRIALS).zip(trial) {
            let failed = |error: &dyn fmt::Display| format!("the self-test failed: {error}");
            let file = dachs_sys::fd::sealed_memory("dachs-trial", bytes).map_err(|error| failed(&error))?;
            let size = u64::try_from(bytes.len()).unwrap_or(0);
            pool.submit(Job { tag, file, size, all_matches: false, about: About::default() })
                .map_err(|error| failed(&error))?;
            let patience = self.setting.limits.time_for(0).saturating_add(Duration::from_secs(10));
            let done = done.recv_timeout(patience).map_err(|_| failed(&"no worker answered"))?;
            if let Some(gap) = done.report.anomalies.iter().find(|anomaly| anomaly.kind == AnomalyKind::WorkerDied) {
                return Err(failed(&gap.detail));
            }
            if !done.report.detections.is_empty() {
                return Err(failed(&"something was found in harmless text"));
            }
        }
        Ok(())
    }

    /// Hands in a file; waits for room until the deadline.
    ///
    /// # Errors
    /// When there is no room, or no work is taken any more.
    pub(crate) fn submit(&self, order: Order, deadline: Instant) -> Result<Ticket, Refusal> {
        let mut state = self.lock();
        while !state.stopping && !state.waiting.has_room(&order.client, self.setting.waiting) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Refusal::Full);
            }
            state = self.moved.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.stopping {
            return Err(Refusal::Stopping);
        }
        state.last_number += 1;
        let ticket = Ticket { number: state.last_number.saturating_add(TRIALS), client: order.client };
        state.waiting.push(order.client, (ticket.number, order));
        self.pump(&mut state);
        Ok(ticket)
    }

    /// Gives an order up: it is not answered, unless that is just happening.
    pub(crate) fn cancel(&self, ticket: Ticket) {
        let mut state = self.lock();
        let dropped = state.waiting.remove(&ticket.client, |(number, _)| *number == ticket.number);
        if let Some(running) = state.running.get_mut(&ticket.number) {
            running.answer = None;
            let generation = running.generation;
            if let Some(generation) = state.generations.get(&generation) {
                generation.pool.cancel(ticket.number);
            }
        }
        drop(state);
        drop(dropped);
        self.moved.notify_all();
    }

    /// Drops generations that have finished. Never to be called by a thread of a pool.
    pub(crate) fn clear(&self) {
        let mut state = self.lock();
        let newest = state.generations.keys().next_back().copied();
        let done: Vec<u64> = state
            .generations
            .iter()
            .filter(|(number, generation)| Some(**number) != newest && generation.running == 0)
            .map(|(number, _)| *number)
            .collect();
        let dropped: Vec<Option<Generation>> = done.iter().map(|number| state.generations.remove(number)).collect();
        drop(state);
        drop(dropped);
    }

    /// Takes nothing more, and waits until all is answered or the deadline comes. True if all is answered.
    pub(crate) fn stop(&self, deadline: Instant) -> bool {
        let mut state = self.lock();
        state.stopping = true;
        self.moved.notify_all();
        while !state.running.is_empty() || state.waiting.len() > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.moved.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// The content that new work is scanned with.
    pub(crate) fn content(&self) -> Option<Arc<Content>> {
        self.lock().generations.values().next_back().map(|generation| Arc::clone(&generation.content))
    }

    pub(crate) fn load(&self) -> Load {
        let state = self.lock();
        Load {
            waiting: state.waiting.len(),
            running: state.running.len(),
            generations: state.generations.len(),
            scanned: self.scanned.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn setting(&self) -> &Setting {
        &self.setting
    }

    /// Gives the current pool as much as it should have.
    fn pump(&self, state: &mut State) {
        while let Some((number, generation)) = state.generations.iter_mut().next_back() {
            if generation.running >= self.setting.jobs.saturating_mul(2) {
                return;
            }
            let Some((tag, order)) = state.waiting.pop() else { return };
            generation.running += 1;
            state.running.insert(tag, Running { generation: *number, answer: Some(order.answer) });
            let Order { file, size, all_matches, about, .. } = order;
            let job = Job { tag, file, size, all_matches, about };
            // A pool is stopped only when it is dropped.
            let _ = generation.pool.submit(job);
        }
    }

    fn done(&self, generation: u64, done: Done) {
        let mut state = self.lock();
        let Some(running) = state.running.remove(&done.tag) else { return };
        let content = state.generations.get_mut(&generation).map(|generation| {
            generation.running = generation.running.saturating_sub(1);
            Arc::clone(&generation.content)
        });
        self.pump(&mut state);
        drop(state);
        self.scanned.fetch_add(1, Ordering::Relaxed);
        if let (Some(answer), Some(content)) = (running.answer, content) {
            answer(Scanned { report: done.report, elapsed: done.elapsed, content });
        }
        self.moved.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tags below this are trials.
const TRIALS: u64 = 16;

fn deliver(desk: &Weak<Desk>, generation: u64, done: Done) {
    if let Some(desk) = desk.upgrade() {
        desk.done(generation, done);
    }
}

/// A report for what could not even be handed in.
pub(crate) fn unscanned(kind: AnomalyKind, detail: &str) -> Report {
    Report::unscanned(Anomaly::new(kind, detail))
}
