//! Differences from ClamAV on real files that are explained: `real.txt`, a group of differences and its reason a line.

use std::path::Path;

use crate::dachs::FileResult;

/// One line: `missed|extra FAMILY KIND [TEXT] # reason`. One `*` in a word stands for any text. TEXT must occur
/// in the path of the file, or in the detail of one of its anomalies.
pub(super) struct Known {
    who: String,
    family: String,
    kind: String,
    text: Option<String>,
    /// Why the sides differ.
    pub(super) reason: String,
}

impl Known {
    /// Does the line explain this difference?
    pub(super) fn covers(&self, who: &str, family: &str, result: &FileResult) -> bool {
        self.who == who && fits(&self.family, family) && fits(&self.kind, &result.kind) && self.text_occurs(result)
    }

    fn text_occurs(&self, result: &FileResult) -> bool {
        self.text.as_ref().is_none_or(|text| {
            let inside = result.places.values().any(|place| place.contains(text.as_str()));
            inside
                || result.path.to_string_lossy().contains(text.as_str())
                || result.anomalies.iter().any(|(_, detail)| detail.contains(text.as_str()))
        })
    }
}

fn fits(pattern: &str, word: &str) -> bool {
    pattern
        .split_once('*')
        .map_or(pattern == word, |(start, end)| word.strip_prefix(start).is_some_and(|rest| rest.ends_with(end)))
}

/// Reads `real.txt`.
pub(super) fn read() -> Result<Vec<Known>, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("real.txt");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(parse).collect()
}

fn parse(line: &str) -> Result<Known, String> {
    let wrong = || format!("real.txt: missed|extra FAMILY KIND [TEXT] # reason, not: {line}");
    let (group, reason) = line.split_once(" # ").ok_or_else(wrong)?;
    let mut words = group.splitn(4, ' ').map(str::to_owned);
    match (words.next(), words.next(), words.next()) {
        (Some(who), Some(family), Some(kind)) => {
            Ok(Known { who, family, kind, text: words.next(), reason: reason.to_owned() })
        }
        _ => Err(wrong()),
    }
}
