//! One slot of the pool: a thread, a shared worker, and one file at a time.
//!
//! ```text
//! job -> shared worker -> report
//!                      -> isolate -> fresh worker -> report
//!        either one dies, is late, or talks nonsense -> killed; a report that says so
//! ```

use crate::busy::Busy;
use crate::control::{Control, Worker};
use crate::ends::{Loss, describe};
use crate::{Job, PoolError};
use dachs_base::{Anomaly, AnomalyKind, Limits, Report, RuleCosts, RuleRange, Switches};
use dachs_proto::{Body, LONGEST, Reply, Request};
use dachs_sys::socket;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

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

    /// Scans one file, whatever happens. `begin_alone` is called before a worker of its own is asked, which may take long.
    pub(crate) fn scan(&mut self, job: &Job, begin_alone: &mut dyn FnMut()) -> Report {
        if self.shop.busy.is_given_up(job.tag) {
            return unscanned("it was given up");
        }
        let answered = match self.ask_shared(job) {
            Ok(Body::Isolate(_)) => {
                begin_alone();
                self.ask_alone(job)
            }
            answered => answered,
        };
        match answered {
            Ok(Body::Report(report)) => report,
            Ok(_) => unscanned("its worker did not scan it"),
            Err(anomaly) => Report::unscanned(anomaly),
        }
    }

    /// Measures what some rules cost on one file.
    pub(crate) fn costs(&mut self, job: &Job, rules: RuleRange) -> Result<RuleCosts, Anomaly> {
        self.profile = Some(rules);
        match self.ask_shared(job)? {
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

    /// Asks the shared worker. A worker that had died before it got the file is replaced.
    fn ask_shared(&mut self, job: &Job) -> Result<Body, Anomaly> {
        for _ in 0..2 {
            let mut shared = self.shared()?;
            match self.ask(&mut shared, job, true) {
                Ok(body) => {
                    shared.files += 1;
                    self.shared = Some(shared);
                    return Ok(body);
                }
                Err(Loss::Undelivered) => {
                    self.shop.control.end(shared.worker);
                }
                Err(loss) => return Err(self.bury(shared.worker, &loss, job)),
            }
        }
        Err(died("its workers died before they got it"))
    }

    /// Asks a worker of its own.
    fn ask_alone(&mut self, job: &Job) -> Result<Body, Anomaly> {
        let mut own = self.hire(true)?;
        match self.ask(&mut own, job, false) {
            Ok(body) => {
                Control::kill(&own.worker);
                self.done = Some(own.worker);
                Ok(body)
            }
            Err(loss) => Err(self.bury(own.worker, &loss, job)),
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
    fn ask(&mut self, hired: &mut Hired, job: &Job, isolate: bool) -> Result<Body, Loss> {
        self.requests += 1;
        let Shop { limits, all_matches, rules_on_members, .. } = self.shop;
        let request = Request {
            number: self.requests,
            size: job.size,
            limits: limits.clone(),
            all_matches: *all_matches || job.all_matches,
            switches: self.shop.switches,
            isolate,
            rules_on_members: *rules_on_members,
            about: job.about.clone(),
            passwords: self.shop.passwords.clone(),
            profile: self.profile,
        };
        hired.wait_at_most(self.hard_deadline(job)).map_err(|_| Loss::Undelivered)?;
        let packet = request.encode().map_err(|_| Loss::Undelivered)?;
        let socket = hired.worker.socket();
        socket::send(socket, &packet, Some(job.file.as_fd())).map_err(|_| Loss::Undelivered)?;
        let _busy = self.shop.busy.enter(job.tag, hired.worker.handle());
        match self.reply(&hired.worker)? {
            Body::Panicked(place) => Err(Loss::Panicked(place)),
            Body::Costs(_) if self.profile.is_none() => Err(Loss::Nonsense("costs that nobody asked for".to_owned())),
            Body::Isolate(_) if !isolate => Err(Loss::Nonsense("the wish to be isolated twice".to_owned())),
            body => Ok(body),
        }
    }

    /// Waits for the reply, and believes nothing of it.
    fn reply(&mut self, worker: &Worker) -> Result<Body, Loss> {
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
            Ok(reply.body)
        } else {
            Err(Loss::Nonsense("a reply to nothing".to_owned()))
        }
    }

    fn hard_deadline(&self, job: &Job) -> Duration {
        self.shop.limits.time_for(job.size).saturating_add(GRACE).min(LONGEST_WAIT)
    }

    /// Ends a worker that was of no use, and says why the file was not scanned.
    fn bury(&self, worker: Worker, loss: &Loss, job: &Job) -> Anomaly {
        let end = self.shop.control.end(worker);
        describe(loss, end, &self.shop.limits, job.size)
    }
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
