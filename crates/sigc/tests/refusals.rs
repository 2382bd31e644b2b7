//! Malformed lines, each refused with file, line and reason.
//!
//! `samples/refused.txt` holds `kind<TAB>line`: sound lines with one or two changes, of which ClamAV 1.4.6 refuses every one.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests read sample files, and a failed step fails the test"
)]

use dachs_sigc::{Error, Input, compile};

/// Lines that we take, or leave out and say so, and why.
const TAKEN: [(&str, &str); 0] = [];

#[test]
fn malformed_lines_are_refused_with_file_line_and_reason() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/samples/refused.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let mut wrong = Vec::new();
    for case in text.lines() {
        let (kind, line) = case.split_once('\t').unwrap();
        let file = format!("x.{kind}");
        let taken = TAKEN.iter().any(|(different, _)| *different == line);
        // A comment before it, so that the number of the line is told apart from 1.
        match compile(&[Input::bytes(file.clone(), format!("# first\n{line}\n").into_bytes())]) {
            Err(Error::Malformed(problem)) if !taken => {
                assert_eq!((problem.source.as_str(), problem.line), (file.as_str(), Some(2)), "{line}");
                assert!(!problem.reason.is_empty(), "{line}");
            }
            Ok(_) if taken => {}
            other => wrong.push(format!("{kind} {line}: {:?}", other.map(|compiled| compiled.problems))),
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), text.lines().count(), wrong.join("\n"));
}
