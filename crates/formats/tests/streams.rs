//! Compressed streams: made by public tools, broken in every way, nested.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "tests"
)]

mod common;

use std::io::Write;
use std::path::Path;

use common::{eicar, tool, walk, walk_within};
use dachs_base::{AnomalyKind, FileKind, Limits};

/// Tool, its arguments, and the kind of what it makes.
const TOOLS: &[(&str, &[&str], FileKind)] = &[
    ("gzip", &["-c"], FileKind::Gzip),
    ("gzip", &["-1", "-c"], FileKind::Gzip),
    ("bzip2", &["-c"], FileKind::Bzip2),
    ("bzip2", &["-1", "-c"], FileKind::Bzip2),
    ("xz", &["-c"], FileKind::Xz),
    ("xz", &["-9e", "-c", "--check=sha256"], FileKind::Xz),
    ("xz", &["-c", "--check=crc32", "--block-size=5000", "-T2"], FileKind::Xz),
    ("xz", &["-c", "--x86", "--lzma2=dict=1MiB"], FileKind::Xz),
    ("xz", &["-c", "--delta=dist=4", "--lzma2=preset=1"], FileKind::Xz),
    ("xz", &["-c", "--format=lzma"], FileKind::Lzma),
    ("lzip", &["-c"], FileKind::Lzip),
    ("lzip", &["-c", "-0"], FileKind::Lzip),
    ("zstd", &["-c"], FileKind::Zstd),
    ("zstd", &["-c", "-19", "--long=24"], FileKind::Zstd),
    ("zstd", &["-c", "--no-check", "--fast"], FileKind::Zstd),
    ("lz4", &["-c"], FileKind::Lz4),
    ("lz4", &["-c", "-9", "-BD", "-B4", "-BX"], FileKind::Lz4),
    ("lz4", &["-c", "-l"], FileKind::Lz4),
    ("compress", &["-c", "-f"], FileKind::Compress),
    ("compress", &["-c", "-f", "-b", "10"], FileKind::Compress),
];

/// Text that compresses, numbers that do not, and the EICAR test file at the end.
fn content(length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut number: u64 = 7;
    while bytes.len() < length {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        writeln!(bytes, "line {} of the badger's book", number >> 48).unwrap();
        if number >> 62 == 0 {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
    }
    bytes.truncate(length);
    bytes.extend(eicar());
    bytes
}

fn packed(entry: &(&str, &[&str], FileKind), bytes: &[u8]) -> Option<Vec<u8>> {
    tool(Path::new("."), entry.0, entry.1, bytes)
}

#[test]
fn what_tools_pack_is_unpacked() {
    for entry in TOOLS {
        for length in [0, 1, 1000, 300_000] {
            let bytes = content(length);
            let Some(packed) = packed(entry, &bytes) else { continue };
            let walked = walk(&packed);
            assert_eq!(walked.objects[0].kind, entry.2, "{entry:?}");
            let got = &walked.at(&["content"]).unwrap_or_else(|| panic!("{entry:?} {length}: {walked:?}")).bytes;
            assert!(*got == bytes, "{entry:?} with {length} bytes: {} came out, {:?}", got.len(), walked.anomalies);
            assert_eq!(walked.anomalies, [], "{entry:?} {length}");
        }
    }
}

#[test]
fn streams_in_a_row_are_one() {
    let (first, second) = (content(10_000), content(300));
    for entry in TOOLS.iter().filter(|entry| !matches!(entry.2, FileKind::Lzma | FileKind::Compress)) {
        let (Some(mut packed_first), Some(packed_second)) = (packed(entry, &first), packed(entry, &second)) else {
            continue;
        };
        packed_first.extend(packed_second);
        packed_first.extend([0; 512]);
        let walked = walk(&packed_first);
        assert!(walked.at(&["content"]).unwrap().bytes == [&first[..], &second].concat(), "{entry:?}");
        assert_eq!(walked.anomalies, [], "{entry:?}");
    }
}

#[test]
fn what_follows_a_stream_is_a_member() {
    let bytes = content(5000);
    for entry in TOOLS.iter().filter(|entry| entry.2 != FileKind::Compress && !entry.1.contains(&"-l")) {
        let Some(mut packed) = packed(entry, &bytes) else { continue };
        packed.extend(b"\0\0\0");
        packed.extend(eicar());
        let walked = walk(&packed);
        assert_eq!(walked.at(&["content"]).unwrap().bytes, bytes, "{entry:?}");
        assert_eq!(walked.at(&["trailing data"]).unwrap_or_else(|| panic!("{entry:?}")).bytes, eicar(), "{entry:?}");
        assert!(walked.anomalies.iter().all(|anomaly| anomaly.kind == AnomalyKind::Odd));
    }
}

#[test]
fn frames_that_are_skipped_are_not_all_there_is() {
    let Some(mut packed) = packed(&("zstd", &["-c"], FileKind::Zstd), &content(5000)) else { return };
    packed.splice(..0, *b"\x50\x2a\x4d\x18\x01\0\0\0x");
    assert_eq!(walk(&packed).at(&["content"]).unwrap().bytes, content(5000));
    // The magic of the frame behind is broken, and tools that look for it elsewhere find it.
    packed.insert(9, 7);
    let walked = walk(&packed);
    assert_eq!(walked.anomalies.iter().map(|anomaly| anomaly.kind).collect::<Vec<_>>(), [AnomalyKind::Damaged]);
    assert!(walked.at(&["trailing data"]).is_some());
}

#[test]
fn gzip_names_come_from_the_header() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("eicar.com"), eicar()).unwrap();
    let Some(packed) = tool(folder.path(), "gzip", &["-c", "eicar.com"], b"") else { return };
    assert_eq!(walk(&packed).at(&["eicar.com"]).unwrap().bytes, eicar());
}

/// Small limits, so that thousands of broken inputs take little time.
fn small() -> Limits {
    Limits { memory: 16 << 20, scan_size: 8 << 20, object_size: 4 << 20, objects: 100, depth: 3, ..Limits::default() }
}

/// Formats in which no bit can change unnoticed.
fn is_checked(entry: &(&str, &[&str], FileKind)) -> bool {
    let unchecked = entry.1.contains(&"--no-check") || entry.1.contains(&"-l");
    !unchecked && !matches!(entry.2, FileKind::Lzma | FileKind::Compress)
}

#[test]
fn nothing_broken_looks_complete() {
    let bytes = content(400);
    for entry in TOOLS {
        let Some(packed) = packed(entry, &bytes) else { continue };
        for length in 0..packed.len() {
            check_broken(entry, &packed[..length], &bytes, &format!("cut to {length}"));
        }
        for place in 0..packed.len() {
            for bit in [1 << (place % 8), 0xff] {
                let mut broken = packed.clone();
                broken[place] ^= bit;
                check_broken(entry, &broken, &bytes, &format!("{place} xor {bit}"));
            }
        }
    }
}

fn check_broken(entry: &(&str, &[&str], FileKind), broken: &[u8], bytes: &[u8], what: &str) {
    let walked = walk_within(broken, small());
    let recognised = walked.objects[0].kind == entry.2;
    let got = walked.at(&["content"]).map(|seen| &seen.bytes[..]);
    let silent = walked.anomalies.is_empty();
    if recognised && silent && is_checked(entry) {
        assert!(
            got == Some(bytes),
            "{entry:?} {what}: {:?} of {} bytes and no word",
            got.map(<[u8]>::len),
            bytes.len()
        );
    }
}

#[test]
fn what_stands_before_the_damage_is_given() {
    let mut bytes = eicar();
    // Longer than the blocks that some formats decode at once.
    bytes.extend(content(400_000));
    // Formats that decode whole blocks only.
    let whole = |entry: &&(&str, &[&str], FileKind)| {
        entry.2 == FileKind::Bzip2 || (entry.2 == FileKind::Lz4 && !entry.1.contains(&"-B4"))
    };
    for entry in TOOLS.iter().filter(|entry| !whole(entry)) {
        let Some(packed) = packed(entry, &bytes) else { continue };
        let walked = walk(&packed[..packed.len() - packed.len() / 10]);
        let got = &walked.at(&["content"]).unwrap().bytes;
        assert!(got.starts_with(&eicar()), "{entry:?}: {} bytes", got.len());
        assert!(walked.gap() || entry.2 == FileKind::Compress, "{entry:?}");
    }
}

#[test]
fn nested_streams_end_by_depth_and_not_by_the_stack() {
    let mut packed = eicar();
    for _ in 0..1000 {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&packed).unwrap();
        packed = encoder.finish().unwrap();
    }
    let walked = walk(&packed);
    assert_eq!(walked.objects.len(), 33);
    let deep = move || walk_within(&packed, Limits { depth: 300, memory: 1 << 30, ..Limits::default() }).objects.len();
    let count = std::thread::Builder::new().stack_size(8 << 20).spawn(deep).unwrap().join().unwrap();
    assert_eq!(count, 301);
}

#[test]
fn a_bomb_ends_by_its_limit() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..64 {
        encoder.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let packed = encoder.finish().unwrap();
    let walked = walk_within(&packed, small());
    assert!(walked.gap());
    assert!(walked.anomalies.iter().any(|anomaly| matches!(anomaly.kind, AnomalyKind::Limit(_))), "{walked:?}");
}

#[test]
fn a_large_dictionary_costs_what_it_holds() {
    let bytes = content(100_000);
    let Some(packed) = tool(Path::new("."), "xz", &["-c", "--lzma2=dict=512MiB"], &bytes) else { return };
    let limits = Limits { memory: 4 << 20, ..Limits::default() };
    let walked = walk_within(&packed, limits);
    assert!(walked.at(&["content"]).unwrap().bytes == bytes, "{:?}", walked.anomalies);
}
