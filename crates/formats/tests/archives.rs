//! Archives whose members are stored: made by public tools, broken, and far larger than memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "tests"
)]

mod common;

use std::fs;
use std::sync::Arc;

use common::{Walked, eicar, tool, walk, walk_within};
use dachs_base::{AnomalyKind, Budget, FileKind, Limits, Memory, NoClock, Source};
use dachs_formats::{Item, Unpacking, unpack};

/// A folder with files to be packed.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let long = folder.path().join("d".repeat(120)).join("e".repeat(120));
    fs::create_dir_all(&long).unwrap();
    fs::write(long.join("long name.com"), eicar()).unwrap();
    fs::write(folder.path().join("eicar.com"), eicar()).unwrap();
    fs::write(folder.path().join("empty"), b"").unwrap();
    fs::write(folder.path().join("text"), b"badger ".repeat(3000)).unwrap();
    std::os::unix::fs::symlink("eicar.com", folder.path().join("link")).unwrap();
    fs::hard_link(folder.path().join("text"), folder.path().join("text again")).unwrap();
    folder
}

fn names(walked: &Walked) -> Vec<String> {
    let mut names: Vec<_> = walked.objects.iter().filter_map(|seen| seen.path.last().cloned()).collect();
    names.sort();
    names
}

/// Checks that everything came out under its name.
fn check_all(packed: &[u8], kind: FileKind, what: &str) {
    let walked = walk(packed);
    assert_eq!(walked.objects[0].kind, kind, "{what}");
    assert_eq!(walked.anomalies, [], "{what}");
    let ending =
        |end: &str| walked.objects.iter().find(|seen| seen.path.last().is_some_and(|name| name.ends_with(end)));
    assert_eq!(ending("eicar.com").unwrap_or_else(|| panic!("{what}: {:?}", names(&walked))).bytes, eicar(), "{what}");
    let long = ending("long name.com").unwrap_or_else(|| panic!("{what}: {:?}", names(&walked)));
    assert!(long.path[0].ends_with(&format!("{}/{}/long name.com", "d".repeat(120), "e".repeat(120))), "{what}");
    assert_eq!(long.bytes, eicar(), "{what}");
    let texts = walked.objects.iter().filter(|seen| seen.bytes == b"badger ".repeat(3000)).count();
    assert!((1..=2).contains(&texts), "{what}");
    assert!(walked.objects.len() <= 5, "{what}: {:?}", names(&walked));
}

#[test]
fn tar_in_all_its_forms() {
    let folder = folder();
    for format in ["gnu", "oldgnu", "pax", "posix"] {
        let Some(packed) = tool(folder.path(), "tar", &["-c", "-H", format, "."], b"") else { return };
        check_all(&packed, FileKind::Tar, format);
    }
}

#[test]
fn short_names_in_old_tar() {
    let folder = folder();
    for format in ["v7", "ustar"] {
        let Some(packed) = tool(folder.path(), "tar", &["-c", "-H", format, "./eicar.com", "text"], b"") else {
            return;
        };
        let walked = walk(&packed);
        assert_eq!(
            (walked.objects[0].kind, walked.at(&["./eicar.com"]).unwrap().bytes.clone()),
            (FileKind::Tar, eicar())
        );
        assert_eq!(walked.anomalies, [], "{format}");
    }
}

#[test]
fn cpio_in_all_its_forms() {
    let folder = folder();
    let Some(list) = tool(folder.path(), "find", &[".", "-print0"], b"") else { return };
    for format in ["newc", "crc", "odc", "bin"] {
        let Some(packed) = tool(folder.path(), "cpio", &["-o", "-0", "-H", format, "--quiet"], &list) else { return };
        check_all(&packed, FileKind::Cpio, format);
        if format == "bin" {
            let swapped = swap_headers(&packed);
            check_all(&swapped, FileKind::Cpio, "bin, other byte order");
        }
    }
}

#[test]
fn a_cpio_archive_broken_at_its_start_does_not_hold_itself() {
    let folder = folder();
    let Some(packed) = tool(folder.path(), "cpio", &["-o", "-H", "newc", "--quiet"], b"text\n") else { return };
    let broken = [&packed[..94], b"?", &packed[95..]].concat();
    let walked = walk(&broken);
    assert_eq!((walked.objects.len(), walked.gap()), (1, true));
}

/// The old binary form with the words of its headers in the other byte order.
fn swap_headers(packed: &[u8]) -> Vec<u8> {
    let mut swapped = packed.to_vec();
    let mut at = 0;
    loop {
        let word = |index: usize| usize::from(u16::from_le_bytes([packed[at + index * 2], packed[at + index * 2 + 1]]));
        let (name, size) = (word(10).next_multiple_of(2), (word(11) << 16 | word(12)).next_multiple_of(2));
        let last = packed[at + 26..].starts_with(b"TRAILER!!!");
        swapped[at..at + 26].chunks_mut(2).for_each(|pair| pair.swap(0, 1));
        at += 26 + name + size;
        if last {
            return swapped;
        }
    }
}

#[test]
fn initramfs_of_two_archives_and_a_stream() {
    let folder = folder();
    let Some(first) = tool(folder.path(), "cpio", &["-o", "-H", "newc", "--quiet"], b"text\n") else { return };
    let Some(second) = tool(folder.path(), "cpio", &["-o", "-H", "newc", "--quiet"], b"eicar.com\n") else { return };
    let Some(third) = tool(folder.path(), "gzip", &["-c"], &second) else { return };
    let walked = walk(&[&first[..], &[0; 512], &second, &[0; 100], &third].concat());
    assert!(walked.at(&["text"]).is_some());
    assert_eq!(walked.at(&["eicar.com"]).unwrap().bytes, eicar());
    assert_eq!(walked.at(&["trailing data", "content", "eicar.com"]).unwrap().bytes, eicar());
    assert!(!walked.gap());
}

#[test]
fn ar_with_names_of_gnu() {
    let folder = folder();
    let long = format!("{}.com", "n".repeat(60));
    fs::write(folder.path().join(&long), eicar()).unwrap();
    let Some(_) = tool(folder.path(), "ar", &["qc", "a.a", "eicar.com", &long, "text"], b"") else { return };
    let packed = fs::read(folder.path().join("a.a")).unwrap();
    let walked = walk(&packed);
    assert_eq!(walked.at(&["eicar.com"]).unwrap().bytes, eicar());
    assert_eq!(walked.at(&[&long]).unwrap().bytes, eicar());
    assert_eq!((walked.objects.len(), walked.anomalies), (4, Vec::new()));
    let Some(_) = tool(folder.path(), "ar", &["qcT", "thin.a", "eicar.com", &long], b"") else { return };
    let walked = walk(&fs::read(folder.path().join("thin.a")).unwrap());
    assert_eq!((walked.objects[0].kind, walked.objects.len(), walked.gap()), (FileKind::Ar, 1, false));
}

#[test]
fn ar_with_names_of_bsd() {
    let name = b"a name with blanks.com\0\0";
    let mut packed = b"!<arch>\n".to_vec();
    let size = name.len() + eicar().len();
    packed.extend(format!("{:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", "#1/24", 0, 0, 0, 644).bytes());
    packed.extend(name);
    packed.extend(eicar());
    let walked = walk(&packed);
    assert_eq!(walked.at(&["a name with blanks.com"]).unwrap().bytes, eicar());
    assert_eq!(walked.anomalies, []);
}

#[test]
fn a_debian_package_is_opened_to_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let control = "Package: badger\nVersion: 1\nArchitecture: all\nMaintainer: B <b@example.org>\nDescription: test\n";
    fs::create_dir_all(folder.path().join("p/DEBIAN")).unwrap();
    fs::create_dir_all(folder.path().join("p/usr/bin")).unwrap();
    fs::write(folder.path().join("p/DEBIAN/control"), control).unwrap();
    fs::write(folder.path().join("p/usr/bin/eicar.com"), eicar()).unwrap();
    for compression in ["xz", "gzip", "zstd", "none"] {
        let arguments = ["--root-owner-group", &format!("-Z{compression}"), "-b", "p", "a.deb"];
        let Some(_) = tool(folder.path(), "dpkg-deb", &arguments, b"") else { return };
        let walked = walk(&fs::read(folder.path().join("a.deb")).unwrap());
        assert_eq!(walked.objects[0].kind, FileKind::Deb);
        let found = walked.objects.iter().find(|seen| seen.bytes == eicar()).unwrap_or_else(|| panic!("{compression}"));
        assert!(found.path[0].starts_with("data.tar"), "{:?}", found.path);
        assert_eq!(found.path.last().unwrap(), "./usr/bin/eicar.com");
        assert_eq!(walked.anomalies, [], "{compression}");
    }
}

#[test]
fn a_broken_tar_header_hides_nothing() {
    let folder = folder();
    let Some(packed) = tool(folder.path(), "tar", &["-c", "text", "eicar.com", "empty"], b"") else { return };
    let mut broken = packed.clone();
    broken[148] ^= 1; // the checksum of the first header
    // Without a good first header it is no tar archive to us; behind another entry it is.
    let Some(first) = tool(folder.path(), "tar", &["-c", "-b1", "eicar.com"], b"") else { return };
    let walked = walk(&[&first[..1024], &broken].concat());
    assert!(walked.gap());
    let lost = walked.at(&["unassigned blocks"]).unwrap();
    assert!(lost.bytes[512..].starts_with(b"badger badger"));
    assert_eq!(walked.objects.iter().filter(|seen| seen.path == ["eicar.com"]).count(), 2);
}

#[test]
fn entries_behind_the_end_of_a_tar_archive_are_found() {
    let folder = folder();
    let Some(first) = tool(folder.path(), "tar", &["-c", "text"], b"") else { return };
    let Some(second) = tool(folder.path(), "tar", &["-c", "eicar.com"], b"") else { return };
    let walked = walk(&[&first[..], &second].concat());
    assert_eq!(walked.at(&["eicar.com"]).unwrap().bytes, eicar());
    assert_eq!(walked.anomalies.iter().map(|anomaly| anomaly.kind).collect::<Vec<_>>(), [AnomalyKind::Odd]);
    let walked = walk(&[&first[..], &eicar()].concat());
    assert!(walked.at(&["unassigned blocks"]).unwrap().bytes.starts_with(&eicar()));
}

#[test]
fn cut_archives_are_damaged_and_give_what_there_is() {
    let folder = folder();
    fs::write(folder.path().join("large"), [eicar(), vec![7; 5000]].concat()).unwrap();
    let tar = tool(folder.path(), "tar", &["-c", "large"], b"").map(|bytes| bytes[..2000].to_vec());
    let cpio =
        tool(folder.path(), "cpio", &["-o", "-H", "newc", "--quiet"], b"large\n").map(|bytes| bytes[..2000].to_vec());
    let _ = tool(folder.path(), "ar", &["qc", "a.a", "large"], b"");
    let ar = fs::read(folder.path().join("a.a")).ok().map(|bytes| bytes[..2000].to_vec());
    for packed in [tar, cpio, ar].into_iter().flatten() {
        let walked = walk(&packed);
        assert!(walked.at(&["large"]).unwrap().bytes.starts_with(&eicar()));
        assert!(walked.gap(), "{:?}", walked.objects[0].kind);
    }
}

#[test]
fn a_binary_size_in_tar_is_read() {
    let mut header = header(b"large", 0);
    header[124..136].copy_from_slice(&[0x80, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0]);
    sign(&mut header);
    let walked = walk(&[&header[..], &eicar()].concat());
    assert_eq!(walked.at(&["large"]).unwrap().bytes, eicar());
    assert!(walked.gap(), "12 GiB are stated");
}

/// A header block of tar.
fn header(name: &[u8], size: u64) -> [u8; 512] {
    let mut block = [0; 512];
    block[..name.len()].copy_from_slice(name);
    block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    block[156] = b'0';
    block[257..265].copy_from_slice(b"ustar\x0000");
    sign(&mut block);
    block
}

fn sign(block: &mut [u8; 512]) {
    block[148..156].fill(b' ');
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
}

/// A tar archive of so many entries of one block each, computed as it is read.
struct Endless {
    entries: u64,
}

impl Source for Endless {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let mut done = 0;
        while done < buffer.len() {
            let at = offset + done as u64;
            let (block, inside) = (at / 512, usize::try_from(at % 512).unwrap());
            if block >= self.entries * 2 {
                break;
            }
            let bytes = if block % 2 == 0 { header(format!("{:09}", block / 2).as_bytes(), 512) } else { [b'x'; 512] };
            let count = (512 - inside).min(buffer.len() - done);
            buffer[done..done + count].copy_from_slice(&bytes[inside..inside + count]);
            done += count;
        }
        done
    }

    fn len(&self) -> u64 {
        self.entries * 1024
    }
}

fn count_entries(entries: u64) -> u64 {
    let limits = Limits { objects: u64::MAX, memory: 1 << 20, ..Limits::default() };
    let budget = Budget::new(limits, NoClock);
    let source: Arc<dyn Source> = Arc::new(Endless { entries });
    let Unpacking::Members(mut members) = unpack(FileKind::Tar, &source, &budget) else { panic!("no reader for tar") };
    let mut count = 0;
    while let Some(item) = members.next_item() {
        let member = match item {
            Item::Member(member) => member,
            Item::Meta(_) => continue,
            _ => panic!("an anomaly"),
        };
        assert_eq!(member.packed_size, Some(512));
        count += 1;
    }
    count
}

#[test]
fn many_entries_take_no_memory() {
    assert_eq!(count_entries(200_000), 200_000);
}

#[test]
#[ignore = "takes a minute"]
fn ten_million_entries_take_no_memory() {
    assert_eq!(count_entries(10_000_000), 10_000_000);
}

#[test]
fn too_many_entries_are_a_limit() {
    let source: Arc<dyn Source> = Arc::new(Endless { entries: 50 });
    let budget = Budget::new(Limits { objects: 20, ..Limits::default() }, NoClock);
    let Unpacking::Members(mut members) = unpack(FileKind::Tar, &source, &budget) else { panic!("no reader for tar") };
    let items = std::iter::from_fn(|| members.next_item()).filter(|item| !matches!(item, Item::Meta(_)));
    let items: Vec<_> = items.collect();
    assert_eq!(items.len(), 21);
    assert!(matches!(items.last(), Some(Item::Anomaly { anomaly, .. }) if anomaly.kind.is_gap()));
}

/// Flips and cuts everywhere: no panic, an end, and few objects.
#[test]
fn broken_archives_end() {
    let folder = folder();
    let mut samples = Vec::new();
    for format in ["gnu", "pax", "v7"] {
        let names = if format == "v7" { "eicar.com" } else { "." };
        samples.extend(tool(folder.path(), "tar", &["-c", "--exclude=text*", "-b1", "-H", format, names], b""));
    }
    for format in ["newc", "odc", "bin"] {
        samples.extend(tool(folder.path(), "cpio", &["-o", "-H", format, "--quiet"], b"eicar.com\nempty\n"));
    }
    let _ = tool(folder.path(), "ar", &["qc", "a.a", "eicar.com"], b"");
    samples.extend(fs::read(folder.path().join("a.a")));
    let universal = [
        &b"\xca\xfe\xba\xbe\0\0\0\x02"[..],
        &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0, 20, 0, 0, 0, 0].repeat(2),
        &[9; 60],
    ];
    samples.push(universal.concat());
    let limits = Limits { memory: 4 << 20, scan_size: 1 << 20, objects: 200, depth: 3, ..Limits::default() };
    for sample in samples {
        let step = sample.len() / 700 + 1;
        for place in (0..sample.len()).step_by(step) {
            let mut broken = sample.clone();
            broken[place] ^= 1 << (place % 8);
            let _ = walk_within(&broken, limits.clone());
            broken[place] = 0xff;
            let _ = walk_within(&broken, limits.clone());
            let _ = walk_within(&sample[..place], limits.clone());
        }
    }
}

#[test]
fn a_universal_executable_does_not_hold_itself() {
    let row = |offset: u32, size: u32| [[0; 4], [0; 4], offset.to_be_bytes(), size.to_be_bytes(), [0; 4]].concat();
    let bytes = [&b"\xca\xfe\xba\xbe\0\0\0\x02"[..], &row(0, 200), &row(48, 68), &eicar()].concat();
    let walked = walk(&bytes);
    assert_eq!(walked.at(&["architecture 0"]).unwrap().bytes, eicar());
    assert_eq!(walked.objects.len(), 2);
    assert!(walked.gap());
}

#[test]
fn an_empty_memory_is_no_archive() {
    for kind in FileKind::ALL {
        for bytes in [&b""[..], b"\0", &[0xff; 600]] {
            let source: Arc<dyn Source> = Arc::new(Memory::new(bytes));
            if let Unpacking::Members(mut members) = unpack(*kind, &source, &Budget::new(Limits::default(), NoClock)) {
                let mut items = 0;
                while let Some(item) = members.next_item() {
                    if let Item::Member(member) = item {
                        let _ = member.source.len();
                    }
                    items += 1;
                    assert!(items < 100, "{kind:?}");
                }
            }
        }
    }
}
