//! Normalised HTML, as signatures of target 3 expect it: the forms *nocomment* and *notags*.
//!
//! The rules were found by watching `sigtool --html-normalise` of ClamAV 1.4.6, and stand where they are applied:
//!
//! ```text
//! bytes --Blocks--> without the white space that blocks begin with
//!       --Machine--> nocomment: tags and text in lower case, without comments; white space squeezed
//!                    notags: the text, with the addresses of links and pictures
//! ```
//!
//! Both forms are made by one machine of small, fixed memory; a reader of one throws the other away. The same machine finds the
//! scripts of a page for [`super::script`].

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

use dachs_base::{Budget, Source};

use crate::html::Width;
use crate::stream::{Fenced, SourceRead};
use blocks::Blocks;
use machine::Machine;
use utf16::Utf16;

/// What a reader of a form holds: the buffer of its input, a block, and what was made of it.
const MEMORY: u64 = 96 * 1024;

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

/// A page that is gone through for its scripts.
///
/// # Errors
/// When the budget has no memory for that.
pub(super) fn page(source: &Arc<dyn Source>, budget: &Budget) -> io::Result<Scanned<impl Read + Send + use<>>> {
    let page = bytes(source);
    Ok(Scanned::new(Fenced::new(budget, MEMORY, || Ok(page))?))
}

/// Goes through a page and gives its scripts.
pub(super) struct Scanned<R> {
    reader: R,
    blocks: Blocks,
    machine: Machine,
    output: Output,
    /// The script at hand.
    pub(super) script: Vec<u8>,
    ended: bool,
}

impl<R: Read> Scanned<R> {
    /// Goes through the bytes of `reader`.
    pub(super) fn new(reader: R) -> Scanned<R> {
        let (blocks, machine, output) = (Blocks::default(), Machine::default(), Output::default());
        Scanned { reader, blocks, machine, output, script: Vec::new(), ended: false }
    }

    /// Goes through the next bytes. Scripts that end there, their end tags included, are put to the others. False at the end.
    ///
    /// # Errors
    /// Those of the reader.
    pub(super) fn advance(&mut self, scripts: &mut VecDeque<Vec<u8>>) -> io::Result<bool> {
        for byte in self.blocks.next(&mut self.reader)? {
            self.output.nocomment.clear();
            self.output.notags.clear();
            let inside = self.machine.in_script();
            self.machine.take(byte, &mut self.output);
            if inside {
                self.script.push(byte);
            }
            if inside && !self.machine.in_script() {
                scripts.push_back(std::mem::take(&mut self.script));
            }
        }
        let ended = self.blocks.ended();
        if ended && !std::mem::replace(&mut self.ended, true) && self.machine.in_script() {
            scripts.push_back(std::mem::take(&mut self.script));
        }
        Ok(!ended)
    }
}

/// Gives one form of the page that it reads.
struct Normalise<R> {
    reader: R,
    form: Form,
    blocks: Blocks,
    machine: Machine,
    output: Output,
    given: usize,
    ended: bool,
}

/// What was made and not yet given.
#[derive(Default)]
struct Output {
    nocomment: Vec<u8>,
    notags: Vec<u8>,
}

impl<R: Read> Normalise<R> {
    /// Makes this form of the bytes of `reader`.
    fn new(reader: R, form: Form) -> Normalise<R> {
        Normalise {
            reader,
            form,
            blocks: Blocks::default(),
            machine: Machine::default(),
            output: Output::default(),
            given: 0,
            ended: false,
        }
    }

    /// Normalises the next bytes. False at the end.
    fn advance(&mut self) -> io::Result<bool> {
        self.output.nocomment.clear();
        self.output.notags.clear();
        self.given = 0;
        for byte in self.blocks.next(&mut self.reader)? {
            self.machine.take(byte, &mut self.output);
        }
        let ended = self.blocks.ended();
        if ended && !std::mem::replace(&mut self.ended, true) {
            self.machine.finish(&mut self.output);
            return Ok(true);
        }
        Ok(!ended)
    }
}

impl<R: Read> Read for Normalise<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let made = if self.form == Form::NoComment { &self.output.nocomment } else { &self.output.notags };
            let mut waiting = made.get(self.given..).unwrap_or(&[]);
            let got = waiting.read(buffer)?;
            self.given += got;
            if got > 0 || buffer.is_empty() || !self.advance()? {
                return Ok(got);
            }
        }
    }
}
