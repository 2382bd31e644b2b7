//! The walk through one message: from header to header, along the boundaries.
//!
//! The parts around the current place stand on an explicit stack of [`Frame`]s; a boundary of any of them ends what is
//! inside (RFC 2046 5.1.2).

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dachs_base::{Anomaly, Budget, Charge, FileKind, LimitReached, Name, Part, Source, read_vec_at};

use super::base64::Base64;
use super::blocks::{Block, Blocks, Code};
use super::cms;
use super::frame::{Frame, boundary, is_dashes};
use super::header::{self, Encoding, Header};
use super::kinds::{is_message, may_be_signed, not_opened, part_name};
use super::lines::{Line, Lines};
use super::parameters::LONGEST_BOUNDARY;
use super::quoted::Quoted;
use super::turn::decoded;
use super::yenc::Yenc;
use crate::uuencode::Uuencode;
use crate::{Found, Search, Unpack};

/// Parts inside parts.
const DEPTH: usize = 64;
/// Messages read within messages, where the engine would not see that they are mail.
const LEVELS: u32 = 8;
/// Bytes of a body's line that are looked at.
const LOOKED_AT: usize = 1200;
/// Lines between two looks at the clock.
const STEP: u32 = 4096;
/// The buffer of the input, a line, and the boundaries of all frames.
const MEMORY: u64 = 128 * 1024;

/// What the lines at hand belong to.
struct Body {
    what: What,
    start: u64,
    /// Where the last line ended, without its ending: a boundary takes that with it.
    end: u64,
    /// True while only white space was seen.
    blank: bool,
    /// Absent if the body is encoded, or a message.
    blocks: Option<Blocks>,
    /// How many blocks there were.
    found: u64,
    /// The line before, if it begins with dashes.
    dashes: Option<Dashes>,
}

/// A line that may be a boundary.
struct Dashes {
    /// Where the body before it ends.
    before: u64,
    text: Vec<u8>,
}

/// What a body is.
enum What {
    /// The content of a part.
    Part { name: Vec<u8>, kind: Vec<u8>, number: String, encodings: Vec<Encoding>, signed: bool },
    /// Before the first part, or behind the last; named.
    Beside(&'static str, String),
    /// A text that is looked through for files and not given itself.
    Text,
}

enum State {
    /// A header stands next.
    Entity,
    Body(Box<Body>),
    Done,
}

/// Another reading of a part, to be given if the first found out that there is one.
struct Again {
    name: Name,
    range: (u64, u64),
    goes_on: Arc<AtomicBool>,
}

/// Goes through one message.
pub(super) struct Message {
    source: Arc<dyn Source>,
    budget: Budget,
    lines: Lines,
    line: Line,
    memory: Option<Charge>,
    frames: Vec<Frame>,
    state: State,
    found: Found,
    again: Option<Again>,
    inner: VecDeque<Box<Message>>,
    /// No more members are given.
    level: u32,
    told_depth: bool,
}

/// A walk through a message whose own first lines do not tell that it is one; for others, the engine opens the member.
pub(super) fn unless_told(source: &Arc<dyn Source>, budget: &Budget, level: u32) -> Option<Box<Message>> {
    let told = crate::identify(source.as_ref()).kinds().any(|kind| matches!(kind, FileKind::Mail | FileKind::Mhtml));
    let start = read_vec_at(source.as_ref(), 0, LOOKED_AT);
    let line = start.split(|byte| matches!(byte, b'\n' | b'\r')).find(|line| !line.is_empty()).unwrap_or_default();
    (!told && header::is_field(line)).then(|| Box::new(Message::new(source, budget, level)))
}

impl Message {
    /// Goes through `source`; `level` is how many walks there are around this one.
    pub(super) fn new(source: &Arc<dyn Source>, budget: &Budget, level: u32) -> Message {
        let mut message = Message {
            source: Arc::clone(source),
            budget: budget.clone(),
            lines: Lines::new(source),
            line: Line::default(),
            memory: None,
            frames: Vec::new(),
            state: State::Entity,
            found: Found::new(budget),
            again: None,
            inner: VecDeque::new(),
            level,
            told_depth: false,
        };
        match budget.reserve(MEMORY) {
            Ok(memory) => message.memory = Some(memory),
            Err(reached) => message.found.end_with(None, reached.into()),
        }
        if level > LEVELS {
            message.found.end_with(None, Anomaly::unsupported("messages inside messages, too many to be looked into"));
        }
        message
    }

    /// Goes through a text without header.
    pub(super) fn text(source: &Arc<dyn Source>, budget: &Budget) -> Message {
        let mut message = Message::new(source, budget, 0);
        message.enter(What::Text, true);
        message
    }
}

impl Search for Message {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        if self.again.is_some() {
            self.read_again();
        } else if let Some(inner) = self.inner.front_mut() {
            match inner.next_item() {
                Some(item) => self.found.pass_on(item),
                None => drop(self.inner.pop_front()),
            }
        } else {
            match std::mem::replace(&mut self.state, State::Done) {
                State::Entity => self.entity()?,
                State::Body(body) => self.body(*body),
                State::Done => self.found.end(),
            }
        }
        Ok(())
    }
}

/// Headers.
impl Message {
    /// Reads the header that stands next, and enters what it announces.
    fn entity(&mut self) -> Result<(), LimitReached> {
        if self.lines.position() == 0 {
            Header::pass_empty(&mut self.lines);
        }
        let frames = &self.frames;
        let header = Header::read(&mut self.lines, &self.budget, |line| boundary(frames, line).is_some())?;
        if header.too_long {
            let detail = format!("a header is longer than {} bytes; the rest of it was not read", header::LONGEST);
            self.found.remark(None, Anomaly::damaged(detail));
        }
        if header.broken {
            self.found.remark(None, Anomaly::odd("a line among the header fields is no field"));
        }
        let default: &[u8] =
            if self.frames.last().is_some_and(|frame| frame.digest) { b"message/rfc822" } else { b"text/plain" };
        let kind = header.content_type().unwrap_or_else(|| default.to_vec());
        if kind.starts_with(b"multipart") && self.frames.len() < DEPTH {
            self.multipart(&kind, &header);
            return Ok(());
        }
        if kind.starts_with(b"multipart") && !std::mem::replace(&mut self.told_depth, true) {
            self.found
                .remark(None, Anomaly::unsupported(format!("parts inside parts, more than {DEPTH} levels of them")));
        }
        self.part(kind, &header);
        Ok(())
    }

    fn multipart(&mut self, kind: &[u8], header: &Header) {
        let prefix = if self.frames.is_empty() { String::new() } else { format!("{}.", self.number()) };
        let beside = prefix.clone();
        if kind == b"multipart/encrypted" {
            self.found.remark(None, Anomaly::encrypted("an encrypted message (RFC 1847)"));
        }
        if header.encodings().iter().any(|encoding| *encoding != Encoding::Identity) {
            // RFC 2045 6.4 forbids it; the parts are looked for all the same.
            self.found.remark(None, Anomaly::odd("a multipart that claims to be encoded"));
        }
        self.frames.push(Frame {
            boundaries: header.boundaries(),
            prefix,
            parts: 0,
            digest: kind == b"multipart/digest",
            guessed: false,
            closed: false,
        });
        self.enter(What::Beside("preamble", beside), true);
    }

    fn part(&mut self, kind: Vec<u8>, header: &Header) {
        let name = header.file_name().unwrap_or_default();
        let number = self.number();
        let encodings = header.encodings();
        if let Some(anomaly) = not_opened(&kind, header) {
            self.found.remark(Some(part_name(&name, &number, &kind)), anomaly);
        }
        if encodings.len() > 1 {
            self.found.remark(None, Anomaly::odd("a part that claims several encodings; all were read"));
        }
        let plain = encodings
            .iter()
            .any(|encoding| matches!(encoding, Encoding::Identity | Encoding::Uuencode | Encoding::Yenc));
        let watched = plain && !is_message(&kind);
        let signed = may_be_signed(&kind, header);
        self.enter(What::Part { name, kind, number, encodings, signed }, watched);
    }

    /// The number of the part at hand.
    fn number(&self) -> String {
        self.frames.last().map_or_else(|| "1".to_string(), |frame| format!("{}{}", frame.prefix, frame.parts))
    }

    fn enter(&mut self, what: What, watched: bool) {
        let start = self.lines.position();
        let blocks = watched.then(Blocks::default);
        self.state =
            State::Body(Box::new(Body { what, start, end: start, blank: true, blocks, found: 0, dashes: None }));
    }
}

/// Bodies.
impl Message {
    /// Reads some lines of a body, to its end if it comes.
    fn body(&mut self, mut body: Body) {
        for _ in 0..STEP {
            if !self.lines.read(&mut self.line, LOOKED_AT) {
                self.leave(body, self.line.start);
                return self.end();
            }
            if let Some((index, closing)) = boundary(&self.frames, &self.line.text) {
                let end = body.end;
                self.leave(body, end);
                return self.cross(index, closing);
            }
            if let Some(dashes) = body.dashes.take()
                && header::is_mime_field(&self.line.text)
            {
                return self.guess(body, &dashes);
            }
            if self.watch(&mut body) {
                break;
            }
        }
        self.state = State::Body(Box::new(body));
    }

    /// Looks at a line of a body. True if there is something to give.
    fn watch(&mut self, body: &mut Body) -> bool {
        let (line, before) = (&self.line, body.end);
        body.blank &= line.text.iter().all(u8::is_ascii_whitespace);
        body.end = line.end;
        if body.what.is_text() && is_dashes(&line.text) {
            body.dashes = Some(Dashes { before, text: line.text.clone() });
        }
        let Some(block) = body.blocks.as_mut().and_then(|blocks| blocks.line(line)) else { return false };
        body.found += 1;
        self.give_block(&body.what, block);
        true
    }

    /// A line of dashes with a field of MIME behind it: a boundary that no header told of.
    fn guess(&mut self, body: Body, dashes: &Dashes) {
        self.lines.go_to(self.line.start);
        let boundary = dashes.text.get(2..).unwrap_or_default().trim_ascii_end();
        let boundary = boundary.get(..LONGEST_BOUNDARY).unwrap_or(boundary).to_vec();
        let (prefix, parts) = match (&body.what, self.frames.last()) {
            (What::Part { number, .. }, _) => (format!("{number}."), 0),
            (_, Some(frame)) => (frame.prefix.clone(), frame.parts),
            (_, None) => (String::new(), 0),
        };
        self.leave(body, dashes.before);
        match self.frames.last_mut() {
            Some(frame) if frame.guessed => frame.boundaries = vec![boundary],
            _ => self.frames.push(Frame {
                boundaries: vec![boundary],
                prefix,
                parts,
                digest: false,
                guessed: true,
                closed: false,
            }),
        }
        self.cross(self.frames.len().saturating_sub(1), false);
    }

    /// Goes on behind the boundary of a frame.
    fn cross(&mut self, index: usize, closing: bool) {
        self.frames.truncate(index.saturating_add(1));
        let Some(frame) = self.frames.last_mut() else { return };
        if closing {
            frame.closed = true;
            let prefix = frame.prefix.clone();
            return self.enter(What::Beside("epilogue", prefix), true);
        }
        frame.parts = frame.parts.saturating_add(1);
        self.state = State::Entity;
    }

    /// The message is over: tells if boundaries are missing.
    fn end(&mut self) {
        let open: Vec<&Frame> = self.frames.iter().filter(|frame| !frame.closed && !frame.guessed).collect();
        let detail = match open.iter().any(|frame| frame.parts == 0) {
            _ if open.is_empty() => return,
            true => "the boundaries of a multipart are missing",
            false => "the message ends before its last boundary",
        };
        self.found.remark(None, Anomaly::odd(detail));
    }

    /// Gives what a body holds; it ends at `end`.
    fn leave(&mut self, mut body: Body, end: u64) {
        if let Some(block) = body.blocks.as_mut().and_then(|blocks| blocks.end_of_text(end)) {
            body.found += 1;
            self.give_block(&body.what, block);
        }
        let range = (body.start, end);
        if end <= body.start {
            return;
        }
        match body.what {
            What::Part { name, kind, number, encodings, signed } => {
                let name = part_name(&name, &number, &kind);
                for encoding in encodings {
                    let source = self.give_part(&name, &kind, range, encoding, body.found);
                    if let Some(source) = source.filter(|_| signed) {
                        self.give_signed(&name, &source, range);
                    }
                }
            }
            What::Beside(what, prefix) if !body.blank => {
                let of = prefix.strip_suffix('.').map_or(String::new(), |part| format!(" of part {part}"));
                let source = Arc::new(self.stored(range));
                self.give(Name::new(format!("{what}{of}").as_bytes()), source, range);
            }
            What::Beside(..) | What::Text => {}
        }
    }

    fn give_part(
        &mut self,
        name: &Name,
        kind: &[u8],
        range: (u64, u64),
        encoding: Encoding,
        found: u64,
    ) -> Option<Arc<dyn Source>> {
        let source: Arc<dyn Source> = match encoding {
            // The file that stands in the part is what it holds.
            Encoding::Uuencode | Encoding::Yenc if found > 0 => return None,
            Encoding::Identity | Encoding::Uuencode | Encoding::Yenc => Arc::new(self.stored(range)),
            Encoding::Quoted => Arc::new(decoded(&self.source, range, &self.budget, Quoted::default)),
            Encoding::Base64 => {
                let goes_on = Arc::new(AtomicBool::new(false));
                self.again = Some(Again { name: name.clone(), range, goes_on: Arc::clone(&goes_on) });
                Arc::new(decoded(&self.source, range, &self.budget, move || Base64::new(Arc::clone(&goes_on))))
            }
        };
        self.give(name.clone(), Arc::clone(&source), range);
        if is_message(kind) {
            self.inner.extend(unless_told(&source, &self.budget, self.level.saturating_add(1)));
        }
        Some(source)
    }

    /// Gives the content of signed data; it is a part like others, with a header of its own.
    fn give_signed(&mut self, name: &Name, source: &Arc<dyn Source>, range: (u64, u64)) {
        match cms::content(source, &self.budget) {
            Ok(None) => {}
            Ok(Some(content)) => {
                let content_name = [name.as_bytes(), b" (content)"].concat();
                self.give(Name::new(&content_name), Arc::clone(&content), range);
                self.inner.extend(unless_told(&content, &self.budget, self.level.saturating_add(1)));
            }
            Err(anomaly) => self.found.remark(Some(name.clone()), anomaly),
        }
    }

    fn give_block(&mut self, what: &What, block: Block) {
        let range = (block.start, block.end);
        let name = match (block.name.as_slice(), what) {
            (b"", What::Part { name, .. }) if !name.is_empty() => Name::new(name),
            (b"", _) => Name::new(format!("{:?} file", block.code).as_bytes()),
            (name, _) => Name::new(name),
        };
        if let Some(anomaly) = block.remark {
            self.found.remark(Some(name.clone()), anomaly);
        }
        let (source, budget) = (&self.source, &self.budget);
        let source: Arc<dyn Source> = match block.code {
            Code::Base64 => Arc::new(decoded(source, range, budget, || Base64::new(Arc::default()))),
            Code::BinHex => Arc::new(self.stored(range)),
            Code::Uuencode => Arc::new(decoded(source, range, budget, Uuencode::default)),
            Code::Yenc => Arc::new(decoded(source, range, budget, Yenc::default).expecting(block.length, block.crc32)),
        };
        if block.start < block.end {
            self.give(name, source, range);
        }
    }

    fn stored(&self, (start, end): (u64, u64)) -> Part {
        Part::new(Arc::clone(&self.source), start, end.saturating_sub(start))
    }

    fn give(&mut self, name: Name, source: Arc<dyn Source>, (start, end): (u64, u64)) {
        if self.found.is_ended() {
            return;
        }
        if let Err(reached) = self.found.member(name.clone(), source, Some(end.saturating_sub(start))) {
            self.found.end_with(Some(name), reached.into());
        }
    }

    /// If data followed the padding of a part in base64: the part up to there.
    fn read_again(&mut self) {
        let Some(again) = self.again.take().filter(|again| again.goes_on.load(Ordering::Relaxed)) else { return };
        self.found
            .remark(Some(again.name.clone()), Anomaly::odd("data follow the end of the base64 data; both were read"));
        let source = Arc::new(decoded(&self.source, again.range, &self.budget, Base64::up_to_padding));
        self.give(again.name, source, again.range);
    }
}

impl What {
    /// True for what may hold parts that no header tells of; a boundary in base64 is none of its characters.
    fn is_text(&self) -> bool {
        match self {
            What::Beside(..) => true,
            What::Part { kind, encodings, .. } => match encodings.as_slice() {
                [Encoding::Identity] => kind == b"text/plain",
                [Encoding::Base64] => true,
                _ => false,
            },
            What::Text => false,
        }
    }
}
