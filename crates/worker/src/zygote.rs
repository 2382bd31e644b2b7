//! The zygote: maps the image, compiles its YARA rules, closes the jail, and from then on only forks.

use crate::rules;
use crate::scan::Content;
use crate::{Engine, scan};
use dachs_proto::{Answer, End, JailReport, LayerReport, Order, Setup, Workload, exit};
use dachs_sigdb::Image;
use dachs_sys::jail::{self, Child, Closed, Fork, Plan, socket};
use dachs_sys::map::Map;
use dachs_sys::process::{exit_now, take_over};
use dachs_sys::socket::{receive, receive_with_descriptor, send};
use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// No order is longer.
const ORDER: usize = 64;
/// Longer sentences are cut to this many characters.
const SENTENCE: usize = 500;

/// The zygote could not begin, or nobody listens to it any more in a way it did not expect.
pub(crate) struct Failure;

/// Runs until the pool closes the control socket.
pub(crate) fn run(engine: Engine, change: impl FnOnce(Plan) -> Plan) -> Result<(), Failure> {
    let image = take_over().map_err(|_| Failure)?;
    std::panic::set_hook(Box::new(scan::last_words));
    let setup = setup()?;
    let map = map(image.as_fd(), setup.workload)?;
    drop(image);
    let image = Image::new(&map).map_err(|error| refuse(&error.to_string()))?;
    let rules = rules::compile(&image).map_err(|reason| refuse(&reason))?;
    let content = Content { image, rules };
    let mapped = u64::try_from(map.len()).unwrap_or(u64::MAX);
    let many = setup.workload != Workload::Few;
    #[allow(clippy::needless_update, reason = "tests build a Plan with more fields")]
    let plan = change(Plan { memory: setup.memory, mapped, memory_code: exit::MEMORY, many, ..Plan::default() });
    // The keys of hash tables are drawn once in a process, and not by a system call inside the jail.
    let children = HashMap::new();
    let closed = jail::close(plan).map_err(|error| refuse(&error.to_string()))?;
    answer(&Answer::Ready(report(&closed)), None)?;
    let forked = Answer::Forked.encode().map_err(|_| Failure)?;
    Zygote { closed, content, engine, children, ending: Vec::new(), forked }.obey()
}

/// The image. For many workers, what most of them read lies in large pages, if there are any.
fn map(image: BorrowedFd<'_>, workload: Workload) -> Result<Map, Failure> {
    let map = Map::new(image).map_err(|error| refuse(&format!("the image cannot be mapped: {error}")))?;
    if workload != Workload::Many {
        return Ok(map);
    }
    let often = Image::new(&map).map(|image| image.asked_often()).unwrap_or_default();
    Ok(Map::partly_copied(image, &often).unwrap_or(map))
}

fn setup() -> Result<Setup, Failure> {
    let mut packet = [0; ORDER];
    let length = receive(socket(), &mut packet).map_err(|_| Failure)?;
    Setup::decode(packet.get(..length).unwrap_or_default()).map_err(|_| Failure)
}

fn refuse(reason: &str) -> Failure {
    let _ = answer(&Answer::Refused(reason.chars().take(SENTENCE).collect()), None);
    Failure
}

fn answer(answer: &Answer, handle: Option<BorrowedFd<'_>>) -> Result<(), Failure> {
    let packet = answer.encode().map_err(|_| Failure)?;
    send(socket(), &packet, handle).map_err(|_| Failure)
}

fn report(closed: &Closed) -> JailReport {
    let layer = |status: &jail::Status| LayerReport {
        layer: status.layer.to_owned(),
        on: status.on,
        detail: status.detail.clone(),
    };
    JailReport { layers: closed.layers().iter().map(layer).collect() }
}

struct Zygote<'a> {
    closed: Closed,
    content: Content<'a>,
    engine: Engine,
    children: HashMap<u64, Child>,
    /// Those that nobody asks about any more, and that had not yet ended.
    ending: Vec<Child>,
    /// The answer to most orders. Each page that is written after a fork is copied before, those of the allocator as well.
    forked: Vec<u8>,
}

impl Zygote<'_> {
    /// One order after another.
    fn obey(mut self) -> Result<(), Failure> {
        let mut packet = [0; ORDER];
        loop {
            let (length, descriptor) = receive_with_descriptor(socket(), &mut packet).map_err(|_| Failure)?;
            if length == 0 {
                return Ok(());
            }
            match (Order::decode(packet.get(..length).unwrap_or_default()), descriptor) {
                (Ok(Order::Fork { worker, alone, done }), Some(its)) => {
                    if alone.is_some() {
                        self.content.image.make_ready();
                    }
                    self.fork(worker, alone.unwrap_or(0), its)?;
                    self.forget(done);
                }
                (Ok(Order::Wait { worker }), None) => {
                    self.wait(worker)?;
                    self.forget(None);
                }
                _ => return Err(Failure),
            }
        }
    }

    /// Forks a worker that may have to do with a file of this size soon.
    fn fork(&mut self, worker: u64, size: u64, its: OwnedFd) -> Result<(), Failure> {
        match self.closed.fork(its) {
            Ok(Fork::Worker(loose)) => exit_now(match loose.tighten(size) {
                Ok(jailed) => scan::serve(&jailed, &self.content, self.engine),
                Err(_) => exit::JAIL,
            }),
            Ok(Fork::Zygote(child, handle)) => {
                self.children.insert(worker, child);
                send(socket(), &self.forked, Some(handle.as_fd())).map_err(|_| Failure)
            }
            Err(error) => answer(&Answer::NotForked(error.raw_os_error().unwrap_or_default()), None),
        }
    }

    /// Takes note of the ends that nobody asks about; of those that are still to come, next time.
    fn forget(&mut self, done: Option<u64>) {
        self.ending.extend(done.and_then(|worker| self.children.remove(&worker)));
        self.ending.retain(|child| !child.has_ended());
    }

    fn wait(&mut self, worker: u64) -> Result<(), Failure> {
        let end = match self.children.remove(&worker).map(Child::wait) {
            Some(Ok(jail::End::Exited(code))) => End::Exited(code),
            Some(Ok(jail::End::Killed(signal))) => End::Killed(signal),
            Some(Err(_)) | None => End::Unknown,
        };
        answer(&Answer::Ended(end), None)
    }
}
