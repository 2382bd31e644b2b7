//! Streams that `xz` packs, and broken ones, beside a decoder that shares no line with ours.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]

use super::super::samples::{Random, contents, made_up, pack};
use super::*;

/// What an LZMA-alone stream holds, as far as it goes, and whether that is all.
fn unpack(packed: &[u8]) -> (Vec<u8>, io::Result<()>) {
    let Some((head, rest)) = packed.split_first_chunk::<13>() else {
        return (Vec::new(), Err(ErrorKind::UnexpectedEof.into()));
    };
    let dictionary = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
    let length = u64::from_le_bytes(*head.last_chunk().unwrap());
    let Some(properties) = Properties::new(head[0]) else {
        return (Vec::new(), Err(ErrorKind::InvalidData.into()));
    };
    let mut plain = Vec::new();
    let lzma = Lzma::new(rest, properties, dictionary, Some(length).filter(|length| *length < u64::MAX)).strict();
    let result = lzma.take(4 << 20).read_to_end(&mut plain);
    (plain, result.map(|_| ()))
}

fn unpack_two(packed: &[u8], dictionary: u32) -> (Vec<u8>, io::Result<()>) {
    let mut plain = Vec::new();
    let result = Lzma2::new(packed, dictionary).take(4 << 20).read_to_end(&mut plain);
    (plain, result.map(|_| ()))
}

/// Settings of the filter: contexts, dictionaries smaller than the content, short and long repetitions.
const SETTINGS: [&str; 8] = [
    "preset=0",
    "preset=6",
    "preset=9e",
    "preset=6,lc=0,lp=0,pb=0",
    "preset=6,lc=4,lp=0,pb=4",
    "preset=6,lc=0,lp=4,pb=2",
    "preset=6,dict=4KiB",
    "preset=6,dict=40KiB,nice=273",
];

#[test]
fn what_xz_packs_as_lzma_is_unpacked() {
    for (name, plain) in contents() {
        for setting in SETTINGS {
            let Some(packed) = pack("xz", &["--format=lzma", &format!("--lzma1={setting}")], &plain) else { return };
            let (unpacked, result) = unpack(&packed);
            assert!(result.is_ok() && unpacked == plain, "{name} {setting}: {} {result:?}", unpacked.len());
            // With the length told, the mark of an end may still follow.
            let mut told = packed.clone();
            told[5..13].copy_from_slice(&(plain.len() as u64).to_le_bytes());
            let (unpacked, result) = unpack(&told);
            assert!(result.is_ok() && unpacked == plain, "{name} {setting}: {} {result:?}", unpacked.len());
            told[5..13].copy_from_slice(&(plain.len() as u64 - 1).to_le_bytes());
            let (unpacked, result) = unpack(&told);
            assert!(result.is_err() && unpacked == plain[..plain.len() - 1], "{name} {setting}: one byte less told");
            told[5..13].copy_from_slice(&(plain.len() as u64 + 1).to_le_bytes());
            assert!(unpack(&told).1.is_err(), "{name} {setting}: one byte more told");
        }
    }
}

#[test]
fn what_xz_packs_as_lzma2_is_unpacked() {
    for (name, plain) in contents() {
        for setting in SETTINGS {
            let Some(packed) = pack("xz", &["--format=raw", &format!("--lzma2={setting}")], &plain) else { return };
            let dictionary = if setting.contains("dict=4KiB") { 4096 } else { 64 << 20 };
            let (unpacked, result) = unpack_two(&packed, dictionary);
            assert!(result.is_ok() && unpacked == plain, "{name} {setting}: {} {result:?}", unpacked.len());
        }
    }
}

#[test]
fn every_cut_gives_what_stands_before_it() {
    let plain = made_up(60_000);
    for (format, option) in [("--format=lzma", "--lzma1=preset=6"), ("--format=raw", "--lzma2=preset=6")] {
        let Some(packed) = pack("xz", &[format, option], &plain) else { return };
        let mut longest = 0;
        for cut in (0..packed.len()).step_by(13) {
            let cut = &packed[..cut];
            let (unpacked, result) = if format == "--format=raw" { unpack_two(cut, 1 << 20) } else { unpack(cut) };
            assert_eq!(result.unwrap_err().kind(), ErrorKind::UnexpectedEof);
            assert!(plain.starts_with(&unpacked), "{} of {}: {} bytes", cut.len(), packed.len(), unpacked.len());
            assert!(unpacked.len() >= longest, "{}", cut.len());
            longest = unpacked.len();
        }
        assert!(longest > 50_000);
    }
}

/// What the other decoder makes of a stream, or nothing.
fn other(packed: &[u8]) -> Option<Vec<u8>> {
    let mut reader = lzma_rust2::LzmaReader::new_mem_limit(packed, u32::MAX, None).ok()?;
    reader.set_relaxed_end_condition(false);
    let mut plain = Vec::new();
    reader.take(4 << 20).read_to_end(&mut plain).ok()?;
    Some(plain)
}

fn other_two(packed: &[u8], dictionary: u32) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    lzma_rust2::Lzma2Reader::new(packed, dictionary, None).take(4 << 20).read_to_end(&mut plain).ok()?;
    Some(plain)
}

#[test]
fn broken_streams_are_judged_as_by_another_decoder() {
    let mut random = Random(11);
    let plain = made_up(3000);
    let (mut good, mut bad) = (0, 0);
    for (format, option) in [("--format=lzma", "--lzma1=preset=6"), ("--format=raw", "--lzma2=preset=6")] {
        let Some(packed) = pack("xz", &[format, option], &plain) else { return };
        for _ in 0..3000 {
            let mut broken = packed.clone();
            for _ in 0..=random.below(3) {
                let place = random.below(broken.len());
                match random.below(4) {
                    0 => broken[place] = u8::try_from(random.below(256)).unwrap(),
                    1 => broken.truncate(place.max(14)),
                    _ => broken[place] ^= 1 << random.below(8),
                }
            }
            let ((ours, result), theirs) = match format {
                "--format=raw" => (unpack_two(&broken, 1 << 20), other_two(&broken, 1 << 20)),
                _ => {
                    // An absurd dictionary is the other decoder's allocation, and none of ours.
                    broken[3..5].fill(0);
                    (unpack(&broken), other(&broken))
                }
            };
            match (&result, &theirs) {
                (Ok(()), Some(theirs)) => {
                    assert!(ours == *theirs, "both take it, and differ: {broken:02x?}");
                    good += 1;
                }
                (Err(_), None) => bad += 1,
                _ => panic!("ours {result:?}, theirs {:?}: {format} {broken:02x?}", theirs.map(|theirs| theirs.len())),
            }
        }
    }
    assert!(good > 0 && bad > 5000, "{good} good, {bad} bad");
}
