//! SZDD and KWAJ files.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]
#![allow(clippy::cast_possible_truncation, reason = "samples are small")]

#[path = "common/mod.rs"]
mod common;
#[path = "packers/mod.rs"]
mod packers;

use std::io::Write;

use common::{eicar, test_file, walk, walk_within};
use dachs_base::{AnomalyKind, FileKind, Limits};

/// LZSS with literals alone, but for a match of `matched` at the end.
fn lzss(plain: &[u8], matched: Option<[u8; 2]>) -> Vec<u8> {
    let mut packed: Vec<u8> = plain.chunks(8).flat_map(|chunk| [&[0xFF], chunk].concat()).collect();
    if let Some(bytes) = matched {
        assert!(plain.len().is_multiple_of(8));
        packed.push(0);
        packed.extend(bytes);
    }
    packed
}

fn szdd(plain: &[u8]) -> Vec<u8> {
    [b"SZDD\x88\xF0\x27\x33Am", &(plain.len() as u32).to_le_bytes()[..], &lzss(plain, None)].concat()
}

fn kwaj(method: u16, flags: u16, fields: &[u8], data: &[u8]) -> Vec<u8> {
    let offset = 14 + fields.len() as u16;
    let numbers: Vec<u8> = [method, offset, flags].iter().flat_map(|number| number.to_le_bytes()).collect();
    [b"KWAJ\x88\xF0\x27\xD1", &numbers[..], fields, data].concat()
}

#[test]
fn the_test_file_of_clamav_comes_out() {
    let Some(packed) = test_file("clam.exe.szdd") else { return };
    let Some(plain) = test_file("clam.exe") else { return };
    let walked = walk(&packed);
    assert_eq!(walked.objects[0].kind, FileKind::Szdd);
    assert_eq!(walked.at(&["content"]).unwrap().bytes, plain);
    assert_eq!(walked.anomalies, []);
}

#[test]
fn every_form_is_unpacked() {
    let length = (eicar().len() as u32).to_le_bytes();
    let inverted: Vec<u8> = eicar().iter().map(|byte| !byte).collect();
    let every_field = [&length[..], b"??", b"\x03\x00abc", b"eicar\0", b"com\0", b"\x02\x00xy"].concat();
    let cases = [
        (szdd(&eicar()), "content"),
        ([b"SZ\x20\x88\xF0\x27\x33\xD1", &length[..], &lzss(&eicar(), None)].concat(), "content"),
        (kwaj(0, 0, b"", &eicar()), "content"),
        (kwaj(1, 1, &length, &inverted), "content"),
        (kwaj(2, 63, &every_field, &lzss(&eicar(), None)), "eicar.com"),
    ];
    for (packed, name) in cases {
        let walked = walk(&packed);
        assert_eq!(walked.objects[0].kind, FileKind::Szdd);
        assert_eq!(walked.at(&[name]).unwrap().bytes, eicar());
        assert_eq!(walked.anomalies, []);
    }
}

/// MSZIP blocks, each with its length, and the end.
fn mszip(plain: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    for chunk in plain.chunks(32768) {
        let mut encoder = flate2::write::DeflateEncoder::new(b"CK".to_vec(), flate2::Compression::default());
        encoder.write_all(chunk).unwrap();
        let block = encoder.finish().unwrap();
        packed.extend((block.len() as u16).to_le_bytes());
        packed.extend(block);
    }
    [packed, vec![0, 0]].concat()
}

#[test]
fn huffman_codes_and_mszip_are_unpacked() {
    let text: Vec<u8> = (0..9000u32).flat_map(|number| format!("line {number}\n").into_bytes()).collect();
    let plain = [&text[..], &eicar(), &[b'x'; 5000], &[144, 0, 255, 7]].concat();
    let length = (plain.len() as u32).to_le_bytes();
    for (method, data) in [(3, packers::kwaj(&plain)), (4, mszip(&plain))] {
        let walked = walk(&kwaj(method, 1, &length, &data));
        assert_eq!(walked.anomalies, [], "{method}");
        assert!(walked.at(&["content"]).unwrap().bytes == plain, "{method}");
        // Without a length, bits that fill the last byte may be taken for more.
        let walked = walk(&kwaj(method, 0, b"", &data));
        assert_eq!(walked.anomalies, [], "{method}");
        assert!(walked.at(&["content"]).unwrap().bytes.starts_with(&plain), "{method}");
        for cut in (0..data.len()).step_by(701) {
            assert!(walk(&kwaj(method, 1, &length, &data[..cut])).gap(), "{method} cut at {cut}");
        }
    }
}

#[test]
fn what_cannot_be_unpacked_is_told() {
    let kinds = |packed: &[u8]| walk(packed).anomalies.iter().map(|anomaly| anomaly.kind).collect::<Vec<_>>();
    assert_eq!(kinds(&kwaj(5, 0, b"", b"abc")), [AnomalyKind::Unsupported]);
    assert_eq!(kinds(&kwaj(3, 0, b"", b"\x55\x55\x55abc")), [AnomalyKind::Damaged]);
    assert_eq!(kinds(&kwaj(4, 0, b"", b"\x05\0CK")), [AnomalyKind::Damaged]);
    assert_eq!(kinds(b"SZDD\x88\xF0\x27\x33Bm\0\0\0\0"), [AnomalyKind::Unsupported]);
    assert_eq!(kinds(b"KWAJ\x88\xF0\x27\xD1\0"), [AnomalyKind::Damaged]);
    let short = [&szdd(&eicar())[..], &lzss(b"more", None)[..]].concat();
    assert_eq!(kinds(&short), [AnomalyKind::Odd]);
}

#[test]
fn every_cut_is_told() {
    let packed = szdd(&[eicar(), b" badger".repeat(40)].concat());
    for length in 8..packed.len() {
        assert!(walk(&packed[..length]).gap(), "cut at {length}");
    }
}

#[test]
fn every_flipped_bit_is_survived() {
    let limits = Limits { memory: 1 << 20, scan_size: 1 << 20, objects: 100, ..Limits::default() };
    let plain = [eicar(), b" badger".repeat(4)].concat();
    let whole = [szdd(&plain), kwaj(2, 8, b"name\0", &lzss(&plain, None)), kwaj(3, 0, b"", &packers::kwaj(&plain))];
    for packed in whole {
        for bit in 8..packed.len() * 8 {
            let mut broken = packed.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            let walked = walk_within(&broken, limits.clone());
            assert!(walked.objects.len() > 1 || walked.gap() || bit < 64, "bit {bit}");
        }
    }
}

#[test]
fn a_bomb_meets_the_limit() {
    let packed = [&b"SZDD\x88\xF0\x27\x33Am\xFF\xFF\xFF\xFF"[..], &[0, 0xFF, 0x0F].repeat(200_000)].concat();
    let limits = Limits { scan_size: 1 << 20, ..Limits::default() };
    let walked = walk_within(&packed, limits);
    assert!(walked.anomalies.iter().any(|anomaly| matches!(anomaly.kind, AnomalyKind::Limit(_))));
}
