//! Differences from ClamAV that docs/clamav-differences.md lists and no test of a crate shows: both programs are asked.

use std::path::Path;
use std::process::Command;

use crate::support::{command, folder, has_tool};

/// A question, and the names that each of the programs finds.
struct Question {
    file: &'static str,
    bytes: Vec<u8>,
    database: (&'static str, &'static str),
    option: &'static str,
    ours: &'static [&'static str],
    theirs: &'static [&'static str],
}

/// The names that a program finds, in order.
fn names(program: &mut Command, at: &Path, question: &Question) -> Vec<String> {
    let arguments = ["--no-summary", "-z", "-d", question.database.0, question.option, question.file];
    let output = program.args(arguments).current_dir(at).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let found = text.lines().filter_map(|line| line.strip_suffix(" FOUND")?.split_once(": "));
    let mut names: Vec<String> = found.map(|(_, name)| name.trim_end_matches(".UNOFFICIAL").to_owned()).collect();
    names.sort();
    names
}

/// ELF of 64 bits with a section of 5 GiB and one of a few bytes that begin at 256, and `badger!` at 512.
fn far_section() -> Vec<u8> {
    let mut file = vec![0; 0x400];
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    let words = |values: &[u64]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    put(0, b"\x7fELF\x02\x01\x01");
    put(16, &[2, 0, 62, 0, 1]);
    put(24, &words(&[0x40_0000, 0x40, 0x300]));
    put(52, &[64, 0, 56, 0, 1, 0, 64, 0, 2, 0, 0, 0]);
    put(0x40, &[&[1, 0, 0, 0, 5, 0, 0, 0][..], &words(&[0, 0x40_0000, 0x40_0000, 0x300, 0x300, 0x1000])].concat());
    for (at, size) in [(0x300, 5 << 32), (0x340, 0x180)] {
        put(at, &[&[0, 0, 0, 0, 1, 0, 0, 0][..], &words(&[6, 0x40_0100, 0x100, size, 0, 16])].concat());
    }
    put(0x200, b"badger!");
    file
}

/// A disk whose two partitions begin at sector 5 and have no sectors.
fn empty_partitions() -> Vec<u8> {
    let mut disk = vec![0; 512 * 128];
    for at in [446, 462] {
        disk[at..at + 16].copy_from_slice(&[0, 0, 0, 0, 0x83, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]);
    }
    disk[510..512].copy_from_slice(&[0x55, 0xAA]);
    disk
}

/// A mail with a part of ten bytes.
fn mail() -> Vec<u8> {
    let header = "From: a@example.org\r\nTo: b@example.org\r\nSubject: x\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n\
        MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"bb\"\r\n\r\n";
    let part = "--bb\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=\"hole.txt\"\r\n\r\n";
    format!("{header}{part}0123456789\r\n--bb--\r\n").into_bytes()
}

fn questions() -> Vec<Question> {
    let sizes = "Size10:CL_TYPE_MAIL:*:hole.txt:*:10:*:*:*:*\nSize11:CL_TYPE_MAIL:*:hole.txt:*:11:*:*:*:*\n";
    let sections = "Far:6:SE0:62616467657221\nNear:6:SE1:62616467657221\n";
    let page = "<html><body><h1>THE BADGER</h1></body></html>\n";
    let question =
        |file, bytes, database, option, ours, theirs| Question { file, bytes, database, option, ours, theirs };
    let intersect = &["Heuristics.MBRPartitionnIntersect"];
    let partitions = "--alert-partition-intersection";
    vec![
        question("far.elf", far_section(), ("a.ndb", sections), "-i", &["Far", "Near"], &["Near"]),
        question("empty.mbr", empty_partitions(), ("a.ndb", sections), partitions, &[], intersect),
        question(
            "page.html",
            page.into(),
            ("b.ndb", "Page:3:*:7468652062616467\n"),
            "--max-recursion=1",
            &["Page"],
            &[],
        ),
        question("part.eml", mail(), ("c.cdb", sizes), "-i", &["Size10"], &["Size11"]),
    ]
}

#[test]
fn listed_differences_are_there() {
    let place = folder(&[]);
    for question in questions() {
        std::fs::write(place.path().join(question.file), &question.bytes).unwrap();
        std::fs::write(place.path().join(question.database.0), question.database.1).unwrap();
        assert_eq!(names(&mut command(&["clamscan"]), place.path(), &question), question.ours, "{}", question.file);
        if has_tool("clamscan") {
            let found = names(&mut Command::new("clamscan"), place.path(), &question);
            assert_eq!(found, question.theirs, "clamscan, {}", question.file);
        }
    }
}
