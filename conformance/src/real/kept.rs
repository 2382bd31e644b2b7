//! What is kept between runs: which files were asked about, what was drawn from them, and what ClamAV answered.
//!
//! `--keep FOLDER` names where. A piece that is there already is read back, so that a later run asks Dachs alone, about the
//! same files. Files that changed meanwhile are for the reader to notice. Without the option all goes away with the run.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::draw::{Drawn, Signature};
use crate::Options;
use crate::clamav::Found;
use crate::scratch::Scratch;

/// The folder.
pub(super) struct Kept {
    folder: PathBuf,
    _scratch: Option<Scratch>,
}

impl Kept {
    /// Opens the folder that `--keep` names, or one that goes away.
    pub(super) fn open(options: &Options) -> Result<Kept, String> {
        let Some(folder) = options.text("--keep").map(PathBuf::from) else {
            let scratch = Scratch::new()?;
            return Ok(Kept { folder: scratch.path().to_owned(), _scratch: Some(scratch) });
        };
        fs::create_dir_all(folder.join("db")).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Kept { folder, _scratch: None })
    }

    /// The files that are asked about.
    pub(super) fn files(&self, find: impl FnOnce() -> Result<Vec<PathBuf>, String>) -> Result<Vec<PathBuf>, String> {
        let text = self.text("files", || Ok(find()?.iter().map(|file| format!("{}\n", file.display())).collect()))?;
        Ok(text.lines().map(PathBuf::from).collect())
    }

    /// The folder of databases, and what is drawn; `draw` fills it.
    pub(super) fn drawn(&self, draw: impl FnOnce(&Path) -> Result<Drawn, String>) -> Result<(PathBuf, Drawn), String> {
        let sources = self.folder.join("db");
        fs::create_dir_all(&sources).map_err(|error| error.to_string())?;
        let text = self.text("drawn", || Ok(draw(&sources)?.signatures().map(written).collect()))?;
        let signatures = text.lines().map(|line| read(line).ok_or(format!("drawn: {line}")));
        Ok((sources, Drawn::of(signatures.collect::<Result<_, _>>()?)))
    }

    /// What ClamAV finds in files; `number` tells these files from others.
    pub(super) fn answers(&self, number: usize, ask: impl FnOnce() -> Result<Found, String>) -> Result<Found, String> {
        let line = |(file, names): (&PathBuf, &BTreeSet<String>)| -> String {
            names.iter().map(|name| format!("{name}\t{}\n", file.display())).collect()
        };
        let text = self.text(&format!("answers-{number}"), || Ok(ask()?.iter().map(line).collect()))?;
        let mut found = Found::new();
        for (name, file) in text.lines().filter_map(|line| line.split_once('\t')) {
            found.entry(PathBuf::from(file)).or_default().insert(name.to_owned());
        }
        Ok(found)
    }

    /// A piece that is there, or is made now and kept.
    fn text(&self, name: &str, make: impl FnOnce() -> Result<String, String>) -> Result<String, String> {
        let path = self.folder.join(name);
        if let Ok(text) = fs::read_to_string(&path) {
            return Ok(text);
        }
        let text = make()?;
        let part = self.folder.join(format!("{name}.part"));
        let done = fs::write(&part, &text).and_then(|()| fs::rename(&part, &path));
        done.map(|()| text).map_err(|error| format!("{}: {error}", path.display()))
    }
}

/// `NAME hash DIGEST SIZE`, `NAME body HEX`, `NAME section`.
fn written((name, signature): (&String, &Signature)) -> String {
    match signature {
        Signature::Body(bytes) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{name} body {hex}\n")
        }
        Signature::Hash(digest, size) => format!("{name} hash {digest} {size}\n"),
        Signature::Section => format!("{name} section\n"),
    }
}

fn read(line: &str) -> Option<(String, Signature)> {
    let words: Vec<&str> = line.split(' ').collect();
    let signature = match words.as_slice() {
        [_, "body", hex] => {
            let (pairs, _) = hex.as_bytes().as_chunks::<2>();
            let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
            Signature::Body(pairs.iter().map(byte).collect::<Option<_>>()?)
        }
        [_, "hash", digest, size] => Signature::Hash((*digest).to_owned(), size.parse().ok()?),
        [_, "section"] => Signature::Section,
        _ => return None,
    };
    Some(((*words.first()?).to_owned(), signature))
}
