//! Accepts connections and serves each in a thread.
//!
//! Threads, not an event loop: a connection is straight code with its deadlines beside it, TLS and disks may block it
//! without hurting others, and nothing has to be added to the dependencies. What threads cost is bounded: stacks are small
//! and touched little (about 20 KiB each), there are at most as many as connections, and idle ones end.
//!
//! ```text
//! leader:   waits at the listeners, accepts ── makes another the leader ── serves ── is there a connection? ─ yes ─> serves it
//! follower: waits until it is made the leader; the last that came first                        └─ no ─> leader, or follower
//! ```
//!
//! So a connection is served by the thread that accepted it: nobody is woken in between, and with much to do hardly anybody
//! sleeps. At the bound nothing is accepted, and the kernel keeps `MaxConnectionQueueLength` connections waiting; a client with
//! three quarters of all connections is turned away, so that the rest is for the others.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{SocketAddrAny, SocketFlags, acceptfrom_with, sockopt};

use crate::clamd::Conversation;
use crate::http::Http;
use crate::peer::{Client, Peer};
use crate::service::Service;

/// A thread's stack in bytes; most of it is never touched.
const STACK: usize = 256 << 10;
/// How often the kernel asks whether a silent client over TCP is still there; after three questions it is gone.
const PROBE: Duration = Duration::from_secs(15);
/// How often the leader looks whether the service is being stopped.
const TICK: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// What is spoken behind a listener.
#[derive(Clone, Debug)]
pub(crate) enum Speaks {
    Clamd,
    Http(Arc<Http>),
}

/// A socket that is listened on.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) socket: OwnedFd,
    pub(crate) speaks: Speaks,
}

/// A connection that was let in.
struct Visitor {
    socket: OwnedFd,
    peer: Peer,
    speaks: Speaks,
}

/// The door.
pub(crate) struct Door {
    service: Arc<Service>,
    listeners: Vec<Listener>,
    /// Who looks next looks at this listener first.
    turn: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The number of the thread that waits at the listeners.
    leader: Option<u64>,
    followers: Vec<(u64, Thread)>,
    /// Threads, and how many there were.
    threads: usize,
    last: u64,
    /// Connections.
    inside: usize,
    clients: HashMap<Client, usize>,
}

impl Door {
    pub(crate) fn new(service: Arc<Service>, listeners: Vec<Listener>) -> Arc<Door> {
        Arc::new(Door { service, listeners, turn: AtomicUsize::new(0), state: Mutex::default() })
    }

    /// Accepts connections from now on, until the service stops.
    ///
    /// # Errors
    /// When there can be no thread.
    pub(crate) fn open(self: &Arc<Door>) -> std::io::Result<()> {
        let mut state = self.lock();
        self.employ(&mut state)
    }

    /// Connections now.
    pub(crate) fn inside(&self) -> usize {
        self.lock().inside
    }

    /// One more thread, which is the leader.
    fn employ(self: &Arc<Door>, state: &mut State) -> std::io::Result<()> {
        let (door, number) = (Arc::clone(self), state.last + 1);
        thread::Builder::new().name("dachs-client".to_owned()).stack_size(STACK).spawn(move || door.work(number))?;
        (state.last, state.leader) = (number, Some(number));
        state.threads += 1;
        Ok(())
    }

    fn work(self: &Arc<Door>, number: u64) {
        let mut buffer = Vec::new();
        while let Some(visitor) = self.visitor(number) {
            let client = visitor.peer.client;
            self.serve(visitor, &mut buffer);
            self.farewell(client);
        }
        self.lock().threads -= 1;
    }

    /// The next visitor; none if there was none for a while, or the service stops.
    fn visitor(self: &Arc<Door>, number: u64) -> Option<Visitor> {
        while !self.service.is_stopping() {
            if let Some(visitor) = self.accept() {
                self.resign(number);
                return Some(visitor);
            }
            if self.leads(number) {
                self.watch();
            } else if !self.follow(number) {
                return None;
            }
        }
        self.resign(number);
        None
    }

    /// True if this thread is the leader, or became it because there was none.
    fn leads(&self, number: u64) -> bool {
        *self.lock().leader.get_or_insert(number) == number
    }

    /// Makes another thread the leader, if this one is. There may be no more threads: then whoever is done first becomes it.
    fn resign(self: &Arc<Door>, number: u64) {
        let mut state = self.lock();
        if state.leader.is_some_and(|leader| leader != number) {
            return;
        }
        state.leader = None;
        if let Some((follower, thread)) = state.followers.pop() {
            state.leader = Some(follower);
            thread.unpark();
        } else if state.threads < self.service.settings.connections
            && !self.service.is_stopping()
            && let Err(error) = self.employ(&mut state)
        {
            drop(state);
            self.service.log.error("no thread for a connection", &error.to_string());
        }
    }

    /// Waits to be the leader. False if that took too long.
    fn follow(&self, number: u64) -> bool {
        let begin = Instant::now();
        let mut state = self.lock();
        if state.leader.is_none() {
            return true;
        }
        state.followers.push((number, thread::current()));
        loop {
            drop(state);
            thread::park_timeout(self.service.settings.idle);
            state = self.lock();
            if state.leader == Some(number) {
                return true;
            }
            if begin.elapsed() >= self.service.settings.idle || self.service.is_stopping() {
                state.followers.retain(|(other, _)| *other != number);
                return false;
            }
        }
    }

    /// Waits a while until somebody comes.
    fn watch(&self) {
        let polled =
            self.listeners.iter().map(|listener| PollFd::from_borrowed_fd(listener.socket.as_fd(), PollFlags::IN));
        // What fails here fails again when it is accepted, and is told there.
        let _ = poll(&mut polled.collect::<Vec<_>>(), Some(&TICK));
    }

    /// Lets somebody in who waits at a listener; none if nobody does.
    fn accept(&self) -> Option<Visitor> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.listeners.len().max(1);
        let (first, last) = self.listeners.split_at_checked(turn)?;
        last.iter().chain(first).find_map(|listener| self.accept_at(listener))
    }

    fn accept_at(&self, listener: &Listener) -> Option<Visitor> {
        loop {
            match acceptfrom_with(&listener.socket, SocketFlags::CLOEXEC) {
                Ok((socket, address)) => {
                    if let Some(visitor) = self.admit(socket, address, &listener.speaks) {
                        return Some(visitor);
                    }
                }
                Err(Errno::AGAIN) => return None,
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(error) => {
                    // Out of descriptors or memory: others will give some back.
                    self.service.log.error("a connection cannot be accepted", &error.to_string());
                    thread::sleep(Duration::from_millis(100));
                    return None;
                }
            }
        }
    }

    /// Lets somebody in; none who has too many connections already.
    fn admit(&self, socket: OwnedFd, address: Option<SocketAddrAny>, speaks: &Speaks) -> Option<Visitor> {
        let peer = match address.and_then(|address| std::net::SocketAddr::try_from(address).ok()) {
            Some(address) => {
                tune(&socket);
                Peer::remote(address.ip(), address.port())
            }
            None => Peer::local(&socket),
        };
        let mut state = self.lock();
        let most = self.service.settings.connections / 4 * 3;
        let own = state.clients.entry(peer.client).or_default();
        if *own >= most {
            drop(state);
            self.service.metrics.refused.add(1);
            return None;
        }
        *own += 1;
        state.inside += 1;
        Some(Visitor { socket, peer, speaks: speaks.clone() })
    }

    fn serve(&self, visitor: Visitor, buffer: &mut Vec<u8>) {
        let Visitor { socket, peer, speaks } = visitor;
        match speaks {
            Speaks::Clamd => {
                self.service.metrics.connections.add(1);
                match Conversation::new(&self.service, peer, socket) {
                    Ok(conversation) => conversation.run(buffer),
                    Err(error) => self.service.log.error("a connection cannot be served", &error.to_string()),
                }
            }
            Speaks::Http(http) => http.serve(&self.service, &peer, socket),
        }
    }

    fn farewell(&self, client: Client) {
        let mut state = self.lock();
        state.inside -= 1;
        if let Some(count) = state.clients.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                state.clients.remove(&client);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Small replies do not wait for more, and a client that vanished is noticed. Each is a service to clients, and none is needed.
fn tune(socket: &OwnedFd) {
    let _ = sockopt::set_tcp_nodelay(socket, true);
    let _ = sockopt::set_socket_keepalive(socket, true);
    let _ = sockopt::set_tcp_keepidle(socket, PROBE);
    let _ = sockopt::set_tcp_keepintvl(socket, PROBE);
    let _ = sockopt::set_tcp_keepcnt(socket, 3);
}
