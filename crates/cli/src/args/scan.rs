//! The arguments of `dachs scan`, and the limits and options they make.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};
use dachs_base::Limits;

use super::ContentArgs;
use crate::action::{Action, Folder};
use crate::output::{Color, Format};
use crate::quantity::{parse_duration, parse_size};
use crate::walk::{Exclude, Follow, Identity, Options};

const EXAMPLES: &str = "\
Verdicts:
  NAME          a signature of that name was found: detected
  suspicious    only a heuristic, or software that is unwanted rather than malicious
  incomplete    nothing was found, but something could not be looked at; the reason stands beside it
  error         the path makes no sense, and nothing was looked at
  (clean)       everything was looked at and nothing was found; shown with --verbose

Exit codes:
  0    everything was looked at, nothing was found
  1    something was detected, whatever else happened (with --exit-on suspicious also if suspicious)
  2    something could not be done at all (no such path, a bad option, bad content), and nothing was detected
  3    nothing was found, but something was not looked at
  130  interrupted, and nothing was detected until then

Sizes are bytes, or take K, M, G or T (powers of 1024): 10M, 2G. Times are seconds, or take ms, s, m or h.

Examples:
  dachs scan ~/Downloads
  dachs scan --exclude node_modules --exclude '/home/*/cache' --one-file-system /home
  dachs scan --format jsonl . | jq -r 'select(.verdict == \"detected\") | .path'
  tar c mail | dachs scan -
  dachs scan -d own.ndb -d hashes/ --all-matches sample.bin";

/// Arguments of `dachs scan`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ScanArgs {
    /// Files and directories to look at; `-` reads standard input. Directories are walked in the order of their names.
    #[arg(required = true, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<OsString>,

    #[command(flatten)]
    pub(crate) content: ContentArgs,

    /// Report every detection in a file, not only the first.
    #[arg(long)]
    pub(crate) all_matches: bool,

    /// A password for encrypted archives and documents, tried before those of the databases and the words of a mail. Repeatable, up to
    /// 16. Other users of the machine can see it while the scan runs.
    #[arg(long = "password", value_name = "PASSWORD")]
    pub(crate) passwords: Vec<OsString>,

    /// What YARA rules look at.
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub(crate) yara_on: YaraOn,

    /// Workers that scan at the same time [default: one a core].
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: Option<u16>,

    /// Let all workers that have nothing else to do look at an archive or disk image of so many bytes or more [default: 32M].
    ///
    /// The results are the same. What one worker found in some members is put together with what others found in the rest; each
    /// worker decodes a compressed stream for itself.
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) share_from: Option<u64>,

    /// Let a running service scan (dachsd or clamd), over its socket; where none answers, scan here.
    ///
    /// The service's content, limits and policy hold, and only names of detections come back. Without SOCKET, the
    /// configuration of dachsd or clamd says where it is.
    #[arg(long, value_name = "SOCKET", num_args = 0..=1, require_equals = true, conflicts_with = "databases")]
    pub(crate) service: Option<Option<PathBuf>>,

    #[command(flatten)]
    pub(crate) walk: WalkArgs,

    #[command(flatten)]
    pub(crate) limits: LimitArgs,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) actions: ActionArgs,
}

/// Which files are found.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which files")]
pub(crate) struct WalkArgs {
    /// Leave out what matches: a name anywhere (`*.iso`), or with a slash a whole path (`/srv/**/cache`). Repeatable.
    ///
    /// `*` and `?` match no slash, `**` matches any number of directories. What is left out is neither opened nor, if it
    /// is a directory, entered. Paths are compared as they are shown: begin a pattern
    /// with `**/` to match anywhere.
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,

    /// Stay on the file system of each PATH: do not enter others that are mounted inside.
    #[arg(long)]
    pub(crate) one_file_system: bool,

    /// Which symbolic links are followed.
    ///
    /// Links that are not followed are left out, counted in the summary, and listed with --verbose. File systems that
    /// the kernel makes up (proc, sysfs and the like) are entered only when they are named as a PATH.
    #[arg(long, value_enum, default_value_t, value_name = "WHICH")]
    pub(crate) follow_symlinks: Follow,
}

/// How results are shown.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// The form of the results on standard output. Progress, warnings and the summary go to standard error.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,

    /// Show clean files, remarks, and what was left out, too.
    #[arg(short, long)]
    pub(crate) verbose: bool,

    /// No progress, no summary, no warnings: only results and errors.
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// When to use colours; the environment variable NO_COLOR turns them off too.
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) color: Color,

    /// What ends with exit code 1.
    #[arg(long, value_enum, default_value_t, value_name = "VERDICT")]
    pub(crate) exit_on: ExitOn,
}

/// From which verdict on the exit code is 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExitOn {
    /// Strong detections only.
    #[default]
    Detected,
    /// Weak ones as well: heuristics, unwanted software.
    Suspicious,
}

/// What YARA rules look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum YaraOn {
    /// Files themselves only, as the program yara does.
    Files,
    /// Everything that is unpacked from them as well: members of archives, macros, scripts.
    #[default]
    Objects,
}

/// How much the scan of one file may spend.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits of one file (reaching one makes it incomplete, never clean)")]
pub(crate) struct LimitArgs {
    /// Levels of objects inside objects; stops archives that hold themselves [default: 32].
    #[arg(long, value_name = "N")]
    pub(crate) max_depth: Option<u32>,

    /// Objects unpacked from one file; stops archives of millions of tiny members [default: 1000000].
    #[arg(long, value_name = "N")]
    pub(crate) max_objects: Option<u64>,

    /// Size of one unpacked object; stops single-stream bombs. Files themselves may have any size [default: 64G].
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) max_object_size: Option<u64>,

    /// Bytes unpacked from one file, all objects together; stops nested bombs [default: 256G].
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) max_scan_size: Option<u64>,

    /// Time for one file of up to 1 GiB, larger ones get more in proportion; stops slow parsers [default: 120s].
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) max_scan_time: Option<Duration>,

    /// Memory that one file may make a worker use; stops dictionaries and tables of absurd size [default: 96M].
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) max_memory: Option<u64>,

    /// Bytes read from standard input; they are held in memory. Stops endless streams [default: 1G].
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) max_stdin: Option<u64>,
}

/// What is done with detected files.
#[derive(Debug, Args)]
#[command(next_help_heading = "Actions on detected files (not on suspicious ones)")]
pub(crate) struct ActionArgs {
    /// Move detected files into a folder, which must be there. Nothing in it is replaced.
    ///
    /// Only the very file that was scanned is touched, whatever others do to its path in the meantime; a file that is
    /// reached through a symbolic link is left alone. The folder itself is not scanned.
    #[arg(long = "move", value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with_all = ["copy", "remove"])]
    pub(crate) move_to: Option<PathBuf>,
    /// Copy detected files into a folder, which must be there. Nothing in it is replaced.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "remove")]
    pub(crate) copy: Option<PathBuf>,
    /// Delete detected files. Think of backups first: a signature can be wrong.
    #[arg(long)]
    pub(crate) remove: bool,
    /// Not built yet, and refused: use --move.
    #[arg(long, value_name = "DIR", hide = true)]
    pub(crate) quarantine: Option<PathBuf>,
}

impl ScanArgs {
    /// How the paths are walked, without entering the directory `avoid`.
    ///
    /// # Errors
    /// A sentence about a wrong pattern.
    pub(crate) fn walk_options(&self, avoid: Option<Identity>) -> Result<Options, String> {
        let exclude = Exclude::new(&self.walk.exclude)?;
        let follow = self.walk.follow_symlinks;
        let one_file_system = self.walk.one_file_system;
        Ok(Options { follow, follow_directories: follow, one_file_system, exclude, avoid, ..Options::default() })
    }

    /// How large an archive is that several workers look at.
    pub(crate) fn shared_from(&self) -> u64 {
        self.share_from.unwrap_or(dachs_pool::Config::SHARED_FROM)
    }

    /// How many workers.
    pub(crate) fn jobs(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.jobs.map_or_else(cores, usize::from)
    }
}

impl LimitArgs {
    /// The limits, with defaults where nothing was asked for.
    pub(crate) fn limits(&self) -> Limits {
        let standard = Limits::default();
        Limits {
            depth: self.max_depth.unwrap_or(standard.depth),
            objects: self.max_objects.unwrap_or(standard.objects),
            object_size: self.max_object_size.unwrap_or(standard.object_size),
            scan_size: self.max_scan_size.unwrap_or(standard.scan_size),
            memory: self.max_memory.unwrap_or(standard.memory),
            time: self.max_scan_time.unwrap_or(standard.time),
            ..standard
        }
    }

    /// How many bytes of standard input are read.
    pub(crate) fn stdin(&self) -> u64 {
        self.max_stdin.unwrap_or(1 << 30)
    }
}

impl ActionArgs {
    /// The action that was asked for.
    ///
    /// # Errors
    /// A sentence, when its folder cannot be used.
    pub(crate) fn action(&self) -> Result<Option<Action>, String> {
        if self.quarantine.is_some() {
            return Err("--quarantine is not built yet, and nothing was scanned: use --move".to_owned());
        }
        match (&self.move_to, &self.copy, self.remove) {
            (Some(folder), ..) => Ok(Some(Action::Move(Folder::open(folder)?))),
            (_, Some(folder), _) => Ok(Some(Action::Copy(Folder::open(folder)?))),
            (.., true) => Ok(Some(Action::Remove)),
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Command, parse};
    use super::*;

    fn scan(arguments: &[&str]) -> Result<Box<ScanArgs>, String> {
        let all = ["dachs", "scan"].iter().chain(arguments).map(OsString::from);
        match parse(all).map_err(|error| error.to_string())?.command {
            Command::Scan(args) => Ok(args),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn limits_are_read_and_have_defaults() {
        let limits =
            scan(&["x", "--max-object-size", "10M", "--max-scan-time", "5s", "--max-depth=3"]).unwrap().limits.limits();
        assert_eq!((limits.object_size, limits.time, limits.depth), (10 << 20, Duration::from_secs(5), 3));
        assert_eq!(scan(&["x"]).unwrap().limits.limits(), Limits::default());
    }

    #[test]
    fn mistakes_are_refused() {
        for arguments in [
            &[][..],
            &["x", "--max-depth", "many"],
            &["x", "-j", "0"],
            &["x", "-q", "-v"],
            &["x", "--max-memory", "1X"],
        ] {
            assert!(scan(arguments).is_err(), "{arguments:?}");
        }
        assert!(scan(&["x", "--exclude", "a["]).unwrap().walk_options(None).is_err());
        assert!(scan(&["x", "--quarantine", "/"]).unwrap().actions.action().is_err());
        assert!(scan(&["x", "--move", "/nowhere"]).unwrap().actions.action().is_err());
        assert!(scan(&["x", "--move", "/", "--remove"]).is_err());
    }

    /// The defaults stand in the help as text: they must stay true.
    #[test]
    fn the_help_tells_the_true_defaults() {
        let limits = Limits::default();
        let truths = [(limits.depth == 32), (limits.objects == 1_000_000), (limits.object_size == 64 << 30)];
        assert!(truths.iter().all(|truth| *truth));
        assert_eq!((limits.scan_size, limits.memory, limits.time.as_secs()), (256 << 30, 96 << 20, 120));
        assert_eq!(scan(&["x"]).unwrap().shared_from(), 32 << 20);
    }
}
