//! One client of clamd's protocol: a thread, a socket, and what it asks.
//!
//! ```text
//! socket ──recv──> dachs_clamd::Server ──Step──> ping, version, stats: answered at once
//!                                                path, descriptor, stream: handed in at the desk
//! mailbox <── reports <── desk                                       │
//!    └──> replies, in a conversation in any order, each with its number <─┘
//! ```
//!
//! Whatever a client does, it holds no more than its thread, one command, [`PENDING`] files and its share of the spool. One
//! that is slow in sending or in taking replies is cut off; one that goes away has its files given up.
//!
//! A client over TCP that closes its connection looks like one that has just nothing more to say. How the reply begins is
//! known before the scan is over, so after [`DOUBT`] its first byte is sent: who is gone answers that with a reset. One that
//! vanishes without a word is found by the kernel's probes (`door`).

mod paths;
mod stats;

use std::collections::{HashMap, VecDeque};
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dachs_base::{About, AnomalyKind};
use dachs_clamd::reply::{self, text};
use dachs_clamd::{Asked, Command, Fault, Framing, Mode, Server, Step};
use dachs_record::Record;
use rustix::fd::AsFd;
use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, Shutdown, recvmsg, send, shutdown};

use crate::about;
use crate::peer::Peer;
use crate::scans::{Order, Refusal, Scanned, Ticket};
use crate::service::{Sentence, Service, Wish};
use crate::spool::{Received, Spool, Spooled};
use crate::wake::{Mailbox, Watch, Woken, after};

/// Files that one client may have at the desk.
const PENDING: usize = 64;
/// Bytes that are read at once, but for streams, which have buffers of their own (`spool`).
const READ: usize = 4 << 10;
/// Descriptors that may wait for their command.
const DESCRIPTORS: usize = 4;
/// So long after a client has sent its last byte it is made sure that it still listens.
const DOUBT: Duration = Duration::from_secs(1);
/// A stream must bring so many bytes a second, on the whole.
const SLOWEST: u64 = 1 << 10;
/// After the last reply, so much of what the client still sends is thrown away, in bytes and in time.
const LINGER: (usize, Duration) = (4 << 20, Duration::from_secs(2));

/// A report that came back, with the number it was handed in under.
pub(crate) struct Letter {
    number: u64,
    scanned: Scanned,
}

/// The client is gone or was cut off: nothing more is to be done.
struct Cut;

/// One connection.
pub(crate) struct Conversation<'a> {
    service: &'a Service,
    peer: Peer,
    socket: OwnedFd,
    mailbox: Arc<Mailbox<Letter>>,
    server: Server,
    descriptors: VecDeque<OwnedFd>,
    /// The client sends nothing more.
    ended: bool,
    /// It was seen to have hung up, or to have nothing more to say.
    hung_up: bool,
    /// The file of which the first byte of the reply was sent.
    begun_reply: Option<u64>,
    /// Letters that wait for that reply to be complete.
    held: Vec<Letter>,
    /// When the command at hand, or the wait for it, began.
    begun: Instant,
    stream: Option<Stream>,
    pending: HashMap<u64, Pending>,
    handed_in: u64,
}

/// A stream that comes in.
struct Stream {
    id: Option<u64>,
    framing: Framing,
    spool: Spool,
    begun: Instant,
    last: Instant,
}

/// A file at the desk.
struct Pending {
    ticket: Ticket,
    id: Option<u64>,
    framing: Framing,
    path: Vec<u8>,
    size: u64,
}

impl<'a> Conversation<'a> {
    /// A connection that was just accepted.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub(crate) fn new(service: &'a Service, peer: Peer, socket: OwnedFd) -> io::Result<Conversation<'a>> {
        // Without it, a client that takes no reply is held a little longer.
        let _ = set_socket_timeout(&socket, Timeout::Send, Some(service.settings.clamd.send));
        Ok(Conversation {
            service,
            peer,
            socket,
            mailbox: Arc::new(Mailbox::new()?),
            server: Server::new(service.settings.clamd.longest_stream),
            descriptors: VecDeque::new(),
            ended: false,
            hung_up: false,
            begun_reply: None,
            held: Vec::new(),
            begun: Instant::now(),
            stream: None,
            pending: HashMap::new(),
            handed_in: 0,
        })
    }

    /// Serves the client until it has what it wants.
    pub(crate) fn run(mut self, buffer: &mut Vec<u8>) {
        buffer.resize(READ, 0);
        let served = self.serve(buffer).and_then(|()| self.answer_pending());
        for pending in self.pending.values() {
            self.service.desk.cancel(pending.ticket);
        }
        if served.is_ok() {
            self.linger(buffer);
        }
    }

    fn serve(&mut self, buffer: &mut [u8]) -> Result<(), Cut> {
        loop {
            let step = match self.server.next() {
                Step::More if self.server.is_over() => return Ok(()),
                Step::More if self.ended => match self.server.finish() {
                    Step::More => return Ok(()),
                    step => step,
                },
                step => step,
            };
            match step {
                Step::More if self.server.is_awaiting_descriptor() && !self.descriptors.is_empty() => {
                    self.early_descriptor()?;
                }
                Step::More => self.wait_for_input(buffer)?,
                Step::Asked(asked) => {
                    self.begun = Instant::now();
                    self.service.metrics.commands.add(1);
                    self.command(&asked)?;
                }
                Step::Data(bytes) => self.data(&bytes)?,
                Step::StreamEnd => self.stream_end()?,
                Step::Fault(fault) => return self.fault(fault),
            }
        }
    }

    /// Waits until the client has sent something.
    fn wait_for_input(&mut self, buffer: &mut [u8]) -> Result<(), Cut> {
        let watch = if self.pending.len() >= PENDING { Watch::Nothing } else { Watch::Input };
        let deadline = self.deadline();
        match self.mailbox.wait(Some(self.socket.as_fd()), watch, deadline) {
            Woken::Gone => Err(self.gone()),
            Woken::Ended | Woken::Letter => self.take_letters(),
            Woken::Input => match self.server.wanted() {
                Some(wanted) => self.receive_piece(wanted),
                None => self.receive(buffer),
            },
            Woken::Late if !self.pending.is_empty() && !self.server.is_amid() => {
                self.begun = Instant::now();
                Ok(())
            }
            Woken::Late => {
                self.service.metrics.slow.add(1);
                self.reply(None, Framing::Old, text::TIMED_OUT)?;
                self.ended = true;
                Err(Cut)
            }
        }
    }

    /// When what is awaited must have come.
    fn deadline(&self) -> Option<Instant> {
        let settings = &self.service.settings.clamd;
        match &self.stream {
            None => self.begun.checked_add(settings.command),
            Some(stream) => {
                let earned = Duration::from_secs(stream.spool.size() / SLOWEST);
                let whole = stream.begun.checked_add(settings.read.saturating_add(earned));
                let piece = stream.last.checked_add(settings.read);
                whole.zip(piece).map(|(whole, piece)| whole.min(piece))
            }
        }
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<(), Cut> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        let received = recvmsg(&self.socket, &mut [IoSliceMut::new(buffer)], &mut control, flags);
        let count = match received {
            Ok(received) => received.bytes,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
            Err(_) => return Err(self.gone()),
        };
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                let room = DESCRIPTORS.saturating_sub(self.descriptors.len());
                self.descriptors.extend(descriptors.take(room));
            }
        }
        if count == 0 {
            self.ended = true;
        }
        if let Some(stream) = &mut self.stream {
            stream.last = Instant::now();
        }
        self.server.push(buffer.get(..count).unwrap_or_default());
        Ok(())
    }

    /// Pieces of a stream go to its spool without a detour.
    fn receive_piece(&mut self, wanted: u64) -> Result<(), Cut> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        let received = stream.spool.receive(&self.socket, wanted);
        // It may have waited for its turn, which is no fault of the client.
        stream.last = Instant::now();
        match received {
            Received::Bytes(count) => {
                self.ended = count == 0;
                self.server.kept(u64::try_from(count).unwrap_or(u64::MAX));
                Ok(())
            }
            Received::Gone => Err(self.gone()),
            Received::NoRoom(error) => self.no_room_for_stream(&error),
            Received::Nothing => Ok(()),
        }
    }

    fn command(&mut self, asked: &Asked) -> Result<(), Cut> {
        let Asked { id, framing, command } = asked;
        if self.service.log.takes(crate::log::Level::Debug) {
            let client = self.peer.to_string();
            let values: [(&str, &[u8]); 2] = [("client", client.as_bytes()), ("command", command.word().as_bytes())];
            self.service.log.event(crate::log::Level::Debug, "command", &values);
        }
        if id.is_some() && !command.is_for_conversations() {
            return self.reply(*id, *framing, text::NOT_IN_SESSION);
        }
        match command {
            Command::DetectionStats | Command::End | Command::Conversation => Ok(()),
            Command::FileDescriptor => self.descriptor(*id, *framing),
            Command::InStream => self.stream_begin(*id, *framing),
            Command::Ping => self.reply(*id, *framing, text::PONG),
            Command::Reload => self.master(*framing, Wish::Reload, text::RELOADING),
            Command::Shutdown => self.master(*framing, Wish::Stop, b""),
            Command::Scan(Mode::AllMatches, _) if !self.service.settings.all_matches => {
                self.reply(*id, *framing, text::NO_ALL_MATCHES)
            }
            Command::Scan(mode, path) => self.scan_path(*id, *framing, *mode, path),
            Command::Stats => {
                let stats = stats::text(self.service);
                self.reply(*id, *framing, stats.as_bytes())
            }
            Command::Unknown => self.reply(*id, *framing, text::UNKNOWN),
            Command::Version => {
                let version = self.service.version();
                self.reply(*id, *framing, version.as_bytes())
            }
            Command::VersionCommands => {
                let version = format!("{}{}", self.service.version(), text::COMMANDS);
                self.reply(*id, *framing, version.as_bytes())
            }
        }
    }

    /// A command for root and our own user alone.
    fn master(&mut self, framing: Framing, wish: Wish, answer: &[u8]) -> Result<(), Cut> {
        let client = self.peer.to_string();
        let word: &[u8] = if wish == Wish::Reload { b"RELOAD" } else { b"SHUTDOWN" };
        let values: [(&str, &[u8]); 2] = [("client", client.as_bytes()), ("command", word)];
        if !self.peer.is_master() {
            self.service.log.event(crate::log::Level::Warning, "refused", &values);
            return self.reply(None, framing, text::UNAVAILABLE);
        }
        self.service.log.event(crate::log::Level::Notice, "command", &values);
        self.service.wishes.put(wish);
        if answer.is_empty() { Ok(()) } else { self.reply(None, framing, answer) }
    }

    fn stream_begin(&mut self, id: Option<u64>, framing: Framing) -> Result<(), Cut> {
        match Spool::new(&self.service.store, self.peer.client) {
            Ok(spool) => {
                let now = Instant::now();
                self.stream = Some(Stream { id, framing, spool, begun: now, last: now });
                Ok(())
            }
            Err(error) => self.no_room(id, framing, &error),
        }
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), Cut> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        stream.spool.add(bytes).or_else(|error| self.no_room_for_stream(&error))
    }

    fn no_room_for_stream(&mut self, error: &io::Error) -> Result<(), Cut> {
        let told = self.stream.as_ref().map(|stream| (stream.id, stream.framing));
        let (id, framing) = told.unwrap_or((None, Framing::Zero));
        self.no_room(id, framing, error)
    }

    /// There is no room for a stream. Its rest is not read.
    fn no_room(&mut self, id: Option<u64>, framing: Framing, error: &io::Error) -> Result<(), Cut> {
        self.stream = None;
        self.service.metrics.refused.add(1);
        self.service.log.error("no room for a stream", &error.to_string());
        self.server.close();
        self.reply(id, framing, text::NO_ROOM)
    }

    fn stream_end(&mut self) -> Result<(), Cut> {
        let Some(stream) = self.stream.take() else { return Ok(()) };
        let (id, framing) = (stream.id, stream.framing);
        self.begun = Instant::now();
        let spooled = stream.spool.finish().and_then(|spooled| Ok((spooled.file()?, spooled)));
        match spooled {
            Err(error) => self.no_room(id, framing, &error),
            Ok((file, spooled)) => {
                let size = spooled.size();
                self.hand_in(id, framing, b"stream".to_vec(), file, size, Some(spooled))
            }
        }
    }

    fn descriptor(&mut self, id: Option<u64>, framing: Framing) -> Result<(), Cut> {
        let Some(file) = self.descriptors.pop_front() else {
            self.server.close();
            return self.reply(id, framing, text::NO_DESCRIPTOR);
        };
        let path = format!("fd[{}]", file.as_raw_fd()).into_bytes();
        let mut refuse = |reason: &str| self.sentence(id, framing, &path, &Sentence::error(reason));
        let readable = fcntl_getfl(&file)
            .is_ok_and(|flags| !flags.contains(OFlags::PATH) && flags & OFlags::ACCMODE != OFlags::WRONLY);
        match fstat(&file) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile => refuse("Not a regular file"),
            Ok(_) if !readable => refuse("Access denied."),
            Ok(stat) => {
                let size = u64::try_from(stat.st_size).unwrap_or(0);
                self.hand_in(id, framing, path, file, size, None)
            }
            Err(_) => refuse("Access denied."),
        }
    }

    /// The descriptor came with `FILDES` itself, not with the byte after it.
    fn early_descriptor(&mut self) -> Result<(), Cut> {
        let id = self.server.number();
        self.server.close();
        self.reply(id, Framing::Zero, text::EARLY_DESCRIPTOR)?;
        self.reply(id, Framing::Zero, text::NOT_PROCESSED)
    }

    /// Hands a file in; outside of a conversation, waits for its report.
    fn hand_in(
        &mut self,
        id: Option<u64>,
        framing: Framing,
        path: Vec<u8>,
        file: OwnedFd,
        size: u64,
        spooled: Option<Spooled>,
    ) -> Result<(), Cut> {
        if size > self.service.settings.largest {
            let record = Record::too_large(path.clone(), size);
            return self.sentences(id, framing, &path, &self.service.sentences(&record, false));
        }
        let about = if spooled.is_some() { About::default() } else { about::of_file(b"", &file) };
        match self.submit(file, size, false, about, spooled) {
            Ok((number, ticket)) => {
                self.pending.insert(number, Pending { ticket, id, framing, path, size });
                if id.is_some() { Ok(()) } else { self.answer_pending() }
            }
            Err(refusal) => {
                let sentence = self.refused(&path, refusal);
                self.sentence(id, framing, &path, &sentence)
            }
        }
    }

    /// Hands a file in. A stream's room is given back as soon as it was scanned.
    fn submit(
        &mut self,
        file: OwnedFd,
        size: u64,
        all_matches: bool,
        about: About,
        spooled: Option<Spooled>,
    ) -> Result<(u64, Ticket), Refusal> {
        self.handed_in += 1;
        let (number, mailbox) = (self.handed_in, Arc::clone(&self.mailbox));
        let answer = Box::new(move |scanned| {
            drop(spooled);
            mailbox.put(Letter { number, scanned });
        });
        let order = Order { client: self.peer.client, file, size, all_matches, about, answer };
        let patience = after(self.service.settings.clamd.read).unwrap_or_else(Instant::now);
        self.service.desk.submit(order, patience).map(|ticket| (number, ticket))
    }

    fn refused(&self, path: &[u8], refusal: Refusal) -> Sentence {
        self.service.metrics.refused.add(1);
        let report = crate::scans::unscanned(AnomalyKind::Unreadable, &refusal.to_string());
        let _ = self.service.unscanned(&self.peer, path, report);
        Sentence::error(&refusal.to_string())
    }

    /// Waits until all that was handed in is answered.
    fn answer_pending(&mut self) -> Result<(), Cut> {
        while !self.pending.is_empty() {
            self.wait_for_letters()?;
        }
        Ok(())
    }

    fn wait_for_letters(&mut self) -> Result<(), Cut> {
        let oldest = self.pending.iter().min_by_key(|(number, _)| **number);
        let next = oldest.map(|(number, pending)| (*number, pending.id, pending.framing, pending.path.clone()));
        let Some((number, id, framing, path)) = next else { return Ok(()) };
        self.wait_for_letter(number, &reply::render(id, framing, &reply::line(framing, &path, "")))?;
        self.take_letters()
    }

    /// Waits until something is in the mailbox, and makes sure meanwhile that the client still listens. The next reply, that
    /// of this file, will begin like this.
    fn wait_for_letter(&mut self, number: u64, beginning: &[u8]) -> Result<(), Cut> {
        loop {
            let (watch, deadline) = match self.hung_up || self.ended {
                _ if !self.peer.is_remote() || self.begun_reply.is_some() => (Watch::Nothing, None),
                true => (Watch::Nothing, after(DOUBT)),
                false => (Watch::End, None),
            };
            match self.mailbox.wait(Some(self.socket.as_fd()), watch, deadline) {
                Woken::Ended => self.hung_up = true,
                Woken::Gone => return Err(self.gone()),
                Woken::Late => {
                    self.send(beginning.get(..1).unwrap_or_default())?;
                    self.begun_reply = Some(number);
                }
                Woken::Input | Woken::Letter => return Ok(()),
            }
        }
    }

    fn take_letters(&mut self) -> Result<(), Cut> {
        let mut letters = std::mem::take(&mut self.held);
        letters.extend(self.mailbox.take());
        // A reply that was begun comes first.
        letters.sort_by_key(|letter| Some(letter.number) != self.begun_reply);
        for letter in letters {
            if self.begun_reply.is_some_and(|number| number != letter.number) {
                self.held.push(letter);
                continue;
            }
            let Letter { number, scanned } = letter;
            // What was given up may still come.
            let Some(pending) = self.pending.remove(&number) else { continue };
            let record = self.service.conclude(&self.peer, &pending.path, pending.size, scanned);
            let sentences = self.service.sentences(&record, false);
            self.sentences(pending.id, pending.framing, &pending.path, &sentences)?;
            self.begun = Instant::now();
        }
        Ok(())
    }

    fn fault(&mut self, fault: Fault) -> Result<(), Cut> {
        let number = self.server.number();
        match fault {
            Fault::TooLong => Ok(()),
            Fault::OldInSession => self.reply(number, Framing::Old, text::OLD_IN_SESSION),
            Fault::StreamTooLong => {
                let (id, framing) =
                    self.stream.take().map_or((number, Framing::Zero), |stream| (stream.id, stream.framing));
                self.reply(id, framing, text::STREAM_TOO_LONG)
            }
        }
    }

    fn sentences(&mut self, id: Option<u64>, framing: Framing, path: &[u8], all: &[Sentence]) -> Result<(), Cut> {
        all.iter().try_for_each(|sentence| self.sentence(id, framing, path, sentence))
    }

    fn sentence(&mut self, id: Option<u64>, framing: Framing, path: &[u8], sentence: &Sentence) -> Result<(), Cut> {
        let line = reply::line(framing, path, &sentence.text);
        self.reply(id, framing, &line)
    }

    fn reply(&mut self, id: Option<u64>, framing: Framing, text: &[u8]) -> Result<(), Cut> {
        let bytes = reply::render(id, framing, text);
        let begun = usize::from(self.begun_reply.take().is_some());
        self.send(bytes.get(begun..).unwrap_or_default())
    }

    fn send(&self, mut rest: &[u8]) -> Result<(), Cut> {
        while !rest.is_empty() {
            match send(&self.socket, rest, SendFlags::NOSIGNAL) {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    self.service.metrics.slow.add(1);
                    return Err(Cut);
                }
                Err(_) => return Err(self.gone()),
            }
        }
        Ok(())
    }

    fn gone(&self) -> Cut {
        self.service.metrics.gone.add(1);
        Cut
    }

    fn close_writing(&self) {
        // It may be closed already.
        let _ = shutdown(&self.socket, Shutdown::Write);
    }

    /// Lets the client read the last reply: what it still sends would else reset the connection and the reply with it.
    fn linger(&mut self, buffer: &mut [u8]) {
        self.close_writing();
        if self.ended {
            return;
        }
        let deadline = after(LINGER.1);
        let mut left = LINGER.0;
        while left > 0 && self.mailbox.wait(Some(self.socket.as_fd()), Watch::Input, deadline) == Woken::Input {
            match rustix::net::recv(&self.socket, &mut *buffer, RecvFlags::DONTWAIT) {
                Ok((0, _)) | Err(_) => return,
                Ok((count, _)) => left = left.saturating_sub(count),
            }
        }
    }
}
