//! The main thread once all is running: signals, wishes, reloads, and the end.
//!
//! ```text
//! SIGTERM SIGINT, SHUTDOWN ──> stop: accept no more, finish what is at hand, at most DachsStopTimeout
//! SIGUSR2, RELOAD, SelfCheck ─> reload in a thread of its own; another wish meanwhile is remembered, once
//! SIGHUP ────────────────────> the log file is opened anew
//! ```
//!
//! A reload loads the new content, starts workers with it and has them scan harmless bytes; only then does new work go to
//! them. Whatever fails leaves everything as it is, and is told by the log, the metrics and `/readyz`.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR2};

use crate::content::{Content, Trust};
use crate::log::Level;
use crate::notify::Starter;
use crate::scans::Desk;
use crate::service::{Service, Wish};

/// What every content must let through: nothing, a text, and the beginning of a program.
const TRIAL: [&[u8]; 3] =
    [b"", b"Dachs self-test: this is harmless text.\n", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0"];
/// How often it is looked whether something is due.
const TICK: Duration = Duration::from_secs(1);

/// Signals, told apart by the socket on which they ring.
pub(crate) struct Signals {
    stop: UnixStream,
    reload: UnixStream,
    reopen: UnixStream,
}

impl Signals {
    /// Listens for them from now on.
    ///
    /// # Errors
    /// When the system does not let us.
    pub(crate) fn new() -> io::Result<Signals> {
        let on = |signals: &[i32]| -> io::Result<UnixStream> {
            let (here, there) = UnixStream::pair()?;
            here.set_nonblocking(true)?;
            for signal in signals {
                signal_hook::low_level::pipe::register(*signal, there.try_clone()?)?;
            }
            Ok(here)
        };
        Ok(Signals { stop: on(&[SIGTERM, SIGINT])?, reload: on(&[SIGUSR2])?, reopen: on(&[SIGHUP])? })
    }
}

/// True if a signal rang.
fn rang(socket: &UnixStream) -> bool {
    use std::io::Read;
    matches!((&*socket).read(&mut [0; 64]), Ok(count) if count > 0)
}

/// Loads content and puts it to work.
///
/// # Errors
/// A sentence; everything stays as it was.
pub(crate) fn begin(service: &Service) -> Result<(), String> {
    put_to_work(service, Instant::now(), service.settings.origin.load()?)
}

/// As [`begin`], but the content is read wholly first: there is other content to scan with meanwhile.
fn renew(service: &Service) -> Result<(), String> {
    let begin = Instant::now();
    let content = service.settings.origin.load()?;
    content.verify(Trust::Own)?;
    put_to_work(service, begin, content)
}

fn put_to_work(service: &Service, begin: Instant, content: Content) -> Result<(), String> {
    let (signatures, daily) = (content.facts.signatures.to_string(), content.daily());
    service.desk.replace(content, &TRIAL)?;
    let time = format!("{:.3}", begin.elapsed().as_secs_f64());
    let values: [(&str, &[u8]); 3] =
        [("signatures", signatures.as_bytes()), ("version", daily.as_bytes()), ("seconds", time.as_bytes())];
    service.log.event(Level::Notice, "loaded", &values);
    Ok(())
}

/// Checks what was begun with, then reloads when told to, one after the other.
fn reloader(service: &Service, orders: &Receiver<()>) {
    if let Some(Err(reason)) = service.desk.content().map(|content| content.verify(Trust::Own)) {
        service.log.error("content is used that should be replaced", &reason);
        *service.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    }
    while orders.recv().is_ok() {
        // Several wishes are one.
        while orders.try_recv().is_ok() {}
        let outcome = renew(service);
        match &outcome {
            Ok(()) => service.metrics.reloads.add(1),
            Err(reason) => {
                service.metrics.failed_reloads.add(1);
                service.log.error("reload failed; the old content stays", reason);
            }
        }
        *service.trouble.lock().unwrap_or_else(PoisonError::into_inner) = outcome.err();
    }
}

/// Keeps the service until it is to stop. Then waits until what is at hand is done; true if all of it was.
///
/// # Errors
/// When there can be no thread.
pub(crate) fn keep(service: &Arc<Service>, signals: &Signals, starter: &Starter) -> io::Result<bool> {
    let (orders, received) = channel();
    let reloading = Arc::clone(service);
    thread::Builder::new().name("dachs-reload".to_owned()).spawn(move || reloader(&reloading, &received))?;
    let mut keeper = Keeper::new(service, starter, orders);
    while !keeper.turn(signals) {}
    starter.say("STOPPING=1");
    service.log.event(Level::Notice, "stopping", &[]);
    service.stopping.store(true, Ordering::Relaxed);
    Ok(stop(&service.desk, service.settings.stop))
}

fn stop(desk: &Arc<Desk>, patience: Duration) -> bool {
    let deadline = crate::wake::after(patience).unwrap_or_else(Instant::now);
    let done = desk.stop(deadline);
    // The replies are on their way.
    thread::sleep(Duration::from_millis(50));
    done
}

struct Keeper<'a> {
    service: &'a Service,
    starter: &'a Starter,
    orders: Sender<()>,
    checked: Instant,
    stamp: u64,
}

impl Keeper<'_> {
    fn new<'a>(service: &'a Service, starter: &'a Starter, orders: Sender<()>) -> Keeper<'a> {
        Keeper { service, starter, orders, checked: Instant::now(), stamp: service.settings.origin.stamp() }
    }

    /// Waits for what comes, and does it; true if that is the end.
    fn turn(&mut self, signals: &Signals) -> bool {
        self.wait(signals);
        if self.starter.watchdog.is_some() {
            // It takes the desk's lock: a service whose desk hangs is not alive.
            let _ = self.service.desk.load();
            self.starter.say("WATCHDOG=1");
        }
        let wishes = self.service.wishes.take();
        if rang(&signals.stop) || wishes.contains(&Wish::Stop) {
            return true;
        }
        if rang(&signals.reopen) {
            self.service.log.reopen();
        }
        if rang(&signals.reload) || wishes.contains(&Wish::Reload) {
            self.order();
        }
        self.check();
        self.service.desk.clear();
        false
    }

    fn wait(&self, signals: &Signals) {
        let patience = self.starter.watchdog.map_or(TICK, |watchdog| (watchdog / 3).min(TICK));
        let Ok(patience) = Timespec::try_from(patience) else { return };
        let sockets = [&signals.stop, &signals.reload, &signals.reopen];
        let mut polled: Vec<PollFd<'_>> = sockets.iter().map(|socket| PollFd::new(*socket, PollFlags::IN)).collect();
        polled.push(PollFd::from_borrowed_fd(self.service.wishes.as_fd(), PollFlags::IN));
        // A signal may end the wait early.
        let _ = poll(&mut polled, Some(&patience));
    }

    fn order(&mut self) {
        self.stamp = self.service.settings.origin.stamp();
        // The thread lives as long as we do.
        let _ = self.orders.send(());
    }

    /// Looks for changed databases.
    fn check(&mut self) {
        let Some(interval) = self.service.settings.self_check else { return };
        if self.checked.elapsed() >= interval {
            self.checked = Instant::now();
            if self.service.settings.origin.stamp() != self.stamp {
                self.service.log.info("databases changed", "reloading");
                self.order();
            }
        }
    }
}
