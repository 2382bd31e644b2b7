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
mod reference;
mod tag;
#[cfg(test)]
mod tests;
mod utf16;
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
    let mut page = Page::new(bytes(source), true);
    let (mut nocomment, mut notags) = (Made::default(), Made::default());
    let (mut memory, mut counted) = (Vec::new(), 0);
    while page.advance().ok()? {
        nocomment.add(&page.output.nocomment, budget)?;
        notags.add(&page.output.notags, budget)?;
        let gathered = page.output.gathered();
        memory.extend(set_aside(gathered.saturating_sub(counted), budget)?);
        counted = gathered;
    }
    let scripts = page.output.scripts.map(|scripts| scripts.whole).unwrap_or_default();
    Some(Forms { nocomment: nocomment.keep(), notags: notags.keep(), scripts: Gathered { scripts, _memory: memory } })
}

/// Sets memory aside for so many more bytes of something that grows by doubling.
fn set_aside(bytes: usize, budget: &Budget) -> Option<Option<Charge>> {
    let bytes = u64::try_from(bytes).ok()?;
    if bytes == 0 { Some(None) } else { budget.reserve(bytes.saturating_mul(2)).ok().map(Some) }
}

/// A form that is kept.
#[derive(Default)]
struct Made {
    bytes: Vec<u8>,
    memory: Vec<Charge>,
}

impl Made {
    /// Charged like a stream that is unpacked.
    fn add(&mut self, more: &[u8], budget: &Budget) -> Option<()> {
        self.memory.extend(set_aside(more.len(), budget)?);
        budget.charge_bytes(u64::try_from(more.len()).ok()?).ok()?;
        self.bytes.extend_from_slice(more);
        let length = u64::try_from(self.bytes.len()).ok()?;
        (length <= budget.limits().object_size).then_some(())
    }

    fn keep(self) -> Arc<dyn Source> {
        Arc::new(Held::new(self.bytes, self.memory))
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
        Page { reader, blocks: Blocks::default(), machine: Machine::default(), output, ended: false }
    }

    /// Goes through the next bytes. False at the end.
    ///
    /// # Errors
    /// Those of the reader.
    pub(super) fn advance(&mut self) -> io::Result<bool> {
        self.output.nocomment.clear();
        self.output.notags.clear();
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
