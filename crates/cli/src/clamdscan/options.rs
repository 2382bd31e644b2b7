//! The options of ClamAV's `clamdscan`, read as `getopt_long` would.

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::escape::shown;

/// Long name, short name, what a value is called (empty for none), what it does.
const OPTIONS: [(&str, char, &str, &str); 21] = [
    ("help", 'h', "", "Show this help"),
    ("version", 'V', "", "Print version number and exit"),
    ("verbose", 'v', "", "Be verbose (changes nothing)"),
    ("quiet", ' ', "", "Be quiet, only output error messages"),
    ("stdout", ' ', "", "Write to stdout instead of stderr (warnings alone go to stderr)"),
    ("log", 'l', "FILE", "Append the report to FILE"),
    ("file-list", 'f', "FILE", "Scan files from FILE"),
    ("ping", 'p', "A[:I]", "Ping clamd up to A times at an interval of I seconds until it responds"),
    ("wait", 'w', "", "Wait up to 30 seconds for clamd to start, or as --ping says"),
    ("remove", ' ', "", "Remove infected files"),
    ("move", ' ', "DIRECTORY", "Move infected files into DIRECTORY"),
    ("copy", ' ', "DIRECTORY", "Copy infected files into DIRECTORY"),
    ("config-file", 'c', "FILE", "Read where clamd is from FILE"),
    ("allmatch", 'z', "", "Tell all names of each file"),
    ("multiscan", 'm', "", "Force MULTISCAN mode"),
    ("infected", 'i', "", "Only print infected files"),
    ("no-summary", ' ', "", "Disable summary at end of scanning"),
    ("reload", ' ', "", "Request clamd to reload its database"),
    ("fdpass", ' ', "", "Pass descriptors to clamd"),
    ("stream", ' ', "", "Send bytes to clamd"),
    ("config", ' ', "FILE", "As --config-file"),
];

/// A command line, read.
#[derive(Debug, Default)]
pub(super) struct Line {
    given: Vec<(&'static str, OsString)>,
    /// What is to be scanned.
    pub(super) paths: Vec<OsString>,
}

impl Line {
    pub(super) fn last(&self, name: &str) -> Option<&OsStr> {
        self.given.iter().rev().find(|(given, _)| *given == name).map(|(_, value)| value.as_os_str())
    }

    pub(super) fn is_on(&self, name: &str) -> bool {
        self.last(name).is_some_and(|value| value != "no")
    }

    fn long(&mut self, text: &[u8], rest: &mut impl Iterator<Item = OsString>) -> Result<(), String> {
        let at = text.iter().position(|byte| *byte == b'=');
        let (name, value) = text.split_at(at.unwrap_or(text.len()));
        let name = String::from_utf8_lossy(name).into_owned();
        let exact = OPTIONS.iter().find(|(long, ..)| *long == name);
        let mut begun = OPTIONS.iter().filter(|(long, ..)| long.starts_with(name.as_str()));
        let option = match (exact, begun.next(), begun.next()) {
            (Some(option), ..) | (None, Some(option), None) => option,
            (None, Some(_), Some(_)) => return Err(format!("option --{} is ambiguous", shown(name.as_bytes()))),
            _ => return Err(format!("option --{} is unrecognized", shown(name.as_bytes()))),
        };
        let value = at.map(|_| OsString::from_vec(value.get(1..).unwrap_or_default().to_vec()));
        self.give(option, value, rest)
    }

    fn short(&mut self, letters: &[u8], rest: &mut impl Iterator<Item = OsString>) -> Result<(), String> {
        let mut left = letters;
        while let [letter, after @ ..] = left {
            let option = OPTIONS.iter().find(|(_, short, ..)| *short == char::from(*letter) && *short != ' ');
            let option = option.ok_or_else(|| format!("option -{} is unrecognized", shown(&[*letter])))?;
            if !option.2.is_empty() {
                let value = Some(OsString::from_vec(after.to_vec())).filter(|value| !value.is_empty());
                return self.give(option, value, rest);
            }
            self.give(option, None, rest)?;
            left = after;
        }
        Ok(())
    }

    fn give(
        &mut self,
        option: &(&'static str, char, &str, &str),
        value: Option<OsString>,
        rest: &mut impl Iterator<Item = OsString>,
    ) -> Result<(), String> {
        let name = if option.0 == "config" { "config-file" } else { option.0 };
        let value = match (option.2.is_empty(), value) {
            (true, value) => value.unwrap_or_default(),
            (false, Some(value)) => value,
            (false, None) => rest.next().ok_or_else(|| format!("option --{name} requires an argument"))?,
        };
        self.given.push((name, value));
        Ok(())
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

/// The text of `--help`.
pub(super) fn help() -> String {
    let mut text = format!(
        "\n                       Dachs {}: client with the command line of ClamAV 1.4.6\n\n    \
         clamdscan [options] [file/directory/-]\n\n",
        env!("CARGO_PKG_VERSION")
    );
    for (long, short, value, note) in OPTIONS {
        let value = if value.is_empty() { String::new() } else { format!("={value}") };
        let short = if short == ' ' { String::new() } else { format!("-{short}") };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "    {:<28} {short:<3} {note}", format!("--{long}{value}"));
    }
    text.push_str("\nExit codes: 0 nothing found; 1 something found; 2 an error; 21 no answer to --ping.\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Result<Line, String> {
        parse(arguments.iter().map(OsString::from))
    }

    #[test]
    fn options_are_read_in_any_spelling() {
        let line = read(&["-iz", "a", "-p3:1", "--config-file", "/x", "--fd", "--", "-b"]).unwrap();
        assert!(line.is_on("infected") && line.is_on("allmatch") && line.is_on("fdpass") && !line.is_on("stream"));
        assert_eq!((line.last("ping"), line.last("config-file")), (Some("3:1".as_ref()), Some("/x".as_ref())));
        assert_eq!(line.paths, ["a", "-b"]);
        for bad in ["--bogus", "-x", "--st", "-l"] {
            assert!(read(&[bad]).is_err(), "{bad}");
        }
        assert!(help().contains("--multiscan"));
    }
}
