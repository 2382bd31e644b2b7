//! Kinds of files that the content tells (`.ftm`), beside clamscan: what is found as one of the kind is found by both.

use std::path::Path;
use std::process::Command;

use crate::support::{command, folder, has_tool};

/// What stands in each file, and tells its kind by a line.
const SIGN: &str = "b4d93300b4d93301";

fn sign() -> Vec<u8> {
    (0..SIGN.len()).step_by(2).map(|at| u8::from_str_radix(&SIGN[at..at + 2], 16).unwrap()).collect()
}

/// A signature for each target: a name and the bytes that all files hold.
fn signatures() -> String {
    let body: String = b"a badger, in small letters".iter().map(|byte| format!("{byte:02x}")).collect();
    [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 14].map(|target| format!("Target.{target}:{target}:*:{body}\n")).concat()
}

/// A message whose only part is encoded, with so many lines before those of mails that nothing tells that it is one.
fn message() -> Vec<u8> {
    let encoded = "Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=20b=61dger, in s=6Dall letters\r\n";
    let mut message = ["X-Badger: one\r\n".repeat(400), encoded.to_owned()].concat().into_bytes();
    // As a partition it is followed by nothing else.
    message.resize(message.len().next_multiple_of(512), b'\n');
    message
}

/// A disk with one partition.
fn disk(partition: &[u8]) -> Vec<u8> {
    let mut image = vec![0; 512];
    let sectors = partition.len().div_ceil(512);
    image[446 + 4] = 0x83;
    image[446 + 2] = 1;
    image[446 + 8] = 1;
    image[446 + 12..446 + 16].copy_from_slice(&u32::try_from(sectors).unwrap().to_le_bytes());
    image[510..].copy_from_slice(&[0x55, 0xAA]);
    image.extend(partition);
    image.resize(512 + 512 * sectors, 0);
    image
}

/// The names that a scanner finds.
fn found(program: &str, at: &Path, file: &str) -> Vec<String> {
    let mut command = if program == "clamscan" { Command::new("clamscan") } else { command(&["clamscan"]) };
    command.args(["--no-summary", "--allmatch", "-d"]).arg(at.join("db")).arg(at.join(file));
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text.lines().filter_map(|line| line.strip_suffix(".UNOFFICIAL FOUND"));
    let mut names: Vec<String> = lines.map(|line| line.rsplit(": ").next().unwrap_or(line).to_owned()).collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn kinds_are_told_as_clamscan_tells_them() {
    if !has_tool("clamscan") {
        return;
    }
    let badger = b"a badger, in small letters, and more of them".to_vec();
    let noise: Vec<u8> = (0..=255).cycle().take(3000).collect();
    let text = b"some words, and then some more. ".repeat(100);
    let with = |before: &[u8]| [before, &sign(), &badger].concat();
    let (early, late, page) = (with(&noise[..512]), with(&noise), with(b""));
    let early_text = [&text[..500], b"B4DG3R!!", &badger].concat();
    let late_text = [&text[..], b"B4DG3R!!", &badger].concat();
    let gif = [b"GIF89a\x01\0\x01\0\0\0\0", &noise[..1500], &sign(), &badger].concat();
    let partition = [&noise[..100], &sign(), &badger].concat();
    let (message, in_disk, disk) = (message(), disk(&message()), disk(&partition));
    let place = folder(&[
        ("early", &early),
        ("late", &late),
        ("start", &page),
        ("early.txt", &early_text),
        ("late.txt", &late_text),
        ("picture.gif", &gif),
        ("message", &message),
        ("disk", &disk),
        ("message.disk", &in_disk),
    ]);
    let at = place.path();
    std::fs::create_dir(at.join("db")).unwrap();
    std::fs::write(at.join("db/t.ndb"), signatures()).unwrap();
    let text_sign = "4234444733522121";
    let message_sign = "582d4261646765723a206f6e65";
    let mut wrong = Vec::new();
    // A file, a line, and a name that is found because of the line.
    for (file, line, because) in [
        ("early", format!("1:*:{SIGN}:X:CL_TYPE_ANY:CL_TYPE_PDF"), Some("Target.10")),
        ("early", "1:*:b4d933??b4{1-3}3301:X:CL_TYPE_ANY:CL_TYPE_ELF".to_owned(), Some("Target.6")),
        ("early", format!("1:*:{SIGN}:X:CL_TYPE_BINARY_DATA:CL_TYPE_SWF"), Some("Target.11")),
        ("early", format!("1:*:{SIGN}:X:CL_TYPE_PNG:CL_TYPE_SWF"), None),
        ("early", format!("1:512:{SIGN}:X:CL_TYPE_ANY:CL_TYPE_JAVA"), Some("Target.12")),
        ("early", format!("1:511:{SIGN}:X:CL_TYPE_ANY:CL_TYPE_JAVA"), None),
        ("early", format!("1:*:{SIGN}:Test.Kind:CL_TYPE_ANY:CL_TYPE_ANY"), Some("Test.Kind")),
        ("early", format!("1:*:{SIGN}:X:CL_TYPE_ANY:CL_TYPE_PDF:300"), None),
        ("late", format!("1:*:{SIGN}:X:CL_TYPE_ANY:CL_TYPE_PDF"), None),
        ("late", format!("1:*:{SIGN}:X:CL_TYPE_ANY:CL_TYPE_DMG"), Some("Target.14")),
        ("start", format!("0:0:{SIGN}:X:CL_TYPE_PNG:CL_TYPE_MSOLE2"), Some("Target.2")),
        ("start", format!("4:0:{SIGN}:X:CL_TYPE_ANY:CL_TYPE_MSOLE2"), None),
        ("early.txt", format!("1:*:{text_sign}:X:CL_TYPE_ANY:CL_TYPE_GIF"), Some("Target.5")),
        ("early.txt", format!("1:*:{text_sign}:X:CL_TYPE_TEXT_ASCII:CL_TYPE_GIF"), Some("Target.5")),
        ("early.txt", format!("1:*:{text_sign}:X:CL_TYPE_BINARY_DATA:CL_TYPE_GIF"), None),
        ("late.txt", format!("1:*:{text_sign}:X:CL_TYPE_ANY:CL_TYPE_HTML"), Some("Target.3")),
        ("late.txt", format!("1:*:{text_sign}:X:CL_TYPE_ANY:CL_TYPE_MAIL"), Some("Target.4")),
        ("picture.gif", format!("1:*:{SIGN}:X:CL_TYPE_ANY:CL_TYPE_RTF"), None),
        ("message", format!("1:*:{message_sign}:X:CL_TYPE_ANY:CL_TYPE_MAIL"), Some("Target.0")),
        ("message", format!("0:0:{message_sign}:X:CL_TYPE_ANY:CL_TYPE_MAIL"), Some("Target.0")),
        ("disk", format!("4:100:{SIGN}:X:CL_TYPE_PART_ANY:CL_TYPE_PDF"), Some("Target.10")),
        ("disk", format!("4:101:{SIGN}:X:CL_TYPE_PART_ANY:CL_TYPE_PDF"), None),
        ("message.disk", format!("4:0:{message_sign}:X:CL_TYPE_PART_ANY:CL_TYPE_MAIL"), Some("Target.0")),
    ] {
        std::fs::write(at.join("db/t.ftm"), format!("{line}\n")).unwrap();
        let (theirs, ours) = (found("clamscan", at, file), found("dachs", at, file));
        std::fs::remove_file(at.join("db/t.ftm")).unwrap();
        let without = found("dachs", at, file);
        let has = |names: &[String], name: &str| names.iter().any(|found| found == name);
        let told = match because {
            // What is data to us as well stays so.
            Some(name) => has(&ours, name) && has(&theirs, name) && (name == "Target.14" || !has(&without, name)),
            None => ours == without,
        };
        if !told || !theirs.iter().all(|name| has(&ours, name)) {
            wrong.push(format!("{file} {line}\nours {ours:?}\ntheirs {theirs:?}\nwithout {without:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
