//! Microsoft cabinets: made by a public tool, by this test, and samples compressed with LZX.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]
#![allow(clippy::cast_possible_truncation, reason = "samples are small")]

#[path = "common/mod.rs"]
mod common;
#[path = "packers/mod.rs"]
mod packers;

use std::io::Write;

use common::{Walked, eicar, test_file, tool, walk, walk_within};
use dachs_base::{AnomalyKind, FileKind, Limits};

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/samples/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn text() -> Vec<u8> {
    (0..9000u32).flat_map(|number| format!("line {number}\n").into_bytes()).collect()
}

/// The checksum of a data block (MS-CAB 3.1), word by word.
fn checksum(bytes: &[u8]) -> u32 {
    let mut sum = 0;
    for chunk in bytes.chunks(4) {
        let mut word = chunk.to_vec();
        if word.len() < 4 {
            word.reverse();
        }
        word.resize(4, 0);
        sum ^= u32::from_le_bytes(word.try_into().unwrap());
    }
    sum
}

struct File {
    name: &'static str,
    bytes: Vec<u8>,
    folder: u16,
}

fn file(name: &'static str, bytes: &[u8], folder: u16) -> File {
    File { name, bytes: bytes.to_vec(), folder }
}

/// A block of data: stored, or with MSZIP.
fn block(plain: &[u8], zip: bool) -> Vec<u8> {
    let mut packed = plain.to_vec();
    if zip {
        let mut encoder = flate2::write::DeflateEncoder::new(b"CK".to_vec(), flate2::Compression::default());
        encoder.write_all(plain).unwrap();
        packed = encoder.finish().unwrap();
    }
    framed(&packed, plain)
}

/// A block of data around packed bytes.
fn framed(packed: &[u8], plain: &[u8]) -> Vec<u8> {
    let sizes = [(packed.len() as u16).to_le_bytes(), (plain.len() as u16).to_le_bytes()].concat();
    let sum = checksum(packed) ^ checksum(&sizes);
    [&sum.to_le_bytes()[..], &sizes, packed].concat()
}

/// A cabinet; all folders are compressed with `method` (0, 1, or Quantum with a window), or pretend to be.
fn cabinet(files: &[File], method: u16) -> Vec<u8> {
    let folders = files.iter().filter(|file| file.folder < 0xFFFD).map(|file| file.folder + 1).max().unwrap_or(1);
    let mut entries = Vec::new();
    let mut starts = vec![0u32; usize::from(folders)];
    let mut contents = vec![Vec::new(); usize::from(folders)];
    for file in files {
        let index = usize::from(file.folder).min(usize::from(folders) - 1);
        entries.extend((file.bytes.len() as u32).to_le_bytes());
        entries.extend(starts[index].to_le_bytes());
        entries.extend(file.folder.to_le_bytes());
        entries.extend([0; 6]);
        entries.extend(file.name.as_bytes());
        entries.push(0);
        starts[index] += file.bytes.len() as u32;
        contents[index].extend(&file.bytes);
    }
    let files_at = 36 + 8 * u32::from(folders);
    let mut at = files_at + entries.len() as u32;
    let (mut table, mut data) = (Vec::new(), Vec::new());
    for content in contents {
        let blocks: Vec<Vec<u8>> = match method & 0xF {
            2 if method > 0xFF => {
                let packed = packers::quantum::pack(&content, usize::from(method >> 8));
                packed.iter().zip(content.chunks(32768)).map(|(packed, plain)| framed(packed, plain)).collect()
            }
            _ => content.chunks(32768).map(|plain| block(plain, method == 1)).collect(),
        };
        table.extend(at.to_le_bytes());
        table.extend((blocks.len() as u16).to_le_bytes());
        table.extend(method.to_le_bytes());
        at += blocks.concat().len() as u32;
        data.extend(blocks.concat());
    }
    let mut out = b"MSCF\0\0\0\0".to_vec();
    out.extend(at.to_le_bytes());
    out.extend([0; 4]);
    out.extend(files_at.to_le_bytes());
    out.extend([0, 0, 0, 0, 3, 1]);
    out.extend(folders.to_le_bytes());
    out.extend((files.len() as u16).to_le_bytes());
    out.extend([0; 6]);
    [out, table, entries, data].concat()
}

fn kinds(walked: &Walked) -> Vec<AnomalyKind> {
    walked.anomalies.iter().map(|anomaly| anomaly.kind).collect()
}

#[test]
fn the_test_file_of_clamav_comes_out() {
    let (Some(packed), Some(plain)) = (test_file("clam.cab"), test_file("clam.exe")) else { return };
    let walked = walk(&packed);
    assert_eq!(walked.objects[0].kind, FileKind::Cab);
    assert_eq!(walked.at(&["clam.exe"]).unwrap().bytes, plain);
    assert_eq!(walked.anomalies, []);
}

#[test]
fn cabinets_of_a_public_tool() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [("text", text()), ("eicar.com", eicar()), ("empty", Vec::new())] {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    for packing in [&["-cn"][..], &["-czn"]] {
        let arguments = [packing, &["out.cab", "text", "eicar.com", "empty"]].concat();
        if tool(folder.path(), "gcab", &arguments, b"").is_none() {
            return;
        }
        let walked = walk(&std::fs::read(folder.path().join("out.cab")).unwrap());
        assert_eq!(walked.at(&["text"]).unwrap().bytes, text(), "{packing:?}");
        assert_eq!(walked.at(&["eicar.com"]).unwrap().bytes, eicar(), "{packing:?}");
        assert_eq!((walked.anomalies, walked.objects.len()), (vec![], 4), "{packing:?}");
    }
}

#[test]
fn lzx_is_unpacked() {
    for name in ["license_lzx15.cab", "license_lzx18.cab", "license_lzx21.cab"] {
        let walked = walk(&sample(name));
        assert_eq!(walked.anomalies, [], "{name}");
        let license = &walked.at(&["LICENSE"]).unwrap().bytes;
        assert_eq!((license.len(), crc32fast::hash(license)), (11357, 0x7B5D_04BC), "{name}");
    }
}

#[test]
fn methods_may_differ_from_folder_to_folder() {
    let walked = walk(&sample("multi.cab"));
    assert_eq!(walked.anomalies, []);
    let members: Vec<(usize, u32)> =
        walked.objects.iter().skip(1).map(|seen| (seen.bytes.len(), crc32fast::hash(&seen.bytes))).collect();
    assert_eq!(members, MULTI);
}

/// Lengths and checksums of what another program unpacks from `multi.cab`.
const MULTI: [(usize, u32); 8] = [
    (46, 0x473F_AE8D),
    (0, 0x0000_0000),
    (11357, 0x7B5D_04BC),
    (90856, 0xB863_F61F),
    (40960, 0xC2F6_910F),
    (31, 0x6B15_B8DB),
    (36, 0x8B01_E0CC),
    (90856, 0xB863_F61F),
];

#[test]
fn files_of_several_blocks_and_folders() {
    for method in [0, 1] {
        let files =
            [file("a", &text(), 0), file("eicar.com", &eicar(), 0), file("empty", b"", 0), file("b", &eicar(), 1)];
        let packed = cabinet(&files, method);
        let walked = walk(&packed);
        assert_eq!(walked.anomalies, []);
        for file in &files {
            assert_eq!(walked.at(&[file.name]).unwrap().bytes, file.bytes);
        }
        let signed = walk(&[&packed[..], b"a signature"].concat());
        assert_eq!(signed.at(&["trailing data"]).unwrap().bytes, b"a signature");
    }
}

/// Text, code and noise, so that all models are used and scaled down many times.
fn mixture() -> Vec<u8> {
    let noise: Vec<u8> = (0..20_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    [&text()[..50_000], &noise, &text()[..30_000], &vec![b'x'; 40_000], &eicar()].concat()
}

#[test]
fn quantum_is_unpacked_as_another_program_does() {
    let folder = tempfile::tempdir().unwrap();
    for bits in [10, 13, 15, 18, 21] {
        let packed = cabinet(&[file("mixture", &mixture(), 0), file("eicar.com", &eicar(), 0)], 2 | bits << 8);
        let walked = walk(&packed);
        assert_eq!(walked.anomalies, [], "{bits}");
        assert!(walked.at(&["mixture"]).unwrap().bytes == mixture(), "{bits}");
        assert_eq!(walked.at(&["eicar.com"]).unwrap().bytes, eicar(), "{bits}");
        std::fs::write(folder.path().join("q.cab"), packed).unwrap();
        let theirs = tool(folder.path(), "cabextract", &["-q", "-p", "q.cab"], b"");
        assert!(theirs.is_none_or(|theirs| theirs == [mixture(), eicar()].concat()), "{bits}");
    }
}

#[test]
fn a_cabinet_behind_a_program_is_found() {
    let Some(program) = test_file("clam.exe") else { return };
    let packed = [program, cabinet(&[file("eicar.com", &eicar(), 0)], 1)].concat();
    let walked = walk(&packed);
    assert_eq!(walked.objects[0].kind, FileKind::Pe);
    assert_eq!(walked.at(&["eicar.com"]).unwrap().bytes, eicar());
}

#[test]
fn what_cannot_be_unpacked_is_told() {
    let one = |folder, method| walk(&cabinet(&[file("a", &eicar(), folder)], method));
    assert_eq!(kinds(&one(0, 2)), [AnomalyKind::Unsupported]);
    assert_eq!(kinds(&one(0, 9)), [AnomalyKind::Unsupported]);
    assert_eq!(kinds(&one(0, 0x1602)), [AnomalyKind::Unsupported]);
    assert_eq!(kinds(&one(0, 0x1603)), [AnomalyKind::Unsupported]);
    assert_eq!(kinds(&one(0xFFFD, 0)), [AnomalyKind::Unsupported]);
    assert_eq!(kinds(&one(0xFFFF, 0)), [AnomalyKind::Unsupported]);
    let next = one(0xFFFE, 0);
    assert_eq!((kinds(&next), next.objects.len()), (vec![AnomalyKind::Unsupported], 2));
    let mut packed = cabinet(&[file("a", &eicar(), 0)], 0);
    *packed.last_mut().unwrap() ^= 1;
    assert_eq!(kinds(&walk(&packed)), [AnomalyKind::Odd]);
}

#[test]
fn a_wrong_length_of_the_cabinet_does_no_harm() {
    for size in [0u32, 36, 60, u32::MAX] {
        let mut packed = cabinet(&[file("eicar.com", &eicar(), 0)], 1);
        packed[8..12].copy_from_slice(&size.to_le_bytes());
        let walked = walk(&packed);
        assert_eq!((walked.objects.len(), walked.anomalies.len()), (2, 0), "{size}");
    }
}

fn tight() -> Limits {
    Limits { memory: 4 << 20, scan_size: 4 << 20, objects: 100, ..Limits::default() }
}

#[test]
fn every_cut_is_told() {
    let small = cabinet(&[file("a", &text()[..400], 0), file("eicar.com", &eicar(), 1)], 1);
    let quantum = cabinet(&[file("a", &text()[..400], 0), file("eicar.com", &eicar(), 1)], 0x0B02);
    let wholes = [(small, 1), (quantum, 1), (sample("license_lzx15.cab"), 53)];
    for (whole, step) in wholes {
        for length in (36..whole.len()).step_by(step) {
            assert!(walk_within(&whole[..length], tight()).gap(), "cut at {length} of {}", whole.len());
        }
    }
}

#[test]
fn damage_is_survived() {
    let small = cabinet(&[file("a", &text()[..400], 0), file("eicar.com", &eicar(), 1)], 1);
    for bit in 64..small.len() * 8 {
        let mut broken = small.clone();
        broken[bit / 8] ^= 1 << (bit % 8);
        let walked = walk_within(&broken, tight());
        assert!(walked.objects.len() > 2 || !walked.anomalies.is_empty(), "bit {bit}");
    }
    let quantum = cabinet(&[file("a", &text()[..4000], 0)], 0x0B02);
    let wholes = [quantum, sample("license_lzx15.cab"), sample("license_lzx21.cab")];
    for (number, whole) in wholes.into_iter().enumerate() {
        for bit in (60 * 8..whole.len() * 8).step_by(17) {
            let mut broken = whole.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            let walked = walk_within(&broken, tight());
            assert!(!walked.anomalies.is_empty() || bit < 76 * 8, "{number}, bit {bit}");
        }
    }
}

#[test]
fn a_window_is_refused_before_it_exists() {
    let walked = walk_within(&sample("license_lzx21.cab"), Limits { memory: 1 << 20, ..Limits::default() });
    assert!(walked.anomalies.iter().any(|anomaly| matches!(anomaly.kind, AnomalyKind::Limit(_))));
}
