//! The name `clamdscan`: options, lines, summary and exit codes of ClamAV's client of clamd.
//!
//! | mode | how files get there |
//! |---|---|
//! | paths (default, `-m`, `-z`) | the service opens them: `CONTSCAN`, `MULTISCAN`, `ALLMATCHSCAN` for each file |
//! | `--fdpass` | opened here, passed as descriptors |
//! | `--stream`, `-`, TCP | read here, sent as bytes |
//!
//! `--move`, `--copy` and `--remove` need the very file that was scanned, so they open files here too. It talks to dachsd and
//! to ClamAV's clamd alike.

mod lines;
mod options;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{Read, Write, stderr, stdout};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use chrono::Local;
use dachs_base::Limits;
use dachs_clamd::client::{Outcome, Replies, Reply, command};

use crate::action::{Action, Folder};
use crate::content::display;
use crate::escape::shown;
use crate::interrupt::Interrupt;
use crate::line::{self, Line};
use crate::progress::Progress;
use crate::scan::{Setting, scan};
use crate::service::{Connection, Place, Remote};
use crate::walk::{Options, Step, Walk};
use lines::Lines;

/// Exit code when a ping is not answered.
const NO_PONG: u8 = 21;
/// Files that are with the service at once, when descriptors are passed.
const AHEAD: usize = 16;
/// How long a service may be silent while it scans a path.
const PATIENCE: Duration = Duration::from_secs(3_600);
/// How many bytes of standard input are read.
const STDIN_QUOTA: u64 = 1 << 30;
/// `--wait` alone: so many seconds.
const WAIT: u64 = 30;

/// True if a program that was called so means this.
pub(crate) fn is_name(program: &OsStr) -> bool {
    Path::new(program).file_name().is_some_and(|name| name.as_bytes() == b"clamdscan")
}

/// Runs with the arguments after the name; gives the exit code.
pub(crate) fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let line = match line::parse(options::OPTIONS, arguments) {
        Ok(line) => line,
        Err(reason) => return complain(&format!("ERROR: {reason}\nERROR: Can't parse command line options")),
    };
    if line.is_on("help") {
        return say(&options::help());
    }
    let place = match Place::configured(line.last("config-file").or(line.last("config"))) {
        Ok(place) => place,
        Err(reason) => return complain(&format!("ERROR: {reason}")),
    };
    if line.is_on("version") {
        return version(&place);
    }
    let pings = line.last("ping").is_some();
    if (pings || line.is_on("wait")) && !ping(&line, &place) {
        return NO_PONG;
    }
    if pings && !line.is_on("wait") {
        return 0;
    }
    if line.is_on("reload") {
        return reload(&place);
    }
    match Job::new(&line, place) {
        Ok(mut job) => job.run(),
        Err(reason) => complain(&format!("ERROR: {reason}")),
    }
}

fn say(text: &str) -> u8 {
    // If nobody reads it, there is nothing left to do.
    let _ = stdout().write_all(text.as_bytes());
    0
}

fn complain(text: &str) -> u8 {
    let _ = writeln!(stderr(), "{text}");
    2
}

fn ask(place: &Place, word: &str) -> Option<String> {
    let answer = place.connect().ok()?.ask(&command(word, b""), Duration::from_secs(10)).ok()?;
    Some(String::from_utf8_lossy(answer.strip_suffix(b"\0").unwrap_or(&answer)).into_owned())
}

fn version(place: &Place) -> u8 {
    let own = || format!("ClamAV 1.4.6-compatible (Dachs {})", env!("CARGO_PKG_VERSION"));
    let version = ask(place, "VERSION").unwrap_or_else(own);
    say(&format!("{}\n", shown(version.as_bytes())))
}

/// True if the service answered: `--ping ATTEMPTS[:INTERVAL]`.
fn ping(line: &Line, place: &Place) -> bool {
    let asked = line.last("ping").and_then(OsStr::to_str).unwrap_or_default().to_owned();
    let (attempts, interval) = asked.split_once(':').unwrap_or((&asked, "1"));
    let (attempts, interval) = (attempts.parse().unwrap_or(WAIT), interval.parse().unwrap_or(1).max(1));
    for attempt in 0..attempts {
        if ask(place, "PING").as_deref() == Some("PONG") {
            if line.last("ping").is_some() {
                say("PONG\n");
            }
            return true;
        }
        if attempt + 1 < attempts {
            say(&format!(
                "Could not connect, will PING again in {interval} second{}\n",
                if interval == 1 { "" } else { "s" }
            ));
            thread::sleep(Duration::from_secs(interval));
        }
    }
    say("PING timeout exceeded; No response from clamd\n");
    false
}

fn reload(place: &Place) -> u8 {
    match ask(place, "RELOAD").as_deref() {
        Some("RELOADING") => 0,
        Some(other) => complain(&format!("ERROR: Clamd did not reload the database: {}", shown(other.as_bytes()))),
        None => complain("ERROR: Clamd did not reload the database: no answer"),
    }
}

/// A scan.
struct Job<'a> {
    line: &'a Line,
    place: Place,
    action: Option<Action>,
    paths: Vec<OsString>,
    lines: Lines,
}

impl Job<'_> {
    fn new(line: &Line, place: Place) -> Result<Job<'_>, String> {
        let folder = |name| line.last(name).map(|path| Folder::open(Path::new(path))).transpose();
        let action = match (folder("move")?, folder("copy")?) {
            (Some(folder), _) => Some(Action::Move(folder)),
            (None, Some(folder)) => Some(Action::Copy(folder)),
            (None, None) => line.is_on("remove").then_some(Action::Remove),
        };
        let lines = Lines::new(line.is_on("quiet"), line.is_on("infected"), line.last("log").map(Path::new))?;
        Ok(Job { line, place, action, paths: paths(line)?, lines })
    }

    fn run(&mut self) -> u8 {
        let (begun, start) = (Local::now(), Instant::now());
        if self.line.is_on("allmatch") && (self.opens_files() || self.line.is_on("stream")) {
            self.lines.warn("--allmatch: only the first name of each file is known when files are not opened by clamd");
        }
        let paths = std::mem::take(&mut self.paths);
        for path in &paths {
            if !self.scan(path) {
                break;
            }
        }
        if !self.line.is_on("no-summary") {
            let action = self.action.as_ref().map_or("", Action::done);
            self.lines.summary(begun, start.elapsed(), action);
        }
        self.lines.exit()
    }

    fn opens_files(&self) -> bool {
        self.action.is_some() || self.line.is_on("fdpass")
    }

    /// Scans one argument; false if no other can be scanned either.
    fn scan(&mut self, path: &OsStr) -> bool {
        if path == "-" {
            return self.scan_here(path, true);
        }
        if fs::metadata(path).is_err() {
            self.lines.wrong(&format!("Can't access file {}", display(Path::new(path))));
            return true;
        }
        let absolute = std::path::absolute(path).map_or_else(|_| path.to_owned(), std::path::PathBuf::into_os_string);
        let path = absolute.as_os_str();
        let is_remote = self.place.socket.is_none();
        if self.line.is_on("stream") || is_remote || self.opens_files() {
            return self.scan_here(path, self.line.is_on("stream"));
        }
        // clamd ends ALLMATCHSCAN of a folder at the first infected file.
        if self.line.is_on("allmatch") && Path::new(path).is_dir() {
            let mut files = Walk::new(vec![path.to_owned()], Options::default()).filter_map(|step| match step {
                Step::File(candidate) => Some(OsString::from_vec(candidate.path)),
                _ => None,
            });
            self.lines.begin_files(path.as_bytes());
            let reached = files.all(|file| self.scan_by_path(&file));
            self.lines.end();
            return reached;
        }
        self.scan_by_path(path)
    }

    /// False if the service cannot be reached.
    fn scan_by_path(&mut self, path: &OsStr) -> bool {
        match self.place.connect() {
            Ok(connection) => self.scan_there(connection, path),
            Err(tried) => {
                self.lines.unreachable(&tried);
                return false;
            }
        }
        true
    }

    /// The service opens the path.
    fn scan_there(&mut self, mut connection: Connection, path: &OsStr) {
        let word = match (self.line.is_on("multiscan"), self.line.is_on("allmatch")) {
            (_, true) => "ALLMATCHSCAN",
            (true, _) => "MULTISCAN",
            _ => "CONTSCAN",
        };
        let asked =
            connection.set_patience(PATIENCE).and_then(|()| connection.write_all(&command(word, path.as_bytes())));
        let mut replies = Replies::default();
        let mut buffer = [0; 8192];
        let mut trouble = asked.err();
        while trouble.is_none() {
            match connection.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) if replies.push(buffer.get(..count).unwrap_or_default()) => {
                    while let Some(reply) = replies.next_whole() {
                        self.lines.reply(&Reply::parse(&reply));
                    }
                }
                Ok(_) => trouble = Some(std::io::ErrorKind::InvalidData.into()),
                Err(error) => trouble = Some(error),
            }
        }
        if let Some(rest) = replies.rest() {
            self.lines.reply(&Reply::parse(&rest));
        }
        if let Some(error) = trouble {
            self.lines.wrong(&format!("Communication error: {error}"));
        }
    }

    /// The path is opened here.
    fn scan_here(&mut self, path: &OsStr, streams: bool) -> bool {
        let mut remote = match Remote::new(self.place.clone(), streams) {
            Ok(remote) => remote,
            Err(tried) => {
                self.lines.unreachable(&tried);
                return false;
            }
        };
        let Ok(interrupt) = Interrupt::listen() else { return false };
        let names = remote.names();
        let avoid = self.action.as_ref().and_then(Action::folder).and_then(Folder::identity);
        let setting = Setting {
            names: &names,
            interrupt: &interrupt,
            progress: &Progress::hidden(),
            ahead: if remote.passes() { AHEAD } else { 1 },
            stdin_quota: STDIN_QUOTA,
            action: self.action.as_ref(),
            act_on_suspicious: true,
            largest: u64::MAX,
            limits: &Limits::default(),
            owners: None,
        };
        self.lines.begin(path.as_bytes());
        let walk = Walk::new(vec![path.to_owned()], Options { avoid, ..Options::default() });
        let (tally, trouble) = scan(walk, &mut remote, &mut self.lines, &setting);
        self.lines.end();
        if let Some(trouble) = &trouble {
            self.lines.wrong(trouble);
        }
        trouble.is_none() && !tally.interrupted
    }
}

/// What is scanned: the lines of `--file-list`, else the arguments, else the current directory.
fn paths(line: &Line) -> Result<Vec<OsString>, String> {
    if let Some(list) = line.last("file-list") {
        let named = |error| format!("--file-list: Can't open file {}: {error}", display(Path::new(list)));
        let text = fs::read(list).map_err(named)?;
        let lines = text.split(|byte| *byte == b'\n').map(|path| path.strip_suffix(b"\r").unwrap_or(path));
        return Ok(lines.filter(|path| !path.is_empty()).map(|path| OsString::from_vec(path.to_vec())).collect());
    }
    if line.paths.is_empty() {
        let here = std::env::current_dir().map_err(|error| format!("Can't get current directory: {error}"))?;
        return Ok(vec![here.into_os_string()]);
    }
    Ok(line.paths.clone())
}

/// The error of a reply, if it is one.
fn error_of(outcome: &Outcome) -> Option<&str> {
    match outcome {
        Outcome::Error(reason) => Some(reason),
        _ => None,
    }
}
