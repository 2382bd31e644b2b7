//! Compound files and rich texts, whole and broken.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

mod common;
mod ole_support;

use common::{Walked, eicar, tool, walk, walk_within};
use dachs_base::{AnomalyKind, FileKind, Limits};
use ole_support::{Builder, compressed, counted, dir, object, package};

/// Bytes that repeat nowhere near.
fn numbers(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn kinds(walked: &Walked) -> Vec<AnomalyKind> {
    walked.anomalies.iter().map(|anomaly| anomaly.kind).collect()
}

#[test]
fn streams_of_all_sizes_come_out() {
    for sector in [512, 4096] {
        let sizes = [1, 63, 64, 65, 4095, 4096, 4097, 8192, 100_000];
        let mut builder = Builder::new(sector).stream("A/B/C/eicar.com", &eicar());
        for size in sizes {
            builder = builder.stream(&format!("S/stream{size}"), &numbers(size));
        }
        let walked = walk(&builder.build());
        assert_eq!(walked.objects[0].kind, FileKind::Ole2);
        assert_eq!(walked.at(&["A/B/C/eicar.com"]).unwrap().bytes, eicar());
        for size in sizes {
            assert!(walked.at(&[&format!("S/stream{size}")]).unwrap().bytes == numbers(size), "{sector} {size}");
        }
        assert!(walked.anomalies.is_empty(), "{:?}", walked.anomalies);
        assert_eq!(walked.objects.len(), sizes.len() + 2);
    }
}

#[test]
fn files_inside_objects_are_found() {
    let mut native = counted(&package("bad.com", &eicar()));
    native.extend(b"trailing");
    let file = Builder::new(512).stream("ObjectPool/_1/\u{1}oLe10nAtIVE", &native).build();
    let walked = walk(&file);
    assert_eq!(walked.at(&["ObjectPool/_1/\u{1}oLe10nAtIVE/bad.com"]).unwrap().bytes, eicar());
    assert!(!walked.gap());
}

#[test]
fn objects_of_presentations_are_inflated() {
    let inner = Builder::new(512).stream("eicar", &eicar()).build();
    let mut zlib = flate(&inner);
    // PowerPoint flushes and does not end.
    zlib.splice(0..0, (inner.len() as u32).to_le_bytes());
    let record = |version: u16, kind: u16, bytes: &[u8]| {
        [&version.to_le_bytes()[..], &kind.to_le_bytes(), &counted(bytes)].concat()
    };
    let records = [record(0, 1000, b"xyz"), record(0x10, 0x1011, &zlib), record(0, 0x1011, &inner)].concat();
    let slides = record(0xf, 1033, &records);
    let walked = walk(&Builder::new(512).stream("PowerPoint Document", &slides).build());
    for object in ["PowerPoint Document/object 1", "PowerPoint Document/object 2"] {
        assert_eq!(walked.at(&[object, "eicar"]).unwrap().bytes, eicar());
    }
    assert!(walked.anomalies.is_empty(), "{:?}", walked.anomalies);
}

/// zlib with one stored block that is not the last.
fn flate(plain: &[u8]) -> Vec<u8> {
    let mut zlib = vec![0x78, 0x01];
    for chunk in plain.chunks(60_000) {
        zlib.push(0);
        zlib.extend((chunk.len() as u16).to_le_bytes());
        zlib.extend((!(chunk.len() as u16)).to_le_bytes());
        zlib.extend(chunk);
    }
    zlib
}

const SOURCE: &[u8] = b"Attribute VB_Name = \"Module1\"\r\nSub AutoOpen()\r\n' ";

#[test]
fn sources_of_macros_come_out() {
    let source = [SOURCE, &eicar(), &b"\r\nEnd Sub\r\n".repeat(1000)].concat();
    let stream = [&numbers(700)[..], &compressed(&source)].concat();
    let project = |offset: u32| {
        let file = Builder::new(512)
            .stream("Macros/VBA/Module1", &stream)
            .stream("Macros/VBA/_VBA_PROJECT", &numbers(50))
            .stream("Macros/VBA/dir", &dir(&[("Module1", offset)]));
        walk(&file.build())
    };
    // With the right offset, and with a wrong one.
    for offset in [700, 3, 1_000_000] {
        let walked = project(offset);
        let module = walked.at(&["Macros/VBA/Module1.bas"]).unwrap();
        assert!(module.bytes == source, "{offset}");
        assert!(!walked.gap(), "{:?}", walked.anomalies);
    }
}

#[test]
fn a_module_that_the_project_hides_is_found() {
    let stream = [&numbers(100)[..], &compressed(&[SOURCE, &eicar()].concat())].concat();
    let file = Builder::new(512).stream("VBA/Hidden", &stream).stream("VBA/dir", &dir(&[])).build();
    let walked = walk(&file);
    assert!(walked.at(&["VBA/Hidden.bas"]).unwrap().bytes.ends_with(&eicar()));
}

#[test]
fn a_module_without_source_is_told() {
    let file = Builder::new(512).stream("VBA/Stomped", &numbers(900)).stream("VBA/dir", &dir(&[("Stomped", 700)]));
    assert_eq!(kinds(&walk(&file.build())), [AnomalyKind::Unsupported]);
    let file = Builder::new(512).stream("VBA/dir", &dir(&[("Absent", 700)]));
    assert_eq!(kinds(&walk(&file.build())), [AnomalyKind::Damaged]);
}

#[test]
fn encrypted_documents_are_told() {
    let mut word = vec![0; 5000];
    word[..2].copy_from_slice(&[0xec, 0xa5]);
    let plain = word.clone();
    word[11] = 1;
    let sheet =
        |kind: u16, bytes: &[u8]| [&kind.to_le_bytes()[..], &(bytes.len() as u16).to_le_bytes(), bytes].concat();
    let bof = sheet(0x809, &[0, 6, 5, 0]);
    let end = sheet(10, &[]);
    let workbook = |records: &[u8]| [&bof[..], records, &end].concat();
    let mut user = vec![0; 12];
    user.extend(0xf3d1_c4df_u32.to_le_bytes());
    let table: [(&str, &[u8], &[AnomalyKind]); 7] = [
        ("WordDocument", &word, &[AnomalyKind::Encrypted]),
        ("WordDocument", &plain, &[]),
        ("EncryptedPackage", b"x", &[AnomalyKind::Encrypted]),
        ("Workbook", &workbook(&sheet(0x2f, &[0; 6])), &[AnomalyKind::Encrypted]),
        ("Workbook", &workbook(&sheet(0x85, &[0, 0, 0, 0, 0, 1, 1, 0, b'a'])), &[]),
        ("Workbook", &workbook(&sheet(0x85, &[0, 0, 0, 0, 0, 0, 1, 0, b'a'])), &[]),
        ("Current User", &user, &[AnomalyKind::Encrypted]),
    ];
    for (name, bytes, expected) in table {
        let walked = walk(&Builder::new(512).stream(name, bytes).build());
        assert_eq!(kinds(&walked), expected, "{name}");
        assert_eq!(walked.at(&[name]).unwrap().bytes, bytes);
    }
}

/// Offset of an entry of the FAT in a file whose only table sector is the last one.
fn fat_entry(file: &[u8], sector: usize, entry: usize) -> usize {
    file.len() - sector + entry * 4
}

#[test]
fn broken_chains_give_their_beginning() {
    let whole = Builder::new(512).stream("stream", &numbers(5120)).build();
    // The stream stands in sectors 0 to 9.
    for (value, given) in
        [(0_u32, 3 * 512), (2, 3 * 512), (0xffff_fffe, 3 * 512), (0xffff_ffff, 3 * 512), (5000, 3 * 512)]
    {
        let mut file = whole.clone();
        let at = fat_entry(&file, 512, 2);
        file[at..at + 4].copy_from_slice(&value.to_le_bytes());
        let walked = walk(&file);
        let got = &walked.at(&["stream"]).unwrap().bytes;
        assert!(got.starts_with(&numbers(5120)[..given]), "{value}");
        assert_eq!(kinds(&walked), [AnomalyKind::Damaged], "{value}");
    }
}

#[test]
fn circles_and_orphans_of_the_directory_end_and_come_out() {
    let whole = Builder::new(512).stream("one", &numbers(5000)).stream("A/two", &eicar()).build();
    let name: Vec<u8> = "A\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let storage = whole.windows(name.len()).position(|window| window == name).unwrap();
    // The child of the storage `A`: itself, nothing, an entry that does not exist.
    for child in [2_u32, 0xffff_ffff, 77] {
        let mut file = whole.clone();
        file[storage + 76..storage + 80].copy_from_slice(&child.to_le_bytes());
        let walked = walk(&file);
        assert_eq!(walked.at(&["two"]).unwrap().bytes, eicar(), "{child}");
        assert!(kinds(&walked).contains(&AnomalyKind::Odd) && !walked.gap());
    }
}

#[test]
fn names_of_installers_are_plain() {
    let file = Builder::new(512).stream("\u{4840}\u{3f7f}\u{4164}\u{422f}\u{4836}", b"x").build();
    assert!(walk(&file).at(&["!_Tables"]).is_some());
}

/// A stored ZIP archive of one member.
fn zip(name: &str, bytes: &[u8]) -> Vec<u8> {
    let crc = crc32fast::hash(bytes);
    let fields = |offset: &[u8], signature: &[u8], versions: &[u8]| {
        let size = (bytes.len() as u32).to_le_bytes();
        let length = (name.len() as u16).to_le_bytes();
        [signature, versions, &[0; 8], &crc.to_le_bytes(), &size, &size, &length, &[0, 0], offset, name.as_bytes()]
            .concat()
    };
    let mut archive = fields(&[], b"PK\x03\x04", &[10, 0]);
    archive.extend(bytes);
    let directory = fields(&[0; 14], b"PK\x01\x02", &[10, 0, 10, 0]);
    let end = [&b"PK\x05\x06\0\0\0\0\x01\0\x01\0"[..], &(directory.len() as u32).to_le_bytes()].concat();
    let start = (archive.len() as u32).to_le_bytes();
    [archive, directory, end, start.to_vec(), vec![0, 0]].concat()
}

#[test]
fn archives_behind_compound_files_are_read_and_those_in_pieces_are_not() {
    let whole = Builder::new(512).stream("stream", &numbers(5000)).build();
    let walked = walk(&[whole, zip("bad.com", &eicar())].concat());
    assert_eq!(walked.at(&["bad.com"]).unwrap().bytes, eicar());
    // An archive as a stream, whose sectors are swapped.
    let archive = zip("bad.com", &[&eicar()[..], &numbers(5000)].concat());
    let mut file = Builder::new(512).stream("stream", &archive).build();
    let (first, second) = file[512..].split_at_mut(1024);
    first[512..].swap_with_slice(&mut second[..512]);
    let table = file.len() - 512;
    // 0 -> 2 -> 1 -> 3
    for (entry, next) in [(0, 2_u32), (2, 1), (1, 3)] {
        file[table + entry * 4..table + entry * 4 + 4].copy_from_slice(&next.to_le_bytes());
    }
    let walked = walk(&file);
    assert!(walked.at(&["stream", "bad.com"]).unwrap().bytes.starts_with(&eicar()));
    assert!(!walked.gap(), "{:?}", walked.anomalies);
}

#[test]
fn files_of_another_writer_are_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("small"), eicar()).unwrap();
    std::fs::write(folder.path().join("large"), numbers(20_000)).unwrap();
    let commands: [&[&str]; 3] = [
        &["t.msi", "-s", "Title", "Author", ";1033", "{00000000-0000-0000-0000-000000000001}"],
        &["t.msi", "-a", "eicar.com", "small"],
        &["t.msi", "-a", "payload", "large"],
    ];
    for command in commands {
        if tool(folder.path(), "msibuild", command, &[]).is_none() {
            return;
        }
    }
    let walked = walk(&std::fs::read(folder.path().join("t.msi")).unwrap());
    assert_eq!(walked.at(&["eicar.com"]).unwrap().bytes, eicar());
    assert!(walked.at(&["payload"]).unwrap().bytes == numbers(20_000));
    assert!(walked.anomalies.is_empty(), "{:?}", walked.anomalies);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Ways to write the same digits, as Word reads them.
fn disguises(bytes: &[u8]) -> Vec<String> {
    let digits = hex(bytes);
    let (start, end) = digits.split_at(41);
    let spaced: String = digits.chars().flat_map(|digit| [digit, '\n', '\t']).collect();
    vec![
        format!("{{\\rtf1{{\\object\\objemb{{\\*\\objdata {digits}}}}}}}"),
        format!("{{\\rt{{\\object{{\\objdata {digits}"),
        format!("  {{\\rtf{{\\*\\objdata {spaced}}}"),
        format!("{{\\rt{{\\object{{\\*\\objdata {start}\\anything12 {end}}}}}}}"),
        format!("{{\\rt{{\\object{{\\*\\objdata {start}{{\\unknown}}{{{{}}}}\\~{end}}}}}}}"),
        format!("{{\\rt{{\\object{{\\*\\objdata {start}{{\\fonttbl 4141{{\\x 42}}}}{end}}}}}}}"),
        format!("{{\\rt{{\\object{{\\*\\objdata {start}f\\'ff{end}}}}}}}").replacen("f\\'", "\\'", 1).replace(
            &format!("{start}\\'ff"),
            // An odd number of digits, then an even one: the lone digit is forgotten.
            &format!("{}\\'ff{}", start, &digits[40..41]),
        ),
        format!("{{\\rt\\objdata {}}}", digits.to_uppercase()),
        format!("{{\\rt{{\\bin3 }}}}{{\\*\\objdata {digits}}}}}"),
        format!("{{\\rt\\bin99999999 {{\\*\\objdata {digits}}}}}"),
    ]
}

#[test]
fn objects_in_texts_are_found_in_every_disguise() {
    let bytes = object("Package", &package("bad.com", &eicar()));
    for (number, text) in disguises(&bytes).iter().enumerate() {
        let walked = walk(text.as_bytes());
        assert_eq!(walked.objects[0].kind, FileKind::Rtf, "{number}");
        let found = walked.objects.iter().find(|seen| seen.path == ["object 1/bad.com"]);
        assert_eq!(found.map(|seen| seen.bytes.clone()), Some(eicar()), "{number}: {text}");
        assert!(!walked.gap(), "{number}: {:?}", walked.anomalies);
    }
}

#[test]
fn binary_bytes_count_as_digits() {
    let bytes = object("Package", &package("bad.com", &eicar()));
    let (start, rest) = bytes.split_at(20);
    let mut text = format!("{{\\rt{{\\*\\objdata {}\\bin{} ", hex(start), rest.len()).into_bytes();
    text.extend(rest);
    text.extend(b"}}");
    let walked = walk(&text);
    assert_eq!(walked.at(&["object 1/bad.com"]).unwrap().bytes, eicar());
}

#[test]
fn digits_that_programs_read_differently_are_read_both_ways() {
    let bytes = object("Package", &package("bad.com", &eicar()));
    let digits = hex(&bytes);
    let (start, end) = digits.split_at(40);
    for text in [
        format!("{{\\rt{{\\objdata {start}{{\\*\\unknown 4141}}{end}}}}}"),
        format!("{{\\rt{{\\objdata {start}{{\\*\\unknown {}}}{}}}}}", &end[..40], &end[40..]),
    ] {
        let walked = walk(text.as_bytes());
        assert!(walked.objects.iter().any(|seen| seen.bytes == eicar()), "{text}");
    }
}

#[test]
fn a_compound_file_behind_a_broken_header_is_found() {
    let inner = Builder::new(512).stream("eicar", &eicar()).build();
    let whole = [&b"\x01\x05\0\0\xff\xff\xff\xff garbage "[..], &inner].concat();
    let walked = walk(format!("{{\\rt{{\\*\\objdata {}}}}}", hex(&whole)).as_bytes());
    assert_eq!(walked.at(&["object 1/compound", "eicar"]).unwrap().bytes, eicar());
}

/// A small budget: what is refused must be told.
fn small() -> Limits {
    Limits { depth: 4, objects: 300, scan_size: 4 << 20, memory: 2 << 20, ..Limits::default() }
}

/// A document with a bit of everything.
fn rich() -> Vec<u8> {
    let stream = [&numbers(100)[..], &compressed(&[SOURCE, &eicar()].concat())].concat();
    Builder::new(512)
        .stream("big", &numbers(6000))
        .stream("VBA/Module1", &stream)
        .stream("VBA/dir", &dir(&[("Module1", 100)]))
        .stream("\u{1}Ole10Native", &counted(&package("bad.com", &eicar())))
        .build()
}

#[test]
fn cut_files_never_look_whole() {
    let file = rich();
    let whole = walk_within(&file, small());
    assert!(whole.anomalies.is_empty(), "{:?}", whole.anomalies);
    for end in (8..file.len()).step_by(7) {
        let walked = walk_within(&file[..end], small());
        let complete =
            whole.objects[1..].iter().all(|seen| walked.objects.iter().any(|other| other.bytes == seen.bytes));
        assert!(complete || walked.gap(), "cut at {end}");
    }
}

#[test]
fn flipped_bits_never_panic() {
    let text = disguises(&object("Package", &package("bad.com", &eicar())))[5].clone().into_bytes();
    let mut seed = 7_u64;
    for mut file in [rich(), text] {
        // The head of the file and its tables are at both ends.
        for _ in 0..3000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let near = (seed >> 20) as usize % 700;
            let at = if seed >> 63 == 0 { near.min(file.len() - 1) } else { file.len().saturating_sub(near + 1) };
            let before = file[at];
            file[at] ^= 1 << (seed >> 40 & 7);
            let walked = walk_within(&file, small());
            assert!(walked.objects.len() < 310);
            file[at] = before;
        }
    }
}

#[test]
fn nested_objects_end() {
    let walked = walk_within("{\\rt{\\objdata 41424344".repeat(2000).as_bytes(), small());
    assert!(walked.gap());
    assert!(walked.objects.len() < 310);
}

#[test]
fn the_test_files_of_clamav_give_their_program() {
    let program = std::fs::read("/usr/share/clamav-testfiles/clam.exe");
    for name in ["clam.ole.doc", "clam.ppt", "clam.exe.rtf"] {
        let file = std::fs::read(format!("/usr/share/clamav-testfiles/{name}"));
        let (Ok(program), Ok(file)) = (&program, file) else {
            eprintln!("SKIPPED: ClamAV's test files are not installed");
            return;
        };
        let walked = walk(&file);
        assert!(walked.objects.iter().any(|seen| seen.bytes == *program), "{name}");
        assert!(walked.anomalies.is_empty(), "{name}: {:?}", walked.anomalies);
    }
}
