//! The command line: that of clamd, as far as it makes sense, and what writes the manual and completions.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::service::ENGINE;

/// Where the configuration is, the first that exists.
const PLACES: [&str; 2] = ["/etc/dachs/dachsd.conf", "/etc/clamav/clamd.conf"];

/// Every option, with what its value is called and what it does.
const OPTIONS: [(&str, &str, &str, &str); 8] = [
    ("--config-file", "-c", "FILE", "read the configuration from FILE"),
    ("--foreground", "-F", "", "stay in the foreground, as always"),
    ("--check", "", "", "check the configuration, and end"),
    ("--help", "-h", "", "show this help"),
    ("--version", "-V", "", "show the version"),
    ("--manual", "", "", "write the manual page, as roff"),
    ("--completions", "", "", "write completions for bash"),
    ("--debug", "", "", "accepted for clamd's sake; LogVerbose tells more"),
];

/// What is asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Check { conf: PathBuf },
    Run { conf: PathBuf },
    Say(String),
    Wrong(String),
}

/// Reads the arguments after the name of the program.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Asked {
    let mut conf = PLACES.iter().map(PathBuf::from).find(|path| path.is_file()).unwrap_or_else(|| PLACES[0].into());
    let (mut check, mut rest) = (false, arguments.into_iter());
    while let Some(argument) = rest.next() {
        let text = argument.to_string_lossy().into_owned();
        match text.as_str() {
            "-c" | "--config-file" => match rest.next() {
                Some(path) => conf = path.into(),
                None => return Asked::Wrong(format!("{text} needs a file")),
            },
            "-F" | "--foreground" | "--debug" => {}
            "--check" => check = true,
            "-h" | "--help" => return Asked::Say(help()),
            "-V" | "--version" => return Asked::Say(format!("{ENGINE}\n")),
            "--manual" => return Asked::Say(manual()),
            "--completions" => return Asked::Say(completions()),
            _ => match text.strip_prefix("--config-file=") {
                Some(path) => conf = path.into(),
                None => return Asked::Wrong(format!("{text:?} is no option; --help lists all")),
            },
        }
    }
    if check { Asked::Check { conf } } else { Asked::Run { conf } }
}

fn help() -> String {
    let mut text =
        "dachsd: the scanner as a service, for clients of clamd and over HTTP\n\nUsage: dachsd [OPTIONS]\n\n"
            .to_owned();
    for (long, short, value, what) in OPTIONS {
        let short = if short.is_empty() { String::new() } else { format!("{short}, ") };
        text.push_str(&format!("  {short:>4}{:<22} {what}\n", format!("{long} {value}").trim()));
    }
    text.push_str("\nThe configuration has the keys of clamd.conf; docs/service.md lists them all.\n");
    text
}

fn manual() -> String {
    let mut text = format!(
        ".TH DACHSD 8 \"\" \"Dachs {}\"\n.SH NAME\ndachsd \\- scanner as a service\n.SH SYNOPSIS\n.B dachsd\n[OPTIONS]\n\
         .SH DESCRIPTION\nScans what clients hand in, for malware: over the protocol of ClamAV's clamd, and over HTTP.\n\
         .SH OPTIONS\n",
        env!("CARGO_PKG_VERSION")
    );
    for (long, short, value, what) in OPTIONS {
        let short = if short.is_empty() { String::new() } else { format!("{short}, ") };
        text.push_str(&format!(".TP\n.B {short}{long} {value}\n{what}\n"));
    }
    text.push_str(".SH SIGNALS\nSIGTERM stops in order, SIGUSR2 reloads content, SIGHUP opens the log file anew.\n.SH CONFIGURATION\n");
    text.push_str(&dachs_clamd::conf::manual());
    text.replace('-', "\\-").replace("\\\\-", "\\-")
}

fn completions() -> String {
    let words: Vec<&str> =
        OPTIONS.iter().flat_map(|(long, short, ..)| [*long, *short]).filter(|word| !word.is_empty()).collect();
    format!("complete -o default -W '{}' dachsd\n", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Asked {
        parse(arguments.iter().map(OsString::from))
    }

    #[test]
    fn arguments_are_read() {
        assert_eq!(read(&["-c", "/x", "-F"]), Asked::Run { conf: "/x".into() });
        assert_eq!(read(&["--config-file=/x", "--check"]), Asked::Check { conf: "/x".into() });
        assert!(matches!(read(&["--bogus"]), Asked::Wrong(_)) && matches!(read(&["-c"]), Asked::Wrong(_)));
    }

    #[test]
    fn help_and_manual_tell_of_every_option() {
        for (long, ..) in OPTIONS {
            assert!(help().contains(long) && completions().contains(long), "{long}");
            assert!(manual().contains(&long.replace('-', "\\-")), "{long}");
        }
        assert!(manual().contains("DachsIncomplete"));
    }
}
