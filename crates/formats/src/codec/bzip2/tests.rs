//! Streams that the tool packs, and broken ones, beside a decoder that shares no line with ours.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

use std::io::Write;

use super::super::samples::{Random, made_up};
use super::*;

fn pack(plain: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::new(level));
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn unpack(packed: &[u8]) -> (Vec<u8>, io::Result<()>) {
    let mut plain = Vec::new();
    let result = Bzip2::new(packed, false).take(20 << 20).read_to_end(&mut plain);
    (plain, result.map(|_| ()))
}

fn contents() -> Vec<Vec<u8>> {
    let mut contents = vec![
        Vec::new(),
        b"a".to_vec(),
        b"aaaa".to_vec(),
        b"aaaaa".to_vec(),
        b"aaaaabbbbbbbbcaaaa".to_vec(),
        b"badger".repeat(100),
        vec![7; 100_000],
        vec![0; 3_000_000],
        (0..=255).collect(),
        made_up(250_000),
        (0..40_000_u32).flat_map(|number| (number % 997).to_string().into_bytes()).collect(),
    ];
    match std::fs::read("/lib/x86_64-linux-gnu/libc.so.6") {
        Ok(mut bytes) => {
            bytes.truncate(1_200_000);
            contents.push(bytes);
        }
        Err(_) => eprintln!("SKIPPED: there is no libc.so.6"),
    }
    contents
}

#[test]
fn what_is_packed_is_unpacked() {
    for plain in contents() {
        for level in [1, 9] {
            let packed = pack(&plain, level);
            let (unpacked, result) = unpack(&packed);
            assert!(result.is_ok() && unpacked == plain, "{} of {} {result:?}", unpacked.len(), plain.len());
        }
    }
}

#[test]
fn streams_follow_each_other_and_leave_the_rest() {
    let (first, second) = (made_up(3000), made_up(150_000));
    let packed = [pack(&first, 9), pack(b"", 1), pack(&second, 1), b"rest".to_vec()].concat();
    let mut plain = Vec::new();
    Bzip2::new(&packed[..], true).read_to_end(&mut plain).unwrap();
    assert!(plain == [first.clone(), second].concat());
    let mut one = Bzip2::new(&packed[..], false);
    plain.clear();
    one.read_to_end(&mut plain).unwrap();
    let (rest, unused) = one.into_parts();
    assert!(plain == first && packed.len() - rest.len() - unused == pack(&first, 9).len());
}

/// What the other decoder makes of a stream, or nothing.
fn other(packed: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    bzip2::bufread::BzDecoder::new(packed).take(20 << 20).read_to_end(&mut plain).ok()?;
    Some(plain)
}

#[test]
fn broken_streams_are_judged_as_by_another_decoder() {
    let mut random = Random(11);
    let (mut good, mut bad) = (0, 0);
    for plain in [made_up(3000), b"badger".repeat(50), vec![0; 5000]] {
        let packed = pack(&plain, 1);
        for _ in 0..2000 {
            let mut broken = packed.clone();
            for _ in 0..=random.below(3) {
                let place = random.below(broken.len());
                match random.below(4) {
                    0 => broken[place] = u8::try_from(random.below(256)).unwrap(),
                    1 => broken.truncate(place.max(5)),
                    _ => broken[place] ^= 1 << random.below(8),
                }
            }
            let ((ours, result), theirs) = (unpack(&broken), other(&broken));
            match (&result, &theirs) {
                (Ok(()), Some(theirs)) => {
                    assert!(ours == *theirs, "both take it, and differ: {broken:02x?}");
                    good += 1;
                }
                (Err(_), None) => bad += 1,
                _ => panic!("ours {result:?}, theirs {:?}: {broken:02x?}", theirs.map(|theirs| theirs.len())),
            }
        }
    }
    assert!(good > 0 && bad > 5000, "{good} good, {bad} bad");
}

/// The bit at a place of a stream.
fn bits(packed: &[u8]) -> Vec<u8> {
    (0..packed.len() * 8).map(|at| packed[at / 8] >> (7 - at % 8) & 1).collect()
}

fn bytes(bits: &[u8]) -> Vec<u8> {
    bits.chunks(8).map(|byte| byte.iter().enumerate().map(|(at, bit)| bit << (7 - at)).sum()).collect()
}

#[test]
fn randomised_blocks_are_judged_as_by_another_decoder() {
    // The checksum is wrong then: what comes out before it must be the same.
    let plain = made_up(5000);
    let mut all = bits(&pack(&plain, 1));
    all[32 + 48 + 32] ^= 1;
    let packed = bytes(&all);
    let (ours, result) = unpack(&packed);
    let mut theirs = vec![0; 4000];
    bzip2::bufread::BzDecoder::new(&packed[..]).read_exact(&mut theirs).unwrap();
    assert!(result.is_err() && ours.starts_with(&theirs) && !plain.starts_with(&theirs));
}

/// A stream of one block by the usual writer, without what NSIS leaves out.
fn bare(plain: &[u8], [block, last]: Marks) -> Vec<u8> {
    let all = bits(&pack(plain, 9));
    let number = |byte: u8| (0..8).rev().map(move |bit| byte >> bit & 1);
    let end_mark: Vec<u8> = [0x17_u8, 0x72, 0x45, 0x38, 0x50, 0x90].into_iter().flat_map(number).collect();
    let end = all.windows(48).rposition(|window| window == end_mark).unwrap();
    // "BZh9" 32, magic of the block 48, checksum 32, randomised 1; origin 24 ...
    let mark = |mark: &[u8]| mark.iter().flat_map(|byte| number(*byte)).collect::<Vec<u8>>();
    bytes(&[mark(block), all[113..end].to_vec(), mark(last)].concat())
}

#[test]
fn bare_blocks_are_those_of_bzip2() {
    for plain in contents().into_iter().filter(|plain| !plain.is_empty() && plain.len() <= 250_000) {
        for marks in [NSIS, ALZ] {
            let packed = bare(&plain, marks);
            let mut got = Vec::new();
            Bzip2::bare(&packed[..], marks).read_to_end(&mut got).unwrap();
            assert!(got == plain, "{} of {} bytes", got.len(), plain.len());
            for cut in (0..packed.len()).step_by(997) {
                let error = Bzip2::bare(&packed[..cut], marks).read_to_end(&mut Vec::new()).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
            }
        }
    }
}

#[test]
fn broken_bare_blocks_end() {
    let packed = bare(&b"badger digs, badger eats, badger sleeps".repeat(9), NSIS);
    for at in 0..packed.len() {
        for bit in 0..8 {
            let mut broken = packed.clone();
            broken[at] ^= 1 << bit;
            let _ = Bzip2::bare(&broken[..], NSIS).take(10 << 20).read_to_end(&mut Vec::new());
        }
    }
}

#[test]
fn the_checksum_is_that_of_the_catalogue() {
    assert_eq!(!crc(u32::MAX, b"123456789"), 0xfc89_1918);
}
