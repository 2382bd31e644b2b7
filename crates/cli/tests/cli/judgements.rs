//! What is said of a structure without a signature: names in PDF documents that are written to be overlooked, and dictionaries of
//! xz. Generated files, judged by Dachs and by clamscan.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::support::{command, folder, has_tool};

/// The files that a scanner finds something in, with the names.
fn found(program: &str, at: &Path) -> BTreeSet<String> {
    let mut command =
        if program == "clamscan" { Command::new("clamscan") } else { command(&["clamscan", "--incomplete=ok"]) };
    command.args(["--no-summary", "--allmatch", "-r", "-d"]).arg(at.join("t.ndb")).arg(at.join("files"));
    let text = String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned();
    text.lines().filter(|line| line.ends_with(" FOUND")).map(str::to_owned).collect()
}

/// Both say the same of all of these files, and something of more than `least`.
fn compare(files: &[(String, Vec<u8>)], least: usize) {
    if !has_tool("clamscan") {
        return;
    }
    let place = folder(&[("t.ndb", b"Test:8:*:616263646566\n")]);
    std::fs::create_dir(place.path().join("files")).unwrap();
    for (name, bytes) in files {
        std::fs::write(place.path().join("files").join(name), bytes).unwrap();
    }
    let (theirs, ours) = (found("clamscan", place.path()), found("dachs", place.path()));
    assert!(theirs.len() > least, "{}", theirs.len());
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
    compare(&files, 150);
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
    compare(&files, 2);
}
