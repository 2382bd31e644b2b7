//! PDF documents written by public tools: qpdf says what the streams hold.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

mod common;

use std::path::Path;
use std::process::{Command, Output};

use common::{Walked, eicar, tool, walk};
use dachs_base::{AnomalyKind, FileKind};

/// A small document: a page, a script, an embedded file and metadata. qpdf makes the table.
fn plain() -> Vec<u8> {
    let file = eicar();
    let text = "BT /F1 24 Tf 100 700 Td (The badger digs a hole) Tj ET\n".repeat(40);
    let mut bytes = b"%PDF-1.7\n".to_vec();
    for object in [
        "1 0 obj<</Type/Catalog/Pages 2 0 R/Metadata 7 0 R/OpenAction<</S/JavaScript/JS(app.alert\\(1\\))>>\
         /Names<</EmbeddedFiles<</Names[(e)6 0 R]>>>>>>endobj\n"
            .to_string(),
        "2 0 obj<</Type/Pages/Count 1/Kids[3 0 R]>>endobj\n".to_string(),
        "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R>>endobj\n".to_string(),
        format!("4 0 obj<</Length {}>>stream\n{text}endstream endobj\n", text.len()),
        format!("5 0 obj<</Type/EmbeddedFile/Length {}>>stream\n", file.len()),
    ] {
        bytes.extend(object.as_bytes());
    }
    bytes.extend(file);
    bytes.extend(b"\nendstream endobj\n6 0 obj<</Type/Filespec/F(e.com)/EF<</F 5 0 R>>>>endobj\n");
    bytes.extend(b"7 0 obj<</Type/Metadata/Subtype/XML/Length 4>>stream\n<x/>\nendstream endobj\n");
    bytes.extend(b"trailer<</Root 1 0 R/Size 8>>\n%%EOF\n");
    bytes
}

/// What qpdf makes of the document with these options; `None` without qpdf.
fn made(folder: &Path, options: &[&str]) -> Option<Vec<u8>> {
    std::fs::write(folder.join("in.pdf"), plain()).unwrap();
    let arguments = [&["--warning-exit-0", "--allow-weak-crypto"], options, &["in.pdf", "out.pdf"]].concat();
    tool(folder, "qpdf", &arguments, b"")?;
    Some(std::fs::read(folder.join("out.pdf")).unwrap())
}

/// What qpdf says of `out.pdf`.
fn qpdf(folder: &Path, arguments: &[&str]) -> Output {
    Command::new("qpdf").args(arguments).arg("out.pdf").current_dir(folder).output().unwrap()
}

/// Compares each stream of a file with what qpdf says it holds; gives the number of streams that qpdf knew. Objects that are no
/// streams are dictionaries as they stand. A stream may be given twice, decrypted and as it stands: by chance, encrypted bytes
/// begin like a format.
fn compare(folder: &Path, walked: &Walked) -> usize {
    let mut known = 0;
    for seen in walked.objects.iter().filter(|seen| seen.path.len() == 1) {
        let Some(number) = seen.path[0].strip_prefix("object ").and_then(|rest| rest.split(' ').next()) else {
            continue;
        };
        if seen.path[0].contains("JavaScript") || seen.path[0].contains("string") {
            continue;
        }
        let show = format!("--show-object={number}");
        if !qpdf(folder, &[&show]).stdout.starts_with(b"Object is stream") {
            let stands = seen.bytes.trim_ascii();
            assert!(stands.starts_with(b"<<") && stands.ends_with(b">>"), "{}", seen.path[0]);
            continue;
        }
        let output = qpdf(folder, &["--filtered-stream-data", "--decode-level=generalized", &show]);
        if output.status.success() {
            known += 1;
            let mut readings = walked.objects.iter().filter(|other| other.path == seen.path);
            assert!(readings.any(|reading| reading.bytes == output.stdout), "{}", seen.path[0]);
        }
    }
    known
}

const VARIANTS: [&[&str]; 15] = [
    &[],
    &["--object-streams=generate"],
    &["--linearize"],
    &["--linearize", "--object-streams=generate"],
    &["--stream-data=uncompress", "--qdf"],
    &["--encrypt", "", "o", "40", "--"],
    &["--encrypt", "", "o", "128", "--use-aes=n", "--"],
    &["--encrypt", "", "o", "128", "--force-V4", "--use-aes=n", "--"],
    &["--encrypt", "", "o", "128", "--use-aes=y", "--"],
    &["--encrypt", "", "o", "128", "--use-aes=y", "--cleartext-metadata", "--"],
    &["--encrypt", "", "o", "256", "--force-R5", "--"],
    &["--encrypt", "", "o", "256", "--"],
    &["--encrypt", "", "o", "256", "--cleartext-metadata", "--"],
    &["--object-streams=generate", "--encrypt", "", "o", "256", "--"],
    &["--linearize", "--encrypt", "", "o", "128", "--use-aes=y", "--"],
];

#[test]
fn every_form_that_qpdf_writes_is_read() {
    let folder = tempfile::tempdir().unwrap();
    for options in VARIANTS {
        let Some(bytes) = made(folder.path(), options) else { return };
        let walked = walk(&bytes);
        assert!(!walked.gap(), "{options:?}: {:?}", walked.anomalies);
        let named =
            |end: &str| walked.objects.iter().find(|seen| seen.path.last().is_some_and(|name| name.ends_with(end)));
        assert_eq!(named("JavaScript").expect("a script").bytes, b"app.alert(1)", "{options:?}");
        assert!(walked.objects.iter().any(|seen| seen.bytes == eicar()), "{options:?}");
        assert!(compare(folder.path(), &walked) >= 3, "{options:?}");
    }
}

#[test]
fn an_unknown_password_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for bits in ["40", "128", "256"] {
        let Some(bytes) = made(folder.path(), &["--encrypt", "secret", "o", bits, "--"]) else { return };
        let kinds: Vec<AnomalyKind> = walk(&bytes).anomalies.iter().map(|anomaly| anomaly.kind).collect();
        assert_eq!(kinds, [AnomalyKind::Encrypted], "{bits}");
        // Without its end, the file still says that it is encrypted.
        let cut = bytes.windows(9).rposition(|word| word == b"startxref").unwrap();
        assert!(walk(&bytes[..cut.saturating_sub(400)]).gap());
    }
}

/// A comment at the end names an encryption that opens, and nothing in the file is encrypted.
#[test]
fn a_false_encryption_hides_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for bits in ["40", "256"] {
        let Some(locked) = made(folder.path(), &["--encrypt", "", "o", bits, "--"]) else { return };
        let handler = locked.windows(9).position(|word| word == b"/Standard").unwrap();
        let start = locked[..handler].windows(4).rposition(|word| word == b"obj\n").unwrap() + 4;
        let end = start + locked[start..].windows(6).position(|word| word == b"endobj").unwrap();
        let identifier = locked.windows(3).rposition(|word| word == b"/ID").unwrap();
        let close = identifier + locked[identifier..].iter().position(|byte| *byte == b']').unwrap() + 1;
        let open = made(folder.path(), &[]).unwrap();
        let (dictionary, identifier) = (&locked[start..end], &locked[identifier..close]);
        let trailer = [b"\ntrailer<</Size 1/Encrypt ", dictionary, identifier, b">>"].concat();
        let walked = walk(&[open, trailer].concat());
        // The encryption was believed: the document does not count as one that cannot be opened.
        assert!(walked.anomalies.iter().all(|anomaly| anomaly.kind != AnomalyKind::Encrypted), "{bits}");
        assert!(walked.objects.iter().any(|seen| seen.bytes == eicar()), "{bits}: {:?}", walked.anomalies);
        assert!(walked.objects.iter().any(|seen| seen.bytes == b"app.alert(1)"), "{bits}");
    }
}

#[test]
fn what_ghostscript_writes_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let page = b"%!PS\n/Helvetica findfont 20 scalefont setfont 72 700 moveto (The badger) show showpage\n";
    for level in ["1.3", "1.7"] {
        let version = format!("-dCompatibilityLevel={level}");
        let arguments = ["-q", "-dNOPAUSE", "-dBATCH", "-sDEVICE=pdfwrite", &version, "-sOutputFile=out.pdf", "-"];
        let Some(_) = tool(folder.path(), "gs", &arguments, page) else { return };
        let walked = walk(&std::fs::read(folder.path().join("out.pdf")).unwrap());
        assert_eq!(walked.objects[0].kind, FileKind::Pdf);
        assert!(!walked.gap(), "{:?}", walked.anomalies);
        if tool(folder.path(), "qpdf", &["--version"], b"").is_some() {
            assert!(compare(folder.path(), &walked) >= 1);
        }
    }
}
