//! The zygote: started, asked for workers, and started again when it dies.
//!
//! One question, one answer, under one lock. The zygote is trusted no more than needed: it gets two descriptors, its
//! answers are waited for only so long, and one that says nonsense is killed and replaced. Where it cannot be started several
//! times in a row, files are reported as not scanned for a while, and then it is tried again: what was in the way, for
//! instance a machine out of processes, may have gone.

use crate::PoolError;
use dachs_proto::{Answer, End, JailReport, LONGEST, Order, Setup, Workload};
use dachs_sys::process;
use dachs_sys::socket;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long the zygote may take to get ready, or to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a killed process may take to end: one that hangs in the kernel is left behind.
const DYING: Duration = Duration::from_secs(5);
/// So many starts may fail in a row.
const STARTS: u32 = 5;
/// After that, none is tried for so long.
const REST: Duration = Duration::from_secs(2);

/// What a zygote is started with.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) program: PathBuf,
    pub(crate) image: OwnedFd,
    pub(crate) memory: u64,
    pub(crate) workload: Workload,
}

/// Makes workers.
#[derive(Debug)]
pub(crate) struct Control {
    start: Start,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    zygote: Option<Zygote>,
    /// Counts zygotes.
    generation: u64,
    /// Starts that failed since one did not.
    failures: u32,
    /// When the last one was tried.
    tried: Option<Instant>,
    /// Counts workers.
    workers: u64,
}

#[derive(Debug)]
struct Zygote {
    child: Child,
    socket: OwnedFd,
}

/// A request that waits for a worker before it is forked: it need not wait for the request, and nobody has to wake it.
#[derive(Debug)]
pub(crate) struct First<'a> {
    pub(crate) packet: &'a [u8],
    pub(crate) files: &'a [BorrowedFd<'a>],
}

/// A worker, from the outside.
#[derive(Debug)]
pub(crate) struct Worker {
    number: u64,
    generation: u64,
    handle: Arc<OwnedFd>,
    socket: OwnedFd,
}

impl Worker {
    pub(crate) fn handle(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }

    /// The same, for who may outlive this.
    pub(crate) fn shared_handle(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.handle)
    }

    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Control {
    /// Starts the first zygote.
    pub(crate) fn new(start: Start) -> Result<(Control, JailReport), PoolError> {
        let (zygote, report) = Zygote::start(&start)?;
        let state = State { zygote: Some(zygote), ..State::default() };
        Ok((Control { start, state: Mutex::new(state) }, report))
    }

    /// A new worker, for one file `alone`, of this size, or for many, with its first request if there is one yet. If the zygote has died, a new one is
    /// started before. `done` was [killed](Control::kill).
    pub(crate) fn fork(
        &self,
        alone: Option<u64>,
        first: Option<&First<'_>>,
        done: Option<Worker>,
    ) -> Result<Worker, PoolError> {
        let mut state = self.lock();
        loop {
            state.ensure(&self.start)?;
            let done = done.as_ref().filter(|done| done.generation == state.generation).map(|done| done.number);
            match state.fork(alone, first, done) {
                Err(PoolError::Silent) => state.bury(),
                forked => return forked,
            }
        }
    }

    /// Kills a worker whose work is done. It is to be given back with the next [`Control::fork`], or to be [ended](Control::end),
    /// so that nobody waits for each.
    pub(crate) fn kill(worker: &Worker) {
        // One that has ended already stays as it is.
        let _ = process::kill(worker.handle.as_fd());
    }

    /// Ends a worker, if it has not ended by itself, and tells how it ended.
    pub(crate) fn end(&self, worker: Worker) -> End {
        Control::kill(&worker);
        if !process::ended(worker.handle.as_fd(), DYING).unwrap_or(false) {
            return End::Unknown;
        }
        let mut state = self.lock();
        if worker.generation != state.generation {
            return End::Unknown;
        }
        match state.ask(&Order::Wait { worker: worker.number }, None) {
            Ok((Answer::Ended(end), _)) => end,
            _ => {
                state.bury();
                End::Unknown
            }
        }
    }

    /// True if the worker's zygote is still the one that is asked.
    pub(crate) fn is_current(&self, worker: &Worker) -> bool {
        self.lock().generation == worker.generation
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Starts a zygote if there is none.
    fn ensure(&mut self, start: &Start) -> Result<(), PoolError> {
        if self.zygote.is_some() {
            return Ok(());
        }
        if self.failures >= STARTS && self.tried.is_some_and(|tried| tried.elapsed() < REST) {
            return Err(PoolError::Silent);
        }
        // Taken back when a worker could be forked.
        self.failures = self.failures.saturating_add(1);
        self.tried = Some(Instant::now());
        self.zygote = Some(Zygote::start(start)?.0);
        Ok(())
    }

    /// Asks for a worker. `Silent` means that the zygote is of no use any more.
    fn fork(&mut self, alone: Option<u64>, first: Option<&First<'_>>, done: Option<u64>) -> Result<Worker, PoolError> {
        let (ours, its) = socket::pair().map_err(PoolError::Start)?;
        if let Some(First { packet, files }) = first {
            socket::send_with_descriptors(ours.as_fd(), packet, files).map_err(PoolError::Start)?;
        }
        // The default fits as well, where the kernel does not allow more.
        let _ = socket::allow_packets_of(its.as_fd(), LONGEST * 2);
        self.workers += 1;
        let number = self.workers;
        match self.ask(&Order::Fork { worker: number, alone, done }, Some(its.as_fd())) {
            Ok((Answer::Forked, Some(handle))) => {
                self.failures = 0;
                Ok(Worker { number, generation: self.generation, handle: Arc::new(handle), socket: ours })
            }
            Ok((Answer::NotForked(error), _)) => Err(PoolError::Start(io::Error::from_raw_os_error(error))),
            _ => Err(PoolError::Silent),
        }
    }

    fn ask(&self, order: &Order, its: Option<BorrowedFd<'_>>) -> Result<(Answer, Option<OwnedFd>), PoolError> {
        let zygote = self.zygote.as_ref().ok_or(PoolError::Silent)?;
        let packet = order.encode().map_err(|_| PoolError::Silent)?;
        socket::send(zygote.socket.as_fd(), &packet, its).map_err(|_| PoolError::Silent)?;
        zygote.answer()
    }

    /// Gives a zygote up.
    fn bury(&mut self) {
        self.zygote = None;
        self.generation += 1;
    }
}

impl Zygote {
    fn start(start: &Start) -> Result<(Zygote, JailReport), PoolError> {
        let (ours, its) = socket::pair().map_err(PoolError::Start)?;
        socket::set_patience(ours.as_fd(), Some(PATIENCE)).map_err(PoolError::Start)?;
        let image = start.image.try_clone().map_err(PoolError::Start)?;
        let mut command = Command::new(&start.program);
        command.arg("worker").env_clear().stdin(its).stdout(image).stderr(Stdio::null());
        // What a person types at the terminal reaches the pool alone, which ends its workers in order.
        command.process_group(0);
        let child = command.spawn().map_err(PoolError::Start)?;
        // It holds the zygote's end of the socket, and nobody would notice the zygote's death.
        drop(command);
        let zygote = Zygote { child, socket: ours };
        let setup = Setup { memory: start.memory, workload: start.workload }.encode().map_err(|_| PoolError::Silent)?;
        socket::send(zygote.socket.as_fd(), &setup, None).map_err(|_| PoolError::Silent)?;
        match zygote.answer()?.0 {
            Answer::Ready(report) => Ok((zygote, report)),
            Answer::Refused(reason) => Err(PoolError::Refused(reason)),
            _ => Err(PoolError::Silent),
        }
    }

    fn answer(&self) -> Result<(Answer, Option<OwnedFd>), PoolError> {
        let mut packet = [0; 8 << 10];
        let received = socket::receive_with_descriptor(self.socket.as_fd(), &mut packet);
        let (length, handle) = received.map_err(|_| PoolError::Silent)?;
        let answer = Answer::decode(packet.get(..length).unwrap_or_default()).map_err(|_| PoolError::Silent)?;
        Ok((answer, handle))
    }
}

impl Drop for Zygote {
    fn drop(&mut self) {
        // Its workers die with it. It may be dead already; then there is only its status to take.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
