//! Encrypted archives and documents that public tools made, with the right password, with a wrong one, and broken.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::print_stderr, reason = "skipped tests say so")]

mod common;

use common::{Noise, Walked, eicar, test_file, tool, walk_as, walk_with};
use dachs_base::{AnomalyKind, Limits};
use dachs_formats::Passwords;

/// The files that are packed.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let lines: Vec<u8> = (0..3_000u32).flat_map(|number| format!("line {number}\n").into_bytes()).collect();
    let mut noise = Noise::new();
    let noise = (0..5_000).map(|_| u8::try_from(noise.below(256)).unwrap()).collect();
    vec![("eicar.com", eicar()), ("lines.txt", lines), ("noise.bin", noise), ("short.txt", b"x".to_vec())]
}

/// An archive of the files, made by a tool that is run beside them.
fn packed(program: &str, arguments: &[&str], name: &str) -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files() {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let names: Vec<&str> = files().iter().map(|(name, _)| *name).collect();
    let all: Vec<&str> = arguments.iter().copied().chain([name]).chain(names).collect();
    tool(folder.path(), program, &all, b"")?;
    Some(std::fs::read(folder.path().join(name)).unwrap())
}

/// True if all files came out, and nothing is left unread.
fn all_came_out(walked: &Walked) -> bool {
    let same = |(name, bytes): (&str, Vec<u8>)| walked.at(&[name]).is_some_and(|seen| seen.bytes == bytes);
    files().into_iter().all(same) && !walked.gap()
}

/// True if nothing came out as it is, and that is told as encrypted. One of 256 wrong passwords passes the check of ZipCrypto,
/// and then a member is what that one makes of it.
fn stays_closed(walked: &Walked) -> bool {
    let told = walked.anomalies.iter().filter(|anomaly| anomaly.kind == AnomalyKind::Encrypted).count();
    let came_out = |(name, bytes): &(&str, Vec<u8>)| walked.at(&[*name]).is_some_and(|seen| seen.bytes == *bytes);
    !files().iter().filter(|file| file.0 != "short.txt").any(came_out) && told > 0
}

/// Archives of all tools and forms: what made them, and their bytes.
fn archives() -> Vec<(String, Vec<u8>)> {
    let mut made = Vec::new();
    let mut add = |program: &str, arguments: &[&str], name: &str| {
        if let Some(bytes) = packed(program, arguments, name) {
            made.push((format!("{program} {arguments:?}"), bytes));
        }
    };
    for arguments in [&["-q", "-P", "Badger-7"][..], &["-q", "-0", "-P", "Badger-7"], &["-q", "-fd", "-P", "Badger-7"]]
    {
        add("zip", arguments, "a.zip");
    }
    for method in ["ZipCrypto", "AES128", "AES192", "AES256"] {
        for coder in ["Copy", "Deflate", "LZMA", "PPMd"] {
            add("7z", &["a", "-pBadger-7", &format!("-mem={method}"), &format!("-mm={coder}")], "a.zip");
        }
    }
    for coder in ["-m0=LZMA2", "-m0=Copy", "-m0=PPMd"] {
        add("7z", &["a", "-pBadger-7", coder], "a.7z");
        add("7z", &["a", "-pBadger-7", "-mhe=on", "-ms=off", coder], "a.7z");
    }
    made
}

#[test]
fn archives_of_all_tools_are_opened_by_their_password_alone() {
    for (what, bytes) in archives() {
        assert!(all_came_out(&walk_with(&bytes, &["wrong", "Badger-7"])), "{what}");
        let walked = walk_with(&bytes, &["wrong", "badger-7", ""]);
        assert!(stays_closed(&walked), "{what}: {:?}", walked.anomalies);
    }
}

/// Archives of samples are exchanged with this password.
#[test]
fn the_agreed_password_needs_not_be_given() {
    for (program, arguments, name) in
        [("zip", &["-q", "-P", "infected"][..], "a.zip"), ("7z", &["a", "-pinfected", "-mhe=on"], "a.7z")]
    {
        let Some(bytes) = packed(program, arguments, name) else { continue };
        assert!(all_came_out(&walk_with(&bytes, &[])), "{program}");
    }
}

#[test]
fn rar_archives_are_opened_by_their_password_alone() {
    for name in ["rar40-encrypted", "rar50-encrypted", "rar40-headers", "rar50-headers"] {
        let path = format!("{}/tests/samples/rar/{name}.rar", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(path).unwrap();
        let walked = walk_with(&bytes, &["wrong", "badger"]);
        let short = walked.objects.iter().find(|seen| seen.bytes == b"short");
        assert!(short.is_some() && !walked.gap(), "{name}: {:?}", walked.anomalies);
        assert!(walked.objects.len() >= 5, "{name}");
        let walked = walk_with(&bytes, &["wrong"]);
        assert!(walked.objects.iter().all(|seen| seen.bytes != b"short"), "{name}");
        assert!(walked.anomalies.iter().any(|anomaly| anomaly.kind == AnomalyKind::Encrypted), "{name}");
    }
}

#[test]
fn documents_are_opened_by_either_password() {
    let Some(plain) = test_file("clam.pdf") else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("in.pdf"), plain).unwrap();
    for form in [&["40"][..], &["128", "--use-aes=n"], &["128", "--use-aes=y"], &["256", "--force-R5"], &["256"]] {
        let mut arguments = vec!["--allow-weak-crypto", "--warning-exit-0", "--encrypt", "Badger-7", "Owner-9"];
        arguments.extend(form);
        arguments.extend(["--", "in.pdf", "out.pdf"]);
        if tool(folder.path(), "qpdf", &arguments, b"").is_none() {
            return;
        }
        let bytes = std::fs::read(folder.path().join("out.pdf")).unwrap();
        for password in ["Badger-7", "Owner-9"] {
            let walked = walk_with(&bytes, &["wrong", password]);
            let program = walked.objects.iter().any(|seen| seen.bytes.starts_with(b"MZ") && seen.bytes.len() == 544);
            assert!(program && !walked.gap(), "{form:?} {password}: {:?}", walked.anomalies);
        }
        let walked = walk_with(&bytes, &["wrong"]);
        assert!(walked.anomalies.iter().any(|anomaly| anomaly.kind == AnomalyKind::Encrypted), "{form:?}");
    }
}

/// Whoever makes an archive chooses what a password costs: more than is allowed is not paid.
#[test]
fn a_price_that_is_too_high_is_told() {
    let limits = Limits { rounds: 10_000, ..Limits::default() };
    let passwords = Passwords::new([&b"Badger-7"[..]], None);
    for (program, arguments, name) in
        [("7z", &["a", "-pBadger-7"][..], "a.7z"), ("7z", &["a", "-pBadger-7", "-mem=AES256"], "a.zip")]
    {
        let Some(bytes) = packed(program, arguments, name) else { continue };
        let walked = walk_as(&bytes, limits.clone(), &passwords);
        assert!(walked.gap(), "{name}");
        assert!(walked.anomalies.iter().any(|anomaly| anomaly.detail.contains("rounds of digests")), "{name}");
    }
}

/// Broken archives with the right password: each that lost a file says so.
#[test]
fn nothing_that_broke_is_called_whole() {
    let limits = Limits { memory: 24 << 20, objects: 100, scan_size: 8 << 20, rounds: 1 << 22, ..Limits::default() };
    let passwords = Passwords::new([&b"Badger-7"[..]], None);
    let mut noise = Noise::new();
    for (what, bytes) in archives().into_iter().step_by(3) {
        let places: Vec<usize> = (0..bytes.len()).collect();
        for _ in 0..8 {
            let walked = walk_as(&noise.flip(&bytes, &places, 2), limits.clone(), &passwords);
            let whole = files().iter().all(|(_, bytes)| walked.objects.iter().any(|seen| seen.bytes == *bytes));
            assert!(whole || walked.gap(), "{what}: {:?}", walked.anomalies);
        }
        let _ = walk_as(noise.cut(&bytes), limits.clone(), &passwords);
    }
}

/// A document, encrypted, that says how.
fn office(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/samples/office/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn office_documents_are_opened_by_their_password_alone() {
    for (name, passwords, path, text) in [
        ("agile.docx", &["Badger-7"][..], &["document", "word/document.xml"][..], "a badger in his set"),
        ("standard.docx", &["Badger-7"], &["document", "word/document.xml"], "a badger in his set"),
        ("agile-old.docx", &["encrypted"], &["document", "word/document.xml"], "w:document"),
        ("agile-standard.xlsx", &[], &["document", "xl/workbook.xml"], "<workbook"),
        ("rc4.doc", &["encrypted"], &["worddocument (plain)"], ""),
        ("rc4-standard.xls", &[], &["workbook (plain)"], ""),
    ] {
        let bytes = office(name);
        let walked = walk_with(&bytes, passwords);
        let seen = walked.at(path).unwrap_or_else(|| panic!("{name}: {:?}", walked.anomalies));
        let lossy = String::from_utf8_lossy(&seen.bytes);
        assert!(lossy.contains(text), "{name}");
        assert!(!walked.anomalies.iter().any(|anomaly| anomaly.kind == AnomalyKind::Encrypted), "{name}");
        let walked = walk_as(&bytes, Limits::default(), &Passwords::none());
        assert!(walked.anomalies.iter().any(|anomaly| anomaly.kind == AnomalyKind::Encrypted), "{name}");
        assert!(walked.at(path).is_none(), "{name}");
    }
}

/// The plain form as msoffcrypto-tool gives it, or as it was before it was encrypted: document, passwords, stream, where the part begins
/// that is encrypted, and its CRC-32.
const OTHERS: [(&str, &[&str], &str, usize, u32); 5] = [
    ("rc4.doc", &["encrypted"], "worddocument (plain)", 68, 895_081_429),
    ("rc4.doc", &["encrypted"], "1table (plain)", 52, 2_120_225_338),
    ("rc4-standard.xls", &[], "workbook (plain)", 78, 562_251_519),
    ("agile.docx", &["Badger-7"], "document", 0, 2_677_400_880),
    ("standard.docx", &["Badger-7"], "document", 0, 2_677_400_880),
];

#[test]
fn plain_streams_are_those_of_another_program() {
    for (name, passwords, stream, from, crc) in OTHERS {
        let walked = walk_with(&office(name), passwords);
        let seen = walked.at(&[stream]).unwrap_or_else(|| panic!("{name}: {:?}", walked.anomalies));
        assert_eq!(crc32fast::hash(&seen.bytes[from..]), crc, "{name}");
    }
}
