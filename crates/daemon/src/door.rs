//! Accepts connections and gives each to a thread.
//!
//! Threads, not an event loop: a connection is straight code with its deadlines beside it, TLS and disks may block it
//! without hurting others, and nothing has to be added to the dependencies. What threads cost is bounded: stacks are small
//! and touched little (about 20 KiB each), there are at most as many as connections, and idle ones end. At the bound
//! nothing is accepted, and the kernel keeps `MaxConnectionQueueLength` connections waiting; a client with three quarters
//! of all connections is turned away, so that the rest is for the others.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

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
/// How often an acceptor looks whether the service is being stopped.
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

/// A connection that waits for a thread.
struct Visitor {
    socket: OwnedFd,
    peer: Peer,
    speaks: Speaks,
}

/// The door.
pub(crate) struct Door {
    service: Arc<Service>,
    state: Mutex<State>,
    /// Rung when a visitor comes: one thread is enough for one visitor.
    came: Condvar,
    /// Rung when a place becomes free.
    left: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Visitor>,
    idle: usize,
    inside: usize,
    clients: HashMap<Client, usize>,
}

impl Door {
    pub(crate) fn new(service: Arc<Service>) -> Arc<Door> {
        Arc::new(Door { service, state: Mutex::default(), came: Condvar::new(), left: Condvar::new() })
    }

    /// Accepts at a listener until the service stops, in a thread of its own.
    ///
    /// # Errors
    /// When there can be no thread.
    pub(crate) fn open(self: &Arc<Door>, listener: Listener) -> std::io::Result<()> {
        let door = Arc::clone(self);
        thread::Builder::new().name("dachs-door".to_owned()).stack_size(STACK).spawn(move || door.accept(&listener))?;
        Ok(())
    }

    /// Connections now.
    pub(crate) fn inside(&self) -> usize {
        self.lock().inside
    }

    fn accept(self: &Arc<Door>, listener: &Listener) {
        while !self.service.is_stopping() {
            if !self.has_place() || !readable(&listener.socket) {
                continue;
            }
            match acceptfrom_with(&listener.socket, SocketFlags::CLOEXEC) {
                Ok((socket, address)) => self.admit(socket, address, &listener.speaks),
                Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => {}
                Err(error) => {
                    // Out of descriptors or memory: others will give some back.
                    self.service.log.error("a connection cannot be accepted", &error.to_string());
                    thread::sleep(Duration::from_millis(100));
                }
            }
        }
    }

    /// Waits a while for a free place.
    fn has_place(&self) -> bool {
        let full = |state: &mut State| state.inside >= self.service.settings.connections;
        let (state, _) = self
            .left
            .wait_timeout_while(self.lock(), Duration::from_secs(1), full)
            .unwrap_or_else(PoisonError::into_inner);
        state.inside < self.service.settings.connections
    }

    fn admit(self: &Arc<Door>, socket: OwnedFd, address: Option<SocketAddrAny>, speaks: &Speaks) {
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
            return;
        }
        *own += 1;
        state.inside += 1;
        state.waiting.push_back(Visitor { socket, peer, speaks: speaks.clone() });
        let wanted = state.waiting.len() > state.idle;
        drop(state);
        if wanted {
            self.employ();
        } else {
            self.came.notify_one();
        }
    }

    /// One more thread. Without one, the visitor waits for another to become free.
    fn employ(self: &Arc<Door>) {
        let door = Arc::clone(self);
        let employed =
            thread::Builder::new().name("dachs-client".to_owned()).stack_size(STACK).spawn(move || door.work());
        if let Err(error) = employed {
            self.service.log.error("no thread for a connection", &error.to_string());
        }
    }

    fn work(&self) {
        let mut buffer = Vec::new();
        while let Some(visitor) = self.visitor() {
            let client = visitor.peer.client;
            self.serve(visitor, &mut buffer);
            self.farewell(client);
        }
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

    /// The next visitor; none if there was none for a while.
    fn visitor(&self) -> Option<Visitor> {
        let mut state = self.lock();
        state.idle += 1;
        let nobody = |state: &mut State| state.waiting.is_empty();
        let idle = self.service.settings.idle;
        let (mut state, _) = self.came.wait_timeout_while(state, idle, nobody).unwrap_or_else(PoisonError::into_inner);
        state.idle -= 1;
        state.waiting.pop_front()
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
        drop(state);
        self.left.notify_all();
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

/// Waits a while for a connection.
fn readable(socket: &OwnedFd) -> bool {
    let mut polled = [PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN)];
    matches!(poll(&mut polled, Some(&TICK)), Ok(count) if count > 0)
}
