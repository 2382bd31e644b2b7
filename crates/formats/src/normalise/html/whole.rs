//! Tags of which *nocomment* changes nothing but the case of letters: most tags of most pages.
//!
//! ```text
//! <a class="x y" HREF="/z">      name, then for each attribute one blank, its name, `="`, its value, `"`; then `>`
//! ```
//!
//! Such a tag is copied at once. What the machine would do with it is followed here on the way, without writing anything; where it
//! would do something else than copy (two blanks, other quotes, references, bytes from 128 on, `data:`), the tag is left to it.
//! The tests compare both.

use std::ops::Range;

use super::Output;
use super::machine::Machine;
use super::marks::{Class, Marks};
use super::tag::LONGEST;

/// Where in a tag the reader stands.
#[derive(Clone, Copy)]
enum Place {
    /// Behind the name, or behind a value.
    Between,
    /// Behind the name of an attribute.
    Attribute,
    /// In quotes.
    Quoted,
    /// In a value that is no longer in its quotes.
    Plain {
        /// White space would be dropped.
        skip: bool,
    },
}

/// A tag, as places in a block.
#[derive(Default)]
struct Tag {
    name: Range<usize>,
    /// Its last byte.
    end: usize,
}

/// The attributes of a tag that matter: name, and value without quotes.
pub(super) type Values = Vec<(Range<usize>, Range<usize>)>;

impl Machine {
    /// Takes the tag that begins at `at`, if it is one of these, and tells how many bytes it has; else none.
    pub(super) fn whole_tag(&mut self, (block, at): (&[u8], usize), output: &mut Output) -> usize {
        if !self.attributes.waits_for_nothing() {
            return 0;
        }
        self.values.clear();
        let Some(tag) = read(block, at, &self.marks, &mut self.values) else { return 0 };
        self.begin_whole(tag.name, output);
        self.marks.write_plain(at..tag.end, &mut output.nocomment);
        for (name, value) in self.values.drain(..) {
            let of = |range: Range<usize>| block.get(range).unwrap_or_default();
            self.attributes.set(of(name), of(value));
        }
        self.end_tag(output);
        tag.end + 1 - at
    }
}

fn read(block: &[u8], at: usize, marks: &Marks, values: &mut Values) -> Option<Tag> {
    let name = at + 1..at + 1 + marks.run(Class::Name, at + 1);
    if name.is_empty() || block.get(name.start) == Some(&b'!') {
        return None;
    }
    let matters = matters(block.get(name.clone())?);
    let mut tag = Tag { name: name.clone(), ..Tag::default() };
    let (mut at, mut place) = (name.end, Place::Between);
    let (mut attribute, mut value) = (0..0, 0);
    loop {
        match place {
            Place::Quoted => at += marks.run(Class::Value, at),
            Place::Plain { skip } => {
                let run = marks.run(Class::Value, at);
                at += run;
                place = Place::Plain { skip: skip && run == 0 };
            }
            Place::Between | Place::Attribute => {}
        }
        let mut note = |end: usize| {
            if matters {
                values.push((attribute.clone(), value..end));
            }
        };
        place = match (place, block.get(at)?) {
            (Place::Between | Place::Attribute, b'>') => {
                tag.end = at;
                return Some(tag);
            }
            (Place::Between | Place::Attribute, b' ') => {
                attribute = at + 1..at + 1 + marks.run(Class::Attribute, at + 1);
                if attribute.is_empty() {
                    return None;
                }
                at = attribute.end - 1;
                Place::Attribute
            }
            (Place::Attribute, b'=') if block.get(at + 1) == Some(&b'"') => {
                at += 1;
                value = at + 1;
                Place::Quoted
            }
            (Place::Quoted, b'"') => {
                note(at.min(value + LONGEST));
                Place::Between
            }
            (Place::Quoted, b' ') => Place::Plain { skip: true },
            (Place::Quoted | Place::Plain { .. }, b':') if block.get(value..at) != Some(b"data") => match place {
                Place::Plain { .. } => Place::Plain { skip: false },
                _ => place,
            },
            (Place::Plain { .. }, b'"') => Place::Plain { skip: false },
            (Place::Plain { skip: false }, b' ') => {
                note(last_cut(value, at));
                at -= 1;
                Place::Between
            }
            (Place::Plain { .. }, b'>') => {
                note(last_cut(value, at));
                tag.end = at;
                return Some(tag);
            }
            _ => return None,
        };
        at += 1;
    }
}

/// The end of what is kept of a value that was in quotes and ends outside of them: its last byte is taken for the closing one.
fn last_cut(value: usize, end: usize) -> usize {
    end.min(value + LONGEST).saturating_sub(1).max(value)
}

/// Do the attributes of a tag of this name matter to anybody?
fn matters(name: &[u8]) -> bool {
    [&b"a"[..], b"img", b"script"].iter().any(|known| name.eq_ignore_ascii_case(known))
}
