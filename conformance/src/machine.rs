//! Real files and real signatures: everything below /usr, or the given paths, with the databases of the optional data
//! folder.
//!
//! The promises: nothing is detected on a clean machine but the test files of ClamAV, every path gets a result, and the
//! memory beside the image stays below 300 MB. Paths that were not read wholly are counted by reason.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::dachs::{Dachs, FileResult};
use crate::memory::megabytes;
use crate::scratch::Scratch;
use crate::{Broken, Options};

/// Memory that all processes together may hold beside the image, in bytes.
const MEMORY: u64 = 300_000_000;

/// Scans the paths.
pub(crate) fn run(options: &Options) -> Broken {
    let Some(data) = data() else {
        eprintln!("SKIPPED: no folder of real databases ($DACHS_SHARED, or `shared` beside the project)");
        return Ok(0);
    };
    let dachs = Dachs::find()?;
    let scratch = Scratch::new()?;
    let sources = scratch.folder("db")?;
    unpack(&data.join("data/clamav"), &sources)?;
    let database = scratch.path().join("image");
    let image = dachs.build(&sources, &database)?;
    let mut paths: Vec<PathBuf> = options.paths().iter().map(PathBuf::from).collect();
    if paths.is_empty() {
        paths.push(PathBuf::from("/usr"));
    }

    let answer = dachs.scan(&database, &[], &paths)?;
    let mut verdicts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for result in &answer.results {
        *verdicts.entry(&result.verdict).or_default() += 1;
        if let Some((what, _)) = result.anomalies.first().filter(|_| result.verdict == "incomplete") {
            *reasons.entry(what).or_default() += 1;
        }
    }
    let bytes: u64 = answer.results.iter().map(|result| result.bytes).sum();
    println!(
        "machine: {} files, {} looked at, {:.0} s, exit {:?}, {verdicts:?}, incomplete for {reasons:?}, {} held by all processes, {} by one, image of {}",
        answer.results.len(),
        megabytes(bytes),
        answer.elapsed.as_secs_f64(),
        answer.code,
        megabytes(answer.memory.all),
        megabytes(answer.memory.one),
        megabytes(image),
    );
    let mut broken = 0;
    let test_file = |result: &FileResult| result.path.to_string_lossy().contains("clamav-testfiles");
    let detected = answer.results.iter().filter(|result| result.verdict == "detected");
    for result in detected.filter(|result| !test_file(result)).take(20) {
        broken += 1;
        println!("machine: BROKEN: {} is detected as {:?}", result.path.display(), result.names);
    }
    if answer.memory.all > MEMORY + image {
        broken += 1;
        println!("machine: BROKEN: more than {} held beside the image", megabytes(MEMORY));
    }
    if answer.results.is_empty() || !answer.left.is_empty() {
        broken += 1;
        println!("machine: BROKEN: no result, or left behind: {:?} {}", answer.left, answer.complaint);
    }
    Ok(broken)
}

/// The optional data folder.
pub(crate) fn data() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let beside = || Some(root.parent()?.join("shared"));
    let folder = std::env::var_os("DACHS_SHARED").map(PathBuf::from).or_else(beside)?;
    folder.join("data/clamav").is_dir().then_some(folder)
}

/// Unpacks all databases that are lines of signatures.
pub(crate) fn unpack_all(from: &Path, to: &Path) -> Result<(), String> {
    let script = "for f in official/* daily-extras/* miscreantpunch/* rfxn/*; do case $f in *.gz) gzip -dc \"$f\" >\"$1/$(basename \"${f%.gz}\")\";; *) cp \"$f\" \"$1/\";; esac; done";
    let status = Command::new("sh").args(["-c", script, "sh"]).arg(to).current_dir(from).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        other => Err(format!("the databases cannot be unpacked: {other:?}")),
    }
}

/// Unpacks the databases that are compressed, and copies the others.
pub(crate) fn unpack(from: &Path, to: &Path) -> Result<(), String> {
    let script = "for f in official/*.gz rfxn/*.ndb.gz rfxn/*.hdb.gz; do [ -e \"$f\" ] && gzip -dc \"$f\" >\"$1/$(basename \"${f%.gz}\")\"; done";
    let status = Command::new("sh").args(["-c", script, "sh"]).arg(to).current_dir(from).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        other => Err(format!("the databases cannot be unpacked: {other:?}")),
    }
}
