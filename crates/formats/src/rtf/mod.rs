//! Rich Text Format (RTF Specification 1.9.1): the objects, pictures and attached data in it.
//!
//! They stand in the text as hex digits behind a control word. Malware hides them from readers that are stricter than
//! Word: white space, control words, groups and `\bin` between the digits, missing braces, a header that is cut short. So
//! the only thing that counts is the control word, wherever it stands, and the digits are read as Word reads them ([`hex`]):
//!
//! ```text
//! {\object\objemb{\*\objdata 0105 00{\x}00\'41 0200...}}  -> object 1            all bytes, an OLE 1.0 object
//!                                                          -> object 1/a.exe      what it holds, see `ole1`
//! {\*\themedata 504b...}                                   -> themedata 2
//! ```
//!
//! The digits are decoded as they are read, so a member may be larger than memory. Where programs differ in what digits
//! count, both readings are given.
//!
//! Not done: WordPad's reading of odd files, links to other files.

mod hex;
mod lexer;

use std::io::Read;
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, LimitReached, Name, Part, Source};

use self::hex::{Hex, Reading};
use self::lexer::{Lexer, Token, Word};
use crate::stream::{Fenced, Replay, SourceRead};
use crate::{Found, Search, Unpack, ole1};

/// Data that may stand inside each other at most.
const DEEPEST: usize = 16;
/// Tokens of a step.
const STEP: u32 = 1 << 12;
/// The buffers of a decoder.
const MEMORY: u64 = 48 * 1024;

/// Goes through the data in a text.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Box::new(Rtf {
        lexer: Lexer { input: SourceRead::new(Arc::clone(source)), text: false },
        source: Arc::clone(source),
        budget: budget.clone(),
        open: Vec::new(),
        found: Found::new(budget),
        level: 0,
        count: 0,
        too_deep: false,
    })
}

struct Rtf {
    source: Arc<dyn Source>,
    budget: Budget,
    lexer: Lexer,
    /// Data whose end was not reached yet.
    open: Vec<Data>,
    found: Found,
    /// Groups that are open.
    level: i64,
    count: u32,
    too_deep: bool,
}

/// Hex digits in the text.
struct Data {
    what: &'static str,
    /// Where they begin.
    start: u64,
    level: i64,
    /// True if there are groups in it that programs read differently.
    stars: bool,
}

/// Control words before hex digits, and what the digits are called here.
fn digits(name: &[u8]) -> Option<&'static str> {
    Some(match name {
        b"objdata" => "object",
        b"pict" => "picture",
        b"datastore" => "datastore",
        b"themedata" => "themedata",
        b"fontemb" => "font",
        _ => return None,
    })
}

impl Search for Rtf {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        for _ in 0..STEP {
            if self.found.is_ended() {
                break;
            }
            self.token()?;
        }
        Ok(())
    }
}

impl Rtf {
    fn token(&mut self) -> Result<(), LimitReached> {
        match self.lexer.next() {
            Token::Open => self.level = self.level.saturating_add(1),
            Token::Close => {
                self.level = self.level.saturating_sub(1);
                return self.close(self.level);
            }
            Token::Word(word) => return self.word(&word),
            Token::Symbol(b'*') => self.note_star(),
            Token::End => {
                self.found.end();
                return self.close(i64::MIN);
            }
            Token::Quoted | Token::Symbol(_) | Token::Byte(_) => {}
        }
        Ok(())
    }

    /// Ends the data of groups deeper than `level`, innermost first.
    fn close(&mut self, level: i64) -> Result<(), LimitReached> {
        while let Some(data) = self.open.pop_if(|data| data.level > level) {
            self.give(&data, Reading::Stars)?;
            if data.stars {
                self.give(&data, Reading::NoStars)?;
            }
        }
        Ok(())
    }

    fn note_star(&mut self) {
        if let Some(data) = self.open.last_mut() {
            data.stars |= data.level < self.level && data.what == "object";
        }
    }

    fn word(&mut self, word: &Word) -> Result<(), LimitReached> {
        // Only `\bin` needs to know where the text ends.
        if word.name() == b"bin"
            && let Some(count) = self.lexer.binary(word, self.source.len())
        {
            self.lexer.input.go_to(self.lexer.input.position().saturating_add(count));
        }
        let Some(what) = digits(word.name()) else { return Ok(()) };
        // A second one in the same group ends the first.
        self.close(self.level.saturating_sub(1))?;
        if self.open.len() < DEEPEST {
            let start = self.lexer.input.position();
            self.open.push(Data { what, start, level: self.level, stars: false });
        } else if !std::mem::replace(&mut self.too_deep, true) {
            let text = format!("data inside data, more than {DEEPEST} deep; not all of it was decoded");
            self.found.remark(None, Anomaly::unsupported(text));
        }
        Ok(())
    }

    fn give(&mut self, data: &Data, reading: Reading) -> Result<(), LimitReached> {
        let bytes: Arc<dyn Source> = Arc::new(self.decoded(data.start, reading));
        if bytes.is_empty() && bytes.problem().is_none() {
            return Ok(());
        }
        self.count = self.count.saturating_add(1);
        let name = format!("{} {}", data.what, self.count);
        self.found.member(Name::new(name.as_bytes()), Arc::clone(&bytes), None)?;
        if data.what == "object" {
            for payload in ole1::object(&bytes) {
                let label = if payload.name.is_empty() { b"content" } else { payload.name.as_slice() };
                let name = [name.as_bytes(), b"/", label].concat();
                let part = Part::new(Arc::clone(&bytes), payload.start, payload.length);
                self.found.member(Name::new(&name), Arc::new(part), None)?;
            }
        }
        Ok(())
    }

    fn decoded(&self, start: u64, reading: Reading) -> Replay {
        let (source, budget) = (Arc::clone(&self.source), self.budget.clone());
        Replay::new(&self.budget, move || {
            let make = || {
                let mut input = SourceRead::new(Arc::clone(&source));
                input.go_to(start);
                Ok(Hex::new(Lexer { input, text: true }, source.len(), reading, &budget))
            };
            let decoder: Box<dyn Read + Send> = Box::new(Fenced::new(&budget, MEMORY, make)?);
            Ok(decoder)
        })
    }
}
