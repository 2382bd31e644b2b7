//! Scripts built by a twin of the compiler.
#![allow(clippy::cast_possible_truncation, reason = "tests")]

use super::*;
use crate::seen::{Seen, seen};
use dachs_base::{AnomalyKind, Limits, Memory, NoClock};

fn walk(bytes: &[u8]) -> Seen {
    let source: Arc<dyn Source> = Arc::new(Memory::new(bytes));
    seen(&mut *open(&source, &Budget::new(Limits::default(), NoClock)))
}

/// Bits, highest first, in bytes.
fn bits(parts: &[(u32, u32)]) -> Vec<u8> {
    let all: Vec<u8> =
        parts.iter().flat_map(|(number, count)| (0..*count).rev().map(move |bit| (number >> bit & 1) as u8)).collect();
    all.chunks(8).map(|byte| byte.iter().enumerate().map(|(at, bit)| bit << (7 - at)).sum()).collect()
}

/// `plain` and three times the last seven bytes of it.
fn packed(form: Form, plain: &[u8]) -> Vec<u8> {
    let literal = u32::from(form.unicode);
    let mut parts: Vec<(u32, u32)> = plain.iter().flat_map(|byte| [(literal, 1), (u32::from(*byte), 8)]).collect();
    parts.extend([(1 - literal, 1), (7, 15), (3, 2), (7, 3), (21 - 13, 5)]);
    let magic = if form.unicode { b"EA06" } else { b"EA05" };
    [&magic[..], &(plain.len() as u32 + 21).to_be_bytes(), &bits(&parts)].concat()
}

fn text(form: Form, text: &str, keys: (u32, u32)) -> Vec<u8> {
    let count = text.len() as u32;
    let bytes =
        if form.unicode { text.encode_utf16().flat_map(u16::to_le_bytes).collect() } else { text.as_bytes().to_vec() };
    [(count ^ keys.0).to_le_bytes().to_vec(), form.decrypt(bytes, count.wrapping_add(keys.1))].concat()
}

fn file(form: Form, kind: &str, packed: bool, data: &[u8], plain: usize) -> Vec<u8> {
    [
        form.decrypt(b"FILE".to_vec(), form.sign),
        text(form, kind, form.kind),
        text(form, "a name", form.name),
        vec![u8::from(packed)],
        (data.len() as u32 ^ form.size).to_le_bytes().to_vec(),
        (plain as u32 ^ form.size).to_le_bytes().to_vec(),
        vec![0; 20],
        form.decrypt(data.to_vec(), form.content),
    ]
    .concat()
}

fn script(lines: &[&[(u8, &str)]]) -> Vec<u8> {
    let mut bytes = (lines.len() as u32).to_le_bytes().to_vec();
    for line in lines {
        for (code, text) in *line {
            bytes.push(*code);
            if *code < 0x40 {
                let count = text.len() as u16;
                bytes.extend(u32::from(count).to_le_bytes());
                bytes.extend(text.encode_utf16().flat_map(|unit| (unit ^ count).to_le_bytes()));
            }
        }
        bytes.push(0x7F);
    }
    bytes
}

fn compiled(form: Form) -> Vec<u8> {
    let magic = if form.unicode { b"AU3!EA06" } else { b"AU3!EA05" };
    let tokens = script(&[
        &[(0x33, "A"), (0x41, ""), (0x36, "say \"b\"")],
        &[(0x31, "MSGBOX"), (0x47, ""), (0x33, "A"), (0x48, "")],
    ]);
    let first = if form.unicode {
        file(form, TOKENS, false, &tokens, tokens.len())
    } else {
        file(form, ">AUTOIT SCRIPT<", false, b"$A = 1\r\n", 8)
    };
    let second = packed(form, b"badgers");
    [
        b"\xa3\x48\x4b\xbe\x98\x6c\x4a\xa9\x99\x4c\x53\x0a\x86\xd6\x48\x7d".to_vec(),
        magic.to_vec(),
        vec![2; 16],
        file(form, NO_FILE, false, b"remark", 6),
        first,
        file(form, "C:\\b.exe", true, &second, 28),
        magic.to_vec(),
    ]
    .concat()
}

#[test]
fn scripts_become_text_and_files_are_unpacked() {
    let text = "$A = \"say \"\"b\"\"\"\r\nMSGBOX ( $A )\r\n";
    for (form, text) in [(Form::ea06(), text), (Form::ea05(32), "$A = 1\r\n")] {
        let (members, anomalies) = walk(&compiled(form));
        let badgers = b"badgers".repeat(4);
        assert_eq!(members, [("script.au3".to_owned(), text.as_bytes().to_vec()), ("C:\\b.exe".to_owned(), badgers)]);
        assert_eq!(anomalies, []);
    }
}

#[test]
fn every_cut_is_told() {
    let whole = compiled(Form::ea06());
    for cut in 16..whole.len() - 8 {
        assert!(!walk(&whole[..cut]).1.is_empty(), "cut at {cut} of {}", whole.len());
    }
}

#[test]
fn other_forms_are_told() {
    assert_eq!(walk(&compiled(Form::ea06())[..16]).1, [AnomalyKind::Unsupported]);
}

#[test]
fn broken_ones_end() {
    for form in [Form::ea05(32), Form::ea06()] {
        let whole = compiled(form);
        for place in 16..whole.len() {
            for bit in [0, 3, 7] {
                let mut broken = whole.clone();
                broken[place] ^= 1 << bit;
                let _ = walk(&broken);
            }
        }
    }
}
