//! Signatures drawn from files, so that they must be found again.
//!
//! ClamAV keeps what it takes out of a file (`--leave-temps`): members, documents' streams, decoded parts of mails,
//! normalised forms. Of each there is a digest and a substring. A name says what a signature was drawn from:
//! `Real.FAMILY.NUMBER`, the family being the object's origin and `Hash` or `Body`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::random::Random;
use crate::scratch::Scratch;

/// Objects of one file that signatures are drawn from.
const OBJECTS: usize = 12;
/// Smaller objects give no signature: they are everywhere.
const SMALLEST: usize = 24;
/// Bytes of an object that are looked at.
const LARGEST: u64 = 64 << 20;

/// Signatures drawn.
#[derive(Default)]
pub(super) struct Drawn {
    number: usize,
    hashes: String,
    bodies: String,
    sections: String,
    seen: BTreeSet<String>,
    signatures: BTreeMap<String, Signature>,
}

/// What a drawn signature asks for.
#[derive(Clone)]
pub(super) enum Signature {
    /// A section of a program, by its digest.
    Section,
    /// Bytes anywhere in an object.
    Body(Vec<u8>),
    /// An object of this MD5 in hexadecimal digits, and of this size.
    Hash(String, usize),
}

/// Writes a database drawn from the files.
pub(super) fn database(folder: &Path, files: &[PathBuf]) -> Result<Drawn, String> {
    let mut drawn = Drawn { seen: known_digests(folder), ..Drawn::default() };
    let mut random = Random::new(1);
    for file in files {
        drawn.object(file, "File", &mut random);
        drawn.sections(file);
        let scratch = Scratch::new()?;
        let mut objects = inside(file, &scratch)?;
        while objects.len() > OBJECTS {
            objects.swap_remove(random.below(objects.len()));
        }
        for object in objects {
            let origin = origin(scratch.path(), &object);
            drawn.object(&object, &origin, &mut random);
        }
    }
    for (name, text) in [("drawn.hdb", &drawn.hashes), ("drawn.ndb", &drawn.bodies), ("drawn.mdb", &drawn.sections)] {
        fs::write(folder.join(name), text).map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(drawn)
}

/// Digests of the real databases: of two signatures with one digest, ClamAV names one.
fn known_digests(folder: &Path) -> BTreeSet<String> {
    let texts = ["main.hdb", "daily.hdb"].into_iter().filter_map(|name| fs::read_to_string(folder.join(name)).ok());
    let digests = texts.map(|text| text.lines().filter_map(|line| line.split(':').next().map(str::to_owned)).collect());
    digests.fold(BTreeSet::new(), |all: BTreeSet<String>, some: BTreeSet<String>| all.union(&some).cloned().collect())
}

/// What a signature was drawn from, by its name; `real` for those of real databases.
pub(super) fn family(name: &str) -> String {
    let drawn = name.strip_prefix("Real.").and_then(|rest| rest.rsplit_once('.'));
    drawn.map_or("real", |(family, _)| family).to_owned()
}

impl Drawn {
    /// What was drawn before.
    pub(super) fn of(signatures: BTreeMap<String, Signature>) -> Drawn {
        Drawn { number: signatures.len(), signatures, ..Drawn::default() }
    }

    /// How many there are.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// All, by name.
    pub(super) fn signatures(&self) -> impl Iterator<Item = (&String, &Signature)> {
        self.signatures.iter()
    }

    /// What the signature of this name asks for; none for those of sections and of real databases.
    pub(super) fn signature(&self, name: &str) -> Option<&Signature> {
        self.signatures.get(name).filter(|signature| !matches!(signature, Signature::Section))
    }

    /// Draws a digest and a substring from an object.
    fn object(&mut self, path: &Path, origin: &str, random: &mut Random) {
        let fits = fs::metadata(path).is_ok_and(|metadata| metadata.len() <= LARGEST);
        let Some(bytes) = fs::read(path).ok().filter(|bytes| fits && bytes.len() >= SMALLEST) else { return };
        if let Some(digest) = md5(path).filter(|digest| self.seen.insert(digest.clone())) {
            let name = self.name(origin, "Hash");
            let _ = writeln!(self.hashes, "{digest}:{}:{name}", bytes.len());
            self.signatures.insert(name, Signature::Hash(digest, bytes.len()));
            if let Some(part) = substring(&bytes, random) {
                let name = self.name(origin, "Body");
                let hex = part.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
                let _ = writeln!(self.bodies, "{name}:0:*:{hex}");
                self.signatures.insert(name, Signature::Body(part));
            }
        }
    }

    /// Digests of a program's sections, as sigtool tells them.
    fn sections(&mut self, path: &Path) {
        let program = fs::File::open(path).is_ok_and(|mut file| {
            let mut magic = [0; 2];
            std::io::Read::read_exact(&mut file, &mut magic).is_ok() && magic == *b"MZ"
        });
        let output = program.then(|| Command::new("sigtool").arg("--mdb").arg(path).output().ok()).flatten();
        let Some(output) = output else { return };
        let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        for line in text.lines().filter_map(|line| line.split_once("Section{")?.1.split_once("}: ")) {
            if line.1.contains(':') && self.seen.insert(line.1.to_owned()) {
                let name = self.name("Section", "Hash");
                let _ = writeln!(self.sections, "{}:{name}", line.1.trim());
                self.signatures.insert(name, Signature::Section);
            }
        }
    }

    fn name(&mut self, origin: &str, what: &str) -> String {
        self.number += 1;
        format!("Real.{origin}.{what}.{}", self.number)
    }
}

/// What ClamAV takes out of a file, written to a folder.
pub(super) fn inside(file: &Path, scratch: &Scratch) -> Result<Vec<PathBuf>, String> {
    let nothing = scratch.write("nothing.hdb", b"aa15bcf478d165efd2065190eb473bcc:544:Nothing\n")?;
    let mut command = Command::new("clamscan");
    command.args(["--no-summary", "--allmatch", "--leave-temps", "--force-to-disk", "--max-scantime=20000"]);
    command.arg("--tempdir").arg(scratch.path()).arg("-d").arg(&nothing).arg(file);
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().map_err(|error| format!("clamscan: {error}"))?;
    let _ = fs::remove_file(nothing);
    let mut found = Vec::new();
    walk(scratch.path(), &mut found);
    found.sort();
    Ok(found)
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&entry.path(), found),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
}

/// Where ClamAV put an object tells what it is: a normalised form, a stream of a document, a member.
fn origin(scratch: &Path, object: &Path) -> String {
    let name = object.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = object.parent().filter(|folder| *folder != scratch).and_then(Path::file_name);
    let folder = folder.unwrap_or_default().to_string_lossy().into_owned();
    let form = ["nocomment", "notags", "javascript"].into_iter().find(|form| name.starts_with(form));
    let made = form.map(str::to_owned).or_else(|| folder.split_once("-tmp.").map(|(maker, _)| maker.to_owned()));
    let unnamed = name.starts_with("clamav-") && name.ends_with(".tmp");
    let word = made.unwrap_or_else(|| if unnamed { "text" } else { "member" }.to_owned());
    let depth = object.strip_prefix(scratch).map_or(0, |path| path.components().count());
    let embedded = if name.contains("embedded-pe") { "Embedded" } else { "" };
    format!("{}{embedded}{}", title(&word), if depth > 4 { ".Deep" } else { "" })
}

fn title(word: &str) -> String {
    let (first, rest) = word.split_at(word.len().min(1));
    first.to_ascii_uppercase() + rest
}

/// A stretch of bytes that are not all alike.
fn substring(bytes: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    (0..8).find_map(|_| {
        let length = random.range(16, 32).min(bytes.len());
        let start = random.below(bytes.len() - length + 1);
        let part = bytes.get(start..start + length)?;
        (part.iter().collect::<BTreeSet<_>>().len() >= 9).then(|| part.to_vec())
    })
}

/// The MD5 of a file in hexadecimal digits.
pub(super) fn md5(path: &Path) -> Option<String> {
    let output = Command::new("md5sum").arg("--").arg(path).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.trim_start_matches('\\').get(..32).map(str::to_owned)
}
