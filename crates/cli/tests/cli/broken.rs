//! Executables whose headers make no sense (`clamscan --alert-broken`): generated ones, judged by Dachs and by clamscan.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::support::{command, folder, has_tool};

/// A header to be spoilt: its bytes, whether its highest byte comes first, and its fields, each with place and length.
struct Sample {
    name: &'static str,
    bytes: Vec<u8>,
    big_endian: bool,
    fields: Vec<(usize, usize)>,
    /// Places before which the file is cut.
    cuts: Vec<usize>,
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

/// A program for Windows with two sections.
fn pe(wide: bool) -> Sample {
    let mut bytes = vec![0; 0x800];
    let optional = 0x98;
    let (fixed, directories) = if wide { (112, 108) } else { (96, 92) };
    let table = optional + fixed + 128;
    put(&mut bytes, 0, b"MZ");
    put(&mut bytes, 60, &[0x80]);
    put(&mut bytes, 0x80, b"PE\0\0\x4c\x01\x02");
    put(&mut bytes, 0x94, &[if wide { 0xF0 } else { 0xE0 }, 0, 2, 1]);
    put(&mut bytes, optional, &[0x0B, if wide { 2 } else { 1 }]);
    for (at, value) in
        [(16, 0x1000_u32), (32, 0x1000), (36, 0x200), (56, 0x3000), (60, 0x400), (68, 3), (directories, 16)]
    {
        put(&mut bytes, optional + at, &value.to_le_bytes());
    }
    for section in 0..2_u32 {
        let row = table + 40 * section as usize;
        for (at, value) in [(8, 0x200), (12, 0x1000 * (section + 1)), (16, 0x200), (20, 0x400 + 0x200 * section)] {
            put(&mut bytes, row + at, &u32::to_le_bytes(value));
        }
        put(&mut bytes, 0x400 + 0x200 * section as usize, b"\xC3 a section");
    }
    let mut fields = vec![(60, 4), (0x80, 4), (0x84, 2), (0x86, 2), (0x94, 2), (0x96, 2), (optional, 2)];
    fields.extend([16, 32, 36, 56, 60, directories].map(|at| (optional + at, 4)));
    fields.push((optional + 68, 2));
    fields.extend([8, 12, 16, 20, 48, 52, 56, 60].map(|at| (table + at, 4)));
    let cuts = (0x80..0x1D8).step_by(8).chain([0x3FF, 0x400, 0x401, 0x600, 0x7FF]).collect();
    Sample { name: if wide { "pe64" } else { "pe32" }, bytes, big_endian: false, fields, cuts }
}

/// An ELF file with one segment and two sections.
fn elf(wide: bool, big_endian: bool) -> Sample {
    let mut bytes = vec![0; 0x300];
    let word = if wide { 8 } else { 4 };
    let number = |value: u64, length: usize| {
        let bytes = value.to_be_bytes()[8 - length..].to_vec();
        if big_endian { bytes } else { bytes.into_iter().rev().collect() }
    };
    put(&mut bytes, 0, b"\x7fELF");
    put(&mut bytes, 4, &[if wide { 2 } else { 1 }, if big_endian { 2 } else { 1 }, 1]);
    let (header, segment, section) = if wide { (64, 56, 64) } else { (52, 32, 40) };
    let mut fields = vec![(4, 1), (5, 1), (6, 1)];
    let mut at = 16;
    let values = [
        (2, 2),
        (3, 2),
        (1, 4),
        (0x40_0100, word),
        (header, word),
        (0x200, word),
        (0, 4),
        (header, 2),
        (segment, 2),
        (1, 2),
        (section, 2),
        (2, 2),
        (0, 2),
    ];
    for (value, length) in values {
        put(&mut bytes, at, &number(value, length));
        fields.push((at, length));
        at += length;
    }
    let places = if wide { [8, 16, 40] } else { [4, 8, 20] };
    for (place, value) in places.into_iter().zip([0, 0x40_0000, 0x180]) {
        let at = usize::try_from(header).unwrap() + place;
        put(&mut bytes, at, &number(value, word));
        fields.push((at, word));
    }
    let cuts = (4..0x90).step_by(4).chain([0x200, 0x210, 0x227, 0x228, 0x250, 0x27F, 0x280]).collect();
    let name = ["elf32le", "elf32be", "elf64le", "elf64be"][usize::from(wide) * 2 + usize::from(big_endian)];
    Sample { name, bytes, big_endian, fields, cuts }
}

/// A Mach-O file with a segment of one section.
fn macho(wide: bool) -> Sample {
    let mut bytes = Vec::new();
    let mut word = |values: &[u32]| values.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
    word(&[0xFEED_FACE + u32::from(wide), if wide { 0x0100_0007 } else { 7 }, 3, 2, 2, 0xD0, 0]);
    if wide {
        word(&[
            0,
            0x8000_0028,
            24,
            0x200,
            0,
            0,
            0,
            0x19,
            152,
            0,
            0,
            0,
            0,
            0x1000,
            0,
            0x1000,
            0,
            0,
            0,
            0x400,
            0,
            7,
            5,
            1,
            0,
        ]);
        word(&[0, 0, 0, 0, 0, 0, 0, 0, 0x1200, 0, 0x40, 0, 0x200, 2, 0, 0, 0, 0, 0, 0]);
    } else {
        word(&[0x8000_0028, 24, 0x200, 0, 0, 0, 1, 124, 0, 0, 0, 0, 0x1000, 0x1000, 0, 0x400, 7, 5, 1, 0]);
        word(&[0, 0, 0, 0, 0, 0, 0, 0, 0x1200, 0x40, 0x200, 2, 0, 0, 0, 0, 0]);
    }
    let used = bytes.len();
    bytes.resize(0x400, 0x90);
    let fields = (4..used).step_by(4).map(|at| (at, 4)).collect();
    let cuts = (4..used + 8).step_by(4).collect();
    Sample { name: if wide { "macho64" } else { "macho32" }, bytes, big_endian: false, fields, cuts }
}

const VALUES: [u64; 24] = [
    0,
    1,
    2,
    4,
    8,
    0x10,
    0x20,
    0x60,
    0x80,
    0xE0,
    0x100,
    0x1FF,
    0x200,
    0x400,
    0x600,
    0x801,
    0x1000,
    0x1200,
    0x2000,
    0x3000,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_F000,
    0xFFFF_FFFF,
];

/// All files: each sample with each field set to each value, and cut.
fn files() -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let samples =
        [pe(false), pe(true), elf(false, false), elf(false, true), elf(true, false), macho(false), macho(true)];
    for Sample { name, bytes, big_endian, fields, cuts } in samples {
        files.insert(format!("{name}-as-it-is"), bytes.clone());
        for (at, length) in fields {
            for value in VALUES.into_iter().filter(|value| length >= 4 || value >> (8 * length) == 0) {
                let mut spoilt = bytes.clone();
                let value = &value.to_be_bytes()[8 - length..];
                let value = if big_endian { value.to_vec() } else { value.iter().rev().copied().collect() };
                put(&mut spoilt, at, &value);
                let digits: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
                files.insert(format!("{name}-at-{at:03x}-{digits}"), spoilt);
            }
        }
        for cut in cuts {
            files.insert(format!("{name}-cut-{cut:03x}"), bytes[..cut].to_vec());
        }
    }
    files
}

/// Which files a scanner calls broken; none of them if it crashed.
fn broken(program: &str, at: &Path, names: &[&String]) -> Option<Vec<String>> {
    let list: String =
        names.iter().map(|name| format!("{}\n", at.join("files").join(name.as_str()).display())).collect();
    std::fs::write(at.join("list"), list).unwrap();
    let mut command = if program == "clamscan" { Command::new("clamscan") } else { command(&["clamscan"]) };
    command.args(["--no-summary", "--alert-broken", "-d"]).arg(at.join("t.ndb")).arg("-f").arg(at.join("list"));
    let output = command.output().unwrap();
    output.status.code()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let found = text.lines().filter_map(|line| line.strip_suffix(": Heuristics.Broken.Executable FOUND"));
    Some(found.map(|path| path.rsplit('/').next().unwrap_or(path).to_owned()).collect())
}

/// What clamscan says, of as many files at once as it survives. Those that end it are passed over.
fn theirs(at: &Path, names: &[&String], crashed: &mut Vec<String>) -> Vec<String> {
    match (broken("clamscan", at, names), names) {
        (Some(found), _) => found,
        (None, [name]) => {
            crashed.push((*name).clone());
            Vec::new()
        }
        (None, _) => {
            let (first, second) = names.split_at(names.len() / 2);
            [theirs(at, first, crashed), theirs(at, second, crashed)].concat()
        }
    }
}

#[test]
fn broken_executables_are_those_that_clamscan_calls_so() {
    if !has_tool("clamscan") {
        return;
    }
    let files = files();
    let place = folder(&[("t.ndb", b"Test:8:*:616263646566\n")]);
    let at = place.path();
    std::fs::create_dir(at.join("files")).unwrap();
    for (name, bytes) in &files {
        std::fs::write(at.join("files").join(name), bytes).unwrap();
    }
    let names: Vec<&String> = files.keys().collect();
    let mut crashed = Vec::new();
    let theirs = theirs(at, &names, &mut crashed);
    let ours = broken("dachs", at, &names).unwrap();
    assert!(
        files.len() > 2_500 && theirs.len() > 500 && crashed.len() < 100,
        "{} {} {crashed:?}",
        files.len(),
        theirs.len()
    );
    let differ: Vec<&&String> =
        names.iter().filter(|name| ours.contains(name) != theirs.contains(name) && !crashed.contains(name)).collect();
    assert!(differ.is_empty(), "{} of {} differ, we find {}: {differ:?}", differ.len(), files.len(), ours.len());
}
