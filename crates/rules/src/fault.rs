//! What is wrong with the text of a rule.

use codespan_reporting::diagnostic::{Diagnostic, LabelStyle};
use std::fmt;

/// No message is longer, in characters.
const LONGEST: usize = 300;

/// What is wrong with the text of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// On which line of the text, from 0.
    pub line: u64,
    /// What, in the compiler's words, on one line.
    pub message: String,
}

impl Fault {
    /// From a diagnostic about `text`.
    pub(crate) fn of(diagnostic: &Diagnostic<()>, text: &str) -> Fault {
        let label = diagnostic.labels.iter().find(|label| label.style == LabelStyle::Primary);
        let label = label.or(diagnostic.labels.first());
        let before = label.and_then(|label| text.as_bytes().get(..label.range.start)).unwrap_or_default();
        let lines = before.iter().filter(|byte| **byte == b'\n').count();
        let mut message = diagnostic.message.clone();
        if let Some(more) = label.map(|label| label.message.as_str()).filter(|more| !more.is_empty()) {
            message = format!("{message}: {more}");
        }
        let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
        Fault { line: u64::try_from(lines).unwrap_or(0), message: message.chars().take(LONGEST).collect() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}
