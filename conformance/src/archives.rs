//! Archives and documents of other projects: does Dachs see all that public tools take out of them?
//!
//! Every file of the given folders that a tool opens without complaint is unpacked by each: archives by `bsdtar`, `7z` and
//! `unrar-free`, documents by the programs of `documents.py`. What comes out is made into signatures, a digest for each member, and
//! Dachs is asked about the file itself: each digest must be found in it, and in an object that is called as the tool calls the
//! member. Members of fewer than six bytes are not compared. What Dachs sees besides is not asked for: it looks deeper than the tools.
//!
//! Differences that are meant stand in `archives.txt` and `documents.txt`, each with its reason; a line that covers nothing any more is
//! told. A reason that begins with `name:` is about the name alone. The folders are those of `conformance/corpora`, which fetches
//! public packages, and the sources of some crates that Cargo keeps.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::dachs::{Dachs, FileResult};
use crate::producers;
use crate::scratch::Scratch;
use crate::{Broken, Options};

/// Larger files are passed.
const LARGEST: u64 = 32 << 20;
/// Shorter members cannot be asked for: no signature is about them (as in ClamAV).
const SHORTEST: u64 = 6;
/// Members of one archive that are compared.
const MOST: usize = 500;
/// Archives asked about at once.
const BATCH: usize = 200;
/// Seconds a tool may take.
const SECONDS: &str = "20";

/// A file that a tool opened.
struct Archive {
    path: PathBuf,
    /// Which tools did.
    tools: BTreeSet<&'static str>,
    /// Names of its members by digest; several may have the same bytes.
    members: BTreeMap<String, BTreeSet<String>>,
    sizes: BTreeMap<String, u64>,
}

/// What is compared with what.
pub(crate) struct Subject {
    name: &'static str,
    /// The programs that open files.
    tools: &'static [&'static str],
    is_wanted: fn(&Path) -> bool,
    /// The text of the differences that are meant.
    reasons: &'static str,
}

/// Archives.
pub(crate) const ARCHIVES: Subject = Subject {
    name: "archives",
    tools: &["bsdtar", "7z", "unrar-free"],
    is_wanted: may_be_archive,
    reasons: include_str!("../archives.txt"),
};

/// Documents and mail. The tools are those of `documents.py`.
pub(crate) const DOCUMENTS: Subject = Subject {
    name: "documents",
    tools: &["olefile", "rtfobj", "qpdf", "pdfdetach", "unzip", "ripmime", "munpack", "python-email", "tnef"],
    is_wanted: may_be_document,
    reasons: include_str!("../documents.txt"),
};

/// Compares the files below the given folders.
pub(crate) fn run(subject: &Subject, options: &Options) -> Broken {
    let dachs = Dachs::find()?;
    let mut files = Vec::new();
    let given: Vec<PathBuf> = options.paths().into_iter().map(PathBuf::from).collect();
    for folder in if given.is_empty() { folders() } else { given } {
        collect(&folder, subject, &mut files);
    }
    files.sort();
    let archives: Vec<Archive> =
        files.iter().filter_map(|path| unpacked(path, subject).transpose()).collect::<Result<_, _>>()?;
    if archives.is_empty() {
        eprintln!("SKIPPED: no file that {} opens; conformance/corpora fetches some", subject.tools.join(" or "));
        return Ok(0);
    }
    let mut sum = Sum::default();
    let mut reasons = Reasons::read(subject);
    for batch in archives.chunks(BATCH) {
        compare(&dachs, batch, &mut reasons, &mut sum)?;
    }
    let unused = if options.paths().is_empty() { reasons.unused() } else { 0 };
    let name = subject.name;
    println!(
        "{name}: {} opened by {:?}, {} members of six bytes or more: {} found, {} of them called alike, {} differences explained, {} not, {unused} reasons cover nothing",
        archives.len(),
        sum.tools,
        sum.members,
        sum.found,
        sum.alike,
        sum.explained,
        sum.broken
    );
    println!("{name}: by kind {:?}", sum.kinds);
    Ok(sum.broken + unused)
}

#[derive(Default)]
struct Sum {
    /// Files that each tool opened.
    tools: BTreeMap<&'static str, usize>,
    members: usize,
    found: usize,
    alike: usize,
    explained: usize,
    broken: usize,
    kinds: BTreeMap<String, usize>,
}

/// What `conformance/corpora` fetched, and the sources of the crates that the project is built from.
fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    let corpora = root.join("target/corpora");
    if !corpora.exists() {
        eprintln!(
            "SKIPPED: conformance/corpora was not run; only the sources of Cargo's crates and the samples of the tests are compared"
        );
    }
    let samples = root.join("crates/formats/tests/samples");
    let mut folders = vec![corpora, samples, "/usr/share/clamav-testfiles".into()];
    let registries = home.and_then(|home| fs::read_dir(home.join("registry/src")).ok());
    for registry in registries.into_iter().flatten().flatten() {
        let crates = fs::read_dir(registry.path()).into_iter().flatten().flatten().map(|entry| entry.path());
        let is_wanted = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            CRATES.iter().any(|wanted| name.starts_with(wanted))
        };
        folders.extend(crates.filter(is_wanted));
    }
    folders
}

/// Crates whose sources hold archives.
const CRATES: [&str; 7] = ["cab-", "delharc-", "lzma-rust2-", "rars-", "sevenz-rust2-", "tar-", "zip-"];

fn collect(path: &Path, subject: &Subject, files: &mut Vec<PathBuf>) {
    /// Programs that the corpora are compared with; they are no samples.
    const PROGRAMS: [&str; 3] = ["venv", "node_modules", "apt"];
    let Ok(metadata) = fs::symlink_metadata(path) else { return };
    if metadata.is_dir() && !PROGRAMS.iter().any(|name| path.ends_with(name)) {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.for_each(|entry| collect(&entry.path(), subject, files));
    } else if metadata.is_file() && (1..=LARGEST).contains(&metadata.len()) && (subject.is_wanted)(path) {
        files.push(path.to_owned());
    }
}

fn head(path: &Path) -> Vec<u8> {
    use std::io::Read;
    let mut head = vec![0; 512];
    let count = fs::File::open(path).and_then(|mut file| file.read(&mut head)).unwrap_or(0);
    head.truncate(count);
    head
}

/// Compound files, RTF, PDF, TNEF, and what is called as ZIP archives of documents or mails are.
fn may_be_document(path: &Path) -> bool {
    let magics: [&[u8]; 4] = [b"\xd0\xcf\x11\xe0", b"{\\rt", b"%PDF-", b"\x78\x9f\x3e\x22"];
    let head = head(path);
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let package = ["doc", "xls", "xlt", "ppt", "pot", "od"].iter().any(|start| ending.starts_with(start));
    let mail = matches!(ending.as_str(), "eml" | "mail" | "mbox" | "mht" | "mhtml");
    magics.iter().any(|magic| head.starts_with(magic)) || mail || (package && head.starts_with(b"PK"))
}

/// Texts are none, nor are programs, which 7z takes apart into their sections.
fn may_be_archive(path: &Path) -> bool {
    let head = head(path);
    let magics: [&[u8]; 9] = [
        b"MZ",
        b"\x7fELF",
        b"\xcf\xfa\xed\xfe",
        b"\xce\xfa\xed\xfe",
        b"\xca\xfe\xba\xbe",
        b"\xfe\xed\xfa",
        b"%PDF",
        b"\x4c\x01",
        b"\x64\x86",
    ];
    let program = magics.iter().any(|magic| head.starts_with(magic));
    let text = head.iter().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~'));
    !program && (!text || head.starts_with(b"0707") || head.starts_with(b"!<arch>"))
}

/// Could this tool open what begins like this?
fn suits(tool: &str, head: &[u8]) -> bool {
    let begins = |magic: &[u8]| head.starts_with(magic);
    match tool {
        "olefile" => begins(b"\xd0\xcf\x11\xe0"),
        "rtfobj" => begins(b"{\\rt"),
        "qpdf" | "pdfdetach" => begins(b"%PDF"),
        "unzip" => begins(b"PK"),
        "tnef" => begins(b"\x78\x9f\x3e\x22"),
        "unrar-free" => begins(b"Rar!") || begins(b"RE~^") || begins(b"MZ"),
        "ripmime" | "munpack" | "python-email" => !head.iter().take(512).any(|byte| *byte == 0),
        _ => true,
    }
}

/// What the tools take out of a file; nothing if none opens it.
fn unpacked(path: &Path, subject: &Subject) -> Result<Option<Archive>, String> {
    let mut archive =
        Archive { path: path.to_owned(), tools: BTreeSet::new(), members: BTreeMap::new(), sizes: BTreeMap::new() };
    let head = head(path);
    for tool in subject.tools.iter().copied().filter(|tool| suits(tool, &head)) {
        let scratch = Scratch::new()?;
        let folder = scratch.folder("out")?;
        let mut command = Command::new("timeout");
        command.arg(SECONDS);
        match tool {
            "bsdtar" => command.args([tool, "-x", "--no-same-owner", "--no-same-permissions", "-f"]).arg(path),
            "7z" => command.args([tool, "x", "-y", "-bd", "-p-", "-aou"]).arg(path),
            "unrar-free" => command.args([tool, "--extract"]).arg(path),
            _ => {
                command.arg(producers::python()).arg(concat!(env!("CARGO_MANIFEST_DIR"), "/documents.py"));
                command.arg(tool).arg(path)
            }
        };
        let output = command.current_dir(&folder).stdin(Stdio::null()).stderr(Stdio::null()).output();
        let output = output.map_err(|error| format!("timeout: {error}"))?;
        // unrar-free succeeds also where it does not.
        if !output.status.success() || output.stdout.windows(6).any(|word| word == b"Failed") {
            continue;
        }
        if members(&folder, &mut archive)? {
            archive.tools.insert(tool);
        }
    }
    Ok((!archive.members.is_empty()).then_some(archive))
}

/// Notes what was unpacked into a folder; was there anything?
fn members(folder: &Path, archive: &mut Archive) -> Result<bool, String> {
    let mut paths = Vec::new();
    walk(folder, &mut paths);
    paths.sort();
    paths.truncate(MOST);
    for group in paths.chunks(500) {
        let output =
            Command::new("sha256sum").arg("-z").arg("--").args(group).output().map_err(|error| error.to_string())?;
        for line in output.stdout.split(|byte| *byte == 0).filter(|line| line.len() > 66) {
            let (digest, name) = line.split_at(66);
            let digest = String::from_utf8_lossy(digest.get(..64).unwrap_or_default()).into_owned();
            let path = Path::new(std::ffi::OsStr::new(std::str::from_utf8(name).unwrap_or_default()));
            let size = fs::metadata(path).map_or(0, |metadata| metadata.len());
            let shown = path.strip_prefix(folder).unwrap_or(path).to_string_lossy().into_owned();
            if size >= SHORTEST {
                archive.sizes.insert(digest.clone(), size);
                archive.members.entry(digest).or_default().insert(shown);
            }
        }
    }
    Ok(!paths.is_empty())
}

/// Files with bytes. Names that are no UTF-8 are passed.
fn walk(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => walk(&path, paths),
            Ok(metadata) if metadata.is_file() && metadata.len() > 0 && path.to_str().is_some() => paths.push(path),
            _ => {}
        }
    }
}

fn compare(dachs: &Dachs, archives: &[Archive], reasons: &mut Reasons, sum: &mut Sum) -> Result<(), String> {
    let scratch = Scratch::new()?;
    let mut lines = BTreeSet::new();
    for (digest, size) in archives.iter().flat_map(|archive| &archive.sizes) {
        lines.insert(format!("{digest}:{size}:M.{digest}\n"));
    }
    let database = scratch.write("members.hsb", lines.into_iter().collect::<String>().as_bytes())?;
    let paths: Vec<PathBuf> = archives.iter().map(|archive| archive.path.clone()).collect();
    let answer = dachs.scan(&database, &["--max-scan-time", "60"], &paths)?;
    let results: BTreeMap<&Path, &FileResult> =
        answer.results.iter().map(|result| (result.path.as_path(), result)).collect();
    for archive in archives {
        archive.tools.iter().for_each(|tool| *sum.tools.entry(tool).or_default() += 1);
        let Some(result) = results.get(archive.path.as_path()) else {
            println!("{}: no result", archive.path.display());
            sum.broken += 1;
            continue;
        };
        *sum.kinds.entry(result.kind.clone()).or_default() += 1;
        compare_one(archive, result, reasons, sum);
    }
    Ok(())
}

fn compare_one(archive: &Archive, result: &FileResult, reasons: &mut Reasons, sum: &mut Sum) {
    for (digest, names) in &archive.members {
        sum.members += 1;
        let places: Vec<&str> = result
            .ways
            .iter()
            .filter(|(name, _)| name.contains(digest.as_str()))
            .map(|(_, place)| place.as_str())
            .collect();
        if places.is_empty() {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            if names.iter().any(|name| reasons.explain(&archive.path, name, false)) {
                sum.explained += 1;
            } else {
                sum.broken += 1;
                println!(
                    "{} ({}): not found: {names:?}; {} {:?}",
                    archive.path.display(),
                    result.kind,
                    result.verdict,
                    result.anomalies.first()
                );
            }
            continue;
        }
        sum.found += 1;
        if names
            .iter()
            .any(|name| places.iter().any(|place| alike(name, place) || invented(&archive.path, name, place)))
        {
            sum.alike += 1;
        } else if names.iter().any(|name| reasons.explain(&archive.path, name, true)) {
            sum.explained += 1;
        } else {
            sum.broken += 1;
            let shown = archive.path.display();
            println!("{shown} ({}): called {names:?} by {:?}, and here {places:?}", result.kind, archive.tools);
        }
    }
}

/// Is the object called as the tool calls the file? Letters beside ASCII, and signs that tools change, are not compared.
fn alike(name: &str, place: &str) -> bool {
    let plain = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let last = name.rsplit(['/', '\\']).next().unwrap_or(name);
    // 7z writes the first sign of a stream's name as its number.
    let numbered = last.strip_prefix('[').and_then(|rest| rest.split_once(']')).filter(|(number, _)| number.len() == 1);
    let last = numbered.map_or(last, |(_, rest)| rest);
    let (last, place) = (plain(last), plain(place));
    place.contains(&last)
}

/// Where a file holds one object without a name, tools call it as the file; here it is the content, or the disk.
fn invented(archive: &Path, name: &str, place: &str) -> bool {
    let stem = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.split('.').next().unwrap_or_default().to_owned()
    };
    let last = place.rsplit(" > ").next().unwrap_or(place);
    matches!(last, "content" | "disk") && stem(archive) == stem(Path::new(name))
}

/// Why members may be missing: `part of the archive's path | part of the member's name ## reason`.
struct Reasons {
    lines: Vec<Reason>,
}

struct Reason {
    archive: String,
    member: String,
    /// It is about the name alone.
    of_name: bool,
    /// What it covered.
    count: usize,
}

impl Reasons {
    fn read(subject: &Subject) -> Reasons {
        let text = subject.reasons.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let rule = |line: &str| {
            let (rule, why) = line.split_once(" ## ")?;
            let (archive, member) = rule.split_once('|')?;
            let (archive, member) = (archive.trim().to_owned(), member.trim().to_owned());
            Some(Reason { archive, member, of_name: why.starts_with("name:"), count: 0 })
        };
        Reasons { lines: text.filter_map(rule).collect() }
    }

    fn explain(&mut self, archive: &Path, member: &str, of_name: bool) -> bool {
        let archive = archive.to_string_lossy();
        let fits = |line: &&mut Reason| {
            line.of_name == of_name && archive.contains(&line.archive) && member.contains(&line.member)
        };
        self.lines.iter_mut().find(fits).map(|line| line.count += 1).is_some()
    }

    /// Lines that covered nothing.
    fn unused(&self) -> usize {
        let unused: Vec<_> = self.lines.iter().filter(|line| line.count == 0).collect();
        unused.iter().for_each(|line| println!("a reason covers nothing: {} | {}", line.archive, line.member));
        unused.len()
    }
}
