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
use crate::control::{Control, Worker};
use crate::ends::{Loss, describe};
use crate::{Done, Job, PoolError};
use dachs_base::{Anomaly, AnomalyKind, Limits, Report, RuleCosts, RuleRange, Switches};
use dachs_proto::{Body, File, FileReply, LONGEST, Reply, Request};
use dachs_sys::socket;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
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
    pub(crate) passwords: Vec<Vec<u8>>,
}

/// One slot.
#[derive(Debug)]
pub(crate) struct Slot<'a> {
    shop: &'a Shop,
    shared: Option<Hired>,
    /// The last worker of one file, which was killed: the zygote is told with the next order.
    done: Option<Worker>,
    packet: Box<[u8]>,
    /// Counts requests; a reply gives the number back.
    requests: u64,
    /// Rules that are profiled instead of the file being scanned.
    profile: Option<RuleRange>,
}

/// A worker and what it has done.
#[derive(Debug)]
struct Hired {
    worker: Worker,
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
                Some(report) => tell(Done { tag: job.tag, report, elapsed: spent.min(Duration::from_micros(micros)) }),
                None => isolated.push(job),
            }
        }
        isolated.into_iter().for_each(|job| tell(self.scan_alone(job, Instant::now())));
    }

    fn scan_one(&mut self, job: &Job) -> Done {
        let begin = Instant::now();
        if self.shop.busy.is_given_up(job.tag) {
            return Done { tag: job.tag, report: given_up(), elapsed: begin.elapsed() };
        }
        let answered = self.ask_shared(std::slice::from_ref(job)).and_then(single);
        match reported(answered) {
            Some(report) => Done { tag: job.tag, report, elapsed: begin.elapsed() },
            None => self.scan_alone(job, begin),
        }
    }

    /// Scans a file that a shared worker does not look into.
    fn scan_alone(&mut self, job: &Job, begin: Instant) -> Done {
        let report = if self.shop.busy.is_given_up(job.tag) {
            given_up()
        } else {
            reported(self.ask_alone(job)).unwrap_or_else(|| unscanned("its worker did not scan it"))
        };
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
            match self.ask(&mut shared, jobs, true) {
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

    /// Asks a worker of its own.
    fn ask_alone(&mut self, job: &Job) -> Result<Body, Anomaly> {
        let mut own = self.hire(true)?;
        match self.ask(&mut own, std::slice::from_ref(job), false) {
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
        self.hire(false)
    }

    fn hire(&mut self, alone: bool) -> Result<Hired, Anomaly> {
        let no_worker = |error: PoolError| died(&format!("there is no worker to scan it: {error}"));
        let worker = self.shop.control.fork(alone, self.done.take()).map_err(no_worker)?;
        Ok(Hired { worker, files: 0, patience: Duration::ZERO })
    }

    /// One request, one reply.
    fn ask(&mut self, hired: &mut Hired, jobs: &[Job], isolate: bool) -> Result<Vec<FileReply>, Loss> {
        self.requests += 1;
        let request = self.request(jobs, isolate);
        hired.wait_at_most(self.hard_deadline(jobs)).map_err(|_| Loss::Undelivered)?;
        let packet = request.encode().map_err(|_| Loss::Undelivered)?;
        let files: Vec<BorrowedFd<'_>> = jobs.iter().map(|job| job.file.as_fd()).collect();
        socket::send_with_descriptors(hired.worker.socket(), &packet, &files).map_err(|_| Loss::Undelivered)?;
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
        }
    }

    /// Is this an answer to what was asked?
    fn is_wanted(&self, body: &Body, isolate: bool) -> Result<(), Loss> {
        match body {
            Body::Panicked(place) => Err(Loss::Panicked(place.clone())),
            Body::Costs(_) if self.profile.is_none() => Err(Loss::Nonsense("costs that nobody asked for".to_owned())),
            Body::Isolate(_) if !isolate => Err(Loss::Nonsense("the wish to be isolated twice".to_owned())),
            _ => Ok(()),
        }
    }

    /// Waits for the reply, and believes nothing of it.
    fn reply(&mut self, worker: &Worker) -> Result<Vec<FileReply>, Loss> {
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
            Ok(reply.files)
        } else {
            Err(Loss::Nonsense("a reply to nothing".to_owned()))
        }
    }

    /// Several small files together get no more time than one: if that is not enough, each is asked for alone.
    fn hard_deadline(&self, jobs: &[Job]) -> Duration {
        self.shop.limits.time_for(largest(jobs)).saturating_add(GRACE).min(LONGEST_WAIT)
    }

    /// Ends a worker that was of no use, and says why its files were not scanned.
    fn bury(&self, worker: Worker, loss: &Loss, jobs: &[Job]) -> Anomaly {
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

/// The report; none for a file that needs a worker of its own.
fn reported(answered: Result<Body, Anomaly>) -> Option<Report> {
    match answered {
        Ok(Body::Report(report)) => Some(report),
        Ok(Body::Isolate(_)) => None,
        Ok(_) => Some(unscanned("its worker did not scan it")),
        Err(anomaly) => Some(Report::unscanned(anomaly)),
    }
}

fn given_up() -> Report {
    unscanned("it was given up")
}

impl Hired {
    fn wait_at_most(&mut self, patience: Duration) -> io::Result<()> {
        if self.patience != patience {
            socket::set_patience(self.worker.socket(), Some(patience))?;
            self.patience = patience;
        }
        Ok(())
    }
}

fn died(detail: &str) -> Anomaly {
    Anomaly::new(AnomalyKind::WorkerDied, detail)
}

fn unscanned(detail: &str) -> Report {
    Report::unscanned(died(detail))
}
