//! `cargo xtask bench`: Dachs and its rivals side by side, measured in one run.
//!
//! ```text
//! benches/definitions/NAME.json ──> corpus (made once, kept in target/bench) ──┐
//!                               ──> database (real or generated, and its image) ┤
//!                                                                               ▼
//!                     A B A B ...   whole processes ──> the same answers? ──> ratios: median and spread
//!                                                                               └──> benches/record/NAME.json
//! ```
//!
//! * What is measured stands in `benches/definitions`: a few lines of JSON for each; what is scanned in `benches/corpora`.
//! * Rivals and Dachs take turns in one run, so that a slow minute of the machine hits both.
//! * CPU time is user and system time of whole processes and of all they started; those that their parents leave behind
//!   are adopted and counted ([`measure`]). Loading is told apart from scanning by scanning one tiny file as well.
//! * Answers are compared: a run in which Dachs and a rival detect different files fails, and so does one that does not
//!   detect the test file put into each corpus.
//!
//! Nothing is measured that was not built by this run; nothing of the real databases is kept but in `target/bench`.

mod corpus;
mod database;
mod definition;
mod generate;
mod measure;
mod pgo;
mod program;
mod record;
mod rounds;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use definition::Definition;

pub(crate) const USAGE: &str = "\
cargo xtask bench [--quick] [--rounds N] [--no-record] [NAME...]
       measures what benches/definitions names (all of them, or those named)
cargo xtask bench list
cargo xtask bench generate [--hashes N] [--bodies N] [--output FOLDER]
       writes a database of the size of ClamAV's official one";

/// Where things are.
pub(crate) struct Places {
    /// The project.
    root: PathBuf,
    /// What the bench makes for itself.
    cache: PathBuf,
}

impl Places {
    fn new(root: &Path) -> Places {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
        Places { root: root.to_path_buf(), cache: target.join("bench") }
    }
}

/// What was asked for.
#[derive(Default)]
struct Options {
    quick: bool,
    no_record: bool,
    rounds: Option<u32>,
    names: Vec<String>,
}

/// Builds releases with what the compiler learned from a run.
pub(crate) fn optimise(root: &Path) -> ExitCode {
    match pgo::run(&Places::new(root)) {
        Ok(releases) => {
            println!("{}", releases.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("pgo: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the command.
pub(crate) fn run(root: &Path, arguments: &[&str]) -> ExitCode {
    let places = Places::new(root);
    let done = match arguments {
        ["list"] => list(&places),
        ["generate", options @ ..] => generate::command(&places, options).map(|()| true),
        options => Options::parse(options).and_then(|options| measure_all(&places, &options)),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::from(2)
        }
    }
}

impl Options {
    fn parse(arguments: &[&str]) -> Result<Options, String> {
        let mut options = Options::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match *argument {
                "--quick" => options.quick = true,
                "--no-record" => options.no_record = true,
                "--rounds" => {
                    let rounds = rest.next().and_then(|text| text.parse().ok()).filter(|rounds| *rounds > 0);
                    options.rounds = Some(rounds.ok_or("--rounds needs a number above 0")?);
                }
                option if option.starts_with('-') => return Err(format!("unknown option {option}\n{USAGE}")),
                name => options.names.push(name.to_owned()),
            }
        }
        Ok(options)
    }

    fn wants(&self, definition: &Definition) -> bool {
        match self.names.is_empty() {
            true => !self.quick || definition.floor.is_some(),
            false => self.names.contains(&definition.name),
        }
    }
}

fn list(places: &Places) -> Result<bool, String> {
    for definition in Definition::all(&places.root)? {
        let bar = definition.bar.map_or_else(String::new, |bar| format!(", bar {bar}"));
        println!("{:<20} {}{bar}", definition.name, definition.what);
    }
    Ok(true)
}

/// Measures; false if an answer was wrong, or a floor was not reached.
fn measure_all(places: &Places, options: &Options) -> Result<bool, String> {
    let definitions = Definition::all(&places.root)?;
    if let Some(unknown) = options.names.iter().find(|name| definitions.iter().all(|known| known.name != **name)) {
        return Err(format!("there is no definition {unknown}; `cargo xtask bench list` shows all"));
    }
    measure::adopt_orphans()?;
    let dachs = program::build_dachs(&places.root)?;
    let mut good = true;
    for definition in definitions.iter().filter(|definition| options.wants(definition)) {
        good &= match rounds::run(places, &dachs, definition, options.rounds, options.quick) {
            Ok(Some(outcome)) => {
                print!("{outcome}");
                if !options.no_record && !options.quick {
                    record::write(places, &outcome)?;
                }
                outcome.wrong.is_empty() && (!options.quick || outcome.reaches(definition.floor))
            }
            Ok(None) => true,
            Err(error) => {
                println!("{}: FAILED: {error}", definition.name);
                false
            }
        };
    }
    Ok(good)
}
