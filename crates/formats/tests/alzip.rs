//! Archives of ALZip, in both forms. No producer runs here, so they are built by this test; unalz unpacks those in the older form.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]
#![allow(clippy::cast_possible_truncation, reason = "samples are small")]

#[path = "common/mod.rs"]
mod common;

use std::io::Write;

use common::{Walked, eicar, tool, walk};
use dachs_base::{AnomalyKind, FileKind};

fn text() -> Vec<u8> {
    (0..3000u32).flat_map(|number| format!("line {number}\n").into_bytes()).collect()
}

fn deflate(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(plain: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// bzip2 of one block, with the marks of ALZip and without what it leaves out.
fn odd_bzip2(plain: &[u8]) -> Vec<u8> {
    let usual = bzip2(plain);
    let bits = |bytes: &[u8]| -> Vec<u8> {
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect()
    };
    let all = bits(&usual);
    let end_mark = bits(&[0x17, 0x72, 0x45, 0x38, 0x50, 0x90]);
    let end = all.windows(48).rposition(|window| window == end_mark).unwrap();
    let bits = [bits(b"DLZ\x01"), all[113..end].to_vec(), bits(b"DLZ\x02")].concat();
    bits.chunks(8).map(|byte| byte.iter().enumerate().map(|(at, bit)| bit << (7 - at)).sum()).collect()
}

/// A file of an ALZ archive, with sizes of so many bytes.
fn file(name: &str, plain: &[u8], method: u8, width: u8) -> Vec<u8> {
    let packed = match method {
        1 => odd_bzip2(plain),
        2 => deflate(plain),
        _ => plain.to_vec(),
    };
    let size = |size: usize| (size as u64).to_le_bytes()[..usize::from(width)].to_vec();
    let head =
        [&b"BLZ\x01"[..], &(name.len() as u16).to_le_bytes(), &[0x20, 0, 0, 0x21, 0x58, width << 4, 0, method, 0]];
    let sum = crc32fast::hash(plain).to_le_bytes();
    [&head.concat(), &sum[..], &size(packed.len()), &size(plain.len()), name.as_bytes(), &packed].concat()
}

fn alz(files: &[Vec<u8>]) -> Vec<u8> {
    [b"ALZ\x01\x0a\0\0\0".to_vec(), files.concat(), b"CLZ\x01".to_vec(), vec![0; 12], b"CLZ\x02".to_vec()].concat()
}

fn three() -> Vec<u8> {
    alz(&[file("a.txt", &text(), 1, 4), file("eicar.com", &eicar(), 2, 1), file("stored", b"badger", 0, 8)])
}

fn kinds(walked: &Walked) -> Vec<AnomalyKind> {
    walked.anomalies.iter().map(|anomaly| anomaly.kind).collect()
}

fn assert_three(walked: &Walked) {
    assert_eq!(walked.anomalies, []);
    assert!(walked.at(&["a.txt"]).unwrap().bytes == text());
    assert_eq!(walked.at(&["eicar.com"]).unwrap().bytes, eicar());
    assert_eq!(walked.at(&["stored"]).unwrap().bytes, b"badger");
    assert_eq!(walked.objects.len(), 4);
}

#[test]
fn the_older_form_is_unpacked_as_by_unalz() {
    let walked = walk(&three());
    assert_eq!(walked.objects[0].kind, FileKind::Alz);
    assert_three(&walked);
    let folder = tempfile::tempdir().unwrap();
    // Of bzip2 it gives the first 24,576 bytes, and then fails.
    let two = alz(&[file("a.txt", &text(), 2, 4), file("eicar.com", &eicar(), 0, 1)]);
    std::fs::write(folder.path().join("a.alz"), two).unwrap();
    if tool(folder.path(), "unalz", &["a.alz"], b"").is_some() {
        assert!(std::fs::read(folder.path().join("a.txt")).unwrap() == text());
        assert_eq!(std::fs::read(folder.path().join("eicar.com")).unwrap(), eicar());
    }
}

#[test]
fn what_of_the_older_form_cannot_be_read_is_told() {
    let one = |at: usize, byte: u8| {
        let mut bytes = alz(&[file("a", b"badger", 0, 4)]);
        bytes[8 + at] = byte;
        kinds(&walk(&bytes))
    };
    assert_eq!(one(11, 0x41), [AnomalyKind::Encrypted, AnomalyKind::Damaged]);
    assert_eq!(one(13, 3), [AnomalyKind::Unsupported]);
    assert_eq!(one(11, 0x30), [AnomalyKind::Damaged]);
    let whole = three();
    for length in (4..whole.len()).step_by(7) {
        assert!(walk(&whole[..length]).gap(), "cut at {length}");
    }
}

fn field(sign: u32, data: &[u8]) -> Vec<u8> {
    [&sign.to_le_bytes()[..], &[0], &(data.len() as u16).to_le_bytes(), data].concat()
}

const END: [u8; 4] = 0x08E2_8222u32.to_le_bytes();

/// A file of an EGG archive, of blocks with these methods.
fn egg_file(name: &str, plain: &[u8], methods: &[u8], more: &[u8]) -> Vec<u8> {
    let size = plain.len().div_ceil(methods.len());
    let blocks = plain.chunks(size).zip(methods).map(|(plain, method)| {
        let packed = match method {
            1 => deflate(plain),
            2 => bzip2(plain),
            4 => lzma(plain),
            _ => plain.to_vec(),
        };
        let sizes = [(plain.len() as u32).to_le_bytes(), (packed.len() as u32).to_le_bytes()].concat();
        let sum = crc32fast::hash(plain).to_le_bytes();
        [&0x02B5_0C13u32.to_le_bytes()[..], &[*method, 0], &sizes, &sum, &END, &packed].concat()
    });
    let blocks: Vec<u8> = blocks.flatten().collect();
    let head = [&0x0A85_90E3u32.to_le_bytes()[..], &[0; 4], &(plain.len() as u64).to_le_bytes()].concat();
    [head, field(0x0A85_91AC, name.as_bytes()), more.to_vec(), END.to_vec(), blocks].concat()
}

/// LZMA as EGG has it: four bytes, properties, stream; made by xz, and empty without it.
fn lzma(plain: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let packed = tool(folder.path(), "xz", &["--format=lzma", "-c"], plain).unwrap_or_default();
    let (head, stream) = packed.split_at(packed.len().min(13));
    [&[0; 4], head.get(..5).unwrap_or_default(), stream].concat()
}

fn egg(prefix: &[u8], files: &[Vec<u8>]) -> Vec<u8> {
    [b"EGGA\0\x01\x07\0\0\0\0\0\0\0", prefix, &END, &files.concat(), &END].concat()
}

fn three_in_egg() -> Vec<u8> {
    let times = field(0x2C86_950B, &[0; 9]);
    egg(
        &[],
        &[
            egg_file("a.txt", &text(), &[2, 4, 1, 0], &times),
            egg_file("eicar.com", &eicar(), &[1], &times),
            egg_file("stored", b"badger", &[0], &[]),
        ],
    )
}

#[test]
fn the_newer_form_is_unpacked() {
    let walked = walk(&three_in_egg());
    assert_eq!(walked.objects[0].kind, FileKind::Egg);
    assert_three(&walked);
}

#[test]
fn what_of_the_newer_form_cannot_be_read_is_told() {
    let told = |prefix: &[u8], methods: &[u8], more: &[u8]| {
        kinds(&walk(&egg(prefix, &[egg_file("a", b"badger", methods, more)])))
    };
    assert_eq!(told(&[], &[0], &[]), []);
    assert_eq!(told(&[], &[3], &[])[0], AnomalyKind::Unsupported);
    assert_eq!(told(&[], &[9], &[]), [AnomalyKind::Unsupported]);
    assert_eq!(told(&[], &[0], &field(0x08D1_470F, &[0; 17])), [AnomalyKind::Encrypted]);
    assert_eq!(told(&field(0x24E5_A060, &[]), &[0], &[]), [AnomalyKind::Unsupported]);
    assert_eq!(told(&field(0x24F5_A262, &[0, 0, 0, 0, 9, 0, 0, 0]), &[0], &[]), [AnomalyKind::Unsupported]);
    let mut wrong = egg(&[], &[egg_file("a", b"badger", &[0], &[])]);
    let at = wrong.windows(6).position(|window| window == b"badger").unwrap();
    wrong[at] ^= 1;
    assert_eq!(kinds(&walk(&wrong)), [AnomalyKind::Odd]);
    let whole = three_in_egg();
    for length in (4..whole.len()).step_by(7) {
        assert!(walk(&whole[..length]).gap(), "cut at {length}");
    }
}

#[test]
fn flipped_bits_are_survived() {
    for whole in [three(), three_in_egg()] {
        for bit in (32..whole.len() * 8).step_by(59) {
            let mut broken = whole.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            walk(&broken);
        }
    }
}
