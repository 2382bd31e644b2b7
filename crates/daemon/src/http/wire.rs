//! The bytes of a connection, in the clear or over TLS, with deadlines.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// After the last answer, so much of what the client still sends is thrown away, in bytes and in time.
const LINGER: (usize, Duration) = (4 << 20, Duration::from_secs(2));

/// A connection. Sockets of the file system are read and written just as those of the network.
pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Wire {
    /// A connection that was accepted. A client has `patience` to take what is sent.
    pub(super) fn new(socket: OwnedFd, tls: Option<Arc<ServerConfig>>, patience: Duration) -> io::Result<Wire> {
        let stream = TcpStream::from(socket);
        stream.set_write_timeout(Some(patience))?;
        match tls {
            None => Ok(Wire::Plain(stream)),
            Some(config) => {
                let connection = ServerConnection::new(config).map_err(io::Error::other)?;
                Ok(Wire::Tls(Box::new(StreamOwned::new(connection, stream))))
            }
        }
    }

    /// Some bytes; 0 at the end.
    ///
    /// # Errors
    /// `TimedOut` at the deadline, else the kernel's or those of TLS.
    pub(super) fn receive(&mut self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(ErrorKind::TimedOut.into());
        }
        self.socket().set_read_timeout(left)?;
        loop {
            let read = match self {
                Wire::Plain(stream) => stream.read(buffer),
                Wire::Tls(stream) => stream.read(buffer),
            };
            match read {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(ErrorKind::TimedOut.into()),
                // A client that closes without saying so in TLS has nothing more to send.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                read => return read,
            }
        }
    }

    /// Sends all of it.
    ///
    /// # Errors
    /// When the client does not take it.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Wire::Plain(stream) => stream.write_all(bytes),
            Wire::Tls(stream) => {
                stream.write_all(bytes)?;
                stream.flush()
            }
        }
    }

    /// Lets the client read the last answer, though it has not finished sending.
    pub(super) fn linger(&mut self) {
        let mut buffer = [0; 4096];
        let deadline = Instant::now().checked_add(LINGER.1);
        let mut left = LINGER.0;
        // TLS tells the client that this was all.
        self.say_goodbye();
        while left > 0 {
            match self.receive(&mut buffer, deadline) {
                Ok(0) | Err(_) => return,
                Ok(count) => left = left.saturating_sub(count),
            }
        }
    }

    /// Closes the connection.
    pub(super) fn close(mut self) {
        self.say_goodbye();
    }

    fn say_goodbye(&mut self) {
        if let Wire::Tls(stream) = self {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
        // It may be closed already.
        let _ = self.socket().shutdown(Shutdown::Write);
    }

    fn socket(&self) -> &TcpStream {
        match self {
            Wire::Plain(stream) => stream,
            Wire::Tls(stream) => &stream.sock,
        }
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket().as_fd()
    }
}
