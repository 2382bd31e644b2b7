//! Streams that `xz` packs, and broken ones, beside a decoder that shares no line with ours.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]

use std::io::Write;
use std::process::{Command, Stdio};

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

/// What `xz` makes of `plain`; nothing if there is no such tool.
fn pack(arguments: &[&str], plain: &[u8]) -> Option<Vec<u8>> {
    let spawned =
        Command::new("xz").args(arguments).args(["-q", "-c"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = spawned else {
        eprintln!("SKIPPED: there is no xz to pack with");
        return None;
    };
    let (mut input, owned) = (child.stdin.take().unwrap(), plain.to_vec());
    let writer = std::thread::spawn(move || input.write_all(&owned));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    Some(output.stdout)
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound.max(1)
    }
}

fn made_up(length: usize) -> Vec<u8> {
    let mut random = Random(7);
    let mut bytes = Vec::new();
    while bytes.len() < length {
        match random.below(4) {
            0 => bytes.extend((0..random.below(40)).map(|_| u8::try_from(random.below(256)).unwrap())),
            1 => bytes.extend(vec![b'x'; random.below(300)]),
            2 => writeln!(bytes, "line {} of the badger's book", random.below(1000)).unwrap(),
            _ => {
                let start = random.below(bytes.len() + 1);
                let piece: Vec<u8> = bytes[start..].iter().take(random.below(2000)).copied().collect();
                bytes.extend(piece);
            }
        }
    }
    bytes.truncate(length);
    bytes
}

/// A program and some text of this machine, and bytes made up.
fn contents() -> Vec<(&'static str, Vec<u8>)> {
    let mut contents = vec![("made up", made_up(150_000))];
    for path in ["/lib/x86_64-linux-gnu/libc.so.6", "/usr/bin/env", "/usr/share/common-licenses/GPL-3"] {
        match std::fs::read(path) {
            Ok(mut bytes) => {
                bytes.truncate(250_000);
                contents.push((path, bytes));
            }
            Err(_) => eprintln!("SKIPPED: there is no {path}"),
        }
    }
    contents
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
            let Some(packed) = pack(&["--format=lzma", &format!("--lzma1={setting}")], &plain) else { return };
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
            let Some(packed) = pack(&["--format=raw", &format!("--lzma2={setting}")], &plain) else { return };
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
        let Some(packed) = pack(&[format, option], &plain) else { return };
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
        let Some(packed) = pack(&[format, option], &plain) else { return };
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
