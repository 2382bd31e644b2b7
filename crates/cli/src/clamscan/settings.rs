//! What a command line asks for, in the words of the rest of the executable: limits, a walk, what is shown.
//!
//! Where ClamAV's default is a small limit that silently leaves something out, ours is the default of `dachs scan`.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::time::Duration;

use dachs_base::{Alerts, Closed, Form, Limits, Structured, Switches};

use super::lines::{Incomplete, Show};
use crate::action::{Action, Folder};
use crate::content::display;
use crate::line::Line;
use crate::walk::{Follow, Options, Patterns, expressions};

/// A time that is as good as none.
const NO_TIME: Duration = Duration::from_secs(10 * 365 * 86_400);

/// How much the scan of one file may spend. 0 means no limit, but for `--max-recursion`, which counts the file itself.
pub(super) fn limits(line: &Line) -> Limits {
    let standard = Limits::default();
    let unless_zero = |name, standard| match line.number(name) {
        Some(0) => u64::MAX,
        Some(limit) => limit,
        None => standard,
    };
    Limits {
        depth: match line.number("max-recursion") {
            None | Some(0) => standard.depth,
            Some(levels) => u32::try_from(levels - 1).unwrap_or(u32::MAX),
        },
        objects: unless_zero("max-files", standard.objects),
        object_size: unless_zero("max-filesize", standard.object_size),
        scan_size: unless_zero("max-scansize", standard.scan_size),
        time: match line.number("max-scantime") {
            None => standard.time,
            Some(0) => NO_TIME,
            Some(milliseconds) => Duration::from_millis(milliseconds).min(NO_TIME),
        },
        ..standard
    }
}

/// What is looked into, and what is reported besides signatures.
pub(super) fn switches(line: &Line) -> Switches {
    let (on, off) = (|name| line.is_on(name), |name| !line.is_on(name));
    let encrypted = on("alert-encrypted");
    Switches {
        alerts: Alerts {
            broken: on("alert-broken"),
            broken_media: on("alert-broken-media"),
            encrypted_archives: encrypted || on("alert-encrypted-archive"),
            encrypted_documents: encrypted || on("alert-encrypted-doc"),
            links_cloaked: on("alert-phishing-cloak"),
            links_unencrypted: on("alert-phishing-ssl"),
            macros: on("alert-macros"),
            partitions: on("alert-partition-intersection"),
        },
        no_heuristics: off("heuristic-alerts"),
        no_links: off("phishing-scan-urls"),
        no_normalising: off("normalize"),
        no_trust: on("nocerts"),
        precedence: on("heuristic-scan-precedence"),
        closed: Closed {
            archive: off("scan-archive"),
            elf: off("scan-elf"),
            html: off("scan-html"),
            hwp3: off("scan-hwp3"),
            image: off("scan-image"),
            mail: off("scan-mail"),
            ole2: off("scan-ole2"),
            onenote: off("scan-onenote"),
            pdf: off("scan-pdf"),
            pe: off("scan-pe"),
            swf: off("scan-swf"),
            xml_documents: off("scan-xmldocs"),
        },
        structured: on("detect-structured").then(|| structured(line)),
    }
}

/// How many numbers, and in which form.
fn structured(line: &Line) -> Structured {
    let count = |name| line.number(name).map_or(3, |count| u32::try_from(count).unwrap_or(u32::MAX).max(1));
    Structured {
        cards: count("structured-cc-count"),
        credit_only: line.number("structured-cc-mode") == Some(1),
        persons: count("structured-ssn-count"),
        form: match line.number("structured-ssn-format") {
            Some(1) => Form::Plain,
            Some(2) => Form::Both,
            _ => Form::Dashed,
        },
    }
}

/// The size of the largest file that is looked at.
pub(super) fn largest(line: &Line) -> u64 {
    line.number("max-filesize").filter(|size| *size > 0).unwrap_or(u64::MAX)
}

/// What the walk goes into.
///
/// # Errors
/// A sentence about a wrong expression.
pub(super) fn walk(line: &Line) -> Result<Options, String> {
    let given = line.number("max-dir-recursion").map(|levels| usize::try_from(levels).unwrap_or(usize::MAX));
    Ok(Options {
        follow: follow(line.last("follow-file-symlinks")),
        follow_directories: follow(line.last("follow-dir-symlinks")),
        pass_over_links: true,
        levels: if line.is_on("recursive") { given } else { Some(given.unwrap_or(1).min(1)) },
        one_file_system: !line.is_on("cross-fs"),
        patterns: Patterns {
            exclude_files: patterns(line, "exclude")?,
            exclude_directories: patterns(line, "exclude-dir")?,
            include_files: patterns(line, "include")?,
            include_directories: patterns(line, "include-dir")?,
        },
        ..Options::default()
    })
}

fn follow(value: Option<&OsStr>) -> Follow {
    match value.map(OsStr::as_bytes) {
        Some(b"0") => Follow::Never,
        Some(b"2") => Follow::Always,
        _ => Follow::Arguments,
    }
}

fn patterns(line: &Line, name: &'static str) -> Result<Option<regex::bytes::RegexSet>, String> {
    let text = |value: &OsStr| value.to_str().map(str::to_owned).ok_or(format!("--{name}: the expression is no text"));
    let sources: Vec<String> = line.all(name).map(text).collect::<Result<_, _>>()?;
    expressions(&sources).map_err(|error| format!("--{name}: {error}"))
}

/// What is done with infected files. Moving goes before copying, and copying before removing.
///
/// # Errors
/// A sentence, when the folder cannot be used.
pub(super) fn action(line: &Line) -> Result<Option<Action>, String> {
    let folder = |name| line.last(name).map(|path| Folder::open(Path::new(path))).transpose();
    match (folder("move")?, folder("copy")?) {
        (Some(folder), _) => Ok(Some(Action::Move(folder))),
        (None, Some(folder)) => Ok(Some(Action::Copy(folder))),
        (None, None) => Ok(line.is_on("remove").then_some(Action::Remove)),
    }
}

/// What is shown.
///
/// # Errors
/// A sentence about a wrong `--incomplete`.
pub(super) fn show(line: &Line) -> Result<Show, String> {
    Ok(Show {
        all_matches: line.is_on("allmatch"),
        bell: line.is_on("bell"),
        incomplete: match line.last("incomplete").map(OsStr::as_bytes) {
            Some(b"ok") => Incomplete::Ok,
            None | Some(b"error") => Incomplete::Error,
            Some(b"found") => Incomplete::Found,
            Some(_) => return Err("--incomplete is ok, error or found".to_owned()),
        },
        infected_only: line.is_on("infected"),
        limits_found: line.is_on("alert-exceeds-max"),
        recursive: line.is_on("recursive"),
        suppress_ok: line.is_on("suppress-ok-results"),
        verbose: line.is_on("verbose"),
    })
}

/// What is scanned: the arguments, else the lines of `--file-list`, else the current directory. A list goes first.
///
/// # Errors
/// A sentence, when the list cannot be read, or nobody knows where we are.
pub(super) fn paths(line: &Line) -> Result<Vec<OsString>, String> {
    match line.last("file-list") {
        Some(list) => {
            let named = |error| format!("--file-list: Can't open file {}: {error}", display(Path::new(list)));
            let text = fs::read(list).map_err(named)?;
            Ok(text.split(|byte| *byte == b'\n').filter(|path| !path.is_empty()).map(listed).collect())
        }
        None if line.paths.is_empty() => {
            let here = std::env::current_dir().map_err(|error| format!("Can't get current directory: {error}"))?;
            Ok(vec![here.into_os_string()])
        }
        None => Ok(line.paths.clone()),
    }
}

/// A dash in a list is a file of that name. Lines may end as on Windows.
fn listed(path: &[u8]) -> OsString {
    let path = path.strip_suffix(b"\r").unwrap_or(path);
    OsString::from_vec(if path == b"-" { b"./-".to_vec() } else { path.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::super::options::OPTIONS;
    use super::*;
    use crate::line::parse;

    fn line(arguments: &[&str]) -> Line {
        parse(OPTIONS, arguments.iter().map(OsString::from)).unwrap()
    }

    #[test]
    fn limits_are_those_asked_for_and_zero_is_none() {
        assert_eq!(limits(&line(&[])), Limits::default());
        let asked = limits(&line(&[
            "--max-recursion=2",
            "--max-files=7",
            "--max-filesize=1M",
            "--max-scansize=0",
            "--max-scantime=5",
        ]));
        assert_eq!((asked.depth, asked.objects, asked.object_size), (1, 7, 1 << 20));
        assert_eq!((asked.scan_size, asked.time), (u64::MAX, Duration::from_millis(5)));
        assert_eq!(limits(&line(&["--max-recursion=0"])).depth, Limits::default().depth);
        assert_eq!(largest(&line(&["--max-filesize=0"])), u64::MAX);
        assert_eq!(largest(&line(&["--max-filesize=9"])), 9);
    }

    #[test]
    fn directories_are_entered_as_deep_as_asked() {
        let levels = |arguments: &[&str]| walk(&line(arguments)).unwrap().levels;
        assert_eq!(levels(&[]), Some(1));
        assert_eq!(levels(&["--max-dir-recursion=5"]), Some(1));
        assert_eq!(levels(&["-r"]), None);
        assert_eq!(levels(&["-r", "--max-dir-recursion=5"]), Some(5));
        assert_eq!(levels(&["--max-dir-recursion=0"]), Some(0));
    }

    #[test]
    fn links_and_file_systems() {
        let options = walk(&line(&["--follow-dir-symlinks=0", "--follow-file-symlinks=2", "--cross-fs=no"])).unwrap();
        assert_eq!((options.follow, options.follow_directories), (Follow::Always, Follow::Never));
        assert!(options.one_file_system && !walk(&line(&[])).unwrap().one_file_system);
        assert!(walk(&line(&["--include-dir=("])).unwrap_err().contains("--include-dir"));
    }

    #[test]
    fn lists_and_policies() {
        assert!(show(&line(&["--incomplete=maybe"])).is_err());
        assert!(paths(&line(&["-f", "/nowhere"])).unwrap_err().contains("/nowhere"));
        assert_eq!(paths(&line(&["a", "-"])).unwrap(), ["a", "-"]);
        assert_eq!(paths(&line(&[])).unwrap(), [std::env::current_dir().unwrap()]);
        assert!(action(&line(&["--move=/nowhere"])).is_err());
    }
}
