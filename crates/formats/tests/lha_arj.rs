//! LHA and ARJ archives: made by public tools and by this test, and samples.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]
#![allow(clippy::cast_possible_truncation, reason = "samples are small")]

#[path = "common/mod.rs"]
mod common;

use std::path::Path;

use common::{Walked, eicar, test_file, tool, walk, walk_within};
use dachs_base::{AnomalyKind, FileKind, Limits};

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/samples/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn text() -> Vec<u8> {
    (0..9000u32)
        .flat_map(|number| format!("line {number} {}\n", number.wrapping_mul(2_654_435_761)).into_bytes())
        .collect()
}

fn kinds(walked: &Walked) -> Vec<AnomalyKind> {
    walked.anomalies.iter().map(|anomaly| anomaly.kind).collect()
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [("text", text()), ("eicar.com", eicar()), ("empty", Vec::new()), ("zeros", vec![0; 70_000])] {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn made(folder: &Path, program: &str, arguments: &[&str], name: &str) -> Option<Vec<u8>> {
    tool(folder, program, &[arguments, &[name, "text", "eicar.com", "empty", "zeros"]].concat(), b"")?;
    Some(std::fs::read(folder.join(name)).unwrap())
}

fn check(packed: &[u8], kind: FileKind, what: &str) {
    let walked = walk(packed);
    assert_eq!((walked.objects[0].kind, &walked.anomalies), (kind, &vec![]), "{what}");
    assert!(walked.at(&["text"]).unwrap().bytes == text(), "{what}");
    assert_eq!(walked.at(&["eicar.com"]).unwrap().bytes, eicar(), "{what}");
    assert!(walked.at(&["zeros"]).unwrap().bytes == vec![0; 70_000], "{what}");
}

#[test]
fn lha_archives_of_a_public_tool() {
    let folder = folder();
    for command in ["co5", "co6", "co7", "cz", "co50", "co51", "co52"] {
        let Some(packed) = made(folder.path(), "jlha", &[command], &format!("{command}.lzh")) else { return };
        check(&packed, FileKind::Lha, command);
    }
}

#[test]
fn arj_archives_of_a_public_tool() {
    let folder = folder();
    for method in ["-m0", "-m1", "-m2", "-m3", "-m4"] {
        let Some(packed) = made(folder.path(), "arj", &["a", "-e", method], &format!("a{method}.arj")) else { return };
        check(&packed, FileKind::Arj, method);
    }
    let locked = made(folder.path(), "arj", &["a", "-e", "-gbadger"], "locked.arj").unwrap();
    assert!(kinds(&walk(&locked)).iter().all(|kind| *kind == AnomalyKind::Encrypted) && walk(&locked).gap());
}

#[test]
fn the_test_file_of_clamav_comes_out() {
    let (Some(packed), Some(plain)) = (test_file("clam.arj"), test_file("clam.exe")) else { return };
    let walked = walk(&packed);
    assert_eq!(walked.at(&["clam.exe"]).unwrap().bytes, plain);
    assert_eq!(walked.anomalies, []);
}

#[test]
fn every_method_of_arj() {
    for method in 1..=4 {
        let walked = walk(&sample(&format!("license_method{method}.arj")));
        let license = &walked.at(&["LICENSE"]).unwrap().bytes;
        assert_eq!((license.len(), crc32fast::hash(license)), (11357, 0x7B5D_04BC), "method {method}");
        assert_eq!(walked.anomalies, [], "method {method}");
    }
    assert_eq!(kinds(&walk(&sample("license_crypted.arj"))), [AnomalyKind::Encrypted]);
}

/// CRC-16/ARC, bit by bit.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum, byte| {
        (0..8).fold(sum ^ u16::from(*byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xA001 } else { sum >> 1 })
    })
}

/// A member with a header of level 0 or 2; the caller adds the end mark.
fn lha(method: &[u8; 5], level: u8, name: &str, packed: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut fixed = method.to_vec();
    fixed.extend((packed.len() as u32).to_le_bytes());
    fixed.extend((plain.len() as u32).to_le_bytes());
    fixed.extend([0, 0, 0, 0, 0x20, level]);
    let crc = crc16(plain).to_le_bytes();
    let header = if level == 0 {
        let rest = [&fixed[..], &[name.len() as u8], name.as_bytes(), &crc].concat();
        [&[rest.len() as u8, 0], &rest[..]].concat()
    } else {
        let named = [&[1], name.as_bytes()].concat();
        let size = named.len() as u16 + 2;
        let rest = [&fixed[..], &crc, b"U", &size.to_le_bytes(), &named, &[0, 0]].concat();
        [&(rest.len() as u16 + 2).to_le_bytes(), &rest[..]].concat()
    };
    [&header, packed].concat()
}

#[test]
fn old_methods_of_lha() {
    let lz5: Vec<u8> = eicar().chunks(8).flat_map(|chunk| [&[0xFF], chunk].concat()).collect();
    for level in [0, 2] {
        for (method, packed) in [(b"-lh0-", eicar()), (b"-lz4-", eicar()), (b"-lz5-", lz5.clone())] {
            let walked = walk(&[lha(method, level, "eicar.com", &packed, &eicar()), vec![0]].concat());
            assert_eq!(walked.at(&["eicar.com"]).unwrap().bytes, eicar(), "{method:?}");
            assert_eq!(walked.anomalies, [], "{method:?}");
        }
    }
    // A literal, a match of it; then a match of spaces before the start.
    let lzs = walk(
        &[lha(b"-lzs-", 0, "a", &[0b1011_0000, 0b1011_1111, 0b0111_1001, 0b0000_0000], b"aaaa"), vec![0]].concat(),
    );
    assert_eq!(lzs.at(&["a"]).unwrap().bytes, b"aaaa");
    assert_eq!(lzs.anomalies, []);
}

#[test]
fn what_cannot_be_unpacked_is_told() {
    let whole = |method, plain: &[u8]| [lha(method, 0, "a", b"abc", plain), vec![0]].concat();
    assert_eq!(kinds(&walk(&whole(b"-pm2-", b"abc"))), [AnomalyKind::Unsupported]);
    assert_eq!(kinds(&walk(&whole(b"-lh5-", b"abcdefghijklmnop"))), [AnomalyKind::Damaged]);
    let mut wrong = sample("license_method1.arj");
    wrong[0x30 + 60 + 20] ^= 1;
    assert!(!kinds(&walk(&wrong)).is_empty());
    let trailing = [whole(b"-lh0-", b"abc"), b"more".to_vec()].concat();
    assert_eq!(walk(&trailing).at(&["trailing data"]).unwrap().bytes, b"more");
}

fn tight() -> Limits {
    Limits { memory: 4 << 20, scan_size: 4 << 20, objects: 100, ..Limits::default() }
}

fn archives() -> Vec<Vec<u8>> {
    let stored =
        [lha(b"-lh0-", 0, "a", &eicar(), &eicar()), lha(b"-lh0-", 2, "b", &eicar(), &eicar()), vec![0]].concat();
    let mut archives = vec![stored, sample("license_method1.arj"), sample("license_method4.arj")];
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("text"), &text()[..4000]).unwrap();
    if tool(folder.path(), "jlha", &["co6", "a.lzh", "text"], b"").is_some() {
        archives.push(std::fs::read(folder.path().join("a.lzh")).unwrap());
    }
    archives
}

#[test]
fn every_cut_is_told() {
    for (number, whole) in archives().iter().enumerate() {
        for length in (22..whole.len()).step_by(1 + whole.len() / 80) {
            assert!(walk_within(&whole[..length], tight()).gap(), "archive {number} cut at {length}");
        }
    }
}

#[test]
fn damage_is_survived() {
    for (number, whole) in archives().iter().enumerate() {
        let members = walk(whole).objects.len();
        let places = (0..whole.len() * 8).filter(|bit| (*bit < 1000 && bit % 5 == 0) || bit % 401 == 0);
        for bit in places {
            let mut broken = whole.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            let walked = walk_within(&broken, tight());
            let told = walked.objects.len() >= members || !walked.anomalies.is_empty();
            let taken = matches!(walked.objects[0].kind, FileKind::Lha | FileKind::Arj);
            assert!(told || !taken, "archive {number}, bit {bit}");
        }
    }
}
