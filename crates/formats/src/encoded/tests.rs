//! Stretches in scripts of several kinds, and texts that hold none.
#![allow(clippy::indexing_slicing, reason = "tests")]

use std::io::Write;

use dachs_base::{Limits, Memory, NoClock};

use super::*;
use crate::Item;

/// The EICAR test file, in two halves.
fn eicar() -> Vec<u8> {
    [r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD", "-ANTIVIRUS-TEST-FILE!$H+H*"].concat().into_bytes()
}

fn base64(plain: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in plain.chunks(3) {
        let bits = chunk.iter().chain([&0, &0]).take(3).fold(0usize, |bits, byte| bits << 8 | usize::from(*byte));
        for place in 0..4 {
            let digit = if place <= chunk.len() { DIGITS[bits >> (18 - 6 * place) & 63] } else { b'=' };
            text.push(char::from(digit));
        }
    }
    text
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn hex(plain: &[u8], prefix: &str, between: &str) -> String {
    plain.iter().map(|byte| format!("{prefix}{byte:02x}")).collect::<Vec<_>>().join(between)
}

/// Names and bytes of what is found, and remarks.
fn found(text: &[u8]) -> (Vec<(String, Vec<u8>)>, usize) {
    let source: Arc<dyn Source> = Arc::new(Memory::new(text.to_vec()));
    let budget = Budget::new(Limits::default(), NoClock);
    let (mut members, mut remarks) = (Vec::new(), 0);
    let Some(mut search) = open(&crate::identify(source.as_ref()), &source, &budget) else { return (members, 0) };
    while let Some(item) = search.next_item() {
        match item {
            Item::Member(member) | Item::Embedded(member) => {
                let name = String::from_utf8_lossy(member.name.as_bytes()).into_owned();
                members.push((name, read_vec_at(member.source.as_ref(), 0, 1 << 20)));
                assert_eq!(member.source.problem(), None);
            }
            Item::Anomaly { anomaly, .. } => {
                assert!(!anomaly.kind.is_gap());
                remarks += 1;
            }
            _ => {}
        }
    }
    (members, remarks)
}

fn deflate(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn scripts_give_up_what_they_carry() {
    let plain = eicar();
    let text = base64(&plain);
    let halves = text.split_at(40);
    let lines = text.as_bytes().chunks(30).map(|line| String::from_utf8_lossy(line).into_owned()).collect::<Vec<_>>();
    let scripts = [
        format!("#!/bin/sh\nbase64 -d > a.com << END\n{}\nEND\nchmod +x a.com\n", lines.join("\n")),
        format!("<?php $x = base64_decode('{text}'); eval($x);"),
        format!("var a = atob(\"{}\" +\n    \"{}\");", halves.0, halves.1),
        format!("$a = '{}' . '{}';", halves.0, halves.1),
        format!("x = \"{}\" & _\r\n  \"{}\"\r\n", halves.0, halves.1),
        format!("{{\"key\": \"{}\\n{}\\n\"}}", halves.0, halves.1),
        format!(".a {{ background: url(data:image/gif;base64,{text}) }}"),
        format!("echo {} | xxd -r -p > a.com", hex(&plain, "", "")),
        format!("bytes.fromhex('{}')", hex(&plain, "", "").to_uppercase()),
        format!("var s = \"{}\";", hex(&plain, "\\x", "")),
        format!("[Byte[]] $b = {}", hex(&plain, "0x", ",")),
        format!("unsigned char b[] = {{\n  {}\n}};", hex(&plain, "0x", ",\n  ")),
        format!("document.write(unescape('{}'))", hex(&plain, "%", "")),
        text.clone(),
    ];
    for script in scripts {
        let (members, remarks) = found(script.as_bytes());
        assert_eq!((members.len(), remarks), (1, 0), "{script}: {members:?}");
        assert_eq!(members[0].1, plain, "{script}");
        let (name, start) = members[0].0.split_once(" at ").unwrap();
        assert!(["base64", "hex", "escaped bytes"].contains(&name));
        assert!(start.parse::<usize>().unwrap() < script.len());
    }
}

#[test]
fn commands_in_utf16_are_read() {
    let inner = wide("Write-Host 'a badger digs'; Start-Process calc");
    let script = format!("powershell -NoP -EncodedCommand {}\r\n", base64(&inner));
    for text in [script.clone().into_bytes(), wide(&format!("\u{FEFF}{script}"))] {
        let (members, _) = found(&text);
        assert_eq!(members.len(), 1, "{members:?}");
        assert_eq!(members[0].1, inner);
        let start = members[0].0.strip_prefix("base64 at ").unwrap().parse::<usize>().unwrap();
        assert_eq!(text[start], base64(&inner).as_bytes()[0]);
    }
}

#[test]
fn what_was_compressed_before_is_inflated() {
    let plain = [eicar(), b" a badger digs a hole".repeat(20)].concat();
    let zlib = [&b"\x78\x9C"[..], &deflate(&plain), &[1, 2, 3, 4]].concat();
    for packed in [deflate(&plain), zlib] {
        let (members, _) = found(format!("eval(gzinflate(base64_decode('{}')));", base64(&packed)).as_bytes());
        assert_eq!(members.iter().filter(|(name, bytes)| name.ends_with(", inflated") && *bytes == plain).count(), 1);
        assert_eq!(members.len(), 2);
    }
}

#[test]
fn ordinary_texts_hold_nothing() {
    let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let texts = [
        format!("{digest}  /usr/lib/x86_64-linux-gnu/libstdc++.so.6\n").repeat(300),
        "The quick brown fox jumps over the lazy dog, and that is all. ".repeat(900),
        "/usr/share/doc/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z/changelog\n".repeat(50),
        format!("{}\n{}\n", "=".repeat(200), "-".repeat(200)),
        "if (x == 0x4d || x == 0x5a) { y = \"\\x00\\x01\"; }\n".repeat(100),
        "aVeryLongNameThatSomebodyGaveToAFunctionInJava()\n".repeat(100),
        "0123456789".repeat(10),
    ];
    for text in texts {
        assert_eq!(found(text.as_bytes()), (vec![], 0), "{text:.90}");
    }
}

#[test]
fn stretches_are_found_wherever_windows_end() {
    let text = base64(&eicar());
    for before in [STEP - 300, STEP - AGAIN - 10, STEP - AGAIN, STEP - 70, STEP - 1, STEP, STEP + 10] {
        let script = [&b"word ".repeat(before / 5 + 1)[..before], b"(", text.as_bytes(), b") end"].concat();
        let (members, _) = found(&script);
        assert_eq!(members.iter().filter(|(_, bytes)| *bytes == eicar()).count(), 1, "{before} {}", members.len());
    }
}

#[test]
fn too_many_are_told_and_are_no_gap() {
    let line = format!("'{}'\nx\n", base64(&eicar()));
    let (members, remarks) = found(line.repeat(1100).as_bytes());
    assert_eq!((members.len(), remarks), (1000, 1));
}

#[test]
fn runs_are_those_of_a_plain_search() {
    let mut noise = 1u32;
    for _ in 0..300 {
        let text: Vec<u8> = (0..400)
            .map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if noise >> 24 < 12 { b' ' } else { b'a' }
            })
            .collect();
        let mut expected = Vec::new();
        let mut at = 0;
        for word in text.split(|byte| *byte == b' ') {
            expected.extend((word.len() >= 24).then_some((at, Form::Base64)));
            at += word.len() + 1;
        }
        assert_eq!(scan::places(&text, text.len()), expected);
    }
}

fn numbers(plain: &[u8], between: &str) -> String {
    plain.iter().map(u8::to_string).collect::<Vec<_>>().join(between)
}

#[test]
fn lists_of_numbers_are_bytes() {
    let plain = eicar();
    let long: Vec<u8> = plain.iter().copied().cycle().take(20 * plain.len()).collect();
    let registry = hex(&plain, "", ",").replace("58,35", "58,\\\r\n  35");
    let cases = [
        (format!("[Byte[]] $buf = {}\n", numbers(&plain, ",")), &plain),
        (format!("var s = String.fromCharCode({});", numbers(&plain, ", ")), &plain),
        (format!("x = Array({})\r\n", numbers(&plain, ",")), &plain),
        (format!("a = [\n{}\n]", numbers(&long, ",\n  ")), &long),
        (format!("\"a\"=hex:{registry}\r\n"), &plain),
        (format!("x = \"{}\"", hex(&plain, "", " ").to_uppercase()), &plain),
        (format!("{}\r\n", hex(&plain, "", "-").to_uppercase()), &plain),
    ];
    for (text, expected) in cases {
        for text in [text.clone().into_bytes(), [vec![0xff, 0xfe], wide(&text)].concat()] {
            let (members, _) = found(&text);
            assert!(members.iter().any(|(_, bytes)| bytes == expected), "{}", String::from_utf8_lossy(&text));
        }
    }
}

#[test]
fn tables_of_numbers_are_no_lists() {
    let ascending = (0..200_u8).map(|number| number.to_string()).collect::<Vec<_>>();
    let large = (200..400).map(|number| number.to_string()).collect::<Vec<_>>();
    for table in [ascending.join(","), ascending.join(" "), large.join(","), "65,66,67".to_owned(), ", ".repeat(100)] {
        assert_eq!(found(table.as_bytes()).0, [], "{table}");
    }
}

/// A program in a list that goes over several windows.
#[test]
fn a_long_list_is_taken_whole() {
    let program: Vec<u8> = [b"PK\x03\x04".as_slice(), &(0..=255).cycle().take(200_000).collect::<Vec<u8>>()].concat();
    let (members, _) = found(numbers(&program, ",").as_bytes());
    assert!(members.iter().any(|(_, bytes)| *bytes == program));
}

#[test]
fn commands_write_a_stretch_line_by_line() {
    let text = base64(&eicar());
    let (one, other) = text.split_at(48);
    for script in [
        format!("@echo off\r\n(echo {one}\r\necho {other})>a.b64\r\ncertutil -decode a.b64 a.com\r\n"),
        format!("@echo off\r\n@echo {one}>a.b64\r\n@echo {other}>>a.b64\r\ncertutil -decode a.b64 a.com\r\n"),
        format!("ECHO {one} >> %TEMP%\\a.b64\nECHO {other} >> %TEMP%\\a.b64\n"),
    ] {
        assert!(found(script.as_bytes()).0.iter().any(|(_, bytes)| *bytes == eicar()), "{script}");
    }
}

#[test]
fn escaped_characters_are_bytes() {
    let script = format!("{{\"a\": \"{}\"}}", hex(&eicar(), "\\u00", ""));
    assert!(found(script.as_bytes()).0.iter().any(|(_, bytes)| *bytes == eicar()));
}

fn calls(plain: &[u8], call: impl Fn(u8) -> String, between: &str) -> String {
    plain.iter().map(|byte| call(*byte)).collect::<Vec<_>>().join(between)
}

#[test]
fn characters_that_calls_make_are_bytes() {
    let plain = eicar();
    let (head, tail) = plain.split_at(20);
    let mixed = format!(
        "x = {} & \"{}\" & _\r\n  Chr({})",
        calls(head, |byte| format!("Chr({byte})"), " & "),
        String::from_utf8_lossy(&tail[..tail.len() - 1]),
        tail[tail.len() - 1]
    );
    let cases = [
        format!("x = {}\r\n", calls(&plain, |byte| format!("Chr({byte})"), "&")),
        format!("  x = {}\r\n", calls(&plain, |byte| format!("ChrW$( &H{byte:02X} )"), " & _\r\n    ")),
        format!("$a = {};", calls(&plain, |byte| format!("chr({byte})"), ".")),
        format!("$a={}", calls(&plain, |byte| format!("[char]{byte}"), "+")),
        format!("$a = {}", calls(&plain, |byte| format!("[CHAR] (0x{byte:x})"), " + ")),
        format!("s = \"{}\"", calls(&plain, |byte| format!("\\{byte:o}"), "")),
        mixed,
    ];
    for text in cases {
        for text in [text.clone().into_bytes(), [vec![0xff, 0xfe], wide(&text)].concat()] {
            let (members, _) = found(&text);
            let is = |(name, bytes): &(String, Vec<u8>)| name.starts_with("characters at ") && *bytes == plain;
            assert!(members.iter().any(is), "{} {members:?}", String::from_utf8_lossy(&text));
        }
    }
}

#[test]
fn calls_of_ordinary_scripts_are_no_expressions() {
    let texts = [
        "line = line & Chr(13) & Chr(10) & Chr(9)\r\n".repeat(100),
        "Char char [char] chr( Chr() ChrW(999) & ChrW(888)\n".repeat(100),
        format!("{}\n", calls(&[0, 1, 2, 255, 254, 0, 0, 9].repeat(20), |byte| format!("\\{byte:03o}"), "")),
        " ".repeat(5000),
    ];
    for text in texts {
        assert_eq!(found(text.as_bytes()), (vec![], 0), "{text:.90}");
    }
}

#[test]
fn base64_that_is_turned_round_is_read_from_its_end() {
    let plain = eicar();
    let turned: String = base64(&plain).chars().rev().collect();
    let mut cases = vec![
        format!("<?php eval(base64_decode(strrev('{turned}')));"),
        format!("$b = '{turned}'; [array]::Reverse($b)"),
        format!("exec(base64.b64decode('{turned}'[::-1]))"),
    ];
    for text in &cases {
        let (members, _) = found(text.as_bytes());
        let is = |(name, bytes): &(String, Vec<u8>)| name.ends_with(", turned round") && bytes.starts_with(&plain);
        assert!(members.iter().any(is), "{text} {members:?}");
    }
    cases.truncate(1);
    let without = cases.concat().replace("strrev", "");
    assert!(found(without.as_bytes()).0.iter().all(|(name, _)| !name.contains("turned")));
}
