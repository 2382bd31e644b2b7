//! Compiled HTML Help: files of two producers, compared with 7z, broken and cut.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

mod common;

use std::fs;
use std::sync::Arc;

use common::{Noise, test_file, tool, walk, walk_within};
use dachs_base::{Budget, FileKind, Limits, Memory, NoClock, Source};
use dachs_formats::{Item, Unpacking, unpack};

/// Made by Free Pascal's chmcmd; see tests/samples/README.md.
const BADGER: &[u8] = include_bytes!("samples/badger.chm");

#[test]
fn clamavs_sample_holds_the_test_program() {
    let (Some(help), Some(program)) = (test_file("clam.chm"), test_file("clam.exe")) else { return };
    let walked = walk(&help);
    assert_eq!(walked.objects[0].kind, FileKind::Chm);
    assert!(walked.objects.iter().any(|seen| seen.bytes == program), "{:?}", walked.anomalies);
    assert_eq!(walked.anomalies, []);
}

/// As `clamscan` sees them with signatures of container metadata for each number.
#[test]
fn members_are_numbered_as_clamav_numbers_them() {
    let Some(help) = test_file("clam.chm") else { return };
    let source: Arc<dyn Source> = Arc::new(Memory::new(help));
    let budget = Budget::new(Limits::default(), NoClock);
    let Unpacking::Members(mut members) = unpack(FileKind::Chm, &source, &budget) else { panic!() };
    let mut numbers = Vec::new();
    while let Some(item) = members.next_item() {
        if let Item::Meta(meta) = item {
            numbers.push((meta.position, String::from_utf8_lossy(meta.name.as_bytes()).into_owned()));
        }
    }
    for (number, name) in
        [(0, "/#IDXHDR"), (1, "/#ITBITS"), (8, "/$FIftiMain"), (12, "/clam.chm.hhc"), (14, "/clam.exe.txt")]
    {
        assert!(numbers.contains(&(number, name.to_string())), "{name}: {numbers:?}");
    }
}

#[test]
fn a_page_over_several_frames() {
    let walked = walk(BADGER);
    let page = &walked.at(&["index.html"]).unwrap().bytes;
    assert!(page.len() > 3 * 32 * 1024 && page.ends_with(b"<p>The badger digs hole 4499.</p>\n</body></html>"));
    assert_eq!(walked.at(&["second.html"]).unwrap().bytes, b"<html><body>short</body></html>");
    assert_eq!(walked.anomalies, []);
}

#[test]
fn the_files_are_those_that_7z_gives() {
    for help in [Some(BADGER.to_vec()), test_file("clam.chm")].into_iter().flatten() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("help.chm"), &help).unwrap();
        if tool(folder.path(), "7z", &["x", "-bd", "-oout", "help.chm"], b"").is_none() {
            return;
        }
        let walked = walk(&help);
        let mut compared = 0;
        for entry in fs::read_dir(folder.path().join("out")).unwrap().flatten().filter(|entry| entry.path().is_file()) {
            let bytes = fs::read(entry.path()).unwrap();
            if !bytes.is_empty() {
                assert!(walked.objects.iter().any(|seen| seen.bytes == bytes), "{:?}", entry.path());
                compared += 1;
            }
        }
        assert!(compared >= 3);
    }
}

#[test]
fn broken_help_is_told_or_read() {
    let limits = Limits { memory: 4 << 20, objects: 200, scan_size: 16 << 20, ..Limits::default() };
    let mut noise = Noise::new();
    let places: Vec<usize> = (0..BADGER.len()).collect();
    for _ in 0..400 {
        let _ = walk_within(&noise.flip(BADGER, &places, 3), limits.clone());
    }
    for _ in 0..60 {
        let _ = walk_within(noise.cut(BADGER), limits.clone());
    }
    assert!(walk(&BADGER[..BADGER.len() / 2]).gap());
}
