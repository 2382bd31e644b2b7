//! YARA rules: does Dachs hit what Debian's `yara` hits?
//!
//! ```text
//! rules ── yarac ──> files that it takes ──┬─────────────> yara ──> hits: rule, file ─┐
//!            └────> files that it refuses  ├─ made.rs ──> files made to match          ├─> differences, each with a reason
//!                                          └─ dachs db build ──> dachs scan ──> hits ──┘
//! ```
//!
//! Two collections are asked about: rules of our own, in `conformance/yara/rules`, and the public ones of the optional data
//! folder. They are run over clean files of /usr and over files that are made from the rules themselves ([`made`]): a header
//! that the condition asks for, and a sample of each string. `conformance/yara/known.txt` explains differences; one that no
//! line covers breaks the promise.
//!
//! With the feature `yara-x`, that engine is asked too, behind the traits of `dachs_rules` ([`yara_x`]).

mod known;
mod made;
mod peer;
#[cfg(feature = "yara-x")]
pub(crate) mod yara_x;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::dachs::Dachs;
use crate::real;
use crate::scratch::Scratch;
use crate::{Broken, Options, rules};
use known::Known;

/// Hits: the names of rules, by file.
pub(crate) type Hits = BTreeMap<PathBuf, BTreeSet<String>>;

/// Files that one process is asked about: a command line has an end.
const AT_ONCE: usize = 5000;
/// Differences that are printed.
const SHOWN: usize = 100;

/// Compares both collections. `--files N`: over how many files of /usr; `--largest SIZE`; `--keep FOLDER`: leaves the corpus
/// there.
pub(crate) fn run(options: &Options) -> Broken {
    if !peer::is_there() {
        return Ok(0);
    }
    let dachs = Dachs::find()?;
    let count = usize::try_from(options.number("--files", 5000)?).unwrap_or(usize::MAX);
    let largest = options.number("--largest", 4 << 20)?;
    let clean = real::some(&[PathBuf::from("/usr")], largest, count);
    let few: Vec<PathBuf> = clean.iter().take(200).cloned().collect();
    let mut broken = compare(&dachs, "own rules", &rules::own(), &few, options)?;
    match rules::public()? {
        Some(public) => broken += compare(&dachs, "public rules", public.path(), &clean, options)?,
        None => eprintln!("SKIPPED: no folder of public YARA rules ($DACHS_SHARED, or `shared` beside the project)"),
    }
    Ok(broken)
}

/// Asks all sides about one collection.
fn compare(dachs: &Dachs, what: &str, rules: &Path, clean: &[PathBuf], options: &Options) -> Broken {
    let scratch = Scratch::new()?;
    let taken = taken(rules, &scratch.folder("rules")?)?;
    let folder = match options.text("--keep") {
        Some(folder) => PathBuf::from(folder).join(what.replace(' ', "-")),
        None => scratch.folder("made")?,
    };
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let made = made::files(&taken.files, &folder)?;
    println!(
        "yara: {what}: {} files of rules, {} of them refused by yara; {} clean files, {} made to match",
        taken.files.len() + taken.refused.len(),
        taken.refused.len(),
        clean.len(),
        made.len()
    );
    let files: Vec<PathBuf> = clean.iter().chain(&made).cloned().collect();
    let theirs = peer::hits(&taken.files, &files)?;
    let ours = ours(dachs, &taken.folder, &files, &scratch)?;
    let known = known::read()?;
    let mut broken = Differences::of("yara", &ours, &theirs, &known).tell(what);
    #[cfg(feature = "yara-x")]
    {
        let theirs = yara_x::hits(&taken.files, &files)?;
        broken += Differences::of("yara-x", &ours, &theirs, &known).tell(what);
    }
    if theirs.values().all(BTreeSet::is_empty) {
        println!("yara: BROKEN: {what}: no rule hits anything, so that nothing was compared");
        broken += 1;
    }
    Ok(broken)
}

/// Files of rules that yara takes, copied to a folder with the same places.
struct Taken {
    folder: PathBuf,
    files: Vec<PathBuf>,
    refused: Vec<PathBuf>,
}

fn taken(rules: &Path, to: &Path) -> Result<Taken, String> {
    let mut taken = Taken { folder: to.to_path_buf(), files: Vec::new(), refused: Vec::new() };
    for file in rules::files(rules) {
        if !peer::takes(&file) {
            taken.refused.push(file);
            continue;
        }
        let place = to.join(file.strip_prefix(rules).unwrap_or(&file));
        let folder = place.parent().unwrap_or(to);
        let copied = std::fs::create_dir_all(folder).and_then(|()| std::fs::copy(&file, &place));
        copied.map_err(|error| format!("{}: {error}", place.display()))?;
        taken.files.push(place);
    }
    Ok(taken)
}

/// What Dachs hits, in the files themselves.
fn ours(dachs: &Dachs, rules: &Path, files: &[PathBuf], scratch: &Scratch) -> Result<Hits, String> {
    let image = scratch.path().join("image");
    dachs.build(rules, &image)?;
    let mut hits = Hits::new();
    for some in files.chunks(AT_ONCE) {
        let answer = dachs.scan(&image, &["--yara-on", "files", "--max-scan-time", "600s"], some)?;
        if answer.results.len() != some.len() {
            return Err(format!("{} results for {} files: {}", answer.results.len(), some.len(), answer.complaint));
        }
        for result in answer.results {
            if let Some((_, detail)) = result.anomalies.iter().find(|(_, detail)| detail.contains("YARA")) {
                return Err(format!("{}: {detail}", result.path.display()));
            }
            hits.insert(result.path, result.names.into_iter().collect());
        }
    }
    Ok(hits)
}

/// What one side hits and the other does not.
#[derive(Default)]
struct Differences {
    peer: &'static str,
    agreed: usize,
    theirs: usize,
    explained: BTreeMap<String, BTreeSet<String>>,
    unknown: Vec<String>,
}

impl Differences {
    fn of(peer: &'static str, ours: &Hits, theirs: &Hits, known: &[Known]) -> Differences {
        let mut differences = Differences { peer, ..Differences::default() };
        let none = BTreeSet::new();
        for (file, ours) in ours {
            let theirs = theirs.get(file).unwrap_or(&none);
            differences.theirs += theirs.len();
            differences.agreed += ours.intersection(theirs).count();
            theirs.difference(ours).for_each(|rule| differences.add("missed", rule, file, known));
            ours.difference(theirs).for_each(|rule| differences.add("extra", rule, file, known));
        }
        differences
    }

    fn add(&mut self, who: &str, rule: &str, file: &Path, known: &[Known]) {
        let line = format!("{who} {rule} in {}", file.display());
        match known.iter().find(|known| known.covers(self.peer, who, rule)) {
            Some(known) => drop(self.explained.entry(known.reason.clone()).or_default().insert(line)),
            None => self.unknown.push(line),
        }
    }

    /// Prints all; gives the number of those that nothing explains.
    fn tell(&self, what: &str) -> usize {
        for (reason, lines) in &self.explained {
            println!("yara: {what}: {} differ: {reason}", lines.len());
            lines.iter().take(SHOWN).for_each(|line| println!("yara:     {line}"));
        }
        self.unknown.iter().take(SHOWN).for_each(|line| println!("yara: UNEXPLAINED: {line}"));
        let explained: usize = self.explained.values().map(BTreeSet::len).sum();
        println!(
            "yara: {what}: {} has {} hits, {} agreed, {explained} differences explained, {} not",
            self.peer,
            self.theirs,
            self.agreed,
            self.unknown.len()
        );
        self.unknown.len()
    }
}
