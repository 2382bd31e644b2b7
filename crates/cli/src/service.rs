//! A running service as a scanner: `dachsd`, or ClamAV's own clamd.
//!
//! ```text
//! file ──descriptor (local socket) or stream (TCP)──> service ──`7: fd[9]: NAME FOUND`──> report
//! ```
//!
//! Files are opened here, with the caller's rights, and handed over in one conversation (`IDSESSION`). The service answers with
//! names, not with reports, so a report made of an answer has a name or a reason and nothing more.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use dachs_base::{About, Anomaly, AnomalyKind, Cause, Coverage, Detection, FileKind, ObjectPath, Report, Strength};
use dachs_clamd::client::{Outcome, Replies, Reply, chunk_header};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::pread;

use crate::content::display;
use crate::record::{Names, Naming};
use crate::scan::{Finished, Scanner};

/// Where configurations are, the first that exists counts.
const CONFIGURATIONS: [&str; 3] = ["/etc/dachs/dachsd.conf", "/etc/clamav/clamd.conf", "/etc/clamd.conf"];
/// A piece of a stream, in bytes.
const PIECE: usize = 1 << 16;
/// A service that says nothing for so long, while it has files, is given up.
const SILENCE: Duration = Duration::from_secs(900);

/// Where a service listens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) socket: Option<PathBuf>,
    pub(crate) addresses: Vec<SocketAddr>,
}

impl Place {
    /// As a configuration says; the first usual one if none is named.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub(crate) fn configured(path: Option<&OsStr>) -> Result<Place, String> {
        let usual = || CONFIGURATIONS.iter().map(Path::new).find(|path| path.is_file());
        let path = path.map(Path::new).or_else(usual).unwrap_or(Path::new(CONFIGURATIONS[0]));
        let text =
            fs::read_to_string(path).map_err(|_| format!("Can't parse clamd configuration file {}", display(path)))?;
        Ok(Place::read(&text))
    }

    /// Only the keys that clients need are looked at.
    fn read(text: &str) -> Place {
        let values = |wanted: &'static str| {
            text.lines().filter_map(move |line| {
                let (name, value) = line.trim().split_once([' ', '\t'])?;
                (name == wanted).then(|| value.trim().trim_matches('"').to_owned())
            })
        };
        let port = values("TCPSocket").next_back().and_then(|port| port.parse::<u16>().ok());
        let mut hosts: Vec<String> = values("TCPAddr").collect();
        if hosts.is_empty() {
            hosts.push("127.0.0.1".to_owned());
        }
        let addresses = |port: u16| {
            let resolved = hosts.iter().filter_map(move |host| (host.as_str(), port).to_socket_addrs().ok());
            resolved.flatten().collect()
        };
        Place {
            socket: values("LocalSocket").next_back().map(PathBuf::from),
            addresses: port.map_or_else(Vec::new, addresses),
        }
    }

    /// A connection; on failure, one sentence for each place that was tried.
    ///
    /// # Errors
    /// The sentences.
    pub(crate) fn connect(&self) -> Result<Connection, Vec<String>> {
        let mut tried = Vec::new();
        let said = |error: io::Error| error.to_string().split(" (os error").next().unwrap_or_default().to_owned();
        if let Some(path) = &self.socket {
            match UnixStream::connect(path) {
                Ok(stream) => return Ok(Connection::Local(stream)),
                Err(error) => {
                    tried.push(format!("Could not connect to clamd on LocalSocket {}: {}", display(path), said(error)));
                }
            }
        }
        for address in &self.addresses {
            match TcpStream::connect_timeout(address, Duration::from_secs(10)) {
                Ok(stream) => return Ok(Connection::Remote(stream)),
                Err(error) => tried.push(format!("Could not connect to clamd on {}: {}", address.ip(), said(error))),
            }
        }
        if tried.is_empty() {
            tried
                .push("Could not connect to clamd: the configuration has neither LocalSocket nor TCPSocket".to_owned());
        }
        Err(tried)
    }
}

/// A connection to a service.
#[derive(Debug)]
pub(crate) enum Connection {
    Local(UnixStream),
    Remote(TcpStream),
}

impl Connection {
    /// True if descriptors can be passed.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Connection::Local(_))
    }

    /// How long a read waits.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) fn set_patience(&self, patience: Duration) -> io::Result<()> {
        match self {
            Connection::Local(stream) => stream.set_read_timeout(Some(patience)),
            Connection::Remote(stream) => stream.set_read_timeout(Some(patience)),
        }
    }

    /// One question, and all that is answered until the service closes.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) fn ask(mut self, question: &[u8], patience: Duration) -> io::Result<Vec<u8>> {
        self.set_patience(patience)?;
        self.write_all(question)?;
        let mut answer = Vec::new();
        self.read_to_end(&mut answer)?;
        Ok(answer)
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Connection::Local(stream) => stream.read(buffer),
            Connection::Remote(stream) => stream.read(buffer),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Connection::Local(stream) => stream.write(bytes),
            Connection::Remote(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Connection::Local(stream) => stream.as_fd(),
            Connection::Remote(stream) => stream.as_fd(),
        }
    }
}

/// Names that a service has said, in the place of numbers in an image. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct SaidNames(Rc<RefCell<Vec<String>>>);

impl SaidNames {
    fn number(&self, name: &str) -> u32 {
        let mut names = self.0.borrow_mut();
        let at = names.iter().position(|said| said == name).unwrap_or_else(|| {
            names.push(name.to_owned());
            names.len() - 1
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }
}

impl Names for SaidNames {
    fn naming(&self, signature: u32) -> Option<Naming> {
        let name = self.0.borrow().get(usize::try_from(signature).ok()?)?.clone();
        Some(Naming::plain(name))
    }
}

/// A service that scans what this process opens.
pub(crate) struct Remote {
    place: Place,
    /// Send bytes even where a descriptor could be passed.
    streams: bool,
    line: Option<Line>,
    names: SaidNames,
    done: VecDeque<Finished>,
}

/// One conversation.
struct Line {
    connection: Connection,
    replies: Replies,
    sent: u64,
    waiting: HashMap<u64, (u64, u64, Instant)>,
    heard: Instant,
}

impl Remote {
    /// A service at this place, connected.
    ///
    /// # Errors
    /// Why it cannot be reached, a sentence for each place.
    pub(crate) fn new(place: Place, streams: bool) -> Result<Remote, Vec<String>> {
        let line = Line::new(&place)?;
        let names = SaidNames::default();
        Ok(Remote { place, streams, line: Some(line), names, done: VecDeque::new() })
    }

    /// The names it says.
    pub(crate) fn names(&self) -> SaidNames {
        self.names.clone()
    }

    /// True if it gets descriptors, not bytes.
    pub(crate) fn passes(&self) -> bool {
        !self.streams && self.line.as_ref().is_some_and(|line| line.connection.is_local())
    }

    fn send(&mut self, tag: u64, file: &OwnedFd, size: u64) -> Result<(), String> {
        let passes = self.passes();
        if self.line.is_none() {
            self.line = Some(Line::new(&self.place).map_err(|tried| tried.join("; "))?);
        }
        let Some(line) = &mut self.line else { return Ok(()) };
        line.sent += 1;
        line.waiting.insert(line.sent, (tag, size, Instant::now()));
        let sent =
            if passes || (!self.streams && line.connection.is_local()) { line.pass(file) } else { line.stream(file) };
        // What the service thinks of it may still be read.
        if sent.is_err() {
            self.hear_the_rest();
        }
        Ok(())
    }

    /// Takes what is said before the service closes, and gives up the rest.
    fn hear_the_rest(&mut self) {
        let Some(mut line) = self.line.take() else { return };
        let _ = line.connection.set_patience(Duration::from_secs(5));
        let mut rest = Vec::new();
        let _ = line.connection.read_to_end(&mut rest);
        let _ = line.replies.push(&rest);
        while let Some(reply) = line.replies.next_whole() {
            self.take(&mut line, &reply);
        }
        let why = "the service ended the conversation before it answered";
        let left: Vec<u64> = line.waiting.keys().copied().collect();
        for number in left {
            self.finish(&mut line, number, &Outcome::Error(why.to_owned()));
        }
    }

    /// One reply: `7: stream: OK`.
    fn take(&mut self, line: &mut Line, reply: &[u8]) {
        let at = reply.windows(2).position(|window| window == b": ").unwrap_or(reply.len());
        let (number, rest) = reply.split_at(at);
        let number = std::str::from_utf8(number).ok().and_then(|text| text.parse().ok());
        if let Some(number) = number {
            let outcome = Reply::parse(rest.get(2..).unwrap_or_default()).outcome;
            self.finish(line, number, &outcome);
        }
    }

    fn finish(&mut self, line: &mut Line, number: u64, outcome: &Outcome) {
        if let Some((tag, size, begun)) = line.waiting.remove(&number) {
            let report = self.report(outcome, size);
            self.done.push_back(Finished { tag, report, elapsed: begun.elapsed() });
        }
    }

    fn report(&self, outcome: &Outcome, size: u64) -> Report {
        let coverage = Coverage { bytes: size, objects: 1, skipped: 0 };
        match outcome {
            Outcome::Ok => Report { coverage, ..Report::default() },
            Outcome::Found(name) => {
                let detection = Detection {
                    cause: Cause::Signature(self.names.number(name)),
                    strength: Strength::Strong,
                    object: ObjectPath::default(),
                    kind: FileKind::Data,
                    offset: None,
                    strings: Vec::new(),
                };
                Report { detections: vec![detection], coverage, ..Report::default() }
            }
            Outcome::Error(reason) | Outcome::Passed(reason) => {
                Report::unscanned(Anomaly::new(AnomalyKind::Unreadable, reason.as_str()))
            }
        }
    }

    /// Hears what is said within the time.
    fn hear(&mut self, patience: Duration) -> Result<(), String> {
        let Some(mut line) = self.line.take() else { return Ok(()) };
        let mut buffer = [0; 8192];
        line.connection.set_patience(patience.max(Duration::from_millis(1))).map_err(|error| error.to_string())?;
        match line.connection.read(&mut buffer) {
            Ok(count @ 1..) if line.replies.push(buffer.get(..count).unwrap_or_default()) => {
                line.heard = Instant::now();
                while let Some(reply) = line.replies.next_whole() {
                    self.take(&mut line, &reply);
                }
                self.line = Some(line);
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) =>
            {
                let silent = line.heard.elapsed() > SILENCE && !line.waiting.is_empty();
                self.line = Some(line);
                if silent {
                    return Err("the service does not answer any more".to_owned());
                }
            }
            _ => {
                self.line = Some(line);
                self.hear_the_rest();
            }
        }
        Ok(())
    }
}

impl Line {
    fn new(place: &Place) -> Result<Line, Vec<String>> {
        let mut connection = place.connect()?;
        connection.write_all(b"zIDSESSION\0").map_err(|error| vec![error.to_string()])?;
        let replies = Replies::default();
        Ok(Line { connection, replies, sent: 0, waiting: HashMap::new(), heard: Instant::now() })
    }

    fn pass(&mut self, file: &OwnedFd) -> io::Result<()> {
        self.connection.write_all(b"zFILDES\0")?;
        dachs_sys::socket::send(self.connection.as_fd(), b"\0", Some(file.as_fd()))
    }

    fn stream(&mut self, file: &OwnedFd) -> io::Result<()> {
        self.connection.write_all(b"zINSTREAM\0")?;
        let (mut buffer, mut offset) = (vec![0; PIECE], 0_u64);
        while let count @ 1.. = pread(file, &mut buffer, offset)? {
            let length = u32::try_from(count).unwrap_or(u32::MAX);
            self.connection.write_all(&chunk_header(length))?;
            self.connection.write_all(buffer.get(..count).unwrap_or_default())?;
            offset = offset.saturating_add(u64::from(length));
        }
        self.connection.write_all(&chunk_header(0))
    }
}

impl Scanner for Remote {
    fn submit(&mut self, tag: u64, file: OwnedFd, size: u64, _about: About) -> Result<(), String> {
        self.send(tag, &file, size)
    }

    fn wait(&mut self, patience: Duration) -> Result<Option<Finished>, String> {
        if self.done.is_empty() && !patience.is_zero() {
            self.hear(patience)?;
        }
        Ok(self.done.pop_front())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_say_where_it_is() {
        let text = "# LocalSocket /no\nVirusEvent x\nLocalSocket \"/run/a b\"\nTCPSocket 3310\nTCPAddr 127.0.0.1\n";
        let place = Place::read(text);
        assert_eq!(place.socket, Some(PathBuf::from("/run/a b")));
        assert_eq!(place.addresses, ["127.0.0.1:3310".parse().unwrap()]);
        assert_eq!(Place::read("TCPAddr 1.2.3.4").addresses, []);
        assert_eq!(Place::default().connect().unwrap_err().len(), 1);
    }
}
