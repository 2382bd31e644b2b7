//! What goes into a builder comes out of the image, and the same calls give the same bytes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "test code")]

mod common;

use common::*;
use dachs_base::{FileKind, Strength, Target};
use dachs_sigdb::model::*;
use dachs_sigdb::{Builder, Image, ImageError, Refusal};

enum Any {
    Body(BodyRule),
    Hash(Scope, HashRule),
    Logical(LogicalRule),
}

fn offsets() -> Vec<Offset> {
    let bases = [
        OffsetBase::Any,
        OffsetBase::Absolute(0),
        OffsetBase::Absolute(1 << 40),
        OffsetBase::End(17),
        OffsetBase::EntryPoint(-9),
        OffsetBase::LastSection(4),
        OffsetBase::Section { index: 3, offset: 8 },
        OffsetBase::WithinSection(1),
    ];
    bases.into_iter().map(|base| Offset { base, shift: if base == OffsetBase::Any { 0 } else { 5 } }).collect()
}

/// Rules of every kind, a few hundred.
fn rules() -> Vec<Any> {
    let mut dice = Dice(7);
    let mut rules = Vec::new();
    for round in 0..40_u64 {
        for (index, offset) in offsets().into_iter().enumerate() {
            let target = Target::ALL[(round as usize + index) % 15];
            rules.push(Any::Body(BodyRule { target, offset, pattern: pattern(&format!("body{}*tail", round % 7)) }));
        }
        let size = (round % 3 > 0).then(|| dice.below(50));
        rules.push(Any::Hash(Scope::Object, HashRule { digest: Digest::Md5(dice.bytes()), size }));
        rules.push(Any::Hash(Scope::Section, HashRule { digest: Digest::Sha1(dice.bytes()), size }));
        rules.push(Any::Hash(Scope::Imports, HashRule { digest: Digest::Sha256(dice.bytes()), size }));
        rules.push(Any::Logical(complicated(round)));
    }
    rules
}

fn complicated(round: u64) -> LogicalRule {
    let block = Expression::Block {
        inner: Box::new(Expression::Or(vec![id(0), count(1, Comparison::Less, 9)])),
        comparison: Comparison::Equal,
        count: 77,
        distinct: 2,
    };
    LogicalRule {
        target: Target::ALL[(round % 15) as usize],
        conditions: vec![
            Condition::FileSize(1, round),
            Condition::Container(vec![FileKind::Zip, FileKind::Mail]),
            Condition::EntryPoint(0, u64::MAX),
            Condition::NumberOfSections(1, 2),
            Condition::Container(vec![]),
        ],
        expression: Expression::And(vec![id(2), block, count(1, Comparison::Equal, 0)]),
        subsignatures: vec![
            Subsignature::Body { offset: Offset::ANY, patterns: vec![pattern("wide"), pattern("w?id?e")] },
            Subsignature::Body { offset: offsets()[3], patterns: vec![pattern(&format!("own {round}"))] },
            Subsignature::Body { offset: Offset::ANY, patterns: vec![pattern("wide")] },
        ],
    }
}

fn build() -> Vec<u8> {
    let mut builder = Builder::new();
    let first = builder.source(SourceInfo { name: "a.ndb".into(), time: Some(5), version: Some(6), official: true });
    let second = builder.source(SourceInfo { name: "ö".repeat(4000), ..SourceInfo::default() });
    for (index, rule) in rules().iter().enumerate() {
        let source = if index % 2 == 0 { first } else { second };
        let name = name_of(index);
        match rule {
            Any::Body(rule) => builder.add_body(source, &name, rule).unwrap(),
            Any::Hash(scope, rule) => builder.add_digest(source, &name, *scope, rule).unwrap(),
            Any::Logical(rule) => builder.add_logical(source, &name, rule).unwrap(),
        }
    }
    for size in [None, Some(3), Some(9)] {
        builder.allow(second, &HashRule { digest: md5(b"x"), size });
    }
    builder.skipped(first, "of another version");
    builder.skipped(second, "an unknown target");
    builder.skipped(first, "an unknown target");
    builder.skipped(first, "an unknown target");
    builder.finish()
}

fn name_of(index: usize) -> String {
    let prefix = if index.is_multiple_of(5) { "PUA." } else { "" };
    format!("{prefix}Win.Test-{}{}", "é".repeat(index % 9), index / 2)
}

#[test]
fn patterns_of_all_targets_but_windows_programs_are_asked_often() {
    let mut builder = Builder::new();
    let source = builder.source(SourceInfo::default());
    for (target, text) in [(Target::Pe, "badger"), (Target::Ascii, "wombat"), (Target::Any, "otter")] {
        builder.add_body(source, text, &body(target, Offset::ANY, text)).unwrap();
    }
    let bytes = builder.finish();
    let places = Image::new(&bytes).unwrap().asked_often();
    let at = |offset: u64| &bytes[usize::try_from(offset).unwrap()..];
    assert!(places.iter().all(|place| place.start <= place.end && place.end <= bytes.len() as u64));
    assert_eq!(places.iter().filter(|place| at(place.start).starts_with(b"dachsP")).count(), 2);
}

#[test]
fn rules_come_back_as_they_were() {
    let bytes = build();
    let image = Image::new(&bytes).unwrap();
    image.verify().unwrap();
    let rules = rules();
    assert_eq!(image.signature_count() as usize, rules.len());
    for (index, rule) in rules.into_iter().enumerate() {
        let number = index as u32;
        let expected = match rule {
            Any::Body(rule) => Rule::Body(rule),
            Any::Hash(Scope::Object, rule) => Rule::Hash(rule),
            Any::Hash(Scope::Section, rule) => Rule::Section(rule),
            Any::Hash(Scope::Imports, rule) => Rule::Imports(rule),
            Any::Logical(rule) => Rule::Logical(rule),
        };
        assert_eq!(image.decode(number), Some(expected), "{index}");
        assert_eq!(image.name(number), Some(name_of(index)));
        assert_eq!(image.source_of(number), Some(number % 2));
        assert_eq!(image.strength(number) == Strength::Weak, index.is_multiple_of(5));
    }
}

#[test]
fn numbers_outside_have_nothing() {
    let bytes = build();
    let image = Image::new(&bytes).unwrap();
    for number in [image.signature_count(), u32::MAX] {
        assert_eq!((image.decode(number), image.name(number), image.source_of(number)), (None, None, None));
    }
}

#[test]
fn the_same_calls_give_the_same_bytes() {
    assert_eq!(build(), build());
}

#[test]
fn the_information_is_what_was_told() {
    let bytes = build();
    let info = Image::new(&bytes).unwrap().info();
    assert_eq!((info.size, info.signatures), (bytes.len() as u64, 480));
    let [first, second] = &info.sources[..] else { panic!("two sources") };
    assert_eq!(first.info, SourceInfo { name: "a.ndb".into(), time: Some(5), version: Some(6), official: true });
    assert_eq!(first.skipped, [("an unknown target".into(), 2), ("of another version".into(), 1)]);
    assert_eq!((first.bodies, first.hashes, first.logicals, first.allowed), (160, 80, 0, 0));
    assert_eq!((second.bodies, second.hashes, second.logicals, second.allowed), (160, 40, 40, 3));
    // A name without bounds is cut between characters.
    assert_eq!(second.info, SourceInfo { name: "ö".repeat(2048), ..SourceInfo::default() });
}

#[test]
fn names_are_found() {
    let bytes = build();
    let image = Image::new(&bytes).unwrap();
    let expected: Vec<u32> = (0..480).filter(|index| name_of(*index as usize) == name_of(18)).collect();
    assert_eq!(image.find(&name_of(18)), expected);
    assert!(image.find("nobody").is_empty());
}

#[test]
fn an_empty_image_is_an_image() {
    let bytes = Builder::new().finish();
    let image = Image::new(&bytes).unwrap();
    image.verify().unwrap();
    assert_eq!((image.signature_count(), image.info().sources.len()), (0, 0));
    assert!(examine(&image, b"anything at all", true).findings.is_empty());
    assert!(!image.allows(&dachs_base::Memory::new(*b"anything")));
}

#[test]
fn what_cannot_be_kept_is_refused_and_leaves_no_trace() {
    let mut builder = builder();
    let sub = |patterns| Subsignature::Body { offset: Offset::ANY, patterns };
    let rule =
        |subsignatures, expression| LogicalRule { target: Target::Any, conditions: vec![], expression, subsignatures };
    let good = sub(vec![pattern("good")]);
    assert_eq!(builder.add_body(1, "x", &body(Target::Any, Offset::ANY, "good")), Err(Refusal::NoSource(1)));
    let long = "x".repeat(1 << 16);
    assert_eq!(builder.add_body(0, &long, &body(Target::Any, Offset::ANY, "good")), Err(Refusal::NameTooLong(1 << 16)));
    assert_eq!(builder.add_body(0, "x", &body(Target::Any, Offset::ANY, "")), Err(Refusal::NoPattern));
    let refusal =
        builder.add_body(0, "x", &BodyRule { target: Target::Any, offset: Offset::ANY, pattern: impossible() });
    assert!(matches!(refusal, Err(Refusal::Pattern(_))), "{refusal:?}");
    assert_eq!(builder.add_logical(0, "x", &rule(vec![sub(vec![])], id(0))), Err(Refusal::NoPattern));
    assert_eq!(builder.add_logical(0, "x", &rule(vec![good.clone()], id(1))), Err(Refusal::MissingSubsignature(1)));
    assert!(matches!(builder.add_logical(0, "x", &rule(vec![good; 65], id(1))), Err(Refusal::TooMany(_))));
    builder.add_body(0, "kept", &body(Target::Any, Offset::ANY, "kept")).unwrap();
    let bytes = builder.finish();
    let image = Image::new(&bytes).unwrap();
    image.verify().unwrap();
    assert_eq!((image.signature_count(), image.name(0)), (1, Some("kept".to_owned())));
    assert_eq!(names(&image, &examine(&image, b"good and kept", true).findings), [("kept", Some(9))]);
}

/// A pattern that contradicts itself.
fn impossible() -> Pattern {
    Pattern { elements: vec![Element::Folded(b'A')] }
}

#[test]
fn other_bytes_are_refused_by_name() {
    assert_eq!(Image::new(b"").err(), Some(ImageError::Magic));
    assert_eq!(Image::new(b"MZ and so on").err(), Some(ImageError::Magic));
    assert!(matches!(Image::new(b"DACHSIMG"), Err(ImageError::Length { .. })));
    let mut bytes = build();
    bytes[8] = 99;
    assert_eq!(Image::new(&bytes).err(), Some(ImageError::Version(99)));
}
