//! Streams that stand one behind the other, read as one.
//!
//! Most compressed formats may be concatenated: `cat a.gz b.gz` is a gzip file of two members whose contents follow each
//! other. A format says how one of them begins ([`Begin`]); [`Frames`] chains them, and [`open`] is the unpacker for all
//! of these formats: one member, and whatever stands behind the last frame as another.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dachs_base::{Anomaly, Budget, Name, Part, Source};

use super::{Fenced, Replay, SourceRead, is_remark};
use crate::{Item, Member, Unpack};

/// One frame at work.
pub(crate) trait Frame: Read + Send {
    /// The input behind the frame. Called after the frame gave its end, or a remark in place of it.
    fn finish(self: Box<Self>) -> SourceRead;
}

impl<F: Frame> Frame for Fenced<F> {
    fn finish(self: Box<Self>) -> SourceRead {
        Box::new(self.into_inner()).finish()
    }
}

/// What stands at a place where a frame may begin.
pub(crate) enum Begun {
    /// A frame.
    Frame(Box<dyn Frame>),
    /// None: the stream ended at this offset.
    End(u64),
}

/// Begins the frame at the position of the input. The number of frames before it is given: without a first frame, there
/// is no stream, which is an error.
pub(crate) type Begin = fn(SourceRead, &Budget, u64) -> io::Result<Begun>;

/// An input in which no stream has begun.
pub(crate) fn no_frame() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "no stream begins here")
}

/// Where a stream ended that was read wholly; [`u64::MAX`] until then.
type End = Arc<AtomicU64>;

struct Frames {
    begin: Begin,
    budget: Budget,
    count: u64,
    input: Option<SourceRead>,
    frame: Option<Box<dyn Frame>>,
    remark: Option<io::Error>,
    end: End,
}

impl Frames {
    fn next_frame(&mut self, input: SourceRead) -> io::Result<()> {
        self.budget.check_time().map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
        match (self.begin)(input, &self.budget, self.count)? {
            Begun::Frame(frame) => self.frame = Some(frame),
            Begun::End(end) => {
                self.end.store(end, Ordering::Relaxed);
                return self.remark.take().map_or(Ok(()), Err);
            }
        }
        self.count = self.count.saturating_add(1);
        Ok(())
    }
}

impl Read for Frames {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(mut frame) = self.frame.take() else {
                let Some(input) = self.input.take() else { return Ok(0) };
                self.next_frame(input)?;
                continue;
            };
            match frame.read(buffer) {
                Ok(0) => self.input = Some(frame.finish()),
                Ok(got) => {
                    self.frame = Some(frame);
                    return Ok(got);
                }
                Err(error) if is_remark(&error) => {
                    self.remark = Some(error);
                    self.input = Some(frame.finish());
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Unpacks an object that is one stream of frames; its content is called `name`.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget, name: Name, begin: Begin) -> Box<dyn Unpack> {
    let end = Arc::new(AtomicU64::new(u64::MAX));
    let content = Arc::new(content(source, budget, begin, &end));
    Box::new(Stream { source: Arc::clone(source), budget: budget.clone(), end, step: Step::Content(name, content) })
}

fn content(source: &Arc<dyn Source>, budget: &Budget, begin: Begin, end: &End) -> Replay {
    let (source, again, end) = (Arc::clone(source), budget.clone(), Arc::clone(end));
    Replay::new(budget, move || {
        let input = Some(SourceRead::new(Arc::clone(&source)));
        let (budget, end) = (again.clone(), Arc::clone(&end));
        Ok(Box::new(Frames { begin, budget, count: 0, input, frame: None, remark: None, end }))
    })
}

struct Stream {
    source: Arc<dyn Source>,
    budget: Budget,
    end: End,
    step: Step,
}

enum Step {
    Content(Name, Arc<Replay>),
    Behind(Arc<Replay>),
    Rest(u64),
    Done,
}

impl Stream {
    fn member(&mut self, name: Name, source: Arc<dyn Source>) -> Item {
        match self.budget.charge_object() {
            Ok(()) => Item::Member(Member { name, source, packed_size: None }),
            Err(reached) => {
                self.step = Step::Done;
                Item::Anomaly { member: Some(name), anomaly: reached.into() }
            }
        }
    }

    /// Looks for bytes behind the stream, zeros aside: padding to the size of a block is usual. Where the stream gave none, as if it had
    /// been skippable frames alone, they may be what it should have given.
    fn look_behind(&mut self, empty: bool) -> Option<Item> {
        let end = self.end.load(Ordering::Relaxed);
        let start = match end {
            u64::MAX => return None,
            _ => first_data(self.source.as_ref(), end, &self.budget)?,
        };
        self.step = Step::Rest(start);
        let anomaly = match empty {
            true => Anomaly::damaged("the compressed stream is empty, and no further one begins in what follows"),
            false => Anomaly::odd("more data follows the compressed stream"),
        };
        Some(Item::Anomaly { member: None, anomaly })
    }
}

impl Unpack for Stream {
    fn next_item(&mut self) -> Option<Item> {
        match std::mem::replace(&mut self.step, Step::Done) {
            Step::Content(name, content) => {
                self.step = Step::Behind(Arc::clone(&content));
                Some(self.member(name, content))
            }
            Step::Behind(content) => {
                let empty = content.len() == 0;
                drop(content);
                self.look_behind(empty)
            }
            Step::Rest(start) => {
                let length = self.source.len().saturating_sub(start);
                let rest = Part::new(Arc::clone(&self.source), start, length);
                Some(self.member(Name::new(b"trailing data"), Arc::new(rest)))
            }
            Step::Done => None,
        }
    }
}

/// Offset of the first byte from `offset` on that is not zero.
fn first_data(source: &dyn Source, offset: u64, budget: &Budget) -> Option<u64> {
    let mut buffer = [0; 16 * 1024];
    let mut at = offset;
    loop {
        at = source.next_data(at);
        let got = source.read_at(at, &mut buffer);
        let found = buffer.iter().take(got).position(|byte| *byte != 0);
        if let Some(inside) = found {
            return at.checked_add(u64::try_from(inside).ok()?);
        }
        budget.check_time().ok()?;
        at = at.checked_add(u64::try_from(got).ok().filter(|got| *got > 0)?)?;
    }
}
