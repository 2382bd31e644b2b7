//! Reads a command line of `clamscan` as `getopt_long` would: options and paths in any order, long names that may be cut
//! short, short ones that may be put together, `--` before paths that begin with a dash.
//!
//! What the table of options ([`super::options`]) refuses is refused here, by name.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::options::{Opt, State, Takes, by_letter, by_name};
use crate::escape::shown;
use crate::quantity::parse_size;

/// A command line, read.
#[derive(Debug, Default)]
pub(super) struct Line {
    given: Vec<(&'static str, OsString)>,
    /// What is to be scanned.
    pub(super) paths: Vec<OsString>,
}

impl Line {
    /// The last value of an option; empty if it was given without.
    pub(super) fn last(&self, name: &str) -> Option<&OsStr> {
        self.given.iter().rev().find(|(given, _)| *given == name).map(|(_, value)| value.as_os_str())
    }

    /// All values of an option.
    pub(super) fn all(&self, name: &'static str) -> impl Iterator<Item = &OsStr> {
        self.given.iter().filter(move |(given, _)| *given == name).map(|(_, value)| value.as_os_str())
    }

    /// Whether a switch is on.
    pub(super) fn is_on(&self, name: &str) -> bool {
        match self.last(name) {
            Some(value) => value.is_empty() || truth(value) == Some(true),
            None => by_name(name).is_ok_and(|option| option.takes == Takes::Yes),
        }
    }

    /// A number or a size.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        number(self.last(name)?)
    }
}

/// Reads the arguments after the name of the program.
///
/// # Errors
/// A sentence about what is wrong with them.
pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Line, String> {
    let mut line = Line::default();
    let mut rest = arguments.into_iter();
    while let Some(argument) = rest.next() {
        match argument.as_bytes() {
            b"--" => line.paths.extend(rest.by_ref()),
            [b'-', b'-', long @ ..] => line.long(long, &mut rest)?,
            [b'-', short @ ..] if !short.is_empty() => line.short(short, &mut rest)?,
            _ => line.paths.push(argument),
        }
    }
    Ok(line)
}

impl Line {
    fn long(&mut self, text: &[u8], rest: &mut impl Iterator<Item = OsString>) -> Result<(), String> {
        let mut parts = text.splitn(2, |byte| *byte == b'=');
        let name = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
        let option = by_name(&name).map_err(|what| format!("option --{} is {what}", shown(name.as_bytes())))?;
        let value = match parts.next() {
            Some(value) => OsString::from_vec(value.to_vec()),
            None if option.needs_value() => missing(rest.next(), option)?,
            None => OsString::new(),
        };
        self.give(option, value)
    }

    /// Letters of options that are put together; the first that needs a value takes what follows as such.
    fn short(&mut self, letters: &[u8], rest: &mut impl Iterator<Item = OsString>) -> Result<(), String> {
        let mut left = letters;
        while let [letter, after @ ..] = left {
            let unknown = || format!("option -{} is unrecognized", shown(&[*letter]));
            let option = by_letter(char::from(*letter)).ok_or_else(unknown)?;
            if option.needs_value() {
                let value = Some(OsString::from_vec(after.to_vec())).filter(|value| !value.is_empty());
                return self.give(option, missing(value.or_else(|| rest.next()), option)?);
            }
            self.give(option, OsString::new())?;
            left = after;
        }
        Ok(())
    }

    fn give(&mut self, option: &'static Opt, value: OsString) -> Result<(), String> {
        check(option, &value)?;
        self.given.push((option.name, value));
        Ok(())
    }
}

fn missing(value: Option<OsString>, option: &Opt) -> Result<OsString, String> {
    value.ok_or_else(|| format!("option --{} requires an argument", option.name))
}

/// Checks a value against the table.
///
/// # Errors
/// A sentence, when the value makes no sense or cannot be honoured.
pub(super) fn check(option: &Opt, value: &OsStr) -> Result<(), String> {
    let sound = match option.takes {
        Takes::Flag | Takes::No | Takes::Yes => value.is_empty() || truth(value).is_some(),
        Takes::Choice => value.is_empty() || matches!(value.as_bytes(), b"0" | b"1" | b"2"),
        Takes::Number => value.to_str().is_some_and(|text| text.parse::<u64>().is_ok()),
        Takes::Size => number(value).is_some(),
        Takes::Text(_) => !value.is_empty(),
    };
    let given = shown(value.as_bytes());
    let form = if value.is_empty() { String::new() } else { format!("={given}") };
    if !sound {
        return Err(format!("Incorrect argument format for option --{}{form}", option.name));
    }
    match option.state {
        State::Refused => Err(format!("--{} cannot be honoured: {}", option.name, option.note)),
        State::Standard(standard) if !same(option, value, standard.as_ref()) => {
            Err(format!("--{}{form} cannot be honoured, only its default {standard}: {}", option.name, option.note))
        }
        _ => Ok(()),
    }
}

/// True if two values mean the same.
fn same(option: &Opt, one: &OsStr, other: &OsStr) -> bool {
    match option.takes {
        Takes::Flag | Takes::No | Takes::Yes => {
            (one.is_empty() || truth(one) == Some(true)) == (truth(other) == Some(true))
        }
        Takes::Number | Takes::Size => number(one) == number(other),
        _ => one == other,
    }
}

fn truth(value: &OsStr) -> Option<bool> {
    match value.as_bytes().to_ascii_lowercase().as_slice() {
        b"yes" | b"true" | b"1" => Some(true),
        b"no" | b"false" | b"0" => Some(false),
        _ => None,
    }
}

/// A number, with K, M or G for a size.
fn number(value: &OsStr) -> Option<u64> {
    let text = value.to_str()?;
    let digits = text.strip_suffix(['K', 'M', 'G', 'k', 'm', 'g']).unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| parse_size(text).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Result<Line, String> {
        parse(arguments.iter().map(OsString::from))
    }

    #[test]
    fn options_and_paths_in_any_order() {
        let line = read(&["-ir", "a", "-dX", "--database=Y", "--database", "Z", "--recurs=no", "--", "-b"]).unwrap();
        assert_eq!(line.paths, ["a", "-b"]);
        assert_eq!(line.all("database").collect::<Vec<_>>(), ["X", "Y", "Z"]);
        assert!(line.is_on("infected") && !line.is_on("recursive") && line.is_on("cross-fs"));
        assert_eq!(read(&["-"]).unwrap().paths, ["-"]);
        assert_eq!(read(&["--max-filesize=3K"]).unwrap().number("max-filesize"), Some(3072));
    }

    #[test]
    fn mistakes_are_told() {
        let table = [
            ("--bogus", "--bogus is unrecognized"),
            ("--exclu=x", "--exclu is ambiguous"),
            ("-x", "-x is unrecognized"),
            ("-l", "--log requires an argument"),
            ("--recursive=maybe", "Incorrect argument format for option --recursive"),
            ("--max-filesize=3X", "Incorrect argument format"),
            ("--max-filesize=3MB", "Incorrect argument format"),
            ("--bytecode-timeout=x", "Incorrect argument format"),
            ("--follow-dir-symlinks=7", "Incorrect argument format"),
            ("--debug", "--debug cannot be honoured"),
            ("--max-partitions=7", "--max-partitions=7 cannot be honoured, only its default 50"),
            ("--alert-broken-media", "--alert-broken-media cannot be honoured, only its default no"),
        ];
        for (argument, expected) in table {
            let error = read(&[argument]).unwrap_err();
            assert!(error.contains(expected), "{argument}: {error}");
        }
    }

    #[test]
    fn defaults_are_accepted_in_every_spelling() {
        for argument in
            ["--scan-mail", "--scan-mail=TRUE", "--alert-broken=0", "--max-embeddedpe=40960K", "--statistics=none"]
        {
            assert!(read(&[argument]).is_ok(), "{argument}");
        }
    }
}
