//! The server's side: bytes become commands.
//!
//! ```text
//! push(bytes) ──> buffer ──next()──> Step::Asked     a command, whole
//!                                    Step::Data      bytes of a stream
//!                                    Step::StreamEnd
//!                                    Step::Fault     nothing more is read
//!                                    Step::More      push again
//! ```
//!
//! | state | what comes |
//! |---|---|
//! | command | `n…\n`, `z…\0`, or the old framing, until its terminator |
//! | descriptor | the one byte that carries a descriptor, after `FILDES` |
//! | chunk | the length of the next piece, after `INSTREAM`: 4 bytes, network order; 0 ends the stream |
//! | data | the bytes of that piece |
//! | over | nothing: a connection takes one command, unless it is a conversation |
//!
//! The old framing has no terminator: clamd takes what came with one read for the command. Here bytes that are the
//! beginning of a command's word wait for the rest.

use crate::command::{Command, Framing, may_go_on};

/// A longer command is refused: a path of 4,096 bytes and its word fit.
const LONGEST: usize = 4096 + 64;

/// A command, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its number in the conversation; absent outside of one.
    pub id: Option<u64>,
    /// How it was framed.
    pub framing: Framing,
    /// What is asked. Unknown also for what the framing does not know.
    pub command: Command,
}

/// What is wrong with what a client sent. Nothing more is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A command of the old framing in a conversation.
    OldInSession,
    /// A stream is longer than allowed.
    StreamTooLong,
    /// A command is longer than any path.
    TooLong,
}

/// What is next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A command.
    Asked(Asked),
    /// Bytes of the stream that the last command announced.
    Data(Vec<u8>),
    /// It is wrong, and over.
    Fault(Fault),
    /// More bytes are needed.
    More,
    /// The stream is complete.
    StreamEnd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Command,
    Descriptor(Framing),
    Chunk,
    Data(u64),
    Over,
}

/// Reads what one client sends.
#[derive(Debug)]
pub struct Server {
    buffer: Vec<u8>,
    /// How much of the buffer is done with.
    done: usize,
    state: State,
    /// The number of the last command; absent outside of a conversation.
    conversation: Option<u64>,
    longest_stream: u64,
    /// What the stream at hand may still bring.
    allowance: u64,
}

impl Server {
    /// A connection that has just begun. A stream may be `longest_stream` bytes long.
    #[must_use]
    pub fn new(longest_stream: u64) -> Server {
        Server { buffer: Vec::new(), done: 0, state: State::Command, conversation: None, longest_stream, allowance: 0 }
    }

    /// How many bytes of the stream come next, if what comes next is bytes of it: whoever wants to may keep up to so many
    /// without [`Server::push`], and tell [`Server::kept`].
    #[must_use]
    pub fn wanted(&self) -> Option<u64> {
        match self.state {
            State::Data(left) if self.rest().is_empty() => Some(left),
            _ => None,
        }
    }

    /// So many bytes of the stream, no more than were [`Server::wanted`], were kept.
    pub fn kept(&mut self, count: u64) {
        if let State::Data(left) = self.state {
            self.state = match left.saturating_sub(count) {
                0 => State::Chunk,
                left => State::Data(left),
            };
        }
    }

    /// Adds bytes. They are all taken up by calling [`Server::next`] until it wants more; what is kept then is less than
    /// one command.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.done.min(self.buffer.len()));
        self.done = 0;
        if self.state != State::Over {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next step.
    #[expect(clippy::should_implement_trait, reason = "it has no end, and so is no iterator")]
    pub fn next(&mut self) -> Step {
        match self.state {
            State::Command => self.command(false),
            State::Descriptor(framing) => self.descriptor(framing),
            State::Chunk => self.chunk(),
            State::Data(left) => self.data(left),
            State::Over => Step::More,
        }
    }

    /// The last command, if the client will send nothing more: the old framing needs no terminator.
    pub fn finish(&mut self) -> Step {
        if self.state == State::Command && !self.rest().is_empty() { self.command(true) } else { Step::More }
    }

    /// True in a conversation.
    #[must_use]
    pub fn is_conversation(&self) -> bool {
        self.conversation.is_some()
    }

    /// True while bytes of a command, of a stream, or a descriptor are awaited that were begun or announced.
    #[must_use]
    pub fn is_amid(&self) -> bool {
        !matches!(self.state, State::Command | State::Over) || !self.rest().is_empty()
    }

    /// True after `FILDES`, before the byte that carries the descriptor.
    #[must_use]
    pub fn is_awaiting_descriptor(&self) -> bool {
        matches!(self.state, State::Descriptor(_))
    }

    /// True while a stream comes in.
    #[must_use]
    pub fn is_streaming(&self) -> bool {
        matches!(self.state, State::Chunk | State::Data(_))
    }

    /// True if nothing more is read.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// The number of the last command in a conversation.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        self.conversation
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.done..).unwrap_or_default()
    }

    fn command(&mut self, last: bool) -> Step {
        match self.rest().first() {
            None => Step::More,
            Some(b'n') => self.framed(Framing::Newline),
            Some(b'z') => self.framed(Framing::Zero),
            Some(_) if self.conversation.is_some() => self.fault(Fault::OldInSession),
            Some(_) => self.old(last),
        }
    }

    fn framed(&mut self, framing: Framing) -> Step {
        let text = self.rest().get(1..).unwrap_or_default();
        match text.iter().position(|byte| *byte == framing.end()) {
            None if text.len() > LONGEST => self.fault(Fault::TooLong),
            Some(end) if end > LONGEST => self.fault(Fault::TooLong),
            None => Step::More,
            Some(end) => {
                let text = text.get(..end).unwrap_or_default();
                let text = if framing == Framing::Newline { without_return(text) } else { text };
                let command = Command::parse(text);
                self.done += end + 2;
                self.asked(framing, command)
            }
        }
    }

    /// One command, up to its line break if there is one; what is behind it is lost.
    fn old(&mut self, last: bool) -> Step {
        let rest = self.rest();
        let (text, broken) = match rest.iter().position(|byte| *byte == b'\n') {
            Some(end) => (rest.get(..end).unwrap_or_default(), true),
            None => (rest, false),
        };
        if !broken && !last && may_go_on(text) {
            return Step::More;
        }
        let length = text.len() + usize::from(broken);
        let command = Command::parse(without_return(text));
        let command = if command.is_old() && length <= LONGEST { command } else { Command::Unknown };
        self.done += length;
        self.asked(Framing::Old, command)
    }

    fn asked(&mut self, framing: Framing, command: Command) -> Step {
        let command = if self.conversation.is_none() && command == Command::End { Command::Unknown } else { command };
        if self.conversation.is_some() {
            self.conversation = self.conversation.map(|number| number.saturating_add(1));
        }
        let valid = self.conversation.is_none() || command.is_for_conversations();
        match command {
            Command::FileDescriptor => {
                self.state = State::Descriptor(framing);
                return self.next();
            }
            Command::InStream => {
                self.state = State::Chunk;
                self.allowance = self.longest_stream;
            }
            Command::Conversation if valid => self.conversation = Some(0),
            Command::End => self.over(),
            _ if valid && self.conversation.is_some() => {}
            _ => self.over(),
        }
        // The answer to what begins a conversation has no number.
        let id = if command == Command::Conversation && valid { None } else { self.conversation };
        Step::Asked(Asked { id, framing, command })
    }

    /// The byte that carries the descriptor is there.
    fn descriptor(&mut self, framing: Framing) -> Step {
        if self.rest().is_empty() {
            return Step::More;
        }
        self.done += 1;
        self.state = State::Command;
        if self.conversation.is_none() {
            self.over();
        }
        Step::Asked(Asked { id: self.conversation, framing, command: Command::FileDescriptor })
    }

    fn chunk(&mut self) -> Step {
        let Some(length) = self.rest().first_chunk::<4>() else { return Step::More };
        let length = u64::from(u32::from_be_bytes(*length));
        self.done += 4;
        if length == 0 {
            self.state = State::Command;
            if self.conversation.is_none() {
                self.over();
            }
            return Step::StreamEnd;
        }
        match self.allowance.checked_sub(length) {
            None => self.fault(Fault::StreamTooLong),
            Some(left) => {
                self.allowance = left;
                self.state = State::Data(length);
                self.next()
            }
        }
    }

    fn data(&mut self, left: u64) -> Step {
        let rest = self.rest();
        let take = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if take == 0 {
            return Step::More;
        }
        let data = rest.get(..take).unwrap_or_default().to_vec();
        self.done += take;
        self.state = match left.saturating_sub(u64::try_from(take).unwrap_or(u64::MAX)) {
            0 => State::Chunk,
            left => State::Data(left),
        };
        Step::Data(data)
    }

    fn fault(&mut self, fault: Fault) -> Step {
        if fault == Fault::OldInSession {
            self.conversation = self.conversation.map(|number| number.saturating_add(1));
        }
        self.over();
        Step::Fault(fault)
    }

    /// Reads nothing more.
    pub fn close(&mut self) {
        self.over();
    }

    fn over(&mut self) {
        self.state = State::Over;
        self.buffer = Vec::new();
        self.done = 0;
    }
}

/// Lines may end as on Windows.
fn without_return(text: &[u8]) -> &[u8] {
    text.strip_suffix(b"\r").unwrap_or(text)
}

#[cfg(test)]
mod tests;
