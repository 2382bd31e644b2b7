//! The options of ClamAV's `clamdscan`.

use crate::line::State::Honoured;
use crate::line::Takes::{Flag, Text};
use crate::line::{self, Opt, opt};

/// All of them, in the order of ClamAV's own help.
pub(super) const OPTIONS: &[Opt] = &[
    opt("help", 'h', Flag, Honoured, "Show this help"),
    opt("version", 'V', Flag, Honoured, "Print version number and exit"),
    opt("verbose", 'v', Flag, Honoured, "Be verbose (changes nothing)"),
    opt("quiet", ' ', Flag, Honoured, "Be quiet, only output error messages"),
    opt("stdout", ' ', Flag, Honoured, "Write to stdout instead of stderr (warnings alone go to stderr)"),
    opt("log", 'l', Text("FILE"), Honoured, "Append the report to FILE"),
    opt("file-list", 'f', Text("FILE"), Honoured, "Scan files from FILE"),
    opt("ping", 'p', Text("A[:I]"), Honoured, "Ping clamd up to A times at an interval of I seconds until it responds"),
    opt("wait", 'w', Flag, Honoured, "Wait up to 30 seconds for clamd to start, or as --ping says"),
    opt("remove", ' ', Flag, Honoured, "Remove infected files"),
    opt("move", ' ', Text("DIRECTORY"), Honoured, "Move infected files into DIRECTORY"),
    opt("copy", ' ', Text("DIRECTORY"), Honoured, "Copy infected files into DIRECTORY"),
    opt("config-file", 'c', Text("FILE"), Honoured, "Read where clamd is from FILE"),
    opt("allmatch", 'z', Flag, Honoured, "Tell all names of each file"),
    opt("multiscan", 'm', Flag, Honoured, "Force MULTISCAN mode"),
    opt("infected", 'i', Flag, Honoured, "Only print infected files"),
    opt("no-summary", ' ', Flag, Honoured, "Disable summary at end of scanning"),
    opt("reload", ' ', Flag, Honoured, "Request clamd to reload its database"),
    opt("fdpass", ' ', Flag, Honoured, "Pass descriptors to clamd"),
    opt("stream", ' ', Flag, Honoured, "Send bytes to clamd"),
    opt("config", ' ', Text("FILE"), Honoured, "As --config-file"),
];

/// The text of `--help`.
pub(super) fn help() -> String {
    line::help(
        OPTIONS,
        "client with the command line of ClamAV 1.4.6",
        "clamdscan [options] [file/directory/-]",
        28,
        "Exit codes: 0 nothing found; 1 something found; 2 an error; 21 no answer to --ping.\n",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::{Line, parse};
    use std::ffi::OsString;

    fn read(arguments: &[&str]) -> Result<Line, String> {
        parse(OPTIONS, arguments.iter().map(OsString::from))
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
