//! Images of Apple and Microsoft, discs of UDF, lzop, web archives, images of containers: made by public tools, compared with them.
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
use std::io::Write;
use std::path::Path;

use common::{Walked, eicar, tool, walk};
use dachs_base::{AnomalyKind, FileKind};
use volume_support::*;

#[test]
fn wim_with_all_that_is_read() {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path());
    let path = folder.path();
    fs::hard_link(path.join("tree/text"), path.join("tree/the same text")).unwrap();
    let cases: &[&[&str]] = &[
        &["--compress=none"],
        &["--compress=XPRESS"],
        &["--compress=XPRESS", "--chunk-size=4096"],
        &["--compress=LZX"],
        &["--compress=LZX", "--chunk-size=1M"],
        &["--compress=LZX:100", "--check"],
    ];
    for case in cases {
        let command = [&["wimlib-imagex", "capture", "tree", "image"], *case].concat();
        if !make(path, &[&command]) {
            return;
        }
        let walked = walk(&fs::read(path.join("image")).unwrap());
        assert_eq!((walked.objects[0].kind, &walked.anomalies), (FileKind::Wim, &Vec::new()), "{case:?}");
        let mut expected = files(&path.join("tree"));
        expected.remove("the same text");
        let mut found = members(&walked);
        if let Some(bytes) = found.remove("the same text") {
            found.insert("text".into(), bytes);
        }
        assert_same(&found, &expected, &format!("{case:?}"));
    }
    // A second image is a folder beside the first.
    tool(path, "wimlib-imagex", &["append", "tree/many", "image"], b"").unwrap();
    fs::write(path.join("tree/many/new"), b"new").unwrap();
    tool(path, "wimlib-imagex", &["append", "tree/many", "image", "third"], b"").unwrap();
    let walked = walk(&fs::read(path.join("image")).unwrap());
    assert_eq!(walked.anomalies, []);
    assert!(walked.at(&["1/EICAR.COM"]).is_some());
    assert_eq!(walked.at(&["3/new"]).unwrap().bytes, b"new");
}

#[test]
fn wim_that_cannot_be_read_is_told() {
    let folder = tempfile::tempdir().unwrap();
    small_tree(folder.path());
    for case in ["--compress=LZMS", "--solid"] {
        if !make(folder.path(), &[&["wimlib-imagex", "capture", "tree", "image", case]]) {
            return;
        }
        let walked = walk(&fs::read(folder.path().join("image")).unwrap());
        assert!(walked.anomalies.iter().any(|anomaly| anomaly.kind == AnomalyKind::Unsupported), "{case}");
    }
}

#[test]
fn wim_bears_damage() {
    let folder = tempfile::tempdir().unwrap();
    small_tree(folder.path());
    for case in ["--compress=none", "--compress=XPRESS", "--compress=LZX"] {
        if !make(folder.path(), &[&["wimlib-imagex", "capture", "tree", "image", case]]) {
            return;
        }
        let image = fs::read(folder.path().join("image")).unwrap();
        assert_bears_damage(&image, &(0..image.len()).collect::<Vec<_>>(), 400);
        assert!(walk(&image[..image.len() / 2]).gap(), "{case}");
    }
}

#[test]
fn udf_of_several_revisions() {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path());
    let path = folder.path();
    // Long files in extents, short ones inside their entries; beside ISO 9660.
    if !make(path, &[&["genisoimage", "-quiet", "-udf", "-R", "-o", "image", "tree"]]) {
        return;
    }
    let mut image = fs::read(path.join("image")).unwrap();
    let walked = walk(&image);
    assert_eq!(walked.anomalies, []);
    // What both show is given once, but for what the other does not show as it is.
    let given = |bytes: &[u8]| walked.objects.iter().filter(|seen| seen.bytes == bytes).count();
    assert_eq!([given(&eicar()), given(&noise(300_001))], [1, 1]);
    image[16 * 2048 + 1..16 * 2048 + 6].fill(0);
    let budget = dachs_base::Budget::new(dachs_base::Limits::default(), dachs_base::NoClock);
    let source: std::sync::Arc<dyn dachs_base::Source> = std::sync::Arc::new(dachs_base::Memory::new(image.clone()));
    let dachs_formats::Unpacking::Members(mut unpacker) = dachs_formats::unpack(FileKind::Udf, &source, &budget) else {
        panic!("UDF is not read");
    };
    let mut found = Files::new();
    while let Some(item) = unpacker.next_item() {
        if let dachs_formats::Item::Member(member) = item {
            let bytes = dachs_base::read_vec_at(member.source.as_ref(), 0, 1 << 20);
            found.insert(String::from_utf8_lossy(member.name.as_bytes()).into_owned(), bytes);
        }
    }
    found.remove("trailing data");
    assert_same(&found, &files(&path.join("tree")), "genisoimage");
    let tables: Vec<usize> = used(&image).into_iter().filter(|at| *at < 600 << 10).collect();
    small_tree(path);
    tool(path, "genisoimage", &["-quiet", "-udf", "-R", "-o", "image", "tree"], b"");
    let image = fs::read(path.join("image")).unwrap();
    let tables: Vec<usize> = tables.into_iter().filter(|at| *at < image.len()).collect();
    assert_bears_damage(&image, &tables, 1000);
}

/// Writes the sum of a tag.
fn tag(bytes: &mut [u8], kind: u16, location: u32) {
    bytes[..2].copy_from_slice(&kind.to_le_bytes());
    bytes[2] = 2;
    bytes[12..16].copy_from_slice(&location.to_le_bytes());
    bytes[4] = 0;
    bytes[4] = bytes[..16].iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte));
}

/// Puts the test file into an empty volume whose root lies in its entry: no tool does it without mounting.
fn plant(image: &mut [u8], block: usize) {
    let is_root =
        |at: &usize| matches!(image[*at..], [5 | 10, 1, ..]) && image[at + 27] == 4 && image[at + 34] & 7 == 3;
    let root = (0..image.len() / block).map(|index| index * block).find(is_root).expect("the volume has no root");
    let number = |at: usize| u32::from_le_bytes(image[at..at + 4].try_into().unwrap()) as usize;
    let own = number(root + 12);
    let (entry, data) = (own + 900, own + 901);
    let place = |at: usize| root + (at - own) * block;
    let head = if image[root] == 5 { 176 } else { 216 };
    let (before, used) = (number(root + head - 8), number(root + head - 4));
    let name = [b"\x08", &b"EICAR.COM"[..]].concat();
    let mut named = vec![0; 38];
    tag(&mut named, 257, own as u32);
    named[16] = 1;
    named[19] = name.len() as u8;
    named[20..24].copy_from_slice(&(block as u32).to_le_bytes());
    named[24..28].copy_from_slice(&(entry as u32).to_le_bytes());
    named.extend(name);
    named.resize(named.len().next_multiple_of(4), 0);
    let end = root + head + before + used;
    image[end..end + named.len()].copy_from_slice(&named);
    let length = ((used + named.len()) as u32).to_le_bytes();
    image[root + head - 4..root + head].copy_from_slice(&length);
    image[root + 56..root + 60].copy_from_slice(&length);
    let at = place(entry);
    let file = &mut image[at..at + 512];
    tag(file, 261, entry as u32);
    file[27] = 5;
    file[56] = 68;
    file[172] = 8;
    file[176] = 68;
    file[180..184].copy_from_slice(&(data as u32).to_le_bytes());
    let at = place(data);
    image[at..at + 68].copy_from_slice(&eicar());
}

#[test]
fn udf_volumes_of_several_media() {
    let folder = tempfile::tempdir().unwrap();
    let cases: &[(&[&str], usize)] = &[
        (&["--media-type=hd", "--udfrev=0x0102", "--blocksize=512"], 512),
        (&["--media-type=dvd", "--udfrev=0x0150", "--blocksize=2048"], 2048),
        (&["--media-type=hd", "--udfrev=0x0201", "--blocksize=512"], 512),
        (&["--media-type=hd", "--udfrev=0x0201", "--blocksize=4096"], 4096),
        (&["--media-type=cdrw", "--udfrev=0x0201", "--blocksize=2048", "--spartable=2", "--packetlen=32"], 2048),
    ];
    for (case, block) in cases {
        bare(folder.path(), 8);
        let options = [*case, &["image"]].concat();
        if tool(folder.path(), "mkudffs", &options, b"").is_none() {
            return;
        }
        let mut image = fs::read(folder.path().join("image")).unwrap();
        plant(&mut image, *block);
        let walked = walk(&image);
        assert_eq!(walked.objects[0].kind, FileKind::Udf, "{options:?}");
        assert!(!walked.gap(), "{options:?}: {:?}", walked.anomalies);
        assert!(walked.at(&["EICAR.COM"]).is_some_and(|seen| seen.bytes == eicar()), "{options:?}");
    }
}

/// A disc with a volume of HFS+ in it, by xorriso: the files of the tree.
#[test]
fn hfsplus_in_a_partition_of_a_disc() {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path());
    let command = ["xorriso", "-as", "mkisofs", "-hfsplus", "-quiet", "-o", "image", "tree"];
    if !make(folder.path(), &[&command]) {
        return;
    }
    let image = fs::read(folder.path().join("image")).unwrap();
    let walked = walk(&image);
    let volume = walked.objects.iter().find(|seen| seen.kind == FileKind::HfsPlus).expect("the volume is not found");
    let inside = walk(&volume.bytes);
    let mut expected = files(&folder.path().join("tree"));
    // The names of the volume are decomposed.
    let text = expected.remove("Dächse.txt").unwrap();
    expected.insert("Da\u{308}chse.txt".into(), text);
    assert_same(&members(&inside), &expected, "xorriso");
    assert!(!walked.gap(), "{:?}", walked.anomalies);
    fs::write(folder.path().join("volume"), &volume.bytes).unwrap();
    if let Some(theirs) = seven_zip(folder.path(), "volume") {
        let theirs = theirs.into_iter().map(|(name, bytes)| match name.split_once('/') {
            // 7z shows the name of the volume as a folder.
            Some((_, rest)) => (rest.to_string(), bytes),
            None => (name, bytes),
        });
        let theirs: Files = theirs.filter(|(name, _)| !name.starts_with("[HFS+ Private Data]")).collect();
        assert!(theirs.values().all(|bytes| members(&inside).values().any(|own| own == bytes)));
    }
    small_tree(folder.path());
    assert!(make(folder.path(), &[&command]));
    let image = fs::read(folder.path().join("image")).unwrap();
    let volume = walk(&image).objects.into_iter().find(|seen| seen.kind == FileKind::HfsPlus).unwrap().bytes;
    assert_bears_damage(&volume, &used(&volume), 1000);
}

#[test]
fn lzop_in_all_its_forms() {
    let folder = tempfile::tempdir().unwrap();
    let text = [b"badger ".repeat(100_000), noise(300_000), eicar()].concat();
    fs::write(folder.path().join("text"), &text).unwrap();
    for options in [&["-1"][..], &["-9"], &["--crc32"], &["-C"], &["-F"], &["-5", "-n"]] {
        let arguments = [options, &["-c", "text"]].concat();
        let Some(packed) = tool(folder.path(), "lzop", &arguments, b"") else { return };
        let walked = walk(&packed);
        assert_eq!((walked.objects[0].kind, &walked.anomalies), (FileKind::Lzop, &Vec::new()), "{options:?}");
        assert!(walked.at(&["content"]).unwrap().bytes == text, "{options:?}");
        assert!(walk(&packed[..packed.len() - 10]).gap(), "{options:?}");
        let twice = [packed.clone(), packed.clone()].concat();
        assert!(walk(&twice).at(&["content"]).unwrap().bytes == text.repeat(2), "{options:?}");
    }
    fs::write(folder.path().join("text"), &text[699_000..710_000]).unwrap();
    let packed = tool(folder.path(), "lzop", &["-9", "-c", "text"], b"").unwrap();
    assert_bears_damage(&packed, &(0..packed.len()).collect::<Vec<_>>(), 1000);
}

/// A record of a web archive.
fn record(fields: &[(&str, &str)], block: &[u8]) -> Vec<u8> {
    let mut record = b"WARC/1.1\r\n".to_vec();
    for (name, value) in fields {
        write!(record, "{name}: {value}\r\n").unwrap();
    }
    write!(record, "Content-Length: {}\r\n\r\n", block.len()).unwrap();
    record.extend(block);
    record.extend(b"\r\n\r\n");
    record
}

#[test]
fn web_archives_give_bodies_by_address() {
    let chunked: Vec<u8> = [
        b"2a\r\n".to_vec(),
        eicar()[..42].to_vec(),
        b"\r\n1A;x=y\r\n".to_vec(),
        eicar()[42..].to_vec(),
        b"\r\n0\r\n\r\n".to_vec(),
    ]
    .concat();
    let answer = |head: &str, body: &[u8]| [format!("HTTP/1.1 200 OK\r\n{head}\r\n").as_bytes(), body].concat();
    let response = |uri| [("WARC-Type", "response"), ("WARC-Target-URI", uri)];
    let archive = [
        record(&[("WARC-Type", "warcinfo")], b"software: test\r\n"),
        record(&response("http://a.example/eicar.com"), &answer("Content-Type: text/plain\r\n", &eicar())),
        record(&response("http://a.example/chunked"), &answer("Transfer-Encoding: chunked\r\n", &chunked)),
        record(&response("http://a.example/not-chunked"), &answer("Transfer-Encoding: chunked\r\n", b"<html> badger")),
        record(&[("WARC-Type", "resource"), ("WARC-Target-URI", "<ftp://a.example/x>")], &eicar()),
    ]
    .concat();
    let walked = walk(&archive);
    assert_eq!((walked.objects[0].kind, &walked.anomalies), (FileKind::Warc, &Vec::new()));
    for path in ["http://a.example/eicar.com", "http://a.example/chunked", "ftp://a.example/x"] {
        assert_eq!(walked.at(&[path]).unwrap().bytes, eicar(), "{path}");
    }
    assert_eq!(walked.at(&["http://a.example/not-chunked"]).unwrap().bytes, b"<html> badger");
    assert!(walk(&archive[..archive.len() - 30]).gap());
    assert_bears_damage(&archive, &(0..archive.len()).collect::<Vec<_>>(), 1000);
    // Archives in which each record is compressed are streams of gzip.
    let folder = tempfile::tempdir().unwrap();
    let packed = tool(folder.path(), "gzip", &["-c"], &archive).unwrap();
    assert!(walk(&packed).objects.iter().any(|seen| seen.path.ends_with(&["http://a.example/chunked".to_string()])));
}

/// A chunk of a disk image: kind, sectors, bytes.
type Chunk = (u32, u64, Vec<u8>);

/// Chunks of a disk, each compressed in another way.
fn chunks(folder: &Path, disk: &[u8]) -> Vec<Chunk> {
    let zlib = |bytes: &[u8]| {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let bzip2 = |bytes: &[u8]| {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let adc = |bytes: &[u8]| {
        let mut packed = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let run = bytes[at..].iter().take(67).take_while(|byte| **byte == bytes[at]).count();
            if at > 0 && run >= 4 && bytes[at] == bytes[at - 1] {
                packed.extend([0x40 | (run - 4) as u8, 0, 0]);
                at += run;
            } else {
                packed.extend([0x80, bytes[at]]);
                at += 1;
            }
        }
        packed
    };
    let lzfse = |bytes: &[u8]| {
        let mut packed = Vec::new();
        lzfse_rust::encode_bytes(bytes, &mut packed).unwrap();
        packed
    };
    let xz = |bytes: &[u8]| tool(folder, "xz", &["-c"], bytes).unwrap_or_default();
    let mut list = Vec::new();
    for (index, piece) in disk.chunks(64 << 10).enumerate() {
        let sectors = piece.len() as u64 / 512;
        list.push(match index % 6 {
            _ if piece.iter().all(|byte| *byte == 0) => (if index % 2 == 0 { 0 } else { 2 }, sectors, Vec::new()),
            0 => (0x8000_0005, sectors, zlib(piece)),
            1 => (0x8000_0006, sectors, bzip2(piece)),
            2 => (0x8000_0007, sectors, lzfse(piece)),
            3 => (0x8000_0008, sectors, xz(piece)),
            4 => (0x8000_0004, sectors, adc(piece)),
            _ => (1, sectors, piece.to_vec()),
        });
    }
    list
}

/// An image of these chunks, with two tables.
fn dmg(chunks: &[Chunk]) -> Vec<u8> {
    let mut image = Vec::new();
    let mut tables = Vec::new();
    let mut first = 0;
    for half in chunks.chunks(chunks.len().div_ceil(2)) {
        let mut table = b"mish\0\0\0\x01".to_vec();
        table.extend(u64::to_be_bytes(first));
        let all: u64 = half.iter().map(|chunk| chunk.1).sum();
        table.extend(all.to_be_bytes());
        table.resize(200, 0);
        table.extend((half.len() as u32 + 1).to_be_bytes());
        let mut sector = 0;
        for (kind, count, bytes) in half {
            table.extend(kind.to_be_bytes());
            table.extend([0; 4]);
            for number in [sector, *count, image.len() as u64, bytes.len() as u64] {
                table.extend(number.to_be_bytes());
            }
            sector += count;
            image.extend(bytes);
        }
        table.extend(u32::MAX.to_be_bytes());
        table.extend([0; 4]);
        for number in [sector, 0, image.len() as u64, 0] {
            table.extend(number.to_be_bytes());
        }
        first += all;
        tables.push(table);
    }
    let folder = tempfile::tempdir().unwrap();
    let data = tables.iter().map(|table| {
        let text = tool(folder.path(), "base64", &[], table).unwrap();
        format!("<dict><key>Attributes</key><string>0x0050</string><key>Data</key><data>\n{}</data><key>ID</key><string>0</string><key>Name</key><string>disk</string></dict>", String::from_utf8(text).unwrap())
    });
    let list = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
         \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\"><dict><key>resource-fork</key><dict>\
         <key>blkx</key><array>{}</array></dict></dict></plist>\n",
        data.collect::<String>()
    );
    let length = image.len() as u64;
    image.extend(list.as_bytes());
    let mut koly = b"koly\0\0\0\x04\0\0\x02\0\0\0\0\x01".to_vec();
    for number in [0, 0, length, 0, 0] {
        koly.extend(u64::to_be_bytes(number));
    }
    koly.extend([0, 0, 0, 1, 0, 0, 0, 1]);
    koly.resize(216, 0);
    koly.extend(length.to_be_bytes());
    koly.extend((list.len() as u64).to_be_bytes());
    koly.resize(488, 0);
    koly.extend(1_u32.to_be_bytes());
    koly.extend(first.to_be_bytes());
    koly.resize(512, 0);
    image.extend(koly);
    image
}

/// A disk with a volume on it, whose bytes are not all the same.
fn disk(folder: &Path) -> Option<Vec<u8>> {
    tree(folder);
    make(folder, &[&["mke2fs", "-q", "-F", "-d", "tree", "-b", "1024", "-t", "ext2", "image", "3M"]]).then_some(())?;
    Some(fs::read(folder.join("image")).unwrap())
}

#[test]
fn dmg_with_chunks_of_all_kinds() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = disk(folder.path()) else { return };
    let image = dmg(&chunks(folder.path(), &disk));
    let walked = walk(&image);
    assert_eq!(walked.objects[0].kind, FileKind::Dmg);
    assert_eq!(walked.anomalies, []);
    let inside = walked.at(&["disk"]).unwrap();
    assert_eq!(inside.kind, FileKind::Ext);
    assert!(inside.bytes == disk, "the disk is not what it was");
    let eicars: Vec<String> =
        walked.objects.iter().filter(|seen| seen.bytes == eicar()).map(|seen| seen.path.join("//")).collect();
    assert_eq!(eicars, ["disk//Some long folder name/deeper/and deeper/a very long name of a test file.com"]);
    fs::write(folder.path().join("image.dmg"), &image).unwrap();
    if let Some(theirs) = seven_zip(folder.path(), "image.dmg") {
        let theirs: Vec<u8> = theirs.into_values().flatten().collect();
        assert!(theirs == disk, "7z gives another disk");
    }
    let outer = image.len() - 512;
    assert!(walk(&image[outer - 100_000..]).gap());
}

#[test]
fn dmg_bears_damage() {
    let folder = tempfile::tempdir().unwrap();
    let disk = [b"badger ".repeat(20_000), noise(100_000), vec![0; 65_536], b"sett ".repeat(40_000)].concat();
    let disk = &disk[..disk.len() / 512 * 512];
    let image = dmg(&chunks(folder.path(), disk));
    assert!(walk(&image).at(&["disk"]).is_some_and(|seen| seen.bytes == disk));
    assert_bears_damage(&image, &(0..image.len()).collect::<Vec<_>>(), 1000);
}

/// An image of before property lists: the table stands in a resource fork.
#[test]
fn dmg_with_a_resource_fork() {
    let disk = [b"badger ".repeat(20_000), noise(40_000), b"sett ".repeat(40_000)].concat();
    let disk = &disk[..disk.len() / 512 * 512];
    let image = dmg(&[(1, disk.len() as u64 / 512, disk.to_vec())]);
    let koly = image.len() - 512;
    let at = image.windows(4).position(|window| window == b"<?xm").unwrap();
    let text = String::from_utf8(image[at..koly].to_vec()).unwrap();
    let base64 = text.split("<data>").nth(1).unwrap().split("</data>").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let table = tool(folder.path(), "base64", &["-d"], base64.trim().as_bytes()).unwrap();
    let data = [&(table.len() as u32).to_be_bytes()[..], &table].concat();
    let head = [256, 256 + data.len() as u32, data.len() as u32, 50].map(u32::to_be_bytes).concat();
    let mut fork = head.clone();
    fork.resize(256, 0);
    fork.extend(&data);
    fork.extend(&head);
    fork.extend([0; 8]);
    fork.extend([0, 28, 0, 50, 0, 0]);
    fork.extend([&b"blkx"[..], &[0, 0, 0, 10], &[0, 128, 0xff, 0xff], &[0; 8]].concat());
    let mut old = image[..at].to_vec();
    let start = old.len() as u64;
    old.extend(&fork);
    let mut trailer = image[koly..].to_vec();
    trailer[40..48].copy_from_slice(&start.to_be_bytes());
    trailer[48..56].copy_from_slice(&(fork.len() as u64).to_be_bytes());
    trailer[216..232].fill(0);
    old.extend(trailer);
    let walked = walk(&old);
    assert_eq!(walked.anomalies, []);
    assert!(walked.at(&["disk"]).is_some_and(|seen| seen.bytes == disk));
}

#[test]
fn an_encrypted_dmg_is_told() {
    let image = [b"encrcdsa\0\0\0\x02".to_vec(), noise(5000)].concat();
    let walked = walk(&image);
    assert_eq!(walked.objects[0].kind, FileKind::Dmg);
    assert!(walked.anomalies.iter().any(|anomaly| anomaly.kind == AnomalyKind::Encrypted));
}

#[test]
fn partitions_of_apple_s_map() {
    let mut disk = vec![0; 1 << 20];
    disk[..8].copy_from_slice(b"ER\x02\0\0\0\x08\0");
    let entries: [(&str, &str, u32, u32); 3] =
        [("Apple", "Apple_partition_map", 1, 63), ("", "Apple_Free", 64, 10), ("disk image", "Apple_HFS", 100, 50)];
    for (index, (name, kind, first, blocks)) in entries.into_iter().enumerate() {
        let entry = &mut disk[512 * (index + 1)..];
        entry[..4].copy_from_slice(b"PM\0\0");
        for (at, number) in [(4, 3), (8, first), (12, blocks)] {
            entry[at..at + 4].copy_from_slice(&number.to_be_bytes());
        }
        entry[16..16 + name.len()].copy_from_slice(name.as_bytes());
        entry[48..48 + kind.len()].copy_from_slice(kind.as_bytes());
    }
    disk[100 * 512..][..68].copy_from_slice(&eicar());
    let walked = walk(&disk);
    assert_eq!((walked.objects[0].kind, &walked.anomalies), (FileKind::Apm, &Vec::new()));
    assert!(walked.at(&["partition 3 (disk image)"]).unwrap().bytes.starts_with(&eicar()));
    assert_eq!(walked.objects.len(), 2);
    assert_bears_damage(&disk[..80_000], &(0..2048).collect::<Vec<_>>(), 1000);
}

/// An image of a container: layers are archives of their own, of which an upper one hides files of a lower.
#[test]
fn all_layers_of_a_container_are_looked_into() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let blobs = path.join("image/blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    fs::create_dir_all(path.join("layer/app")).unwrap();
    fs::write(path.join("layer/app/eicar.com"), eicar()).unwrap();
    let Some(lower) = tool(path, "tar", &["-C", "layer", "-czf", "-", "app"], b"") else { return };
    fs::remove_file(path.join("layer/app/eicar.com")).unwrap();
    fs::write(path.join("layer/app/.wh.eicar.com"), b"").unwrap();
    let upper = tool(path, "tar", &["-C", "layer", "-cf", "-", "app"], b"").unwrap();
    fs::write(blobs.join("lower"), lower).unwrap();
    fs::write(blobs.join("upper"), upper).unwrap();
    fs::write(path.join("image/oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    let image = tool(path, "tar", &["-C", "image", "-cf", "-", "."], b"").unwrap();
    let walked: Walked = walk(&image);
    let found: Vec<String> =
        walked.objects.iter().filter(|seen| seen.bytes == eicar()).map(|seen| seen.path.join("//")).collect();
    assert_eq!(found, ["./blobs/sha256/lower//content//app/eicar.com"]);
    assert_eq!(walked.anomalies, []);
}

/// The first type of AppImage: a disc that begins with a program.
#[test]
fn an_appimage_of_the_first_type_is_a_disc() {
    let folder = tempfile::tempdir().unwrap();
    small_tree(folder.path());
    if !make(folder.path(), &[&["genisoimage", "-quiet", "-R", "-o", "image", "tree"]]) {
        return;
    }
    let mut image = fs::read(folder.path().join("image")).unwrap();
    let program = fs::read("/bin/true").unwrap();
    let length = program.len().min(32 << 10);
    image[..length].copy_from_slice(&program[..length]);
    image[8..11].copy_from_slice(b"AI\x01");
    let walked = walk(&image);
    assert_eq!(walked.objects[0].kind, FileKind::Elf);
    assert_eq!(walked.at(&["a folder/deeper/a longer name.com"]).unwrap().bytes, eicar());
}
