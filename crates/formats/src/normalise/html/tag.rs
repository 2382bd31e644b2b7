//! Attributes and their values.
//!
//! Values in quotes are written in double quotes, whatever quotes they had. White space or `>` in quotes ends the quotes:
//! what follows is read as a value without quotes, up to white space or `>`. Of a value that is a `data:` URL only `data` is
//! written. Bytes from 128 on wait for the next letter, digit or sign of a value, of this or of a later one.

use super::Output;
use super::blocks::is_space;
use super::machine::{Machine, State, Word, write_lower};
use super::reference::Reference;
use super::wide::{Group, Grown};

/// Addresses are not longer in *notags*.
pub(super) const LONGEST: usize = 1024;

/// Where in a value the page stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Behind `=`, and nothing but bytes from 128 on since.
    Begin,
    /// In a value without quotes, or no longer in its quotes.
    Plain,
    /// In these quotes.
    Quoted(u8),
    /// In a `data:` URL, which ends at a quote, or for want of one at white space or `>`.
    Data {
        /// Its quote, if it has one.
        quote: Option<u8>,
        /// Its comma was passed.
        comma: bool,
    },
}

/// What is known of a tag's attributes.
#[derive(Default)]
pub(super) struct Attributes {
    /// The name of the attribute at hand.
    name: Word,
    /// Its value, cut.
    value: Vec<u8>,
    /// It began with a quote, and its last byte is taken for the closing one.
    quoted: bool,
    href: Option<Vec<u8>>,
    src: Option<Vec<u8>>,
    language: Option<Vec<u8>>,
    /// Bytes from 128 on that wait.
    group: Group,
}

impl Attributes {
    /// A tag begins.
    pub(super) fn begin(&mut self) {
        self.href = None;
        self.src = None;
        self.language = None;
        self.name = Word::default();
    }

    /// A byte of an attribute's name; the first of it, if it is `new`.
    pub(super) fn name(&mut self, byte: u8, new: bool) {
        if new {
            self.name = Word::default();
        }
        self.name.push(byte);
    }

    /// Bytes of the value as they are.
    pub(super) fn keep(&mut self, bytes: &[u8]) {
        let room = LONGEST.saturating_sub(self.value.len());
        self.value.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or(bytes));
    }

    /// The value is complete.
    fn end(&mut self) {
        if self.quoted {
            self.value.pop();
        }
        let (name, value) = (self.name, std::mem::take(&mut self.value));
        match self.place(|known| name.is(known)) {
            Some(place @ None) => *place = Some(value),
            _ => self.value = value,
        }
    }

    /// An attribute is complete: its name, and its value.
    pub(super) fn set(&mut self, name: &[u8], value: &[u8]) {
        let Some(place) = self.place(|known| name.eq_ignore_ascii_case(known)) else { return };
        place.get_or_insert_with(|| value.to_vec());
    }

    /// Where the value of an attribute is kept, if it is one that matters.
    fn place(&mut self, is: impl Fn(&[u8]) -> bool) -> Option<&mut Option<Vec<u8>>> {
        match () {
            () if is(b"href") => Some(&mut self.href),
            () if is(b"src") => Some(&mut self.src),
            () if is(b"language") => Some(&mut self.language),
            () => None,
        }
    }

    /// True if no bytes from 128 on wait.
    pub(super) fn waits_for_nothing(&self) -> bool {
        self.group.is_empty()
    }

    /// The language of a script that is encoded, once decoded.
    pub(super) fn encoded_language(&mut self) -> Option<&'static [u8]> {
        match self.language.take()?.to_ascii_lowercase().as_slice() {
            b"jscript.encode" => Some(b"javascript"),
            b"vbscript.encode" => Some(b"vbscript"),
            _ => None,
        }
    }

    /// Where a tag of this name leads.
    pub(super) fn address(&mut self, tag: &Word) -> Option<Vec<u8>> {
        match () {
            () if tag.is(b"a") => self.href.take(),
            () if tag.is(b"img") => self.src.take(),
            () => None,
        }
    }
}

impl Machine {
    /// Takes as many bytes of an attribute's name as stand here, and tells how many.
    pub(super) fn stretch_of_attribute(&mut self, name: &[u8], output: &mut Output) -> usize {
        if name.is_empty() {
            return 0;
        }
        let mut new = self.pending;
        name.iter().for_each(|byte| self.attributes.name(*byte, std::mem::take(&mut new)));
        self.flush(output);
        write_lower(name, &mut output.nocomment);
        name.len()
    }

    /// Takes as many bytes of a value as mean nothing but themselves, and tells how many.
    pub(super) fn stretch_of_value(&mut self, value: Value, plain: &[u8], output: &mut Output) -> usize {
        if !matches!(value, Value::Plain | Value::Quoted(_)) || !self.attributes.group.is_empty() {
            return 0;
        }
        if value == Value::Plain && !plain.is_empty() {
            self.skip = false;
        }
        self.attributes.keep(plain);
        write_lower(plain, &mut output.nocomment);
        plain.len()
    }

    /// A byte of a tag outside of values.
    pub(super) fn attribute(&mut self, byte: u8, output: &mut Output) {
        match byte {
            b'>' => self.end_tag(output),
            b'=' => {
                output.nocomment.push(byte);
                self.pending = false;
                self.skip = true;
                self.attributes.value.clear();
                self.attributes.quoted = false;
                self.state = State::Value(Value::Begin);
            }
            _ if is_space(byte) => self.pending = !self.skip,
            _ => {
                self.attributes.name(byte, self.pending);
                self.flush(output);
                output.nocomment.push(byte.to_ascii_lowercase());
            }
        }
    }

    /// A byte of a value.
    pub(super) fn value(&mut self, value: Value, byte: u8, output: &mut Output) {
        match value {
            Value::Data { quote, comma } => self.data(quote, comma, byte, output),
            _ if self.gather_value(byte, output) => {}
            Value::Begin => self.begin_value(byte, output),
            Value::Plain => self.plain(byte, output),
            Value::Quoted(quote) if byte == quote => self.end_value(output),
            Value::Quoted(_) => {
                if is_space(byte) || byte == b'>' {
                    self.skip = true;
                    self.state = State::Value(Value::Plain);
                }
                self.write_value(byte, output);
            }
        }
    }

    /// Gathers bytes from 128 on. True if the byte is used up.
    fn gather_value(&mut self, byte: u8, output: &mut Output) -> bool {
        let group = &mut self.attributes.group;
        if byte < 128 && !matches!(group.bytes(), [0xa1]) {
            return false;
        }
        self.skip = false;
        match group.grow(byte) {
            Grown::Waits => true,
            Grown::Stop => {
                output.nocomment.push(b'.');
                self.attributes.keep(b".");
                self.attributes.group = Group::default();
                true
            }
            Grown::Before if byte < 128 => false,
            Grown::Before => {
                self.write_group(output);
                self.attributes.group.grow(byte);
                true
            }
        }
    }

    fn write_group(&mut self, output: &mut Output) {
        let group = std::mem::take(&mut self.attributes.group);
        if group.is_zero() {
            return;
        }
        output.nocomment.extend(group.shown());
        self.attributes.keep(group.shown());
    }

    fn begin_value(&mut self, byte: u8, output: &mut Output) {
        if is_space(byte) && self.skip {
            return;
        }
        self.skip = false;
        match byte {
            b'"' | b'\'' => {
                output.nocomment.push(b'"');
                self.attributes.quoted = true;
                self.state = State::Value(Value::Quoted(byte));
            }
            _ => {
                self.state = State::Value(Value::Plain);
                self.plain(byte, output);
            }
        }
    }

    fn plain(&mut self, byte: u8, output: &mut Output) {
        if is_space(byte) && self.skip {
            return;
        }
        self.skip = false;
        match byte {
            b'>' => {
                self.attributes.end();
                self.end_tag(output);
            }
            _ if is_space(byte) => {
                self.attributes.end();
                self.state = State::Attributes;
                self.pending = true;
            }
            _ => self.write_value(byte, output),
        }
    }

    /// Writes a byte that belongs to a value.
    fn write_value(&mut self, byte: u8, output: &mut Output) {
        let byte = match byte {
            b'\'' => b'"',
            b'\n' => b' ',
            _ => byte,
        };
        if byte == b'&' {
            self.reference = Some(Reference::Begun);
            return;
        }
        if !is_space(byte) && !matches!(byte, b'"' | b'>') {
            self.write_group(output);
        }
        if byte == b':' && self.attributes.value == b"data" {
            let State::Value(value) = self.state else { return };
            let quote = if let Value::Quoted(quote) = value { Some(quote) } else { None };
            self.state = State::Value(Value::Data { quote, comma: false });
            return;
        }
        self.attributes.keep(&[byte]);
        output.nocomment.push(byte.to_ascii_lowercase());
    }

    /// At the closing quote.
    fn end_value(&mut self, output: &mut Output) {
        output.nocomment.push(b'"');
        self.attributes.quoted = false;
        self.attributes.end();
        self.state = State::Attributes;
        self.pending = true;
        self.skip = false;
    }

    /// A byte of a `data:` URL. With a comma it takes the white space or bracket behind it along.
    fn data(&mut self, quote: Option<u8>, comma: bool, byte: u8, output: &mut Output) {
        match quote {
            Some(quote) if byte == quote => output.nocomment.push(b'"'),
            None if byte == b'>' || is_space(byte) => {}
            _ => {
                self.state = State::Value(Value::Data { quote, comma: comma || byte == b',' });
                return;
            }
        }
        self.state = State::Attributes;
        self.pending = !comma;
        self.skip = comma;
        if quote.is_none() && !comma && byte == b'>' {
            self.end_tag(output);
        }
    }
}
