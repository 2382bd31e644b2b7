//! `dachs scan`: content, workers, walk and output, put together.

use std::io::{self, BufWriter, IsTerminal, Write, stdout};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use dachs_base::{Limits, Switches};
use dachs_pool::Config;

use crate::action::{Action, Folder};
use crate::args::{ExitOn, ScanArgs, YaraOn};
use crate::content::{Content, ImageNames};
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::output::human::Human;
use crate::output::json::JsonLines;
use crate::output::sarif::Sarif;
use crate::output::summary::summary;
use crate::output::{Format, Writer};
use crate::owners::Owners;
use crate::progress::Progress;
use crate::record::Names;
use crate::say::{is_seen, say, write_block};
use crate::scan::{Scanner, Setting, scan};
use crate::service::{Place, Remote};
use crate::tally::Tally;
use crate::walk::Walk;
use crate::workers::{PROGRAM, Workers, files_ahead, workload};

/// Files that are with a service at once.
const SERVED_AHEAD: usize = 16;

/// Scans what was asked for.
pub(super) fn run(args: ScanArgs) -> Result<Exit, String> {
    let action = args.actions.action()?;
    let avoid = action.as_ref().and_then(Action::folder).and_then(Folder::identity);
    let walk_options = args.walk_options(avoid)?;
    let limits = args.limits.limits();
    if let Some(mut remote) = service(&args) {
        let names = remote.names();
        let ahead = if remote.passes() { SERVED_AHEAD } else { 1 };
        let (tally, trouble) =
            walk_and_scan(&args, &walk_options, &limits, &mut remote, &names, (ahead, action.as_ref(), None))?;
        trouble.iter().for_each(|trouble| say(trouble));
        if !args.output.quiet {
            write_block(&summary(&tally, 0));
        }
        return Ok(tally.exit(args.output.exit_on == ExitOn::Suspicious));
    }
    let content = Content::load(&args.content.chosen())?;
    if !args.output.quiet {
        content.notes.iter().for_each(|note| say(note));
    }
    let image = content.image()?;
    let names = ImageNames::new(&image);
    let owners = image.has_yara().then(Owners::read);
    let mut workers = start(&args, &limits, &content)?;

    let ahead = files_ahead(args.jobs());
    let (tally, trouble) =
        walk_and_scan(&args, &walk_options, &limits, &mut workers, &names, (ahead, action.as_ref(), owners.as_ref()))?;

    if let Some(trouble) = trouble {
        say(&trouble);
    }
    if !args.output.quiet {
        write_block(&summary(&tally, u64::from(image.signature_count())));
    }
    // Nobody waits for the files at hand when the scan was cut short: their workers end with us.
    if !tally.interrupted {
        workers.0.stop();
    }
    Ok(tally.exit(args.output.exit_on == ExitOn::Suspicious))
}

/// Walks, has everything scanned, and writes it.
fn walk_and_scan(
    args: &ScanArgs,
    walk_options: &crate::walk::Options,
    limits: &Limits,
    scanner: &mut dyn Scanner,
    names: &dyn Names,
    (ahead, action, owners): (usize, Option<&Action>, Option<&Owners>),
) -> Result<(Tally, Option<String>), String> {
    // Until here a signal simply ends us: there is nothing to sum up yet.
    let interrupt = Interrupt::listen().map_err(|error| format!("signals cannot be caught: {error}"))?;
    let progress = progress(args, || Walk::new(args.paths.clone(), walk_options.clone()));
    let mut writer = writer(args, &progress);
    let walk = Walk::new(args.paths.clone(), walk_options.clone());
    let stdin_quota = args.limits.stdin();
    let setting = Setting {
        names,
        interrupt: &interrupt,
        progress: &progress,
        ahead,
        stdin_quota,
        action,
        act_on_suspicious: false,
        largest: u64::MAX,
        limits,
        owners,
    };
    let (tally, trouble) = scan(walk, scanner, writer.as_mut(), &setting);
    progress.finish();
    Ok((tally, trouble))
}

/// A running service, if one is asked for and answers.
fn service(args: &ScanArgs) -> Option<Remote> {
    let place = match args.service.as_ref()? {
        Some(socket) => Ok(Place { socket: Some(socket.clone()), ..Place::default() }),
        None => Place::configured(None),
    };
    let remote = place.and_then(|place| Remote::new(place, false).map_err(|tried| tried.join("; ")));
    let no_service = |reason| say(&format!("{reason}; scanning here"));
    remote.map_err(no_service).ok()
}

fn start(args: &ScanArgs, limits: &Limits, content: &Content) -> Result<Workers, String> {
    let config = Config {
        jobs: args.jobs(),
        limits: limits.clone(),
        all_matches: args.all_matches,
        rules_on_members: args.yara_on == YaraOn::Objects,
        shared_from: args.shared_from(),
        switches: Switches::default(),
        passwords: args.passwords.iter().map(|password| password.as_bytes().to_vec()).collect(),
        workload: workload(&args.paths),
        image: content.share()?,
        program: PathBuf::from(PROGRAM),
    };
    let workers = Workers::start(config)?;
    if args.output.verbose {
        for layer in workers.0.layers().layers.iter().filter(|layer| !layer.on) {
            say(&format!("the jail of the workers has no {}: {}", layer.layer, layer.detail));
        }
    }
    Ok(workers)
}

/// A progress line if somebody watches.
fn progress(args: &ScanArgs, ahead: impl FnOnce() -> Walk) -> Progress {
    match is_seen() && !args.output.quiet {
        true => Progress::new(ahead()),
        false => Progress::hidden(),
    }
}

fn writer(args: &ScanArgs, progress: &Progress) -> Box<dyn Writer> {
    let is_terminal = stdout().is_terminal();
    let out: Box<dyn Write> = match is_terminal {
        true => Box::new(progress.above(stdout())),
        false => Box::new(BufWriter::with_capacity(1 << 16, Raw)),
    };
    let verbose = args.output.verbose;
    match args.output.format {
        Format::Human => Box::new(Human::new(out, args.output.color.applies(is_terminal), verbose)),
        Format::Jsonl => Box::new(JsonLines::new(out, verbose)),
        Format::Sarif => Box::new(Sarif::new(out)),
    }
}

/// Standard output without a buffer of its own.
struct Raw;

impl Write for Raw {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(rustix::stdio::stdout(), bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
