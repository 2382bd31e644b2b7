//! PDF (specification: ISO 32000-1): the streams of a document and the JavaScript in it.
//!
//! The cross-reference table is not looked at. Objects are found where they stand, by the words `12 0 obj`, over the
//! whole file front to back, so that objects that are hidden, broken, replaced by a later revision or named twice are
//! seen whatever the table says; also those inside the data of other streams and inside strings, because a table could
//! point there.
//!
//! ```text
//! Window --next_header--> syntax::object --> sight::sight --> Stream --extent, filter--> member "object 12 0 stream"
//!                                                 |               `-- Objects (object stream) --> sight::contents
//!                                                 `-- Contents: scripts ----------------> member "object 7 0 JavaScript"
//! ```
//!
//! * [`syntax`] reads values, [`sight`] tells what matters of one, [`extent`] where a stream ends, [`filter`] decodes it,
//!   [`objects`] goes through object streams, [`resolver`] fetches filters that stand elsewhere, [`security`] decrypts.
//! * A member is a stream behind its filters; pictures stay in their own format. Strings of JavaScript are members as
//!   well, and so is an object that is nothing but a string, because JavaScript may be kept in one. So are objects that
//!   act, or tell what a page shows, as they stand.
//! * A stream without filters that is a PDF itself is not searched for objects: its own reader does that.
//!
//! In an encrypted document, strings and streams that make sense without decryption are given as they are too: the trailer
//! that tells of the encryption may be one that no reader looks at.
//!
//! Not done: the text that pages show is not put together, and streams in external files are not fetched.
//!
//! Memory is bounded by the windows, and by the largest value, which is refused above [`LONGEST_VALUE`]. Time: a file is
//! read once, and again as far as it has streams whose length is not stated; how often objects and streams may overlap
//! is bounded ([`AGAIN`]).

mod extent;
pub(crate) mod filter;
mod hints;
mod objects;
mod resolver;
mod security;
mod sight;
mod syntax;
mod text;
mod window;

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, FileKind, Held, Heuristic, LimitReached, Name, Part, Source, read_vec_at};

use crate::stream::{Replay, SourceRead};
use crate::{Found, Passwords, Search, Unpack};
use extent::{Extent, Extents};
use filter::{Chain, Filter};
use hints::Hints;
use objects::{Objects, Sighting};
use resolver::Resolver;
use security::{Cipher, Lock};
use sight::{Contents, Form, Hint, Sight, Stream};
use syntax::Trouble;
use window::{Header, Window};

/// Bytes of a value that are read first.
const USUAL_VALUE: usize = 2048;
/// Bytes of a value, at most.
const LONGEST_VALUE: usize = 8 << 20;
/// Bytes that may be read more often than twice.
const AGAIN: u64 = 16 << 20;

/// Goes through the objects of a PDF.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget, passwords: &Passwords) -> Box<dyn Unpack> {
    Box::new(Document {
        passwords: passwords.clone(),
        source: Arc::clone(source),
        budget: budget.clone(),
        window: Window::new(source, budget),
        resolver: Resolver::new(source, budget),
        extents: Extents::default(),
        hints: Hints::default(),
        lock: None,
        objects: None,
        found: Found::new(budget),
        at: 0,
        covered: 0,
        again: 0,
        judged: false,
    })
}

struct Document {
    passwords: Passwords,
    source: Arc<dyn Source>,
    budget: Budget,
    window: Window,
    resolver: Resolver,
    extents: Extents,
    hints: Hints,
    /// The encryption; absent until it was looked for.
    lock: Option<Lock>,
    /// The object stream at hand.
    objects: Option<Objects>,
    found: Found,
    /// Where the search for objects goes on.
    at: u64,
    /// Where the farthest value or stream ends.
    covered: u64,
    /// Bytes that were read more often than once.
    again: u64,
    /// Hidden names were told.
    judged: bool,
}

impl Search for Document {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    /// Looks at the next object.
    fn step(&mut self) -> Result<(), Anomaly> {
        if self.lock.is_none() {
            let lock = security::lock(&self.source, &self.budget, &self.passwords)?;
            self.lock(lock);
        } else if let Some(objects) = self.objects.as_mut() {
            match objects.next_object()? {
                Sighting::Object(number, contents, bytes) => self.tell(number, 0, contents, bytes)?,
                Sighting::Trouble(anomaly) => self.found.remark(None, anomaly),
                Sighting::End => self.objects = None,
            }
        } else {
            match self.window.next_header(self.at, u64::MAX)? {
                Some(header) => self.object(header)?,
                None => self.found.end(),
            }
        }
        Ok(())
    }
}

impl Document {
    fn lock(&mut self, lock: Lock) {
        if let Lock::Closed(reason) = lock {
            self.found.remark(None, Anomaly::encrypted(reason));
        }
        self.lock = Some(lock);
    }

    fn object(&mut self, header: Header) -> Result<(), LimitReached> {
        self.at = header.body;
        let name = named(&header, b"");
        let sight = match self.read(&header)? {
            Ok(sight) => sight,
            Err(_) => {
                self.read_again(u64::try_from(LONGEST_VALUE).unwrap_or(u64::MAX));
                self.found.remark(Some(name), Anomaly::unsupported("the object is too large to be looked into"));
                return Ok(());
            }
        };
        if sight.encryption && matches!(self.lock, Some(Lock::Open)) {
            self.lock(Lock::Closed("an object says that the document is encrypted, and its end does not"));
        }
        let length = u64::try_from(sight.length).unwrap_or(u64::MAX);
        if header.body < self.covered {
            self.read_again(length);
        }
        self.covered = self.covered.max(header.body.saturating_add(length));
        let inner = u64::try_from(sight.inner).unwrap_or(u64::MAX);
        let bytes = Part::new(Arc::clone(&self.source), header.body, if sight.stream.is_some() { 0 } else { inner });
        self.tell(header.number, header.generation, sight.contents, bytes)?;
        match sight.stream {
            Some(stream) => self.stream(&header, header.body.saturating_add(length), stream),
            None => Ok(()),
        }
    }

    fn read(&mut self, header: &Header) -> Result<Result<Sight, Trouble>, LimitReached> {
        let (lock, resolver) = (self.lock.as_ref(), &mut self.resolver);
        let open = |text: Vec<u8>| match lock {
            Some(Lock::Keyed(keys)) => vec![keys.text(header.number, header.generation, text.clone()), text],
            _ => vec![text],
        };
        growing(&mut self.window, &self.budget, header.body, &mut |bytes, whole| {
            Ok(sight::sight(&syntax::object(bytes, whole)?, resolver, &open))
        })
    }

    /// Gives the strings of an object, and its `bytes` if it is notable and no stream; remembers what it says of others.
    fn tell(&mut self, number: u64, generation: u64, contents: Contents, bytes: Part) -> Result<(), LimitReached> {
        let header = Header { number, generation, body: 0 };
        if contents.notable && bytes.len() > 0 {
            self.found.member(named(&header, b""), Arc::new(bytes), None)?;
        }
        if contents.obfuscated && !std::mem::replace(&mut self.judged, true) {
            self.found.heuristic(Heuristic::PdfObfuscatedName);
        }
        let script = self.hints.hint(number) == Some(&Hint::JavaScript);
        for (number, hint) in contents.hints {
            self.hints.keep(number, hint, &self.budget);
        }
        for script in contents.scripts {
            self.text(named(&header, b"JavaScript"), script)?;
        }
        for text in contents.texts {
            self.text(named(&header, if script { b"JavaScript" } else { b"string" }), text)?;
        }
        Ok(())
    }

    fn text(&mut self, name: Name, bytes: Vec<u8>) -> Result<(), LimitReached> {
        let bytes = text::plain(bytes);
        if bytes.is_empty() {
            return Ok(());
        }
        let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.budget.charge_bytes(count)?;
        let held = Held::new(bytes, [self.budget.reserve(count)?]);
        self.found.member(name, Arc::new(held), None)
    }

    /// Gives the stream whose keyword ends at `at`.
    fn stream(&mut self, header: &Header, at: u64, stream: Stream) -> Result<(), LimitReached> {
        let extent = self.extents.extent(&mut self.window, self.source.as_ref(), at, stream.length)?;
        let end = extent.start.saturating_add(extent.length);
        if extent.start < self.covered {
            self.read_again(extent.length);
        }
        self.covered = self.covered.max(end);
        let name = self.name(header, &stream);
        if !extent.whole {
            self.found.remark(Some(name.clone()), Anomaly::damaged("the file ends before the stream does"));
        }
        if let Some(trouble) = stream.chain.trouble {
            self.found.remark(Some(name.clone()), Anomaly::unsupported(trouble));
        }
        if extent.length == 0 {
            return Ok(());
        }
        let cipher = self.cipher(header, &stream);
        let bare = stream.chain.filters.is_empty();
        if let Some(cipher) = cipher.clone() {
            let plain = bare && cipher.is_none();
            let source = self.decoded(extent, &stream.chain, cipher)?;
            self.give(name.clone(), source, extent, stream.form, plain)?;
        }
        // Nobody but the author knows whether the trailer that was found is the one that counts.
        if !matches!(cipher, Some(None)) {
            let source = self.decoded(extent, &stream.chain, None)?;
            let bytes = Part::new(Arc::clone(&self.source), extent.start, extent.length);
            if plausible(&bytes, source.as_ref(), &stream.chain.filters) {
                self.give(name, source, extent, stream.form, bare)?;
            }
        }
        Ok(())
    }

    /// Gives a stream, and looks into it if it is an object stream; `plain` says that its bytes stand in the file.
    fn give(
        &mut self,
        name: Name,
        source: Arc<dyn Source>,
        extent: Extent,
        form: Form,
        plain: bool,
    ) -> Result<(), LimitReached> {
        if plain && is_document(source.as_ref()) {
            self.at = self.at.max(extent.start.saturating_add(extent.length));
        }
        if let Form::Objects(first) = form {
            self.objects = Some(Objects::new(&source, first, &self.budget));
        }
        self.found.member(name, source, Some(extent.length))
    }

    /// What decrypts a stream: nothing, if it is not encrypted. `None` if nobody can.
    fn cipher(&self, header: &Header, stream: &Stream) -> Option<Option<Cipher>> {
        match &self.lock {
            _ if stream.form == Form::References || stream.chain.crypt == Some(false) => Some(None),
            Some(Lock::Closed(_)) => None,
            Some(Lock::Keyed(keys)) => Some(keys.stream(header.number, header.generation, stream.form)),
            _ => Some(None),
        }
    }

    /// The bytes of a stream behind its filters.
    fn decoded(&self, extent: Extent, chain: &Chain, cipher: Option<Cipher>) -> Result<Arc<dyn Source>, LimitReached> {
        let (source, budget) = (Arc::clone(&self.source), self.budget.clone());
        let Extent { start, length, .. } = extent;
        if chain.filters.is_empty() && cipher.is_none() {
            return Ok(Arc::new(Part::new(source, start, length)));
        }
        let depth = budget.limits().depth;
        if u32::try_from(chain.filters.len()).is_ok_and(|count| count > depth) {
            return Err(LimitReached { limit: dachs_base::Limit::Depth, allowed: depth.into() });
        }
        let filters = chain.filters.clone();
        Ok(Arc::new(Replay::new(&self.budget, move || {
            let input: filter::Input = Box::new(SourceRead::range(Arc::clone(&source), start, length));
            let input = match &cipher {
                Some(cipher) => cipher.open(input),
                None => input,
            };
            filter::decode(input, &filters, &budget)
        })))
    }

    fn name(&self, header: &Header, stream: &Stream) -> Name {
        match self.hints.hint(header.number) {
            Some(Hint::JavaScript) => named(header, b"JavaScript"),
            Some(Hint::File(file)) => named(header, &[b"embedded file ", file.as_slice()].concat()),
            None if stream.label.is_empty() => named(header, b"stream"),
            None => named(header, &[b"stream (", stream.label.as_slice(), b")"].concat()),
        }
    }

    /// Counts bytes that were read before, and ends the walk when they are too many.
    fn read_again(&mut self, count: u64) {
        self.again = self.again.saturating_add(count);
        if self.again > self.at.saturating_mul(4).saturating_add(AGAIN) && !self.found.is_ended() {
            self.found.end_with(None, Anomaly::damaged("the objects of the document overlap too much"));
        }
    }
}

/// True if a stream is a document that is searched for objects itself.
fn is_document(source: &dyn Source) -> bool {
    crate::identify(source).kinds().any(|kind| kind == FileKind::Pdf)
}

/// True if the `bytes` of a stream in an encrypted document make sense without decryption, with what the filters `made` of
/// them. If they are encrypted they are noise: noise has no format, and only few filters refuse it. DEFLATE and LZW end
/// where noise tells them to, so they must begin rightly.
fn plausible(bytes: &dyn Source, made: &dyn Source, filters: &[Filter]) -> bool {
    let decodes = || made.read_at(0, &mut [0; 512]) > 0 && made.problem().is_none();
    let head = read_vec_at(bytes, 0, 2);
    match filters.first() {
        None | Some(Filter::RunLength) => !matches!(crate::identify(made).kind, FileKind::Data | FileKind::Empty),
        Some(Filter::Flate(_)) => filter::is_zlib(&head) && decodes(),
        Some(Filter::Lzw { .. }) => filter::is_lzw(&head) && decodes(),
        Some(Filter::Ascii85 | Filter::AsciiHex) => decodes(),
    }
}

/// `object 12 0 what`
fn named(header: &Header, what: &[u8]) -> Name {
    let mut name = format!("object {} {}", header.number, header.generation).into_bytes();
    if !what.is_empty() {
        name.push(b' ');
    }
    name.extend_from_slice(what);
    Name::new(&name)
}

/// Parses bytes; told whether the source ends with them.
type Parse<'a, T> = dyn FnMut(&[u8], bool) -> Result<T, Trouble> + 'a;

/// Reads a value at `at`: from few bytes first, and from more as long as they end before it does.
fn growing<T>(
    window: &mut Window,
    budget: &Budget,
    at: u64,
    parse: &mut Parse<'_, T>,
) -> Result<Result<T, Trouble>, LimitReached> {
    /// Memory for a value of one byte.
    const VALUE: usize = 160;
    let mut count = USUAL_VALUE;
    loop {
        let _memory = budget.reserve(u64::try_from(count.min(syntax::MOST_VALUES) * VALUE).unwrap_or(u64::MAX))?;
        let (bytes, ended) = window.view(at, count)?;
        let whole = ended && bytes.len() <= count;
        match parse(bytes.get(..count).unwrap_or(bytes), whole) {
            Err(Trouble::Ended) if count < LONGEST_VALUE => count *= 4,
            other => return Ok(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dachs_base::{Limits, Memory, NoClock};

    /// What an encrypted stream looks like to a reader without the key.
    fn noise(length: usize, state: &mut u64) -> Vec<u8> {
        let mut byte = || {
            *state ^= *state << 13;
            *state ^= *state >> 7;
            *state ^= *state << 17;
            state.to_le_bytes()[3]
        };
        (0..length).map(|_| byte()).collect()
    }

    fn makes_sense(bytes: Vec<u8>, filters: &[Filter]) -> bool {
        let budget = Budget::new(Limits::default(), NoClock);
        let (input, filters_of_it) = (bytes.clone(), filters.to_vec());
        let made = Replay::new(&budget.clone(), move || {
            filter::decode(Box::new(std::io::Cursor::new(input.clone())), &filters_of_it, &budget)
        });
        plausible(&Memory::new(bytes), &made, filters)
    }

    #[test]
    fn noise_makes_no_sense() {
        let (mut state, lzw) = (0x9E37_79B9_7F4A_7C15, Filter::Lzw { early: true, predictor: None });
        // What ends early, or is left out as a blank, may leave a few letters.
        for (filter, most) in [
            (None, 2),
            (Some(Filter::Flate(None)), 2),
            (Some(lzw), 2),
            (Some(Filter::RunLength), 20),
            (Some(Filter::Ascii85), 10),
        ] {
            let filters: Vec<Filter> = filter.into_iter().collect();
            let senses = (0..4000).filter(|_| makes_sense(noise(80, &mut state), &filters)).count();
            assert!(senses <= most, "{senses} of 4000 by {filter:?}");
        }
    }

    #[test]
    fn what_is_not_encrypted_makes_sense() {
        let packed = [&[0x78, 0x01, 0x01, 6, 0, 0xF9, 0xFF][..], b"badger", &[0; 4]].concat();
        assert!(makes_sense(packed.clone(), &[Filter::Flate(None)]));
        assert!(!makes_sense(packed[2..].to_vec(), &[Filter::Flate(None)]));
        assert!(makes_sense(b"hello badger, this is a text".to_vec(), &[]));
        assert!(makes_sense([&[27][..], b"hello badger, this is a text"].concat(), &[Filter::RunLength]));
        assert!(makes_sense(b"68656C6C6F>".to_vec(), &[Filter::AsciiHex]));
    }
}
