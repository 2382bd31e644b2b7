//! Set-up programs without their program, built block by block. The real ones are in `tests/installers.rs`.
#![allow(clippy::cast_possible_truncation, reason = "tests")]

use std::io::Write;

use super::*;
use crate::seen::{Seen, seen};
use dachs_base::{Limits, Memory, NoClock};

fn walk(bytes: &[u8]) -> Seen {
    let source: Arc<dyn Source> = Arc::new(Memory::new(bytes));
    seen(&mut *open(&source, &Budget::new(Limits::default(), NoClock)))
}

fn deflated(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// A header with entries that name two files; the second stands `second` bytes behind the first.
fn header(second: u32) -> Vec<u8> {
    let texts = b"\0$INSTDIR\\sub\0first.txt\0$x";
    let texts = [&texts[..texts.len() - 2], b"\xfd\x9a\x80\\second.txt\0\0"].concat();
    let entries: [[u32; 7]; 3] = [[11, 1, 1, 0, 0, 0, 0], [20, 0, 14, 0, 0, 0, 0], [20, 0, 24, second, 0, 0, 0]];
    let mut bytes = vec![0; 4];
    for block in 0..8_u32 {
        let (offset, count) = match block {
            2 => (100, 3),
            3 => (100 + 3 * 28, 1),
            _ => (77, 1),
        };
        bytes.extend([offset, count].iter().flat_map(|number: &u32| number.to_le_bytes()));
    }
    bytes.resize(100, 0);
    bytes.extend(entries.iter().flatten().flat_map(|number| number.to_le_bytes()));
    bytes.extend(texts);
    bytes
}

fn framed(header: usize, data: &[u8]) -> Vec<u8> {
    let all = 28 + data.len() as u32 + 4;
    [&[0; 4][..], b"\xef\xbe\xad\xdeNullsoftInst", &(header as u32).to_le_bytes(), &all.to_le_bytes(), data, &[9; 4]]
        .concat()
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_le_bytes()[..], bytes].concat()
}

fn separate() -> Vec<u8> {
    let block = |plain: &[u8]| {
        let packed = deflated(plain);
        [&(packed.len() as u32 | PACKED).to_le_bytes()[..], &packed].concat()
    };
    let first = block(&b"first ".repeat(99));
    let header = header(first.len() as u32);
    framed(header.len(), &[block(&header), first, sized(b"second"), block(b"third")].concat())
}

fn solid() -> Vec<u8> {
    let first = sized(&b"first ".repeat(99));
    let header = header(first.len() as u32);
    framed(header.len(), &deflated(&[sized(&header), first, sized(b"second"), sized(b"third")].concat()))
}

#[test]
fn files_are_found_and_named() {
    for whole in [separate(), solid()] {
        let (members, anomalies) = walk(&whole);
        let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["header", "sub/first.txt", "$PLUGINSDIR/second.txt", "file 3"]);
        assert_eq!(members[1].1, b"first ".repeat(99));
        assert_eq!((&members[2].1[..], &members[3].1[..]), (&b"second"[..], &b"third"[..]));
        assert_eq!(anomalies, []);
    }
}

#[test]
fn every_cut_is_told() {
    for whole in [separate(), solid()] {
        for cut in 20..whole.len() {
            assert!(!walk(&whole[..cut]).1.is_empty(), "cut at {cut} of {}", whole.len());
        }
    }
}

#[test]
fn broken_ones_end() {
    for whole in [separate(), solid()] {
        for place in 20..whole.len() {
            for bit in [0, 3, 7] {
                let mut broken = whole.clone();
                broken[place] ^= 1 << bit;
                let _ = walk(&broken);
            }
        }
    }
}
