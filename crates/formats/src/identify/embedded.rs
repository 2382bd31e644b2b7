//! Objects in the midst of another: an archive behind a picture, a program in a document, a second program in a first.
//!
//! Formats that hold members have readers of their own. This looks for beginnings of archives, programs and PDF documents
//! anywhere in bytes that no reader takes apart, as ClamAV does ("mode 1" of its file type magic). A sign of a few bytes
//! occurs by chance, so each is believed only if the header that it begins holds together ([`signs`]).
//!
//! What is found reaches to the end of the object around it, since most formats do not say where they end; so the digest
//! of such an object is that of the rest. An object that was found so is not searched again. One ZIP archive is enough:
//! its reader goes through whatever local headers follow. After [`MOST`] objects the search ends and says so.
//!
//! Texts with tags somewhere in them are pages as well, which is told in passing ([`Item::Also`](crate::Item::Also)).
//!
//! All signs are searched in one pass of vector instructions (Teddy, of the crate `aho-corasick`); a search for each took a
//! fourteenth of the time of a scan of large programs.
//!
//! Large objects are read for the matcher anyway; signs are found in passing then ([`Watched`]).
//!
//! It does not search archives and compressed streams, whose bytes mean nothing as they stand.

mod signs;
#[cfg(test)]
mod tests;
mod watch;

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Class, FileKind, Limit, LimitReached, Name, Part, Source, bytes_at};

use crate::Identity;
use crate::unpack::{Found, Search, Unpack};

use super::may_be_page;
use super::text::{holds_address, tags};
use signs::{SIGNS, Sign};

pub use watch::{Places, Watched};

/// Objects found in one object.
const MOST: u32 = 100;
/// Bytes looked at in one step.
const STEP: usize = 1 << 18;
/// No sign is longer: so much of a window is looked at again in the next.
const LONGEST: usize = 24;
/// A program is taken to reach to the end of what holds it, unless that is farther away than this.
const LARGEST_PROGRAM: u64 = 40 << 20;

/// Looks for objects in the midst of this one; `None` for kinds whose bytes mean nothing as they stand. `places`: where signs stand,
/// if that is known.
pub(crate) fn open(
    identity: &Identity,
    source: &Arc<dyn Source>,
    places: Option<Places>,
    budget: &Budget,
) -> Option<Box<dyn Unpack>> {
    if !is_searched(identity) {
        return None;
    }
    let known = identity.kinds().filter(|kind| kind.class() == Class::Archive || *kind == FileKind::Pdf).collect();
    let source = Arc::clone(source);
    let for_tags = is_searched_for_tags(identity);
    let places = places.filter(|_| !for_tags).map(Places::into_iter);
    let (found, budget) = (Found::new(budget), budget.clone());
    Some(Box::new(Embedded { source, known, for_tags, link: false, places, found, budget, at: 0, count: 0 }))
}

/// The object, to be read in its place, so that signs are found while that is done. Absent if they are not looked for, or if that
/// takes no reading: the object lies in memory, or its bytes are read for tags too.
pub(crate) fn watch<'s>(identity: &Identity, source: &'s dyn Source) -> Option<Watched<'s>> {
    let wanted = is_searched(identity) && !is_searched_for_tags(identity) && source.held().is_none();
    wanted.then(|| Watched::new(source))
}

/// Not archives and compressed streams, whose bytes mean nothing as they stand.
fn is_searched(identity: &Identity) -> bool {
    !matches!(identity.kind.class(), Class::Archive | Class::Stream) && identity.kind != FileKind::Empty
}

fn is_searched_for_tags(identity: &Identity) -> bool {
    may_be_page(identity.kind) && !identity.kinds().any(|kind| kind == FileKind::Html)
}

/// True if objects of this kind are looked for in the midst of others.
pub(crate) fn looks_for(kind: FileKind) -> bool {
    SIGNS.iter().any(|sign| sign.kind == kind)
}

struct Embedded {
    source: Arc<dyn Source>,
    /// Kinds that the object is as a whole: their readers find what is to be found.
    known: Vec<FileKind>,
    /// True while tags are looked for.
    for_tags: bool,
    /// A link began before.
    link: bool,
    /// Where signs stand that were not looked at yet, if that is known.
    places: Option<std::vec::IntoIter<(u64, &'static Sign)>>,
    found: Found,
    budget: Budget,
    /// Everything before was looked at.
    at: u64,
    count: u32,
}

impl Search for Embedded {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        if let Some(places) = &mut self.places {
            match places.next() {
                Some((place, sign)) => self.consider_place(sign, place)?,
                None => self.found.end(),
            }
            return Ok(());
        }
        self.at = self.source.next_data(self.at);
        let source = Arc::clone(&self.source);
        let window = bytes_at(source.as_ref(), self.at, STEP);
        let last = window.len() < STEP;
        if self.for_tags {
            self.look_for_tags(&window);
        }
        for (place, sign) in signs::places(&window) {
            let again = !last && place.saturating_add(LONGEST) > window.len();
            if !again {
                self.consider_place(sign, self.at.saturating_add(u64::try_from(place).unwrap_or(u64::MAX)))?;
            }
        }
        let done = if last { window.len() } else { STEP - LONGEST };
        self.at = self.at.saturating_add(u64::try_from(done).unwrap_or(u64::MAX));
        if last {
            self.found.end();
        }
        Ok(())
    }
}

impl Embedded {
    fn look_for_tags(&mut self, window: &[u8]) {
        let tags = tags(window);
        if tags.first.is_some() || (self.link && holds_address(window)) {
            self.for_tags = false;
            self.found.also(FileKind::Html);
        }
        self.link |= tags.link;
    }

    /// Looks at a sign, and gives out the object that it is of, if there is one.
    fn consider_place(&mut self, sign: &Sign, place: u64) -> Result<(), Anomaly> {
        match place.checked_sub(sign.inside).filter(|start| *start > 0) {
            Some(start) => self.consider(sign, start),
            None => Ok(()),
        }
    }

    /// Gives out the object that begins here, if one does.
    fn consider(&mut self, sign: &Sign, start: u64) -> Result<(), Anomaly> {
        if self.known.contains(&sign.kind) || !(sign.check)(self.source.as_ref(), start) {
            return Ok(());
        }
        if self.count >= MOST {
            return Err(LimitReached { limit: Limit::Objects, allowed: u64::from(MOST) }.into());
        }
        self.count += 1;
        // The files stand before their header, so the reader needs the whole program.
        if sign.kind == FileKind::InnoSetup && crate::inno::header_at(self.source.as_ref()) == Some(start) {
            self.known.push(sign.kind);
            self.found.also(sign.kind);
            return Ok(());
        }
        if sign.kind == FileKind::Zip {
            self.known.push(FileKind::Zip);
        }
        let length = self.reach(sign.kind, start);
        self.budget.charge_bytes(length)?;
        let name = format!("embedded {} at {start}", sign.kind.label());
        let part = Arc::new(Part::new(Arc::clone(&self.source), start, length));
        Ok(self.found.embedded(Name::new(name.as_bytes()), part)?)
    }

    /// How far an object reaches: to the end, but for a small program at the start of much else.
    fn reach(&self, kind: FileKind, start: u64) -> u64 {
        let rest = self.source.len().saturating_sub(start);
        if kind != FileKind::Pe || rest <= LARGEST_PROGRAM {
            return rest;
        }
        let part: Arc<dyn Source> = Arc::new(Part::new(Arc::clone(&self.source), start, rest));
        let facts = crate::facts(kind, &part, &self.budget);
        let end = facts.sections.iter().map(|section| section.offset.saturating_add(section.size)).max();
        end.unwrap_or(0).max(LARGEST_PROGRAM).min(rest)
    }
}
