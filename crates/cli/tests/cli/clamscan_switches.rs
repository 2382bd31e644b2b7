//! `clamscan`: hundreds of command lines put together from options, through Debian's and ours.

use std::path::Path;
use std::process::Command;

use crate::support::{Run, command, eicar, folder, has_tool, run};

/// What decides what is looked into and reported.
const SWITCHES: &[&str] = &[
    "",
    "--alert-encrypted",
    "--alert-encrypted --allmatch",
    "--alert-encrypted-archive=yes",
    "--alert-encrypted-doc",
    "--alert-macros --alert-broken=no",
    "--alert-broken -z",
    "--alert-partition-intersection",
    "--detect-structured",
    "--detect-structured --structured-cc-count=2",
    "--detect-structured --structured-cc-mode=1 --structured-ssn-count=9",
    "--detect-structured --structured-ssn-format=1",
    "--detect-structured --structured-ssn-format=2 -z",
    "--heuristic-alerts=no",
    "--heuristic-scan-precedence --detect-structured",
    "--heuristic-scan-precedence --alert-encrypted",
    "--normalize=no",
    "--normalize=no --scan-html=no",
    "--scan-archive=no",
    "--scan-archive=no -z",
    "--scan-elf=no --scan-ole2=no --scan-swf=no --scan-hwp3=no --scan-onenote=no",
    "--scan-mail=no",
    "--scan-pdf=no --scan-pe=no --scan-image=no --scan-xmldocs=no",
    "--max-recursion=4 --incomplete=ok",
    "--bytecode=no --phishing-sigs=yes --phishing-scan-urls=no --nocerts --disable-cache",
];
/// How it is shown.
const SHOWN: &[&str] = &["", "-i", "-o", "--no-summary", "--quiet", "-v --no-summary", "--stdout -i", "-ri", "-z -i"];
/// What is scanned.
const PATHS: &[&str] = &["a", "-r a", "a/page a/text", "a/cards a/locked.zip"];

fn tree() -> tempfile::TempDir {
    let hexadecimal = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let database = format!(
        "Test.Eicar:0:0:{}\nTest.Page:3:*:{}\nTest.RawPage:3:*:{}\nTest.Text:7:*:{}\n",
        hexadecimal(&eicar()),
        hexadecimal(b"badger in a page"),
        hexadecimal(b"Badger In A Page"),
        hexadecimal(b"badger in a text"),
    );
    // APPNOTE 4.3.7, 4.3.12, 4.3.16: one encrypted member.
    let mut locked = b"PK\x03\x04\x0a\0\x01\0\0\0\0\0\0\0\x86\xa6\x10\x36\x11\0\0\0\x05\0\0\0\x01\0\0\0a".to_vec();
    locked.extend([0x55; 17]);
    locked.extend(b"PK\x01\x02\x0a\0\x0a\0\x01\0\0\0\0\0\0\0\x86\xa6\x10\x36\x11\0\0\0\x05\0\0\0\x01\0");
    locked.extend([0; 16]);
    locked.extend(b"aPK\x05\x06\0\0\0\0\x01\0\x01\0\x2f\0\0\0\x30\0\0\0\0\0");
    let mail = b"From: a@example.org\nTo: b@example.org\nSubject: x\nMIME-Version: 1.0\nContent-Type: text/html\n\
        Content-Transfer-Encoding: base64\n\nPGh0bWw+QmFkZ2VyIEluIEEgUGFnZTwvaHRtbD4K\n";
    folder(&[
        ("db.ndb", database.as_bytes()),
        ("a/cards", b"cards 4111111111111111, 5555555555554444 and 5019-7170-1010-3742"),
        ("a/eicar", &eicar()),
        ("a/locked.zip", &locked),
        ("a/mail", mail),
        ("a/page", b"<html><b>Badger In A Page</b></html>"),
        ("a/persons", b"123-45-6789 234-56-7890 345-67-8901 123456789 234567890 345678901 345678902 x"),
        ("a/text", b"there is a Badger   In A Text"),
        ("a/b/page", b"a <table> Badger In A Page"),
    ])
}

fn lines(run: &Run) -> Vec<String> {
    let differing = ["Engine version: ", "Data ", "Time: ", "Start Date: ", "End Date: "];
    let keep = |line: &&str| !differing.iter().any(|head| line.starts_with(head));
    let mut lines: Vec<String> = run.out.lines().filter(keep).map(str::to_owned).collect();
    lines.sort();
    // ClamAV names a signature once for each form of an object in which it is.
    lines.dedup();
    lines
}

fn ask(program: &mut Command, folder: &Path, line: &str) -> Run {
    run(program.args(line.split_whitespace()).current_dir(folder))
}

#[test]
fn switches_do_what_they_do_in_clamscan() {
    if !has_tool("clamscan") {
        return;
    }
    let folder = tree();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (number, switches) in SWITCHES.iter().enumerate() {
        for (place, shown) in SHOWN.iter().enumerate() {
            // All ways to show with some switches; with the others a few.
            if !(number + place).is_multiple_of(3) && number > 2 {
                continue;
            }
            for paths in PATHS {
                count += 1;
                let line = format!("-d db.ndb {switches} {shown} {paths}");
                let policy = if line.contains("--incomplete") { "" } else { "--incomplete=ok " };
                let ours = ask(&mut command(&["clamscan"]), folder.path(), &format!("{policy}{line}"));
                let theirs = ask(&mut Command::new("clamscan"), folder.path(), &line.replace("--incomplete=ok", ""));
                if ours.code != theirs.code || lines(&ours) != lines(&theirs) {
                    wrong.push(format!(
                        "clamscan {line}\nours {}:\n{}{}\ntheirs {}:\n{}{}",
                        ours.code, ours.out, ours.err, theirs.code, theirs.out, theirs.err
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong[..wrong.len().min(8)].join("\n\n"));
}

/// Mails with one link each: of a listed host, of a page that is not what it shows, with a control character.
#[test]
fn links_in_mails_are_judged_as_in_clamscan() {
    if !has_tool("clamscan") {
        return;
    }
    let mail = |link: &str, shown: &str| {
        let head = "From: a@b.example\nTo: c@d.example\nSubject: x\nMIME-Version: 1.0\nContent-Type: text/html\n";
        format!("{head}\n<html><body><a href=\"{link}\">{shown}</a></body></html>\n").into_bytes()
    };
    let folder = folder(&[
        ("db/x.pdb", b"H:bank.example\n"),
        ("db/y.ndb", b"Other:0:*:4242424242424242\n"),
        ("a/listed", &mail("http://other.example/", "http://www.bank.example/")),
        ("a/unencrypted", &mail("http://shop.example/", "https://shop.example/")),
        ("a/cloaked", &mail("http://shop.example%01@other.example/", "http://shop.example/")),
    ]);
    for switch in ["", "--phishing-scan-urls=no", "--alert-phishing-ssl", "--alert-phishing-cloak", "--scan-mail=no"] {
        let line = format!("-d db {switch} --no-summary a/listed a/unencrypted a/cloaked");
        let ours = ask(&mut command(&["clamscan"]), folder.path(), &line);
        let theirs = ask(&mut Command::new("clamscan"), folder.path(), &line);
        assert_eq!((ours.code, lines(&ours)), (theirs.code, lines(&theirs)), "{switch}");
    }
}
