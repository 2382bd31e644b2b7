//! Archives, streams, documents and mail with a fault.

use std::fmt::Write as _;

use dachs_base::AnomalyKind::{self, Damaged, Encrypted, Unsupported};
use dachs_base::{FileKind, Limit};

use super::{Case, case, made, sample, set};
use crate::program::Program;

pub(super) fn cases() -> Vec<Case> {
    [archives(), installers(), streams(), documents(), texts()].into_iter().flatten().collect()
}

/// An archive of ARJ with another byte in the header of its first file: 4 are the flags, 5 is the method (TECHNOTE).
fn arj(at: usize, value: u8) -> Vec<u8> {
    let whole = sample("license_method1.arj");
    let second = 4 + usize::from(u16::from_le_bytes([whole[2], whole[3]])) + 4 + 2;
    set(whole, &[(second + 4 + at, &[value])])
}

/// The name of the only member of those archives.
const LICENSE: &str = "LICENSE";

fn asar(text: &str) -> Vec<u8> {
    let length = text.len() as u32;
    let padded = length.next_multiple_of(4);
    let numbers = [4, padded + 8, padded + 4, length].map(u32::to_le_bytes).concat();
    [numbers, text.as_bytes().to_vec(), vec![0; (padded - length) as usize], b"badger".to_vec()].concat()
}

/// A 7z archive of a stored file, whose method is given another number; the checksums of its headers are right.
fn sevenzip() -> Option<Vec<u8>> {
    let mut whole = made("7z", "7z a -bd -mx0 -mhc=off out.7z input && mv out.7z out", b"badger")?;
    let start = 32 + u64::from_le_bytes(whole[12..20].try_into().unwrap()) as usize;
    // One folder, one coder, its number is one byte: zero for Copy (7zFormat.txt, Folder).
    let coder = start + whole[start..].windows(3).position(|window| window == [1, 1, 0]).unwrap() + 2;
    whole[coder] = 0x7f;
    let crc = crc32fast::hash(&whole[start..]).to_le_bytes();
    whole[28..32].copy_from_slice(&crc);
    let crc = crc32fast::hash(&whole[12..32]).to_le_bytes();
    whole[8..12].copy_from_slice(&crc);
    Some(whole)
}

fn archives() -> Vec<Case> {
    let header = |name: &str| format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 644, 6);
    let ar = format!("!<arch>\n{}badger{}", header("a/"), "x".repeat(60));
    let newc = format!("070701{}", "00000000".repeat(11)) + "0000000200000000a\0";
    let cpio = newc.replacen("00000000", "00000001", 1) + &"x".repeat(120);
    let slices = [0xcafe_babe_u32, 1, 7, 3, 0x1000, 0x1000, 0].map(u32::to_be_bytes).concat();
    let inside = [0xcafe_babe_u32, 1, 7, 3, 4, 8, 0].map(u32::to_be_bytes).concat();
    let universal = "slices past the end or in the header";
    let rpm = [&b"\xed\xab\xee\xdb\x03\0\0\0"[..], &[0; 88], b"badger, and no header of a package", &[7; 64]].concat();
    let header = [&b"\x8e\xad\xe8\x01\0\0\0\0"[..], &[0; 8]].concat();
    let shifted = [&b"\xed\xab\xee\xdb\x03\0\0\0"[..], &[0; 88], &header, &header, b"x\x1f\x8b\x08badger"].concat();
    let xar =
        [&b"xar!\0\x1c\0\x01"[..], &20_u64.to_be_bytes(), &20_u64.to_be_bytes(), &[0, 0, 0, 1], &[7; 40]].concat();
    let mut cases = vec![
        case(FileKind::Ar, "broken headers", Damaged, "", ar),
        case(FileKind::Cpio, "broken headers", Damaged, "", cpio),
        case(FileKind::Arj, "encryption", Encrypted, "it is encrypted", sample("license_crypted.arj")).about(LICENSE),
        case(FileKind::Arj, "unknown methods", Unsupported, "unknown method", arj(5, 9)).about(LICENSE),
        case(FileKind::Arj, "files in several volumes", Unsupported, "in another volume", arj(4, 4)).about(LICENSE),
        case(FileKind::Asar, "a broken list of files", Damaged, "list of files is broken", asar("{\"files\":{\"a\":")),
        case(FileKind::Asar, "files past the end", Damaged, "", asar(r#"{"files":{"a":{"offset":"0","size":4000}}}"#))
            .about("a"),
        case(FileKind::MachOUniversal, universal, Damaged, "", [slices, vec![0; 64]].concat()).about("architecture 0"),
        case(FileKind::MachOUniversal, universal, Damaged, "its own header", [inside, vec![0; 64]].concat()),
        case(FileKind::Rpm, "broken headers", Damaged, "header of the package is broken", rpm),
        case(FileKind::Rpm, "broken headers", Damaged, "the payload is not where", shifted),
        case(FileKind::Xar, "a broken table of contents", Damaged, "", xar),
        case(FileKind::Chm, "a broken directory", Damaged, "", broken_help()),
    ];
    cases.extend(sevenzip().map(|bytes| {
        case(FileKind::SevenZip, "unknown methods", Unsupported, "compression method", bytes).about("input")
    }));
    let packed = "mkdir d && cp input d/badger && cd d && bsdtar -c --format xar -f ../out badger";
    cases.extend(made("bsdtar", packed, &Vec::from_iter((0..9000_u32).flat_map(u32::to_le_bytes))).map(|bytes| {
        let cut = bytes[..bytes.len() - 3000].to_vec();
        case(FileKind::Xar, "broken or cut data", Damaged, "", cut).about("badger")
    }));
    cases
}

/// A program with an InstallShield list of a header, a cabinet, and one file in them: split over several, or in the second.
fn two_cabinets(flags: u16, volume: u16) -> Vec<u8> {
    let start = [&b"ISc("[..], &0x0100_6000_u32.to_le_bytes(), &[0; 4]].concat();
    let cabinet = [&start[..], &[0; 8], &24_u32.to_le_bytes(), b"badger"].concat();
    // Behind the descriptor: the place of a directory without a name, the name of the file at 8, the file at 20.
    let descriptor = set(vec![0; 60], &[(12, &60_u32.to_le_bytes()), (40, &1_u32.to_le_bytes()), (44, &[20])]);
    let names = set(vec![0; 20], &[(8, b"half.txt\0")]);
    let file = set(vec![0; 0x57], &[(0, &flags.to_le_bytes()), (2, &[6]), (10, &[6]), (18, &[24]), (58, &[8])]);
    let file = set(file, &[(85, &volume.to_le_bytes())]);
    let header = [start, 20_u32.to_le_bytes().to_vec(), vec![0; 4], descriptor, names, file].concat();
    let entry = |name: &str, bytes: &[u8]| {
        [format!("{name}\0Disk1\\{name}\x000.0.0.0\0{}\0", bytes.len()).as_bytes(), bytes].concat()
    };
    Program::default().overlay(&[entry("data1.hdr", &header), entry("data1.cab", &cabinet)].concat()).bytes()
}

/// A set-up program of Inno Setup whose table of offsets says that its files are in other files; the checksum is right.
fn further_disks() -> Vec<u8> {
    let mut whole = sample("inno/inno-6.2.2.exe");
    let table = whole.windows(6).position(|window| window == b"rDlPtS").unwrap();
    whole[table + 36..table + 40].fill(0);
    let crc = crc32fast::hash(&whole[table..table + 40]).to_le_bytes();
    set(whole, &[(table + 40, &crc)])
}

fn installers() -> Vec<Case> {
    let cabinet =
        |version: u32| [&b"ISc("[..], &version.to_le_bytes(), &[0; 8], &[0; 4], &[24, 0, 0, 0], b"badger"].concat();
    let alone = "cabinets without the header file that describes them (their data are read as one stream)";
    let shield = FileKind::InstallShield;
    let several = "files in several cabinets";
    vec![
        case(shield, alone, Unsupported, "is another file", cabinet(0x0100_6000)),
        case(shield, "cabinets before version 6", Unsupported, "before version 6", cabinet(0x0100_5000)),
        case(shield, several, Unsupported, "in another InstallShield cabinet", two_cabinets(1, 1)).about("half.txt"),
        case(shield, several, Unsupported, "in another InstallShield cabinet", two_cabinets(0, 2)).about("half.txt"),
        case(
            FileKind::InnoSetup,
            "files in other disks of a set",
            Unsupported,
            "in other files of a set",
            further_disks(),
        ),
    ]
}

/// A compiled help file whose chunks of the directory have another mark (M. Russotto's description).
fn broken_help() -> Vec<u8> {
    let mut help = sample("badger.chm");
    while let Some(at) = help.windows(4).position(|window| window == b"PMGL") {
        help[at] = b'X';
    }
    help
}

fn streams() -> Vec<Case> {
    let flags = |flags: u32| {
        [0x1040_u16, 0x20a0, 0x0940]
            .map(u16::to_be_bytes)
            .concat()
            .into_iter()
            .chain([1, 1])
            .chain(flags.to_be_bytes())
            .collect::<Vec<u8>>()
    };
    let lzop = [&b"\x89LZO\0\r\n\x1a\n"[..], &flags(0x800), &[0, 0, 0, 1], &[0; 12], &[0], &[0; 4], &[0; 16]].concat();
    let codes = [&b"\x1f\x9d\x90"[..], &[0xff; 64]].concat();
    let limit = AnomalyKind::Limit(Limit::Memory);
    let mut cases = vec![
        case(FileKind::Compress, "undefined codes", Damaged, "", codes).about("content"),
        case(
            FileKind::Lz4,
            "dictionaries",
            Unsupported,
            "dictionary",
            b"\x04\x22\x4d\x18\x61\x40\x01\0\0\0\xb1\0\0\0\0",
        )
        .about("content"),
        case(FileKind::Zstd, "dictionaries", Unsupported, "", b"\x28\xb5\x2f\xfd\x01\x58\x07\x01\0\0\0\0\0")
            .about("content"),
        case(FileKind::Lzop, "filters", Unsupported, "filter", lzop).about("content"),
    ];
    let mut noise = super::super::common::Noise::new();
    let plain: Vec<u8> = (0..3_000_000).map(|_| u8::try_from(noise.below(256)).unwrap()).collect();
    for (kind, reason, program, script) in [
        (FileKind::Xz, "a dictionary over the memory limit", "xz", "xz -6 -c input >out"),
        (FileKind::Lzma, "a dictionary over the memory limit", "xz", "xz --format=lzma -6 -c input >out"),
        (FileKind::Zstd, "a window over the memory limit", "zstd", "zstd -q -12 -c input >out"),
    ] {
        let bytes = made(program, script, &plain);
        cases.extend(bytes.map(|bytes| case(kind, reason, limit, "", bytes).about("content").with_memory(512 << 10)));
    }
    cases
}

fn documents() -> Vec<Case> {
    let long = [&b"%PDF-1.4\n1 0 obj\n<< /A ("[..], &vec![b'a'; 9 << 20], b") >>\nendobj\ntrailer\n<< >>\n"].concat();
    let section = [&b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3"[..], &[0; 100]].concat();
    let attached = b"\xe7\x16\xe3\xbd\x65\x26\x11\x45\xa4\xc4\x8d\x4d\x0b\x7a\x9e\xac";
    let note = [&section[..], attached, &5000_u64.to_le_bytes(), &[0; 12], b"badger"].concat();
    let parts = [&b"\xc5\xd0\xd3\xc6"[..], &[0xe8, 3, 0, 0, 0xe8, 3, 0, 0], &[0; 18]].concat();
    let filters = "%!PS-Adobe-3.0\n/d currentfile /ASCII85Decode filter /FlateDecode filter def\n\
        GhQfbadgerGatgYol4JNA7U2kAd1badgerGatgYol4JNA7U2kAd1badger~>\n";
    let shortcut = [&b"\x4c\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0\x46\x01\0\0\0"[..], &[0; 52], &[0xff, 0x7f, 1]];
    let tnef = [&b"\x78\x9f\x3e\x22\x01\0\x01\x06\x90\x08\0"[..], &4000_u32.to_le_bytes(), b"badger"].concat();
    vec![
        case(FileKind::Pdf, "values over 8 MiB", Unsupported, "too large", long).about("object 1 0"),
        case(FileKind::OneNote, "attached files past the end", Damaged, "", note).about("file 1"),
        case(FileKind::PostScript, "parts past the end", Damaged, "", parts).about("page"),
        case(FileKind::PostScript, "broken or cut data of filters", Damaged, "", filters).about("data 1"),
        case(FileKind::Lnk, "a structure that breaks off", Damaged, "", shortcut.concat()),
        case(FileKind::Tnef, "cut attributes", Damaged, "", tnef),
    ]
}

fn texts() -> Vec<Case> {
    let object = "{\\rt{\\object{\\*\\objdata 01050000 02000000 02000000 4100 00000000 00000000 00100000 4142}}}";
    let deep = format!("{{\\rtf1 {}{}}}", "{\\object{\\*\\objdata 0105 ".repeat(40), "}}".repeat(40));
    let hangul =
        "<?xml version=\"1.0\"?><HWPML Version=\"2.8\"><BINDATA Id=\"1\" Compress=\"true\">QmFkZ2Vy</BINDATA></HWPML>";
    let record = "WARC/1.0\r\nWARC-Type: resource\r\nWARC-Target-URI: http://a/b\r\nContent-Length: 4000\r\n\r\nbadger";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\nbadger";
    let mut answer = "WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a/b\r\n".to_owned();
    write!(answer, "Content-Type: application/http\r\nContent-Length: {}\r\n\r\n{chunked}\r\n\r\n", chunked.len())
        .unwrap();
    let letter = "From: a@example.org\nTo: b@example.org\nSubject: a\n\n";
    let uu = "begin 644 a\nMQUFFQUFFQUFFQUFFQUFFQUFFQUFFQUFFQUFFQUFFQUFFQUFFQUFFQUFFQUFF\n";
    let yenc = "=ybegin line=128 size=600 name=a\nbadger\n";
    let blocks = "uuencoded or yEnc data without their last line";
    let broken_off = "records and chunked bodies that break off";
    vec![
        case(FileKind::Rtf, "objects that are shorter than they say", Damaged, "", object).about("object 1/A"),
        case(FileKind::Rtf, "data nested more than 16 deep", Unsupported, "16 deep", deep),
        case(FileKind::Hwpml, "broken compressed data", Damaged, "", hangul).about("BINDATA 1"),
        case(FileKind::Warc, broken_off, Damaged, "", record).about("http://a/b"),
        case(FileKind::Warc, broken_off, Damaged, "", answer).about("http://a/b"),
        case(FileKind::Mail, blocks, Damaged, "", format!("{letter}{uu}")).about("a"),
        case(FileKind::Mail, blocks, Damaged, "", format!("{letter}{yenc}")).about("a"),
        case(FileKind::Uuencode, "blocks without `end`", Damaged, "", uu).about("a"),
    ]
}
