//! The block at the end: what was looked at, what was found, and why something was not looked at.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::quantity::{count, rate, size};
use crate::tally::Tally;

/// How many reasons are listed.
const LISTED: usize = 5;

/// The summary, as lines that end in a line break.
pub(crate) fn summary(tally: &Tally, signatures: u64) -> String {
    let mut text = String::new();
    if tally.interrupted {
        text.push_str("Interrupted: this is what was done until then.\n");
    }
    let seconds = tally.time.as_secs_f64();
    let speed = size(rate(tally.bytes, tally.time));
    let scanned = format!("{} files, {} in {seconds:.1} s ({speed}/s)", count(tally.files), size(tally.bytes));
    row(&mut text, "Scanned", &scanned);
    row(
        &mut text,
        "Looked at",
        &format!("{} with what was unpacked, {} signatures", size(tally.looked_at), count(signatures)),
    );
    row(&mut text, "Detected", &count(tally.detected));
    row_unless_zero(&mut text, "Acted on", tally.actions.values().sum(), &listed(&tally.actions));
    row_unless_zero(&mut text, "Suspicious", tally.suspicious, "");
    row_unless_zero(&mut text, "Incomplete", tally.incomplete, &listed(&tally.reasons));
    row_unless_zero(&mut text, "Errors", tally.errors, "");
    row_unless_zero(&mut text, "Skipped", tally.skipped.values().sum(), &listed(&tally.skipped));
    text
}

fn row(text: &mut String, title: &str, value: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{title:<12}{value}");
}

fn row_unless_zero(text: &mut String, title: &str, number: u64, details: &str) {
    if number > 0 {
        let separator = if details.is_empty() { "" } else { "  " };
        row(text, title, &format!("{}{separator}{details}", count(number)));
    }
}

/// The most frequent reasons with their counts, most frequent first.
fn listed<K: AsRef<str>>(reasons: &BTreeMap<K, u64>) -> String {
    let mut sorted: Vec<(&str, u64)> = reasons.iter().map(|(reason, number)| (reason.as_ref(), *number)).collect();
    sorted.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
    let more = sorted.len().saturating_sub(LISTED);
    let shown =
        |(reason, number): &(&str, u64)| format!("{} {}", count(*number), crate::escape::shown(reason.as_bytes()));
    let mut items: Vec<String> = sorted.iter().take(LISTED).map(shown).collect();
    if more > 0 {
        items.push(format!("{more} more kinds"));
    }
    match items.is_empty() {
        true => String::new(),
        false => format!("({})", items.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_summary_says_what_there_is_to_say() {
        let tally = Tally {
            files: 1_234,
            bytes: 5 << 20,
            looked_at: 6 << 20,
            incomplete: 3,
            reasons: BTreeMap::from([("encrypted".to_owned(), 1), ("permission denied".to_owned(), 2)]),
            time: Duration::from_secs(2),
            ..Tally::default()
        };
        let expected = "Scanned     1,234 files, 5.0 MiB in 2.0 s (2.5 MiB/s)\n\
            Looked at   6.0 MiB with what was unpacked, 7 signatures\n\
            Detected    0\n\
            Incomplete  3  (2 permission denied, 1 encrypted)\n";
        assert_eq!(summary(&tally, 7), expected);
        assert!(summary(&Tally { interrupted: true, ..tally }, 7).starts_with("Interrupted"));
    }
}
