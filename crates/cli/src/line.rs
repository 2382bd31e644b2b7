//! Reads a command line of `clamscan` or `clamdscan` as `getopt_long` would: options and paths in any order, long names that
//! may be cut short, short ones that may be put together, `--` before paths that begin with a dash.
//!
//! Each program has a table of its options, and what that refuses is refused here, by name:
//!
//! | state | an option in it |
//! |---|---|
//! | [`State::Honoured`] | does what ClamAV's does, or what its note says |
//! | [`State::Idle`] | is accepted with any value, because what it asks for is so anyway |
//! | [`State::Standard`] | is accepted if it asks for its default value, else refused |
//! | [`State::Refused`] | is refused |

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::escape::shown;
use crate::quantity::parse_size;

/// A command line, read.
#[derive(Debug)]
pub(crate) struct Line {
    table: &'static [Opt],
    given: Vec<(&'static str, OsString)>,
    /// What is to be scanned.
    pub(crate) paths: Vec<OsString>,
}

impl Line {
    /// The last value of an option; empty if it was given without.
    pub(crate) fn last(&self, name: &str) -> Option<&OsStr> {
        self.given.iter().rev().find(|(given, _)| *given == name).map(|(_, value)| value.as_os_str())
    }

    /// All values of an option.
    pub(crate) fn all(&self, name: &'static str) -> impl Iterator<Item = &OsStr> {
        self.given.iter().filter(move |(given, _)| *given == name).map(|(_, value)| value.as_os_str())
    }

    /// Whether a switch is on.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        match self.last(name) {
            Some(value) => value.is_empty() || truth(value) == Some(true),
            None => by_name(self.table, name).is_ok_and(|option| option.takes == Takes::Yes),
        }
    }

    /// A number or a size.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        number(self.last(name)?)
    }
}

/// Reads the arguments after the name of the program.
///
/// # Errors
/// A sentence about what is wrong with them.
pub(crate) fn parse(table: &'static [Opt], arguments: impl IntoIterator<Item = OsString>) -> Result<Line, String> {
    let mut line = Line { table, given: Vec::new(), paths: Vec::new() };
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
        let option =
            by_name(self.table, &name).map_err(|what| format!("option --{} is {what}", shown(name.as_bytes())))?;
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
            let option = by_letter(self.table, char::from(*letter)).ok_or_else(unknown)?;
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
pub(crate) fn check(option: &Opt, value: &OsStr) -> Result<(), String> {
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

/// What a value of an option looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// One of a few numbers; no value means the second.
    Choice,
    /// No value, or yes or no; off unless given. Shown without a value, as ClamAV does.
    Flag,
    /// Nothing, yes or no; off unless given.
    No,
    /// A whole number.
    Number,
    /// A size in bytes, or with K, M or G.
    Size,
    /// A text that is called so in help.
    Text(&'static str),
    /// Nothing, yes or no; on unless given.
    Yes,
}

/// What becomes of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It is done.
    Honoured,
    /// It is so anyway.
    Idle,
    /// Only this value, its default, is accepted.
    Standard(&'static str),
    /// It is not accepted.
    Refused,
}

/// An option.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opt {
    /// Its long name.
    pub(crate) name: &'static str,
    /// Its short name, or a space.
    pub(crate) short: char,
    /// What a value looks like.
    pub(crate) takes: Takes,
    /// What becomes of it.
    pub(crate) state: State,
    /// What it does, or why it is not done.
    pub(crate) note: &'static str,
}

/// An option of a table.
pub(crate) const fn opt(name: &'static str, short: char, takes: Takes, state: State, note: &'static str) -> Opt {
    Opt { name, short, takes, state, note }
}

impl Opt {
    /// True if a value must be given.
    pub(crate) fn needs_value(&self) -> bool {
        matches!(self.takes, Takes::Number | Takes::Size | Takes::Text(_))
    }

    /// How it is written, with its value: `--recursive[=yes/no(*)]`.
    pub(crate) fn form(&self) -> String {
        let value = match self.takes {
            Takes::Choice => "[=0/1(*)/2]".to_owned(),
            Takes::Flag => String::new(),
            Takes::No => "[=yes/no(*)]".to_owned(),
            Takes::Number | Takes::Size => "=#n".to_owned(),
            Takes::Text(what) => format!("={what}"),
            Takes::Yes => "[=yes(*)/no]".to_owned(),
        };
        format!("--{}{value}", self.name)
    }

    /// What it does, with its state if it does not do that.
    fn told(&self) -> String {
        match self.state {
            State::Honoured => self.note.to_owned(),
            State::Idle => format!("(changes nothing) {}", self.note),
            State::Standard(value) => format!("(only {value}) {}", self.note),
            State::Refused => format!("(refused) {}", self.note),
        }
    }

    /// Its state in a few words.
    #[cfg(test)]
    pub(crate) fn state_words(&self) -> String {
        match self.state {
            State::Honoured => "honoured".to_owned(),
            State::Idle => "accepted, changes nothing".to_owned(),
            State::Standard(value) => format!("only `{value}`, else refused"),
            State::Refused => "refused".to_owned(),
        }
    }
}

/// The text of `--help`, with the form of ClamAV's: what the program is, how it is called, its options, and what else is to be
/// said. `width` is that of the column of options.
pub(crate) fn help(table: &[Opt], what: &str, usage: &str, width: usize, rest: &str) -> String {
    let mut text = format!("\n                       Dachs {}: {what}\n\n    {usage}\n\n", env!("CARGO_PKG_VERSION"));
    for option in table {
        let short = if option.short == ' ' { String::new() } else { format!("-{}", option.short) };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "    {:<width$} {short:<3} {}", option.form(), option.told());
    }
    text + "\n" + rest
}

/// The option of a table with this long name, or the only one whose name begins so, as `getopt_long` has it.
///
/// # Errors
/// `unrecognized` or `ambiguous`.
pub(crate) fn by_name(table: &'static [Opt], name: &str) -> Result<&'static Opt, &'static str> {
    if let Some(option) = table.iter().find(|option| option.name == name) {
        return Ok(option);
    }
    let mut found = table.iter().filter(|option| option.name.starts_with(name));
    match (found.next(), found.next()) {
        (Some(option), None) if !name.is_empty() => Ok(option),
        (Some(_), Some(_)) => Err("ambiguous"),
        _ => Err("unrecognized"),
    }
}

/// The option with this short name.
pub(crate) fn by_letter(table: &'static [Opt], letter: char) -> Option<&'static Opt> {
    table.iter().find(|option| option.short == letter && letter != ' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Result<Line, String> {
        parse(crate::clamscan::OPTIONS, arguments.iter().map(OsString::from))
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
            ("--leave-temps", "--leave-temps cannot be honoured, only its default no"),
        ];
        for (argument, expected) in table {
            let error = read(&[argument]).unwrap_err();
            assert!(error.contains(expected), "{argument}: {error}");
        }
    }

    #[test]
    fn defaults_are_accepted_in_every_spelling() {
        for argument in
            ["--scan-mail", "--scan-mail=TRUE", "--leave-temps=0", "--max-embeddedpe=40960K", "--statistics=none"]
        {
            assert!(read(&[argument]).is_ok(), "{argument}");
        }
    }
}
