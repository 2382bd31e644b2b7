//! RAR archives of all versions, solid and not, encrypted, cut, with members larger than a window; compared with bsdtar.
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
use std::path::{Path, PathBuf};

use common::{Noise, Walked, eicar, tool, walk, walk_with, walk_within};
use dachs_base::{AnomalyKind, FileKind, Limits};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/rar")
}

fn sample(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).unwrap()
}

/// The lines that the samples hold, as far as they do not depend on chance.
fn is_lines(bytes: &[u8]) -> bool {
    let lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    lines.len() == 400
        && (0..).zip(lines).all(|(i, line)| line.starts_with(format!("The badger digs hole {i} ").as_bytes()))
}

fn kinds(walked: &Walked) -> Vec<AnomalyKind> {
    walked.anomalies.iter().map(|anomaly| anomaly.kind).collect()
}

/// Without that bound it is decoded until the time is over: behind its data the old decoder reads zeros.
#[test]
fn an_old_member_cannot_be_larger_than_its_data_allow() {
    let mut whole = sample("rar14.rar");
    let name = whole.windows(5).position(|window| window.eq_ignore_ascii_case(b"LINES")).unwrap();
    // RAR 1.4: packed size, unpacked size, ... 21 bytes, name.
    whole[name - 17..name - 13].copy_from_slice(&0x7fff_ffff_u32.to_le_bytes());
    let walked = walk(&whole);
    assert_eq!(kinds(&walked), [AnomalyKind::Damaged], "{:?}", walked.anomalies);
}

#[test]
fn members_of_every_version_come_out() {
    let names = [
        "rar14",
        "rar15",
        "rar20",
        "rar20-solid",
        "rar29",
        "rar29-solid",
        "rar50",
        "rar50-solid",
        "rar50-stored",
        "rar70",
    ];
    for name in names {
        let walked = walk(&sample(&format!("{name}.rar")));
        assert_eq!((walked.objects[0].kind, &walked.anomalies), (FileKind::Rar, &vec![]), "{name}");
        let path = |text: &str| {
            walked
                .objects
                .iter()
                .find(|seen| seen.path.len() == 1 && seen.path[0].replace('\\', "/").eq_ignore_ascii_case(text))
        };
        assert!(is_lines(&path("lines.txt").unwrap_or_else(|| panic!("{name}")).bytes), "{name}");
        assert_eq!(path("folder/short.txt").unwrap().bytes, b"short", "{name}");
        let noise = &path("noise.bin").unwrap().bytes;
        assert!(noise.len() == 600 && path("again.bin").unwrap().bytes.ends_with(noise), "{name}");
    }
}

#[test]
fn members_are_those_that_bsdtar_gives() {
    let out = tempfile::tempdir().unwrap();
    let mut compared = 0;
    // bsdtar does not read older ones, and never ends on some empty members.
    for name in ["rar29", "rar50", "rar50-solid", "rar50-stored", "rar70"].map(|name| format!("{name}.rar")) {
        let walked = walk(&sample(&name));
        for seen in walked.objects.iter().filter(|seen| seen.path.len() == 1 && !seen.bytes.is_empty()) {
            let archive = folder().join(&name);
            let arguments = ["-xOf", archive.to_str().unwrap(), &seen.path[0].replace('\\', "/")];
            let Some(bytes) = tool(out.path(), "bsdtar", &arguments, b"") else { return };
            assert_eq!(bytes, seen.bytes, "{name}: {:?}", seen.path);
            compared += 1;
        }
    }
    assert!(compared >= 20, "{compared}");
}

#[test]
fn what_is_encrypted_is_told_by_name() {
    for name in ["rar40-encrypted", "rar50-encrypted"] {
        let walked = walk(&sample(&format!("{name}.rar")));
        assert!(
            kinds(&walked).iter().filter(|kind| **kind == AnomalyKind::Encrypted).count() >= 4,
            "{name}: {walked:?}"
        );
    }
    for name in ["rar40-headers", "rar50-headers"] {
        let walked = walk(&sample(&format!("{name}.rar")));
        assert_eq!((kinds(&walked), walked.objects.len()), (vec![AnomalyKind::Encrypted], 1), "{name}");
    }
}

#[test]
fn a_member_larger_than_a_window_is_given_whole() {
    let source = std::sync::Arc::new(dachs_base::Memory::new(sample("rar50-big.rar")));
    let budget = dachs_base::Budget::new(Limits::default(), dachs_base::NoClock);
    let source: std::sync::Arc<dyn dachs_base::Source> = source;
    let dachs_formats::Unpacking::Members(mut members) = dachs_formats::unpack(FileKind::Rar, &source, &budget) else {
        panic!()
    };
    let mut seen = Vec::new();
    while let Some(item) = members.next_item() {
        let member = match item {
            dachs_formats::Item::Member(member) => member,
            dachs_formats::Item::Meta(_) => continue,
            _ => panic!("a remark"),
        };
        let mut last = vec![0; 1 << 20];
        let (mut at, mut lines) = (0, 0);
        loop {
            let got = member.source.read_at(at, &mut last);
            if got == 0 {
                break;
            }
            lines += last[..got].iter().filter(|byte| **byte == b'\n').count();
            at += got as u64;
        }
        assert_eq!(member.source.problem(), None);
        seen.push((String::from_utf8_lossy(member.name.as_bytes()).into_owned(), at, lines > 1_000_000));
    }
    let expected = [("first.txt", 5, false), ("big.txt", 70_000_000, true), ("last.txt", 4, false)];
    assert_eq!(seen, expected.map(|(name, length, many)| (name.to_string(), length, many)));
}

/// A stored archive of version 5 with one member.
fn stored(name: &str, content: &[u8]) -> Vec<u8> {
    let block = |body: Vec<u8>, data: &[u8]| {
        let body = [vec![body.len() as u8], body].concat();
        [&crc32fast::hash(&body).to_le_bytes()[..], &body, data].concat()
    };
    let size = content.len() as u8;
    let mut file = vec![2, 2, size, 4, size, 0x20];
    file.extend(crc32fast::hash(content).to_le_bytes());
    file.extend([0, 1, name.len() as u8]);
    file.extend(name.as_bytes());
    [b"Rar!\x1a\x07\x01\x00".to_vec(), block(vec![1, 0, 0], b""), block(file, content), block(vec![5, 0, 0], b"")]
        .concat()
}

#[test]
fn the_test_file_is_found_at_its_path() {
    let walked = walk(&stored("folder/eicar.com", &eicar()));
    assert_eq!(
        (walked.at(&["folder/eicar.com"]).unwrap().bytes.as_slice(), &walked.anomalies),
        (&eicar()[..], &vec![])
    );
    // Behind the end, and cut: the member is given all the same.
    let longer = [stored("e", &eicar()), b"more".repeat(20)].concat();
    let walked = walk(&longer);
    assert_eq!(walked.at(&["e"]).unwrap().bytes, eicar());
    let whole = stored("e", &eicar());
    let walked = walk(&whole[..whole.len() - 5]);
    assert!(walked.gap() && walked.at(&["e"]).unwrap().bytes == eicar(), "{:?}", walked.anomalies);
}

#[test]
fn a_cut_archive_gives_what_is_whole_and_is_told() {
    for name in ["rar29", "rar50"] {
        let whole = sample(&format!("{name}.rar"));
        let walked = walk(&whole[..whole.len() - 400]);
        assert!(walked.gap(), "{name}");
        assert!(walked.objects.iter().any(|seen| is_lines(&seen.bytes)), "{name}: {:?}", walked.anomalies);
    }
}

#[test]
fn broken_archives_end_within_their_limits_and_are_told() {
    let limits = Limits { memory: 24 << 20, objects: 100, scan_size: 8 << 20, ..Limits::default() };
    let mut noise = Noise::new();
    for name in ["rar14", "rar20-solid", "rar29", "rar29-solid", "rar50", "rar50-solid"] {
        let whole = sample(&format!("{name}.rar"));
        let places: Vec<usize> = (0..whole.len()).collect();
        for _ in 0..120 {
            let walked = walk_within(&noise.flip(&whole, &places, 3), limits.clone());
            let lines = walked.objects.iter().any(|seen| is_lines(&seen.bytes));
            assert!(lines || walked.gap() || walked.objects[0].kind != FileKind::Rar, "{name}");
        }
        for _ in 0..30 {
            let _ = walk_within(noise.cut(&whole), limits.clone());
        }
    }
}

#[test]
fn a_member_that_goes_on_in_another_volume_is_told() {
    let walked = walk(&sample("rar50.part1.rar"));
    assert_eq!(kinds(&walked), [AnomalyKind::Unsupported], "{:?}", walked.anomalies);
    assert_eq!(walked.told[0].object, "badger.bin");
}

#[test]
fn members_with_different_passwords_are_told() {
    let walked = walk_with(&sample("rar50-two-passwords.rar"), &["two", "one"]);
    let opened = walked.objects.iter().skip(1).filter(|seen| seen.bytes.starts_with(b"badger")).count();
    assert!(opened >= 1 && (opened == 2 || walked.gap()), "{walked:?}");
    let none = walk(&sample("rar50-two-passwords.rar"));
    assert!(
        none.told.iter().any(|told| told.object == "one.txt") && none.told.iter().any(|told| told.object == "two.txt")
    );
}

/// An archive of version 5 with a service behind its member: what Windows keeps as a stream of the file.
#[test]
fn streams_of_files_are_told() {
    let whole = stored("e", &eicar());
    let end = whole.len() - 8;
    let mut service = vec![3, 2, 6, 4, 6, 0x20];
    service.extend(crc32fast::hash(b"badger").to_le_bytes());
    service.extend([0, 1, 3]);
    service.extend(b"STM");
    let body = [vec![service.len() as u8], service].concat();
    let block = [&crc32fast::hash(&body).to_le_bytes()[..], &body, b"badger"].concat();
    let walked = walk(&[&whole[..end], &block, &whole[end..]].concat());
    assert_eq!(walked.at(&["e"]).unwrap().bytes, eicar());
    assert_eq!(kinds(&walked), [AnomalyKind::Unsupported], "{:?}", walked.anomalies);
}
