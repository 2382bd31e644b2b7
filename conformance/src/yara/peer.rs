//! Asks Debian's `yara` and `yarac`.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Hits;
use crate::scratch::Scratch;

/// The external variables of LOKI and THOR. yara knows one value of each for all files: none.
const VARIABLES: [&str; 5] = ["filename", "filepath", "extension", "filetype", "owner"];

/// True if there is a `yara`; says so if not.
pub(super) fn is_there() -> bool {
    let there = Command::new("yarac").arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        eprintln!("SKIPPED: there is no yara to compare with (Debian: apt-get install yara)");
    }
    there
}

/// True if yara compiles this file.
pub(super) fn takes(file: &Path) -> bool {
    let output = compiler().arg(file).arg("/dev/null").output();
    output.is_ok_and(|output| output.status.success())
}

/// What yara hits with these files of rules, each a namespace of its own.
pub(super) fn hits(rules: &[PathBuf], files: &[PathBuf]) -> Result<Hits, String> {
    let scratch = Scratch::new()?;
    let compiled = scratch.path().join("rules");
    let sources = rules.iter().enumerate().map(|(number, file)| format!("{number}:{}", file.display()));
    let output = compiler().args(sources).arg(&compiled).output().map_err(|error| format!("yarac: {error}"))?;
    if !output.status.success() {
        return Err(format!("yarac: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let list: String = files.iter().map(|file| format!("{}\n", file.display())).collect();
    let list = scratch.write("files", list.as_bytes())?;
    let mut command = Command::new("yara");
    command.args(["-w", "-p", "2", "-a", "600", "--scan-list", "-C"]).arg(&compiled).arg(&list);
    let output = command.output().map_err(|error| format!("yara: {error}"))?;
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() || complaint.contains("error") {
        return Err(format!("yara ended with {}: {complaint}", output.status));
    }
    let mut hits: Hits = files.iter().map(|file| (file.clone(), Default::default())).collect();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let (rule, file) = line.split_once(' ').ok_or(format!("yara said: {line}"))?;
        hits.entry(PathBuf::from(file)).or_default().insert(rule.to_owned());
    }
    Ok(hits)
}

fn compiler() -> Command {
    let mut command = Command::new("yarac");
    command.arg("-w");
    for name in VARIABLES {
        command.arg("-d").arg(format!("{name}="));
    }
    command
}
