//! Tells systemd how we are: sd_notify(3).

use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The one who started us, if it wants to know.
#[derive(Debug)]
pub(crate) struct Starter {
    socket: Option<(UnixDatagram, SocketAddr)>,
    /// How often we must be heard of; absent if nobody watches.
    pub(crate) watchdog: Option<Duration>,
}

impl Starter {
    /// As `NOTIFY_SOCKET` and `WATCHDOG_USEC` say.
    pub(crate) fn new() -> Starter {
        let ours = std::env::var("WATCHDOG_PID").map_or(true, |pid| pid.parse() == Ok(std::process::id()));
        let micros = std::env::var("WATCHDOG_USEC").ok().and_then(|text| text.parse().ok()).filter(|_| ours);
        Starter { socket: socket(), watchdog: micros.map(Duration::from_micros) }
    }

    /// Says something; nobody may hear it.
    pub(crate) fn say(&self, text: &str) {
        if let Some((socket, address)) = &self.socket {
            let _ = socket.send_to_addr(text.as_bytes(), address);
        }
    }
}

fn socket() -> Option<(UnixDatagram, SocketAddr)> {
    let path = std::env::var_os("NOTIFY_SOCKET")?;
    let address = match path.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name).ok()?,
        _ => SocketAddr::from_pathname(&path).ok()?,
    };
    Some((UnixDatagram::unbound().ok()?, address))
}
