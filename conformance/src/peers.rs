//! The same random databases and files to ClamAV and to Dachs: both must find the same names in each file.
//!
//! A round is one seed: signatures of every kind, files that hold instances of them (whole, or changed in one byte), one
//! process of either side. What differs is asked again alone, made smaller as long as it still differs, and printed. A
//! difference that known.txt lists with its reason is counted, but breaks nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::carrier::{self, KINDS, Kind};
use crate::clamav::{self, Found};
use crate::dachs::Dachs;
use crate::expression;
use crate::random::Random;
use crate::scratch::Scratch;
use crate::signature::{Body, From, Place};
use crate::special;
use crate::{Broken, Options};

const SIGNATURES: usize = 60;
const FILES: usize = 40;
/// Differences that are made smaller and printed in one run; the others are only counted.
const SHOWN: usize = 8;
/// Questions asked to make one difference smaller.
const QUESTIONS: usize = 60;

/// One generated signature.
struct Signature {
    name: String,
    /// The database file that it belongs to: `t.ndb`.
    file: &'static str,
    line: String,
    features: BTreeSet<&'static str>,
    /// Bytes that fulfil one of its patterns, and where they must stand.
    instances: Vec<(Place, Vec<u8>)>,
    /// The kind of files that it matches; absent for any.
    kind: Option<Kind>,
}

/// A signature that only one side finds in a file.
struct Difference {
    signature: usize,
    file: PathBuf,
    /// True if only ClamAV finds it.
    missed: bool,
}

/// Runs `--seeds N` rounds, starting with seed `--first N`. `--list` prints each difference in a line instead.
pub(crate) fn run(options: &Options) -> Broken {
    let seeds = options.number("--seeds", 60)?;
    let first = options.number("--first", 1)?;
    let list = options.rest.iter().any(|option| option == "--list");
    if !clamav::is_there() {
        return Ok(0);
    }
    let dachs = Dachs::find()?;
    let known = known();
    let mut sum = Sum::default();
    for seed in first..first + seeds {
        round(&dachs, seed, &known, list, &mut sum)?;
    }
    println!(
        "peers: {seeds} seeds, {} signatures, {} files, {} answers, {} of them names that both found, {} known differences, {} unknown, {} refused by ClamAV, {} seeds left out",
        sum.signatures, sum.files, sum.answers, sum.agreed, sum.known, sum.unknown, sum.refused, sum.left_out
    );
    for (reason, count) in &sum.reasons {
        println!("peers: known {count} times: {reason}");
    }
    Ok(sum.unknown)
}

#[derive(Default)]
struct Sum {
    signatures: usize,
    files: usize,
    /// Pairs of a signature and a file.
    answers: usize,
    agreed: usize,
    known: usize,
    unknown: usize,
    refused: usize,
    left_out: usize,
    reasons: BTreeMap<String, usize>,
}

fn round(dachs: &Dachs, seed: u64, known: &[Known], list: bool, sum: &mut Sum) -> Result<(), String> {
    let mut random = Random::new(seed);
    let scratch = Scratch::new()?;
    let mut signatures: Vec<Signature> = (0..SIGNATURES).map(|number| signature(&mut random, number)).collect();
    let files = write_files(&mut random, &scratch, &mut signatures)?;
    let (theirs, refused) = match ask_clamav(&scratch, &mut signatures, &files) {
        Ok(answer) => answer,
        // It happens that ClamAV crashes on a signature that it took. Then there is nothing to compare with.
        Err(error) => {
            println!("peers: seed {seed} left out: {error}");
            sum.left_out += 1;
            return Ok(());
        }
    };
    let ours = ask_dachs(dachs, &scratch.path().join("db"), &files)?;
    sum.refused += refused;
    sum.signatures += signatures.len();
    sum.files += files.len();
    sum.answers += files.len() * signatures.len();
    for file in &files {
        sum.agreed += theirs[file].intersection(&ours[file]).count();
    }
    for difference in differences(&signatures, &theirs, &ours) {
        let signature = &signatures[difference.signature];
        if let Some(known) = known.iter().find(|known| known.covers(signature, difference.missed)) {
            sum.known += 1;
            *sum.reasons.entry(known.reason.clone()).or_default() += 1;
            continue;
        }
        sum.unknown += 1;
        if list {
            let who = if difference.missed { "missed" } else { "extra" };
            println!(
                "{who} seed {seed} {} {}",
                difference.file.file_name().unwrap_or_default().display(),
                signature.line
            );
        } else if sum.unknown <= SHOWN {
            show(dachs, seed, signature, &difference)?;
        }
    }
    Ok(())
}

/// Asks ClamAV. It refuses a whole database for one line: the lines it does not like are then left out.
fn ask_clamav(scratch: &Scratch, signatures: &mut Vec<Signature>, files: &[PathBuf]) -> Result<(Found, usize), String> {
    let database = scratch.folder("db")?;
    write_database(&database, signatures)?;
    if let Ok(found) = clamav::scan(&database, files) {
        return Ok((found, 0));
    }
    let before = signatures.len();
    let alone = Scratch::new()?;
    signatures.retain(|signature| {
        write_database(alone.path(), std::slice::from_ref(signature)).is_ok() && clamav::scan(alone.path(), &[]).is_ok()
    });
    write_database(&database, signatures)?;
    Ok((clamav::scan(&database, files)?, before - signatures.len()))
}

fn ask_dachs(dachs: &Dachs, database: &Path, files: &[PathBuf]) -> Result<Found, String> {
    let answer = dachs.scan(database, &[], files)?;
    if !matches!(answer.code, Some(0 | 1 | 3)) {
        return Err(format!("dachs ended with {:?}: {}", answer.code, answer.complaint));
    }
    let mut found: Found = files.iter().map(|file| (file.clone(), BTreeSet::new())).collect();
    for result in answer.results {
        found.entry(result.path).or_default().extend(result.names.iter().map(|name| clamav::plain(name)));
    }
    Ok(found)
}

fn differences(signatures: &[Signature], theirs: &Found, ours: &Found) -> Vec<Difference> {
    let number = |name: &str| signatures.iter().position(|signature| signature.name == name);
    let mut found = Vec::new();
    for (file, theirs) in theirs {
        let Some(ours) = ours.get(file) else { continue };
        for name in theirs.symmetric_difference(ours) {
            let missed = theirs.contains(name);
            found.extend(number(name).map(|signature| Difference { signature, file: file.clone(), missed }));
        }
    }
    found
}

/// One database file a kind, without the files of an earlier attempt.
fn write_database(folder: &Path, signatures: &[Signature]) -> Result<(), String> {
    for file in ["t.cdb", "t.hdb", "t.hsb", "t.mdb", "t.ndb", "t.ldb"] {
        let lines: String = signatures
            .iter()
            .filter(|signature| signature.file == file)
            .map(|signature| signature.line.clone() + "\n")
            .collect();
        let path = folder.join(file);
        let done = if lines.is_empty() { std::fs::remove_file(&path).or(Ok(())) } else { std::fs::write(&path, lines) };
        done.map_err(|error: std::io::Error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

// ---- what is asked ----

fn signature(random: &mut Random, number: usize) -> Signature {
    match random.below(14) {
        0..5 => body_signature(random, number),
        5..10 => logical_signature(random, number),
        10 => hash_signature(random, number),
        11 => handler_signature(random, number),
        12 => member_signature(random, number),
        _ => container_signature(random, number),
    }
}

/// The kind of files that a signature is for: mostly any.
fn kind(random: &mut Random) -> Option<Kind> {
    random.once_in(2).then(|| if random.once_in(2) { Kind::Pe } else { *random.pick(&KINDS) })
}

fn target(kind: Option<Kind>) -> u8 {
    kind.map_or(0, Kind::target)
}

fn body_signature(random: &mut Random, number: usize) -> Signature {
    let kind = kind(random);
    let body = Body::random(random);
    let place = place(random, kind);
    let name = format!("T.Body.{number}");
    let line = format!("{name}:{}:{}:{}", target(kind), place.text, body.text);
    let mut features = body.features;
    if place.from != From::Any {
        features.insert("offset");
    }
    if kind == Some(Kind::MachO) && place.text.starts_with("EP") {
        features.insert("macho-entry");
    }
    Signature { name, file: "t.ndb", line, features, instances: vec![(place, body.instance)], kind }
}

fn logical_signature(random: &mut Random, number: usize) -> Signature {
    let name = format!("T.Logical.{number}");
    let kind = kind(random);
    let count = random.range(1, 4);
    let expression = expression::random(random, count);
    let (mut texts, mut instances, mut features) = (Vec::new(), Vec::new(), BTreeSet::from(["logical"]));
    if expression.contains(['=', '>', '<']) {
        features.insert("count");
    }
    while texts.len() < count {
        if texts.len() + 1 < count && random.once_in(3) {
            let regex = random.once_in(2);
            let make = if regex { special::regex } else { special::comparison };
            let pair = make(random, texts.len());
            features.insert(if regex { "regex" } else { "comparison" });
            texts.extend([pair.first, pair.second]);
            instances.push((Place::anywhere(), pair.instance));
            continue;
        }
        let (text, place, instance) = subsignature(random, &mut features);
        texts.push(text);
        instances.push((place, instance));
    }
    if features.contains("count") && features.contains("gap") {
        features.insert("gap-count");
    }
    let condition = conditions(random, kind);
    if kind == Some(Kind::MachO) && condition.contains("EntryPoint") {
        features.insert("macho-entry");
    }
    let line = format!("{name};Engine:81-255,Target:{}{condition};{expression};{}", target(kind), texts.join(";"));
    Signature { name, file: "t.ldb", line, features, instances, kind }
}

/// A signature of what stands in containers.
fn container_signature(random: &mut Random, number: usize) -> Signature {
    let name = format!("T.Container.{number}");
    let body = Body::letters(random);
    let wraps: Vec<&str> = random.pick(&carrier::WRAPS).to_vec();
    let condition = match wraps.as_slice() {
        [] => "Container:CL_TYPE_ANY".to_owned(),
        [.., last] if random.once_in(2) => format!("Container:CL_TYPE_{last}"),
        all => {
            let from = random.below(all.len());
            let layers: Vec<String> = all[from..].iter().map(|wrap| format!("CL_TYPE_{wrap}")).collect();
            format!("Intermediates:{}", layers.join(">"))
        }
    };
    let line = format!("{name};Engine:81-255,Target:0,{condition};0;{}::i", body.text);
    let instances = vec![(Place::anywhere(), body.instance)];
    let features = with_zip(&line, BTreeSet::from(["container"]));
    Signature { name, file: "t.ldb", line, features, instances, kind: None }
}

/// A signature whose object is scanned again as one of a kind.
fn handler_signature(random: &mut Random, number: usize) -> Signature {
    let name = format!("T.Handler.{number}");
    let body = Body::letters(random);
    let (handler, target) = *random.pick(&[("PDF", 0), ("SWF", 0), ("PDF", 10), ("PDF", 1)]);
    let line = format!("{name};Engine:81-255,HandlerType:CL_TYPE_{handler},Target:{target};0;{}::i", body.text);
    let instances = vec![(Place::anywhere(), body.instance)];
    let kind = [Kind::Pdf, Kind::Pe].into_iter().find(|kind| kind.target() == target);
    Signature { name, file: "t.ldb", line, features: BTreeSet::from(["handler"]), instances, kind }
}

/// A signature of what an archive says of a member.
fn member_signature(random: &mut Random, number: usize) -> Signature {
    let name = format!("T.Member.{number}");
    let container = *random.pick(&["*", "CL_TYPE_ZIP", "CL_TYPE_POSIX_TAR", "CL_TYPE_OOXML_WORD", "CL_TYPE_OOXML_XL"]);
    let member = *random.pick(&["*", "zip$", "^mem", "document.xml", "[a-z]+/.*k"]);
    let size = |random: &mut Random| match random.below(3) {
        0 => format!("{}-{}", random.below(900), random.range(900, 4000)),
        _ => "*".to_owned(),
    };
    let (whole, packed, length) = (size(random), size(random), size(random));
    let encrypted = *random.pick(&["*", "*", "0", "1"]);
    let position = *random.pick(&["*", "*", "1", "2"]);
    let line = format!("{name}:{container}:{whole}:{member}:{packed}:{length}:{encrypted}:{position}:*:*");
    let features = with_zip(&line, BTreeSet::from(["member"]));
    Signature { name, file: "t.cdb", line, features, instances: Vec::new(), kind: None }
}

/// The features, and one more of a signature that asks for ZIP archives.
fn with_zip<'f>(line: &str, mut features: BTreeSet<&'f str>) -> BTreeSet<&'f str> {
    if line.contains("CL_TYPE_ZIP") {
        features.insert("zip");
    }
    features
}

fn conditions(random: &mut Random, kind: Option<Kind>) -> String {
    let executable = kind.filter(|kind| kind.is_executable());
    match (random.below(6), executable) {
        (0, _) => format!(",FileSize:{}-{}", random.below(400), random.range(800, 3000)),
        (1, Some(_)) => format!(",NumberOfSections:{}-3", random.range(1, 3)),
        (2, Some(kind)) => {
            let (first, _, entry) = kind.places();
            format!(",EntryPoint:{first}-{}", entry + random.below(3) - 1)
        }
        _ => String::new(),
    }
}

/// A subsignature with its offset and, for plain letters, its modifiers.
fn subsignature(random: &mut Random, features: &mut BTreeSet<&'static str>) -> (String, Place, Vec<u8>) {
    let place = if random.once_in(4) { Place::random(random) } else { Place::anywhere() };
    let offset = if place.from == From::Any { String::new() } else { format!("{}:", place.text) };
    if random.once_in(2) {
        let body = Body::random(random);
        features.extend(body.features);
        return (format!("{offset}{}", body.text), place, body.instance);
    }
    let body = Body::letters(random);
    let modifiers = *random.pick(&["", "i", "w", "a", "f", "iw", "wa", "fi", "fw"]);
    match modifiers {
        "" => {}
        "fw" => drop(features.insert("wide-word")),
        _ => drop(features.insert("modifiers")),
    }
    let instance = modified(random, body.instance, modifiers);
    let ending = if modifiers.is_empty() { String::new() } else { format!("::{modifiers}") };
    (format!("{offset}{}{ending}", body.text), place, instance)
}

/// What letters look like under modifiers.
fn modified(random: &mut Random, mut letters: Vec<u8>, modifiers: &str) -> Vec<u8> {
    if modifiers.contains('i') {
        letters.iter_mut().filter(|_| random.once_in(2)).for_each(u8::make_ascii_uppercase);
    }
    if modifiers.contains('w') && !(modifiers.contains('a') && random.once_in(2)) {
        letters = letters.iter().flat_map(|letter| [*letter, 0]).collect();
    }
    if modifiers.contains('f') && !random.once_in(3) {
        letters = [b" ".as_slice(), &letters, b" "].concat();
    }
    letters
}

/// A digest of a file that is written later; until then the line is empty.
fn hash_signature(random: &mut Random, number: usize) -> Signature {
    let file = *random.pick(&["t.hdb", "t.hsb"]);
    let name = format!("T.Hash.{number}");
    Signature { name, file, line: String::new(), features: BTreeSet::from(["hash"]), instances: Vec::new(), kind: None }
}

fn place(random: &mut Random, kind: Option<Kind>) -> Place {
    match kind {
        Some(kind) if kind.is_executable() => executable_place(random, kind),
        _ => Place::random(random),
    }
}

fn executable_place(random: &mut Random, kind: Kind) -> Place {
    let (first, last, entry) = kind.places();
    let distance = random.below(100);
    let shift = if random.once_in(3) { random.range(1, 40) } else { 0 };
    let (text, at) = match random.below(6) {
        0 => (format!("EP+{distance}"), entry + distance),
        1 => (format!("EP-{}", distance.min(30)), entry - distance.min(30)),
        2 => (format!("S0+{distance}"), first + distance),
        3 => (format!("SL+{distance}"), last + distance),
        4 => return Place { text: "SE1".to_owned(), from: From::Executable(last + distance), shift: 0 },
        _ => return Place::random(random),
    };
    let text = if shift > 0 { format!("{text},{shift}") } else { text };
    Place { text, from: From::Executable(at), shift }
}

/// Writes the files, and the lines of the hash signatures, which are about them.
fn write_files(random: &mut Random, scratch: &Scratch, signatures: &mut [Signature]) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for number in 0..FILES {
        let wraps = if random.once_in(4) { *random.pick(&carrier::WRAPS) } else { &[] };
        let bytes = carrier::wrap(file(random, signatures), wraps);
        files.push(scratch.write(&format!("f{number}"), &bytes)?);
    }
    // Of two signatures with one digest, ClamAV keeps the name of one: each file is taken once.
    let mut left: Vec<PathBuf> = files.clone();
    for signature in signatures.iter_mut().filter(|signature| signature.line.is_empty()) {
        let file = left.swap_remove(random.below(left.len()));
        signature.line = hash_line(random, &signature.name, &file)?;
    }
    Ok(files)
}

/// A line with the digest of a file, as coreutils compute it; sometimes of another size, so that it must not match.
fn hash_line(random: &mut Random, name: &str, file: &Path) -> Result<String, String> {
    let tool = *random.pick(&["md5sum", "sha1sum", "sha256sum"]);
    let output = std::process::Command::new(tool).arg(file).output().map_err(|error| format!("{tool}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let digest = text.split_whitespace().next().unwrap_or_default().to_owned();
    let size = std::fs::metadata(file).map_err(|error| error.to_string())?.len();
    Ok(match random.below(4) {
        0 => format!("{digest}:*:{name}:73"),
        1 => format!("{digest}:{}:{name}", size + 1),
        _ => format!("{digest}:{size}:{name}"),
    })
}

/// A file with instances of some signatures.
fn file(random: &mut Random, signatures: &[Signature]) -> Vec<u8> {
    let kind = match random.below(4) {
        0 => Kind::Pe,
        1 => *random.pick(&KINDS),
        _ => Kind::Data,
    };
    let mut file = kind.build(random);
    for _ in 0..random.range(0, 12) {
        let signature = random.pick(signatures);
        if signature.kind.is_some_and(|wanted| wanted != kind) {
            continue;
        }
        for (place, instance) in &signature.instances {
            let mut instance = instance.clone();
            for _ in 0..random.below(3) {
                spoil(random, &mut instance);
                insert(random, &mut file, kind.header(), place, &instance);
            }
        }
    }
    file
}

/// Changes an instance in one place, more often not.
fn spoil(random: &mut Random, instance: &mut Vec<u8>) {
    let at = random.below(instance.len());
    match random.below(8) {
        0 => instance[at] = instance[at].wrapping_add(1),
        1 => instance.insert(at, b'a'),
        2 if instance.len() > 1 => drop(instance.remove(at)),
        _ => {}
    }
}

fn insert(random: &mut Random, file: &mut [u8], header: usize, place: &Place, instance: &[u8]) {
    let length = file.len();
    let late = random.below(place.shift + 2).min(place.shift + usize::from(random.once_in(4)));
    let at = match place.from {
        From::Any => random.below(length),
        From::Start(at) => at + late,
        From::End(distance) => length.saturating_sub(distance) + late,
        From::Executable(at) => at + late,
    };
    // Headers stay whole: in a broken executable ClamAV knows no offsets at all, not even those from the end.
    if at < header {
        return;
    }
    for (offset, byte) in instance.iter().enumerate() {
        if let Some(slot) = file.get_mut(at + offset) {
            *slot = *byte;
        }
    }
}

// ---- what differs ----

/// Prints a difference, with as few bytes of the file as still show it.
fn show(dachs: &Dachs, seed: u64, signature: &Signature, difference: &Difference) -> Result<(), String> {
    let scratch = Scratch::new()?;
    let database = scratch.folder("db")?;
    write_database(&database, std::slice::from_ref(signature))?;
    let whole = std::fs::read(&difference.file).map_err(|error| error.to_string())?;
    // A broken executable is another question: where its sections are is no longer known.
    let shrinks = whole.starts_with(&[1, 2, 3, 0xf7]);
    let mut questions = 0;
    let mut differs = |bytes: &[u8]| -> Result<bool, String> {
        questions += 1;
        if questions > QUESTIONS {
            return Ok(false);
        }
        let file = vec![scratch.write("file", bytes)?];
        let theirs = clamav::scan(&database, &file)?;
        let ours = ask_dachs(dachs, &database, &file)?;
        Ok(theirs != ours)
    };
    let who = if difference.missed { "only ClamAV finds it" } else { "only Dachs finds it" };
    println!("\nseed {seed}, {who}, {:?}:\n  {}: {}", signature.features, signature.file, signature.line);
    if !differs(&whole)? {
        println!("  not when it is asked alone; in {} with all signatures of the seed", difference.file.display());
        return Ok(());
    }
    let small = if shrinks { shrink(whole, &mut differs)? } else { whole };
    let text: String = small.iter().map(|byte| format!("{byte:02x}")).collect();
    println!("  {} bytes: {}", small.len(), text.get(..2000).unwrap_or(&text));
    Ok(())
}

/// Removes stretches, first long and then short ones, as long as the difference stays.
fn shrink(mut bytes: Vec<u8>, differs: &mut dyn FnMut(&[u8]) -> Result<bool, String>) -> Result<Vec<u8>, String> {
    let mut step = bytes.len() / 2;
    while step > 3 {
        let mut start = 0;
        while start < bytes.len() && bytes.len() > step {
            let mut shorter = bytes.clone();
            shorter.drain(start..(start + step).min(bytes.len()));
            if differs(&shorter)? { bytes = shorter } else { start += step }
        }
        step /= 2;
    }
    Ok(bytes)
}

/// A line of known.txt: `missed|extra FEATURE # reason`.
struct Known {
    missed: bool,
    feature: String,
    reason: String,
}

impl Known {
    fn covers(&self, signature: &Signature, missed: bool) -> bool {
        self.missed == missed && signature.features.contains(self.feature.as_str())
    }
}

fn known() -> Vec<Known> {
    let parse = |line: &str| {
        let (rule, reason) = line.split_once('#')?;
        let mut words = rule.split_whitespace();
        let missed = words.next()? == "missed";
        Some(Known { missed, feature: words.next()?.to_owned(), reason: reason.trim().to_owned() })
    };
    include_str!("../known.txt").lines().filter_map(parse).collect()
}
