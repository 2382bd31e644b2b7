//! Lines that ClamAV takes, leaves out or calls malformed, and what we do with them.
//!
//! `samples/lines.txt` holds `answer<TAB>kind<TAB>line`, the answers being those of ClamAV 1.4.6; samples/README.md tells
//! how they came about. Where our answer differs on purpose, the line stands in [`DIFFERENT`] with the reason.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests read sample files, and a failed step fails the test"
)]

use dachs_sigc::{Input, compile};
use dachs_sigdb::Image;

/// The line (or its end), our answer, and why.
const DIFFERENT: [(&str, &str, &str); 9] = [
    ("*:61(B)6263", "taken", "sound; refused by the prefilter only"),
    ("*:??(B)616263", "taken", "sound; refused by the prefilter only"),
    ("*:{2}(B)616263", "taken", "sound; refused by the prefilter only"),
    ("*:5a(61|6162)6364", "taken", "sound; refused by the prefilter only"),
    ("{+1}6364", "malformed", "a sign before a number is a slip"),
    ("{99999999999}6364", "malformed", "a gap that overflows 32 bits is a slip"),
    ("{0-99999999999}6364", "malformed", "a gap that overflows 32 bits is a slip"),
    (";0=99999999999;6162", "malformed", "a count that overflows 32 bits is a slip"),
    (";0x;6162", "malformed", "characters after a number are a slip"),
];

/// What we do with a line.
fn answer(kind: &str, line: &str) -> &'static str {
    let Ok(compilation) = compile(&[Input::bytes(format!("x.{kind}"), format!("{line}\n").into_bytes())]) else {
        return "malformed";
    };
    // What is merely not supported yet is a line that was understood.
    let later =
        compilation.problems.iter().any(|problem| problem.reason.contains(" yet") || problem.reason.contains("never"));
    let loaded = Image::new(&compilation.image).unwrap().signature_count() == 1;
    if loaded || later { "taken" } else { "left" }
}

#[test]
fn lines_are_taken_and_refused_as_by_clamav() {
    let path = std::env::var_os("DACHS_ACCEPTANCE")
        .unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/tests/samples/lines.txt").into());
    let text = std::fs::read_to_string(path).unwrap();
    let mut wrong = Vec::new();
    for case in text.lines() {
        let mut fields = case.splitn(3, '\t');
        let (theirs, kind, line) = (fields.next().unwrap(), fields.next().unwrap(), fields.next().unwrap());
        let known = DIFFERENT.iter().find(|(different, ..)| line.ends_with(different));
        let expected = known.map_or(theirs, |(_, ours, _)| ours);
        let ours = answer(kind, line);
        if ours != expected {
            wrong.push(format!("{kind} {line}: expected {expected}, is {ours}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), text.lines().count(), wrong.join("\n"));
}
