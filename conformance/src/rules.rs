//! Collections of YARA rules: our own, and the public ones of the optional data folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::scratch::Scratch;

/// Rules of our own: each says in its name what it is about.
pub(crate) fn own() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("yara/rules")
}

/// The public rules, unpacked; none if they are not there.
pub(crate) fn public() -> Result<Option<Scratch>, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let beside = || Some(root?.parent()?.join("shared"));
    let Some(data) = std::env::var_os("DACHS_SHARED").map(PathBuf::from).or_else(beside) else { return Ok(None) };
    let entries = std::fs::read_dir(data.join("data/yara")).into_iter().flatten().flatten();
    let mut archives: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    archives.retain(|path| path.to_string_lossy().ends_with(".tar.gz"));
    if archives.is_empty() {
        return Ok(None);
    }
    let scratch = Scratch::new()?;
    for archive in archives {
        let done = Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(scratch.path()).status();
        if !done.is_ok_and(|status| status.success()) {
            return Err(format!("{} cannot be unpacked", archive.display()));
        }
    }
    Ok(Some(scratch))
}

/// The files of rules below a folder, by name.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else if path.extension().is_some_and(|end| end == "yar" || end == "yara") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The rules of a file as texts, each with the imports before it. Cut at lines that begin a rule, as people write them.
pub(crate) fn texts(file: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(file);
    let begins = |line: &str| ["rule ", "private ", "global "].iter().any(|word| line.starts_with(word));
    let (mut imports, mut rules) = (String::new(), Vec::<String>::new());
    for line in text.split_inclusive('\n') {
        match rules.last_mut() {
            _ if line.starts_with("import ") => imports.push_str(line),
            _ if begins(line) => rules.push(line.to_owned()),
            Some(rule) => rule.push_str(line),
            None => {}
        }
    }
    rules.iter().map(|rule| format!("{imports}{rule}")).collect()
}
