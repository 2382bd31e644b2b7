//! Differences that are meant: `conformance/yara/known.txt`.
//!
//! ```text
//! yara|yara-x missed|extra RULE # reason        missed: only the other hits; RULE may end with *
//! ```

use std::path::Path;

/// One line.
pub(super) struct Known {
    peer: String,
    who: String,
    rule: String,
    /// Why it is meant.
    pub(super) reason: String,
}

impl Known {
    /// True if this line explains that only one side hits the rule.
    pub(super) fn covers(&self, peer: &str, who: &str, rule: &str) -> bool {
        let named = match self.rule.strip_suffix('*') {
            Some(start) => rule.starts_with(start),
            None => self.rule == rule,
        };
        self.peer == peer && self.who == who && named
    }
}

/// All lines.
pub(super) fn read() -> Result<Vec<Known>, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("yara/known.txt");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(parse).collect()
}

fn parse(line: &str) -> Result<Known, String> {
    let wrong = || format!("yara/known.txt: {line}");
    let (what, reason) = line.split_once(" # ").ok_or_else(wrong)?;
    match what.split_whitespace().collect::<Vec<_>>().as_slice() {
        [peer, who, rule] => Ok(Known {
            peer: (*peer).to_owned(),
            who: (*who).to_owned(),
            rule: (*rule).to_owned(),
            reason: reason.to_owned(),
        }),
        _ => Err(wrong()),
    }
}
