//! Real files: does Dachs find in them what ClamAV finds, with the same names?
//!
//! Two databases are asked about at once. *Real*: those of the optional data folder; they seldom find anything on a clean
//! machine. *Drawn*: signatures made from the files themselves ([`draw`]): digests and substrings of the files, of their sections,
//! and of every object and normalised form that ClamAV takes out of them. So there are tens of thousands of detections to
//! be compared, and an object that one side does not see, or sees with other bytes, shows.
//!
//! Each difference belongs to a group: who misses it, from what the signature was drawn, and the kind of the file.
//! `real.txt` explains groups with their reasons, and some differences are explained by looking into the file ([`evidence`]);
//! one that nothing explains breaks the promise.

mod corpus;
mod draw;
mod evidence;
mod kept;
mod known;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::clamav::{self, Found, plain};
use crate::dachs::{Dachs, FileResult};
use crate::machine;
use crate::scratch::Scratch;
use crate::{Broken, Options};
pub(crate) use corpus::some;
use draw::Drawn;
use evidence::Evidence;
use kept::Kept;
use known::Known;

/// Unexplained groups whose examples are printed.
const SHOWN: usize = 60;
/// Files that one process is asked about: a command line has an end.
const AT_ONCE: usize = 2000;
/// Examples of one group.
const EXAMPLES: usize = 3;
/// A report holds so many detections, each in each object that it is found in.
const FULL: usize = 1000;
/// Why Dachs does not tell more of a file.
const FULL_REASON: &str = "the report is full: 1,000 detections in one file";

/// Runs over the folders, or /usr and ClamAV's test files. `--files N`: how many files of them; `--drawn N`: from how many
/// signatures are drawn; `--largest SIZE`; `--packages`: Debian packages of programs, documents, mails and archives too;
/// `--no-real`: without the real databases; `--keep FOLDER`: what ClamAV answers is kept there, and asked once; `--only-clamav`:
/// ends when that is there.
pub(crate) fn run(options: &Options) -> Broken {
    if !clamav::is_there() {
        return Ok(0);
    }
    let kept = Kept::open(options)?;
    let all = kept.files(|| corpus::files(options))?;
    let count = usize::try_from(options.number("--drawn", 3000)?).unwrap_or(usize::MAX);
    let (sources, drawn) = kept.drawn(|sources| {
        if !options.has("--no-real") {
            real_databases(sources)?;
        }
        draw::database(sources, &corpus::varied(&all, count))
    })?;
    println!("real: {} files, {} signatures drawn from them", all.len(), drawn.number());
    let ask = |(number, some): (usize, &[PathBuf])| kept.answers(number, || clamav::scan_all(&sources, some));
    if options.has("--only-clamav") {
        all.chunks(AT_ONCE).enumerate().try_for_each(|some| ask(some).map(drop))?;
        return Ok(0);
    }
    let mut sum = Sum { known: known::read()?, drawn, ..Sum::default() };
    compare(&Dachs::find()?, &sources, &all, &ask, &mut sum)?;
    Ok(sum.tell())
}

/// Unpacks the real databases to a folder.
fn real_databases(sources: &Path) -> Result<(), String> {
    let Some(data) = machine::data() else {
        eprintln!("SKIPPED: no folder of real databases ($DACHS_SHARED, or `shared` beside the project)");
        return Ok(());
    };
    machine::unpack(&data.join("data/clamav"), sources)
}

/// Gives what ClamAV finds in the files of one process, which have a number.
type Ask<'a> = dyn Fn((usize, &[PathBuf])) -> Result<Found, String> + 'a;

/// Asks both sides, some files at a time, and sorts what differs.
fn compare(dachs: &Dachs, sources: &Path, files: &[PathBuf], ask: &Ask<'_>, sum: &mut Sum) -> Result<(), String> {
    let scratch = Scratch::new()?;
    let image = scratch.path().join("image");
    dachs.build(sources, &image)?;
    for (number, some) in files.chunks(AT_ONCE).enumerate() {
        let theirs = ask((number, some))?;
        let answer = dachs.scan(&image, &["--max-scan-time=600000"], some)?;
        answer.results.iter().for_each(|result| sum.file(result, &theirs));
        sum.files += answer.results.len();
        sum.theirs += theirs.values().map(BTreeSet::len).sum::<usize>();
        println!(
            "real: {} of {} files, {} names in ClamAV's answers, {} agreed, {} differ unexplained",
            sum.files,
            files.len(),
            sum.theirs,
            sum.agreed,
            sum.differences()
        );
    }
    Ok(())
}

/// A difference without its file: who misses it, what it was drawn from, in what kind of file.
type Group = (&'static str, String, String);

#[derive(Default)]
struct Sum {
    known: Vec<Known>,
    drawn: Drawn,
    files: usize,
    /// Names that ClamAV gave.
    theirs: usize,
    agreed: usize,
    reasons: BTreeMap<String, usize>,
    unknown: BTreeMap<Group, (usize, Vec<String>)>,
}

impl Sum {
    /// Compares what was found in one file.
    fn file(&mut self, result: &FileResult, theirs: &Found) {
        let empty = BTreeSet::new();
        let theirs = theirs.get(&result.path).unwrap_or(&empty);
        let ours: BTreeSet<String> = result.names.iter().map(|name| plain(name)).collect();
        self.agreed += ours.intersection(theirs).count();
        let mut evidence = Evidence::new(&result.path);
        for name in theirs.difference(&ours) {
            self.differs("missed", name, result, &mut evidence);
        }
        for name in ours.difference(theirs) {
            self.differs("extra", name, result, &mut evidence);
        }
    }

    fn differs(&mut self, who: &'static str, name: &str, result: &FileResult, evidence: &mut Evidence<'_>) {
        let family = draw::family(name);
        let known =
            self.known.iter().find(|known| known.covers(who, &family, result)).map(|known| known.reason.clone());
        let full = (who == "missed" && result.names.len() >= FULL).then(|| FULL_REASON.to_owned());
        let shown = || {
            evidence
                .explain(who, &result.kind, result.places.get(name).map(String::as_str), self.drawn.signature(name)?)
                .map(str::to_owned)
        };
        if let Some(reason) = full.or(known).or_else(shown) {
            *self.reasons.entry(reason).or_default() += 1;
            return;
        }
        let group = (who, family, result.kind.clone());
        let (count, examples) = self.unknown.entry(group).or_default();
        *count += 1;
        if examples.len() < EXAMPLES {
            let place = result.places.get(name).map_or(String::new(), |place| format!(" in {place}"));
            examples.push(format!("{name}: {}{place}", result.path.display()));
        }
    }

    fn differences(&self) -> usize {
        self.unknown.values().map(|(count, _)| count).sum()
    }

    /// Prints everything; gives the number of groups that nothing explains.
    fn tell(&self) -> usize {
        for (reason, count) in &self.reasons {
            println!("real: explained {count} times: {reason}");
        }
        let mut groups: Vec<_> = self.unknown.iter().collect();
        groups.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
        for ((who, family, kind), (count, examples)) in groups.into_iter().take(SHOWN) {
            println!("real: UNEXPLAINED {count} times: {who} {family} {kind}");
            for example in examples {
                println!("real:     {example}");
            }
        }
        let explained: usize = self.reasons.values().sum();
        println!(
            "real: {} files: {} agreed, {explained} differences explained, {} not",
            self.files,
            self.agreed,
            self.differences()
        );
        self.unknown.len()
    }
}
