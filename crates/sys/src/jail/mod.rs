//! The layers between a parser and the machine.
//!
//! ```text
//! zygote   maps the image, then close(): user, namespaces, empty root, no capabilities, not dumpable,
//!    │     no_new_privs, Landlock, limits, filter of system calls (zygote.txt)          -> Closed
//!    │ fork(): each worker, with its socket as descriptor 3 and no other
//!    ▼
//! worker   tighten(): dies with the zygote, its own limits, its own filter (worker.txt) -> Jailed
//! ```
//!
//! [`Jailed`] is a proof: it can only be had by entering everything, and whoever touches content asks for it.
//!
//! Limits, `no_new_privs` and the filter must be there, or nothing is scanned. The other layers are entered as far as
//! kernel and rights allow; what is missing is told in [`Closed::layers`]. By measure, the filter alone leaves an attacker
//! one primitive, reading the file at hand; the others are there for the day on which a kernel bug opens it.

mod bounds;
mod fence;
mod filter;
mod fork;
pub mod list;
mod probe;
mod rooms;

pub use fork::{Child, End};
pub use probe::{Probe, State, probe};

use crate::process::exit_now;
use bounds::Sizes;
use filter::Filter;
use fork::{clone, keep_only};
use list::Rule;
use rooms::check;
use std::fmt;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

/// The number of the one socket: the control socket in the zygote, its own in a worker.
pub const SOCKET: i32 = 3;

/// What the jail must be made for, and which of it to leave out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plan {
    /// Memory that content may make a worker use, in bytes.
    pub memory: u64,
    /// Size of the mapped image in bytes.
    pub mapped: u64,
    /// What a worker exits with when it uses more memory.
    pub memory_code: i32,
    /// Many workers will be forked: what makes each cheaper may cost a millisecond before.
    pub many: bool,
    /// The layer that is left out.
    #[cfg(feature = "attack")]
    pub without: Option<Layer>,
    /// The rule that is left out of the worker's list, counted from 0.
    #[cfg(feature = "attack")]
    pub without_rule: Option<usize>,
    /// The rule that is left out of the zygote's list, counted from 0.
    #[cfg(feature = "attack")]
    pub without_zygote_rule: Option<usize>,
}

/// Layers that tests can leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// The change to the user nobody.
    User,
    /// All namespaces and the empty root.
    Rooms,
    /// Landlock.
    Landlock,
    /// The limits of a worker.
    Limits,
    /// The filters of system calls.
    Filter,
}

#[cfg(feature = "attack")]
impl Plan {
    fn has(&self, layer: Layer) -> bool {
        self.without != Some(layer)
    }

    fn without_rule(&self) -> Option<usize> {
        self.without_rule
    }

    fn without_zygote_rule(&self) -> Option<usize> {
        self.without_zygote_rule
    }
}

/// Outside of tests nothing is left out.
#[cfg(not(feature = "attack"))]
impl Plan {
    fn has(&self, _layer: Layer) -> bool {
        true
    }

    fn without_rule(&self) -> Option<usize> {
        None
    }

    fn without_zygote_rule(&self) -> Option<usize> {
        None
    }
}

/// What became of one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its name.
    pub layer: &'static str,
    /// True if it was entered.
    pub on: bool,
    /// How far it goes, or why it is off.
    pub detail: String,
}

impl Status {
    fn on(layer: &'static str, detail: impl Into<String>) -> Status {
        Status { layer, on: true, detail: detail.into() }
    }

    fn off(layer: &'static str, detail: impl Into<String>) -> Status {
        Status { layer, on: false, detail: detail.into() }
    }
}

/// A layer that must be there is not.
#[derive(Debug)]
pub struct JailError {
    layer: &'static str,
    why: String,
}

impl fmt::Display for JailError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the jail cannot be closed: {}: {}", self.layer, self.why)
    }
}

impl std::error::Error for JailError {}

fn needed(layer: &'static str) -> impl Fn(io::Error) -> JailError {
    move |error| JailError { layer, why: error.to_string() }
}

/// The closed jail, as the zygote has it.
pub struct Closed {
    plan: Plan,
    layers: Vec<Status>,
    sizes: Sizes,
    filter: Filter,
    /// Keeps the first process of the process namespace waiting.
    keeper: Option<OwnedFd>,
}

/// Proof that this process is in the jail, all of it, for good. Whoever touches content asks for it.
#[derive(Debug)]
pub struct Jailed(());

/// Who one is after a fork.
pub enum Fork<'a> {
    /// The new process. Its only descriptors are 0 to 2 and [`SOCKET`].
    Worker(Loose<'a>),
    /// The old one: whom it forked, and a descriptor of that process.
    Zygote(Child, OwnedFd),
}

/// A new worker that has not yet [tightened](Loose::tighten) its jail.
pub struct Loose<'a>(&'a Closed);

/// Closes the jail around this process, which must have one thread and needs nothing more from the outside.
///
/// # Errors
/// When a layer that must be there cannot be entered.
pub fn close(plan: Plan) -> Result<Closed, JailError> {
    // For the workers, which inherit it.
    crate::alloc::keep_freed();
    crate::alloc::set_aside();
    if plan.many {
        // What cannot be made faster works all the same.
        let _ = crate::code::enlarge();
    }
    let sizes = bounds::sizes(plan.mapped);
    let worker = worker_filter(&plan)?;
    let own = zygote_filter(&plan)?;
    default_signals().map_err(needed("signals"))?;
    let rooms::Entered { mut layers, processes } = rooms::enter(plan.has(Layer::User), plan.has(Layer::Rooms));
    set(libc::PR_SET_DUMPABLE, 0).map_err(needed("not dumpable"))?;
    set(libc::PR_SET_NO_NEW_PRIVS, 1).map_err(needed("no new privileges"))?;
    layers.push(Status::on("no new privileges", ""));
    layers.push(if plan.has(Layer::Landlock) {
        fence::enter()
    } else {
        Status::off("landlock", "left out on purpose")
    });
    bounds::zygote().map_err(needed("limits"))?;
    layers.push(Status::on("limits", format!("{} bytes of memory", plan.memory.saturating_add(bounds::MARGIN))));
    let mut closed = Closed { plan, layers, sizes, filter: worker, keeper: None };
    if processes {
        closed.start_keeper().map_err(needed("process namespace"))?;
    }
    if plan.has(Layer::Filter) {
        own.enter().map_err(|why| JailError { layer: "system calls", why })?;
        closed.layers.push(Status::on("system calls", "listed ones only, any other kills"));
    }
    Ok(closed)
}

/// The rules of a list, but for the one that a test wants to do without.
fn rules(text: &str, without: Option<usize>) -> Result<Vec<Rule>, JailError> {
    let mut rules = list::parse(text).map_err(|mistake| no_filter(mistake.to_string()))?;
    if let Some(rule) = without.filter(|rule| *rule < rules.len()) {
        rules.remove(rule);
    }
    Ok(rules)
}

fn no_filter(why: String) -> JailError {
    JailError { layer: "system calls", why }
}

fn worker_filter(plan: &Plan) -> Result<Filter, JailError> {
    let mut all = rules(list::WORKER, plan.without_rule())?;
    all.extend(rules(list::DEBUG, None)?);
    Filter::new(&all).map_err(no_filter)
}

fn zygote_filter(plan: &Plan) -> Result<Filter, JailError> {
    let mut all = rules(list::WORKER, None)?;
    all.extend(rules(list::DEBUG, None)?);
    all.extend(rules(list::ZYGOTE, plan.without_zygote_rule())?);
    Filter::new(&all).map_err(no_filter)
}

/// A crash ends the process at once, without the runtime's attempt to write about it.
fn default_signals() -> io::Result<()> {
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        // SAFETY: the default action runs no code of ours.
        if unsafe { libc::signal(signal, libc::SIG_DFL) } == libc::SIG_ERR {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

fn set(option: libc::c_int, value: libc::c_ulong) -> io::Result<()> {
    // SAFETY: options that take a number and change this process alone.
    check(unsafe { libc::prctl(option, value, 0, 0, 0) })
}

impl Closed {
    /// Forks a worker that has `socket` and no other descriptor.
    ///
    /// # Errors
    /// The kernel's: too many processes, no memory.
    pub fn fork(&self, socket: OwnedFd) -> io::Result<Fork<'_>> {
        if let Some((child, handle)) = clone()? {
            return Ok(Fork::Zygote(child, handle));
        }
        if keep_only(socket).is_err() {
            // A copy that holds the zygote's socket must not go on.
            exit_now(1);
        }
        Ok(Fork::Worker(Loose(self)))
    }

    /// What became of each layer.
    #[must_use]
    pub fn layers(&self) -> &[Status] {
        &self.layers
    }

    /// Starts the first process of the process namespace, which only waits: with it the namespace ends.
    fn start_keeper(&mut self) -> io::Result<()> {
        let (ours, its) = crate::socket::pair()?;
        match clone()? {
            Some(_) => self.keeper = Some(ours),
            None => {
                let waiting = keep_only(its).is_ok()
                    && (!self.plan.has(Layer::Filter) || self.filter.enter().is_ok())
                    && crate::socket::receive(socket(), &mut [0]).is_ok();
                exit_now(i32::from(!waiting));
            }
        }
        Ok(())
    }
}

impl Loose<'_> {
    /// The last steps of a new worker. `expected`: bytes of the file that it is for, if it is for one.
    ///
    /// # Errors
    /// When a layer that must be there cannot be entered.
    pub fn tighten(self, expected: u64) -> Result<Jailed, JailError> {
        let Closed { plan, sizes, filter, .. } = self.0;
        let killed = libc::c_ulong::from(libc::SIGKILL.unsigned_abs());
        set(libc::PR_SET_PDEATHSIG, killed).map_err(needed("death with the zygote"))?;
        if plan.has(Layer::Limits) {
            bounds::worker(*sizes, plan.memory).map_err(needed("limits"))?;
        }
        crate::alloc::prepare(expected);
        if plan.has(Layer::Filter) {
            filter.enter().map_err(|why| JailError { layer: "system calls", why })?;
        }
        crate::alloc::arm(plan.memory.saturating_add(bounds::MARGIN), plan.memory_code);
        Ok(Jailed(()))
    }
}

/// The one socket of this process.
#[must_use]
pub fn socket() -> BorrowedFd<'static> {
    // SAFETY: whoever runs in the zygote or a worker has it open to the end; elsewhere a call on it fails.
    unsafe { BorrowedFd::borrow_raw(SOCKET) }
}
