//! File systems made by public tools: every file is seen at its path with its bytes, 7z sees the same; broken and cut images end within
//! their limits.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

mod common;
mod volume_support;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use common::{eicar, tool, walk};
use dachs_base::{Budget, FileKind, Limits, Memory, NoClock, Source, read_vec_at};
use dachs_formats::{Item, Unpacking, unpack};
use volume_support::*;

#[test]
fn squashfs_with_all_compressors() {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path());
    fs::hard_link(folder.path().join("tree/text"), folder.path().join("tree/many/the same text")).unwrap();
    let base = ["mksquashfs", "tree", "image", "-noappend", "-quiet", "-no-progress"];
    let cases: &[&[&str]] = &[
        &["-comp", "gzip"],
        &["-comp", "xz", "-b", "16384"],
        &["-comp", "xz", "-Xbcj", "x86,arm"],
        &["-comp", "lzo"],
        &["-comp", "lz4", "-b", "4096"],
        &["-comp", "lz4", "-Xhc"],
        &["-comp", "zstd", "-b", "1M"],
        &["-comp", "lzma"],
        &["-comp", "gzip", "-no-fragments", "-noI"],
        &["-comp", "zstd", "-always-use-fragments", "-noD"],
        &["-comp", "gzip", "-noF", "-noI", "-noD"],
    ];
    for case in cases {
        if !make(folder.path(), &[&[&base, *case].concat()]) {
            return;
        }
        let image = fs::read(folder.path().join("image")).unwrap();
        let walked = walk(&image);
        assert_eq!((walked.objects[0].kind, &walked.anomalies), (FileKind::SquashFs, &Vec::new()), "{case:?}");
        let mut expected = files(&folder.path().join("tree"));
        // Of two names of a file the first is given.
        assert!(expected.remove("many/the same text").is_some());
        let mut found = members(&walked);
        if let Some(bytes) = found.remove("many/the same text") {
            found.insert("text".into(), bytes);
        }
        assert_same(&found, &expected, &format!("{case:?}"));
    }
    if let Some(theirs) = seven_zip(folder.path(), "image") {
        let mut theirs = theirs;
        theirs.remove("many/the same text");
        assert_same(&members(&walk(&fs::read(folder.path().join("image")).unwrap())), &theirs, "7z");
    }
}

#[test]
fn an_appimage_is_a_program_with_an_image_behind() {
    let folder = tempfile::tempdir().unwrap();
    small_tree(folder.path());
    if !make(folder.path(), &[&["mksquashfs", "tree", "image", "-noappend", "-quiet", "-no-progress"]]) {
        return;
    }
    let mut program = fs::read("/bin/true").unwrap();
    program[8..11].copy_from_slice(b"AI\x02");
    program.extend(fs::read(folder.path().join("image")).unwrap());
    let walked = walk(&program);
    assert_eq!(walked.objects[0].kind, FileKind::Elf);
    assert_eq!(walked.anomalies, []);
    assert_same(&members(&walked), &files(&folder.path().join("tree")), "AppImage");
}

#[test]
fn squashfs_bears_damage() {
    let folder = tempfile::tempdir().unwrap();
    small_tree(folder.path());
    for comp in ["gzip", "xz", "lzo", "lz4", "zstd", "lzma"] {
        let options = ["mksquashfs", "tree", "image", "-noappend", "-quiet", "-no-progress", "-comp", comp];
        if !make(folder.path(), &[&options]) || !make(folder.path(), &[&[&options[..], &["-noI", "-nopad"]].concat()]) {
            return;
        }
        let image = fs::read(folder.path().join("image")).unwrap();
        assert_bears_damage(&image, &(0..image.len()).collect::<Vec<_>>(), 200);
        let walked = walk(&image[..image.len() - 300]);
        assert!(walked.gap(), "{comp}");
    }
}

#[test]
fn ext_of_three_generations() {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path());
    let cases: &[&[&str]] = &[
        &["-t", "ext2", "-b", "1024"],
        &["-t", "ext2", "-b", "4096", "-I", "128"],
        &["-t", "ext3", "-b", "2048"],
        &["-t", "ext4"],
        &["-t", "ext4", "-O", "inline_data", "-I", "256"],
        &["-t", "ext4", "-O", "meta_bg,^resize_inode", "-b", "1024", "-g", "512"],
        &["-t", "ext4", "-O", "bigalloc", "-C", "16384"],
        &["-t", "ext4", "-O", "^64bit,^has_journal,^dir_index"],
    ];
    for case in cases {
        let command = [&["mke2fs", "-q", "-F", "-d", "tree"], *case, &["image", "16M"]].concat();
        if !make(folder.path(), &[&command]) {
            return;
        }
        assert_holds_tree(folder.path(), FileKind::Ext, &format!("{case:?}"));
    }
    if let Some(theirs) = seven_zip(folder.path(), "image") {
        assert_same(&members(&walk(&fs::read(folder.path().join("image")).unwrap())), &theirs, "7z");
    }
}

/// Files of 5 GB with little in them: by block maps three times removed, and by a tree of extents.
#[test]
fn ext_with_files_full_of_holes() {
    use std::os::unix::fs::FileExt;
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("tree")).unwrap();
    let file = fs::File::create(folder.path().join("tree/holes")).unwrap();
    let places = [0, 300_000, 100_000_000, 4_000_000_000, 4_999_999_932];
    for place in places {
        file.write_all_at(&eicar(), place).unwrap();
    }
    // Many extents, so that the tree has a level more.
    for index in 0..600 {
        file.write_all_at(b"x", 1_000_000_000 + index * 50_000).unwrap();
    }
    drop(file);
    for case in [["-t", "ext2", "-b", "1024"], ["-t", "ext4", "-b", "4096"]] {
        let command = [&["mke2fs", "-q", "-F", "-d", "tree"], &case[..], &["image", "16M"]].concat();
        if !make(folder.path(), &[&command]) {
            return;
        }
        let image: Arc<dyn Source> = Arc::new(Memory::new(fs::read(folder.path().join("image")).unwrap()));
        let Unpacking::Members(mut members) = unpack(FileKind::Ext, &image, &Budget::new(Limits::default(), NoClock))
        else {
            panic!("ext is not read")
        };
        let Some(Item::Member(member)) = members.next_item() else { panic!("{case:?}: there is no file") };
        assert_eq!(member.source.len(), 5_000_000_000, "{case:?}");
        for place in places {
            assert_eq!(read_vec_at(member.source.as_ref(), place, 68), eicar(), "{case:?} at {place}");
        }
        assert_eq!(read_vec_at(member.source.as_ref(), 1_000_000_000 + 599 * 50_000, 2), b"x\0", "{case:?}");
        let next = member.source.next_data(2_000_000_000);
        assert!((3_999_990_000..=4_000_000_000).contains(&next), "{case:?}: {next}");
        assert!(member.source.problem().is_none() && members.next_item().is_none(), "{case:?}");
    }
}

#[test]
fn ext_bears_damage() {
    let folder = tempfile::tempdir().unwrap();
    small_tree(folder.path());
    for case in [["-t", "ext2", "-O", "^dir_index"], ["-t", "ext4", "-O", "inline_data"]] {
        let command = [&["mke2fs", "-q", "-F", "-d", "tree", "-b", "1024"], &case[..], &["image", "1M"]].concat();
        if !make(folder.path(), &[&command]) {
            return;
        }
        let image = fs::read(folder.path().join("image")).unwrap();
        let used = used(&image);
        assert_bears_damage(&image, &used, 500);
        // What a broken directory named is given by number.
        let root = image.windows(9).position(|window| window == b"EICAR.COM").unwrap();
        let mut broken = image.clone();
        broken[root - 4] = 1;
        broken[root - 3] = 0;
        let walked = walk(&broken);
        let eicars = walked.objects.iter().filter(|seen| seen.bytes == eicar()).count();
        assert!(walked.gap() && eicars >= 1, "{case:?}");
    }
}

#[test]
fn fat_of_all_widths() {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path());
    let copy = ["env", "LC_ALL=C.UTF-8", "sh", "-c", "mcopy -i image -s tree/* ::"];
    let cases: &[(usize, &[&str])] = &[
        (4, &["-F", "12"]),
        (16, &["-F", "16", "-S", "512"]),
        (16, &["-F", "16", "-S", "1024", "-s", "2", "-f", "1"]),
        (40, &["-F", "32"]),
        (40, &["-F", "32", "-R", "64", "-f", "1"]),
    ];
    for (size, case) in cases {
        bare(folder.path(), *size);
        let command = [&["mkfs.vfat"], *case, &["image"]].concat();
        if tool(folder.path(), command[0], &command[1..], b"").is_none()
            || tool(folder.path(), copy[0], &copy[1..], b"").is_none()
        {
            return;
        }
        assert_holds_tree(folder.path(), FileKind::Fat, &format!("{case:?}"));
    }
    if let Some(theirs) = seven_zip(folder.path(), "image") {
        assert_same(&members(&walk(&fs::read(folder.path().join("image")).unwrap())), &theirs, "7z");
    }
}

#[test]
fn fat_bears_damage() {
    let folder = tempfile::tempdir().unwrap();
    small_tree(folder.path());
    for (width, size) in [("12", 1), ("16", 3), ("32", 40)] {
        bare(folder.path(), size);
        let copy = ["-c", "mcopy -i image -s tree/* ::"];
        if tool(folder.path(), "mkfs.vfat", &["-F", width, "-s", "1", "image"], b"").is_none()
            || tool(folder.path(), "sh", &copy, b"").is_none()
        {
            return;
        }
        let mut image = fs::read(folder.path().join("image")).unwrap();
        image.truncate(1 << 20);
        let used = used(&image);
        assert_bears_damage(&image, &used, 400);
    }
}

/// An exFAT volume whose files and folders are written by this test: no tool does it without mounting.
fn exfat(folder: &Path) -> Option<Vec<u8>> {
    bare(folder, 4);
    tool(folder, "mkfs.exfat", &["-c", "4096", "image"], b"")?;
    let mut image = fs::read(folder.join("image")).unwrap();
    let number = |image: &[u8], at: usize| u32::from_le_bytes(image[at..at + 4].try_into().unwrap()) as usize;
    let sector = 1 << image[108];
    let (table, heap) = (number(&image, 80) * sector, number(&image, 88) * sector);
    let root = number(&image, 96);
    let place = |cluster: usize| heap + (cluster - 2) * 4096;
    // A file in one piece, one in a chain that goes backwards, a folder with a file of which half was written.
    let chained = noise(10_000);
    for (cluster, next, bytes) in
        [(60, 50, &chained[..4096]), (50, 70, &chained[4096..8192]), (70, usize::MAX, &chained[8192..])]
    {
        image[table + cluster * 4..][..4].copy_from_slice(&(next as u32).to_le_bytes());
        image[place(cluster)..][..bytes.len()].copy_from_slice(bytes);
    }
    image[place(80)..][..68].copy_from_slice(&eicar());
    image[place(91)..][..6].copy_from_slice(b"halfxx");
    let folder = set("half written", 0, 2, 91, 8, 4);
    image[place(90)..][..folder.len()].copy_from_slice(&folder);
    let entries = [
        set("a test file with a very long name.com", 0, 2, 80, 68, 68),
        set("chained", 0, 0, 60, 10_000, 10_000),
        set("Földer", 0x10, 2, 90, 4096, 4096),
    ];
    let mut at = (0..128).map(|index| place(root) + index * 32).find(|at| image[*at] == 0).unwrap();
    for entry in entries {
        image[at..][..entry.len()].copy_from_slice(&entry);
        at += entry.len();
    }
    Some(image)
}

/// The entries of a file.
fn set(name: &str, attributes: u8, flags: u8, first: u32, length: u64, written: u64) -> Vec<u8> {
    let units: Vec<u16> = name.encode_utf16().collect();
    let pieces = units.chunks(15).count();
    let mut file = vec![0x85, pieces as u8 + 1, 0, 0, attributes, 0];
    file.resize(32, 0);
    let mut stream = vec![0xc0, flags | 1, 0, units.len() as u8, 0, 0, 0, 0];
    stream.extend(written.to_le_bytes());
    stream.extend([0; 4]);
    stream.extend(first.to_le_bytes());
    stream.extend(length.to_le_bytes());
    file.extend(stream);
    for piece in units.chunks(15) {
        file.extend([0xc1, 0]);
        file.extend(piece.iter().flat_map(|unit| unit.to_le_bytes()));
        file.resize(file.len().next_multiple_of(32), 0);
    }
    file
}

#[test]
fn exfat_with_and_without_chains() {
    let folder = tempfile::tempdir().unwrap();
    let Some(image) = exfat(folder.path()) else { return };
    let walked = walk(&image);
    assert_eq!((walked.objects[0].kind, &walked.anomalies), (FileKind::Fat, &Vec::new()));
    let expected: [(&str, &[u8]); 3] = [
        ("a test file with a very long name.com", &eicar()),
        ("chained", &noise(10_000)),
        ("Földer/half written", b"half\0\0\0\0"),
    ];
    let expected = expected.into_iter().map(|(name, bytes)| (name.to_string(), bytes.to_vec())).collect();
    assert_same(&members(&walked), &expected, "exFAT");
    let used = used(&image);
    assert_bears_damage(&image, &used, 300);
}

/// An NTFS volume with the tree, by way of wimlib.
fn ntfs(folder: &Path, mib: usize, options: &[&str]) -> Option<()> {
    tool(folder, "wimlib-imagex", &["capture", "tree", "tree.wim"], b"")?;
    bare(folder, mib);
    tool(folder, "mkntfs", &[&["-F", "-Q"], options, &["image"]].concat(), b"")?;
    tool(folder, "wimlib-imagex", &["apply", "tree.wim", "1", "image"], b"")?;
    fs::remove_file(folder.join("tree.wim")).unwrap();
    Some(())
}

#[test]
fn ntfs_with_streams_and_compression() {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path());
    let path = folder.path();
    let cases: &[&[&str]] = &[&[], &["-c", "512"], &["-c", "65536"], &["-C"]];
    for case in cases {
        if ntfs(path, 24, case).is_none() {
            return;
        }
        let mut expected = files(&path.join("tree"));
        // A stream beside a file, and with compression, new files that are compressed.
        fs::write(path.join("beside"), b"beside ".repeat(20_000)).unwrap();
        if tool(path, "ntfscp", &["-q", "-N", "a stream", "image", "beside", "EICAR.COM"], b"").is_none() {
            return;
        }
        expected.insert("EICAR.COM:a stream".into(), b"beside ".repeat(20_000));
        for name in ["mixed", "text", "noise", "EICAR.COM"] {
            let copy = format!("new {name}");
            tool(path, "ntfscp", &["-q", "image", &format!("tree/{name}"), &copy], b"");
            expected.insert(copy, fs::read(path.join("tree").join(name)).unwrap());
        }
        let walked = walk(&fs::read(path.join("image")).unwrap());
        assert_eq!((walked.objects[0].kind, &walked.anomalies), (FileKind::Ntfs, &Vec::new()), "{case:?}");
        let mut found = members(&walked);
        // Tables of the volume beyond the first records.
        found.retain(|name, _| !name.starts_with("$Extend/"));
        assert_same(&found, &expected, &format!("{case:?}"));
        if let Some(mut theirs) = seven_zip(path, "image") {
            theirs.retain(|name, _| !name.starts_with("[SYSTEM]") && !name.starts_with("$Extend"));
            assert_same(&found, &theirs, &format!("7z {case:?}"));
        }
    }
}

/// So many streams that they take several records, and a list of them.
/// CVE-2026-48095 of 7-Zip: the unit of compression is a power of two, and shifted by.
#[test]
fn ntfs_with_a_unit_of_compression_that_makes_no_sense() {
    let folder = tempfile::tempdir().unwrap();
    let plain: Vec<u8> = (0..9000_u32).flat_map(u32::to_le_bytes).collect();
    fs::write(folder.path().join("plain"), &plain).unwrap();
    let copy = "truncate -s 2M image && mkntfs -q -F -Q image && ntfscp -q image plain badger";
    if !make(folder.path(), &[&["ntfscp", "--version"], &["sh", "-c", copy]]) {
        return;
    }
    let image = fs::read(folder.path().join("image")).unwrap();
    let name: Vec<u8> = "badger".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let holds = |record: &[u8]| record.starts_with(b"FILE") && record.windows(12).any(|part| part == name);
    let record = image.chunks(1024).rposition(holds).unwrap() * 1024;
    let at = record + image[record..record + 1024].windows(5).position(|part| part == [0x80, 0, 0, 0, 0x48]).unwrap();
    for unit in [1, 4, 16, 31, 32, 33, 63, 64, 255] {
        let mut broken = image.clone();
        broken[at + 12] |= 1;
        broken[at + 34] = unit;
        let walked = walk(&broken);
        let whole = walked.at(&["badger"]).is_some_and(|seen| seen.bytes == plain);
        assert!(whole || walked.gap(), "unit {unit}: {:?}", walked.anomalies);
    }
}

#[test]
fn ntfs_with_a_list_of_attributes() {
    let folder = tempfile::tempdir().unwrap();
    small_tree(folder.path());
    let path = folder.path();
    if ntfs(path, 8, &[]).is_none() {
        return;
    }
    let mut expected = files(&path.join("tree"));
    for number in 0..40 {
        let (name, bytes) = (format!("stream {number}"), noise(number * 200 + 20));
        fs::write(path.join("beside"), &bytes).unwrap();
        tool(path, "ntfscp", &["-q", "-N", &name, "image", "beside", "EICAR.COM"], b"");
        expected.insert(format!("EICAR.COM:{name}"), bytes);
    }
    let image = fs::read(path.join("image")).unwrap();
    let walked = walk(&image);
    assert_eq!(walked.anomalies, []);
    let mut found = members(&walked);
    found.retain(|name, _| !name.starts_with("$Extend/"));
    assert_same(&found, &expected, "streams");
    let records: Vec<usize> = (0..image.len() / 1024).filter(|at| image[at * 1024..].starts_with(b"FILE")).collect();
    let places: Vec<usize> = records.iter().skip(60).flat_map(|at| at * 1024..at * 1024 + 1024).collect();
    assert_bears_damage(&image, &places, 100);
}

#[test]
fn ntfs_bears_damage() {
    let folder = tempfile::tempdir().unwrap();
    small_tree(folder.path());
    if ntfs(folder.path(), 2, &["-C", "-c", "512"]).is_none() {
        return;
    }
    let _ = tool(folder.path(), "ntfscp", &["-q", "image", "tree/text", "compressed"], b"");
    let image = fs::read(folder.path().join("image")).unwrap();
    // The records of the file table.
    let records: Vec<usize> = (0..image.len() / 1024).filter(|at| image[at * 1024..].starts_with(b"FILE")).collect();
    let places: Vec<usize> = (0..512).chain(records.iter().flat_map(|at| at * 1024..at * 1024 + 1024)).collect();
    assert_bears_damage(&image, &places, 1000);
    let name: Vec<u8> = "EICAR.COM".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let places = (0..image.len() - 18).filter(|at| image[*at..].starts_with(&name)).collect::<Vec<_>>();
    // Without its index the file is found all the same.
    let mut broken = image.clone();
    for at in places.iter().filter(|at| !records.contains(&(*at / 1024))) {
        broken[*at..*at + 18].fill(0xff);
    }
    assert!(walk(&broken).at(&["EICAR.COM"]).is_some_and(|seen| seen.bytes == eicar()));
}

/// Undoes, and then does again, what NTFS does with the last bytes of each sector of a record, around a change of it.
fn change_record(record: &mut [u8], change: impl Fn(&mut Vec<u8>)) {
    let at = u16::from_le_bytes([record[4], record[5]]) as usize;
    let mark = [record[at], record[at + 1]];
    let mut plain = record.to_vec();
    for sector in 0..2 {
        plain.copy_within(at + 2 + sector * 2..at + 4 + sector * 2, sector * 512 + 510);
    }
    change(&mut plain);
    for sector in 0..2 {
        plain.copy_within(sector * 512 + 510..sector * 512 + 512, at + 2 + sector * 2);
        plain[sector * 512 + 510..sector * 512 + 512].copy_from_slice(&mark);
    }
    record.copy_from_slice(&plain);
}

/// The reparse point of a compressed file, as a resident attribute.
fn compressed_as_a_whole(algorithm: u32) -> Vec<u8> {
    let mut attribute = [&0xc0_u32.to_le_bytes()[..], &48_u32.to_le_bytes(), &[0; 8], &24_u32.to_le_bytes()].concat();
    attribute.extend([24, 0, 0, 0]);
    attribute.extend(0x8000_0017_u32.to_le_bytes());
    attribute.extend([16, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0]);
    attribute.extend(algorithm.to_le_bytes());
    attribute
}

/// Files that Windows has compressed as a whole: the chunks are those of a WIM file, which is where this test has them from.
#[test]
fn ntfs_with_files_compressed_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let text = [eicar(), b" badger ".repeat(9_000)].concat();
    fs::create_dir(path.join("tree")).unwrap();
    for (algorithm, options) in [
        (0_u32, ["--compress=XPRESS", "--chunk-size=4096"]),
        (1, ["--compress=LZX", "--chunk-size=32768"]),
        (2, ["--compress=XPRESS", "--chunk-size=8192"]),
        (3, ["--compress=XPRESS", "--chunk-size=16384"]),
    ] {
        fs::write(path.join("tree/badger"), &text).unwrap();
        if !make(path, &[&["wimlib-imagex", "capture", "tree", "image", options[0], options[1]]]) {
            return;
        }
        // The resource of the file: packed length, flags, where it is, plain length.
        let wim = fs::read(path.join("image")).unwrap();
        let number = |at: usize| u64::from_le_bytes(wim[at..at + 8].try_into().unwrap());
        let plain = text.len() as u64;
        let entry = (0..wim.len() - 24)
            .find(|at| number(at + 16) == plain && number(at + 8) < wim.len() as u64 && wim[at + 7] & 4 != 0);
        let entry = entry.unwrap();
        let (start, packed) = (number(entry + 8) as usize, (number(entry) & 0xff_ffff) as usize);
        fs::write(path.join("packed"), &wim[start..start + packed]).unwrap();
        bare(path, 4);
        fs::write(path.join("zeros"), vec![0; text.len()]).unwrap();
        tool(path, "mkntfs", &["-q", "-F", "-Q", "image"], b"").unwrap();
        tool(path, "ntfscp", &["-q", "image", "zeros", "badger"], b"").unwrap();
        tool(path, "ntfscp", &["-q", "-N", "WofCompressedData", "image", "packed", "badger"], b"").unwrap();
        let mut image = fs::read(path.join("image")).unwrap();
        let name: Vec<u8> = "WofCompressedData".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let record = image.windows(name.len()).position(|window| window == name).unwrap() / 1024 * 1024;
        change_record(&mut image[record..record + 1024], |record| {
            let used = u32::from_le_bytes(record[24..28].try_into().unwrap()) as usize;
            let end = used - 8;
            assert_eq!(record[end..end + 4], [0xff; 4]);
            record[end..end + 48].copy_from_slice(&compressed_as_a_whole(algorithm));
            record[end + 48..end + 52].fill(0xff);
            record[24..28].copy_from_slice(&(used as u32 + 48).to_le_bytes());
        });
        let walked = walk(&image);
        assert_eq!(walked.anomalies, [], "{options:?}");
        assert!(walked.at(&["badger"]).unwrap().bytes == text, "{options:?}");
        assert!(walked.at(&["badger:WofCompressedData"]).is_none(), "{options:?}");
    }
}
