//! What signatures ask of Portable Executables, of programs built here; expected values as ClamAV's `sigtool` gave them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "test code")]

mod program;

use dachs_base::{Budget, Certificate, Facts, FileKind, Limits, Memory, NoClock, Source};
use md5::{Digest, Md5};
use program::{Import, Program, version};
use std::sync::Arc;

fn facts(bytes: Vec<u8>) -> Facts {
    let source: Arc<dyn Source> = Arc::new(Memory::new(bytes));
    dachs_formats::facts(FileKind::Pe, &source, &Budget::new(Limits::default(), NoClock))
}

/// The digest of the imports as `sigtool --imp` prints it.
fn imports(libraries: &[(&str, &[Import<'_>])]) -> Option<String> {
    let facts = facts(Program::default().imports(libraries).bytes());
    let list = facts.imports.find().unwrap()?;
    let digest: String = Md5::digest(list).iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!("{digest}:{}", list.len()))
}

fn md5(text: &str) -> Option<String> {
    let digest: String = Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!("{digest}:{}", text.len()))
}

#[test]
fn imports_are_listed_as_pefile_does() {
    use Import::{Name, Number};
    type Library<'a> = (&'a str, &'a [Import<'a>]);
    let cases: &[(&[Library<'_>], Option<&str>)] = &[
        (&[("KERNEL32.dll", &[Name("Sleep"), Name("ExitProcess")])], Some("kernel32.sleep,kernel32.exitprocess")),
        (&[("a.dll", &[Name("Q")]), ("b.ocx", &[Name("z")]), ("c.Sys", &[Name("y")])], Some("a.q,b.z,c.y")),
        (&[("WS2_32.dll", &[Number(23)]), ("wsock32.dll", &[Number(1)])], Some("ws2_32.socket,wsock32.accept")),
        (&[("oleaut32.dll", &[Number(2)]), ("mfc42.dll", &[Number(2)])], Some("oleaut32.sysallocstring,mfc42.ord2")),
        // Without its ending a library has no table of numbers.
        (&[("ws2_32", &[Number(23)])], Some("ws2_32.ord23")),
        (
            &[("a.dll.dll", &[Name("f")]), ("b.c.dll", &[Name("f")]), ("d.exe", &[Name("f")])],
            Some("a.f,b.c.dll.f,d.exe.f"),
        ),
        // A C++ name.
        (&[("a.dll", &[Name("f"), Name("?f@@YAXXZ")])], None),
        (&[("a.dll", &[Name("")])], Some("a.")),
        (&[("a.dll", &[]), ("b.dll", &[Name("z")])], Some("b.z")),
    ];
    for (libraries, expected) in cases {
        assert_eq!(imports(libraries), expected.and_then(md5), "{libraries:?}");
    }
    // As `sigtool --imp` of ClamAV 1.4.6 says.
    let clamav = imports(&[("a.dll", &[Name("q")]), ("b.dll", &[Name("r")])]);
    assert_eq!(clamav.as_deref(), Some("5b620cbf68489b39e7cd6138a46de91e:7"));
}

#[test]
fn programs_of_64_bits_have_no_list_of_imports() {
    let facts = facts(Program::default().wide().imports(&[("a.dll", &[Import::Name("q")])]).bytes());
    assert_eq!((facts.entry_point, facts.imports.find()), (Some(0x400), Ok(None)));
}

#[test]
fn keys_of_version_information_are_found() {
    let (bytes, keys) = version(&[("CompanyName", "Example"), ("Empty", ""), ("FileVersion", "1.0.0")]);
    let bytes = Program::default().resource(16, 1, &bytes).bytes();
    let found = facts(bytes.clone()).version_keys.find().unwrap().unwrap().clone();
    let at = |key: &str| {
        let key: Vec<u8> = key.encode_utf16().flat_map(u16::to_le_bytes).collect();
        bytes.windows(key.len()).position(|window| window == key).unwrap() as u64
    };
    assert_eq!(keys, 3);
    assert_eq!(found, [at("CompanyName"), at("FileVersion")]);
}

#[test]
fn the_last_key_is_found_where_it_is_not_aligned() {
    // Two bytes less than a multiple of four: ClamAV 1.4.6 passes over the last string.
    let (bytes, _) = version(&[("CompanyName", "Example"), ("ProductVersion", "1.1.0.14")]);
    assert_eq!(bytes.len() % 4, 2);
    let facts = facts(Program::default().resource(16, 1, &bytes).bytes());
    assert_eq!(facts.version_keys.find().unwrap().unwrap().len(), 2);
}

/// A value in DER.
fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len() as u8;
    let long: &[u8] = if length < 0x80 { &[] } else { &[0x81] };
    [&[tag], long, &[length], contents].concat()
}

/// What signs a program, with one certificate of this subject, serial number and key, and nothing else that is true.
fn signed(subject: &[u8], serial: &[u8], modulus: &[u8]) -> Vec<u8> {
    let number = |bytes: &[u8]| der(2, bytes);
    let empty = || der(0x30, &[]);
    let key = der(0x30, &[number(modulus), number(&[1, 0, 1])].concat());
    let rsa = der(0x30, &der(6, b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"));
    let key = der(0x30, &[rsa, der(3, &[&[0], &key[..]].concat())].concat());
    let fields = [der(0xa0, &number(&[2])), number(serial), empty(), empty(), empty(), der(0x30, subject), key];
    let certificate = der(0x30, &[der(0x30, &fields.concat()), empty()].concat());
    let data = [number(&[1]), der(0x31, &[]), empty(), der(0xa0, &certificate), der(0x31, &[])].concat();
    let oid = der(6, b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02");
    der(0x30, &[oid, der(0xa0, &der(0x30, &data))].concat())
}

#[test]
fn certificates_are_taken_as_they_stand() {
    let program = || Program::default().certificate(&signed(b"subject", &[7, 8], &[0, 0xa5, 8]));
    let found = facts(program().bytes()).certificates.find().unwrap().unwrap().clone();
    let sha1 = |bytes: &[u8]| -> [u8; 20] { sha1::Sha1::digest(bytes).into() };
    let expected = Certificate { subject: sha1(b"subject"), serial: sha1(&[7, 8]), modulus: vec![0xa5, 8] };
    assert_eq!(found, [expected]);
    // A table that does not end the file is none.
    let mut longer = program().bytes();
    longer.push(0);
    assert_eq!(facts(longer).certificates.find(), Ok(None));
}

#[test]
fn broken_programs_give_what_they_can_and_no_panic() {
    let (version, _) = version(&[("CompanyName", "Example"), ("FileVersion", "1.0.0")]);
    let program = Program::default().imports(&[("a.dll", &[Import::Name("q"), Import::Number(3)])]);
    let whole = program.resource(16, 1, &version).certificate(&signed(b"subject", &[7], &[9])).bytes();
    let ask = |bytes: Vec<u8>| {
        let facts = facts(bytes);
        let _ = (facts.imports.find(), facts.version_keys.find(), facts.certificates.find());
    };
    let last = whole.iter().rposition(|byte| *byte != 0).unwrap();
    for cut in 0..last {
        ask(whole[..cut].to_vec());
    }
    for at in 0..last {
        for value in [0, 1, 0x7f, 0x80, 0xff, whole[at] ^ 0x10] {
            let mut broken = whole.clone();
            broken[at] = value;
            ask(broken);
        }
    }
}
