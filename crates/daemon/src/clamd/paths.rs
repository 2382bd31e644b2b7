//! `SCAN`, `CONTSCAN`, `MULTISCAN` and `ALLMATCHSCAN`: the files under a path.
//!
//! Files are handed in a few ahead, and told in the order of the walk; `MULTISCAN` tells each as it is done; `SCAN` and
//! `ALLMATCHSCAN` have one file at a time and end at the first that is infected. Of a folder only what was found and what went wrong is told, and
//! one `OK` if that is nothing.

use std::collections::VecDeque;

use dachs_clamd::{Framing, Mode, reply};
use dachs_record::Record;

use super::{Conversation, Cut, Letter};
use crate::about;
use crate::scans::Ticket;
use crate::service::{Sentence, SentenceKind};
use crate::tree::{Found, Tree, What};
use crate::wake::{Watch, Woken};
use rustix::fd::AsFd;

/// A file of a walk, until it is told.
struct Step {
    number: u64,
    ticket: Option<Ticket>,
    path: Vec<u8>,
    size: u64,
    told: Option<Vec<Sentence>>,
}

/// How the walk goes.
struct Walk {
    id: Option<u64>,
    framing: Framing,
    mode: Mode,
    path: Vec<u8>,
    ahead: usize,
    steps: VecDeque<Step>,
    /// Lines that were sent.
    lines: u64,
    /// True once something was found in a file and that is enough.
    enough: bool,
}

impl Conversation<'_> {
    pub(super) fn scan_path(&mut self, id: Option<u64>, framing: Framing, mode: Mode, path: &[u8]) -> Result<(), Cut> {
        let (peer, service) = (self.peer.clone(), self.service);
        let jobs = service.desk.setting().jobs;
        let ahead = if matches!(mode, Mode::AllMatches | Mode::First) { 1 } else { jobs.saturating_mul(3) };
        let (path_asked, steps) = (path.to_vec(), VecDeque::new());
        let mut walk = Walk { id, framing, mode, path: path_asked, ahead, steps, lines: 0, enough: false };
        let mut tree = Tree::new(&peer, &service.settings.walk, path);
        let walked = self.walk(&mut walk, &mut tree);
        let is_folder = tree.is_folder;
        for ticket in walk.steps.iter().filter_map(|step| step.ticket.filter(|_| step.told.is_none())) {
            service.desk.cancel(ticket);
        }
        walked?;
        if is_folder && walk.lines == 0 {
            self.sentence(id, framing, path, &Sentence { text: "OK".to_owned(), kind: SentenceKind::Ok })?;
        }
        Ok(())
    }

    fn walk(&mut self, walk: &mut Walk, tree: &mut Tree<'_>) -> Result<(), Cut> {
        let mut over = false;
        while !(walk.enough || over && walk.steps.is_empty()) {
            if !over && walk.steps.len() < walk.ahead {
                match tree.next() {
                    None => over = true,
                    Some(found) => self.found(walk, found),
                }
                if !over && walk.steps.len() < walk.ahead && walk.steps.front().is_none_or(|step| step.told.is_none()) {
                    continue;
                }
            }
            self.tell_steps(walk, tree.is_folder)?;
            if walk.steps.len() >= walk.ahead || (over && !walk.steps.is_empty()) {
                self.wait_for_step(walk)?;
            }
        }
        Ok(())
    }

    fn found(&mut self, walk: &mut Walk, found: Found) {
        let Found { path, what } = found;
        let mut step = Step { number: 0, ticket: None, path, size: 0, told: None };
        match what {
            What::Excluded => {
                step.told = Some(vec![Sentence { text: "Excluded".to_owned(), kind: SentenceKind::Error }]);
            }
            What::Problem(reason) => step.told = Some(vec![Sentence::error(&reason)]),
            What::File(_, size) if size > self.service.settings.largest => {
                step.told = Some(self.told(walk, &Record::too_large(step.path.clone(), size)));
            }
            What::File(file, size) => {
                let about = about::of_file(&step.path, &file);
                match self.submit(file, size, walk.mode == Mode::AllMatches, about, None) {
                    Ok((number, ticket)) => {
                        (step.number, step.ticket, step.size) = (number, Some(ticket), size);
                    }
                    Err(refusal) => step.told = Some(vec![self.refused(&step.path, refusal)]),
                }
            }
        }
        walk.steps.push_back(step);
    }

    fn told(&self, walk: &Walk, record: &Record) -> Vec<Sentence> {
        self.service.sentences(record, walk.mode == Mode::AllMatches)
    }

    /// Sends what is due.
    fn tell_steps(&mut self, walk: &mut Walk, is_folder: bool) -> Result<(), Cut> {
        while !walk.enough {
            let ready = |step: &Step| step.told.is_some();
            let at = match walk.mode {
                Mode::Parallel => walk.steps.iter().position(ready),
                _ => walk.steps.front().filter(|step| ready(step)).map(|_| 0),
            };
            let Some(step) = at.and_then(|at| walk.steps.remove(at)) else { return Ok(()) };
            let first = matches!(walk.mode, Mode::AllMatches | Mode::First);
            let mut found = false;
            for sentence in step.told.unwrap_or_default() {
                if is_folder && sentence.kind == SentenceKind::Ok {
                    continue;
                }
                walk.lines += 1;
                found |= sentence.kind == SentenceKind::Found;
                self.sentence(walk.id, walk.framing, &step.path, &sentence)?;
            }
            walk.enough |= first && found;
        }
        Ok(())
    }

    fn wait_for_step(&mut self, walk: &mut Walk) -> Result<(), Cut> {
        if walk.steps.iter().all(|step| step.told.is_some()) {
            return Ok(());
        }
        if self.pending.is_empty() {
            // Whatever is told of a path begins with it.
            self.wait_for_letter(0, &reply::render(walk.id, walk.framing, &reply::line(walk.framing, &walk.path, "")))?;
        } else if self.mailbox.wait(Some(self.socket.as_fd()), Watch::Nothing, None) == Woken::Gone {
            return Err(self.gone());
        }
        let mut others = Vec::new();
        for Letter { number, scanned } in self.mailbox.take() {
            match walk.steps.iter_mut().find(|step| step.number == number && step.told.is_none()) {
                Some(step) => {
                    let record = self.service.conclude(&self.peer, &step.path, step.size, scanned);
                    step.told = Some(self.service.sentences(&record, walk.mode == Mode::AllMatches));
                }
                None if self.pending.contains_key(&number) => others.push(Letter { number, scanned }),
                None => {}
            }
        }
        // Of other commands of the conversation.
        others.into_iter().for_each(|letter| self.mailbox.put(letter));
        if self.pending.is_empty() { Ok(()) } else { self.take_letters() }
    }
}
