//! Trees of parts made by Python's `email` package, and its own test messages: the same parts, with the same bytes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "tests"
)]

mod common;

use std::path::Path;

use common::{Walked, tool, walk};
use dachs_base::FileKind;

/// What Python says of one leaf: its name if it has one, its type, and its bytes.
struct Leaf {
    name: String,
    kind: String,
    bytes: Vec<u8>,
}

/// Lists of leaves, one for each message in the folder, in the order of the names of files.
fn leaves(listing: &str) -> Vec<Leaf> {
    let unhex = |text: &str| -> Vec<u8> {
        (0..text.len() / 2).map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap()).collect()
    };
    let leaf = |line: &str| {
        let fields: Vec<&str> = line.split(' ').collect();
        let name = String::from_utf8_lossy(&unhex(fields[0])).into_owned();
        Leaf { name, kind: fields[1].to_string(), bytes: unhex(fields[2]) }
    };
    listing.lines().filter(|line| !line.is_empty()).map(leaf).collect()
}

/// True if what we found holds a leaf under its name.
fn holds(walked: &Walked, leaf: &Leaf) -> bool {
    walked.objects.iter().skip(1).any(|seen| {
        let name = seen.path.last().unwrap();
        let named = if leaf.name.is_empty() {
            name.starts_with("part ") && name.ends_with(&leaf.kind)
        } else {
            *name == leaf.name
        };
        named && seen.bytes == leaf.bytes
    })
}

fn python(folder: &Path, script: &str, arguments: &[&str]) -> Option<String> {
    let script = [concat!(env!("CARGO_MANIFEST_DIR"), "/tests/samples/mail/"), script].concat();
    let output = tool(folder, "python3", &[&[script.as_str()], arguments].concat(), b"")?;
    Some(String::from_utf8(output).unwrap())
}

#[test]
fn random_trees_give_the_parts_that_python_sees() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_) = python(folder.path(), "trees.py", &["400"]) else { return };
    let mut total = 0;
    for number in 0..400 {
        let stem = folder.path().join(number.to_string());
        let bytes = std::fs::read(stem.with_extension("eml")).unwrap();
        let leaves = leaves(&std::fs::read_to_string(stem.with_extension("txt")).unwrap());
        let walked = walk(&bytes);
        assert_eq!(walked.objects[0].kind, FileKind::Mail, "message {number}");
        assert_eq!(walked.anomalies, [], "message {number}");
        for leaf in &leaves {
            let names: Vec<_> = walked.objects.iter().map(|seen| (&seen.path, seen.bytes.len())).collect();
            let text = String::from_utf8_lossy(&bytes);
            assert!(
                holds(&walked, leaf),
                "message {number}: {:?} {:?} of {} bytes is not in {names:?}\n{text}",
                leaf.name,
                leaf.kind,
                leaf.bytes.len()
            );
        }
        let inner = |seen: &&common::Seen| {
            !matches!(seen.kind, FileKind::Mail | FileKind::Mhtml)
                || seen.path.last().is_some_and(|name| name.contains("text/"))
        };
        let count = walked.objects.iter().skip(1).filter(inner).filter(|seen| {
            !seen.path.last().is_some_and(|name| name.starts_with("preamble") || name.starts_with("epilogue"))
        });
        assert_eq!(count.count(), leaves.len(), "message {number}");
        total += leaves.len();
    }
    assert!(total > 900, "{total}");
}

#[test]
fn python_s_own_test_messages_give_the_same_parts() {
    let folder = tempfile::tempdir().unwrap();
    let Some(listing) = python(folder.path(), "own.py", &[]) else { return };
    if listing.is_empty() {
        return eprintln!("SKIPPED: Python's test messages are not installed");
    }
    let mut missing = Vec::new();
    for message in listing.split("FILE ").skip(1) {
        let (path, rest) = message.split_once('\n').unwrap();
        let walked = walk(&std::fs::read(path).unwrap());
        let file = Path::new(path).file_name().unwrap().to_string_lossy().into_owned();
        if walked.objects[0].kind != FileKind::Mail {
            // A text without any header, which is mail to Python since it asked for mail.
            if file != "msg_19.txt" {
                missing.push(format!("{file} is {:?}", walked.objects[0].kind));
            }
            continue;
        }
        for leaf in leaves(rest).iter().filter(|leaf| !leaf.bytes.trim_ascii().is_empty()) {
            // A text that quotes parts is given in pieces, and what an external body refers to is no part.
            if matches!((file.as_str(), leaf.kind.as_str()), ("msg_36.txt" | "msg_38.txt", "text/plain")) {
                continue;
            }
            // Where boundaries are missing, Python gives the whole, and we look for the parts.
            if leaf.kind.starts_with("multipart/") {
                continue;
            }
            if !holds(&walked, leaf) {
                missing.push(format!(
                    "{file} {:?} {} {:?}",
                    leaf.name,
                    leaf.kind,
                    String::from_utf8_lossy(&leaf.bytes)
                ));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
