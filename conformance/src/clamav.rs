//! Asks Debian's `clamscan`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::scratch::Scratch;

/// Names found, by file.
pub(crate) type Found = BTreeMap<PathBuf, BTreeSet<String>>;

/// True if there is a `clamscan`; says so if not.
pub(crate) fn is_there() -> bool {
    let there = Command::new("clamscan").arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        eprintln!("SKIPPED: there is no clamscan to compare with (Debian: apt-get install clamav)");
    }
    there
}

/// What ClamAV finds, or its complaint if it refuses the database.
///
/// Text is not normalised: the comparison is about signatures over the bytes of a file.
pub(crate) fn scan(database: &Path, files: &[PathBuf]) -> Result<Found, String> {
    let mut command = Command::new("clamscan");
    command.args(["--no-summary", "--allmatch", "--normalize=no", "--scan-html=no", "--scan-mail=no", "-d"]);
    let output = command.arg(database).args(files).output().map_err(|error| format!("clamscan: {error}"))?;
    if !matches!(output.status.code(), Some(0 | 1)) {
        return Err(format!("clamscan ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    let mut found: Found = files.iter().map(|file| (file.clone(), BTreeSet::new())).collect();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Some((path, name)) = line.strip_suffix(" FOUND").and_then(|line| line.rsplit_once(": ")) else { continue };
        found.entry(PathBuf::from(path)).or_default().insert(plain(name));
    }
    Ok(found)
}

/// What ClamAV finds in any number of files, with all of its parsers and its default options, but without limits.
pub(crate) fn scan_all(database: &Path, files: &[PathBuf]) -> Result<Found, String> {
    let scratch = Scratch::new()?;
    let list: String = files.iter().map(|file| format!("{}\n", file.display())).collect();
    let list = scratch.write("files", list.as_bytes())?;
    let mut command = Command::new("clamscan");
    command.args(["--no-summary", "--allmatch", "--infected", "--max-filesize=2000M", "--max-scansize=2000M"]);
    command.args(["--max-files=1000000", "--max-scantime=0", "--max-recursion=50", "-d"]).arg(database);
    let output = command.arg("--file-list").arg(list).output().map_err(|error| format!("clamscan: {error}"))?;
    if !matches!(output.status.code(), Some(0 | 1)) {
        return Err(format!("clamscan ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    let mut found = Found::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Some((path, name)) = line.strip_suffix(" FOUND").and_then(|line| line.rsplit_once(": ")) else { continue };
        found.entry(PathBuf::from(path)).or_default().insert(plain(name));
    }
    Ok(found)
}

/// The objects that ClamAV makes of a file, as files below a folder.
pub(crate) fn objects(database: &Path, file: &Path, folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut command = Command::new("clamscan");
    command.args(["--no-summary", "--allmatch", "--leave-temps", "-d"]).arg(database);
    let tempdir = format!("--tempdir={}", folder.display());
    command.arg(tempdir).arg(file).output().map_err(|error| format!("clamscan: {error}"))?;
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|error| error.to_string())? {
            let path = entry.map_err(|error| error.to_string())?.path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    Ok(files)
}

/// How many signatures ClamAV says that it knows of a folder.
pub(crate) fn known(database: &Path) -> Result<u64, String> {
    let mut command = Command::new("clamscan");
    let output =
        command.arg("-d").arg(database).arg("/dev/null").output().map_err(|error| format!("clamscan: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let known = text.lines().find_map(|line| line.strip_prefix("Known viruses: "));
    known.and_then(|known| known.trim().parse().ok()).ok_or(format!("clamscan does not say what it knows: {text}"))
}

/// A name without the ending that loose files get.
pub(crate) fn plain(name: &str) -> String {
    name.strip_suffix(".UNOFFICIAL").unwrap_or(name).to_owned()
}
