//! The real databases, folder by folder and all together: do both programs know as many signatures?
//!
//! The folders are those of the optional data folder, unpacked, or the given ones. ClamAV says `Known viruses` in its
//! summary; Dachs says `known` in `dachs db info`, which counts what was loaded, by ClamAV's rules of what counts. What
//! Dachs left out is shown where the numbers differ.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::dachs::Dachs;
use crate::scratch::Scratch;
use crate::{Broken, Options, clamav, machine};

/// Compares each folder, then all together.
pub(crate) fn run(options: &Options) -> Broken {
    if !clamav::is_there() {
        return Ok(0);
    }
    let scratch = Scratch::new()?;
    let given: Vec<PathBuf> = options.paths().iter().map(PathBuf::from).collect();
    let folders = if given.is_empty() { unpacked(&scratch)? } else { given };
    if folders.is_empty() {
        eprintln!("SKIPPED: no folder of real databases ($DACHS_SHARED, or `shared` beside the project)");
        return Ok(0);
    }
    let dachs = Dachs::find()?;
    let mut broken = 0;
    for folder in &folders {
        broken += compare(&dachs, &name(folder), folder)?;
    }
    let all = scratch.folder("all together")?;
    for file in folders.iter().flat_map(|folder| files(folder)) {
        std::os::unix::fs::symlink(&file, all.join(name(&file)))
            .map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(broken + compare(&dachs, "all together", &all)?)
}

fn compare(dachs: &Dachs, name: &str, folder: &Path) -> Broken {
    let (info, theirs) = (dachs.info(folder)?, clamav::known(folder)?);
    let ours = info.get("known").and_then(Value::as_u64).unwrap_or_default();
    println!("counts: {name}: ClamAV knows {theirs}, Dachs {ours}");
    if ours == theirs {
        return Ok(0);
    }
    println!("counts: BROKEN: {name} differs by {}; left out were:", theirs.abs_diff(ours));
    for source in info.get("sources").and_then(Value::as_array).into_iter().flatten() {
        let of = source.get("name").and_then(Value::as_str).unwrap_or_default();
        for skipped in source.get("skipped").and_then(Value::as_array).into_iter().flatten() {
            println!("counts:   {of}: {} {}", skipped["count"], skipped["reason"].as_str().unwrap_or_default());
        }
    }
    Ok(1)
}

/// The folders of the data folder, each unpacked to one of its own.
fn unpacked(scratch: &Scratch) -> Result<Vec<PathBuf>, String> {
    let Some(data) = machine::data() else { return Ok(Vec::new()) };
    let mut folders = Vec::new();
    for from in entries(&data.join("data/clamav")).into_iter().filter(|path| path.is_dir()) {
        let to = scratch.folder(&name(&from))?;
        for file in files(&from) {
            let script =
                "case \"$1\" in *.gz) gzip -dc \"$1\" >\"$2/$(basename \"$1\" .gz)\";; *) cp \"$1\" \"$2/\";; esac";
            let status = Command::new("sh").args(["-c", script, "sh"]).arg(&file).arg(&to).status();
            if !status.is_ok_and(|status| status.success()) {
                return Err(format!("{} cannot be unpacked", file.display()));
            }
        }
        folders.push(to);
    }
    Ok(folders)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    entries(folder).into_iter().filter(|path| path.is_file()).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sorted: BTreeSet<PathBuf> = entries.filter_map(|entry| entry.path().canonicalize().ok()).collect();
    sorted.into_iter().collect()
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
