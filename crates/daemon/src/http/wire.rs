//! The bytes of a connection, in the clear or over TLS, with deadlines.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// After the last answer, so much of what the client still sends is thrown away, in bytes and in time.
const LINGER: (usize, Duration) = (4 << 20, Duration::from_secs(2));

/// How every answer begins.
const BEGINNING: &[u8] = b"H";

/// A connection. Sockets of the file system are read and written just as those of the network.
pub(super) struct Wire {
    stream: Stream,
    /// [`BEGINNING`] was sent of the next answer.
    begun: bool,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Wire {
    /// A connection that was accepted. A client has `patience` to take what is sent.
    pub(super) fn new(socket: OwnedFd, tls: Option<Arc<ServerConfig>>, patience: Duration) -> io::Result<Wire> {
        let stream = TcpStream::from(socket);
        stream.set_write_timeout(Some(patience))?;
        let stream = match tls {
            None => Stream::Plain(stream),
            Some(config) => {
                let connection = ServerConnection::new(config).map_err(io::Error::other)?;
                Stream::Tls(Box::new(StreamOwned::new(connection, stream)))
            }
        };
        Ok(Wire { stream, begun: false })
    }

    /// Begins the next answer, before it is known. True if that was done: whoever has closed the connection will reset it.
    /// Over TLS nothing is sent: who ends that has to say so.
    pub(super) fn begin(&mut self) -> bool {
        if matches!(self.stream, Stream::Plain(_)) && !self.begun {
            // If it fails, the next wait tells.
            let _ = self.send(BEGINNING);
            self.begun = true;
        }
        self.begun
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
            let read = match &mut self.stream {
                Stream::Plain(stream) => stream.read(buffer),
                Stream::Tls(stream) => stream.read(buffer),
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
        let begun = std::mem::take(&mut self.begun);
        let bytes = bytes.strip_prefix(BEGINNING).filter(|_| begun).unwrap_or(bytes);
        match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(bytes),
            Stream::Tls(stream) => {
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
        if let Stream::Tls(stream) = &mut self.stream {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
        // It may be closed already.
        let _ = self.socket().shutdown(Shutdown::Write);
    }

    fn socket(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => &stream.sock,
        }
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket().as_fd()
    }
}
