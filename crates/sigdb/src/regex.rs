//! Regular expressions of logical signatures (PCRE), over the bytes of a whole object.
//!
//! The image holds an expression as its source wrote it. [`translate`] brings it into the syntax of the two engines used:
//! `regex`, whose time grows with the bytes alone, for what it can express, and `fancy-regex`, which backtracks under a
//! limit of steps, for the rest (lookaround, backreferences, possessive repetition). Both are compiled when first needed
//! and kept ([`Cache`]). What neither can express is refused when an image is built.
//!
//! Most are never needed: the image also holds bytes that must occur where an expression matches ([`mod@needles`]), and an object
//! is asked for those first ([`Grams`]), and then for what stands before such bytes ([`mod@endings`]). Before anything backtracks, quicker expressions are asked that match wherever this one does: a wider one that takes linear
//! time, in which references are to any bytes and lookaround may hold or not, and the tail, see [`translate`]. Where one of
//! them finds nothing, and that is nearly everywhere, there is nothing to be tried.
//!
//! Bytes are bytes: no UTF-8, and classes are those of ASCII, as in ClamAV.
//!
//! # Where an expression is tried
//!
//! The object is seen from the offset on, so that `^` and lookbehind know nothing of the bytes before. Without offset or
//! shift, the match may start anywhere; with an offset alone it must start there, unless the flag `r` is set; with a shift,
//! it starts at most so many bytes later, and with the flag `e` it must also end there. `g` counts all matches that do not
//! overlap, up to the first empty one. This was observed on ClamAV 1.4.6.

mod cache;
mod endings;
mod grams;
mod needles;
mod translate;

pub(crate) use cache::Cache;
pub(crate) use endings::{Ending, Places};
pub(crate) use grams::Grams;
pub(crate) use needles::each as each_needle;
pub(crate) use translate::Problem;

use crate::model::{Offset, OffsetBase, Regex};
use dachs_base::{Budget, Limit, LimitReached};
use fancy_regex::{BytesMode, RegexOptionsBuilder};
use regex_automata::nfa::thompson::WhichCaptures;
use regex_automata::{Input, meta};
use regex_syntax::hir::Hir;
use std::ops::RangeInclusive;
use std::sync::{Once, OnceLock};

/// Objects with more bytes than this are not searched; ClamAV's limit too.
pub(crate) const LARGEST: u64 = 100 << 20;
/// Longer expressions are refused.
const LONGEST: usize = 1 << 14;
/// Bytes of a compiled expression, and of its automaton made on the fly.
const COMPILED: usize = 4 << 20;
/// Steps of backtracking in one search.
const STEPS: usize = 10_000_000;
/// The clock is looked at after so many matches.
const MATCHES_PER_LOOK: u32 = 256;

/// A compiled expression.
#[derive(Debug)]
pub(crate) enum Compiled {
    /// With what must match somewhere if the whole does.
    Backtracking(Box<Backtracking>, Screens),
    Linear(meta::Regex),
}

/// What must match somewhere if an expression does, and is quicker.
#[derive(Debug)]
pub(crate) struct Screens {
    /// A wider expression that takes linear time.
    wide: Option<meta::Regex>,
    /// The expression's tail.
    tail: Option<Backtracking>,
}

impl Screens {
    /// Could there be a match at `from` or behind?
    fn pass(&self, bytes: &[u8], from: usize) -> bool {
        self.wide.as_ref().is_none_or(|wide| wide.is_match(Input::new(bytes).range(from..)))
            && self.tail.as_ref().is_none_or(|tail| !matches!(tail.find(bytes, from), Ok(None)))
    }
}

/// An expression that backtracks, compiled when it is first asked: most are never, as their screens let nothing pass.
#[derive(Debug)]
pub(crate) struct Backtracking {
    text: String,
    flags: String,
    compiled: OnceLock<Option<fancy_regex::Regex>>,
}

impl Backtracking {
    fn new(text: String, flags: &str) -> Backtracking {
        Backtracking { text, flags: flags.to_owned(), compiled: OnceLock::new() }
    }

    fn compile(&self) -> Result<fancy_regex::Regex, fancy_regex::Error> {
        let flag = |letter| self.flags.contains(letter);
        let mut builder = RegexOptionsBuilder::new();
        builder.bytes_mode(BytesMode::Ascii).unicode_mode(false).case_insensitive(flag('i'));
        builder.dot_matches_new_line(flag('s')).multi_line(flag('m'));
        builder.backtrack_limit(STEPS).delegate_size_limit(COMPILED).delegate_dfa_size_limit(COMPILED);
        builder.build(self.text.clone())
    }

    /// Where the first match at `from` or behind starts and ends. What cannot be compiled matches nothing: whoever wrote the
    /// image has compiled it before.
    fn find(&self, bytes: &[u8], from: usize) -> Result<Option<(usize, usize)>, LimitReached> {
        let Some(regex) = self.compiled.get_or_init(|| self.compile().ok()) else { return Ok(None) };
        match regex.find_from_pos(bytes, from) {
            Ok(found) => Ok(found.map(|found| (found.start(), found.end()))),
            Err(_) => Err(LimitReached { limit: Limit::Steps, allowed: u64::try_from(STEPS).unwrap_or(u64::MAX) }),
        }
    }
}

/// Compiles what takes linear time. No automaton is made beforehand: the one that grows with the bytes is as quick, and making
/// the other took half of the time.
fn linear(text: &str, flags: &str) -> Option<meta::Regex> {
    let config =
        meta::Config::new().utf8_empty(false).which_captures(WhichCaptures::Implicit).onepass(false).dfa(false);
    let config = config.nfa_size_limit(Some(COMPILED)).hybrid_cache_capacity(COMPILED);
    meta::Builder::new().configure(config).build_from_hir(&parse(text, flags)?).ok()
}

/// The structure of an expression that takes linear time.
fn parse(text: &str, flags: &str) -> Option<Hir> {
    let flag = |letter| flags.contains(letter);
    let mut builder = regex_syntax::ParserBuilder::new();
    builder.utf8(false).unicode(false).case_insensitive(flag('i'));
    builder.dot_matches_new_line(flag('s')).multi_line(flag('m'));
    builder.build().parse(text).ok()
}

/// The expression, or a wider one, in the syntax of what takes linear time.
fn linear_text(text: &str, flags: &str) -> Option<String> {
    let translated = translate::translate(text, flags).ok()?;
    if translated.backtracks { translate::widen(text, flags) } else { Some(translated.text) }
}

/// The record of the bytes that must occur where an expression matches, see [`mod@needles`].
pub(crate) fn needles_of(regex: &Regex) -> Vec<u8> {
    needles::of(&regex.text, &regex.flags)
}

/// Do needles, the ending, the wide expression and the tail let an object pass in which the expression matches? True if it matches nothing
/// or cannot be compiled. For fuzz targets.
#[must_use]
pub fn screens_pass_matches(text: &str, flags: &str, object: &[u8]) -> bool {
    let regex = Regex { text: text.to_owned(), flags: flags.to_owned() };
    let Ok(compiled) = Compiled::new(&regex) else { return true };
    let (found, passed) = match &compiled {
        Compiled::Linear(linear) => (linear.is_match(object), true),
        Compiled::Backtracking(whole, screens) => {
            (matches!(whole.find(object, 0), Ok(Some(_))), screens.pass(object, 0))
        }
    };
    let (record, grams) = (needles_of(&regex), Grams::new(object));
    let held = record.is_empty() || each_needle(&record).any(|needle| grams.may_hold(needle));
    let ending = Cache::default().ending(0, text, flags);
    let ended = ending.is_none_or(|ending| Places::default().may_match(object, &ending));
    !found || (passed && held && ended)
}

/// Where an expression is tried in an object.
pub(crate) struct Window<'b> {
    /// The bytes that it sees.
    bytes: &'b [u8],
    /// The furthest start of a match in them.
    reach: u64,
    /// Must a match start where the search does?
    anchored: bool,
}

impl Compiled {
    /// Compiles an expression, all of it.
    pub(crate) fn new(regex: &Regex) -> Result<Compiled, Problem> {
        let compiled = Compiled::when_needed(&regex.text, &regex.flags)?;
        if let Compiled::Backtracking(whole, _) = &compiled {
            let built = whole.compile().map_err(|error| problem(&error))?;
            let _ = whole.compiled.set(Some(built));
        }
        Ok(compiled)
    }

    /// Compiles of an expression what is asked first.
    fn when_needed(text: &str, flags: &str) -> Result<Compiled, Problem> {
        if text.len() > LONGEST {
            return Err(Problem::Unsupported);
        }
        let translated = translate::translate(text, flags)?;
        if !translated.backtracks
            && let Some(built) = linear(&translated.text, flags)
        {
            return Ok(Compiled::Linear(built));
        }
        let tail = translated.tail.map(|tail| Backtracking::new(tail, flags));
        let wide = translate::widen(text, flags).and_then(|text| linear(&text, flags));
        let whole = Box::new(Backtracking::new(translated.text, flags));
        Ok(Compiled::Backtracking(whole, Screens { wide, tail }))
    }

    /// Bytes that it takes, roughly.
    fn memory(&self) -> usize {
        match self {
            Compiled::Linear(regex) => regex.memory_usage(),
            // The parts that may be compiled later are of the size of the wide one.
            Compiled::Backtracking(_, screens) => {
                let wide = screens.wide.as_ref().map_or(COMPILED, meta::Regex::memory_usage);
                wide.saturating_mul(3).saturating_add(COMPILED / 64)
            }
        }
    }

    /// Calls `each` with where every match starts, counted in the window, until it answers false.
    pub(crate) fn search(
        &self,
        window: &Window<'_>,
        all: bool,
        budget: &Budget,
        each: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(), LimitReached> {
        let mut from = 0;
        for number in 0_u32.. {
            if number.is_multiple_of(MATCHES_PER_LOOK) {
                budget.check_time()?;
            }
            let Some((start, end)) = self.find(window.bytes, from)? else { return Ok(()) };
            let place = u64::try_from(start).unwrap_or(u64::MAX);
            let misplaced = place > window.reach || (window.anchored && start != from);
            if misplaced || !each(place) || !all || end <= start {
                return Ok(());
            }
            from = end;
        }
        Ok(())
    }

    /// The first match that starts at `from` or behind.
    fn find(&self, bytes: &[u8], from: usize) -> Result<Option<(usize, usize)>, LimitReached> {
        match self {
            Compiled::Linear(regex) => {
                Ok(regex.find(Input::new(bytes).range(from..)).map(|found| (found.start(), found.end())))
            }
            Compiled::Backtracking(_, screens) if !screens.pass(bytes, from) => Ok(None),
            Compiled::Backtracking(whole, _) => whole.find(bytes, from),
        }
    }
}

/// What it means that an expression cannot be built.
fn problem(error: &fancy_regex::Error) -> Problem {
    use fancy_regex::CompileError::{LookBehindNotConst, VariableLookBehindRequiresFeature};
    match error {
        fancy_regex::Error::CompileError(error)
            if matches!(**error, LookBehindNotConst | VariableLookBehindRequiresFeature) =>
        {
            Problem::Malformed("a lookbehind whose length is not known")
        }
        _ => Problem::Unsupported,
    }
}

impl<'b> Window<'b> {
    /// What an expression at `offset` sees of an object, if a match may start within `starts`.
    pub(crate) fn new(
        bytes: &'b [u8],
        offset: &Offset,
        starts: &RangeInclusive<u64>,
        flags: &str,
    ) -> Option<Window<'b>> {
        let placed = offset.base != OffsetBase::Any;
        let shift = starts.end().saturating_sub(*starts.start());
        let fixed = placed && shift == 0;
        let from = usize::try_from(*starts.start()).ok()?;
        let mut seen = bytes.get(from..)?;
        if placed && !fixed && flags.contains('e') {
            seen = usize::try_from(shift).ok().and_then(|shift| seen.get(..shift)).unwrap_or(seen);
        }
        let anchored = flags.contains('A') || (fixed && !flags.contains('r'));
        Some(Window { bytes: seen, reach: if fixed { u64::MAX } else { shift }, anchored })
    }
}

/// Runs both engines once. They ask the system how many processors it has when they are used first, and keep the answer:
/// that must be before a jail closes, where asking means death.
pub(crate) fn prepare() {
    static PREPARED: Once = Once::new();
    PREPARED.call_once(run_once);
}

fn run_once() {
    for text in ["a+b", "a+(?=b)", "a+(?=b+c)(.)\\1"] {
        let regex = Regex { text: text.to_owned(), flags: String::new() };
        let compiled = Compiled::new(&regex);
        debug_assert!(compiled.is_ok(), "{text}");
        if let Ok(compiled) = compiled {
            let _ = compiled.find(b"xaabbccc", 0);
        }
    }
}

#[cfg(test)]
mod tests;
