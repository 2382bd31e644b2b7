//! What is found in the midst of bytes, and what is not.

use super::*;
use crate::unpack::Item;
use dachs_base::{Limits, Memory, NoClock};

/// A local header for a stored member `a` of five bytes (APPNOTE 4.3.7), and the bytes.
const ZIP: &[u8] = b"PK\x03\x04\x0a\0\0\0\0\0\0\0\0\0\x86\xa6\x10\x36\x05\0\0\0\x05\0\0\0\x01\0\0\0ahello";

fn found(bytes: &[u8]) -> Vec<String> {
    let source: Arc<dyn Source> = Arc::new(Memory::new(bytes));
    let identity = crate::identify(source.as_ref());
    let budget = Budget::new(Limits::default(), NoClock);
    let Some(mut search) = open(&identity, &source, None, &budget) else { return vec!["not searched".to_owned()] };
    std::iter::from_fn(|| search.next_item())
        .map(|item| match item {
            Item::Embedded(member) => {
                format!("{} ({})", String::from_utf8_lossy(member.name.as_bytes()), member.source.len())
            }
            Item::Anomaly { anomaly, .. } => anomaly.detail,
            Item::Also(kind) => kind.label().to_owned(),
            _ => "something else".to_owned(),
        })
        .collect()
}

/// A program that ends with its COFF header.
fn program() -> Vec<u8> {
    let mut program = vec![0; 64];
    program[..2].copy_from_slice(b"MZ");
    program[60] = 64;
    program.extend(b"PE\0\0\x4c\x01\x01\0");
    program.extend([0; 16]);
    program
}

#[test]
fn archives_and_programs_are_found_where_they_begin() {
    let behind = |before: usize, object: &[u8]| [&vec![b'x'; before], object].concat();
    assert_eq!(found(&behind(3000, ZIP)), ["embedded zip at 3000 (36)"]);
    assert_eq!(found(&behind(1000, &program())), ["embedded pe at 1000 (88)"]);
    let both = [ZIP, &program()].concat();
    assert_eq!(found(&behind(10, &both)), ["embedded zip at 10 (124)", "embedded pe at 46 (88)"]);
    // Across the border of two steps.
    for before in STEP - 40..STEP + 4 {
        assert_eq!(found(&behind(before, ZIP)), [format!("embedded zip at {before} (36)")]);
    }
}

#[test]
fn signs_without_a_header_are_nothing() {
    for text in ["PK\x03\x04 is how an archive begins", "MZ", "Rar!\x1a\x07\0", "7z\u{bc}", "%PDF-1.4 is a version"] {
        assert_eq!(found(format!("text {text}").as_bytes()), [""; 0]);
    }
    let mut cut = program();
    cut.truncate(70);
    assert_eq!(found(&[b"x".as_slice(), &cut].concat()), [""; 0]);
}

#[test]
fn tags_that_stand_late_are_found() {
    let late = [vec![b'x'; STEP * 2 - 3], b"<TABLE>".to_vec()].concat();
    assert_eq!(found(&late), ["html"]);
    assert_eq!(found(b"<html> at once is known already"), [""; 0]);
}

#[test]
fn archives_are_not_searched() {
    assert_eq!(found(&[b"\x1f\x8b\x08\0\0\0\0\0\0\0", ZIP].concat()), ["not searched"]);
}

#[test]
fn the_search_ends_and_says_so() {
    let many: Vec<u8> = (0..=MOST).flat_map(|_| program()).collect();
    let found = found(&[b"x".as_slice(), &many].concat());
    assert_eq!(found.len(), 101);
    assert!(found.last().unwrap().contains("more than 100 objects"), "{found:?}");
}
