//! HTTP: the same scans for new clients, with JSON, events, metrics and health.
//!
//! ```text
//! wire (socket or TLS) ──> dachs_http::Head ──> gate: token, rate, how many at once ──> route
//!                                                  POST /v1/scan: body or form ──> spool ──> desk ──> JSON
//! ```
//!
//! The routes stand in [`routes::ROUTES`]; the OpenAPI document that is served is made from the same table. Requests of one
//! connection are answered one after the other. Every answer has `X-Request-Id`: the client's, if it is a harmless one.

mod gate;
mod routes;
mod scan;
mod tls;
mod wire;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use dachs_http::{Head, LONGEST_HEAD, Response, problem};
use rustix::fd::OwnedFd;

use crate::door::Door;
use crate::peer::Peer;
use crate::service::Service;
use crate::settings::HttpSettings;
use gate::Gate;
use wire::Wire;

/// Bytes that are read at once.
const READ: usize = 16 << 10;

/// What all connections over HTTP share.
pub(crate) struct Http {
    gate: Gate,
    tls: Option<Arc<rustls::ServerConfig>>,
    door: OnceLock<Arc<Door>>,
    requests: AtomicU64,
    /// Requests that are answered now.
    busy: AtomicUsize,
    /// Readers of events now.
    readers: AtomicUsize,
    concurrent: usize,
}

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Http")
    }
}

/// The connection is over.
struct Over;

/// One request and where its answer goes.
struct Exchange<'a> {
    service: &'a Service,
    http: &'a Http,
    peer: &'a Peer,
    wire: &'a mut Wire,
    head: Head,
    /// Its number.
    id: String,
    /// Bytes that came with the head.
    ahead: Vec<u8>,
    /// True if the body was read to its end, so that another request may follow.
    is_read: bool,
}

impl Http {
    /// Reads tokens, certificates and keys.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub(crate) fn new(settings: &HttpSettings) -> Result<Http, String> {
        Ok(Http {
            gate: Gate::new(settings)?,
            tls: tls::config(settings)?.map(Arc::new),
            door: OnceLock::new(),
            requests: AtomicU64::new(0),
            busy: AtomicUsize::new(0),
            readers: AtomicUsize::new(0),
            concurrent: settings.concurrent,
        })
    }

    /// Connections can be counted from now on.
    pub(crate) fn ready(&self, door: Arc<Door>) {
        // It is told once.
        let _ = self.door.set(door);
    }

    /// Serves one connection.
    pub(crate) fn serve(&self, service: &Service, peer: &Peer, socket: OwnedFd) {
        let Ok(mut wire) = Wire::new(socket, self.tls.clone(), service.settings.clamd.send) else { return };
        let mut ahead = Vec::new();
        while let Ok(Some(head)) = self.head(service, peer, &mut wire, &mut ahead) {
            service.metrics.requests.add(1);
            let keeps_alive = head.keeps_alive() && !service.is_stopping();
            let id = self.number(&head);
            let mut exchange = Exchange { service, http: self, peer, wire: &mut wire, head, id, ahead, is_read: false };
            let answered = exchange.answer(keeps_alive);
            ahead = std::mem::take(&mut exchange.ahead);
            if answered.is_err() || !keeps_alive || !exchange.is_read {
                break;
            }
        }
        wire.close();
    }

    /// The next head; none if the client has no more to ask.
    fn head(&self, service: &Service, peer: &Peer, wire: &mut Wire, ahead: &mut Vec<u8>) -> Result<Option<Head>, Over> {
        let deadline = Instant::now().checked_add(service.settings.clamd.command);
        let mut buffer = vec![0; READ];
        loop {
            match Head::parse(ahead) {
                Ok(Some((head, length))) => {
                    ahead.drain(..length);
                    return Ok(Some(head));
                }
                Ok(None) if ahead.len() < LONGEST_HEAD => {}
                Ok(None) => return Ok(None),
                Err(refusal) => {
                    let response = problem(refusal.status, refusal.detail, &self.number(&Head::default()));
                    let _ = wire.send(&response.render(false, false));
                    return Err(Over);
                }
            }
            match wire.receive(&mut buffer, deadline) {
                Ok(0) => return Ok(None),
                Ok(count) => ahead.extend_from_slice(buffer.get(..count).unwrap_or_default()),
                Err(_) if ahead.is_empty() => return Ok(None),
                Err(_) => {
                    service.metrics.slow.add(1);
                    service.log.info("slow request", &peer.to_string());
                    let response = problem(408, "the request did not come in time", &self.number(&Head::default()));
                    let _ = wire.send(&response.render(false, false));
                    return Err(Over);
                }
            }
        }
    }

    /// The number of a request.
    fn number(&self, head: &Head) -> String {
        let harmless = |id: &&str| {
            (1..=64).contains(&id.len())
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        match head.header("x-request-id").filter(harmless) {
            Some(id) => id.to_owned(),
            None => format!("{}-{}", std::process::id(), self.requests.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// Connections now.
    fn connections(&self) -> usize {
        self.door.get().map_or(0, |door| door.inside())
    }
}

impl Exchange<'_> {
    fn answer(&mut self, keeps_alive: bool) -> Result<(), Over> {
        let route = routes::find(&self.head);
        let busy = Busy::enter(&self.http.busy);
        let response = match route {
            Err(response) => response(&self.id),
            Ok(route) => match self.http.gate.admit(self.peer, &self.head, route.is_open) {
                Err(refusal) => refusal.response(&self.id),
                Ok(()) if busy.count > self.http.concurrent && !route.is_open => {
                    self.service.metrics.refused.add(1);
                    problem(503, "too many requests are being answered", &self.id).with("Retry-After", "1")
                }
                Ok(()) => match routes::run(self, route)? {
                    Some(response) => response,
                    None => return Err(Over),
                },
            },
        };
        if !self.is_read && self.head.body().is_ok_and(|body| body.is_over()) {
            self.is_read = true;
        }
        self.log(&response);
        let response = response.with("X-Request-Id", &self.id);
        let without_body = self.head.method == "HEAD";
        self.wire.send(&response.render(keeps_alive && self.is_read, without_body)).map_err(|_| Over)?;
        if !self.is_read {
            self.wire.linger();
        }
        Ok(())
    }

    fn log(&self, response: &Response) {
        let (client, status) = (self.peer.to_string(), response.status.to_string());
        let request = format!("{} {}", self.head.method, self.head.path);
        let values: [(&str, &[u8]); 4] = [
            ("client", client.as_bytes()),
            ("request", request.as_bytes()),
            ("status", status.as_bytes()),
            ("id", self.id.as_bytes()),
        ];
        self.service.log.event(crate::log::Level::Debug, "http", &values);
    }
}

/// Something that is counted while it lasts.
struct Busy<'a> {
    counter: &'a AtomicUsize,
    /// How many there were, this one included.
    count: usize,
}

impl Busy<'_> {
    fn enter(counter: &AtomicUsize) -> Busy<'_> {
        Busy { counter, count: counter.fetch_add(1, Ordering::Relaxed) + 1 }
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.counter.fetch_sub(1, Ordering::Relaxed);
    }
}
