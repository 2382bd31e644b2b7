//! Every reader on bytes that are not of its kind, as a signature's `HandlerType` may ask for: it ends, within its limits.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]

mod common;

use std::io::Write;
use std::sync::Arc;

use common::{Noise, eicar};
use dachs_base::{Budget, FileKind, Limits, Memory, NoClock, Source, read_vec_at};
use dachs_formats::{Item, Unpacking, looks_into, unpack};

/// A gzip stream, a tar header, a ZIP archive without a directory, the head of a program: what one reader takes for its own.
fn foreign() -> Vec<(&'static str, Vec<u8>)> {
    let mut noise = Noise::new();
    let mut random = |count: usize| (0..count).map(|_| u8::try_from(noise.below(256)).unwrap()).collect::<Vec<u8>>();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&eicar()).unwrap();
    let local = b"PK\x03\x04\x0a\0\0\0\0\0\0\0\0\0\x86\xa6\x10\x36\x05\0\0\0\x05\0\0\0\x01\0\0\0ahello";
    vec![
        ("nothing", Vec::new()),
        ("one byte", vec![0]),
        ("zeros", vec![0; 70_000]),
        ("ones", vec![0xff; 70_000]),
        ("the test file", eicar()),
        ("text", b"<html>{\\rtf1 %PDF-1.4 begin 644 a\r\n--x\r\n".repeat(200)),
        ("a few random bytes", random(61)),
        ("random bytes", random(9000)),
        ("many random bytes", random(150_000)),
        ("gzip", gzip.finish().unwrap()),
        ("zip", local.to_vec()),
        (
            "a program",
            [b"MZ".to_vec(), vec![0; 58], vec![64, 0, 0, 0], b"PE\0\0\x4c\x01\x01\0".to_vec(), vec![0; 300]].concat(),
        ),
        ("a compound file", [b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec(), random(3000)].concat()),
    ]
}

/// Goes through an object as if it were of this kind; the number of members.
fn go_through(kind: FileKind, bytes: &[u8]) -> usize {
    let limits = Limits { memory: 16 << 20, objects: 500, scan_size: 16 << 20, ..Limits::default() };
    let budget = Budget::new(limits, NoClock);
    let source: Arc<dyn Source> = Arc::new(Memory::new(bytes));
    let Unpacking::Members(mut members) = unpack(kind, &source, &budget) else { return 0 };
    let (mut count, mut items) = (0, 0);
    while let Some(item) = members.next_item() {
        items += 1;
        assert!(items < 20_000, "{kind:?} does not end");
        if let Item::Member(member) | Item::Embedded(member) = item {
            count += 1;
            let first = read_vec_at(member.source.as_ref(), 0, 4096);
            let _ = (member.source.len(), member.source.problem());
            assert!(
                read_vec_at(member.source.as_ref(), 0, 4096) == first,
                "{kind:?} reads differently the second time"
            );
        }
    }
    assert!(members.next_item().is_none());
    count
}

#[test]
fn every_reader_ends_on_foreign_bytes() {
    for kind in FileKind::ALL.iter().filter(|kind| looks_into(**kind)) {
        for (name, bytes) in foreign() {
            let count = go_through(*kind, &bytes);
            assert!(count <= 500, "{kind:?} gives {count} members of {name}");
        }
    }
}

/// Behind the magic of its kind a reader goes on with whatever stands there.
#[test]
fn every_reader_ends_on_noise_behind_its_magic() {
    let mut noise = Noise::new();
    let mut kinds = 0;
    for magic in MAGICS {
        for _ in 0..8 {
            let count = 40 + noise.below(2000);
            let rest: Vec<u8> = (0..count).map(|_| u8::try_from(noise.below(256)).unwrap()).collect();
            let bytes = [*magic, rest.as_slice()].concat();
            let kind = dachs_formats::identify(&Memory::new(bytes.clone())).kind;
            kinds += usize::from(looks_into(kind));
            let _ = go_through(kind, &bytes);
        }
    }
    assert!(kinds > MAGICS.len() * 4, "the magics are not known any more");
}

const MAGICS: &[&[u8]] = &[
    b"PK\x03\x04",
    b"7z\xbc\xaf\x27\x1c\0\x04",
    b"Rar!\x1a\x07\0",
    b"Rar!\x1a\x07\x01\0",
    b"!<arch>\n",
    b"MSCF\0\0\0\0",
    b"ITSF\x03\0\0\0",
    b"070701",
    b"070707",
    b"\xed\xab\xee\xdb",
    b"xar!\0\x1c\0\x01",
    b"MSWIM\0\0\0",
    b"WARC/1.0\r\n",
    b"ISc(\0\x60\0\x01",
    b"InstallShield\0",
    b"\x7a\x1a\x20\x10",
    b"\0\0\0\0\xef\xbe\xad\xdeNullsoftInst",
    b"\xa3\x48\x4b\xbe\x98\x6c\x4a\xa9\x99\x4c\x53\x0a\x86\xd6\x48\x7dAU3!EA06",
    b"\x1f\x8b\x08\0",
    b"\xfd7zXZ\0\0\x04",
    b"LZIP\x01",
    b"\x28\xb5\x2f\xfd",
    b"\x04\x22\x4d\x18",
    b"\x89LZO\0\x0d\x0a\x1a\x0a",
    b"SZDD\x88\xf0\x27\x33A",
    b"KWAJ\x88\xf0\x27\xd1",
    b"QFI\xfb\0\0\0\x03",
    b"KDMV\x01\0\0\0",
    b"vhdxfile",
    b"hsqs",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    b"%PDF-1.7\n",
    b"{\\rtf1 ",
    b"\x78\x9f\x3e\x22",
    b"CWS\x09",
    b"begin 644 a\nM",
];
