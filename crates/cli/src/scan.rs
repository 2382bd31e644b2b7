//! The scan: walk, feed the workers, collect, write in order.
//!
//! ```text
//! Walk ──Step──> feed ──file──> Scanner (the pool) ──Finished──> collect ──Record──> Order ──> Writer
//!                  └────── what needs no scan ──────────────Record───────────────────┘
//! ```
//!
//! One thread does all of it: it opens files ahead of the workers up to [`Setting::ahead`], so the queue of the pool is
//! never long, few descriptors are open, and a slow file at the front of the order holds back only what [`Order`] has
//! room for. It decides nothing about content: reports come from workers, and are only given names here.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use dachs_base::{About, Anomaly, AnomalyKind, Limits, Report, Verdict};
use rustix::fd::OwnedFd;

use crate::action::{Action, Scanned};
use crate::input::{Input, Unopened, stdin};
use crate::interrupt::Interrupt;
use crate::order::Order;
use crate::output::Writer;
use crate::owners::Owners;
use crate::progress::Progress;
use crate::record::{Names, Record};
use crate::tally::Tally;
use crate::walk::{Candidate, Skip, Step};

/// How often the progress line changes and a signal is looked for, while nothing else happens.
const TICK: Duration = Duration::from_millis(100);

/// Scans files: the pool of workers, or a stand-in.
pub(crate) trait Scanner {
    /// Gives a file to be scanned, and what is known of it. Each file given comes back once from [`Scanner::wait`].
    ///
    /// # Errors
    /// A sentence, when nothing can be scanned any more.
    fn submit(&mut self, tag: u64, file: OwnedFd, size: u64, about: About) -> Result<(), String>;

    /// The next finished file; `None` if there is none within the time.
    ///
    /// # Errors
    /// A sentence, when nothing will ever come.
    fn wait(&mut self, patience: Duration) -> Result<Option<Finished>, String>;
}

/// A file that a scanner is done with.
#[derive(Debug)]
pub(crate) struct Finished {
    /// The tag it was given with.
    pub(crate) tag: u64,
    /// What was found.
    pub(crate) report: Report,
    /// How long it took.
    pub(crate) elapsed: Duration,
}

/// What a scan works with.
pub(crate) struct Setting<'a> {
    /// Names for the numbers in reports.
    pub(crate) names: &'a dyn Names,
    /// Tells when to end early.
    pub(crate) interrupt: &'a Interrupt,
    /// The line that shows how far it is.
    pub(crate) progress: &'a Progress,
    /// How many files are with the scanner at most.
    pub(crate) ahead: usize,
    /// How many bytes of standard input are read.
    pub(crate) stdin_quota: u64,
    /// What is done with detected files.
    pub(crate) action: Option<&'a Action>,
    /// True if files with weak detections only are acted on too.
    pub(crate) act_on_suspicious: bool,
    /// The size of the largest file that is looked at, in bytes.
    pub(crate) largest: u64,
    /// How much a report may hold.
    pub(crate) limits: &'a Limits,
    /// Names of users, if there are rules that may ask for path and owner.
    pub(crate) owners: Option<&'a Owners>,
}

/// Scans what `steps` finds. Trouble that ends it early comes beside the counts, which hold until then.
pub(crate) fn scan(
    steps: impl Iterator<Item = Step>,
    scanner: &mut dyn Scanner,
    writer: &mut dyn Writer,
    setting: &Setting<'_>,
) -> (Tally, Option<String>) {
    let begun = Instant::now();
    let mut scan =
        Scan { setting, scanner, writer, order: Order::new(), waiting: HashMap::new(), tally: Tally::default() };
    let trouble = scan.run(steps).and_then(|()| scan.written(|scan| scan.writer.finish(&scan.tally)));
    let mut tally = scan.tally;
    tally.time = begun.elapsed();
    match trouble {
        Ok(()) => (tally, None),
        Err(Ending::Interrupted) => {
            tally.interrupted = true;
            (tally, None)
        }
        Err(Ending::Trouble(reason)) => {
            tally.errors += 1;
            (tally, Some(reason))
        }
    }
}

/// Why a scan ends early.
enum Ending {
    /// Somebody asked for it, or nobody reads the results any more.
    Interrupted,
    /// Something broke.
    Trouble(String),
}

struct Scan<'a> {
    setting: &'a Setting<'a>,
    scanner: &'a mut dyn Scanner,
    writer: &'a mut dyn Writer,
    order: Order<Record>,
    waiting: HashMap<u64, Waiting>,
    tally: Tally,
}

/// A file that is with the scanner.
struct Waiting {
    path: Vec<u8>,
    size: u64,
    cut: Option<String>,
    /// The file as it was scanned, if something may have to be done with it.
    scanned: Option<Scanned>,
}

impl Scan<'_> {
    fn run(&mut self, mut steps: impl Iterator<Item = Step>) -> Result<(), Ending> {
        let mut shown = Instant::now();
        loop {
            let more = self.feed(&mut steps)?;
            self.write_ready()?;
            if self.setting.interrupt.asked() {
                self.written(|scan| scan.writer.finish(&scan.tally))?;
                return Err(Ending::Interrupted);
            }
            if !self.waiting.is_empty() {
                self.collect()?;
            } else if !more && self.order.is_empty() {
                return Ok(());
            }
            if shown.elapsed() >= TICK {
                shown = Instant::now();
                self.show();
            }
        }
    }

    /// Takes steps until enough is under way; false at the end of the walk.
    fn feed(&mut self, steps: &mut impl Iterator<Item = Step>) -> Result<bool, Ending> {
        while self.waiting.len() < self.setting.ahead && !self.order.is_full() && !self.setting.interrupt.asked() {
            match steps.next() {
                Some(step) => self.take(step)?,
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    fn take(&mut self, step: Step) -> Result<(), Ending> {
        match step {
            Step::File(candidate) => self.take_file(candidate),
            Step::Stdin => self.take_stdin(),
            Step::Gap { path, reason } => self.settle(Record::unreadable(path, None, reason)),
            Step::Skipped { path, why } => self.settle(Record::skipped(path, why)),
            Step::Wrong { path, reason } => self.settle(Record::wrong(path, reason)),
        }
    }

    fn take_file(&mut self, candidate: Candidate) -> Result<(), Ending> {
        match candidate.open(self.setting.interrupt) {
            Ok(input) => {
                let scanned = self.setting.action.and_then(|_| Scanned::new(&candidate, &input.file));
                self.submit(candidate.path, input, scanned)
            }
            Err(Unopened::Vanished) => self.settle(Record::skipped(candidate.path, Skip::Vanished)),
            Err(Unopened::Gap(reason)) => self.settle(Record::unreadable(candidate.path, Some(candidate.size), reason)),
        }
    }

    fn take_stdin(&mut self) -> Result<(), Ending> {
        match stdin(self.setting.stdin_quota, self.setting.interrupt) {
            Ok(input) => self.submit(b"-".to_vec(), input, None),
            Err(_) if self.setting.interrupt.asked() => Ok(()),
            Err(error) => self.settle(Record::unreadable(b"-".to_vec(), None, error.to_string())),
        }
    }

    fn submit(&mut self, path: Vec<u8>, input: Input, scanned: Option<Scanned>) -> Result<(), Ending> {
        if input.size > self.setting.largest {
            return self.settle(Record::too_large(path, input.size));
        }
        let tag = self.order.open();
        let about = self.setting.owners.map(|owners| owners.about(&path, &input.file)).unwrap_or_default();
        self.waiting.insert(tag, Waiting { path, size: input.size, cut: input.cut, scanned });
        self.scanner.submit(tag, input.file, input.size, about).map_err(Ending::Trouble)
    }

    /// Puts a record that needs no scan into the order.
    fn settle(&mut self, record: Record) -> Result<(), Ending> {
        let place = self.order.open();
        let weight = record.weight();
        self.order.fill(place, record, weight);
        Ok(())
    }

    /// Waits for one finished file, then takes all others that are there.
    fn collect(&mut self) -> Result<(), Ending> {
        let mut patience = TICK;
        while let Some(finished) = self.scanner.wait(patience).map_err(Ending::Trouble)? {
            self.finished(finished);
            patience = Duration::ZERO;
        }
        Ok(())
    }

    fn finished(&mut self, finished: Finished) {
        let Some(Waiting { path, size, cut, scanned }) = self.waiting.remove(&finished.tag) else {
            return;
        };
        let mut report = finished.report;
        if let Some(detail) = cut {
            report.note(Anomaly::new(AnomalyKind::Unreadable, detail), self.setting.limits);
        }
        let mut record = Record::scanned(path, size, finished.elapsed, report, self.setting.names);
        if self.is_acted_on(record.verdict()) {
            let nothing_to_act_on = || Err("there is no file to act on".to_owned());
            record.action =
                self.setting.action.map(|action| scanned.map_or_else(nothing_to_act_on, |file| action.act(&file)));
        }
        let weight = record.weight();
        self.order.fill(finished.tag, record, weight);
    }

    fn is_acted_on(&self, verdict: Option<Verdict>) -> bool {
        let weak = verdict == Some(Verdict::Suspicious) && self.setting.act_on_suspicious;
        weak || verdict == Some(Verdict::Detected)
    }

    /// Writes the records whose turn it is. The reports of workers that a signal ended with us are not written.
    fn write_ready(&mut self) -> Result<(), Ending> {
        let mut any = false;
        while !self.setting.interrupt.asked()
            && let Some(record) = self.order.pop()
        {
            self.tally.add(&record);
            self.written(|scan| scan.writer.record(&record))?;
            any = true;
        }
        if any { self.written(|scan| scan.writer.flush()) } else { Ok(()) }
    }

    /// Writes, and judges what went wrong: a reader that went away is a quiet end.
    fn written(&mut self, write: impl FnOnce(&mut Self) -> io::Result<()>) -> Result<(), Ending> {
        write(self).map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe => Ending::Interrupted,
            _ => Ending::Trouble(format!("the results cannot be written: {error}")),
        })
    }

    fn show(&self) {
        let path = self.waiting.iter().min_by_key(|(tag, _)| **tag).map(|(_, waiting)| waiting.path.as_slice());
        self.setting.progress.show(&self.tally, path.unwrap_or_default());
    }
}

#[cfg(test)]
mod tests;
