//! ClamAV's own program as the oracle, over pictures that are cut, changed and put together wrongly.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use dachs_base::{Limits, Memory, NoClock};

use super::*;

fn name(kind: FileKind, bytes: &[u8]) -> Option<&'static str> {
    let budget = Budget::new(Limits::default(), NoClock);
    let source: Arc<dyn Source> = Arc::new(Memory::new(bytes.to_vec()));
    judge(kind, &source, &budget).map(Heuristic::name)
}

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let crc = crc32fast::hash(&[kind.as_slice(), data].concat());
    [&u32::try_from(data.len()).unwrap().to_be_bytes(), kind.as_slice(), data, &crc.to_be_bytes()].concat()
}

fn png() -> Vec<u8> {
    let header = chunk(b"IHDR", b"\0\0\0\x04\0\0\0\x04\x08\x02\0\0\0");
    let data = chunk(b"IDAT", b"\x78\x9c\x63\x60\xa0\x1c\0\0\0\x34\0\x01");
    [b"\x89PNG\r\n\x1a\n".as_slice(), &header, &data, &chunk(b"IEND", b"")].concat()
}

fn gif() -> Vec<u8> {
    let screen = b"GIF89a\x02\0\x02\0\x80\0\0\0\0\0\xff\xff\xff";
    let image = b"!\xf9\x04\0\0\0\0\0,\0\0\0\0\x02\0\x02\0\0\x02\x02\x44\x01\0!\xfe\x03abc\0;";
    [screen.as_slice(), image].concat()
}

fn segment(marker: u8, data: &[u8]) -> Vec<u8> {
    [&[0xff, marker], u16::try_from(data.len() + 2).unwrap().to_be_bytes().as_slice(), data].concat()
}

const JFIF: &[u8] = b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0";
const EXIF: &[u8] = b"Exif\0\0MM\0*\0\0\0\x08";
const SPIFF: &[u8] = b"SPIFF\0\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01";

/// A picture of these segments, then a scan.
fn jpeg(segments: &[(u8, &[u8])]) -> Vec<u8> {
    let mut bytes = b"\xff\xd8".to_vec();
    for (marker, data) in segments {
        bytes.extend(segment(*marker, data));
    }
    bytes.extend(segment(0xc0, b"\x08\0\x08\0\x08\x01\x01\x11\0"));
    bytes.extend(segment(0xda, b"\x01\x01\0\0\x3f\0"));
    bytes.extend(b"\x12\x34\xff\xd9");
    bytes
}

fn tiff(little: bool) -> Vec<u8> {
    let (two, four) = match little {
        true => (u16::to_le_bytes as fn(u16) -> [u8; 2], u32::to_le_bytes as fn(u32) -> [u8; 4]),
        false => (u16::to_be_bytes as fn(u16) -> [u8; 2], u32::to_be_bytes as fn(u32) -> [u8; 4]),
    };
    let mut bytes = if little { b"II*\0".to_vec() } else { b"MM\0*".to_vec() };
    bytes.extend(four(8));
    bytes.extend(two(3));
    for (tag, kind, count, value) in [(256, 3, 1, 4), (270, 2, 5, 8), (282, 5, 1, 16)] {
        bytes.extend([two(tag).as_slice(), &two(kind), &four(count), &four(value)].concat());
    }
    bytes.extend(four(0));
    bytes
}

fn cursor(size: u32) -> Vec<u8> {
    let header = [b"ACONanih".as_slice(), &size.to_le_bytes(), &[0; 40]].concat();
    [b"RIFF".as_slice(), &u32::try_from(header.len()).unwrap().to_le_bytes(), &header].concat()
}

/// Whole pictures, and some that are wrong in ways that chance does not find.
fn originals() -> Vec<(FileKind, Vec<u8>)> {
    use FileKind::{Gif, Jpeg, Png, Riff, Tiff};
    let (quantisation, many) = ([0; 65], vec![(0xdb, [0; 65].as_slice()); 3]);
    let mut pictures = vec![(Png, png()), (Gif, gif()), (Tiff, tiff(true)), (Tiff, tiff(false))];
    let app0 = (0xe0, JFIF);
    let app1 = (0xe1, EXIF);
    let app8 = (0xe8, SPIFF);
    let table = (0xdb, quantisation.as_slice());
    let lists: [Vec<(u8, &[u8])>; 16] = [
        vec![app0, table],
        vec![app0, app0],
        vec![table, app0],
        vec![app1, app0],
        vec![app1, table, app0],
        vec![app0, app1, app1],
        vec![app8, app8],
        vec![table, app8],
        vec![app0, app8],
        vec![app8, app1],
        vec![app8, app0],
        vec![app1, app8],
        vec![(0xfe, b"hi"), app0, (0xfe, b""), app1],
        many.iter().copied().chain([app1]).collect(),
        vec![app0, table, table, app1],
        vec![(0xe0, b"AVI1\0"), app0],
    ];
    pictures.extend(lists.iter().map(|list| (Jpeg, jpeg(list))));
    for size in [0_u8, 1] {
        for marker in [0xdb, 0xfe] {
            let start = jpeg(&[app0]);
            pictures.push((Jpeg, [&start[..20], &[0xff, marker, 0, size], &start[20..]].concat()));
        }
    }
    pictures.extend([35, 36, 37].map(|size| (Riff, cursor(size))));
    pictures
}

/// Each picture as it is, cut, and with bytes changed.
fn pictures() -> Vec<(FileKind, Vec<u8>)> {
    let mut all = originals();
    let mut number = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (number >> 33) as usize % below
    };
    for (kind, picture) in originals() {
        // The first bytes tell the kind.
        let keep = if kind == FileKind::Riff { 12 } else { 8 };
        for _ in 0..8 {
            all.push((kind, picture[..keep + random(picture.len() - keep)].to_vec()));
            let mut changed = picture.clone();
            let at = keep + random(picture.len() - keep);
            changed[at] = [0, 1, 2, 0x7f, 0x80, 0xff, b';', b','][random(8)];
            all.push((kind, changed));
        }
    }
    all.into_iter()
        .filter(|(kind, bytes)| bytes.len() > 8 && crate::identify(&Memory::new(bytes.clone())).kind == *kind)
        .collect()
}

#[test]
fn clamscan_gives_the_same_for_broken_pictures() {
    let folder = std::env::temp_dir().join(format!("dachs-media-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("in")).unwrap();
    std::fs::write(folder.join("none.hdb"), "aa15bcf478d165efd2065190eb473bcc:544:Nothing\n").unwrap();
    let pictures = pictures();
    for (number, (_, picture)) in pictures.iter().enumerate() {
        std::fs::write(folder.join(format!("in/{number:05}")), picture).unwrap();
    }
    let mut command = Command::new("clamscan");
    command.args(["--no-summary", "--alert-broken-media", "--allmatch", "-r", "-d"]).arg(folder.join("none.hdb"));
    let output = command.arg(folder.join("in")).output();
    std::fs::remove_dir_all(&folder).unwrap();
    let Ok(output) = output else {
        return eprintln!("SKIPPED: clamscan (Debian's package clamav) is not installed");
    };
    let mut theirs: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Some((path, name)) = line.strip_suffix(" FOUND").and_then(|line| line.rsplit_once(": ")) else { continue };
        theirs.entry(path[path.len() - 5..].parse().unwrap()).or_default().insert(name.to_owned());
    }
    let mut wrong = Vec::new();
    for (number, (kind, picture)) in pictures.iter().enumerate() {
        let ours: BTreeSet<String> = name(*kind, picture).into_iter().map(str::to_owned).collect();
        let expected = theirs.remove(&number).unwrap_or_default();
        if ours != expected {
            wrong.push(format!("{kind:?} theirs {expected:?} ours {ours:?}: {}", picture.escape_ascii()));
        }
    }
    eprintln!("{} pictures compared", pictures.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), pictures.len(), wrong.join("\n"));
}

#[test]
fn whole_pictures_are_not_broken() {
    for (kind, picture) in originals().into_iter().take(5) {
        assert_eq!(name(kind, &picture), None, "{kind:?}");
    }
    assert_eq!(name(FileKind::Riff, &cursor(35)), Some("Heuristics.Exploit.W32.MS05-002"));
    assert_eq!(name(FileKind::Png, &png()[..45]), Some("Heuristics.Broken.Media.PNG.EOFReadingChunk"));
}
