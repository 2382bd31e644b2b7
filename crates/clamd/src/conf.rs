//! clamd.conf: `Key value` lines, `#` comments; as clamd.conf(5) has it.
//!
//! Every key of ClamAV 1.4 stands in [`KEYS`] with what becomes of it; one that is not there is refused by name, and so is
//! one whose value cannot be honoured. Nothing is passed over in silence. Keys that begin with `Dachs` are ours.

mod keys;

pub use keys::{KEYS, Key, State, Takes, manual, table};

/// A line longer than this is refused, in bytes.
const LONGEST_LINE: usize = 8 << 10;
/// More lines are refused.
const MOST_LINES: usize = 10_000;

/// A configuration, read and checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conf {
    given: Vec<(&'static str, String)>,
}

impl Conf {
    /// Reads a file's text.
    ///
    /// # Errors
    /// A sentence that names the line and the key.
    pub fn parse(text: &str) -> Result<Conf, String> {
        let mut conf = Conf::default();
        for (at, line) in text.lines().enumerate() {
            if at >= MOST_LINES || line.len() > LONGEST_LINE {
                return Err(format!("line {}: too long for a configuration", at + 1));
            }
            conf.line(line.trim()).map_err(|reason| format!("line {}: {reason}", at + 1))?;
        }
        Ok(conf)
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let (name, value) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        if name == "Example" {
            return Err("this is the example: edit it, and take out the line `Example`".to_owned());
        }
        let key = keys::by_name(name).ok_or_else(|| format!("unknown key {}", harmless(name)))?;
        let value = unquoted(value.trim())?;
        if value.is_empty() {
            return Err(format!("{name} needs a value"));
        }
        check(key, value)?;
        self.given.push((key.name, value.to_owned()));
        Ok(())
    }

    /// The last value of a key, as it was given.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.given.iter().rev().find(|(given, _)| *given == name).map(|(_, value)| value.as_str())
    }

    /// All values of a key.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.given.iter().filter(move |(given, _)| *given == name).map(|(_, value)| value.as_str())
    }

    /// Whether a switch is on.
    #[must_use]
    pub fn is_on(&self, name: &str) -> bool {
        let standard = || keys::by_name(name).map_or("no", |key| key.standard);
        truth(self.text(name).unwrap_or_else(standard)) == Some(true)
    }

    /// A number or a size, the default if it was not given; 0 if there is none.
    #[must_use]
    pub fn number(&self, name: &str) -> u64 {
        let standard = || keys::by_name(name).map_or("0", |key| key.standard);
        number(self.text(name).unwrap_or_else(standard)).unwrap_or(0)
    }

    /// The keys that were given and change nothing, each with the reason.
    pub fn idle(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let key = |(name, _): &(&'static str, String)| keys::by_name(name);
        self.given.iter().filter_map(key).filter(|key| key.state == State::Idle).map(|key| (key.name, key.note))
    }

    /// A number or a size, if it was given.
    #[must_use]
    pub fn given_number(&self, name: &str) -> Option<u64> {
        number(self.text(name)?)
    }
}

/// Checks a value against the table.
fn check(key: &Key, value: &str) -> Result<(), String> {
    let sound = match key.takes {
        Takes::Bool => truth(value).is_some(),
        Takes::Choice(choices) => choices.contains(&value),
        Takes::Number | Takes::Size => number(value).is_some() || (value == "-1" && key.standard == "-1"),
        Takes::Text => true,
    };
    let (name, shown) = (key.name, harmless(value));
    if !sound {
        return Err(format!("{name} {shown}: {}", expected(key.takes)));
    }
    match key.state {
        State::Honoured | State::Idle => Ok(()),
        State::Standard if same(key, value) => Ok(()),
        State::Standard => {
            Err(format!("{name} {shown} cannot be honoured, only its default {}: {}", key.standard, key.note))
        }
        State::Refused => Err(format!("{name} cannot be honoured: {}", key.note)),
    }
}

fn expected(takes: Takes) -> String {
    match takes {
        Takes::Bool => "yes or no is expected".to_owned(),
        Takes::Choice(choices) => format!("one of {} is expected", choices.join(", ")),
        Takes::Number => "a number is expected".to_owned(),
        Takes::Size => "a size is expected, as in 25M".to_owned(),
        Takes::Text => "a text is expected".to_owned(),
    }
}

fn same(key: &Key, value: &str) -> bool {
    match key.takes {
        Takes::Bool => truth(value) == truth(key.standard),
        Takes::Number | Takes::Size => number(value) == number(key.standard),
        Takes::Choice(_) | Takes::Text => value == key.standard,
    }
}

fn truth(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "yes" | "true" | "1" => Some(true),
        "no" | "false" | "0" => Some(false),
        _ => None,
    }
}

/// A number, or a size with K, M or G.
fn number(value: &str) -> Option<u64> {
    let digits = value.trim_end_matches(['k', 'K', 'm', 'M', 'g', 'G']);
    let shift = match value.get(digits.len()..)? {
        "" => 0,
        "k" | "K" => 10,
        "m" | "M" => 20,
        "g" | "G" => 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

fn unquoted(value: &str) -> Result<&str, String> {
    match value.strip_prefix('"') {
        None => Ok(value),
        Some(rest) => rest.strip_suffix('"').ok_or_else(|| "a quotation mark is missing".to_owned()),
    }
}

/// What somebody wrote, for a message about it.
fn harmless(text: &str) -> String {
    text.chars().take(80).map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read() {
        let conf = Conf::parse(
            "# comment\n\nLocalSocket /run/a b.sock\nTCPSocket 3310\nTCPAddr 127.0.0.1\nTCPAddr ::1\n\
             StreamMaxLength 25M\nAllowAllMatchScan false\nExcludePath \"^/a b/\"\nUser  clamav \n",
        )
        .unwrap();
        assert_eq!((conf.text("LocalSocket"), conf.text("User")), (Some("/run/a b.sock"), Some("clamav")));
        assert_eq!(conf.all("TCPAddr").collect::<Vec<_>>(), ["127.0.0.1", "::1"]);
        assert_eq!((conf.number("StreamMaxLength"), conf.number("MaxQueue")), (25 << 20, 100));
        assert!(!conf.is_on("AllowAllMatchScan") && conf.is_on("FixStaleSocket") && !conf.is_on("Foreground"));
        assert_eq!((conf.text("ExcludePath"), conf.given_number("MaxThreads")), (Some("^/a b/"), None));
        assert_eq!(conf.idle().count(), 0);
        let idle = Conf::parse("MaxPartitions 7\nUser x\nMailFollowURLs yes").unwrap();
        assert_eq!(idle.idle().map(|(name, _)| name).collect::<Vec<_>>(), ["MaxPartitions", "MailFollowURLs"]);
    }

    #[test]
    fn what_cannot_be_honoured_is_named() {
        let table = [
            ("Example", "line 1: this is the example"),
            ("\nBogus yes", "line 2: unknown key Bogus"),
            ("Bo\x1bgus yes", "unknown key Bo?gus"),
            ("MaxThreads", "MaxThreads needs a value"),
            ("MaxThreads many", "MaxThreads many: a number is expected"),
            ("StreamMaxLength 25MB", "a size is expected"),
            ("Foreground maybe", "yes or no is expected"),
            ("DachsIncomplete clean", "one of error, found, ok is expected"),
            ("OnAccessPrevention yes", "OnAccessPrevention yes cannot be honoured, only its default no"),
            ("User \"x", "a quotation mark is missing"),
        ];
        for (text, expected) in table {
            let error = Conf::parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn every_default_is_accepted() {
        for key in KEYS.iter().filter(|key| !key.standard.is_empty() && key.state != State::Refused) {
            let line = format!("{} {}", key.name, key.standard);
            assert!(Conf::parse(&line).is_ok(), "{line}: {:?}", Conf::parse(&line));
        }
    }

    /// The table in docs/service.md is this one; `DACHS_BLESS=1` writes it there.
    #[test]
    fn the_document_holds_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/service.md");
        let text = std::fs::read_to_string(path).unwrap();
        let (before, rest) = text.split_once("<!-- keys: begin -->\n").unwrap();
        let (held, after) = rest.split_once("<!-- keys: end -->").unwrap();
        if std::env::var_os("DACHS_BLESS").is_some() {
            std::fs::write(path, format!("{before}<!-- keys: begin -->\n{}<!-- keys: end -->{after}", table()))
                .unwrap();
            return;
        }
        assert_eq!(held, table(), "run with DACHS_BLESS=1 to write it");
    }
}
