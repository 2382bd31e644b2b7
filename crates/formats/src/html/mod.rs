//! HTML pages (HTML Living Standard): the objects that stand in them.
//!
//! A page is read once, front to back, without building a tree, because what browsers and mail programs make of broken
//! markup differs. Members are:
//!
//! * `data:` URLs (RFC 2397), wherever they stand: attributes, `url()` in styles, strings of scripts. See [`data`].
//! * the bodies of `<script>` elements, as they are (without a copy, unless the page is UTF-16).
//!
//! Character references are resolved while looking for URLs and inside of them, and white space in the scheme is
//! skipped, as browsers do. Scripts that were encoded for Microsoft's script engines (`#@~^`) are decoded ([`crate::screnc`]).
//! URLs that a script puts together are not found.

mod characters;
mod data;
mod links;

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Name, Part, Source};
use dachs_matcher::table::Sets;

use crate::encoded::Narrow;
use crate::screnc::{self, Form, MARK};
use crate::stream::{Fenced, Replay};
use crate::{Item, Member, Unpack};

use characters::Characters;
pub(crate) use characters::Width;
use data::{Data, Url};
pub use links::{Link, links};

/// What a reader of one member holds: the buffer of its input and its own state.
const MEMORY: u64 = 40 * 1024;
/// A page's time is looked at once in so many characters.
const STEP: u64 = 1 << 16;

/// Goes through what a page holds.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Box::new(Page::new(source, Width::of(&**source), budget))
}

/// The last 16 characters, letters in lower case.
#[derive(Clone, Copy, Default)]
struct Recent(u128);

impl Recent {
    fn push(&mut self, byte: u8) {
        self.0 = (self.0 << 8) | u128::from(byte.to_ascii_lowercase());
    }

    /// Several at once.
    fn push_all(&mut self, bytes: &[u8]) {
        match bytes.last_chunk() {
            Some(last) => self.0 = u128::from_be_bytes(last.map(|byte| byte.to_ascii_lowercase())),
            None => bytes.iter().for_each(|byte| self.push(*byte)),
        }
    }

    /// Several at once, but for white space.
    fn push_solid(&mut self, bytes: &[u8]) {
        let mut solid = [0; size_of::<u128>()];
        let last = bytes.iter().rev().filter(|byte| !byte.is_ascii_whitespace());
        let kept = solid.iter_mut().rev().zip(last).map(|(to, from)| *to = *from).count();
        self.push_all(solid.get(solid.len() - kept..).unwrap_or(&[]));
    }

    /// True if the last characters are these, at most 16.
    fn ends_with(self, text: &[u8]) -> bool {
        let bytes = self.0.to_be_bytes();
        bytes.ends_with(text)
    }

    /// The character before the last `count`; zero if there is none.
    fn before(self, count: usize) -> u8 {
        self.0.to_be_bytes().iter().rev().nth(count).copied().unwrap_or(0)
    }
}

/// Where in a script element the page stands.
#[derive(Clone, Copy)]
enum Script {
    Outside,
    /// In its start tag.
    Tag,
    /// In its body, which began at this offset of the page.
    Body(u64),
}

/// How many bytes there are before the first with which a scheme, the edge of a script or the mark of an encoded one can be
/// complete, or with which a reference begins. `before`: the byte before them; `in_tag`: a `>` counts.
///
/// An edge is recognised from its `<`, or, if that was passed before, from its last two letters.
fn plain(bytes: &[u8], mut before: u8, in_tag: bool) -> usize {
    let edge_ends = |byte: &u8| {
        let ends = matches!(byte, b't' | b'T') && matches!(before, b'p' | b'P');
        before = *byte;
        ends
    };
    let begun = bytes.iter().take(EDGE).position(edge_ends).unwrap_or(bytes.len());
    let mut at = 0;
    while let Some(mark) = bytes.get(at..).and_then(|rest| next_mark(rest, in_tag)) {
        let rest = bytes.get(at + mark..).unwrap_or(&[]);
        let last = (at + mark).checked_sub(1).and_then(|last| bytes.get(last));
        if rest.first().zip(last).is_some_and(|(mark, last)| is_in_vain(*mark, *last)) {
            at += mark + 1;
            continue;
        }
        let begins = |edge: &&&[u8]| rest.get(..edge.len()).is_some_and(|start| start.eq_ignore_ascii_case(edge));
        match [&b"<script"[..], b"</script"].iter().find(begins) {
            Some(edge) => return begun.min(at + mark + edge.len() - 1),
            None if rest.first() != Some(&b'<') => return begun.min(at + mark),
            None => at += mark + 1,
        }
    }
    begun
}

/// Is nothing complete with this mark behind that byte? A scheme ends in `a:`, perhaps with white space between, the mark of an
/// encoded script in `~^`.
fn is_in_vain(mark: u8, last: u8) -> bool {
    match mark {
        b':' => !last.is_ascii_whitespace() && !last.eq_ignore_ascii_case(&b'a'),
        b'^' => last != b'~',
        _ => false,
    }
}

/// Bytes that are looked at together: few, since those behind a mark are looked at again.
const STRETCH: usize = 512;

/// What marks are made of: `&`, `<`, what may follow that (`/`, `s`, `c`), `:`, what may stand before that, `^`.
static SIGNS: Sets<8> = signs();

const fn signs() -> Sets<8> {
    let mut tables = [[false; 256]; 8];
    let mut byte = 0_u8;
    while byte < 128 {
        let is = [
            byte == b'&',
            byte == b'<',
            byte == b'/',
            byte | 0x20 == b's',
            byte | 0x20 == b'c',
            byte == b':',
            byte <= b' ' || byte | 0x20 == b'a',
            byte == b'^',
        ];
        let mut number = 0;
        while number < 8 {
            #[expect(clippy::indexing_slicing, reason = "the tables have an entry for each byte")]
            {
                tables[number][byte as usize] = is[number];
            }
            number += 1;
        }
        byte += 1;
    }
    Sets::new(&tables)
}

/// At which of 64 bytes there may be a mark: what stands before them and behind them may be anything.
#[inline]
fn may_be_marks([and, less, slash, s, c, colon, scheme, caret]: [u64; 8]) -> u64 {
    let behind = |word: u64, by: u32| word >> by | !(u64::MAX >> by);
    let begins = behind(s, 1) & behind(c, 2);
    let ends = behind(slash, 1) & behind(s, 2) & behind(c, 3);
    and | (less & (begins | ends)) | (colon & (scheme << 1 | 1)) | caret
}

/// The first byte at which more must be looked at: one that stops, or a `<` that may begin an edge.
fn next_mark(bytes: &[u8], in_tag: bool) -> Option<usize> {
    if bytes.first().is_some_and(|byte| may_be_mark(*byte, in_tag)) {
        return Some(0);
    }
    if in_tag {
        return (1..bytes.len()).find(|at| is_mark_at(bytes, *at, true));
    }
    let mut words = Vec::with_capacity(STRETCH / 64);
    for (number, stretch) in bytes.chunks(STRETCH).enumerate() {
        words.clear();
        SIGNS.mark(stretch, &mut words);
        for (at, words) in words.iter().enumerate() {
            let mut rest = may_be_marks(*words);
            while rest != 0 {
                let place = number * STRETCH + at * 64 + usize::try_from(rest.trailing_zeros()).unwrap_or(0);
                // Hardly any of the brackets and colons that pages are full of begin anything.
                if is_mark_at(bytes, place, false) {
                    return Some(place);
                }
                rest &= rest - 1;
            }
        }
    }
    None
}

/// Must more be looked at here? True where the neighbours are not known, if it may be so.
#[inline]
fn is_mark_at(bytes: &[u8], place: usize, in_tag: bool) -> bool {
    let near = place.checked_sub(1).and_then(|before| bytes.get(before..)).and_then(<[u8]>::first_chunk);
    match near {
        Some(near) => is_mark(*near, in_tag),
        None => bytes.get(place).is_some_and(|byte| may_be_mark(*byte, in_tag)),
    }
}

/// A byte with the one before it and three behind it.
#[inline(always)]
fn is_mark([before, byte, one, two, three]: [u8; 5], in_tag: bool) -> bool {
    let is_letter = |byte: u8, letter: u8| byte | 0x20 == letter;
    let begins = is_letter(one, b's') & is_letter(two, b'c');
    let ends = (one == b'/') & is_letter(two, b's') & is_letter(three, b'c');
    let scheme = (before <= b' ') | is_letter(before, b'a');
    (byte == b'&')
        | ((byte == b'<') & (begins | ends))
        | ((byte == b':') & scheme)
        | ((byte == b'^') & (before == b'~'))
        | (in_tag & (byte == b'>'))
}

/// The same of a byte whose neighbours are not known.
const fn may_be_mark(byte: u8, in_tag: bool) -> bool {
    matches!(byte, b'&' | b':' | b'<' | b'^') || (in_tag && byte == b'>')
}

/// Bytes of the longest edge of a script, `</script`.
const EDGE: usize = 8;

struct Page {
    source: Arc<dyn Source>,
    budget: Budget,
    width: Width,
    characters: Characters,
    /// With character references resolved.
    shown: Recent,
    /// The same without white space.
    solid: Recent,
    /// As written.
    written: Recent,
    script: Script,
    urls: u64,
    scripts: u64,
    /// The script at hand is encoded.
    encoded: bool,
    done: bool,
    /// Takes each character by itself: the oracle of tests.
    #[cfg(test)]
    by_one: bool,
}

impl Unpack for Page {
    fn next_item(&mut self) -> Option<Item> {
        while !self.done {
            for _ in 0..STEP {
                if let Some(item) = self.step() {
                    return Some(item);
                }
                if self.done {
                    return None;
                }
            }
            if let Err(reached) = self.budget.check_time() {
                return Some(self.end_with(None, reached.into()));
            }
        }
        None
    }
}

impl Page {
    fn new(source: &Arc<dyn Source>, width: Width, budget: &Budget) -> Page {
        Page {
            source: Arc::clone(source),
            budget: budget.clone(),
            width,
            characters: Characters::new(source, 0, width),
            shown: Recent::default(),
            solid: Recent::default(),
            written: Recent::default(),
            script: Script::Outside,
            urls: 0,
            scripts: 0,
            encoded: false,
            done: false,
            #[cfg(test)]
            by_one: false,
        }
    }

    /// Takes one character, and what is complete with it.
    fn step(&mut self) -> Option<Item> {
        self.pass_plain();
        let Some(character) = self.characters.next() else {
            self.done = true;
            return self.script_ends(0);
        };
        self.shown.push(character.byte);
        self.written.push(if character.reference { 0 } else { character.byte });
        if !character.byte.is_ascii_whitespace() {
            self.solid.push(character.byte);
        }
        match character.byte {
            b':' if self.solid.ends_with(b"data:") => self.url(),
            b't' | b'T' | b'>' => self.script_edge(character.byte),
            b'^' if self.shown.ends_with(MARK) => self.encoded_script(),
            _ => None,
        }
    }

    /// Passes characters with which nothing can be complete, as far as they are at hand.
    fn pass_plain(&mut self) {
        #[cfg(test)]
        if self.by_one {
            return;
        }
        let bytes = self.characters.at_hand();
        let count = plain(bytes, self.written.before(0), matches!(self.script, Script::Tag));
        let passed = bytes.get(..count).unwrap_or(&[]);
        self.shown.push_all(passed);
        self.written.push_all(passed);
        self.solid.push_solid(passed);
        self.characters.pass(count);
    }

    /// A URL, if one begins behind `data:`.
    fn url(&mut self) -> Option<Item> {
        let url = Url::read(self.characters.clone(), self.solid.before(5))?;
        self.urls = self.urls.saturating_add(1);
        let name = [format!("data {} ", self.urls).as_bytes(), url.media_type()].concat();
        let (budget, url) = (self.budget.clone(), Arc::new(url));
        let opener = move || Ok(Box::new(Fenced::new(&budget, MEMORY, || Ok(Data::new(&url)))?) as _);
        Some(self.member(Name::new(&name), Arc::new(Replay::new(&self.budget, opener))))
    }

    /// Where a script element begins or ends.
    fn script_edge(&mut self, byte: u8) -> Option<Item> {
        match self.script {
            Script::Outside if self.written.ends_with(b"<script") => self.script = Script::Tag,
            Script::Tag if byte == b'>' => self.script = Script::Body(self.characters.offset()),
            Script::Body(_) if self.written.ends_with(b"</script") => return self.script_ends(8),
            _ => {}
        }
        None
    }

    /// Gives the body of a script that ends `behind` characters before here.
    fn script_ends(&mut self, behind: u64) -> Option<Item> {
        let Script::Body(start) = std::mem::replace(&mut self.script, Script::Outside) else { return None };
        let end = self.characters.offset().saturating_sub(behind.saturating_mul(self.width.bytes()));
        let length = end.checked_sub(start).filter(|length| *length > 0)?;
        self.scripts = self.scripts.saturating_add(1);
        let name = Name::new(format!("script {}", self.scripts).as_bytes());
        let body: Arc<dyn Source> = Arc::new(Part::new(Arc::clone(&self.source), start, length));
        if !std::mem::take(&mut self.encoded) {
            return Some(self.member(name, body));
        }
        Some(match self.budget.charge_object() {
            Ok(()) => screnc::member(name, &self.narrow(body), Form::Bare, &self.budget),
            Err(reached) => self.end_with(Some(name), reached.into()),
        })
    }

    /// The script at hand is encoded.
    fn encoded_script(&mut self) -> Option<Item> {
        self.encoded = matches!(self.script, Script::Body(_));
        None
    }

    /// A script as bytes, of which an encoded one consists.
    fn narrow(&self, script: Arc<dyn Source>) -> Arc<dyn Source> {
        match self.width {
            Width::One => script,
            width => Arc::new(Narrow::ordered(script, width == Width::Little)),
        }
    }

    fn member(&mut self, name: Name, source: Arc<dyn Source>) -> Item {
        match self.budget.charge_object() {
            Ok(()) => Item::Member(Member { name, source, packed_size: None }),
            Err(reached) => self.end_with(Some(name), reached.into()),
        }
    }

    fn end_with(&mut self, member: Option<Name>, anomaly: Anomaly) -> Item {
        self.done = true;
        Item::Anomaly { member, anomaly }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dachs_base::{Limits, Memory, NoClock, read_vec_at};

    /// The members and remarks of a page, with stretches passed at once or not.
    fn items(page: &[u8], stretches: bool) -> Vec<(Vec<u8>, Vec<u8>)> {
        let source: Arc<dyn Source> = Arc::new(Memory::new(page.to_vec()));
        let budget = Budget::new(Limits::default(), NoClock);
        let mut page = Page::new(&source, Width::One, &budget);
        page.by_one = !stretches;
        let mut items = Vec::new();
        while let Some(item) = page.next_item() {
            items.push(match item {
                Item::Member(member) => (member.name.as_bytes().to_vec(), read_vec_at(&*member.source, 0, 1 << 20)),
                Item::Anomaly { anomaly, .. } => (b"anomaly".to_vec(), anomaly.detail.into_bytes()),
                _ => (Vec::new(), Vec::new()),
            });
        }
        items
    }

    #[test]
    fn stretches_are_the_same_as_single_characters() {
        #[rustfmt::skip]
        const PIECES: [&[u8]; 24] = [
            b"<script>", b"</script>", b"<SCRIPT src=x>", b"</Script >", b"<scri", b"pt>", b"t", b"p", b"data:", b"da ta:,x",
            b"data:;base64,QUJD\"", b"&#116;", b"&colon;", b"#@~^", b"<p>word</p>", b" ", b"\n", b"'", b"\"", b">", b"a long word of a text",
            b"<b><i>", b"&", b"src=\"",
        ];
        let mut number = 7_u64;
        let mut random = move |below: usize| {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(number >> 33).unwrap_or(0) % below
        };
        let mut seen = 0;
        for round in 0..3_000 {
            let mut page: Vec<u8> = (0..random(60)).flat_map(|_| PIECES[random(PIECES.len())]).copied().collect();
            if round % 100 == 0 {
                // Across the edge of the reader's buffer.
                page.splice(..0, vec![b'.'; 32 * 1024 - random(200)]);
            }
            let found = items(&page, true);
            seen += found.len();
            assert_eq!(found, items(&page, false), "{}", page.escape_ascii());
        }
        assert!(seen > 1_000, "{seen}");
    }
}
