//! What bytes are taken for: a table of beginnings, texts that only look like something, and things in disguise.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]

mod common;

use common::{eicar, tool, walk};
use dachs_base::FileKind::{self, *};
use dachs_base::Memory;
use dachs_formats::identify;

fn kinds(bytes: &[u8]) -> (FileKind, Vec<FileKind>) {
    let identity = identify(&Memory::new(bytes.to_vec()));
    (identity.kind, identity.also)
}

/// Beginnings, without a byte behind them.
const TEXTS: &[(&[u8], FileKind)] = &[
    (b"", Empty),
    (b"a", Ascii),
    (b"badgers dig\n", Ascii),
    (b"\xef\xbb\xbfbadgers", Ascii),
    ("Dächse graben".as_bytes(), Utf8),
    (b"D\xe4chse graben Baue", Ascii),
    (b"\xff\xfeb\0a\0d\0", Utf16),
    (b"b\0a\0d\0g\0e\0r\0s\0", Utf16),
    (b"\0b\0a\0d\0g\0e\0r\0s", Utf16),
    (b"#!/bin/sh\n", Script),
    (b"\n<?PHP echo 1;", Script),
    (b"@ECHO OFF\r\n", Batch),
    (b"<svg xmlns='a'>", Svg),
    (b"body { color: red }", Css),
    (b"<?xml version=\"1.0\"?><a/>", Xml),
    (b"<?xml version=\"1.0\"?>\n<!-- a page -->\n<!DOCTYPE html>", Html),
    (b"  <HTML>", Html),
    (b"<!-- x --><script>", Html),
    (b"junk\n<html><body>", Html),
    (b"\xff\xfe<\0h\0t\0m\0l\0>\0", Html),
    (b"the <html> tag", Ascii),
    (b"print('''\n<html>\n''')", Ascii),
    (b"<htmlx>", Ascii),
    (b"{\\rtf1", Rtf),
    (b"!BDN\x01\x02\x03\x04SM\x17\0", Pst),
    (b"!BDN is a word\n", Ascii),
    (b"LRZI\0\x06\0\x10", Lrzip),
    (b"LRZI is a word\n", Ascii),
    (b"From: a@example.org\nTo: b@example.org\n\nx", Mail),
    (b"From a@example.org Mon Jan  1\nSubject: x\n\n", Mail),
    (b"Received: from x\n\tby y\nSubject: x\n\n", Mail),
    (b"From: the badger\nwith love", Ascii),
    (b"Subject: Date\nbadger: yes\n", Ascii),
    (b"Package: badger\nVersion: 1\n", Ascii),
    (b"MIME-Version: 1.0\nContent-Type: multipart/related; type=\"text/html\"\n\n", Mhtml),
    (b"begin 644 a.com\n#86)C\n`\nend\n", Uuencode),
    (b"begin 644 chapters of badgers\n", Ascii),
    (b"(This file must be converted with BinHex 4.0)\n:", BinHex),
    (b"MZ is how programs begin, and some texts", Ascii),
    (b"BM\x00\x01\x02", Data),
    (b"\x00\x01\x02\x03", Data),
    (b"%PDF-1.4", Pdf),
    (b"junk\n%PDF-1.4\n\x00", Pdf),
    (b"\x1f\x8b\x08\x00", Gzip),
    (b"BZh9", Bzip2),
    (b"BZh91AY&SY", Bzip2),
    (b"BZh9 is no stream", Ascii),
    (b"\x5d\x00\x00\x80\x00\xff\xff\xff\xff\xff\xff\xff\xff\x00\x01\x02\x03\x04", Lzma),
    (b"\x50\x2a\x4d\x18\x02\x00\x00\x00ab\x04\x22\x4d\x18", Lz4),
    (b"\x50\x2a\x4d\x18\x02\x00\x00\x00ab\x28\xb5\x2f\xfd", Zstd),
    (b"\xca\xfe\xba\xbe\x00\x00\x00\x34\x00\x10", JavaClass),
    (b"\xca\xfe\xba\xbe\x00\x00\x00\x02", MachOUniversal),
    (b"!<arch>\ndebian-binary   ", Deb),
    (b"!<arch>\n", Ar),
    (b"PK\x03\x04", Zip),
    (b"7z\xbc\xaf\x27\x1c", SevenZip),
    (b"\x7fELF", Elf),
];

#[test]
fn beginnings_are_told() {
    for (bytes, kind) in TEXTS {
        let (found, mut also) = kinds(bytes);
        also.retain(|kind| !matches!(kind, Html | Ascii | Utf16));
        assert_eq!((found, also), (*kind, Vec::new()), "{:?}", String::from_utf8_lossy(bytes));
    }
}

/// ClamAV reads what has one of its tags as a page, wherever it stands; the text stays a text as well.
#[test]
fn tags_make_a_page_of_anything() {
    for text in [
        "the <html> tag",
        "x\n<A HREF='y'>",
        "a <img",
        "\x01\x02<IFRAME",
        "<?xml version='1.0'?><object>",
        "#!/bin/sh\n<table",
        "x <a >href",
        "<?xml version='1.0'?><a name='x'/> <b>href</b>",
    ] {
        assert!(kinds(text.as_bytes()).1.contains(&Html), "{text:?}");
    }
    for text in ["an <htm>l tag", "x <a>href", "x href <a ", "a < img", "<?xml version='1.0'?><div>", "#!/bin/sh\n<td>"]
    {
        assert_eq!(kinds(text.as_bytes()).1, [], "{text:?}");
    }
    assert_eq!(kinds(b"<p>a page to us alone</p>"), (Html, vec![Ascii]));
    assert_eq!(kinds(b"<html><p>a page</p>"), (Html, vec![]));
}

/// Observed of ClamAV 1.4.6, which normalises such bytes as text.
#[test]
fn what_passes_for_text_is_matched_as_text_too() {
    for bytes in [
        b"\xff\x01\x02\x03\x04\x05".as_slice(),
        b"plain \x07 text",
        b"\xfe\xff\x00\x00\x05\x01",
        b"\x1b[1m \xe9\x00\xe9\xe9 x",
        b"!<arch>\n",
    ] {
        assert!(kinds(bytes).1.contains(&Utf16) || kinds(bytes).0 == Ascii, "{bytes:?}");
    }
    for bytes in
        [b"\xff\x01\x00\x03\x04\x05".as_slice(), b"\x01\x01\xff\xfe\xe9\xe9", b"\x00\x00\x00\x00\x00\x00", b"\x01\xff"]
    {
        assert_eq!(kinds(bytes), (Data, vec![]), "{bytes:?}");
    }
}

fn placed(length: usize, pieces: &[(usize, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0; length];
    for (at, piece) in pieces {
        bytes[*at..*at + piece.len()].copy_from_slice(piece);
    }
    bytes
}

#[test]
fn volumes_that_nothing_opens_are_told() {
    let cases: [(usize, &[u8], FileKind); 5] = [
        (32, b"NXSB\0\x10\0\0", Apfs),
        (3, b"-FVE-FS-", BitLocker),
        (65_600, b"_BHRfS_M", Btrfs),
        (0, b"LUKS\xba\xbe\0\x02", Luks),
        (0, b"XFSB\0\0\x10\0", Xfs),
    ];
    for (at, magic, kind) in cases {
        assert_eq!(kinds(&placed(70_000, &[(at, magic)])).0, kind);
    }
}

#[test]
fn a_fat_volume_needs_no_name() {
    let boot: &[(usize, &[u8])] =
        &[(0, b"\xeb\x3c\x90"), (11, b"\0\x02\x01\x01\0\x02\xe0\0\x40\x0b\xf0\x09\0"), (510, b"\x55\xaa")];
    assert_eq!(kinds(&placed(4096, boot)).0, Fat);
    assert_eq!(kinds(&placed(4096, &boot[1..])).0, Data);
}

#[test]
fn discs_are_told_by_their_sectors() {
    let boot: &[(usize, &[u8])] = &[(446, b"\x80\0\0\0\x83\0\0\0\x01\0\0\0\x02\0\0\0"), (510, b"\x55\xaa")];
    assert_eq!(kinds(&placed(100_000, boot)), (Mbr, vec![]));
    assert_eq!(kinds(&placed(100_000, &[(512, b"EFI PART")])), (Gpt, vec![]));
    assert_eq!(kinds(&placed(100_000, &[(4096, b"EFI PART")])), (Gpt, vec![]));
    assert_eq!(kinds(&placed(100_000, &[(32_769, b"CD001")])), (Iso9660, vec![]));
    assert_eq!(kinds(&placed(100_000, &[(32_769, b"CD001"), boot[0], boot[1]])), (Iso9660, vec![Mbr]));
    assert_eq!(kinds(&placed(100_000, &[(32_769, b"BEA01"), (34_817, b"NSR03")])), (Udf, vec![]));
    assert_eq!(
        kinds(&placed(100_000, &[(32_769, b"CD001"), (34_817, b"BEA01"), (36_865, b"NSR02")])),
        (Iso9660, vec![Udf])
    );
    assert_eq!(
        kinds(&placed(100_000, &[(1024, b"\x10\0\0\0"), (1048, b"\x02\0\0\0"), (1080, b"\x53\xef")])),
        (Ext, vec![])
    );
    assert_eq!(
        kinds(&placed(4096, &[(0, b"\xeb\x3c\x90mkfs.fat"), (54, b"FAT16   "), (510, b"\x55\xaa")])),
        (Fat, vec![])
    );
    assert_eq!(kinds(&placed(9000, &[(8488, b"koly\0\0\0\x04")])), (Dmg, vec![]));
    assert_eq!(kinds(&placed(9000, &[(8488, b"conectix")])), (Vhd, vec![]));
}

/// A PE program of one section, with something behind it.
fn program(overlay: &[u8]) -> Vec<u8> {
    let mut bytes = placed(1024, &[(0, b"MZ\x90\0"), (60, b"\x40\0\0\0"), (64, b"PE\0\0\x4c\x01\x01\0")]);
    bytes[64 + 20] = 0xe0; // SizeOfOptionalHeader
    bytes[88..90].copy_from_slice(b"\x0b\x01");
    bytes[88 + 16..88 + 20].copy_from_slice(&0x1000_u32.to_le_bytes()); // entry point
    bytes[88 + 32..88 + 36].copy_from_slice(&0x1000_u32.to_le_bytes());
    bytes[88 + 36..88 + 40].copy_from_slice(&0x200_u32.to_le_bytes());
    bytes[88 + 60..88 + 64].copy_from_slice(&0x200_u32.to_le_bytes()); // SizeOfHeaders
    let table = 88 + 0xe0;
    for (at, value) in [(8, 0x200_u32), (12, 0x1000), (16, 0x200), (20, 0x200)] {
        bytes[table + at..table + at + 4].copy_from_slice(&value.to_le_bytes());
    }
    bytes.extend_from_slice(overlay);
    bytes
}

#[test]
fn programs_that_carry_archives_are_both() {
    assert_eq!(kinds(&program(b"")), (Pe, vec![]));
    assert_eq!(kinds(&program(b";!@Install@!UTF-8!\n7z\xbc\xaf\x27\x1c\0\x04")), (Pe, vec![SevenZip]));
    assert_eq!(kinds(&program(b"Rar!\x1a\x07\x01\0")), (Pe, vec![Rar]));
    assert_eq!(kinds(&program(b"\0\0\0\0\xef\xbe\xad\xdeNullsoftInst")), (Pe, vec![Nsis]));
}

#[test]
fn an_archive_behind_anything_is_found() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("eicar.com"), eicar()).unwrap();
    let script = "import zipfile; z=zipfile.ZipFile('a.zip','w'); z.write('eicar.com'); z.comment=b'c'*1000; z.close()";
    let Some(_) = tool(folder.path(), "python3", &["-c", script], b"") else { return };
    let archive = std::fs::read(folder.path().join("a.zip")).unwrap();
    for (before, kind) in [
        (program(b""), Pe),
        (b"#!/bin/sh\nexit\n".to_vec(), Script),
        (b"GIF89a\x01\0\x01\0".to_vec(), Gif),
        (vec![0xaa; 10_000], Data),
        (b"a text that goes on\n".repeat(1000), Ascii),
    ] {
        let bytes = [&before[..], &archive].concat();
        let (found, mut also) = kinds(&bytes);
        also.retain(|kind| *kind != Utf16);
        assert_eq!((found, also), (kind, vec![Zip]));
        assert!(walk(&bytes).objects.iter().any(|seen| seen.bytes == eicar()), "{kind:?}");
    }
    let mention = b"a text that mentions PK\x05\x06 and no more, but goes on for a while after it\n";
    assert!(!kinds(mention).1.contains(&Zip));
}

#[test]
fn an_overlay_of_7z_is_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("eicar.com"), eicar()).unwrap();
    let Some(_) = tool(folder.path(), "7z", &["a", "-bd", "a.7z", "eicar.com"], b"") else { return };
    let archive = std::fs::read(folder.path().join("a.7z")).unwrap();
    let walked = walk(&program(&[b";!@Install@!UTF-8!\n", &archive[..]].concat()));
    assert_eq!(walked.at(&["eicar.com"]).unwrap().bytes, eicar());
}

/// Hybrid discs have their map in blocks of 2048 bytes; macutils' `binhex` writes a first line of its own.
#[test]
fn what_other_writers_make_is_known() {
    for block in [512_usize, 1024, 2048] {
        let mut disc = vec![0; 3 * block];
        disc[..2].copy_from_slice(b"ER");
        disc[2..4].copy_from_slice(&u16::try_from(block).unwrap().to_be_bytes());
        disc[block..block + 8].copy_from_slice(b"PM\0\0\0\0\0\x01");
        assert_eq!(identify(&Memory::new(disc)).kind, Apm, "{block}");
    }
    for rest in ["with BinHex 4.0)", "; you knew that already.)"] {
        let text = format!("(This file must be converted{rest}\n\n:\"@8ZBfpY!&4&@&40380\"!*!&!`!!!!#$k@&LBjh@!!!:\n");
        assert_eq!(identify(&Memory::new(text.into_bytes())).kind, BinHex, "{rest}");
    }
}
