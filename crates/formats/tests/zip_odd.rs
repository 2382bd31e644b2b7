//! ZIP archives that lie: everything that some program would read must be read, or a gap must be told.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::cast_possible_truncation, reason = "the writer packs small numbers")]

#[path = "zip_support/mod.rs"]
mod support;

use dachs_base::{AnomalyKind, Budget, FileKind, Heuristic, Limit, Limits, Memory, NoClock, Source};
use dachs_formats::{Item, Unpacking, unpack};
use std::sync::Arc;
use support::{Contents, Entry, Random, Zip, central, deflate, eicar, end, local, read, read_within};

fn zip(bytes: &[u8]) -> Contents {
    read(FileKind::Zip, bytes)
}

fn two() -> Vec<Entry> {
    vec![Entry::stored("a.txt", b"alpha"), Entry::deflated("dir/eicar.com", &eicar())]
}

fn assert_two(contents: &Contents) {
    assert_eq!(contents.names(), ["a.txt", "dir/eicar.com"], "{contents:?}");
    assert_eq!(contents.bytes("a.txt"), b"alpha");
    assert_eq!(contents.bytes("dir/eicar.com"), eicar());
}

#[test]
fn an_ordinary_archive_is_clean() {
    let contents = zip(&Zip::of(two()).build());
    assert_two(&contents);
    assert!(contents.is_clean(), "{contents:?}");
    assert!(zip(&Zip::default().build()).is_clean());
}

#[test]
fn prefix_zip64_comment_and_appended_bytes_change_nothing() {
    for (absolute, zip64, appended) in
        [0, 1, 2, 3, 4, 5, 6, 7].map(|bits| (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0))
    {
        let prefix = b"MZ a program that knows PK\x03\x04 and PK\x01\x02 and PK\x05\x06".repeat(50);
        let plain = Zip { prefix, entries: two(), comment: b"a comment".repeat(100), zip64, absolute };
        let mut bytes = plain.build();
        if appended {
            bytes.extend(vec![b'x'; 200_000]);
        }
        let contents = zip(&bytes);
        assert_two(&contents);
        assert!(contents.is_clean(), "{absolute} {zip64} {appended}: {:?}", contents.anomalies);
    }
}

#[test]
fn data_descriptors_of_all_forms_leave_no_gap() {
    for (signed, wide) in [(true, false), (true, true), (false, false), (false, true)] {
        let entries: Vec<Entry> = two().into_iter().map(|entry| entry.with_descriptor(signed, wide)).collect();
        let bytes = Zip::of(entries).build();
        let contents = zip(&bytes);
        assert_two(&contents);
        assert!(contents.is_clean(), "{contents:?}");
        // Without the directory the descriptors are all there is.
        let cut = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
        let contents = zip(&bytes[..cut]);
        assert_two(&contents);
        assert_eq!(contents.kinds(), [AnomalyKind::Damaged], "{signed} {wide} {contents:?}");
    }
}

#[test]
fn without_a_directory_members_are_found_by_local_headers() {
    let bytes = Zip::of(two()).build();
    let directory = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    for cut in [directory, directory + 20, bytes.len() - 22, bytes.len() - 3] {
        let contents = zip(&bytes[..cut]);
        assert_two(&contents);
        assert_eq!(contents.kinds(), [AnomalyKind::Damaged], "cut at {cut}");
    }
    let contents = zip(&bytes[..directory - 3]);
    assert_eq!(contents.names(), ["a.txt", "dir/eicar.com"]);
    assert!(contents.has_gap());
}

#[test]
fn an_entry_that_the_directory_hides_is_found() {
    for hidden in [Entry::deflated("hidden", &eicar()), Entry::stored("hidden", &eicar())] {
        for hidden in [hidden.clone().hidden(), hidden.with_descriptor(true, false).hidden()] {
            let [first, second] = two().try_into().unwrap();
            for order in 0..2 {
                let mut entries = vec![first.clone(), second.clone()];
                entries.insert(order, hidden.clone());
                let contents = zip(&Zip::of(entries).build());
                assert_eq!(contents.names(), ["a.txt", "dir/eicar.com", "hidden"]);
                assert_eq!(contents.bytes("hidden"), eicar());
                assert_eq!(contents.kinds(), [AnomalyKind::Odd]);
            }
        }
    }
}

#[test]
fn a_hidden_entry_behind_the_archive_is_found_and_told_as_cut_off() {
    let mut bytes = Zip::of(two()).build();
    bytes.extend(local(&Entry::stored("late", b"late").local));
    bytes.extend(b"late");
    let contents = zip(&bytes);
    assert_eq!(contents.bytes("late"), b"late");
    assert_eq!(contents.kinds(), [AnomalyKind::Damaged]);
}

#[test]
fn two_archives_in_one_file_are_both_read() {
    let first = Zip::of(vec![Entry::deflated("first", b"first")]).build();
    let second = Zip::of(vec![Entry::deflated("second", &eicar())]).build();
    let both = zip(&[first.clone(), second.clone()].concat());
    assert_eq!(both.names(), ["second", "first"]);
    assert!(both.is_clean(), "{both:?}");
    // One in the comment of the other.
    let commented = Zip { comment: second, entries: vec![Entry::deflated("first", b"first")], ..Zip::default() };
    let commented = zip(&commented.build());
    assert_eq!(commented.names(), ["second", "first"]);
    assert!(commented.is_clean());
}

#[test]
fn an_archive_stored_in_an_archive_is_that_members_own() {
    let inner = Zip::of(two()).build();
    let contents = zip(&Zip::of(vec![Entry::stored("inner.zip", &inner)]).build());
    assert_eq!(contents.names(), ["inner.zip"]);
    assert!(contents.is_clean(), "{contents:?}");
    assert_two(&zip(contents.bytes("inner.zip")));
}

#[test]
fn disagreements_of_the_headers_are_read_both_ways() {
    // The directory says stored, the local header deflate.
    let mut entry = Entry::deflated("x", &eicar());
    entry.central.as_mut().unwrap().method = 0;
    let contents = zip(&Zip::of(vec![entry]).build());
    assert!(contents.members.iter().any(|member| member.bytes == eicar()), "{contents:?}");
    assert!(contents.kinds().contains(&AnomalyKind::Odd));
    // The local header is honest about the size, the directory is not.
    let mut entry = Entry::stored("x", &eicar());
    let head = entry.central.as_mut().unwrap();
    (head.packed, head.length) = (3, 3);
    let contents = zip(&Zip::of(vec![entry]).build());
    assert!(contents.members.iter().any(|member| member.bytes == eicar()), "{contents:?}");
    // The directory says encrypted.
    let mut entry = Entry::deflated("x", &eicar());
    entry.central.as_mut().unwrap().flags = 1;
    let contents = zip(&Zip::of(vec![entry]).build());
    assert!(contents.members.iter().any(|member| member.bytes == eicar()), "{contents:?}");
    assert!(contents.kinds().contains(&AnomalyKind::Encrypted));
    // Another name.
    let mut entry = Entry::deflated("safe.txt", &eicar());
    entry.local.name = b"evil.exe".to_vec();
    let contents = zip(&Zip::of(vec![entry]).build());
    assert_eq!((contents.names(), contents.kinds()), (vec!["safe.txt"], vec![AnomalyKind::Odd]));
}

#[test]
fn an_offset_that_points_nowhere_is_told_and_the_member_found() {
    let mut entries = two();
    entries[1].offset = Some(3);
    let contents = zip(&Zip::of(entries).build());
    assert_two(&contents);
    assert!(contents.kinds().contains(&AnomalyKind::Damaged));
}

#[test]
fn encrypted_members_are_told_by_name() {
    let mut plain = Entry::deflated("plain", b"plain");
    plain.local.name = b"plain".to_vec();
    let mut entries = vec![plain];
    for (name, flags, method) in [("old", 1, 8), ("strong", 0x41, 8), ("aes", 1, 99), ("masked", 0x2001, 8)] {
        let mut entry = Entry::deflated(name, b"secret");
        for head in [Some(&mut entry.local), entry.central.as_mut()].into_iter().flatten() {
            (head.flags, head.method) = (flags, method);
        }
        entries.push(entry);
    }
    let contents = zip(&Zip::of(entries).build());
    assert_eq!(contents.names(), ["plain"]);
    let told: Vec<_> = contents.anomalies.iter().map(|(name, anomaly)| (name.as_deref(), anomaly.kind)).collect();
    let expected = ["old", "strong", "aes", "masked"].map(|name| (Some(name), AnomalyKind::Encrypted));
    assert_eq!(told, expected);
}

#[test]
fn unknown_methods_are_told_by_name_and_number() {
    for (method, word) in [(7, "tokenize"), (10, "DCL implode"), (97, "WavPack"), (4242, "unknown")] {
        let contents = zip(&Zip::of(vec![Entry::packed("x", method, b"x", b"x".to_vec())]).build());
        let (name, anomaly) = &contents.anomalies[0];
        assert_eq!((name.as_deref(), anomaly.kind), (Some("x"), AnomalyKind::Unsupported));
        assert!(anomaly.detail.contains(word) && anomaly.detail.contains(&method.to_string()), "{}", anomaly.detail);
    }
}

#[test]
fn sizes_in_headers_are_not_believed() {
    let mut entry = Entry::deflated("x", &eicar());
    for head in [Some(&mut entry.local), entry.central.as_mut()].into_iter().flatten() {
        head.length = 0xFFFF_FFF0;
    }
    let contents = zip(&Zip::of(vec![entry]).build());
    assert_eq!(contents.bytes("x"), eicar());
    assert!(contents.has_gap());
}

#[test]
fn wrong_checksums_and_short_members_are_told() {
    let mut entry = Entry::deflated("x", &eicar());
    entry.central.as_mut().unwrap().crc = 7;
    let contents = zip(&Zip::of(vec![entry]).build());
    assert_eq!((contents.bytes("x"), contents.kinds()), (&eicar()[..], vec![AnomalyKind::Odd]));
    let mut entry = Entry::stored("x", &eicar());
    for head in [Some(&mut entry.local), entry.central.as_mut()].into_iter().flatten() {
        (head.packed, head.length) = (1000, 1000);
    }
    let contents = zip(&Zip::of(vec![entry]).build());
    assert!(contents.has_gap() && contents.bytes("x").starts_with(&eicar()));
}

#[test]
fn a_split_archive_in_one_volume_is_read() {
    for mark in [b"PK00", b"PK\x07\x08"] {
        let contents = zip(&Zip { prefix: mark.to_vec(), entries: two(), absolute: true, ..Zip::default() }.build());
        assert_two(&contents);
        assert!(contents.is_clean());
    }
    let bytes = Zip { prefix: b"PK\x07\x08".to_vec(), entries: two(), ..Zip::default() }.build();
    let contents = zip(&bytes[..bytes.len() - 100]);
    assert_eq!(contents.anomalies[0].1.kind, AnomalyKind::Unsupported);
}

#[test]
fn entries_in_other_volumes_are_told() {
    let head = Entry::stored("x", b"x").local;
    let mut directory = central(&head, 0, false);
    directory[34] = 1; // the number of its volume
    let mut bytes = b"no local header here".to_vec();
    let start = bytes.len() as u32;
    bytes.extend(&directory);
    bytes.extend(end(1, directory.len() as u32, start, b""));
    assert_eq!(zip(&bytes).kinds(), [AnomalyKind::Unsupported]);
}

#[test]
fn directories_are_skipped_unless_they_hold_data() {
    let entries = vec![Entry::stored("dir/", b""), Entry::stored("file/", b"data"), Entry::stored("empty", b"")];
    let contents = zip(&Zip::of(entries).build());
    assert_eq!(contents.names(), ["file/", "empty"]);
    assert!(contents.is_clean());
}

#[test]
fn names_are_raw_and_bounded() {
    let mut entry = Entry::stored("x", b"x");
    let name = vec![0xFF; 60_000];
    entry.local.name = name.clone();
    entry.central.as_mut().unwrap().name = name;
    let contents = zip(&Zip::of(vec![entry, Entry::stored("y", b"y")]).build());
    assert_eq!(contents.members.len(), 2);
    assert_eq!(contents.members[0].name.chars().count(), 1024);
    assert!(contents.is_clean());
}

#[test]
fn a_crowd_at_one_local_header_is_read_once_and_judged() {
    let head = Entry::deflated("bomb", &vec![0; 1 << 20]);
    let mut bytes = local(&head.local);
    bytes.extend(&head.data);
    let start = bytes.len() as u32;
    let mut directory = Vec::new();
    for number in 0..65_535u32 {
        let mut other = head.local.clone();
        other.name = format!("bomb{number}").into_bytes();
        directory.extend(central(&other, 0, false));
    }
    bytes.extend(&directory);
    bytes.extend(end(65_535, directory.len() as u32, start, b""));
    let contents = zip(&bytes);
    assert_eq!((contents.members.len(), contents.heuristics.len()), (1, 1));
    assert_eq!(contents.heuristics, [Heuristic::ZipOverlappingFiles]);
    assert!(!contents.has_gap());
}

/// Local headers inside each other's data: each member ends where the last one does.
#[test]
fn members_inside_each_other_are_all_read_and_charged() {
    let count = 50;
    let data: Vec<Vec<u8>> = vec![vec![b'x'; 500]; count];
    let mut bytes = Vec::new();
    let mut heads = Vec::new();
    let header = 30 + 2;
    for (number, piece) in data.iter().enumerate() {
        let mut head = Entry::stored(&format!("{number:02}"), piece).local;
        head.packed = ((count - number) * 500 + (count - number - 1) * header) as u64;
        head.length = head.packed;
        heads.push((head.clone(), bytes.len() as u64));
        bytes.extend(local(&head));
        bytes.extend(piece);
    }
    let start = bytes.len() as u32;
    let directory: Vec<u8> = heads.iter().flat_map(|(head, offset)| central(head, *offset, false)).collect();
    bytes.extend(&directory);
    bytes.extend(end(count as u16, directory.len() as u32, start, b""));
    let contents = zip(&bytes);
    assert_eq!((contents.members.len(), contents.heuristics.len()), (count, 1));
    let limits = Limits { scan_size: 100_000, ..Limits::default() };
    let contents = read_within(FileKind::Zip, &bytes, limits);
    assert!(contents.kinds().contains(&AnomalyKind::Limit(Limit::ScanSize)), "{:?}", contents.kinds());
}

#[test]
fn many_end_records_in_the_comment_cost_little() {
    let archive = Zip::of(two()).build();
    let directory = archive.windows(4).position(|window| window == b"PK\x01\x02").unwrap() as u32;
    let size = archive.len() as u32 - 22 - directory;
    // All point to the same directory; then each to another place.
    let mut bytes = archive[..archive.len() - 22].to_vec();
    for _ in 0..2900 {
        bytes.extend(end(2, size, directory, b""));
    }
    assert_two(&zip(&bytes));
    let mut bytes = Vec::new();
    let mut offsets = Vec::new();
    for number in 0..3000 {
        let entry = Entry::stored(&number.to_string(), b"1");
        let at = bytes.len();
        bytes.extend(local(&entry.local));
        bytes.extend(b"1");
        offsets.push((bytes.len(), at, entry.local.clone()));
        bytes.extend(central(&entry.local, at as u64, false));
    }
    let ends: Vec<u8> = offsets.iter().flat_map(|(at, ..)| end(1, 47, *at as u32, b"")).collect();
    bytes.extend(ends);
    let contents = zip(&bytes);
    assert_eq!(contents.members.len(), 3000, "what no directory gave is found by local headers");
    assert!(contents.has_gap());
}

#[test]
fn a_hundred_thousand_entries_are_all_given() {
    let entries = (0..100_000).map(|number| Entry::stored(&format!("{number}"), b"x")).collect();
    let bytes = Zip { entries, zip64: true, ..Zip::default() }.build();
    let limits = Limits { memory: 2 << 20, ..Limits::default() };
    let contents = read_within(FileKind::Zip, &bytes, limits);
    assert_eq!(contents.members.len(), 100_000);
    assert!(contents.is_clean(), "{:?}", contents.anomalies.first());
    let limits = Limits { objects: 1000, ..Limits::default() };
    let contents = read_within(FileKind::Zip, &bytes, limits);
    assert_eq!((contents.members.len(), contents.kinds()), (1000, vec![AnomalyKind::Limit(Limit::Objects)]));
}

#[test]
fn when_memory_is_refused_that_is_told() {
    // Every second entry is hidden, so the spans never touch.
    let entry = |number: usize| {
        let entry = Entry::stored(&format!("{number:06}"), b"x");
        if number.is_multiple_of(2) { entry.hidden() } else { entry }
    };
    let bytes = Zip { entries: (0..20_000).map(entry).collect(), zip64: true, ..Zip::default() }.build();
    let limits = Limits { memory: 300_000, ..Limits::default() };
    let contents = read_within(FileKind::Zip, &bytes, limits);
    assert!(contents.kinds().contains(&AnomalyKind::Limit(Limit::Memory)));
    assert_eq!(contents.members.len(), 10_000);
    assert_eq!(zip(&bytes).members.len(), 20_000);
}

/// Nothing but local headers whose end nobody knows: the walk must stay linear.
#[test]
fn a_file_of_nothing_but_signatures_is_walked_in_linear_time() {
    let mut open_ended = Entry::deflated("x", b"x").local;
    (open_ended.flags, open_ended.packed, open_ended.length) = (8, 0, 0);
    let headers = local(&open_ended).repeat(20_000);
    let limits = || Limits { objects: 100_000, ..Limits::default() };
    let contents = read_within(FileKind::Zip, &headers, limits());
    assert_eq!(contents.members.len(), 20_000);
    assert!(contents.has_gap());
    for signature in [&b"PK\x03\x04"[..], b"PK\x07\x08", b"PK\x05\x06", b"P"] {
        let contents = read_within(FileKind::Zip, &signature.repeat(300_000), limits());
        assert!(contents.has_gap());
    }
}

#[test]
fn deflate_bombs_meet_the_budget() {
    let bomb = deflate(&vec![0; 20 << 20]);
    let mut entry = Entry::packed("bomb", 8, b"", bomb);
    entry.central.as_mut().unwrap().length = 20 << 20;
    let limits = Limits { scan_size: 1 << 20, ..Limits::default() };
    let contents = read_within(FileKind::Zip, &Zip::of(vec![entry]).build(), limits);
    assert!(contents.kinds().contains(&AnomalyKind::Limit(Limit::ScanSize)));
    assert!(contents.members[0].bytes.len() <= 1 << 20);
}

/// The directory stands at the end, the members before it: both must be read without decoding everything for each member.
#[test]
fn an_archive_in_a_compressed_member_larger_than_memory_is_read_in_few_passes() {
    let piece = Random(9).bytes(10_000);
    let entries = (0..1500).map(|number| Entry::stored(&format!("{number:04}"), &piece)).collect();
    let inner = Zip::of(entries).build();
    let outer: Arc<dyn Source> = Arc::new(Memory::new(Zip::of(vec![Entry::deflated("inner.zip", &inner)]).build()));
    let limits = Limits { memory: 6 << 20, scan_size: 6 * inner.len() as u64, ..Limits::default() };
    let budget = Budget::new(limits, NoClock);
    let Unpacking::Members(mut members) = unpack(FileKind::Zip, &outer, &budget) else { panic!() };
    assert!(matches!(members.next_item(), Some(Item::Meta(_))));
    let Some(Item::Member(member)) = members.next_item() else { panic!("the inner archive is missing") };
    let Unpacking::Members(mut members) = unpack(FileKind::Zip, &member.source, &budget) else { panic!() };
    let mut count = 0;
    while let Some(item) = members.next_item() {
        let member = match item {
            Item::Member(member) => member,
            Item::Meta(_) => continue,
            _ => panic!("an anomaly, {:?}", budget.bytes_used()),
        };
        assert!(support::read_all(member.source.as_ref()) == piece, "member {count}: {:?}", member.source.problem());
        count += 1;
    }
    assert_eq!((count, member.source.problem()), (1500, None));
}
