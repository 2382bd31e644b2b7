//! Links of a page: where each leads, and what it shows.
//!
//! A link is an `<a href>`. What it shows is its text, up to its end tag or the next link; its `title`; and the address of
//! each picture in it. Tags, comments and scripts inside of it are passed over, and character references are resolved, so
//! that markup hides nothing. A page is read once, front to back; texts and tags are kept up to a bound.

use std::collections::VecDeque;
use std::sync::Arc;

use dachs_base::{Budget, Source};

use super::characters::{Characters, Width};

/// Longer tags and texts are cut.
const LONGEST: usize = 8192;
/// The clock is looked at once in so many characters.
const STEP: u32 = 1 << 14;
/// Characters of a page that are looked at.
const MOST: u32 = 64 << 20;

/// A link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Where it leads, as written, with character references resolved.
    pub real: Vec<u8>,
    /// What it shows.
    pub shown: Vec<u8>,
}

/// The links of a page, each with everything that it shows. Ends early when the time is over.
pub fn links(source: &Arc<dyn Source>, budget: &Budget) -> impl Iterator<Item = Link> + use<> {
    let characters = Characters::new(source, 0, Width::of(&**source));
    let budget = budget.clone();
    let mut reader = Reader { characters, place: Place::Text, tag: Vec::new(), open: None, found: VecDeque::new() };
    let mut count = 0;
    std::iter::from_fn(move || {
        loop {
            if let Some(link) = reader.found.pop_front() {
                return Some(link);
            }
            count += 1;
            let over = count % STEP == 0 && budget.check_time().is_err();
            if over || count > MOST || !reader.step() {
                return reader.found.pop_front();
            }
        }
    })
}

/// Where in a page the reader stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Text,
    /// In a tag, and in these quotes.
    Tag(Option<u8>),
    /// In a comment or declaration.
    Comment,
    /// In a script or a style sheet.
    Script,
}

struct Reader {
    characters: Characters,
    place: Place,
    /// The tag at hand, with its references' characters marked.
    tag: Vec<(u8, bool)>,
    /// The link that is open.
    open: Option<Link>,
    found: VecDeque<Link>,
}

impl Reader {
    /// Takes one character; false at the end.
    fn step(&mut self) -> bool {
        let Some(character) = self.characters.next() else {
            let ended = self.open.is_none();
            self.end();
            return !ended;
        };
        let (byte, written) = (character.byte, !character.reference);
        match self.place {
            Place::Text if byte == b'<' && written => {
                self.tag.clear();
                self.place = Place::Tag(None);
            }
            Place::Text => {
                if let Some(link) = self.open.as_mut().filter(|link| link.shown.len() < LONGEST) {
                    link.shown.push(byte);
                }
            }
            Place::Tag(None) if byte == b'>' && written => self.tag_ends(),
            Place::Tag(None) if byte == b'!' && self.tag.is_empty() => self.place = Place::Comment,
            Place::Tag(quote) => self.tag_goes_on(byte, written, quote),
            Place::Comment if byte == b'>' => self.place = Place::Text,
            Place::Comment => {}
            Place::Script => self.script_goes_on(byte),
        }
        true
    }

    fn tag_goes_on(&mut self, byte: u8, written: bool, quote: Option<u8>) {
        if self.tag.len() < LONGEST {
            self.tag.push((byte, written));
        }
        self.place = match (quote, byte) {
            (Some(open), close) if open == close && written => Place::Tag(None),
            (None, b'"' | b'\'') if written && self.follows_equals() => Place::Tag(Some(byte)),
            // Quotes that are never closed end with a bound.
            (Some(_), b'>') if self.tag.len() >= LONGEST => Place::Text,
            _ => self.place,
        };
    }

    /// True if the last character but one that is no blank is `=`.
    fn follows_equals(&self) -> bool {
        let mut before =
            self.tag.iter().rev().skip(1).map(|(byte, _)| *byte).filter(|byte| !byte.is_ascii_whitespace());
        before.next() == Some(b'=')
    }

    fn script_goes_on(&mut self, byte: u8) {
        self.tag.push((byte.to_ascii_lowercase(), true));
        let ends =
            |name: &[u8]| self.tag.iter().rev().map(|(byte, _)| byte).zip(name.iter().rev()).all(|(a, b)| a == b);
        if byte == b'>' && self.tag.len() >= 8 && (ends(b"</script>") || ends(b"</style>")) {
            self.place = Place::Text;
        }
        if self.tag.len() > LONGEST {
            self.tag.drain(..LONGEST / 2);
        }
    }

    fn tag_ends(&mut self) {
        self.place = Place::Text;
        let tag = std::mem::take(&mut self.tag);
        let end = tag.iter().position(|(byte, _)| byte.is_ascii_whitespace() || *byte == b'/' && tag.len() > 1);
        let end = end.filter(|end| *end > 0).unwrap_or(tag.len());
        let name: Vec<u8> = tag.iter().take(end).map(|(byte, _)| byte.to_ascii_lowercase()).collect();
        let rest = tag.get(end..).unwrap_or_default();
        match name.as_slice() {
            b"a" => self.begin(rest),
            b"img" => self.picture(rest),
            b"script" | b"style" => self.place = Place::Script,
            b"/" if rest.is_empty() => {}
            _ if tag.first() == Some(&(b'/', true)) => self.close(&tag),
            _ => {}
        }
    }

    fn close(&mut self, tag: &[(u8, bool)]) {
        let name: Vec<u8> = tag.iter().skip(1).map(|(byte, _)| byte.to_ascii_lowercase()).collect();
        if name.trim_ascii() == b"a" {
            self.end();
        }
    }

    fn begin(&mut self, tag: &[(u8, bool)]) {
        self.end();
        let Some(real) = attribute(tag, b"href") else { return };
        if let Some(shown) = attribute(tag, b"title") {
            self.found.push_back(Link { real: real.clone(), shown });
        }
        self.open = Some(Link { real, shown: Vec::new() });
    }

    fn picture(&mut self, tag: &[(u8, bool)]) {
        if let (Some(link), Some(shown)) = (&self.open, attribute(tag, b"src")) {
            self.found.push_back(Link { real: link.real.clone(), shown });
        }
    }

    fn end(&mut self) {
        self.found.extend(self.open.take());
    }
}

/// The value of an attribute.
fn attribute(tag: &[(u8, bool)], name: &[u8]) -> Option<Vec<u8>> {
    let mut rest = tag;
    loop {
        let start = rest.iter().position(|(byte, _)| !byte.is_ascii_whitespace() && *byte != b'/')?;
        rest = rest.get(start..)?;
        let end = rest.iter().position(|(byte, _)| byte.is_ascii_whitespace() || *byte == b'=').unwrap_or(rest.len());
        let (found, after) = rest.split_at_checked(end.max(1).min(rest.len()))?;
        let blanks = after.iter().take_while(|(byte, _)| byte.is_ascii_whitespace()).count();
        let value = match after.get(blanks..)? {
            [(b'=', _), value @ ..] => value,
            _ => {
                rest = after;
                continue;
            }
        };
        let blanks = value.iter().take_while(|(byte, _)| byte.is_ascii_whitespace()).count();
        let (value, after) = value_of(value.get(blanks..)?)?;
        if found.iter().map(|(byte, _)| byte.to_ascii_lowercase()).eq(name.iter().copied()) {
            return Some(value.iter().map(|(byte, _)| *byte).collect());
        }
        rest = after;
    }
}

/// A value and what follows it.
type Value<'t> = (&'t [(u8, bool)], &'t [(u8, bool)]);

fn value_of(text: &[(u8, bool)]) -> Option<Value<'_>> {
    match text {
        [(quote @ (b'"' | b'\''), true), rest @ ..] => {
            let end = rest.iter().position(|character| *character == (*quote, true)).unwrap_or(rest.len());
            let (value, after) = rest.split_at_checked(end)?;
            Some((value, after.get(1..).unwrap_or_default()))
        }
        _ => {
            let end = text.iter().position(|(byte, written)| *written && byte.is_ascii_whitespace());
            text.split_at_checked(end.unwrap_or(text.len()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dachs_base::{Limits, Memory, NoClock};

    fn of(page: &str) -> Vec<(String, String)> {
        let source: Arc<dyn Source> = Arc::new(Memory::new(page.as_bytes()));
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let links = links(&source, &Budget::new(Limits::default(), NoClock));
        links.map(|link| (text(link.real), text(link.shown))).collect()
    }

    #[test]
    fn links_show_what_stands_in_them() {
        for (page, shown) in [
            ("<a href=\"R\">text</a> more", vec!["text"]),
            ("<A class=x\nHREF='R' id=y>te<b>x</b>t</A >", vec!["text"]),
            ("<a href=R>a &amp; b", vec!["a & b"]),
            ("<a href=\"R\" title=\"t > u\">x</a>", vec!["t > u", "x"]),
            ("<a href=\"R\"><img alt=x src=\"picture\">x</a>", vec!["picture", "x"]),
            ("<a href=\"R\"><!-- c -->x<script>no</script>y</a>", vec!["xy"]),
            ("<a href=&#82;>&lt;x&gt;<a>z</a>", vec!["<x>"]),
            ("<script>'<a href=R>x</a>'</script><a name=q>x</a><img src=y>", vec![]),
            ("<a href='R'>x<br/>y</a>", vec!["xy"]),
        ] {
            let expected: Vec<_> = shown.into_iter().map(|shown| ("R".to_owned(), shown.to_owned())).collect();
            assert_eq!(of(page), expected, "{page}");
        }
    }

    #[test]
    fn broken_pages_end() {
        for page in
            ["", "<", "<a", "<a href=", "<a href='", "<a href=x>", "</", "</a>", "<!", "<script>", "<a =x>", "<a / /=>"]
        {
            assert!(of(page).len() <= 1, "{page}");
        }
        assert_eq!(of(&format!("<a href='{}", "x".repeat(100_000))), []);
        assert_eq!(of(&format!("<a href=R>{}", "x".repeat(100_000))).first().map(|link| link.1.len()), Some(LONGEST));
    }
}
