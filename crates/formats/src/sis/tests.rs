//! Installation files built field by field.
#![allow(clippy::cast_possible_truncation, reason = "tests")]

use std::io::Write;

use super::*;
use crate::seen::{Seen, seen};
use dachs_base::{Limits, Memory, NoClock};

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn walk(bytes: &[u8]) -> Seen {
    let source: Arc<dyn Source> = Arc::new(Memory::new(bytes));
    seen(&mut *open(&source, &Budget::new(Limits::default(), NoClock)))
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn numbers(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// A file in two languages and one in one, between the branches of a condition.
fn sis(packed: bool) -> Vec<u8> {
    let plain: [&[u8]; 3] = [b"english", b"deutsch", b"program"];
    let data = plain.map(|bytes| if packed { zlib(bytes) } else { bytes.to_vec() });
    let (names, heap) = (utf16("!:\\a.txtC:\\b.exe"), 0x400_u32);
    let lengths = data.each_ref().map(|bytes| bytes.len() as u32);
    let starts = [heap, heap + lengths[0], heap + lengths[0] + lengths[1]];
    let mut bytes = numbers(&[0x1000_0001, RELEASE6, 0x1000_0419, 0]);
    for number in [0_u16, 2, 5, 0, 0, 0, 0, 0, 200, 0, if packed { 1 } else { 9 }, 0, 1, 0, 0, 0] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(numbers(&[0x100, 0x110]));
    bytes.resize(0x110, 0);
    bytes.extend(numbers(&[3, 4, 0]));
    bytes.extend(numbers(&[1, 0, 0, 0, 0, 16, 0x300, lengths[0], lengths[1], starts[0], starts[1], 7, 7, 0, 0]));
    bytes.extend(numbers(&[5]));
    bytes.extend(numbers(&[0, 0, 0, 0, 0, 16, 0x310, lengths[2], starts[2], 7, 0, 0]));
    bytes.extend(numbers(&[6]));
    bytes.resize(0x300, 0);
    bytes.extend(names);
    bytes.resize(0x400, 0);
    bytes.extend(data.concat());
    bytes
}

const RELEASE6: u32 = 0x1000_3A12;

#[test]
fn files_of_each_branch_and_language_are_given() {
    for packed in [true, false] {
        let (members, anomalies) = walk(&sis(packed));
        let expected = [("!:\\a.txt:0", "english"), ("!:\\a.txt:1", "deutsch"), ("C:\\b.exe", "program")];
        assert_eq!(members, expected.map(|(name, bytes)| (name.to_owned(), bytes.as_bytes().to_vec())));
        assert_eq!(anomalies, []);
    }
}

fn field(kind: u32, value: &[u8]) -> Vec<u8> {
    let mut bytes = numbers(&[kind, value.len() as u32]);
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// The elements of an array, without their kinds.
fn array(kind: u32, elements: &[Vec<u8>]) -> Vec<u8> {
    let elements: Vec<u8> = elements.iter().flat_map(|element| field(kind, element)[4..].to_vec()).collect();
    field(2, &[numbers(&[kind]), elements].concat())
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let head = [numbers(&[1]), (bytes.len() as u64).to_le_bytes().to_vec()].concat();
    field(3, &[head, zlib(bytes)].concat())
}

fn sisx() -> Vec<u8> {
    let description = |name: &str, number: u32| {
        let hash = field(25, &numbers(&[1, 37, 0]));
        let rest = numbers(&[1, 0, 7, 0, 7, 0, number]);
        [field(1, &utf16(name)), field(1, &utf16("text/plain")), hash, rest].concat()
    };
    let descriptions = array(24, &[description("C:\\b.exe", 1), description("!:\\a.txt", 0)]);
    let controller = compressed(&field(13, &field(28, &descriptions)));
    let files = ["english", "program", "unnamed"].map(|bytes| compressed(bytes.as_bytes()));
    let unit = array(32, &files);
    let data = field(30, &array(31, &[unit]));
    let contents = field(12, &[field(34, b"ab"), controller, data].concat());
    [numbers(&[0x1020_1A7A, 0, 0, 0]), contents].concat()
}

#[test]
fn fields_are_walked_and_files_get_their_names() {
    let (members, anomalies) = walk(&sisx());
    assert_eq!(anomalies, []);
    let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["controller", "!:\\a.txt", "C:\\b.exe", "file 2"]);
    assert_eq!(members[2].1, b"program");
}

#[test]
fn every_cut_that_loses_bytes_is_told() {
    for whole in [sisx(), sis(true)] {
        for cut in 16..whole.len() - 4 {
            assert!(!walk(&whole[..cut]).1.is_empty(), "cut at {cut} of {}", whole.len());
        }
    }
}

#[test]
fn broken_ones_end() {
    for whole in [sisx(), sis(true)] {
        for place in 0..whole.len() {
            for bit in [0, 4, 7] {
                let mut broken = whole.clone();
                broken[place] ^= 1 << bit;
                let _ = walk(&broken);
            }
        }
    }
}
