//! The YARA rules of an image, compiled before the jail closes.
//!
//! Workers are forked from the process that compiles, and share what came of it. Two sets are compiled at the same time, each by
//! a thread: all rules, and those that can match objects other than programs for Windows (`dachs_rules::Gate`). The thread
//! has ended before anything else happens; a jail cannot be closed around two.

use dachs_rules::{Gate, Known, KnownRules, RuleSet, Text};
use dachs_sigdb::Image;
use std::thread;

/// The rules of an image; none if it has none.
///
/// # Errors
/// A sentence, when the helping thread cannot be started or ended.
pub(crate) fn compile(image: &Image<'_>) -> Result<Option<RuleSet>, String> {
    if !image.has_yara() {
        return Ok(None);
    }
    let texts = || {
        image.yara_texts().map(|text| Text { source: text.source, gate: Gate::from_number(text.gate), text: text.text })
    };
    let gated = texts().any(|text| text.gate != Gate::Any);
    let (all, open) = thread::scope(|scope| {
        let builder = thread::Builder::new().stack_size(STACK);
        let open = gated.then(|| builder.spawn_scoped(scope, || dachs_rules::compile(texts(), false))).transpose();
        let all = dachs_rules::compile(texts(), true);
        let open = open.map_err(|error| error.to_string())?.map(|open| open.join()).transpose();
        open.map(|open| (all, open)).map_err(|_| "the rules could not be compiled".to_owned())
    })?;
    dachs_sys::process::wait_alone().map_err(|error| format!("a thread does not end: {error}"))?;
    Ok(Some(RuleSet::new(all, open, known(image))))
}

/// Stack of the helping thread: as much as the main one has.
const STACK: usize = 8 << 20;

/// What reports need of the rules that are told of.
fn known(image: &Image<'_>) -> KnownRules {
    let mut known = KnownRules::new();
    for (signature, source, name) in image.yara_rules() {
        let strings = image.yara(signature).map(|rule| rule.strings).unwrap_or_default();
        let rule = Known { signature, strength: image.strength(signature), strings };
        known.entry(source).or_default().insert(name.to_owned(), rule);
    }
    known
}
