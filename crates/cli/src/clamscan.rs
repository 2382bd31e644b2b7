//! The name `clamscan`: options, lines, summary and exit codes of ClamAV 1.4's scanner, for scripts that call it.
//!
//! ```text
//! arguments ──parse──> Line ──settings──> walk, limits, action, what is shown
//!                                            │
//!                 content ──> pool ──> crate::scan ──records──> Lines ──> standard output, log
//!                                            └──> Summary
//! ```
//!
//! It is a translation and nothing more: the walk, the pool, the actions and the reports are those of `dachs scan`. Where
//! ClamAV would say `OK` of a file that was not wholly looked at, this says why ([`lines::Incomplete`]). All meant
//! differences stand in docs/clamscan.md, each with a test.

mod database;
mod lines;
mod options;
mod settings;
mod summary;
mod talk;

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use chrono::Local;
use dachs_pool::Config;
use dachs_sigc::Categories;

use crate::action::{Action, Folder};
use crate::content::{Content, ImageNames, Sources};
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::line::{self, Line};
use crate::owners::Owners;
use crate::progress::Progress;
use crate::scan::{Setting, scan};
use crate::walk::Walk;
use crate::workers::{PROGRAM, Workers, files_ahead, workload};

pub(crate) use options::OPTIONS;

use lines::{Counts, Lines};
use summary::Summary;
use talk::Talk;

/// What stands where ClamAV has its version, in the form that programs look for.
const ENGINE: &str = concat!("1.4.6-compatible (Dachs ", env!("CARGO_PKG_VERSION"), ")");
/// How many bytes of standard input are read; they are held in memory.
const STDIN_QUOTA: u64 = 1 << 30;

/// True if a program that was called so means this.
pub(crate) fn is_name(program: &OsStr) -> bool {
    Path::new(program).file_name().is_some_and(|name| name.as_bytes() == b"clamscan")
}

/// Runs with the arguments after the name.
pub(crate) fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let line = match line::parse(OPTIONS, arguments) {
        Ok(line) => line,
        Err(reason) => return refuse(&format!("ERROR: {reason}\nERROR: Can't parse command line options")),
    };
    if line.is_on("help") {
        return answer(&options::help());
    }
    if line.is_on("version") {
        return answer(&version(&line));
    }
    let log = line.last("log").map(Path::new);
    match Talk::new(line.is_on("quiet"), line.is_on("stdout"), log) {
        Ok(mut talk) => scan_and_sum_up(&line, &mut talk),
        Err(reason) => refuse(&format!("ERROR: {reason}\nERROR: Problem with internal logger.")),
    }
}

/// Answers to `--version`: the daily container is read no further than its header.
fn version(line: &Line) -> String {
    let daily = database::places(line).map(|places| database::daily(&places)).unwrap_or_default();
    format!("ClamAV 1.4.6-compatible{daily} (Dachs {})\n", env!("CARGO_PKG_VERSION"))
}

fn answer(text: &str) -> Exit {
    // If nobody reads it, there is nothing left to do.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Exit::Clean
}

fn refuse(text: &str) -> Exit {
    let _ = writeln!(std::io::stderr(), "{text}");
    Exit::Error
}

/// What a scan came to.
#[derive(Default)]
struct Outcome {
    known: u64,
    directories: u64,
    counts: Counts,
    interrupted: bool,
    action: &'static str,
}

impl Outcome {
    fn exit(&self) -> Exit {
        match self.counts {
            counts if counts.infected > 0 => Exit::Detected,
            _ if self.interrupted => Exit::Interrupted,
            counts if counts.errors > 0 || counts.wrong > 0 => Exit::Error,
            _ => Exit::Clean,
        }
    }
}

/// Scans, and writes the summary whatever became of it.
fn scan_and_sum_up(line: &Line, talk: &mut Talk) -> Exit {
    let (begun, start) = (Local::now(), Instant::now());
    let mut outcome = Outcome::default();
    let mut said = Ok(());
    if let Err(reason) = scan_all(line, talk, &mut outcome) {
        outcome.counts.wrong += 1;
        said = talk.complain(&format!("ERROR: {reason}"));
    }
    let exit = outcome.exit();
    let summary = Summary {
        known: outcome.known,
        directories: outcome.directories,
        counts: outcome.counts,
        action: outcome.action,
        dates: (begun, Local::now()),
        time: start.elapsed(),
    };
    if said.is_ok() && !line.is_on("no-summary") {
        said = talk.info(&summary.text());
    }
    // What was not written because nobody reads it any more changes nothing.
    drop(said.and_then(|()| talk.flush()));
    exit
}

/// Puts content, workers and walk together. What was counted stands in `outcome`, even if it ends early.
fn scan_all(line: &Line, talk: &mut Talk, outcome: &mut Outcome) -> Result<(), String> {
    let show = settings::show(line)?;
    let action = settings::action(line)?;
    let avoid = action.as_ref().and_then(Action::folder).and_then(Folder::identity);
    let walk_options = crate::walk::Options { avoid, ..settings::walk(line)? };
    let paths = settings::paths(line)?;
    warn_of(line, talk).map_err(|error| error.to_string())?;
    outcome.action = action.as_ref().map_or("", Action::done);

    let content = load(line, talk)?;
    let image = content.image()?;
    outcome.known = u64::from(image.signature_count());
    if let Some(days) = line.last("fail-if-cvd-older-than") {
        let days = days.to_str().and_then(|days| days.parse().ok());
        database::check_age(days.ok_or("--fail-if-cvd-older-than: give a number of days")?, &image)?;
    }
    let names = ImageNames::as_clamav(&image);
    let owners = image.has_yara().then(Owners::read);
    let limits = settings::limits(line);
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let mut workers = Workers::start(Config {
        jobs,
        limits: limits.clone(),
        all_matches: show.all_matches,
        rules_on_members: true,
        shared_from: Config::SHARED_FROM,
        switches: settings::switches(line),
        passwords: line.all("password").map(|password| password.as_bytes().to_vec()).collect(),
        workload: workload(&paths),
        image: content.share()?,
        program: PathBuf::from(PROGRAM),
    })?;

    let interrupt = Interrupt::listen().map_err(|error| format!("signals cannot be caught: {error}"))?;
    let mut walk = Walk::new(paths, walk_options);
    let mut lines = Lines::new(show, talk);
    let setting = Setting {
        names: &names,
        interrupt: &interrupt,
        progress: &Progress::hidden(),
        ahead: files_ahead(jobs),
        stdin_quota: STDIN_QUOTA,
        action: action.as_ref(),
        act_on_suspicious: true,
        largest: settings::largest(line),
        limits: &limits,
        owners: owners.as_ref(),
    };
    let (tally, trouble) = scan(walk.by_ref(), &mut workers, &mut lines, &setting);
    (outcome.counts, outcome.directories, outcome.interrupted) = (lines.counts, walk.entered(), tally.interrupted);
    if !tally.interrupted {
        workers.0.stop();
    }
    trouble.map_or(Ok(()), Err)
}

/// Loads the signatures, and says what was left out of them.
fn load(line: &Line, talk: &mut Talk) -> Result<Content, String> {
    let paths = database::places(line)?;
    let categories = categories(line)?;
    let sources = Sources {
        paths,
        unwanted: line.is_on("detect-pua"),
        categories,
        no_phishing: !line.is_on("phishing-sigs"),
        certificates: line.last("cvdcertsdir").map(PathBuf::from),
        ..Sources::default()
    };
    let content = Content::load(&sources)?;
    for note in &content.notes {
        talk.warn(note).map_err(|error| error.to_string())?;
    }
    Ok(content)
}

/// Which potentially unwanted programs are asked for, of all when there are any.
fn categories(line: &Line) -> Result<Categories, String> {
    let list = |name| line.all(name).map(|value| value.to_string_lossy().into_owned()).collect::<Vec<String>>();
    let (only, without) = (list("include-pua"), list("exclude-pua"));
    if !only.is_empty() && !without.is_empty() {
        return Err("--exclude-pua and --include-pua cannot be used at the same time".to_owned());
    }
    Ok(crate::content::categories(&only, &without))
}

/// Says what of the command line does not count.
fn warn_of(line: &Line, talk: &mut Talk) -> std::io::Result<()> {
    if line.last("file-list").is_some() && !line.paths.is_empty() {
        talk.warn("Only scanning files from --file-list (files passed at cmdline are ignored)")?;
    }
    if line.number("max-recursion") == Some(0) {
        talk.warn("--max-recursion: the value of 0 is not allowed, using the default")?;
    }
    Ok(())
}
