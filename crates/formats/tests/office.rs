//! What Office documents hold in forms of their own: macros of Excel 4, obfuscated workbooks, documents of Hangul word processor.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]
#![allow(clippy::cast_possible_truncation, reason = "samples are small")]

#[path = "common/mod.rs"]
mod common;
#[path = "ole_support/mod.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod ole_support;

use std::io::Write;

use common::{eicar, walk, walk_with};
use dachs_base::AnomalyKind;
use ole_support::Builder;

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/samples/office/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

const FORMULAS: &str = "sheet Macro1: macros
sheet Sheet1: worksheet
name Auto_Open: =Macro1!$A$1
Macro1!A1: =ALERT(\"This is a sample Excel 4 macro\")
Macro1!A2: =HALT()
";

#[test]
fn formulas_of_both_versions_are_read() {
    let walked = walk(&sample("xlm.xls"));
    assert_eq!(text(&walked.at(&["Workbook (formulas)"]).unwrap().bytes), FORMULAS);
    assert_eq!(walked.anomalies, []);
    let walked = walk(&sample("xlm-excel5.xls"));
    assert_eq!(text(&walked.at(&["Book (formulas)"]).unwrap().bytes), FORMULAS);
    assert_eq!(walked.anomalies, []);
}

fn record(kind: u16, data: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &(data.len() as u16).to_le_bytes(), data].concat()
}

/// A workbook of one macro sheet with these formulas, in the cells of the first column.
fn workbook(formulas: &[&[u8]]) -> Vec<u8> {
    let name = b"\x06\0Badger";
    let bof = |kind: u8| record(0x809, &[0, 6, kind, 0]);
    let start = bof(5).len() + 4 + 6 + name.len() + 4;
    let sheet = [&(start as u32).to_le_bytes()[..], &[2, 1], name].concat();
    let mut bytes = [bof(5), record(0x85, &sheet), record(10, &[]), bof(0x40)].concat();
    for (row, tokens) in formulas.iter().enumerate() {
        let head = [&(row as u16).to_le_bytes()[..], &[0; 18], &(tokens.len() as u16).to_le_bytes()].concat();
        bytes.extend(record(6, &[&head, *tokens].concat()));
    }
    [bytes, record(0x207, b"\x03\0\0abc"), record(10, &[])].concat()
}

fn formulas(bytes: &[u8]) -> String {
    let walked = walk(&Builder::new(512).stream("Workbook", bytes).build());
    let text = String::from_utf8_lossy(&walked.at(&["Workbook (formulas)"]).unwrap().bytes).into_owned();
    text.replace("sheet Badger: macros, very hidden\n", "")
}

#[test]
fn tokens_become_text() {
    let table: [(&[u8], &str); 9] = [
        (b"\x1e\x4d\0\x41\x6f\0\x1e\x5a\0\x41\x6f\0\x08", "CHAR(77)&CHAR(90)"),
        (b"\x17\x03\0cmd\x42\x01\x6e\0", "EXEC(\"cmd\")"),
        (b"\x17\x02\x01c\0m\0\x42\x01\x6e\0", "EXEC(\"cm\")"),
        (b"\x44\x01\0\x02\xC0\x44\0\0\0\0\x03\x15", "(C2+$A$1)"),
        (b"\x25\0\0\x09\0\0\xC0\x01\xC0\x19\x10\0\0", "SUM(A1:B10)"),
        (b"\x1d\x01\x1e\x02\0\x1f\0\0\0\0\0\0\xf8\x3f\x42\x03\x01\0", "IF(TRUE,2,1.5)"),
        (b"\x17\x01\0a\x17\x01\0b\x42\x02\x60\x80", "FORMULA(\"a\",\"b\")"),
        (b"\x23\x05\0\0\0\x42\x01\xff\0", "name5()"),
        (b"\x42\0\x36\0", "HALT()"),
    ];
    let lines = table.iter().zip(1..).map(|((_, text), row)| format!("Badger!A{row}: ={text}\n")).collect::<String>();
    let tokens: Vec<&[u8]> = table.iter().map(|(tokens, _)| *tokens).collect();
    assert_eq!(formulas(&workbook(&tokens)), format!("{lines}Badger!A9 was: \"abc\"\n"));
}

#[test]
fn unknown_tokens_are_told_and_noise_is_survived() {
    let file = |bytes: &[u8]| walk(&Builder::new(512).stream("Workbook", bytes).build());
    let walked = file(&workbook(&[b"\x17\x03\0abc\x1b", b"\x42\0\x36\0"]));
    let kinds: Vec<AnomalyKind> = walked.anomalies.iter().map(|anomaly| anomaly.kind).collect();
    assert_eq!(kinds, [AnomalyKind::Unsupported]);
    let given = &walked.at(&["Workbook (formulas)"]).unwrap().bytes;
    assert!(text(given).contains("Badger!A1: =\"abc\" ...\nBadger!A2: =HALT()"), "{}", text(given));
    let whole = workbook(&[b"\x17\x03\0cmd\x42\x01\x6e\0", &[0x1E, 1, 0, 3].repeat(500)]);
    for bit in (24 * 8..whole.len() * 8).step_by(37) {
        let mut broken = whole.clone();
        broken[bit / 8] ^= 1 << (bit % 8);
        file(&broken);
    }
}

/// The bytes that XOR obfuscation of the first method makes of a password (MS-OFFCRYPTO 2.3.7.2), for Excel's own one.
const ARRAY: [u8; 16] =
    [0x87, 0x6B, 0x9A, 0xE2, 0x1E, 0xE3, 0x05, 0x62, 0x1E, 0x69, 0x96, 0x60, 0x98, 0x6E, 0x94, 0x04];

/// Obfuscates a workbook's stream with Excel's own password.
fn obfuscated(plain: &[u8]) -> Vec<u8> {
    let pass = record(0x2F, &FILE_PASS);
    let mut out = Vec::new();
    let mut at = 0;
    while at + 4 <= plain.len() {
        let kind = u16::from_le_bytes([plain[at], plain[at + 1]]);
        let length = usize::from(u16::from_le_bytes([plain[at + 2], plain[at + 3]]));
        let mut data = plain[at + 4..at + 4 + length].to_vec();
        if kind == 0x85 {
            // What is behind the new record moves.
            let moved = u32::from_le_bytes(data[..4].try_into().unwrap()) + pass.len() as u32;
            data[..4].copy_from_slice(&moved.to_le_bytes());
        }
        let start = out.len() + 4;
        let clear = match kind {
            0x809 | 0xE1 => length,
            0x85 => 4,
            _ => 0,
        };
        for (place, byte) in data.iter_mut().enumerate().skip(clear) {
            *byte = byte.rotate_left(5) ^ ARRAY[(start + length + place) % 16];
        }
        out.extend(record(kind, &data));
        at += 4 + length;
        if start == 4 {
            out.extend(&pass);
        }
    }
    out
}

const FILE_PASS: [u8; 6] = [0x00, 0x00, 0x59, 0xB3, 0x0A, 0x9A];

#[test]
fn obfuscated_workbooks_are_opened_with_the_password_of_excel() {
    let plain = walk(&sample("xlm.xls")).at(&["Workbook"]).unwrap().bytes.clone();
    let file = Builder::new(512).stream("Workbook", &obfuscated(&plain)).build();
    if let Ok(path) = std::env::var("DACHS_KEEP_OBFUSCATED") {
        std::fs::write(path, &file).unwrap();
    }
    let walked = walk_with(&file, &[]);
    assert_eq!(walked.anomalies, []);
    assert_eq!(text(&walked.at(&["Workbook (formulas)"]).unwrap().bytes), FORMULAS);
    // Another password: it stays closed, unless that is given.
    let mut other = file.clone();
    let at = other.windows(6).position(|window| window == FILE_PASS).unwrap();
    other[at + 4] ^= 1;
    let kinds = |bytes: &[u8]| walk_with(bytes, &["Badger"]).anomalies.iter().map(|told| told.kind).collect::<Vec<_>>();
    assert_eq!(kinds(&other), [AnomalyKind::Encrypted]);
}

fn deflate(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn hwp(flags: u32, body: &[u8], script: &[u8], attachment: &[u8]) -> Vec<u8> {
    let mut header = b"HWP Document File".to_vec();
    header.resize(32, 0);
    header.extend([0, 0, 5, 5]);
    header.extend(flags.to_le_bytes());
    header.resize(256, 0);
    Builder::new(512)
        .stream("FileHeader", &header)
        .stream("BodyText/Section0", body)
        .stream("Scripts/DefaultJScript", script)
        .stream("BinData/BIN0001.ps", attachment)
        .stream("BinData/BIN0002.png", b"\x89PNG as it is")
        .build()
}

#[test]
fn streams_of_hangul_documents_are_inflated() {
    let long = [b"a text ".repeat(40), eicar()].concat();
    let walked = walk(&hwp(1, &deflate(&long), &deflate(b"x"), &deflate(&eicar())));
    assert_eq!(walked.anomalies, []);
    assert_eq!(walked.at(&["BodyText/Section0 (plain)"]).unwrap().bytes, long);
    assert_eq!(walked.at(&["Scripts/DefaultJScript (plain)"]).unwrap().bytes, b"x");
    assert_eq!(walked.at(&["BinData/BIN0001.ps (plain)"]).unwrap().bytes, eicar());
    assert!(walked.at(&["BinData/BIN0002.png (plain)"]).is_none());
    // Without compression, streams are what they are.
    let walked = walk(&hwp(0, &eicar(), b"x", b"y"));
    assert_eq!((walked.objects.len(), walked.anomalies.len()), (6, 0));
    for flags in [3, 5] {
        let told = walk(&hwp(flags, b"?", b"?", b"?")).anomalies;
        assert_eq!(told.iter().map(|anomaly| anomaly.kind).collect::<Vec<_>>(), [AnomalyKind::Encrypted]);
    }
    let walked = walk(&hwp(1, &deflate(&long)[..40], &deflate(b"x"), b"y"));
    assert!(walked.gap());
}
