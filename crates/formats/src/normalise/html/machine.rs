//! The machine that goes through a page byte by byte, and over stretches of which every byte means the same, such as words, at
//! once. Where they end is looked up in [`super::marks`]. Most tags are taken at once, too: see [`super::whole`].
//!
//! Text, comments, tag names and scripts stand here; attributes stand in [`super::tag`]. A script whose `language` says that it is
//! encoded is decoded before it is read (the first stretch of it, as in ClamAV). White space is squeezed to one
//! blank, which is written only before what follows it (`pending`); behind a tag it is dropped (`skip`).

use std::ops::Range;

use dachs_matcher::table::{KEPT, Rewriting};

use super::Output;
use super::blocks::is_space;
use super::marks::{Class, Marks};
use super::reference::{self, Reference};
use super::tag::{Attributes, Value};
use super::whole::Values;
use super::wide::{self, Group};
use crate::normalise::text::squeeze;
use crate::screnc::Decoder;

/// Where in a page the machine stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Text,
    /// Behind `<`, which is not written yet.
    Tag,
    /// In the name of a tag.
    Name,
    /// In a tag, outside of values.
    Attributes,
    /// In the value of an attribute.
    Value(Value),
    /// From `<!` to the next `>`.
    Comment,
    /// In a script or style sheet.
    Script,
    /// Behind a `<` in it.
    ScriptTag,
    /// In what may be the name of its end tag.
    ScriptName,
    /// From a `<!` in it to the next `>`.
    ScriptComment,
}

/// The first bytes of a name, in lower case.
#[derive(Clone, Copy, Default)]
pub(super) struct Word {
    /// The first eight, the first of them the lowest.
    bytes: u64,
    count: usize,
}

impl Word {
    /// A name in lower case, of which these are the first bytes.
    pub(super) fn new(eight: [u8; 8], count: usize) -> Word {
        let bits = u32::try_from(count).unwrap_or(u32::MAX).saturating_mul(8);
        let kept = u64::MAX.checked_shr(u64::BITS.saturating_sub(bits)).unwrap_or(0);
        Word { bytes: u64::from_le_bytes(eight) & kept, count }
    }

    /// A name in lower case.
    pub(super) fn of(name: &[u8]) -> Word {
        let bytes = match name.first_chunk() {
            Some(first) => u64::from_le_bytes(*first),
            None => name.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        };
        Word { bytes, count: name.len() }
    }

    pub(super) fn push(&mut self, byte: u8) {
        if self.count < size_of::<u64>() {
            self.bytes |= u64::from(byte.to_ascii_lowercase()) << (8 * self.count);
        }
        self.count = self.count.saturating_add(1);
    }

    pub(super) fn push_all(&mut self, bytes: &[u8]) {
        let room = size_of::<u64>().saturating_sub(self.count);
        bytes.iter().take(room).for_each(|byte| self.push(*byte));
        self.count = self.count.saturating_add(bytes.len().saturating_sub(room));
    }

    /// Is it this one, of at most eight letters?
    #[inline]
    pub(super) fn is(&self, name: &[u8]) -> bool {
        self.count == name.len() && self.bytes == Word::of(name).bytes
    }
}

/// The machine.
pub(super) struct Machine {
    pub(super) state: State,
    pub(super) reference: Option<Reference>,
    group: Group,
    pub(super) pending: bool,
    pub(super) skip: bool,
    /// The name of the tag at hand.
    pub(super) name: Word,
    pub(super) attributes: Attributes,
    /// Goes to *notags* with the next byte.
    address: Option<Vec<u8>>,
    /// In a style sheet, not a script.
    style: bool,
    /// The last of the text is a blank.
    blank: bool,
    /// Decodes the script at hand.
    decoder: Option<Decoder>,
    /// Of the block at hand.
    pub(super) marks: Marks,
    /// Of the tag at hand.
    pub(super) values: Values,
}

impl Default for Machine {
    fn default() -> Machine {
        Machine {
            state: State::Text,
            reference: None,
            group: Group::default(),
            pending: false,
            skip: false,
            name: Word::default(),
            attributes: Attributes::default(),
            address: None,
            style: false,
            blank: false,
            decoder: None,
            marks: Marks::default(),
            values: Values::new(),
        }
    }
}

impl Machine {
    /// Takes the next bytes of the page, of which zeros and carriage returns are dropped.
    pub(super) fn go(&mut self, block: &[u8], output: &mut Output) {
        self.marks.set(block);
        let mut at = 0;
        while let Some(first) = block.get(at) {
            if self.decoder.is_some() {
                self.decode(*first, output);
                at += 1;
                continue;
            }
            let stretch = self.stretch((block, at), output);
            at += stretch.max(1);
            if stretch == 0 && !is_dropped(*first) {
                self.step(*first, output);
            }
        }
    }

    /// Takes a byte of a script that is encoded.
    fn decode(&mut self, byte: u8, output: &mut Output) {
        let Some(mut decoder) = self.decoder.take() else { return };
        decoder.take(byte, &mut |plain| {
            if !is_dropped(plain) {
                self.step(plain, output);
            }
        });
        self.decoder = self.in_script().then_some(decoder);
    }

    /// Takes as many of the next bytes as can be taken at once, and tells how many.
    fn stretch(&mut self, (block, at): (&[u8], usize), output: &mut Output) -> usize {
        let waits = self.address.is_some() && self.state != State::Text;
        if self.reference.is_some() || waits || !self.group.is_empty() {
            return 0;
        }
        match self.state {
            State::Text => self.stretch_of_page((block, at), output),
            State::Script => {
                let code = self.run(Class::Plain, (block, at));
                write_code(code, output);
                if let Some(scripts) = output.scripts.as_mut().filter(|_| !self.style) {
                    scripts.at_hand.extend_from_slice(code);
                }
                code.len()
            }
            State::Comment => {
                let rest = block.get(at..).unwrap_or_default();
                memchr::memchr(b'>', rest).unwrap_or(rest.len())
            }
            State::Name => {
                let name = self.run(Class::Name, (block, at));
                self.name.push_all(name);
                write_lower(name, &mut output.nocomment);
                name.len()
            }
            State::Attributes => {
                let name = self.run(Class::Attribute, (block, at));
                self.stretch_of_attribute(name, output)
            }
            State::Value(value) => {
                let plain = self.run(Class::Value, (block, at));
                self.stretch_of_value(value, plain, output)
            }
            _ => 0,
        }
    }

    /// The bytes from `at` on, as many as are of a class.
    fn run<'b>(&self, class: Class, (block, at): (&'b [u8], usize)) -> &'b [u8] {
        block.get(at..at.saturating_add(self.marks.run(class, at))).unwrap_or_default()
    }

    /// Takes text, plain tags and usual references one behind the other, up to something else, and tells how many bytes they have.
    fn stretch_of_page(&mut self, (block, from): (&[u8], usize), output: &mut Output) -> usize {
        let mut at = from;
        while self.state == State::Text
            && let Some(first) = block.get(at)
            && !is_dropped(*first)
        {
            if self.address.is_some() {
                self.write_address(output);
            }
            let length = match first {
                b'<' => match self.bare_tag((block, at), output) {
                    0 => self.whole_tag((block, at), output),
                    length => length,
                },
                b'&' => self.usual_reference((block, at), output),
                _ => self.stretch_of_text(at, output),
            };
            if length == 0 {
                break;
            }
            at += length;
        }
        at - from
    }

    /// Takes as much text as stands here, and tells how many bytes it has.
    fn stretch_of_text(&mut self, at: usize, output: &mut Output) -> usize {
        let length = self.marks.run(Class::Plain, at);
        let blanks = self.marks.run(Class::Blank, at).min(length);
        if blanks > 0 {
            self.write_blanks(output);
        }
        let words = at + blanks..at + length;
        if words.is_empty() {
            return length;
        }
        self.flush(output);
        if self.marks.is_doubled(words.start + 1..words.end) {
            self.write_squeezed(words, output);
        } else {
            let ends_blank = self.marks.plain(words.clone()).last() == Some(&b' ');
            self.marks.write_plain(words.clone(), &mut output.notags);
            self.marks.write_plain(words.start..words.end - usize::from(ends_blank), &mut output.nocomment);
            self.blank = ends_blank;
        }
        self.pending = self.blank;
        length
    }

    /// Takes a tag without attributes, if one stands here, and tells how many bytes it has; else none.
    fn bare_tag(&mut self, (block, at): (&[u8], usize), output: &mut Output) -> usize {
        let end = at + 1 + self.marks.run(Class::Name, at + 1);
        let is_bare = end > at + 1 && block.get(end) == Some(&b'>') && block.get(at + 1) != Some(&b'!');
        if !is_bare || !self.attributes.waits_for_nothing() {
            return 0;
        }
        self.begin_whole(at + 1..end, output);
        self.marks.write_plain(at..end, &mut output.nocomment);
        self.end_tag(output);
        end + 1 - at
    }

    /// Takes a reference that most pages have, if one stands here, and tells how many bytes it has; else none.
    fn usual_reference(&mut self, (block, at): (&[u8], usize), output: &mut Output) -> usize {
        let rest = block.get(at..).unwrap_or_default();
        let Some((name, character)) = USUAL.iter().find(|(name, _)| rest.starts_with(name)) else { return 0 };
        self.flush(output);
        self.blank(output);
        output.nocomment.push(*character);
        name.len()
    }

    /// Begins a tag of this name, which is written as it stands.
    pub(super) fn begin_whole(&mut self, name: Range<usize>, output: &mut Output) {
        self.flush(output);
        self.blank(output);
        self.begin_tag();
        self.name = self.marks.word(name);
    }

    /// Takes a byte, and keeps it if it belongs to a script.
    pub(super) fn step(&mut self, byte: u8, output: &mut Output) {
        let inside = self.in_script();
        self.take(byte, output);
        let Some(scripts) = output.scripts.as_mut().filter(|_| inside) else { return };
        scripts.at_hand.push(byte);
        if !self.in_script() {
            scripts.end();
        }
    }

    /// Takes the next byte of the page.
    fn take(&mut self, byte: u8, output: &mut Output) {
        if self.address.is_some() {
            self.write_address(output);
        }
        if self.reference.is_some() && !self.refer(byte, output) {
            return;
        }
        if matches!(self.state, State::Text | State::Script) && !self.gather(byte, output) {
            return;
        }
        match self.state {
            State::Value(value) => self.value(value, byte, output),
            State::Comment => self.comment(byte),
            State::Text => self.text(byte, output),
            State::Tag => self.tag(byte, output),
            State::Name => self.name(byte, output),
            State::Attributes => self.attribute(byte, output),
            State::Script => self.script(byte, output),
            State::ScriptTag => self.script_tag(byte, output),
            State::ScriptName => self.script_name(byte, output),
            State::ScriptComment => self.script_comment(byte, output),
        }
    }

    fn write_address(&mut self, output: &mut Output) {
        let Some(address) = self.address.take() else { return };
        self.blank(output);
        output.notags.extend_from_slice(&address);
        output.notags.push(b' ');
    }

    /// Writes words of the text, with one blank for several.
    fn write_squeezed(&mut self, words: Range<usize>, output: &mut Output) {
        let start = output.nocomment.len();
        self.marks.write_plain(words, &mut output.nocomment);
        let kept = squeeze(output.nocomment.get_mut(start..).unwrap_or_default(), &mut false);
        output.nocomment.truncate(start.saturating_add(kept));
        output.notags.extend_from_slice(output.nocomment.get(start..).unwrap_or_default());
        self.blank = output.nocomment.pop_if(|last| *last == b' ').is_some();
    }

    /// Takes blanks of the text.
    fn write_blanks(&mut self, output: &mut Output) {
        self.pending = !self.skip;
        self.blank(output);
    }

    /// True within a script; style sheets are none.
    fn in_script(&self) -> bool {
        let inside = matches!(self.state, State::Script | State::ScriptTag | State::ScriptName | State::ScriptComment);
        inside && !self.style
    }

    /// The page has ended: writes what waited for more.
    pub(super) fn finish(&mut self, output: &mut Output) {
        if let Some(mut decoder) = self.decoder.take() {
            decoder.finish(&mut |plain| self.step(plain, output));
        }
        if let Some(reference) = self.reference.take() {
            output.nocomment.extend(reference.rest());
        }
        if self.state == State::Tag {
            output.nocomment.push(b'<');
        }
        if let Some(scripts) = output.scripts.as_mut().filter(|_| self.in_script()) {
            scripts.end();
        }
    }

    /// Hands the byte to the reference at hand. False if that used it up.
    fn refer(&mut self, byte: u8, output: &mut Output) -> bool {
        let Some(reference) = &mut self.reference else { return true };
        let (text, over, free) = match reference.grow(byte) {
            reference::Grown::Waits => return false,
            reference::Grown::Writes(text) => (text, false, false),
            reference::Grown::Ends(text) => (text, true, false),
            reference::Grown::Before(text) => (text, true, true),
        };
        if over {
            self.reference = None;
        }
        if matches!(self.state, State::Value(_)) {
            self.attributes.keep(&text);
        }
        output.nocomment.extend(text);
        free
    }

    /// Gathers bytes from 128 on in texts and scripts. False if the byte is used up.
    fn gather(&mut self, byte: u8, output: &mut Output) -> bool {
        if byte < 128 && self.group.is_empty() {
            return true;
        }
        if self.group.is_empty() {
            self.flush(output);
        }
        match self.group.grow(byte) {
            wide::Grown::Waits => return false,
            wide::Grown::Stop => {
                output.nocomment.push(b'.');
                output.notags.push(b'.');
                return false;
            }
            wide::Grown::Before => {}
        }
        output.nocomment.extend(self.group.shown());
        output.notags.extend(self.group.shifted());
        self.group = Group::default();
        if byte < 128 {
            return true;
        }
        self.group.grow(byte);
        false
    }

    /// Writes the blank that waits.
    pub(super) fn flush(&mut self, output: &mut Output) {
        if std::mem::take(&mut self.pending) {
            output.nocomment.push(b' ');
        }
        self.skip = false;
    }

    /// Ends a word of the text.
    fn blank(&mut self, output: &mut Output) {
        if !std::mem::replace(&mut self.blank, true) {
            output.notags.push(b' ');
        }
    }

    fn text(&mut self, byte: u8, output: &mut Output) {
        if is_space(byte) {
            self.pending = !self.skip;
            return self.blank(output);
        }
        self.flush(output);
        match byte {
            b'<' => {
                self.blank(output);
                self.begin_tag();
            }
            b'&' => {
                self.blank(output);
                self.reference = Some(Reference::Begun);
            }
            _ if byte < b' ' => {
                output.nocomment.push(byte);
                self.blank(output);
            }
            _ => {
                output.nocomment.push(byte.to_ascii_lowercase());
                output.notags.push(byte.to_ascii_lowercase());
                self.blank = false;
            }
        }
    }

    fn begin_tag(&mut self) {
        self.state = State::Tag;
        self.name = Word::default();
        self.attributes.begin();
    }

    fn tag(&mut self, byte: u8, output: &mut Output) {
        match byte {
            b'!' => self.state = State::Comment,
            _ if is_space(byte) => {}
            _ => {
                output.nocomment.push(b'<');
                self.state = State::Name;
                self.name(byte, output);
            }
        }
    }

    fn name(&mut self, byte: u8, output: &mut Output) {
        match byte {
            b'>' => self.end_tag(output),
            _ if is_space(byte) => {
                self.state = State::Attributes;
                self.pending = true;
            }
            _ => {
                self.name.push(byte);
                output.nocomment.push(byte.to_ascii_lowercase());
            }
        }
    }

    /// Behind `>`.
    pub(super) fn end_tag(&mut self, output: &mut Output) {
        output.nocomment.push(b'>');
        self.pending = false;
        self.skip = true;
        self.address = self.attributes.address(&self.name).filter(|address| !address.is_empty());
        self.style = self.name.is(b"style");
        self.state = if self.style || self.name.is(b"script") { State::Script } else { State::Text };
        if self.name.is(b"script")
            && let Some(language) = self.attributes.encoded_language()
        {
            // What ClamAV writes, but for the other attributes, which it repeats.
            output.nocomment.extend([b"<script language=\"", language, b"\">"].concat());
            self.decoder = Some(Decoder::new(false));
        }
    }

    fn comment(&mut self, byte: u8) {
        if byte == b'>' {
            self.state = State::Text;
            self.skip = true;
        }
    }

    fn script(&mut self, byte: u8, output: &mut Output) {
        match byte {
            b'<' => {
                self.state = State::ScriptTag;
                self.name = Word::default();
                output.nocomment.push(b'<');
            }
            b'&' => self.reference = Some(Reference::Begun),
            _ => write_script(byte, output),
        }
    }

    fn script_tag(&mut self, byte: u8, output: &mut Output) {
        if is_space(byte) {
            return;
        }
        self.state = match byte {
            b'!' => State::ScriptComment,
            b'/' => State::ScriptName,
            _ => State::Script,
        };
        output.nocomment.push(byte.to_ascii_lowercase());
    }

    /// A byte of an end tag in a script, which may be the script's own.
    fn script_name(&mut self, byte: u8, output: &mut Output) {
        if byte != b'>' && !is_space(byte) {
            self.name.push(byte);
            return output.nocomment.push(byte.to_ascii_lowercase());
        }
        write_script(byte, output);
        let ended = self.name.is(b"script") || (self.style && self.name.is(b"style"));
        self.state = if ended { State::Text } else { State::Script };
        self.skip = true;
    }

    fn script_comment(&mut self, byte: u8, output: &mut Output) {
        write_script(byte, output);
        if byte == b'>' {
            self.state = State::Script;
        }
    }
}

/// References that most pages are full of, with what is written of them.
const USUAL: [(&[u8], u8); 4] = [(b"&lt;", b'<'), (b"&gt;", b'>'), (b"&quot;", b'"'), (b"&amp;", b'&')];

/// What becomes of each byte of a script that means nothing but itself.
static CODE: Rewriting = code();

const fn code() -> Rewriting {
    let mut code = Rewriting { written: [0; 256], class: [KEPT; 256] };
    let mut byte = 0_u8;
    loop {
        #[expect(clippy::indexing_slicing, reason = "the tables have an entry for each byte")]
        {
            code.written[byte as usize] = if byte == b'\'' { b'"' } else { byte.to_ascii_lowercase() };
            if is_space(byte) {
                code.class[byte as usize] = 0;
            }
        }
        if byte == u8::MAX {
            return code;
        }
        byte += 1;
    }
}

/// As [`write_script`], of bytes of a script that mean nothing but themselves.
fn write_code(code: &[u8], output: &mut Output) {
    let start = output.nocomment.len();
    output.nocomment.extend_from_slice(code);
    let kept = CODE.apply(output.nocomment.get_mut(start..).unwrap_or_default(), &mut false);
    output.nocomment.truncate(start.saturating_add(kept));
}

/// Writes letters in lower case.
pub(super) fn write_lower(bytes: &[u8], to: &mut Vec<u8>) {
    to.extend(bytes.iter().map(u8::to_ascii_lowercase));
}

/// Scripts lose their white space, and have one kind of quotes.
fn write_script(byte: u8, output: &mut Output) {
    match byte {
        b'\'' => output.nocomment.push(b'"'),
        _ if is_space(byte) => {}
        _ => output.nocomment.push(byte.to_ascii_lowercase()),
    }
}

/// Bytes that no form holds.
fn is_dropped(byte: u8) -> bool {
    matches!(byte, 0 | b'\r')
}
