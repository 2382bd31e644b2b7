//! One slot of the pool: a thread, a shared worker, and one parcel of files at a time.
//!
//! ```text
//! parcel -> shared worker -> a report for each file
//!                         -> isolate -> fresh worker -> report
//!        either one dies, is late, or talks nonsense -> killed; a single file gets a report that says so,
//!                                                       several are asked for again, one after another
//! ```
//!
//! Small files that wait are given to the shared worker together: to wake each other for every file took pool and worker longer
//! than most files take to be scanned. What one file of a parcel does to its worker costs the others nothing but time, for what is
//! told of a parcel is told at its end.

use crate::busy::Busy;
use crate::control::{Control, First, Worker};
use crate::ends::{Loss, describe};
use crate::queue::Queue;
use crate::{Done, Job, PoolError};
use dachs_base::{Anomaly, AnomalyKind, FileKind, Limits, Report, RuleCosts, RuleRange, Switches};
use dachs_proto::{Body, File, FileReply, LONGEST, Place, Reply, Request};
use dachs_sys::socket;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A shared worker is replaced after so many files: what one of them broke does not last.
const FILES: u32 = 1_000;
/// How long after its own deadline a worker is killed.
const GRACE: Duration = Duration::from_secs(2);
/// Longer than any deadline that a kernel's timer can be set to.
const LONGEST_WAIT: Duration = Duration::from_secs(100_000_000);

/// What all slots share.
#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) control: Control,
    pub(crate) limits: Limits,
    pub(crate) all_matches: bool,
    pub(crate) switches: Switches,
    pub(crate) busy: Busy,
    pub(crate) rules_on_members: bool,
    /// The least size of a file that several workers look at.
    pub(crate) shared_from: u64,
    pub(crate) passwords: Vec<Vec<u8>>,
    pub(crate) queue: Arc<Queue>,
}

/// One slot.
#[derive(Debug)]
pub(crate) struct Slot<'a> {
    pub(crate) shop: &'a Shop,
    shared: Option<Hired>,
    /// The last worker of one file, which was killed: the zygote is told with the next order.
    pub(crate) done: Option<Worker>,
    packet: Box<[u8]>,
    /// Counts requests; a reply gives the number back.
    requests: u64,
    /// Rules that are profiled instead of the file being scanned.
    profile: Option<RuleRange>,
}

/// A worker and what it has done.
#[derive(Debug)]
pub(crate) struct Hired {
    pub(crate) worker: Worker,
    files: u32,
    /// What its socket is set to.
    patience: Duration,
}

impl<'a> Slot<'a> {
    pub(crate) fn new(shop: &'a Shop) -> Slot<'a> {
        Slot { shop, shared: None, done: None, packet: vec![0; LONGEST].into_boxed_slice(), requests: 0, profile: None }
    }

    /// Scans the files of a parcel, whatever happens: `tell` is called once for each of `jobs`.
    pub(crate) fn scan(&mut self, jobs: &[Job], tell: &mut dyn FnMut(Done)) {
        let begin = Instant::now();
        let told = match jobs {
            [_, _, ..] => self.ask_shared(jobs).unwrap_or_default(),
            _ => Vec::new(),
        };
        if told.len() < jobs.len() {
            return jobs.iter().for_each(|job| tell(self.scan_one(job)));
        }
        let spent = begin.elapsed();
        let mut isolated = Vec::new();
        for (job, FileReply { body, micros }) in jobs.iter().zip(told) {
            match reported(Ok(body)) {
                Ok(report) => tell(Done { tag: job.tag, report, elapsed: spent.min(Duration::from_micros(micros)) }),
                Err(kind) => isolated.push((job, kind)),
            }
        }
        isolated.into_iter().for_each(|(job, kind)| tell(self.scan_alone(job, kind, Instant::now())));
    }

    fn scan_one(&mut self, job: &Job) -> Done {
        let begin = Instant::now();
        if self.shop.busy.is_given_up(job.tag) {
            return Done { tag: job.tag, report: given_up(), elapsed: begin.elapsed() };
        }
        let answered = self.ask_shared(std::slice::from_ref(job)).and_then(single);
        match reported(answered) {
            Ok(report) => Done { tag: job.tag, report, elapsed: begin.elapsed() },
            Err(kind) => self.scan_alone(job, kind, begin),
        }
    }

    /// Scans a file that a shared worker does not look into: one of this kind, as it says.
    fn scan_alone(&mut self, job: &Job, kind: FileKind, begin: Instant) -> Done {
        let in_team = self.is_for_team(job, kind).then(|| self.lead(job, kind)).flatten();
        let answered = in_team.unwrap_or_else(|| {
            if self.shop.busy.is_given_up(job.tag) { Err(died("it was given up")) } else { self.ask_alone(job) }
        });
        let report = reported(answered).unwrap_or_else(|_| unscanned("its worker did not scan it"));
        Done { tag: job.tag, report, elapsed: begin.elapsed() }
    }

    /// Measures what some rules cost on one file.
    pub(crate) fn costs(&mut self, job: &Job, rules: RuleRange) -> Result<RuleCosts, Anomaly> {
        self.profile = Some(rules);
        match self.ask_shared(std::slice::from_ref(job)).and_then(single)? {
            Body::Costs(costs) => Ok(costs),
            Body::Report(report) => {
                let why = report.anomalies.into_iter().next();
                Err(why.unwrap_or_else(|| died("its worker did not measure it")))
            }
            _ => Err(died("its worker did not measure it")),
        }
    }

    /// Ends the slot's workers.
    pub(crate) fn close(&mut self) {
        let shared = self.shared.take().map(|shared| shared.worker);
        for worker in self.done.take().into_iter().chain(shared) {
            self.shop.control.end(worker);
        }
    }

    /// Asks the shared worker for some files. A worker that had died before it got them is replaced. Of several files, none may be
    /// told.
    fn ask_shared(&mut self, jobs: &[Job]) -> Result<Vec<FileReply>, Anomaly> {
        for _ in 0..2 {
            let mut shared = self.shared()?;
            match self.ask(&mut shared, jobs) {
                Ok(told) => {
                    shared.files = shared.files.saturating_add(u32::try_from(jobs.len()).unwrap_or(u32::MAX));
                    self.shared = Some(shared);
                    return Ok(told);
                }
                Err(Loss::Undelivered) => {
                    self.shop.control.end(shared.worker);
                }
                Err(loss) => return Err(self.bury(shared.worker, &loss, jobs)),
            }
        }
        Err(died("its workers died before they got it"))
    }

    /// Asks a worker of its own, which is forked with the question waiting for it.
    fn ask_alone(&mut self, job: &Job) -> Result<Body, Anomaly> {
        let jobs = std::slice::from_ref(job);
        let packet = self.question(jobs, false, None).map_err(|_| died("its worker cannot be asked"))?;
        let mut own = self.hire_with(Some(job.size), Some(&First { packet: &packet, files: &[job.file.as_fd()] }))?;
        match self.hear(&mut own, jobs, false) {
            Ok(told) => {
                Control::kill(&own.worker);
                self.done = Some(own.worker);
                single(told)
            }
            Err(loss) => Err(self.bury(own.worker, &loss, std::slice::from_ref(job))),
        }
    }

    /// The shared worker, fresh if the old one has done enough or lost its zygote.
    fn shared(&mut self) -> Result<Hired, Anomaly> {
        let control = &self.shop.control;
        if let Some(shared) = self.shared.take() {
            if shared.files < FILES && control.is_current(&shared.worker) {
                return Ok(shared);
            }
            control.end(shared.worker);
        }
        self.hire(None)
    }

    /// A new worker, for one file `alone`, of this size, or for many.
    pub(crate) fn hire(&mut self, alone: Option<u64>) -> Result<Hired, Anomaly> {
        self.hire_with(alone, None)
    }

    fn hire_with(&mut self, alone: Option<u64>, first: Option<&First<'_>>) -> Result<Hired, Anomaly> {
        let no_worker = |error: PoolError| died(&format!("there is no worker to scan it: {error}"));
        let worker = self.shop.control.fork(alone, first, self.done.take()).map_err(no_worker)?;
        Ok(Hired { worker, files: 0, patience: Duration::ZERO })
    }

    /// One request, one reply.
    fn ask(&mut self, hired: &mut Hired, jobs: &[Job]) -> Result<Vec<FileReply>, Loss> {
        self.send(hired, jobs, true, None)?;
        self.hear(hired, jobs, true)
    }

    /// The reply to the last request.
    fn hear(&mut self, hired: &mut Hired, jobs: &[Job], isolate: bool) -> Result<Vec<FileReply>, Loss> {
        hired.wait_at_most(self.hard_deadline(jobs)).map_err(|_| Loss::Undelivered)?;
        let _busy = self.shop.busy.enter(jobs.iter().map(|job| job.tag), &hired.worker);
        let told = self.reply(&hired.worker)?;
        told.iter().try_for_each(|file| self.is_wanted(&file.body, isolate))?;
        match (told.len(), jobs.len()) {
            (told, asked) if told == asked => {}
            (0, 2..) => {}
            _ => return Err(Loss::Nonsense("a reply for other files".to_owned())),
        }
        Ok(told)
    }

    /// Gives files to a worker.
    pub(crate) fn send(&mut self, hired: &Hired, jobs: &[Job], isolate: bool, team: Option<Place>) -> Result<(), Loss> {
        let packet = self.question(jobs, isolate, team)?;
        let files: Vec<BorrowedFd<'_>> = jobs.iter().map(|job| job.file.as_fd()).collect();
        socket::send_with_descriptors(hired.worker.socket(), &packet, &files).map_err(|_| Loss::Undelivered)
    }

    /// The next request, as it is sent.
    fn question(&mut self, jobs: &[Job], isolate: bool, team: Option<Place>) -> Result<Vec<u8>, Loss> {
        self.requests += 1;
        let request = Request { team, ..self.request(jobs, isolate) };
        request.encode().map_err(|_| Loss::Undelivered)
    }

    fn request(&self, jobs: &[Job], isolate: bool) -> Request {
        let Shop { limits, all_matches, rules_on_members, switches, passwords, .. } = self.shop;
        Request {
            number: self.requests,
            files: jobs.iter().map(|job| File { size: job.size, about: job.about.clone() }).collect(),
            limits: limits.clone(),
            all_matches: *all_matches || jobs.iter().any(|job| job.all_matches),
            switches: *switches,
            isolate,
            rules_on_members: *rules_on_members,
            passwords: passwords.clone(),
            profile: self.profile,
            team: None,
        }
    }

    /// Is this an answer to what was asked?
    fn is_wanted(&self, body: &Body, isolate: bool) -> Result<(), Loss> {
        match body {
            Body::Panicked(place) => Err(Loss::Panicked(place.clone())),
            Body::Costs(_) if self.profile.is_none() => Err(Loss::Nonsense("costs that nobody asked for".to_owned())),
            Body::Claim(_) | Body::Piece(_) => Err(Loss::Nonsense("the words of a team".to_owned())),
            Body::Isolate(_) if !isolate => Err(Loss::Nonsense("the wish to be isolated twice".to_owned())),
            _ => Ok(()),
        }
    }

    /// Waits for the reply, and believes nothing of it.
    fn reply(&mut self, worker: &Worker) -> Result<Vec<FileReply>, Loss> {
        self.weighed_reply(worker).map(|(files, _)| files)
    }

    /// The same, and how many bytes it took.
    pub(crate) fn weighed_reply(&mut self, worker: &Worker) -> Result<(Vec<FileReply>, usize), Loss> {
        let length = match socket::receive(worker.socket(), &mut self.packet) {
            Ok(0) => return Err(Loss::Died),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(Loss::Late),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(Loss::Nonsense("a reply that is too long".to_owned()));
            }
            Err(_) => return Err(Loss::Died),
        };
        let packet = self.packet.get(..length).unwrap_or_default();
        let reply = Reply::decode(packet, &self.shop.limits).map_err(|error| Loss::Nonsense(error.to_string()))?;
        if reply.number == self.requests {
            Ok((reply.files, length))
        } else {
            Err(Loss::Nonsense("a reply to nothing".to_owned()))
        }
    }

    /// Several small files together get no more time than one: if that is not enough, each is asked for alone.
    pub(crate) fn hard_deadline(&self, jobs: &[Job]) -> Duration {
        self.shop.limits.time_for(largest(jobs)).saturating_add(GRACE).min(LONGEST_WAIT)
    }

    /// Ends a worker that was of no use, and says why its files were not scanned.
    pub(crate) fn bury(&self, worker: Worker, loss: &Loss, jobs: &[Job]) -> Anomaly {
        let end = self.shop.control.end(worker);
        describe(loss, end, &self.shop.limits, largest(jobs))
    }
}

fn largest(jobs: &[Job]) -> u64 {
    jobs.iter().map(|job| job.size).max().unwrap_or_default()
}

/// What was told of a single file.
fn single(told: Vec<FileReply>) -> Result<Body, Anomaly> {
    told.into_iter().next().map(|file| file.body).ok_or_else(|| died("its worker did not scan it"))
}

/// The report; the kind of a file that needs a worker of its own.
fn reported(answered: Result<Body, Anomaly>) -> Result<Report, FileKind> {
    match answered {
        Ok(Body::Report(report)) => Ok(report),
        Ok(Body::Isolate(kind)) => Err(kind),
        Ok(_) => Ok(unscanned("its worker did not scan it")),
        Err(anomaly) => Ok(Report::unscanned(anomaly)),
    }
}

fn given_up() -> Report {
    unscanned("it was given up")
}

impl Hired {
    pub(crate) fn wait_at_most(&mut self, patience: Duration) -> io::Result<()> {
        if self.patience != patience {
            socket::set_patience(self.worker.socket(), Some(patience))?;
            self.patience = patience;
        }
        Ok(())
    }
}

pub(crate) fn died(detail: &str) -> Anomaly {
    Anomaly::new(AnomalyKind::WorkerDied, detail)
}

fn unscanned(detail: &str) -> Report {
    Report::unscanned(died(detail))
}
