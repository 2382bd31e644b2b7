//! Hashes of pictures in logical signatures.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use dachs_base::{Budget, Facts, Lazy, Limit, LimitReached, Limits, Memory, NoClock, Target};
use dachs_sigc::{Input, compile, explain};
use dachs_sigdb::{Image, View};

const LINES: &str = "Same;Engine:150-255,Target:0;0;fuzzy_img#af2ad01ed42993c7#0
Other;Engine:150-255,Target:5;0;fuzzy_img#af2ad01ed42993c8
Not;Engine:150-255,Target:5;0=0;fuzzy_img#AF2AD01ED42993C8
Both;Engine:150-255,Target:5;0&1;fuzzy_img#af2ad01ed42993c7;626164676572
";

fn names(picture: Lazy<u64>, bytes: &[u8]) -> (Vec<String>, Option<LimitReached>) {
    let compiled = compile(&[Input::bytes("test.ldb", LINES.as_bytes().to_vec())]).unwrap();
    assert!(compiled.problems.is_empty(), "{:?}", compiled.problems);
    let image = Image::new(&compiled.image).unwrap();
    image.verify().unwrap();
    let facts = Facts { picture, ..Facts::default() };
    let source = Memory::new(bytes);
    let view = View { source: &source, target: Target::Graphics, facts: &facts, around: &[] };
    let examined = image.examine(&view, &Budget::new(Limits::default(), NoClock), true);
    let name = |signature| image.name(signature).unwrap().trim_end_matches(".UNOFFICIAL").to_owned();
    (examined.findings.iter().map(|finding| name(finding.signature)).collect(), examined.limit)
}

#[test]
fn pictures_are_told_by_their_hash() {
    let hash = || Lazy::known(0xaf2a_d01e_d429_93c7);
    assert_eq!(names(hash(), b"badgers").0, ["Not", "Both", "Same"]);
    assert_eq!(names(hash(), b"wombats").0, ["Not", "Same"]);
    assert_eq!(names(Lazy::known(0xaf2a_d01e_d429_93c8), b"wombats").0, ["Other"]);
    assert_eq!(names(Lazy::default(), b"wombats").0, ["Not"]);
}

#[test]
fn a_picture_that_is_too_large_is_told() {
    let reached = LimitReached { limit: Limit::Memory, allowed: 7 };
    let (names, limit) = names(Lazy::new(move || Err(reached)), b"badgers");
    assert_eq!((names, limit), (Vec::new(), Some(reached)));
}

#[test]
fn hashes_of_pictures_are_explained() {
    let compiled = compile(&[Input::bytes("test.ldb", LINES.as_bytes().to_vec())]).unwrap();
    let image = Image::new(&compiled.image).unwrap();
    let shown = explain(&image, 0);
    assert!(shown.contains("a picture that looks like the one with the hash af2ad01ed42993c7"), "{shown}");
}
