//! Normalised HTML, as signatures of target 3 expect it: the forms *nocomment* and *notags*.
//!
//! The rules were found by watching `sigtool --html-normalise` of ClamAV 1.4.6, and stand where they are applied:
//!
//! ```text
//! bytes --Blocks--> without the white space that blocks begin with
//!       --Machine--> nocomment: tags and text in lower case, without comments; white space squeezed
//!                    notags: the text, with the addresses of links and pictures
//!                    scripts, for [`super::script`]
//! ```
//!
//! All are made by one machine of small, fixed memory. A page of at most [`AT_ONCE`] bytes goes through it once, and what comes
//! out is kept; of a longer one, each reader of a form has a machine of its own and throws the other forms away.

mod blocks;
mod entities;
mod machine;
mod marks;
mod reference;
mod tag;
#[cfg(test)]
mod tests;
mod utf16;
mod whole;
mod wide;

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;

use dachs_base::{Budget, Charge, Held, Source};

use crate::html::Width;
use crate::stream::{Fenced, SourceRead};
use blocks::Blocks;
use machine::Machine;
use utf16::Utf16;

/// What a reader of a form holds: the buffer of its input, a block, and what was made of it.
const MEMORY: u64 = 96 * 1024;
/// Pages of at most so many bytes are gone through once for all their forms.
const AT_ONCE: u64 = 1 << 20;

/// Which form is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The page in lower case and without comments.
    NoComment,
    /// The text, and the addresses of links and pictures.
    NoTags,
}

/// How a form of a page is read from its start. Pages in UTF-16 are read as UTF-8.
pub(super) fn opener(
    source: &Arc<dyn Source>,
    form: Form,
    budget: &Budget,
) -> impl Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync + 'static {
    let (source, budget) = (Arc::clone(source), budget.clone());
    move || {
        let page = bytes(&source);
        Ok(Box::new(Fenced::new(&budget, MEMORY, || Ok(Normalise::new(page, form)))?))
    }
}

/// The bytes of a page; those in UTF-16 become UTF-8.
fn bytes(source: &Arc<dyn Source>) -> Box<dyn Read + Send> {
    let input = SourceRead::new(Arc::clone(source));
    match Width::of(&**source) {
        Width::One => Box::new(input),
        width => Box::new(Utf16::new(input, width == Width::Little)),
    }
}

/// All forms of a page.
pub(super) struct Forms {
    pub(super) nocomment: Arc<dyn Source>,
    pub(super) notags: Arc<dyn Source>,
    pub(super) scripts: Gathered,
}

/// The scripts of a page, their end tags included.
pub(super) struct Gathered {
    pub(super) scripts: VecDeque<Vec<u8>>,
    _memory: Vec<Charge>,
}

/// Goes once through a page for all its forms. Absent for a long one, and where the budget would not do: then a reader of one
/// form tells what is missing.
pub(super) fn forms(source: &Arc<dyn Source>, budget: &Budget) -> Option<Forms> {
    source.known_len().filter(|length| *length <= AT_ONCE)?;
    let _machine = budget.reserve(MEMORY).ok()?;
    let held = source.held().filter(|_| Width::of(&**source) == Width::One);
    let mut made = Made::new(budget);
    let output = match held {
        Some(held) => at_once(held, &mut made)?,
        None => {
            let mut page = Page { keeps: true, ..Page::new(bytes(source), true) };
            while page.advance().ok()? {
                made.account(&page.output)?;
            }
            page.output
        }
    };
    let [nocomment, notags, scripts] = made.memory;
    Some(Forms {
        nocomment: Arc::new(Held::new(output.nocomment, nocomment)),
        notags: Arc::new(Held::new(output.notags, notags)),
        scripts: Gathered {
            scripts: output.scripts.map(|scripts| scripts.whole).unwrap_or_default(),
            _memory: scripts,
        },
    })
}

/// Goes through a page in memory, without a copy.
fn at_once(mut page: &[u8], made: &mut Made<'_>) -> Option<Output> {
    let mut machine = Machine::default();
    let mut output = made.expect(page.len())?;
    while !page.is_empty() {
        let (block, rest) = blocks::split(page);
        machine.go(block, &mut output);
        made.account(&output)?;
        page = rest;
    }
    machine.finish(&mut output);
    made.account(&output)?;
    Some(output)
}

/// What was set aside for forms that are kept.
struct Made<'b> {
    budget: &'b Budget,
    /// Bytes of each form that were counted, and of scripts.
    counted: [usize; 3],
    /// Bytes of forms that were charged.
    charged: u64,
    memory: [Vec<Charge>; 3],
}

impl<'b> Made<'b> {
    fn new(budget: &'b Budget) -> Made<'b> {
        Made { budget, counted: [0; 3], charged: 0, memory: Default::default() }
    }

    /// Sets aside what the forms of a page of so many bytes take: hardly ever more than the page, so that they need not grow.
    fn expect(&mut self, length: usize) -> Option<Output> {
        let [nocomment, notags, _] = &mut self.memory;
        for memory in [nocomment, notags] {
            memory.push(self.budget.reserve(u64::try_from(length).ok()?).ok()?);
        }
        self.counted = [length, length, 0];
        let room = length.saturating_add(marks::SHORT);
        let (nocomment, notags) = (Vec::with_capacity(room), Vec::with_capacity(room));
        Some(Output { nocomment, notags, scripts: Some(Scripts::default()) })
    }

    /// Charges what was made since: forms like a stream that is unpacked. Absent if there is no more.
    fn account(&mut self, output: &Output) -> Option<()> {
        let lengths = [output.nocomment.len(), output.notags.len(), output.gathered()];
        for ((length, counted), memory) in lengths.into_iter().zip(&mut self.counted).zip(&mut self.memory) {
            let more = u64::try_from(length.saturating_sub(*counted)).ok()?;
            if more > 0 {
                // It grows by doubling.
                memory.push(self.budget.reserve(more.saturating_mul(2)).ok()?);
                *counted = length;
            }
        }
        let [nocomment, notags, _] = lengths.map(|length| u64::try_from(length).unwrap_or(u64::MAX));
        let made = nocomment.saturating_add(notags);
        let fits = nocomment.max(notags) <= self.budget.limits().object_size;
        self.budget.charge_bytes(made.saturating_sub(self.charged)).ok().filter(|()| fits)?;
        self.charged = made;
        Some(())
    }
}

/// Reads the scripts of a page.
///
/// # Errors
/// When the budget has no memory for that.
pub(super) fn scripts(source: &Arc<dyn Source>, budget: &Budget) -> io::Result<Page<impl Read + Send + use<>>> {
    let page = bytes(source);
    Ok(Page::new(Fenced::new(budget, MEMORY, || Ok(page))?, true))
}

/// Goes through a page.
pub(super) struct Page<R> {
    reader: R,
    blocks: Blocks,
    machine: Machine,
    pub(super) output: Output,
    ended: bool,
    /// The forms of all blocks are kept.
    keeps: bool,
}

/// What was made of the last block; scripts until somebody takes them.
#[derive(Default)]
pub(super) struct Output {
    nocomment: Vec<u8>,
    notags: Vec<u8>,
    /// Absent if nobody wants them.
    scripts: Option<Scripts>,
}

/// Scripts, their end tags included.
#[derive(Default)]
struct Scripts {
    whole: VecDeque<Vec<u8>>,
    /// The one that has not ended.
    at_hand: Vec<u8>,
    /// Bytes of those that have.
    ended: usize,
}

impl Scripts {
    fn end(&mut self) {
        self.ended = self.ended.saturating_add(self.at_hand.len());
        self.whole.push_back(std::mem::take(&mut self.at_hand));
    }
}

impl Output {
    /// The next script that has ended.
    pub(super) fn next_script(&mut self) -> Option<Vec<u8>> {
        self.scripts.as_mut()?.whole.pop_front()
    }

    /// Bytes of the script that has not ended.
    pub(super) fn unfinished(&self) -> usize {
        self.scripts.as_ref().map_or(0, |scripts| scripts.at_hand.len())
    }

    /// Bytes of all scripts so far.
    fn gathered(&self) -> usize {
        self.scripts.as_ref().map_or(0, |scripts| scripts.ended.saturating_add(scripts.at_hand.len()))
    }
}

impl<R: Read> Page<R> {
    /// A page of the bytes of `reader`, and its scripts if they are wanted.
    pub(super) fn new(reader: R, scripts: bool) -> Page<R> {
        let output = Output { scripts: scripts.then(Scripts::default), ..Output::default() };
        Page { reader, blocks: Blocks::default(), machine: Machine::default(), output, ended: false, keeps: false }
    }

    /// Goes through the next bytes. False at the end.
    ///
    /// # Errors
    /// Those of the reader.
    pub(super) fn advance(&mut self) -> io::Result<bool> {
        if !self.keeps {
            self.output.nocomment.clear();
            self.output.notags.clear();
        }
        self.machine.go(self.blocks.next(&mut self.reader)?, &mut self.output);
        let ended = self.blocks.ended();
        if ended && !std::mem::replace(&mut self.ended, true) {
            self.machine.finish(&mut self.output);
            return Ok(true);
        }
        Ok(!ended)
    }
}

/// Gives one form of the page that it reads.
struct Normalise<R> {
    page: Page<R>,
    form: Form,
    given: usize,
}

impl<R: Read> Normalise<R> {
    /// Makes this form of the bytes of `reader`.
    fn new(reader: R, form: Form) -> Normalise<R> {
        Normalise { page: Page::new(reader, false), form, given: 0 }
    }
}

impl<R: Read> Read for Normalise<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Output { nocomment, notags, .. } = &self.page.output;
            let made = if self.form == Form::NoComment { nocomment } else { notags };
            let mut waiting = made.get(self.given..).unwrap_or(&[]);
            let got = waiting.read(buffer)?;
            self.given += got;
            if got > 0 || buffer.is_empty() || !self.page.advance()? {
                return Ok(got);
            }
            self.given = 0;
        }
    }
}
