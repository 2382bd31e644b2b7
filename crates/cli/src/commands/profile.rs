//! `dachs db profile`: content, a worker, the corpus, and what came of it in three forms.

use std::path::{Path, PathBuf};

use dachs_base::{Limits, Switches};
use dachs_pool::{Config, Workload};

use super::answer;
use crate::args::{AnswerFormat, ProfileArgs};
use crate::content::{Content, Sources, display};
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::profile::{Profile, bars, object, page, profile};
use crate::quantity::count;
use crate::say::{is_seen, say};
use crate::walk::{Options, Walk};
use crate::workers::{PROGRAM, Workers};

/// Memory that a worker may use, in bytes, if nothing else is asked for: it holds hundreds of engines at once.
const MEMORY: u64 = 1 << 30;

/// Measures what was asked for.
pub(super) fn run(args: &ProfileArgs) -> Result<Exit, String> {
    let sources = Sources {
        paths: vec![args.content.clone()],
        only: args.rules.only.clone(),
        without: args.rules.without.clone(),
        ..Sources::default()
    };
    let content = Content::load(&sources)?;
    content.notes.iter().for_each(|note| say(note));
    let image = content.image()?;
    if image.yara_rules().next().is_none() {
        return Err(format!("{}: there are no YARA rules in it", display(&args.content)));
    }
    let interrupt = Interrupt::listen().map_err(|error| format!("signals cannot be caught: {error}"))?;
    let workers = start(args, &content)?;
    let walk = Walk::new(args.corpus.clone(), Options::default());
    let profile = profile(&image, &workers.0, walk, &interrupt, told);
    profile.gaps.iter().for_each(|gap| say(gap));
    if profile.files == 0 {
        return Err("no file could be measured".to_owned());
    }
    show(args, &profile)?;
    Ok(if profile.gaps.is_empty() { Exit::Clean } else { Exit::Incomplete })
}

fn start(args: &ProfileArgs, content: &Content) -> Result<Workers, String> {
    let limits = Limits { memory: args.limits.max_memory.unwrap_or(MEMORY), ..args.limits.limits() };
    Workers::start(Config {
        jobs: 1,
        limits,
        all_matches: true,
        rules_on_members: false,
        shared_from: Config::SHARED_FROM,
        switches: Switches::default(),
        passwords: Vec::new(),
        workload: Workload::Few,
        image: content.share()?,
        program: PathBuf::from(PROGRAM),
    })
}

/// Says how far it is, to a person.
fn told(done: usize, all: usize) {
    if is_seen() {
        let shown = |number: usize| count(u64::try_from(number).unwrap_or(u64::MAX));
        say(&format!("{} of {} rules", shown(done), shown(all)));
    }
}

fn show(args: &ProfileArgs, profile: &Profile) -> Result<(), String> {
    if let Some(path) = &args.html {
        write(path, &page(profile, args.top.unwrap_or(500)))?;
    }
    match args.format {
        AnswerFormat::Human => answer(&bars(profile, args.top.unwrap_or(30))),
        AnswerFormat::Json => answer(&format!("{}\n", object(profile, args.top.unwrap_or(usize::MAX)))),
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: the page cannot be written: {error}", display(path)))
}
