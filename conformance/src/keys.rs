//! Keys of clamd.conf that choose what is found: the same names from clamd and from dachsd under each of them?
//!
//! Both are started with the same databases and the same key, and asked for the same files: ClamAV's test files, and small ones
//! of our own that the keys are about. What counts is what is found; `OK` and `ERROR` are alike here, because what is said of files
//! that were not wholly looked at is a choice of its own (`DachsIncomplete`). Files in which both do not find the same without any
//! key (packers and installers that Dachs does not open, and says so) say nothing of keys and are left aside, counted. A key that
//! changes no answer is shown by no file: that is told. Limits count other things than ClamAV's (docs/clamav-differences.md), and
//! are not asked for here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::daemon::{Daemon, Kind, eicar, is_clamd_there};
use crate::scratch::Scratch;

/// Lines of configuration.
const KEYS: [&str; 45] = [
    "DetectPUA yes",
    "DetectPUA yes\nExcludePUA Packer",
    "DetectPUA yes\nExcludePUA Packer\nExcludePUA Tool",
    "DetectPUA yes\nIncludePUA Packer",
    "DetectPUA yes\nIncludePUA Packer\nIncludePUA Nothing",
    "DetectPUA yes\nIncludePUA Nothing",
    "ExcludePUA Packer",
    "PhishingSignatures no",
    "PhishingScanURLs no",
    "AlertPhishingCloak yes",
    "AlertPhishingSSLMismatch yes",
    "HeuristicAlerts no",
    "AlgorithmicDetection no",
    "HeuristicScanPrecedence yes",
    "AlertBrokenExecutables yes",
    "AlertBrokenExecutables yes\nScanPE no",
    "AlertBrokenExecutables yes\nScanELF no",
    "AlertBrokenMedia yes",
    "AlertBrokenMedia yes\nScanImage no",
    "AlertEncrypted yes",
    "ArchiveBlockEncrypted yes",
    "AlertEncryptedArchive yes",
    "AlertEncryptedDoc yes",
    "AlertOLE2Macros yes",
    "AlertPartitionIntersection yes",
    "AlertExceedsMax yes",
    "AlertExceedsMax yes\nMaxFileSize 300",
    "StructuredDataDetection yes",
    "StructuredDataDetection yes\nStructuredMinCreditCardCount 5",
    "StructuredDataDetection yes\nStructuredCCOnly yes",
    "StructuredDataDetection yes\nStructuredSSNFormatStripped yes",
    "StructuredDataDetection yes\nStructuredSSNFormatNormal no\nStructuredSSNFormatStripped yes",
    "ScanPE no",
    "ScanELF no",
    "ScanMail no",
    "ScanHTML no",
    "ScanOLE2 no",
    "ScanPDF no",
    "ScanSWF no",
    "ScanXMLDOCS no",
    "ScanHWP3 no",
    "ScanOneNote no",
    "ScanArchive no",
    "ScanImage no",
    "MaxFileSize 400",
];

/// A key, or how it begins, a file's name, and why the answers differ.
const KNOWN: [(&str, &str, &str); 16] = [
    ("DetectPUA yes\nExcludePUA Packer\nExcludePUA Tool", "both.txt", "of several categories clamd leaves none out"),
    ("DetectPUA yes\nExcludePUA Packer\nExcludePUA Tool", "packer.txt", "as above"),
    ("DetectPUA yes\nExcludePUA Packer\nExcludePUA Tool", "tool.txt", "as above"),
    ("DetectPUA yes\nIncludePUA Packer\nIncludePUA Nothing", "both.txt", "of several categories clamd takes none"),
    ("DetectPUA yes\nIncludePUA Packer\nIncludePUA Nothing", "packer.txt", "as above"),
    ("HeuristicScanPrecedence yes", "spoofed-and-bad.eml", "the mail as it is comes first here, its links later"),
    ("ScanPE no", "clam-fsg.exe", "a program that lies in another file as it is, is found there"),
    ("ScanPE no", "clam_IScab_ext.exe", "as above"),
    ("ScanPE no", "clam_IScab_int.exe", "as above"),
    ("AlertBrokenExecutables yes\nScanPE no", "clam-fsg.exe", "as above"),
    ("AlertBrokenExecutables yes\nScanPE no", "clam_IScab_ext.exe", "as above"),
    ("AlertBrokenExecutables yes\nScanPE no", "clam_IScab_int.exe", "as above"),
    ("ScanMail no", "clam.exe.html", "what an HTML page carries is found without mail"),
    ("ScanArchive no", "clam.exe.rtf", "what a document carries is no archive here"),
    ("ScanArchive no", "clam_IScab_ext.exe", "a cabinet behind a program is an archive here"),
    ("ScanArchive no", "clam_IScab_int.exe", "as above"),
];

/// `cargo conformance keys`
pub(crate) fn run() -> super::Broken {
    if !is_clamd_there() {
        return Ok(0);
    }
    let (database, files) = (database()?, files()?);
    let paths = paths(files.path());
    let answers = |key: &str| -> Result<Vec<(String, [String; 2])>, String> {
        let [clamd, dachsd] = [Kind::Clamd, Kind::Dachsd].map(|kind| Daemon::start(kind, database.path(), key));
        let (clamd, dachsd) = (clamd?, dachsd?);
        Ok(paths.iter().map(|path| (name(path), [&clamd, &dachsd].map(|daemon| asked_of(daemon, path)))).collect())
    };
    let without: BTreeMap<String, [String; 2]> = answers("")?.into_iter().collect();
    let comparable = |file: &String| without.get(file).is_some_and(|[theirs, ours]| theirs == ours);
    let (mut broken, mut asked, mut known, mut idle) = (0, 0, BTreeSet::new(), Vec::new());
    for key in KEYS {
        let mut changed = false;
        for (file, [theirs, ours]) in answers(key)?.into_iter().filter(|(file, _)| comparable(file)) {
            asked += 1;
            changed |= without.get(&file).is_some_and(|[before, _]| *before != theirs);
            let meant = KNOWN.iter().position(|(of, name, _)| *name == file && key.starts_with(of));
            match (theirs == ours, meant) {
                (true, _) => {}
                (false, Some(at)) => drop(known.insert(at)),
                (false, None) => {
                    broken += 1;
                    println!("{key:?}, {file}: clamd {theirs:?}, dachsd {ours:?}");
                }
            }
        }
        if !changed {
            idle.push(key.replace('\n', ", "));
        }
    }
    for (key, file, _) in KNOWN.iter().enumerate().filter(|(at, _)| !known.contains(at)).map(|(_, known)| known) {
        broken += 1;
        println!("{key}, {file}: the answers are the same again; take it out of the list");
    }
    println!("keys that change no answer here: {}", idle.join("; "));
    println!(
        "{} settings, {} files, {} of them left aside: {asked} answers, {broken} differ, {} differ as listed",
        KEYS.len(),
        paths.len(),
        paths.iter().filter(|path| !comparable(&name(path))).count(),
        known.len()
    );
    Ok(broken)
}

/// What is found in a file; nothing else is told of it.
fn asked_of(daemon: &Daemon, path: &Path) -> String {
    let answer = daemon.ask(format!("zSCAN {}\0", path.display()).as_bytes());
    let text = String::from_utf8_lossy(&answer).into_owned();
    let found = text.trim_end_matches('\0').strip_suffix(" FOUND").and_then(|text| text.rsplit_once(": "));
    found.map_or_else(String::new, |(_, name)| name.to_owned())
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Signatures of all that the keys choose from.
fn database() -> Result<Scratch, String> {
    let scratch = Scratch::new()?;
    let body = |name: &str, bytes: &[u8]| format!("{name}:0:*:{}\n", hex(bytes));
    scratch.write("t.hdb", b"aa15bcf478d165efd2065190eb473bcb:544:Test.Program\n")?;
    let plain = [
        body("Test.Eicar", &eicar()),
        body("Email.Phishing.Test", b"a marker of phishing in mail"),
        body("HTML.Phishing.Test", b"a marker of phishing on a page"),
    ];
    scratch.write("t.ndb", plain.concat().as_bytes())?;
    let unwanted =
        [body("PUA.Win.Packer.Test", b"a marker of a packer"), body("PUA.Win.Tool.Test", b"a marker of a tool")];
    scratch.write("t.ndu", unwanted.concat().as_bytes())?;
    scratch.write("t.pdb", b"H:paypal.com\n")?;
    Ok(scratch)
}

/// Files that the keys are about.
fn files() -> Result<Scratch, String> {
    let scratch = Scratch::new()?;
    let mail = |body: &str| {
        format!(
            "From: a@b.example\nTo: c@d.example\nSubject: x\nMIME-Version: 1.0\nContent-Type: text/html\n\n{body}\n"
        )
    };
    let link = |to: &str, shown: &str| mail(&format!("<html><body><a href=\"{to}\">{shown}</a></body></html>"));
    for (name, text) in [
        ("phishing.txt", "a marker of phishing in mail".to_owned()),
        ("phishing.html", "<html><body>a marker of phishing on a page</body></html>".to_owned()),
        ("packer.txt", "a marker of a packer".to_owned()),
        ("tool.txt", "a marker of a tool".to_owned()),
        ("both.txt", "a marker of a tool, a marker of a packer".to_owned()),
        ("spoofed.eml", link("http://evil.example/", "http://www.paypal.com/")),
        (
            "spoofed-and-bad.eml",
            link("http://evil.example/", "http://www.paypal.com/") + &String::from_utf8_lossy(&eicar()),
        ),
        ("cloaked.eml", link("http://evil%00.example/", "http://other.example/")),
        ("unencrypted.eml", link("http://evil.example/", "https://other.example/")),
        (
            "cards.txt",
            "4929 0000 0000 6\n4111 1111 1111 1111\n5500 0000 0000 0004\n4012888888881881\n4222222222222\n".repeat(2),
        ),
        ("persons.txt", "123-45-6789 212-55-1234 313-44-2345 414-33-3456 515-22-4567\n".repeat(2)),
        ("plain-persons.txt", "123456789 212551234 313442345 414333456 515224567\n".repeat(2)),
    ] {
        scratch.write(name, text.as_bytes())?;
    }
    // Pictures that end too early, or say that they are longer than they are.
    let png =
        b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0\x3a\x7e\x9b\x55\0\0\xff\xffIDAT".to_vec();
    scratch.write("broken.png", &png)?;
    scratch.write("broken.gif", b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff\x21\xf9\x04\x01\0")?;
    scratch.write("broken.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xe0\xff\xff")?;
    scratch.write("broken.tiff", b"II*\0\xff\xff\0\0")?;
    scratch.write("bad", &eicar())?;
    archives(&scratch);
    Ok(scratch)
}

/// Archives as their tools make them; those whose tool is not there are left out.
fn archives(scratch: &Scratch) {
    let run = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(scratch.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if !command.status().is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED: files that {program} would make");
        }
    };
    run("zip", &["-q", "-P", "secret", "encrypted.zip", "tool.txt"]);
    run("zip", &["-q", "bad.zip", "bad", "tool.txt", "packer.txt"]);
    run("zip", &["-q", "nested.zip", "bad.zip"]);
    run("zip", &["-q", "deep.zip", "nested.zip"]);
    run("7z", &["a", "-psecret", "encrypted.7z", "tool.txt"]);
    run("7z", &["a", "-psecret", "-mhe=on", "encrypted-names.7z", "tool.txt"]);
    run("tar", &["czf", "bad.tar.gz", "bad"]);
}

/// All files, in the order of their names.
fn paths(folder: &Path) -> Vec<PathBuf> {
    let test_files = Path::new("/usr/share/clamav-testfiles");
    let entries = [folder, test_files].map(std::fs::read_dir).into_iter().flatten().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}
