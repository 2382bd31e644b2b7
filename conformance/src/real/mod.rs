//! Real files: does Dachs find in them what ClamAV finds, with the same names?
//!
//! Two databases are asked about. *Real*: those of the optional data folder; they seldom find anything on a clean machine.
//! *Drawn*: signatures made from the files themselves ([`draw`]): digests and substrings of the files, of their sections,
//! and of every object and normalised form that ClamAV takes out of them. So there are tens of thousands of detections to
//! be compared, and an object that one side does not see, or sees with other bytes, shows.
//!
//! Each difference belongs to a group: who misses it, from what the signature was drawn, and the kind of the file.
//! `real.txt` explains groups with their reasons; a difference that no line covers breaks the promise.

mod corpus;
mod draw;
mod known;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::clamav::{self, Found, plain};
use crate::dachs::{Dachs, FileResult};
use crate::machine;
use crate::scratch::Scratch;
use crate::{Broken, Options};
use known::Known;

/// Unexplained groups whose examples are printed.
const SHOWN: usize = 60;
/// Files that one process is asked about: a command line has an end.
const AT_ONCE: usize = 5000;
/// Examples of one group.
const EXAMPLES: usize = 3;

/// Runs over the folders, or /usr and ClamAV's test files. `--files N`: how many files of them; `--drawn N`: from how many
/// signatures are drawn; `--largest SIZE`; `--packages`: Debian packages of programs, documents, mails and archives too.
pub(crate) fn run(options: &Options) -> Broken {
    if !clamav::is_there() {
        return Ok(0);
    }
    let dachs = Dachs::find()?;
    let all = corpus::files(options)?;
    let known = known::read()?;
    let mut sum = Sum::default();
    if options.number("--files", 1)? > 0 {
        compare_real(&dachs, &all, &known, &mut sum)?;
    }
    let count = usize::try_from(options.number("--drawn", 3000)?).unwrap_or(usize::MAX);
    if count > 0 {
        compare_drawn(&dachs, &corpus::varied(&all, count), &known, &mut sum)?;
    }
    Ok(sum.tell())
}

/// Asks with the real databases.
fn compare_real(dachs: &Dachs, files: &[PathBuf], known: &[Known], sum: &mut Sum) -> Result<(), String> {
    let Some(data) = machine::data() else {
        eprintln!("SKIPPED: no folder of real databases ($DACHS_SHARED, or `shared` beside the project)");
        return Ok(());
    };
    let scratch = Scratch::new()?;
    let sources = scratch.folder("db")?;
    machine::unpack(&data.join("data/clamav"), &sources)?;
    compare(dachs, &sources, files, "real databases", known, sum)
}

/// Asks with signatures drawn from the files.
fn compare_drawn(dachs: &Dachs, files: &[PathBuf], known: &[Known], sum: &mut Sum) -> Result<(), String> {
    let scratch = Scratch::new()?;
    let sources = scratch.folder("db")?;
    let count = draw::database(&sources, files)?;
    let what = format!("{count} drawn signatures");
    let kept = std::env::var_os("DACHS_KEEP").map(PathBuf::from);
    if let Some(kept) = kept {
        draw::keep(&sources, &kept)?;
    }
    compare(dachs, &sources, files, &what, known, sum)
}

/// Asks both sides and sorts what differs.
fn compare(
    dachs: &Dachs,
    sources: &Path,
    files: &[PathBuf],
    what: &str,
    known: &[Known],
    sum: &mut Sum,
) -> Result<(), String> {
    let theirs = clamav::scan_all(sources, files)?;
    let scratch = Scratch::new()?;
    let image = scratch.path().join("image");
    dachs.build(sources, &image)?;
    let (agreed, mut results) = (sum.agreed, 0);
    for some in files.chunks(AT_ONCE) {
        let answer = dachs.scan(&image, &["--max-scan-time=600000"], some)?;
        results += answer.results.len();
        answer.results.iter().for_each(|result| sum.file(result, &theirs, known));
    }
    println!(
        "real: {what}: {results} files, {} names in ClamAV's answers, {} agreed",
        theirs.values().map(BTreeSet::len).sum::<usize>(),
        sum.agreed - agreed
    );
    Ok(())
}

/// A difference without its file: who misses it, what it was drawn from, in what kind of file.
type Group = (&'static str, String, String);

#[derive(Default)]
struct Sum {
    agreed: usize,
    reasons: BTreeMap<String, usize>,
    unknown: BTreeMap<Group, (usize, Vec<String>)>,
}

impl Sum {
    /// Compares what was found in one file.
    fn file(&mut self, result: &FileResult, theirs: &Found, known: &[Known]) {
        let empty = BTreeSet::new();
        let theirs = theirs.get(&result.path).unwrap_or(&empty);
        let ours: BTreeSet<String> = result.names.iter().map(|name| plain(name)).collect();
        self.agreed += ours.intersection(theirs).count();
        for name in theirs.difference(&ours) {
            self.differs("missed", name, result, known);
        }
        for name in ours.difference(theirs) {
            self.differs("extra", name, result, known);
        }
    }

    fn differs(&mut self, who: &'static str, name: &str, result: &FileResult, known: &[Known]) {
        let family = draw::family(name);
        if let Some(known) = known.iter().find(|known| known.covers(who, &family, result)) {
            *self.reasons.entry(known.reason.clone()).or_default() += 1;
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
        let differences: usize = self.unknown.values().map(|(count, _)| count).sum();
        let explained: usize = self.reasons.values().sum();
        println!("real: {} agreed, {explained} differences explained, {differences} not", self.agreed);
        self.unknown.len()
    }
}
