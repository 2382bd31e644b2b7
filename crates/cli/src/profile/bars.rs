//! A profile for a terminal: a line a rule, with a bar.

use std::fmt::Write;

use super::{Profile, time};
use crate::escape::shown;
use crate::quantity::{count, size};

/// The longest bar, in characters.
const WIDTH: u64 = 24;
/// Parts of a character, an eighth each.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// The slowest `top` rules.
pub(crate) fn bars(profile: &Profile, top: usize) -> String {
    let mut text = format!(
        "{} rules on {} files, {}; each rule alone: {}\n",
        count(u64::try_from(profile.rules.len()).unwrap_or(u64::MAX)),
        count(profile.files),
        size(profile.bytes),
        time(profile.total()),
    );
    let slowest = profile.rules.first().map_or(0, |rule| rule.nanoseconds);
    let _ = writeln!(text, "\n{:>9}  {:>6}  {:>7}  {:<24}  rule", "time", "share", "hits", "");
    for rule in profile.rules.iter().take(top) {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:>9}  {:>5.1}%  {:>7}  {}  {} ({})",
            time(rule.nanoseconds),
            profile.share(rule.nanoseconds) * 100.0,
            count(rule.hits),
            bar(rule.nanoseconds, slowest),
            shown(rule.name.as_bytes()),
            shown(rule.source.as_bytes()),
        );
    }
    text
}

/// A bar for a part of the longest, filled up with blanks.
fn bar(part: u64, longest: u64) -> String {
    let eighths = u128::from(part) * u128::from(WIDTH * 8) / u128::from(longest.max(1));
    let eighths = usize::try_from(eighths).unwrap_or(0).min(192);
    let mut bar = "█".repeat(eighths / 8);
    bar.push_str(EIGHTHS.get(eighths % 8).unwrap_or(&""));
    format!("{bar:<24}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_have_the_length_of_their_part() {
        assert_eq!(bar(0, 0).trim_end(), "");
        assert_eq!(bar(8, 8), "█".repeat(24));
        assert_eq!(bar(1, 48).trim_end(), "▌");
        assert_eq!(bar(u64::MAX, u64::MAX).chars().count(), 24);
        assert_eq!(bar(u64::MAX, 1).chars().count(), 24);
    }
}
