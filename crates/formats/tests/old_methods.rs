//! Methods that archives of other times use, and those of other editions of 7-Zip: shrink and reduce in ZIP; LZ4, Brotli and
//! swapped words in 7z.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]
#![allow(clippy::cast_possible_truncation, reason = "samples are small")]

#[path = "common/mod.rs"]
mod common;
#[path = "packers/mod.rs"]
mod packers;
#[path = "zip_support/mod.rs"]
mod support;

use std::io::Write;

use common::{tool, walk};
use dachs_base::{AnomalyKind, FileKind};
use support::{Entry, Zip, eicar, read};

fn text() -> Vec<u8> {
    (0..9000u32).flat_map(|number| format!("line {number} of {}\n", number * 7919 % 1000).into_bytes()).collect()
}

/// Text, bytes that mark matches, noise; enough for the table of shrink to be full several times.
fn mixture() -> Vec<u8> {
    let noise: Vec<u8> = (0..20_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    [&text()[..], &[144; 300], &noise, &text()[..30_000], &eicar()].concat()
}

fn old(method: u16, plain: &[u8]) -> Vec<u8> {
    match method {
        1 => packers::shrink(plain),
        _ => packers::reduce(plain, usize::from(method) - 1),
    }
}

#[test]
fn shrunk_and_reduced_members_come_out() {
    for method in 1..=5 {
        let entry = |name, plain: &[u8]| Entry::packed(name, method, plain, old(method, plain));
        let bytes = Zip::of(vec![entry("mixture", &mixture()), entry("eicar.com", &eicar())]).build();
        let contents = read(FileKind::Zip, &bytes);
        assert!(contents.is_clean(), "{method}: {:?}", contents.kinds());
        assert!(contents.bytes("mixture") == mixture(), "{method}");
        assert_eq!(contents.bytes("eicar.com"), eicar(), "{method}");
    }
}

#[test]
fn shrink_is_what_another_program_reads() {
    let folder = tempfile::tempdir().unwrap();
    let entry = Entry::packed("mixture", 1, &mixture(), old(1, &mixture()));
    std::fs::write(folder.path().join("s.zip"), Zip::of(vec![entry]).build()).unwrap();
    let theirs = tool(folder.path(), "7z", &["e", "-so", "s.zip"], b"");
    assert!(theirs.is_none_or(|theirs| theirs == mixture()));
}

#[test]
fn cut_and_broken_members_are_told() {
    let plain = &mixture()[..3000];
    for method in 1..=5 {
        let data = old(method, plain);
        for cut in (0..data.len()).step_by(13) {
            let entry = Entry::packed("a", method, plain, data[..cut].to_vec());
            assert!(read(FileKind::Zip, &Zip::of(vec![entry]).build()).has_gap(), "{method} cut at {cut}");
        }
        for bit in (0..data.len() * 8).step_by(7) {
            let mut broken = data.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            let entry = Entry::packed("a", method, plain, broken);
            let contents = read(FileKind::Zip, &Zip::of(vec![entry]).build());
            let whole = contents.members.iter().any(|member| member.bytes == plain);
            assert!(whole || !contents.kinds().is_empty(), "{method} bit {bit}");
        }
    }
}

/// A 7z archive of one file, packed by one coder (7zFormat.txt).
fn seven(method: &[u8], packed: &[u8], plain: &[u8]) -> Vec<u8> {
    let number = |value: usize| [&[0xF0u8][..], &(value as u32).to_le_bytes()].concat();
    let mut header = vec![1, 4, 6, 0, 1, 9];
    header.extend(number(packed.len()));
    header.extend([0, 7, 11, 1, 0, 1, method.len() as u8]);
    header.extend(method);
    header.push(12);
    header.extend(number(plain.len()));
    header.extend([10, 1]);
    header.extend(crc32fast::hash(plain).to_le_bytes());
    header.extend([0, 8, 0, 0, 5, 1, 17, 5, 0, b'a', 0, 0, 0, 0, 0]);
    let start = [&(packed.len() as u64).to_le_bytes()[..], &(header.len() as u64).to_le_bytes()].concat();
    let start = [&start[..], &crc32fast::hash(&header).to_le_bytes()].concat();
    let magic = b"7z\xBC\xAF\x27\x1C\0\x04";
    [&magic[..], &crc32fast::hash(&start).to_le_bytes(), &start, packed, &header].concat()
}

fn lz4(plain: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// A frame with the skippable one before it that tells its length.
fn announced(frame: Vec<u8>) -> Vec<u8> {
    let length = (frame.len() as u32).to_le_bytes();
    [&0x184D_2A50u32.to_le_bytes()[..], &4u32.to_le_bytes(), &length, &frame].concat()
}

fn swapped(plain: &[u8], size: usize) -> Vec<u8> {
    let turn = |word: &[u8]| if word.len() == size { word.iter().rev().copied().collect() } else { word.to_vec() };
    plain.chunks(size).flat_map(turn).collect()
}

#[test]
fn methods_of_7z_come_out() {
    let plain = mixture();
    let (first, second) = plain.split_at(70_000);
    let methods: [(&[u8], Vec<u8>); 6] = [
        (&[4, 0xF7, 0x11, 4], lz4(&plain)),
        (&[4, 0xF7, 0x11, 4], [announced(lz4(first)), announced(lz4(second))].concat()),
        (&[2, 3, 2], swapped(&plain, 2)),
        (&[2, 3, 4], swapped(&plain, 4)),
        (&[4, 1, 0], plain.clone()),
        (&[0], plain.clone()),
    ];
    for (method, packed) in methods {
        let walked = walk(&seven(method, &packed, &plain));
        assert_eq!(walked.anomalies, [], "{method:?}");
        assert!(walked.at(&["a"]).unwrap().bytes == plain, "{method:?}");
        for cut in [0, packed.len() / 3, packed.len() - 10] {
            assert!(walk(&seven(method, &packed[..cut], &plain)).gap(), "{method:?} cut at {cut}");
        }
    }
    let unknown = walk(&seven(&[4, 0xF7, 0x11, 5], b"abc", b"abcd"));
    assert_eq!(unknown.anomalies[0].kind, AnomalyKind::Unsupported);
}

#[test]
fn answers_in_brotli_are_given_decoded() {
    // RFC 7932 9.2: a meta-block that is not compressed, and an empty last one.
    let plain = eicar();
    // Window of 22 bits; not the last; length in four digits of four bits, less one; not compressed.
    let head = 0x0F | (plain.len() as u32 - 1) << 7 | 1 << 23;
    let packed = [&head.to_le_bytes()[..3], &plain, &[3]].concat();
    for (coding, body) in [("br", packed.clone()), ("br", plain.clone()), ("identity", plain.clone())] {
        let answer = [format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\n\r\n").into_bytes(), body].concat();
        let head = "WARC/1.1\r\nWARC-Type: response\r\nWARC-Target-URI: http://a/\r\nContent-Length: ";
        let head = format!("{head}{}\r\n\r\n", answer.len());
        let walked = walk(&[head.as_bytes(), &answer, b"\r\n\r\n"].concat());
        assert_eq!(walked.anomalies, [], "{coding}");
        assert_eq!(walked.at(&["http://a/"]).unwrap().bytes, plain, "{coding}");
    }
}

#[test]
fn brotli_in_7z_comes_out() {
    let path = format!("{}/tests/samples/brotli.7z", env!("CARGO_MANIFEST_DIR"));
    let walked = walk(&std::fs::read(path).unwrap());
    assert_eq!(walked.anomalies, []);
    let lines: Vec<u8> = (0..2000u32).flat_map(|number| format!("line {number}\n").into_bytes()).collect();
    assert!(walked.at(&["lines.txt"]).unwrap().bytes == lines);
}
