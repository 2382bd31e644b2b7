//! Mailboxes (RFC 4155): messages behind each other, each behind a line `From SENDER DATE`.
//!
//! Each message is a member. A text may hold lines that begin with the same word; a separator also stands at the start or
//! behind an empty line, holds a time, and is followed by a header field.

use std::sync::Arc;

use dachs_base::{Budget, Name, Part, Source};

use super::header::is_field;
use super::lines::{Line, Lines};
use super::message::{self, Message};
use crate::{Item, Member, Unpack};

/// Bytes of a line that are looked at.
const LOOKED_AT: usize = 1024;
/// Lines between two looks at the clock.
const STEP: u32 = 4096;

/// Goes through a mailbox.
pub(super) struct Mailbox {
    source: Arc<dyn Source>,
    budget: Budget,
    lines: Lines,
    line: Line,
    /// Where the message at hand starts; absent before the first separator.
    start: Option<u64>,
    count: u64,
    /// A separator, if a field follows: where the message before it ends, and where the next one starts.
    separator: Option<(u64, u64)>,
    /// Where the last line starts, if it is empty: it belongs to the separator.
    empty: Option<u64>,
    inner: Option<Box<Message>>,
    done: bool,
}

impl Mailbox {
    /// Goes through `source`.
    pub(super) fn new(source: &Arc<dyn Source>, budget: &Budget) -> Mailbox {
        Mailbox {
            source: Arc::clone(source),
            budget: budget.clone(),
            lines: Lines::new(source),
            line: Line::default(),
            start: None,
            count: 0,
            separator: None,
            empty: None,
            inner: None,
            done: false,
        }
    }

    /// Reads some lines, to the end of a message if it comes.
    fn step(&mut self) -> Option<Item> {
        if let Err(reached) = self.budget.check_time() {
            self.done = true;
            return Some(Item::Anomaly { member: None, anomaly: reached.into() });
        }
        for _ in 0..STEP {
            if !self.lines.read(&mut self.line, LOOKED_AT) {
                self.done = true;
                return self.message(self.empty.unwrap_or(self.line.start));
            }
            let first = self.start.is_none() && self.separator.is_none();
            if let Some((start, next)) = self.separator.take()
                && (is_field(&self.line.text) || self.line.text.starts_with(b">From ") || self.start.is_none())
            {
                let item = self.message(start);
                self.start = Some(next);
                self.note_line(false);
                if item.is_some() {
                    return item;
                }
                continue;
            }
            self.note_line(first);
        }
        None
    }

    fn note_line(&mut self, first: bool) {
        let text = &self.line.text;
        if text.starts_with(b"From ") && (first || (self.empty.is_some() && holds_time(text))) {
            self.separator = Some((self.empty.unwrap_or(self.line.start), self.line.next));
        }
        self.empty = text.is_empty().then_some(self.line.start);
    }

    /// The message at hand, which ends at `end`.
    fn message(&mut self, end: u64) -> Option<Item> {
        let start = match (self.start, self.separator) {
            (Some(start), _) => start,
            // The first separator is the last line.
            (None, Some((_, next))) if self.done => next,
            _ => return None,
        };
        if end <= start {
            return None;
        }
        self.count = self.count.saturating_add(1);
        let name = Name::new(format!("message {}", self.count).as_bytes());
        if let Err(reached) = self.budget.charge_object() {
            self.done = true;
            return Some(Item::Anomaly { member: Some(name), anomaly: reached.into() });
        }
        let source: Arc<dyn Source> = Arc::new(Part::new(Arc::clone(&self.source), start, end - start));
        self.inner = message::unless_told(&source, &self.budget, 1);
        Some(Item::Member(Member { name, source, packed_size: Some(end - start) }))
    }
}

/// True if a time of day stands in the line: `12:34`.
fn holds_time(line: &[u8]) -> bool {
    line.windows(5).any(|window| {
        matches!(window, [a, b, b':', c, d] if [a, b, c, d].iter().all(|byte| byte.is_ascii_digit() || **byte == b' '))
    })
}

impl Unpack for Mailbox {
    fn next_item(&mut self) -> Option<Item> {
        loop {
            if let Some(item) = self.inner.as_mut().and_then(|inner| inner.next_item()) {
                return Some(item);
            }
            self.inner = None;
            if self.done {
                return None;
            }
            if let Some(item) = self.step() {
                return Some(item);
            }
        }
    }
}
