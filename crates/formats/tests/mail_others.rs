//! BinHex and TNEF written by hand, and mail that is larger than memory.
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

use std::sync::Arc;

use common::{eicar, walk, walk_within};
use dachs_base::{AnomalyKind, Budget, FileKind, Limits, NoClock, Source};
use dachs_formats::{Item, Unpacking, unpack};

const BINHEX_ALPHABET: &[u8] = b"!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr";

fn crc16(bytes: &[u8]) -> [u8; 2] {
    let mut crc = 0_u32;
    for byte in bytes.iter().chain(&[0, 0]) {
        for bit in (0..8).rev() {
            let carry = crc & 0x8000 != 0;
            crc = (crc << 1 | u32::from(byte >> bit & 1)) & 0xffff;
            crc ^= if carry { 0x1021 } else { 0 };
        }
    }
    (crc as u16).to_be_bytes()
}

/// A BinHex file; runs are shortened if asked for.
fn binhex(name: &str, data: &[u8], resource: &[u8], runs: bool) -> Vec<u8> {
    let mut plain = vec![name.len() as u8];
    plain.extend(name.bytes());
    plain.extend(b"\0TEXTttxt\0\0");
    plain.extend((data.len() as u32).to_be_bytes());
    plain.extend((resource.len() as u32).to_be_bytes());
    plain.extend(crc16(&plain));
    for fork in [data, resource] {
        plain.extend(fork);
        plain.extend(crc16(fork));
    }
    let mut packed = Vec::new();
    let mut rest = plain.as_slice();
    while let Some(first) = rest.first() {
        let count = rest.iter().take_while(|byte| *byte == first).count().min(255);
        packed.push(*first);
        if *first == 0x90 {
            packed.push(0);
            rest = &rest[1..];
        } else if runs && count > 3 {
            packed.extend([0x90, count as u8]);
            rest = &rest[count..];
        } else {
            rest = &rest[1..];
        }
    }
    let mut text = b"(This file must be converted with BinHex 4.0)\r\n\r\n:".to_vec();
    for group in packed.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        text.extend((0..=group.len()).map(|at| BINHEX_ALPHABET[(bits >> (18 - 6 * at)) as usize & 63]));
        if text.len() % 60 < 4 {
            text.extend(b"\r\n");
        }
    }
    [text, b":\r\n".to_vec()].concat()
}

#[test]
fn both_forks_of_binhex() {
    let data = [eicar(), vec![0; 1000], vec![0x90; 5], b"abc".repeat(100)].concat();
    for runs in [false, true] {
        let walked = walk(&[binhex("a.com", &data, b"resource", runs), binhex("b", b"two", b"", runs)].concat());
        assert_eq!(walked.objects[0].kind, FileKind::BinHex);
        assert!(walked.at(&["a.com"]).unwrap().bytes == data, "{runs}");
        assert_eq!(walked.at(&["a.com/..namedfork/rsrc"]).unwrap().bytes, b"resource");
        assert_eq!(walked.at(&["b"]).unwrap().bytes, b"two");
        assert_eq!((walked.objects.len(), walked.anomalies), (4, Vec::new()));
    }
}

#[test]
fn broken_binhex_is_told() {
    let text = binhex("a", &eicar(), b"", false);
    let at = text.len() / 2;
    let mut wrong = text.clone();
    wrong[at] = if wrong[at] == b'!' { b'r' } else { b'!' };
    let kinds = |bytes: &[u8]| walk(bytes).anomalies.iter().map(|anomaly| anomaly.kind).collect::<Vec<_>>();
    assert_eq!(kinds(&wrong), [AnomalyKind::Odd]);
    assert_eq!(kinds(&text[..at]), [AnomalyKind::Damaged]);
    assert_eq!(kinds(&text[..60]), [AnomalyKind::Damaged]);
    assert_eq!(kinds(&text[..48]), [AnomalyKind::Damaged]);
}

fn attribute(level: u8, id: u16, kind: u16, data: &[u8]) -> Vec<u8> {
    let sum = data.iter().fold(0_u16, |sum, byte| sum.wrapping_add(u16::from(*byte)));
    let head = [&[level][..], &id.to_le_bytes(), &kind.to_le_bytes(), &(data.len() as u32).to_le_bytes()].concat();
    [&head, data, &sum.to_le_bytes()].concat()
}

/// A property of one value of variable size.
fn property(id: u16, kind: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = [&kind.to_le_bytes()[..], &id.to_le_bytes(), &1_u32.to_le_bytes()].concat();
    bytes.extend((data.len() as u32).to_le_bytes());
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn properties(all: &[Vec<u8>]) -> Vec<u8> {
    [&(all.len() as u32).to_le_bytes()[..], &all.concat()].concat()
}

fn tnef(attributes: &[Vec<u8>]) -> Vec<u8> {
    [&b"\x78\x9f\x3e\x22\x01\x00"[..], &attributes.concat()].concat()
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

#[test]
fn attachments_and_bodies_of_tnef() {
    // MS-OXRTFCP 4.1: "{\rtf1\ansi\ansicpg1252\pard hello world}\r\n".
    let rtf = b"\x2d\x00\x00\x00\x2b\x00\x00\x00\x4c\x5a\x46\x75\xf1\xc5\xc7\xa7\x03\x00\x0a\x00\x72\x63\x70\x67\
        \x31\x32\x35\x42\x32\x0a\xf3\x20\x68\x65\x6c\x09\x00\x20\x62\x77\x05\xb0\x6c\x64\x7d\x0a\x80\x0f\xa0";
    let named =
        [&b"\x03\x00\x01\x80"[..], &[7; 16], &[1, 0, 0, 0, 6, 0, 0, 0], &wide("ab")[..6], &[0, 0], &[9, 0, 0, 0]]
            .concat();
    let message = properties(&[named, property(0x1013, 0x0102, b"<b>"), property(0x1009, 0x0102, rtf)]);
    let inner = tnef(&[
        attribute(2, 0x9002, 6, &[0; 14]),
        attribute(2, 0x8010, 1, b"inner\0"),
        attribute(2, 0x800f, 6, &eicar()),
    ]);
    let object = [&[9; 16][..], &inner].concat();
    let bytes = tnef(&[
        attribute(1, 0x800c, 2, b"hello"),
        attribute(1, 0x9003, 6, &message),
        attribute(2, 0x9002, 6, &[0; 14]),
        attribute(2, 0x800f, 6, &eicar()),
        attribute(2, 0x8010, 1, b"EICAR~1.COM\0"),
        attribute(2, 0x9005, 6, &properties(&[property(0x3707, 0x001f, &wide("e\u{ef}car.com"))])),
        attribute(2, 0x9002, 6, &[0; 14]),
        attribute(2, 0x9005, 6, &properties(&[property(0x3701, 0x000d, &object)])),
    ]);
    let walked = walk(&bytes);
    let names: Vec<_> = walked.objects.iter().map(|seen| seen.path.join("/")).collect();
    assert_eq!(names, ["", "body", "body.html", "body.rtf", "eïcar.com", "object", "object/inner"]);
    let text = String::from_utf8_lossy(&walked.at(&["body.rtf"]).unwrap().bytes).into_owned();
    assert_eq!(text, "{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n");
    assert_eq!(walked.at(&["eïcar.com"]).unwrap().bytes, eicar());
    assert_eq!(walked.at(&["object", "inner"]).unwrap().bytes, eicar());
    assert_eq!(walked.anomalies, []);
    let mut wrong = bytes.clone();
    wrong[6 + 9] ^= 1;
    assert_eq!(walk(&wrong).anomalies.iter().map(|anomaly| anomaly.kind).collect::<Vec<_>>(), [AnomalyKind::Odd]);
    let limits = Limits { memory: 4 << 20, scan_size: 1 << 20, objects: 200, ..Limits::default() };
    for cut in 7..bytes.len() {
        let walked = walk_within(&bytes[..cut], limits.clone());
        assert!(walked.gap() || walked.objects.len() < 7, "cut at {cut}");
        let mut flipped = bytes.clone();
        flipped[cut] ^= 1 << (cut % 8);
        let _ = walk_within(&flipped, limits.clone());
    }
}

/// A message with an attachment in base64 of so many lines, computed as it is read.
struct Large {
    lines: u64,
}

const HEAD: &[u8] =
    b"From: a\nTo: b\nContent-Type: multipart/mixed; boundary=xx\n\n--xx\nContent-Transfer-Encoding: base64\n\n";
const LINE: &[u8] = b"QmFkZ2VyQmFkZ2VyQmFkZ2VyQmFkZ2VyQmFkZ2VyQmFkZ2VyQmFkZ2VyQmFkZ2Vy\n";
const TAIL: &[u8] = b"--xx\n\nend\n--xx--\n";

impl Source for Large {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let (head, body) = (HEAD.len() as u64, self.lines * LINE.len() as u64);
        let mut done = 0;
        while done < buffer.len() {
            let at = offset + done as u64;
            let piece = if at < head {
                &HEAD[at as usize..]
            } else if at < head + body {
                &LINE[((at - head) % LINE.len() as u64) as usize..]
            } else {
                TAIL.get((at - head - body) as usize..).unwrap_or(&[])
            };
            let count = piece.len().min(buffer.len() - done);
            if count == 0 {
                break;
            }
            buffer[done..done + count].copy_from_slice(&piece[..count]);
            done += count;
        }
        done
    }

    fn len(&self) -> u64 {
        HEAD.len() as u64 + self.lines * LINE.len() as u64 + TAIL.len() as u64
    }
}

fn large(lines: u64) {
    let source: Arc<dyn Source> = Arc::new(Large { lines });
    let budget = Budget::new(Limits { memory: 2 << 20, ..Limits::default() }, NoClock);
    let Unpacking::Members(mut members) = unpack(FileKind::Mail, &source, &budget) else { panic!("no reader") };
    let mut lengths = Vec::new();
    while let Some(item) = members.next_item() {
        let Item::Member(member) = item else { panic!("an anomaly") };
        lengths.push(member.source.len());
        assert_eq!(member.source.problem(), None);
    }
    assert_eq!(lengths, [lines * 48, 3]);
}

#[test]
fn mail_may_be_larger_than_memory() {
    large(500_000);
}

#[test]
#[ignore = "takes minutes"]
fn mail_may_be_larger_than_any_memory() {
    large(100_000_000);
}

#[test]
fn headers_parts_and_blocks_without_number_are_bounded() {
    let limits = || Limits { memory: 4 << 20, objects: 50, ..Limits::default() };
    let parts = format!("From: a\nContent-Type: multipart/mixed; boundary=x\n\n{}", "--x\n\na\n".repeat(1000));
    let blocks = format!("From: a\nTo: b\n\n{}", "begin 644 a\n#0V%T\n".repeat(1000));
    let fields = format!("From: a\nTo: b\n{}\n--x", "Content-Type: multipart/mixed; boundary=x\n".repeat(100_000));
    for (text, gap) in [(parts, true), (blocks, true), (fields, true)] {
        let walked = walk_within(text.as_bytes(), limits());
        assert_eq!(walked.objects[0].kind, FileKind::Mail);
        assert_eq!(walked.gap(), gap);
        assert!(walked.objects.len() <= 51);
    }
}
