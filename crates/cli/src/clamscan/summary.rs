//! The block at the end, line for line as ClamAV 1.4 has it.

use std::time::Duration;

use chrono::{DateTime, Local};

use super::lines::Counts;

/// What the block tells.
pub(super) struct Summary {
    /// Signatures that were loaded.
    pub(super) known: u64,
    /// Directories that were entered.
    pub(super) directories: u64,
    /// What was counted while files were scanned.
    pub(super) counts: Counts,
    /// What should have been done with infected files: `moved`, `copied`, `removed`.
    pub(super) action: &'static str,
    /// When it began and ended.
    pub(super) dates: (DateTime<Local>, DateTime<Local>),
    /// How long it took.
    pub(super) time: Duration,
}

impl Summary {
    /// The lines, without the last line break.
    pub(super) fn text(&self) -> String {
        let counts = &self.counts;
        let mut lines = vec![
            "\n----------- SCAN SUMMARY -----------".to_owned(),
            format!("Known viruses: {}", self.known),
            format!("Engine version: {}", super::ENGINE),
            format!("Scanned directories: {}", self.directories),
            format!("Scanned files: {}", counts.files),
            format!("Infected files: {}", counts.infected),
        ];
        if counts.errors > 0 {
            lines.push(format!("Total errors: {}", counts.errors));
        }
        if counts.failed_actions > 0 {
            lines.push(format!("Not {}: {}", self.action, counts.failed_actions));
        }
        lines.push(format!("Data scanned: {} MB", hundredths(counts.scanned, 1 << 20)));
        let ratio = hundredths(counts.scanned, counts.read);
        lines.push(format!("Data read: {} MB (ratio {ratio}:1)", hundredths(counts.read, 1 << 20)));
        let (seconds, thousandths) = (self.time.as_secs(), self.time.subsec_millis());
        lines.push(format!("Time: {seconds}.{thousandths:03} sec ({} m {} s)", seconds / 60, seconds % 60));
        let date = |date: DateTime<Local>| date.format("%Y:%m:%d %H:%M:%S");
        lines.push(format!("Start Date: {}", date(self.dates.0)));
        lines.push(format!("End Date:   {}", date(self.dates.1)));
        lines.join("\n")
    }
}

/// A quotient with two digits after the point; 0.00 of nothing.
fn hundredths(number: u64, unit: u64) -> String {
    let quotient = (u128::from(number) * 100).checked_div(u128::from(unit)).unwrap_or(0);
    format!("{}.{:02}", quotient / 100, quotient % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_has_clamavs_lines() {
        let counts =
            Counts { files: 3, infected: 1, errors: 2, wrong: 1, failed_actions: 1, scanned: 3 << 19, read: 1 << 20 };
        let date = DateTime::from(std::time::UNIX_EPOCH);
        let time = Duration::from_millis(61_007);
        let summary = Summary { known: 9, directories: 4, counts, action: "moved", dates: (date, date), time };
        let text = summary.text();
        let expected = "Scanned directories: 4\nScanned files: 3\nInfected files: 1\nTotal errors: 2\nNot moved: 1\n\
            Data scanned: 1.50 MB\nData read: 1.00 MB (ratio 1.50:1)\nTime: 61.007 sec (1 m 1 s)\nStart Date: 19";
        assert!(text.contains(expected), "{text}");
        assert!(text.starts_with("\n----------- SCAN SUMMARY -----------\nKnown viruses: 9\nEngine version: 1.4.6"));
        let clean = Summary { counts: Counts::default(), ..summary }.text();
        assert!(!clean.contains("Total errors") && clean.contains("(ratio 0.00:1)"), "{clean}");
    }
}
