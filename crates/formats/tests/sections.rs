//! Sections of Portable Executables, compared with those that ClamAV's `sigtool --mdb` digests: of real programs, and of
//! the same programs with their headers changed or their ends cut off.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "test code")]

use dachs_base::{Budget, FileKind, Limits, Memory, NoClock, Source, read_vec_at};
use md5::{Digest, Md5};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// How often each program is changed.
const CHANGES: u64 = 16;

/// Size and MD5 of every section, as `sigtool` prints them.
type Sections = Vec<String>;

fn ours(bytes: &[u8]) -> Sections {
    let source: Arc<dyn Source> = Arc::new(Memory::new(bytes));
    let budget = Budget::new(Limits::default(), NoClock);
    let sections = dachs_formats::facts(FileKind::Pe, &source, &budget).sections;
    let shown = sections.into_iter().filter(|section| section.size > 0).map(|section| {
        let bytes = read_vec_at(&*source, section.offset, section.size as usize);
        let digest: String = Md5::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}:{digest}", section.size)
    });
    shown.collect()
}

fn theirs(path: &Path) -> Sections {
    let output = Command::new("sigtool").arg("--mdb").arg(path).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    let sections = text.lines().filter_map(|line| line.split_once("Section{")?.1.split_once("}: "));
    sections.filter(|(_, section)| section.contains(':')).map(|(_, section)| section.to_owned()).collect()
}

/// Numbers that repeat.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound.max(1)
    }
}

/// Cuts the end off, or changes a field of the headers that sections depend on.
fn change(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let header = u32::from_le_bytes(bytes[60..64].try_into().unwrap()) as usize;
    let sections = usize::from(bytes[header + 6]);
    let table = header + 24 + usize::from(u16::from_le_bytes([bytes[header + 20], bytes[header + 21]]));
    let field = match dice.below(8) {
        0 => return bytes.truncate(table + 40 * sections + dice.below(bytes.len() - table - 40 * sections)),
        1 => header + 24 + [16, 32, 36, 60][dice.below(4)],
        2 => header + 24 + [16, 32, 36, 60][dice.below(4)] + 1,
        _ => table + 40 * dice.below(sections) + [8, 12, 16, 20][dice.below(4)] + dice.below(4),
    };
    bytes[field] = [0, 1, 2, 0x10, 0x7f, 0x80, 0xff, bytes[field] ^ 1][dice.below(8)];
}

fn programs() -> Vec<PathBuf> {
    let folder = std::fs::read_dir("/usr/share/clamav-testfiles").into_iter().flatten().flatten();
    let mut programs: Vec<PathBuf> = folder.map(|entry| entry.path()).collect();
    programs.retain(|path| path.extension().is_some_and(|ending| ending == "exe"));
    programs.sort();
    programs
}

#[test]
fn sections_are_those_that_clamav_digests() {
    let programs = programs();
    if programs.is_empty() || Command::new("sigtool").arg("--version").output().is_err() {
        eprintln!("SKIPPED: no sigtool, or no programs (Debian: apt-get install clamav clamav-testfiles)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (mut dice, mut wrong, mut asked, mut sections) = (Dice(5), Vec::new(), 0, 0);
    for program in programs {
        let original = std::fs::read(&program).unwrap();
        for number in 0..=CHANGES {
            let mut bytes = original.clone();
            for _ in 0..number.min(2) {
                change(&mut bytes, &mut dice);
            }
            let path = folder.path().join("program");
            std::fs::write(&path, &bytes).unwrap();
            let (mut ours, mut theirs) = (ours(&bytes), theirs(&path));
            // Where it finds the header broken, ClamAV digests nothing; we do if we can.
            let broken = number > 0 && theirs.is_empty();
            ours.sort();
            theirs.sort();
            asked += 1;
            sections += theirs.len();
            if ours != theirs && !broken {
                wrong.push((program.clone(), number, ours, theirs));
            }
        }
    }
    assert!(sections > asked);
    assert!(wrong.is_empty(), "{} of {asked} with {sections} sections: {wrong:#?}", wrong.len());
}
