//! Mail, and what stands in it: written by hand, by Python's `email` package, and ClamAV's test files.
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

use common::{Walked, eicar, tool, walk, walk_within};
use dachs_base::{AnomalyKind, FileKind, Limits};

/// Names of the members of a message, and their bytes as text.
fn members(walked: &Walked) -> Vec<(String, String)> {
    let inner = walked.objects.iter().skip(1);
    inner.map(|seen| (seen.path.join("/"), String::from_utf8_lossy(&seen.bytes).into_owned())).collect()
}

fn check(message: &str, expected: &[(&str, &str)]) -> Walked {
    let walked = walk(message.as_bytes());
    assert_eq!(walked.objects[0].kind, FileKind::Mail, "{message}");
    let expected: Vec<_> = expected.iter().map(|(name, text)| ((*name).to_string(), (*text).to_string())).collect();
    assert_eq!(members(&walked), expected, "{message}");
    walked
}

/// A message with these fields, then this body.
fn message(rest: &str) -> String {
    format!("From: a@example.org\nSubject: test\nMIME-Version: 1.0\n{rest}")
}

#[test]
fn a_message_of_one_part() {
    check(&message("\nhello\n"), &[("part 1 text/plain", "hello\n")]);
    check(&message("Content-Type: TEXT/HTML\n\n<b>"), &[("part 1 text/html", "<b>")]);
    check(&message("Content-Transfer-Encoding: BASE64\n\nYmFk\nZ2Vy\n"), &[("part 1 text/plain", "badger")]);
    check(&message("Content-Transfer-Encoding: \"base64\" (x)\n\nYmFkZ2Vy"), &[("part 1 text/plain", "badger")]);
    check(&message("Content-Transfer-Encoding: quoted-printable\n\nbad=\nger=3D"), &[("part 1 text/plain", "badger=")]);
    check(&message("\n"), &[]);
    check(&message(""), &[]);
}

#[test]
fn parts_are_found_along_the_boundaries() {
    let text = message(concat!(
        "Content-Type: multipart/mixed;\n boundary=\"x y\"\n\nbefore\n--x y\n\none\n--x y  \n",
        "Content-Type: multipart/alternative; boundary=x\n\n--x\nContent-Type: text/html\n\ntwo\n\n--x\n\nthree\n",
        "--x--\n\n--x y\nContent-Disposition: attachment; filename=\"a.bin\"\nContent-Transfer-Encoding: base64\n\n",
        "YmFkZ2Vy\n--x y--\nafter\n",
    ));
    let expected = [
        ("preamble", "before"),
        ("part 1 text/plain", "one"),
        ("part 2.1 text/html", "two\n"),
        ("part 2.2 text/plain", "three"),
        ("a.bin", "badger"),
        ("epilogue", "after\n"),
    ];
    for text in [text.clone(), text.replace("--x y--\nafter\n", "--x y--\r\nafter\n")] {
        assert_eq!(check(&text, &expected).anomalies, []);
    }
}

#[test]
fn line_endings_of_all_kinds() {
    let text = message(
        "Content-Type: multipart/mixed; boundary=x\n\n--x\n\none\n--x\nContent-Type: text/html\n\ntwo\n--x--\n",
    );
    for ending in ["\n", "\r\n", "\r", "\r\r\n"] {
        check(&text.replace('\n', ending), &[("part 1 text/plain", "one"), ("part 2 text/html", "two")]);
    }
}

#[test]
fn mail_is_told_whatever_its_first_bytes_hold() {
    for before in ["", "\n\r\n", "\u{feff}", "X-First: 1\n", "Received: \u{1}\u{2}\n", "Subject: %PDF-1.4 #!\n"] {
        let walked = walk(format!("{before}{}", message("\n\n<html>\n<!doctype html>\n(This file must be")).as_bytes());
        assert_eq!((walked.objects[0].kind, walked.objects.len()), (FileKind::Mail, 2), "{before:?}");
    }
    let alone = "Content-Type: multipart/mixed; boundary=x\n\n--x\n\nbadger";
    check(alone, &[("part 1 text/plain", "badger")]);
}

#[test]
fn boundaries_that_are_missing_wrong_or_odd() {
    let part = "Content-Type: text/html\n\n<b>";
    let expected: &[(&str, &str)] = &[("part 1 text/html", "<b>")];
    let table = [
        ("multipart/mixed", "--x"),
        ("multipart/mixed; boundary=", "--x"),
        ("multipart/mixed; boundary=\"\"", "--x"),
        ("multipart/mixed; boundary=y", "--x"),
        ("multipart/mixed; boundary=\"x", "--x"),
        ("multipart/mixed; boundary='x'", "--x"),
        ("multipart/mixed; boundary=x (comment)", "--x"),
        ("multipart/mixed boundary=x", "--x"),
        ("multipart/mixed; charset=y boundary=x", "--x"),
        ("multipart/mixed; boundary*=us-ascii''x", "--x"),
        ("multipart/mixed; boundary*0=x; boundary*1=y", "--xy"),
        ("multipart/mixed; boundary=y; boundary=x", "--x"),
        ("multipart/mixed; Boundary = \"x\" ;", "--x"),
        ("multipart; boundary=x", "--x"),
        ("multipart/mixed;\n\tboundary=\"x\"", "--x"),
        ("text/plain\nContent-Type: multipart/mixed; boundary=x", "--x"),
        ("text/plain", "--x"),
        ("multipart/mixed; boundary=x", "--xyz"),
    ];
    for (kind, line) in table {
        let number = if kind == "text/plain" { "1.1" } else { "1" };
        let expected: Vec<_> = expected.iter().map(|(_, text)| (format!("part {number} text/html"), *text)).collect();
        let expected: Vec<_> = expected.iter().map(|(name, text)| (name.as_str(), *text)).collect();
        check(&message(&format!("Content-Type: {kind}\n\n{line}\n{part}\n{line}--\n")), &expected);
        check(&message(&format!("Content-Type: {kind}\n\n{line}\n{part}")), &expected);
    }
}

#[test]
fn a_boundary_that_nobody_told_of_ends_base64() {
    let text = message("Content-Transfer-Encoding: base64\n\nYmFkZ2Vy\n--y\nContent-Type: text/html\n\n<b>\n--y--\n");
    check(&text, &[("part 1 text/plain", "badger"), ("part 1.1 text/html", "<b>")]);
}

#[test]
fn a_message_without_its_end_is_told() {
    let text = message("Content-Type: multipart/mixed; boundary=x\n\n--x\n\nbadger");
    for (text, remarks) in [(format!("{text}\n--x--"), 0), (text.clone(), 1), (text.replace("--x", "--"), 1)] {
        assert_eq!(walk(text.as_bytes()).anomalies.len(), remarks, "{text}");
    }
}

#[test]
fn headers_that_break_off() {
    let body = "YmFkZ2Vy";
    let encoded = "Content-Transfer-Encoding: base64";
    let multipart = |part: &str| message(&format!("Content-Type: multipart/mixed; boundary=x\n\n--x\n{part}\n--x--"));
    let badger: &[(&str, &str)] = &[("part 1 text/plain", "badger")];
    check(&multipart(&format!("this is no field\n{encoded}\n\n{body}")), badger);
    check(&multipart(&format!("Content-Transfer-Encoding:\n base64\n\n{body}")), badger);
    check(&multipart(&format!("CONTENT-transfer-ENCODING :base64\n\n{body}")), badger);
    check(&multipart("no header at all"), &[("part 1 text/plain", "no header at all")]);
    check(&multipart("Content-Type: text/html"), &[]);
    check(&multipart("\nbadger"), badger);
}

#[test]
fn a_header_without_end_is_told() {
    let long = format!("X-Long: {}\nContent-Transfer-Encoding: base64\n\nYmFkZ2Vy", "x".repeat(300_000));
    let walked = walk(message(&long).as_bytes());
    assert!(walked.gap());
    assert_eq!(members(&walked).len(), 1);
}

#[test]
fn both_readings_are_given() {
    let two = message("Content-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: base64\n\nYmFkZ2Vy");
    check(&two, &[("part 1 text/plain", "YmFkZ2Vy"), ("part 1 text/plain", "badger")]);
    let glued = message("Content-Transfer-Encoding: base64\n\nYmFkZw==\nYmFkZ2Vy");
    let walked = check(&glued, &[("part 1 text/plain", "badgbadger"), ("part 1 text/plain", "badg")]);
    assert_eq!(walked.anomalies.iter().map(|anomaly| anomaly.kind).collect::<Vec<_>>(), [AnomalyKind::Odd]);
}

#[test]
fn messages_inside_messages() {
    let inner = "Subject: inner\nFrom: b\nContent-Transfer-Encoding: base64\n\nYmFkZ2Vy";
    let outer = |part: &str| message(&format!("Content-Type: multipart/mixed; boundary=x\n\n--x\n{part}\n--x--\n"));
    let expected: &[(&str, &str)] =
        &[("part 1 message/rfc822", inner), ("part 1 message/rfc822/part 1 text/plain", "badger")];
    check(&outer(&format!("Content-Type: message/rfc822\n\n{inner}")), expected);
    let digest = message(&format!("Content-Type: multipart/digest; boundary=x\n\n--x\n\n{inner}\n--x--\n"));
    check(&digest, expected);
    // Not told to be mail by its first lines.
    let odd = "Weird: inner\nContent-Transfer-Encoding: base64\n\nYmFkZ2Vy";
    let walked = walk(outer(&format!("Content-Type: message/rfc822\n\n{odd}")).as_bytes());
    assert!(members(&walked).contains(&("part 1 text/plain".to_string(), "badger".to_string())), "{walked:?}");
}

#[test]
fn mailboxes_are_split() {
    let first = "Subject: one\nFrom: a\n\nFrom here on\n\nFrom now 12:30 it is text\n";
    let second = "X-Odd: two\n\ntwo\n";
    let mailbox = format!("From a@b Thu Jul 31 13:49:50 2008\n{first}\nFrom - Thu Jul 31 13:49:50 2008\n{second}");
    let walked = walk(mailbox.as_bytes());
    let expected = [
        ("message 1", first),
        ("message 1/part 1 text/plain", "From here on\n\nFrom now 12:30 it is text\n"),
        ("message 2", second),
        ("part 1 text/plain", "two\n"),
    ];
    assert_eq!(members(&walked), expected.map(|(name, text)| (name.to_string(), text.to_string())));
}

#[test]
fn files_in_texts_are_members() {
    let uu = "begin 644 a b.txt\n&8F%D9V5R\n`\nend\n";
    let text = message(&format!("\nhello\n{uu}bye\nbegin 644 of a sentence\nthat goes on\n"));
    let found = walk(text.as_bytes());
    assert_eq!(found.at(&["a b.txt"]).unwrap().bytes, b"badger");
    assert_eq!((found.objects.len(), found.anomalies.len()), (3, 0));
    let cut = walk(message(&format!("\nhello\n{}", &uu[..uu.len() - 7])).as_bytes());
    assert_eq!(cut.at(&["a b.txt"]).unwrap().bytes, b"badger");
    assert!(cut.gap());
    let alone = walk(uu.as_bytes());
    assert_eq!(
        (alone.objects[0].kind, alone.at(&["a b.txt"]).unwrap().bytes.as_slice()),
        (FileKind::Uuencode, &b"badger"[..])
    );
    let part = message(&format!("Content-Type: x/y; name=c.txt\nContent-Transfer-Encoding: x-uuencode\n\n{uu}"));
    check(&part, &[("a b.txt", "badger")]);
    let base64 = walk(message("\nbegin-base64 644 c.txt\nYmFkZ2Vy\n====\n").as_bytes());
    assert_eq!(base64.at(&["c.txt"]).unwrap().bytes, b"badger");
}

#[test]
fn yenc_in_a_text() {
    let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
    let mut lines = Vec::new();
    for line in bytes.chunks(100) {
        for byte in line {
            match byte.wrapping_add(42) {
                critical @ (0 | b'\n' | b'\r' | b'=') => lines.extend([b'=', critical.wrapping_add(64)]),
                plain => lines.push(plain),
            }
        }
        lines.extend(b"\r\n");
    }
    let crc = crc32(&bytes);
    for (size, gap) in [(1000, false), (1001, true)] {
        let head = message(&format!("\nhello\n=ybegin line=100 size={size} name=a b.bin\r\n"));
        let tail = format!("=yend size={size} crc32={crc:08x}\r\n");
        let walked = walk(&[head.as_bytes(), &lines, tail.as_bytes()].concat());
        assert_eq!(walked.at(&["a b.bin"]).unwrap().bytes, bytes);
        assert_eq!(walked.gap(), gap, "{:?}", walked.anomalies);
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
    }
    !crc
}

#[test]
fn what_stays_closed_is_told() {
    let table = [
        ("application/pkcs7-mime; smime-type=enveloped-data", Some(AnomalyKind::Encrypted)),
        ("application/x-pkcs7-mime; smime-type=signed-data", Some(AnomalyKind::Unsupported)),
        ("application/pkcs7-mime; smime-type=certs-only", None),
        ("message/partial; id=a; number=1; total=2", Some(AnomalyKind::Unsupported)),
        ("application/pgp-keys", None),
    ];
    for (kind, expected) in table {
        let walked = walk(message(&format!("Content-Type: {kind}\n\nbytes")).as_bytes());
        assert_eq!(walked.anomalies.first().map(|anomaly| anomaly.kind), expected, "{kind}");
        assert_eq!(walked.objects[1].bytes, b"bytes");
    }
}

#[test]
fn what_is_signed_comes_out() {
    let sample =
        |name: &str| std::fs::read(format!("{}/tests/samples/mail/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    for name in ["smime-whole.eml", "smime-pieces.eml"] {
        let whole = sample(name);
        let walked = walk(&whole);
        assert_eq!(walked.anomalies, [], "{name}");
        assert!(walked.at(&["smime.p7m (content)"]).unwrap().bytes.starts_with(b"Content-Type: multipart/mixed"));
        let paths: Vec<String> = walked.objects.iter().map(|seen| seen.path.join("/")).collect();
        let planted = walked.objects.iter().find(|seen| seen.bytes == eicar());
        assert_eq!(planted.unwrap_or_else(|| panic!("{paths:?}")).path, ["smime.p7m (content)", "eicar.com"], "{name}");
        for bit in (300 * 8..700 * 8).step_by(5) {
            let mut broken = whole.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            walk(&broken);
        }
    }
    let kinds: Vec<AnomalyKind> = walk(&sample("smime-sealed.eml")).anomalies.iter().map(|told| told.kind).collect();
    assert_eq!(kinds, [AnomalyKind::Encrypted]);
}

#[test]
fn parts_inside_parts_end() {
    let mut text = message("Content-Type: multipart/mixed; boundary=b0\n\n");
    for level in 0..100 {
        text.push_str(&format!("--b{level}\nContent-Type: multipart/mixed; boundary=b{}\n\n", level + 1));
    }
    let walked = walk(format!("{text}--b100\n\nbadger").as_bytes());
    assert!(walked.gap());
    assert!(walked.objects.last().unwrap().bytes.ends_with(b"badger"));
}

#[test]
fn eicar_in_every_encoding() {
    let folder = tempfile::tempdir().unwrap();
    let script = "import sys,email.message,email.encoders as e,binascii\nb=sys.stdin.buffer.read()\n\
        m=email.message.EmailMessage()\nm['From']='a'\nm['Subject']='x'\nm.set_content('hello')\n\
        for c in ('base64','quoted-printable','7bit'):\n m.add_attachment(b,maintype='a',subtype='b',filename=c+'.com',cte=c)\n\
        sys.stdout.buffer.write(m.as_bytes())";
    let Some(text) = tool(folder.path(), "python3", &["-c", script], &eicar()) else { return };
    let walked = walk(&text);
    for name in ["base64.com", "quoted-printable.com", "7bit.com"] {
        assert_eq!(
            String::from_utf8_lossy(&walked.at(&[name]).unwrap().bytes),
            String::from_utf8(eicar()).unwrap(),
            "{name}"
        );
    }
    assert_eq!(walked.anomalies, []);
}

const TEST_FILES: &str = "/usr/share/clamav-testfiles";

#[test]
fn the_test_program_comes_out_of_clamav_s_test_files() {
    let Ok(program) = std::fs::read(format!("{TEST_FILES}/clam.exe")) else {
        eprintln!("SKIPPED: ClamAV's test files are not installed");
        return;
    };
    let table: [(&str, FileKind, &[&str], bool); 5] = [
        ("clam.mail", FileKind::Mail, &["clam.exe"], false),
        ("clam.exe.mbox.base64", FileKind::Mail, &["message 1", "clam.exe"], false),
        ("clam.exe.mbox.uu", FileKind::Mail, &["message 1", "clam.exe"], false),
        ("clam.tnef", FileKind::Tnef, &["clam.exe"], false),
        ("clam.exe.binhex", FileKind::BinHex, &["clam.exe"], false),
    ];
    for (file, kind, path, gap) in table {
        let walked = walk(&std::fs::read(format!("{TEST_FILES}/{file}")).unwrap());
        let paths: Vec<_> = walked.objects.iter().map(|seen| &seen.path).collect();
        assert_eq!(walked.objects[0].kind, kind, "{file}");
        let found = walked.at(path).unwrap_or_else(|| panic!("{file}: {paths:?}"));
        assert!(found.bytes == program, "{file}: {} bytes", found.bytes.len());
        assert_eq!(walked.gap(), gap, "{file}: {:?}", walked.anomalies);
    }
}

/// Flips and cuts everywhere: no panic, an end, and few objects.
#[test]
fn broken_mail_ends() {
    let multipart = message(concat!(
        "Content-Type: multipart/mixed; boundary=\"x y\"\n\nbefore\n--x y\nContent-Type: message/rfc822\n\n",
        "Subject: x\nFrom: y\n\nbegin 644 a\n&8F%D9V5R\n`\nend\n--x y\nContent-Type: multipart/alternative; boundary=x\n\n",
        "--x\nContent-Transfer-Encoding: quoted-printable\n\n=41\n--x\nContent-Type: text/plain; name*0*=utf-8''%41\n\n",
        "=ybegin line=1 size=1 name=b\nx\n=yend size=1\n--x--\n--x y\nContent-Transfer-Encoding: base64\n\nYmFkZw==\nYmFk\n--x y--\n",
    ));
    let mut samples = vec![multipart.into_bytes()];
    for file in ["clam.mail", "clam.exe.mbox.uu", "clam.tnef", "clam.exe.binhex"] {
        samples.extend(std::fs::read(format!("{TEST_FILES}/{file}")));
    }
    let limits = Limits { memory: 4 << 20, scan_size: 1 << 20, objects: 200, depth: 4, ..Limits::default() };
    for sample in samples {
        let step = sample.len() / 700 + 1;
        for place in (0..sample.len()).step_by(step) {
            let mut broken = sample.clone();
            broken[place] ^= 1 << (place % 8);
            let _ = walk_within(&broken, limits.clone());
            broken[place] = b'\n';
            let _ = walk_within(&broken, limits.clone());
            let _ = walk_within(&sample[..place], limits.clone());
        }
    }
}
