//! What is matched besides the bytes of a file: normalised texts and pages, scripts, parts of mails, members of documents,
//! streams and macros of compound files. Do both sides find the same names there?
//!
//! A round is one seed: files of all these forms are put together from a few random words ([`carrier`]), and signatures ask for
//! those words ([`signature`]): for every target that has a view, in either case, wide, with gaps, counted, with regular
//! expressions, and in containers of a kind. Both sides read with all their parsers. Of what differs on purpose, views.txt says
//! which side finds what, in which form, by which target, and why.

mod carrier;
mod signature;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::dachs::Dachs;
use crate::random::Random;
use crate::scratch::Scratch;
use crate::{Broken, Options, clamav};
use carrier::Form;
use signature::Signature;

const FILES: usize = 24;
const SIGNATURES: usize = 50;
/// Differences that are printed.
const SHOWN: usize = 12;

#[derive(Default)]
struct Sum {
    answers: usize,
    agreed: usize,
    unknown: usize,
    reasons: BTreeMap<String, usize>,
    /// Names that both found, by the form of the file.
    forms: BTreeMap<Form, usize>,
}

/// Runs `--seeds N` rounds, starting with seed `--first N`. Files that tell the sides apart are kept in target/views.
pub(crate) fn run(options: &Options) -> Broken {
    let (seeds, first) = (options.number("--seeds", 100)?, options.number("--first", 1)?);
    if !clamav::is_there() {
        return Ok(0);
    }
    let dachs = Dachs::find()?;
    let known: Vec<Known> = include_str!("../views.txt").lines().filter_map(Known::read).collect();
    let mut sum = Sum::default();
    for seed in first..first + seeds {
        round(&dachs, seed, &known, &mut sum)?;
    }
    for (reason, count) in &sum.reasons {
        println!("views: known {count} times: {reason}");
    }
    println!(
        "views: {seeds} seeds, {} answers, {} of them names that both found {:?}, {} known differences, {} unknown",
        sum.answers,
        sum.agreed,
        sum.forms,
        sum.reasons.values().sum::<usize>(),
        sum.unknown
    );
    Ok(sum.unknown)
}

fn round(dachs: &Dachs, seed: u64, known: &[Known], sum: &mut Sum) -> Result<(), String> {
    let mut random = Random::new(seed);
    let scratch = Scratch::new()?;
    let words: Vec<String> = (0..30).map(|_| word(&mut random)).collect();
    let (mut files, mut forms) = (Vec::new(), BTreeMap::new());
    for number in 0..FILES {
        let form = Form::ALL[number % Form::ALL.len()];
        let path = scratch.write(&format!("f{number}"), &carrier::build(&mut random, form, &words))?;
        forms.insert(path.clone(), form);
        files.push(path);
    }
    let signatures: Vec<Signature> =
        (0..SIGNATURES).map(|number| signature::random(&mut random, number, &words)).collect();
    let database = scratch.folder("db")?;
    for ending in ["ldb", "ndb"] {
        let lines: String =
            signatures.iter().filter(|one| one.ending == ending).map(|one| one.line.clone() + "\n").collect();
        std::fs::write(database.join(format!("t.{ending}")), lines).map_err(|error| error.to_string())?;
    }
    let theirs = clamav::scan_all(&database, &files)?;
    let answer = dachs.scan(&database, &[], &files)?;
    if !matches!(answer.code, Some(0 | 1 | 3)) {
        return Err(format!("dachs ended with {:?}: {}", answer.code, answer.complaint));
    }
    for result in &answer.results {
        let form = forms[&result.path];
        let theirs = theirs.get(&result.path).cloned().unwrap_or_default();
        let ours = result.names.iter().map(|name| clamav::plain(name)).collect();
        sum.answers += signatures.len();
        let both = theirs.intersection(&ours).count();
        sum.agreed += both;
        *sum.forms.entry(form).or_default() += both;
        for name in theirs.symmetric_difference(&ours) {
            let Some(signature) = signatures.iter().find(|signature| signature.name == *name) else { continue };
            let who = if theirs.contains(name) { "missed" } else { "extra" };
            let place = result.places.get(name).map_or("", String::as_str);
            let is_known = |known: &&Known| {
                known.covers(who, signature, form, place) && known.is_proven(dachs, signature, &result.path)
            };
            match known.iter().find(is_known) {
                Some(known) => *sum.reasons.entry(known.reason.clone()).or_default() += 1,
                None => sum.differs(seed, who, signature, form, &result.path, result.places.get(name)),
            }
        }
    }
    Ok(())
}

fn word(random: &mut Random) -> String {
    (0..random.range(5, 9)).map(|_| char::from(*random.pick(b"abcdefghijk"))).collect()
}

impl Sum {
    fn differs(
        &mut self,
        seed: u64,
        who: &str,
        signature: &Signature,
        form: Form,
        path: &Path,
        place: Option<&String>,
    ) {
        self.unknown += 1;
        if self.unknown > SHOWN {
            return;
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/views");
        let kept: PathBuf = folder.join(format!("{seed}-{}", path.file_name().unwrap_or_default().display()));
        let done = std::fs::create_dir_all(&folder).and_then(|()| std::fs::copy(path, &kept));
        println!(
            "views: UNKNOWN: {who} seed {seed} {form:?} target {} {}\n    {}{}{}",
            signature.target,
            signature.ending,
            signature.line,
            place.map_or(String::new(), |place| format!("\n    in {place}")),
            done.map_or(String::new(), |_| format!("\n    {}", kept.display()))
        );
    }
}

/// A line of views.txt: `missed|extra TARGET FORM [WHAT] # reason`; `*` is any target or form. WHAT is a feature of the
/// signature, or occurs in the place where Dachs finds it. `in:WORD` is proven: see [`Known::is_proven`].
struct Known {
    who: String,
    target: String,
    form: String,
    what: Option<String>,
    reason: String,
}

impl Known {
    fn read(line: &str) -> Option<Known> {
        let (rule, reason) = line.split_once(" # ")?;
        let mut words = rule.split(' ').map(str::to_owned);
        let (who, target, form) = (words.next()?, words.next()?, words.next()?);
        (who != "#").then(|| Known { who, target, form, what: words.next(), reason: reason.to_owned() })
    }

    fn covers(&self, who: &str, signature: &Signature, form: Form, place: &str) -> bool {
        let what = |what: &String| {
            what.starts_with("in:") || place.contains(what.as_str()) || signature.features().contains(&what.as_str())
        };
        let fits = |pattern: &str, word: &str| pattern == "*" || pattern == word;
        self.who == who
            && fits(&self.target, &signature.target.to_string())
            && fits(&self.form, &format!("{form:?}").to_lowercase())
            && self.what.as_ref().is_none_or(what)
    }

    /// What `in:WORD` says is asked of the bytes themselves: of the objects that ClamAV made of this file, and left as files, both sides find
    /// the name in one whose path holds the word, and Dachs in no other. So it was missed because Dachs makes no such object, and for no
    /// other reason. What the object was unpacked from is not asked.
    fn is_proven(&self, dachs: &Dachs, signature: &Signature, file: &Path) -> bool {
        let Some(word) = self.what.as_ref().and_then(|what| what.strip_prefix("in:")) else { return true };
        let proof = || -> Result<bool, String> {
            let scratch = Scratch::new()?;
            let database = scratch.folder("db")?;
            let line = signature.without_container() + "\n";
            std::fs::write(database.join(format!("t.{}", signature.ending)), line)
                .map_err(|error| error.to_string())?;
            let objects = clamav::objects(&database, file, &scratch.folder("objects")?)?;
            let theirs = clamav::scan_all(&database, &objects)?;
            let ours = dachs.scan(&database, &[], &objects)?;
            let (mut inside, mut outside) = (false, false);
            for result in ours.results.iter().filter(|result| !result.names.is_empty()) {
                let is_inside = result.path.to_string_lossy().contains(word);
                inside |= is_inside && theirs.get(&result.path).is_some_and(|names| !names.is_empty());
                // Normalised forms of objects stand in folders that are named after those.
                outside |= !is_inside && !result.path.to_string_lossy().contains(".tmp.");
            }
            Ok(inside && !outside)
        };
        proof().unwrap_or_else(|error| {
            eprintln!("views: no proof for {}: {error}", file.display());
            false
        })
    }
}
