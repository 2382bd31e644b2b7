//! Stretches of texts and scripts that are encoded: base64 (RFC 4648 4), hexadecimal digits (RFC 4648 8), and bytes that are
//! escaped one by one (`\x4d`, `0x4d,`, `%4d`, `\u004d`), written as numbers ([`list`]) or made of numbers by calls ([`characters`]), as scripts
//! carry programs, archives and further scripts.
//!
//! ```text
//! text --scan--> where a stretch begins --digits--> its bytes, over line ends and joined strings --> a member
//! ```
//!
//! A stretch has to be long to be believed ([`scan`]), longer if nothing before it speaks of decoding. Each is given as a member
//! named by its coding and offset. What it decodes to is asked for its kind: archives and documents are given as objects in the
//! midst of others. Kinds without a magic number (LZMA, compress) are chance, and not given. What is DEFLATE (RFC 1951), bare or in
//! zlib's wrapping (RFC 1950), as of `gzinflate` and `DeflateStream`, is given inflated as well.
//!
//! Texts in UTF-16 are read by their low bytes. This is one more view of bytes that were looked at: after [`MOST`] stretches the
//! search ends with a remark, which is no gap. Where something beside base64 speaks of turning texts round, it is read from its end as well.
//! Not done: base64 with an alphabet of its own, other texts turned round, arithmetic on characters.

mod characters;
mod digits;
mod list;
mod narrow;
mod scan;

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Class, FileKind, LimitReached, Memory, Name, Source, bytes_at, read_vec_at};

use self::characters::Characters;
use self::digits::{Decoded, Form, Rest};
use self::list::List;
pub(crate) use self::narrow::Narrow;
use crate::codec::Decoder;
use crate::stream::{Fenced, Replay, SourceRead};
use crate::unpack::{Found, Search, Unpack};
use crate::{Identity, codec};

/// Stretches given of one object.
const MOST: u32 = 1000;
/// Bytes looked at in one step, and how many of them again in the next.
const STEP: usize = 1 << 18;
const AGAIN: usize = 256;
/// No longer stretch is read from its end.
const TURNED: u64 = 1 << 22;
/// Memory of a decoder: the input's buffer.
const MEMORY: u64 = 64 * 1024;
/// Bytes by which DEFLATE is known, and how many of them it must make plain.
const TRIED: usize = 16 * 1024;
const ENOUGH: u64 = 64;

/// Looks for encoded stretches in a text; `None` for other objects.
pub(crate) fn open(identity: &Identity, source: &Arc<dyn Source>, budget: &Budget) -> Option<Box<dyn Unpack>> {
    let (source, width): (Arc<dyn Source>, u64) = match identity.kind {
        FileKind::Utf16 => (Arc::new(Narrow::new(Arc::clone(source))), 2),
        FileKind::Hwpml | FileKind::Xdp | FileKind::XmlWord | FileKind::XmlXl => return None,
        kind if kind.class() == Class::Text => (Arc::clone(source), 1),
        _ => return None,
    };
    let (found, budget) = (Found::new(budget), budget.clone());
    Some(Box::new(Encoded { source, width, found, budget, at: 0, until: [0; Form::ALL.len()], count: 0 }))
}

struct Encoded {
    source: Arc<dyn Source>,
    /// Bytes of a character.
    width: u64,
    found: Found,
    budget: Budget,
    /// Everything before was looked at.
    at: u64,
    /// For each form, where the last stretch ended.
    until: [u64; Form::ALL.len()],
    count: u32,
}

impl Search for Encoded {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        let source = Arc::clone(&self.source);
        let window = bytes_at(source.as_ref(), self.at, STEP);
        let last = window.len() < STEP;
        let fresh = if last { window.len() } else { STEP - AGAIN };
        for (start, form) in scan::places(&window, fresh) {
            let rest = window.get(start..).unwrap_or_default();
            let start = self.at.saturating_add(as_u64(start));
            if self.until(form).is_some_and(|until| start >= *until) {
                self.consider((start, form), (rest, last))?;
            }
        }
        self.at = self.at.saturating_add(as_u64(fresh));
        if last {
            self.found.end();
        }
        Ok(())
    }
}

impl Encoded {
    fn until(&mut self, form: Form) -> Option<&mut u64> {
        self.until.get_mut(form.index())
    }

    /// Gives the stretch that begins here, if it is one; `rest`: what is at hand from there on, and whether that is all.
    fn consider(&mut self, (start, form): (u64, Form), (rest, last): (&[u8], bool)) -> Result<(), Anomaly> {
        if self.found.is_ended() {
            return Ok(());
        }
        let plausible = match form {
            _ if form.is_list() => list::may_be(List::new(Rest::new(rest), form)),
            _ if form.is_expression() => list::may_be(Characters::new(Rest::new(rest), form)),
            _ => true,
        };
        if !plausible {
            return Ok(());
        }
        let mut measured = self.measured(Rest::new(rest), form)?;
        if !last && measured.length.saturating_add(as_u64(digits::LOOK)) > as_u64(rest.len()) {
            let input = SourceRead::range(Arc::clone(&self.source), start, u64::MAX);
            measured = self.measured(input, form)?;
        }
        let end = start.saturating_add(measured.length);
        if let Some(until) = self.until(form) {
            *until = end;
        }
        let Some(form) = scan::judge(form, &measured, || self.around(start, end)) else { return Ok(()) };
        if self.count >= MOST {
            let text = "it holds more encoded stretches than were decoded; the rest was looked at as it stands";
            self.found.end_with(None, Anomaly::odd(text));
            return Ok(());
        }
        self.count += 1;
        if form == Form::Base64 && end - start <= TURNED && scan::is_turned(&self.around(start, end)) {
            self.give_turned(start, end)?;
        }
        let name = self.name(form, start);
        let decoded = self.decoded(start, form);
        Ok(self.give(&name, decoded, end - start)?)
    }

    /// The name of a stretch.
    fn name(&self, form: Form, start: u64) -> String {
        format!("{} at {}", form.name(), start.saturating_mul(self.width))
    }

    fn measured(&self, input: impl digits::Input, form: Form) -> Result<digits::Measured, LimitReached> {
        match form {
            _ if form.is_list() => list::measure(List::new(input, form), &self.budget),
            _ if form.is_expression() => list::measure(Characters::new(input, form), &self.budget),
            _ => digits::measure(input, form, &self.budget),
        }
    }

    /// What stands before a stretch and behind it.
    fn around(&self, start: u64, end: u64) -> Vec<u8> {
        let from = start.saturating_sub(as_u64(scan::AROUND));
        let mut around = read_vec_at(self.source.as_ref(), from, usize::try_from(start - from).unwrap_or(0));
        around.push(b'\n');
        around.extend(read_vec_at(self.source.as_ref(), end, scan::AROUND));
        around
    }

    /// The bytes of a stretch.
    fn decoded(&self, start: u64, form: Form) -> Arc<dyn Source> {
        let (source, budget) = (Arc::clone(&self.source), self.budget.clone());
        Arc::new(Replay::new(&self.budget, move || {
            // It ends by itself, where it was measured to end.
            let input = SourceRead::range(Arc::clone(&source), start, u64::MAX);
            let opened: Decoder = match form {
                _ if form.is_list() => Box::new(Fenced::new(&budget, MEMORY, || Ok(List::new(input, form)))?),
                _ if form.is_expression() => {
                    Box::new(Fenced::new(&budget, MEMORY, || Ok(Characters::new(input, form)))?)
                }
                _ => Box::new(Fenced::new(&budget, MEMORY, || Ok(Decoded::new(input, form)))?),
            };
            Ok(opened)
        }))
    }

    /// Gives a stretch of base64 that is read from its end.
    fn give_turned(&mut self, start: u64, end: u64) -> Result<(), LimitReached> {
        let length = usize::try_from(end - start).unwrap_or(usize::MAX);
        let memory = self.budget.reserve(end - start)?;
        let mut digits = read_vec_at(self.source.as_ref(), start, length);
        digits.retain(|byte| Form::Base64.is_digit(*byte));
        digits.reverse();
        let turned: Arc<dyn Source> = Arc::new(Memory::new(digits));
        let budget = self.budget.clone();
        let decoded = Replay::new(&self.budget, move || {
            // The digits are charged for as long as they can be read.
            let _held = &memory;
            let input = SourceRead::range(Arc::clone(&turned), 0, u64::MAX);
            let opened: Decoder = Box::new(Fenced::new(&budget, MEMORY, || Ok(Decoded::new(input, Form::Base64)))?);
            Ok(opened)
        });
        let name = format!("{}, turned round", self.name(Form::Base64, start));
        self.give(&name, Arc::new(decoded), end - start)
    }

    fn give(&mut self, name: &str, decoded: Arc<dyn Source>, length: u64) -> Result<(), LimitReached> {
        let kind = crate::identify(decoded.as_ref()).kind;
        if matches!(kind, FileKind::Lzma | FileKind::Compress) {
            return Ok(());
        }
        match kind.class() {
            Class::Archive | Class::Stream | Class::Document => {
                return self.found.embedded(Name::new(name.as_bytes()), decoded);
            }
            Class::Data => self.inflated(name, &decoded)?,
            _ => {}
        }
        self.found.member(Name::new(name.as_bytes()), decoded, Some(length))
    }

    /// Gives what was compressed before it was encoded.
    fn inflated(&mut self, name: &str, decoded: &Arc<dyn Source>) -> Result<(), LimitReached> {
        let memory = self.budget.reserve(as_u64(TRIED * 2))?;
        let head = read_vec_at(decoded.as_ref(), 0, TRIED);
        let wrapped = is_zlib(&head);
        let skipped = if wrapped { 2 } else { 0 };
        let plausible = codec::is_deflate(head.get(skipped..).unwrap_or_default(), head.len() < TRIED, ENOUGH);
        drop(memory);
        if !plausible {
            return Ok(());
        }
        let (source, budget) = (Arc::clone(decoded), self.budget.clone());
        let replay = Replay::new(&self.budget, move || {
            let input = SourceRead::range(Arc::clone(&source), as_u64(skipped), u64::MAX);
            codec::deflate(input, &budget)
        });
        self.found.embedded(Name::new(format!("{name}, inflated").as_bytes()), Arc::new(replay))
    }
}

/// RFC 1950 2.2: method, window, and a check of both.
pub(crate) fn is_zlib(head: &[u8]) -> bool {
    matches!(head, [method, flags, ..]
        if method & 0x0F == 8 && method >> 4 < 8 && u16::from_be_bytes([*method, *flags]).is_multiple_of(31) && flags & 0x20 == 0)
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
