//! Objects larger than a window, and objects with holes: what crosses a border is found, and holes are not read.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "test code")]

mod common;

use std::sync::atomic::{AtomicU32, Ordering};

use common::*;
use dachs_base::{Facts, FileKind, Target};
use dachs_sigdb::Image;
use dachs_sigdb::model::*;

/// The fresh bytes of a full window.
const WINDOW: u64 = 1 << 20;

fn image(rules: &[(&str, Pattern, Offset)]) -> Vec<u8> {
    let mut builder = builder();
    for (name, pattern, offset) in rules {
        let rule = BodyRule { target: Target::Any, offset: *offset, pattern: pattern.clone() };
        builder.add_body(0, name, &rule).unwrap();
    }
    builder.finish()
}

fn found<'a>(image: &Image<'a>, source: &Sparse) -> Vec<(&'a str, Option<u64>)> {
    let examined = examine_source(image, source, FileKind::Data, &Facts::default(), true);
    assert_eq!((examined.bytes, examined.limit), (source.length, None));
    let mut names = names(image, &examined.findings);
    names.sort_unstable();
    names
}

#[test]
fn a_match_is_found_on_every_side_of_a_window_border() {
    let bytes = image(&[
        ("across", pattern("nee?le"), Offset::ANY),
        ("far", pattern("begin*end!"), Offset::ANY),
        ("last", pattern("fin"), Offset { base: OffsetBase::End(3), shift: 0 }),
    ]);
    let image = Image::new(&bytes).unwrap();
    for known in [true, false] {
        for border in [WINDOW, 1 << 16, 2 * WINDOW] {
            for at in border - 40..border + 8 {
                let length = at + 20;
                let stretches =
                    vec![(3, b"begin".to_vec()), (at, b"needle end!".to_vec()), (length - 3, b"fin".to_vec())];
                let source = Sparse { known, ..Sparse::new(length, vec![]) };
                let mut all = vec![b'.'; usize::try_from(length).unwrap()];
                for (start, bytes) in &stretches {
                    all[*start as usize..*start as usize + bytes.len()].copy_from_slice(bytes);
                }
                let source = Dense { bytes: all, known: source.known, keeps: 0.into() };
                let examined = examine_source(&image, &source, FileKind::Data, &Facts::default(), true);
                let mut names = names(&image, &examined.findings);
                names.sort_unstable();
                assert_eq!(
                    names,
                    [("across", Some(at)), ("far", Some(3)), ("last", Some(length - 3))],
                    "{border} {at}"
                );
            }
        }
    }
}

/// Bytes whose number may be unknown until they are read.
struct Dense {
    bytes: Vec<u8>,
    known: bool,
    /// How often it is asked whether it keeps all of them before it says no.
    keeps: AtomicU32,
}

impl dachs_base::Source for Dense {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let rest = self.bytes.get(offset as usize..).unwrap_or(&[]);
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        count
    }

    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn known_len(&self) -> Option<u64> {
        self.known.then_some(self.len())
    }

    fn keeps(&self) -> bool {
        self.keeps.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

#[test]
fn ten_gigabytes_of_holes_are_not_read() {
    let length = 10_u64 << 30;
    let zero_then = literal(b"\0\0\0\0out of a hole");
    let then_zero = literal(b"into a hole\0\0\0\0");
    let end = literal(b"end\0\0\0\0");
    let bytes = image(&[
        ("out", zero_then, Offset::ANY),
        ("into", then_zero, Offset::ANY),
        ("over", pattern("first*second"), Offset::ANY),
        ("start", pattern("first"), Offset { base: OffsetBase::Absolute(4090), shift: 0 }),
        ("end", end, Offset { base: OffsetBase::End(7), shift: 0 }),
        ("nowhere", pattern("nowhere"), Offset::ANY),
    ]);
    let image = Image::new(&bytes).unwrap();
    let block = 5_u64 << 30;
    let stretches = vec![
        (4090, b"first".to_vec()),
        (block, b"out of a hole".to_vec()),
        (block + 4096 - 11, b"into a hole".to_vec()),
        (block + (3 << 30) + 77, b"second".to_vec()),
        (length - 7, b"end".to_vec()),
    ];
    let source = Sparse { allowance: (16 << 20).into(), ..Sparse::new(length, stretches) };
    let expected = [
        ("end", Some(length - 7)),
        ("into", Some(block + 4096 - 11)),
        ("out", Some(block - 4)),
        ("over", Some(4090)),
        ("start", Some(4090)),
    ];
    assert_eq!(found(&image, &source), expected);
}

#[test]
fn an_object_that_is_one_hole_is_looked_at() {
    let mut builder = builder();
    builder.add_logical(0, "none", &logical(Target::Any, &[], count(0, Comparison::Equal, 0), &["zz"])).unwrap();
    let bytes = builder.finish();
    let image = Image::new(&bytes).unwrap();
    let source = Sparse { allowance: (4 << 20).into(), ..Sparse::new(1 << 43, vec![]) };
    assert_eq!(found(&image, &source), [("none", None)]);
}

#[test]
fn holes_are_read_where_zeros_can_match_or_a_digest_is_wanted() {
    let length = 8 << 20;
    let make = || Sparse::new(length, vec![(0, b"x".to_vec())]);
    let zeros = image(&[("zeros", literal(&[0; 12]), Offset { base: OffsetBase::Absolute(5 << 20), shift: 0 })]);
    assert_eq!(found(&Image::new(&zeros).unwrap(), &make()), [("zeros", Some(5 << 20))]);

    let mut all = vec![0; usize::try_from(length).unwrap()];
    all[0] = b'x';
    let mut builder = builder();
    hash(&mut builder, "digest", sha1(&all), Some(length));
    builder.add_body(0, "x", &body(Target::Any, Offset::ANY, "yyy")).unwrap();
    let bytes = builder.finish();
    assert_eq!(found(&Image::new(&bytes).unwrap(), &make()), [("digest", None)]);
}

/// Whether the size is known beforehand or shows at the end, whatever it is: the digest of all bytes is found, if its size occurs.
#[test]
fn a_digest_is_found_whether_the_size_is_known_or_not() {
    let sizes = [6, 100, (1 << 16) - 1, 1 << 16, (1 << 16) + 1, 200_000, 1 << 20, (1 << 20) + 1, 1_500_000, 3 << 20];
    let bytes_of = |size: u64| (0..size).map(|at| (at.wrapping_mul(at) >> 7) as u8).collect::<Vec<u8>>();
    let mut builder = builder();
    for size in sizes {
        let bytes = bytes_of(size);
        hash(&mut builder, &format!("{size}"), md5(&bytes), Some(size));
        hash(&mut builder, &format!("{size} sha1"), sha1(&bytes), Some(size));
        hash(&mut builder, &format!("{size} wrong"), sha256(&bytes), Some(size + 1));
    }
    // With a digest of any size, each object is digested.
    let sized = builder.finish();
    let mut builder = self::builder();
    sizes.iter().for_each(|size| hash(&mut builder, &format!("any {size}"), sha256(&bytes_of(*size)), None));
    let unsized_ = builder.finish();
    for size in sizes {
        for (known, keeps) in [(true, 0), (false, 0), (false, 1), (false, 3), (false, 1000)] {
            let source = Dense { bytes: bytes_of(size), known, keeps: keeps.into() };
            let found = |image: &[u8]| {
                let image = Image::new(image).unwrap();
                let examined = examine_source(&image, &source, FileKind::Data, &Facts::default(), true);
                names(&image, &examined.findings).into_iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
            };
            assert_eq!(found(&sized), [format!("{size}"), format!("{size} sha1")], "{known} {keeps}");
            assert_eq!(found(&unsized_), [format!("any {size}")], "{known} {keeps}");
        }
    }
}

/// The same object with and without its holes told gives the same findings.
#[test]
fn holes_change_no_finding() {
    let mut dice = Dice(11);
    let texts = ["ab", "abc", "a\0\0b", "\0\0\0a", "b\0\0\0\0", "ab*b\0", "ab?ca", "\0a*c\0"];
    let rules: Vec<(&str, Pattern, Offset)> = texts.iter().map(|text| (*text, pattern(text), Offset::ANY)).collect();
    let bytes = image(&rules);
    let image = Image::new(&bytes).unwrap();
    for _ in 0..60 {
        let mut stretches: Vec<(u64, Vec<u8>)> = Vec::new();
        let mut at = dice.below(300_000);
        for _ in 0..1 + dice.below(3) {
            let text: Vec<u8> = (0..1 + dice.below(6)).map(|_| b"abc\0"[dice.below(4) as usize]).collect();
            let length = text.len() as u64;
            stretches.push((at, text));
            at += length + if dice.below(2) == 0 { dice.below(5000) } else { dice.below(300_000) };
        }
        let source = Sparse::new(at, stretches);
        let mut all = vec![0; usize::try_from(at).unwrap()];
        dachs_base::Source::read_at(&source, 0, &mut all);
        let dense = Dense { bytes: all, known: true, keeps: 0.into() };
        let examined = examine_source(&image, &dense, FileKind::Data, &Facts::default(), true);
        let mut expected = names(&image, &examined.findings);
        expected.sort_unstable();
        assert_eq!(found(&image, &source), expected, "{:?}", source.stretches);
    }
}
