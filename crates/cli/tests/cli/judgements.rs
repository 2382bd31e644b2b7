//! What is said of a structure without a signature: names in PDF documents that are written to be overlooked, and dictionaries of
//! xz. Generated files, judged by Dachs and by clamscan.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::support::{command, folder, has_tool};

/// The files that a scanner finds something in, with the names.
fn found(program: &str, at: &Path, options: &[&str]) -> BTreeSet<String> {
    let mut command =
        if program == "clamscan" { Command::new("clamscan") } else { command(&["clamscan", "--incomplete=ok"]) };
    command
        .args(["--no-summary", "--allmatch", "-r"])
        .args(options)
        .arg("-d")
        .arg(at.join("t.ndb"))
        .arg(at.join("files"));
    let text = String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned();
    text.lines().filter(|line| line.ends_with(" FOUND")).map(str::to_owned).collect()
}

/// Both say the same of all of these files, and something of at least so many.
fn compare(files: &[(String, Vec<u8>)], options: &[&str], least: usize) {
    if !has_tool("clamscan") {
        return;
    }
    let place = folder(&[("t.ndb", b"Test:8:*:616263646566\n")]);
    std::fs::create_dir(place.path().join("files")).unwrap();
    for (name, bytes) in files {
        std::fs::write(place.path().join("files").join(name), bytes).unwrap();
    }
    let (theirs, ours) = (found("clamscan", place.path(), options), found("dachs", place.path(), options));
    assert!(theirs.len() >= least, "{}", theirs.len());
    let differ: Vec<&String> = theirs.symmetric_difference(&ours).collect();
    assert!(differ.is_empty(), "{} of {}: {differ:?}", differ.len(), files.len());
}

const NAMES: [&str; 26] = [
    "JavaScript",
    "JS",
    "OpenAction",
    "AA",
    "URI",
    "Action",
    "GoTo",
    "Launch",
    "RichMedia",
    "AcroForm",
    "EmbeddedFile",
    "FlateDecode",
    "ASCIIHexDecode",
    "LZWDecode",
    "DCTDecode",
    "Filter",
    "Type",
    "Encrypt",
    "ObjStm",
    "Length",
    "AHx",
    "Crypt",
    "Standard",
    "S",
    "Annots",
    "Badger",
];

#[test]
fn hidden_names_in_pdf_are_those_that_clamscan_finds() {
    let document = |object: String| {
        let pages =
            "1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Kids [] /Count 0 >>\nendobj";
        format!("%PDF-1.4\n{pages}\n3 0 obj\n{object}\nendobj\ntrailer\n<< /Root 1 0 R >>\nstartxref\n0\n%%EOF\n")
            .into_bytes()
    };
    let mut files = Vec::new();
    for name in NAMES {
        let hide = |hidden: &dyn Fn(usize) -> bool| -> String {
            let letters = name.bytes().enumerate();
            letters
                .map(|(at, byte)| if hidden(at) { format!("#{byte:02x}") } else { char::from(byte).to_string() })
                .collect()
        };
        let last = name.len() - 1;
        for (what, name) in [
            ("none", hide(&|_| false)),
            ("first", hide(&|at| at == 0)),
            ("last", hide(&|at| at == last)),
            ("all", hide(&|_| true)),
            ("upper", hide(&|at| at == 0).to_uppercase()),
        ] {
            for (place, object) in [
                ("key", format!("<< /{name} 5 0 R >>")),
                ("value", format!("<< /S /{name} /X (x) >>")),
                ("joined", format!("<</X/{name}/Y[/{name}]>>")),
                ("string", format!("<< /X (/{name}) >>")),
                ("stream", format!("<< /Length 3 /Filter /{name} >>\nstream\nabc\nendstream")),
            ] {
                files.push((format!("{}-{what}-{place}.pdf", files.len()), document(object)));
            }
        }
    }
    for (name, object) in [("half", "<< /J#5 (x) >>"), ("none", "<< /J#S (x) >>"), ("blank", "<< /A#20B /JS >>")] {
        files.push((format!("{name}.pdf"), document(object.to_owned())));
    }
    compare(&files, &[], 150);
}

/// CRC-32 of IEEE 802.3, as in the xz format, section 6.
fn crc(bytes: &[u8]) -> [u8; 4] {
    let bit = |sum: u32| if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 };
    let step = |sum: u32, byte: &u8| (0..8).fold(sum ^ u32::from(*byte), |sum, _| bit(sum));
    (!bytes.iter().fold(!0, step)).to_le_bytes()
}

#[test]
fn dictionaries_of_xz_are_too_large_where_clamscan_says_so() {
    let mut files = Vec::new();
    for bits in 0..64_u8 {
        // The xz format, sections 2.1.1, 3.1 and 5.3.1: a stream header, a block header with LZMA2 alone, a chunk that is stored.
        let block = [2, 0, 0x21, 1, bits, 0, 0, 0];
        let start = [&b"\xFD7zXZ\0\0\x01"[..], &crc(b"\0\x01"), &block, &crc(&block), b"\x01\0\x05hello!\0"].concat();
        for (what, cut) in [("whole", start.len()), ("header", 24), ("short", 20), ("spoilt", start.len())] {
            let mut bytes = start[..cut].to_vec();
            if what == "spoilt" {
                bytes[20] ^= 1;
            }
            files.push((format!("{bits:02}-{what}.xz"), bytes));
        }
        let mut padded = start.clone();
        padded[19] = 1;
        let sum = crc(&padded[12..20]);
        padded[20..24].copy_from_slice(&sum);
        files.push((format!("{bits:02}-padded.xz"), padded));
    }
    compare(&files, &[], 2);
}

/// A disk of 128 sectors with a master boot record: type, first sector, sectors.
fn mbr(entries: &[(u8, u32, u32)]) -> Vec<u8> {
    let mut disk = vec![0; 512 * 128];
    disk[..2].copy_from_slice(b"\xEB\x3C");
    for (at, (system, first, sectors)) in entries.iter().enumerate() {
        let entry = &mut disk[446 + 16 * at..];
        (entry[2], entry[4], entry[6]) = (1, *system, 1);
        entry[8..12].copy_from_slice(&first.to_le_bytes());
        entry[12..16].copy_from_slice(&sectors.to_le_bytes());
    }
    disk[510..512].copy_from_slice(&[0x55, 0xAA]);
    disk
}

/// The same with a record of logical partitions at sector 10.
fn extended(entries: &[(u8, u32, u32)], logical: &[(u8, u32, u32)]) -> Vec<u8> {
    let mut disk = mbr(entries);
    disk[512 * 10 + 446..512 * 11].copy_from_slice(&mbr(logical)[446..512]);
    disk
}

/// A disk of 128 sectors with a GUID partition table: first sector, last sector.
fn gpt(entries: &[(u64, u64)]) -> Vec<u8> {
    let mut table = vec![0; 128 * 128];
    for (at, (first, last)) in entries.iter().enumerate() {
        let entry = &mut table[128 * at..];
        entry[..32].copy_from_slice(&[7 + u8::try_from(at).unwrap(); 32]);
        entry[32..40].copy_from_slice(&first.to_le_bytes());
        entry[40..48].copy_from_slice(&last.to_le_bytes());
    }
    let header = |my: u64, other: u64, at: u64| {
        let mut header =
            [&b"EFI PART\0\0\x01\0\x5C\0\0\0\0\0\0\0\0\0\0\0"[..], &my.to_le_bytes(), &other.to_le_bytes()].concat();
        header.extend([34_u64, 94].map(u64::to_le_bytes).concat());
        header.extend([0; 16]);
        header.extend(at.to_le_bytes());
        header.extend([128_u32.to_le_bytes(), 128_u32.to_le_bytes(), crc(&table)].concat());
        let sum = crc(&header);
        header[16..20].copy_from_slice(&sum);
        header
    };
    let mut disk = mbr(&[(0xEE, 1, 127)]);
    disk[1024..1024 + table.len()].copy_from_slice(&table);
    disk[512..512 + 92].copy_from_slice(&header(1, 127, 2));
    disk[512 * 95..512 * 127].copy_from_slice(&table);
    disk[512 * 127..512 * 127 + 92].copy_from_slice(&header(127, 1, 95));
    disk
}

/// A disk of 128 blocks with Apple's partition map: first block, blocks, kind.
fn apm(entries: &[(u32, u32, &str)]) -> Vec<u8> {
    let mut disk = vec![0; 512 * 128];
    disk[..8].copy_from_slice(b"ER\x02\0\0\0\0\x80");
    let count = u32::try_from(entries.len() + 1).unwrap();
    let map = (1, count, "Apple_partition_map");
    for (at, (first, blocks, kind)) in [map].iter().chain(entries).enumerate() {
        let entry = &mut disk[512 * (at + 1)..];
        entry[..2].copy_from_slice(b"PM");
        entry[4..16].copy_from_slice(&[count.to_be_bytes(), first.to_be_bytes(), blocks.to_be_bytes()].concat());
        entry[16] = b'x';
        entry[48..48 + kind.len()].copy_from_slice(kind.as_bytes());
    }
    disk
}

#[test]
fn partitions_that_share_sectors_are_those_that_clamscan_finds() {
    const HFS: &str = "Apple_HFS";
    let files: Vec<(String, Vec<u8>)> = [
        ("mbr-apart", mbr(&[(0x83, 1, 10), (0x83, 11, 10)])),
        ("mbr-share", mbr(&[(0x83, 1, 10), (0x83, 10, 10)])),
        ("mbr-inside", mbr(&[(0x83, 1, 20), (0x83, 5, 2)])),
        ("mbr-same", mbr(&[(0x83, 5, 5), (0x83, 5, 5)])),
        ("mbr-turned", mbr(&[(0x83, 20, 5), (0x83, 1, 25)])),
        ("mbr-third", mbr(&[(0x83, 1, 5), (0x83, 10, 5), (0x83, 12, 5)])),
        ("mbr-free", mbr(&[(0x83, 5, 5), (0, 7, 2), (0x83, 20, 1)])),
        ("mbr-empty", mbr(&[(0x83, 1, 5), (0x83, 3, 0)])),
        ("mbr-empty-first", mbr(&[(0x83, 5, 5), (0x83, 5, 0)])),
        ("mbr-empty-end", mbr(&[(0x83, 5, 5), (0x83, 10, 0)])),
        ("mbr-beyond", mbr(&[(0x83, 5, 500), (0x83, 60, 200)])),
        ("mbr-all", mbr(&[(0x83, 0, 20), (0x83, 5, 5)])),
        ("extended", extended(&[(0x83, 1, 5), (5, 10, 40)], &[(0x83, 1, 5)])),
        ("extended-share", extended(&[(0x83, 1, 15), (5, 10, 40)], &[(0x83, 1, 5)])),
        ("gpt-apart", gpt(&[(34, 40), (41, 50)])),
        ("gpt-share", gpt(&[(34, 40), (40, 50)])),
        ("gpt-inside", gpt(&[(34, 60), (40, 42)])),
        ("gpt-third", gpt(&[(34, 40), (45, 50), (36, 37)])),
        ("gpt-low", gpt(&[(1, 40), (34, 50)])),
        ("gpt-high", gpt(&[(34, 400), (50, 500)])),
        ("gpt-turned", gpt(&[(34, 40), (39, 36)])),
        ("apm-apart", apm(&[(5, 10, HFS), (15, 10, HFS)])),
        ("apm-share", apm(&[(5, 10, HFS), (14, 10, HFS)])),
        ("apm-free", apm(&[(5, 10, "Apple_Free"), (14, 10, HFS)])),
        ("apm-map", apm(&[(2, 10, HFS), (15, 10, HFS)])),
        ("apm-high", apm(&[(5, 100, HFS), (14, 100, HFS)])),
    ]
    .map(|(name, disk)| (name.to_owned(), disk))
    .into();
    compare(&files, &["--alert-partition-intersection"], 12);
    compare(&files, &["--alert-partition-intersection=no"], 0);
}
