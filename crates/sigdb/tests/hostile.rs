//! Images that are cut, or changed, or changed with their checksums repaired: they are refused, or they are safe to use.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "test code")]

mod common;

use common::*;
use dachs_base::{Budget, Facts, FileKind, Icon, Limits, Memory, Meta, Name, NoClock, Section, Strength, Target};
use dachs_sigdb::model::*;
use dachs_sigdb::{Builder, Described, Image, LinkOptions, View};
use sha2::{Digest as _, Sha256};

/// An image with something in every section.
fn build() -> Vec<u8> {
    let mut builder = builder();
    let mut dice = Dice(5);
    for number in 0..70_u64 {
        let size = (number % 4 > 0).then_some(number % 9 + 6);
        let digest = [Digest::Md5(dice.bytes()), Digest::Sha1(dice.bytes()), Digest::Sha256(dice.bytes())];
        hash(&mut builder, &format!("H{number}"), digest[(number % 3) as usize], size);
    }
    hash(&mut builder, "object", md5(OBJECT), Some(OBJECT.len() as u64));
    builder.allow(0, &HashRule { digest: sha256(OBJECT), size: None });
    builder.allow(0, &HashRule { digest: md5(OBJECT), size: Some(OBJECT.len() as u64) });
    for (index, base) in [OffsetBase::Any, OffsetBase::End(9), OffsetBase::WithinSection(0)].into_iter().enumerate() {
        for target in [Target::Any, Target::Pe] {
            let offset = Offset { base, shift: 9 };
            builder
                .add_body(0, &format!("B{index}"), &body(target, offset, ["badger", "eats*worm", "b?dge"][index]))
                .unwrap();
        }
    }
    let expression = Expression::Block {
        inner: Box::new(Expression::Or(vec![id(0), id(1), count(1, Comparison::Equal, 0)])),
        comparison: Comparison::Greater,
        count: 0,
        distinct: 1,
    };
    let conditions = [Condition::FileSize(0, 99), Condition::NumberOfSections(1, 9)];
    let mut rule = logical(Target::Pe, &conditions, expression, &["badger", "worm"]);
    let Subsignature::Body { patterns, .. } = &mut rule.subsignatures[0] else { unreachable!("bodies") };
    patterns.push(pattern("w?rm"));
    builder.add_logical(0, "L", &rule).unwrap();
    builder.add_logical(0, "L", &logical(Target::Any, &[], count(0, Comparison::Equal, 0), &["zzzz"])).unwrap();
    let member = MemberRule {
        containers: vec![FileKind::Zip],
        container_size: (0, 99),
        name: Some("worm".into()),
        packed: (0, u64::MAX),
        length: (7, 7),
        encrypted: None,
        position: (1, 9),
    };
    builder.add_member(0, "M", &member).unwrap();
    builder.add_member(0, "PUA.M", &MemberRule { name: None, ..member }).unwrap();
    builder.entry(0, "things", true).unwrap();
    builder
        .add_magic(0, Magic { offset: 2, bytes: b"badger".to_vec(), kind: FileKind::Zip, partition: false })
        .unwrap();
    builder.add_password(0, Password { containers: vec![FileKind::Zip], bytes: b"secret".to_vec() }).unwrap();
    builder.add_link(0, LinkRule::Host("bank.com".into())).unwrap();
    builder.add_link(0, LinkRule::AllowedPair("a+/".into())).unwrap();
    builder.add_link(0, LinkRule::Digest { digest: vec![7; 32], says: DigestSays::Blocked }).unwrap();
    builder.switch(0, Switch::Kind(FileKind::Rar), false).unwrap();
    others(&mut builder);
    builder.skipped(0, "because");
    builder.finish()
}

/// The kinds of signatures that are seldom.
fn others(builder: &mut Builder) {
    let imports = HashRule { digest: md5(b"a.b"), size: Some(3) };
    builder.add_digest(0, "I", Scope::Imports, &imports).unwrap();
    builder.add_digest(0, "S", Scope::Section, &HashRule { digest: sha1(b"a badger "), size: Some(9) }).unwrap();
    builder.add_indicator(0, "i.ioc", &HashRule { digest: sha256(b"x"), size: None }).unwrap();
    let certificate = CertificateRule { subject: [1; 20], serial: Some([2; 20]), modulus: vec![3; 64] };
    builder.add_certificate(0, "C", &certificate).unwrap();
    builder.add_icon(0, IconRule { groups: ["A".into(), "B".into()], icon: Icon::default() }).unwrap();
    let strings = vec!["$a".to_owned()];
    let metadata = vec![("score".to_owned(), MetadataValue::Integer(70))];
    builder.add_yara(0, "Y", Strength::Weak, &YaraRule { tags: vec!["t".into()], metadata, strings }).unwrap();
    builder.add_yara_text(&YaraText { source: 0, gate: 0, text: "rule Y { condition: true }" }).unwrap();
    let group = Offset { base: OffsetBase::Group(4), shift: 0 };
    builder.add_body(0, "G", &body(Target::Any, group, "worm")).unwrap();
    let form = NumberForm::Text { digits: Digits::Auto, little: false, exact: false };
    let comparisons = vec![(Comparison::Greater, 1), (Comparison::Less, 9)];
    let mut rule = logical(
        Target::Any,
        &[
            Condition::Container(vec![FileKind::Zip]),
            Condition::Intermediates(vec![vec![FileKind::Zip], Vec::new()]),
            Condition::EntryPoint(0, 9),
            Condition::Handler(FileKind::Zip),
            Condition::Icon(Some("A".into()), None),
            Condition::Never("SFX".into()),
        ],
        Expression::And((0..5).map(id).collect()),
        &["badger"],
    );
    rule.subsignatures.extend([
        Subsignature::Compare(Compare { id: 0, distance: 7, form, length: 2, comparisons }),
        Subsignature::Macro { min: 1, max: 20, group: 4 },
        Subsignature::Picture(7),
        Subsignature::Regex {
            offset: Offset { base: OffsetBase::Absolute(1), shift: 9 },
            trigger: id(0),
            regex: Regex { text: "(e)a\\1?ts".into(), flags: "ig".into() },
        },
    ]);
    builder.add_logical(0, "Special", &rule).unwrap();
    rule.conditions.clear();
    builder.add_logical(0, "Special", &rule).unwrap();
}

const OBJECT: &[u8] = b"a badger eats a worm, and a badger eats a worm";

/// Uses an image in every way. Nothing may panic; how much can be found is bounded.
fn use_all(image: &Image<'_>) {
    let _ = image.verify();
    let _ = image.info();
    for signature in (0..image.signature_count().min(100)).chain([u32::MAX]) {
        let _ = (image.name(signature), image.source_of(signature), image.strength(signature), image.decode(signature));
    }
    let _ = image.find("object");
    let source = Memory::new(OBJECT);
    let facts = Facts { entry_point: Some(2), sections: vec![Section { offset: 0, size: 9 }], ..Facts::default() };
    let budget = Budget::new(Limits { memory: 8 << 20, ..Limits::default() }, NoClock);
    let before = budget.memory_left();
    for kind in [FileKind::Pe, FileKind::Zip] {
        let view = View { source: &source, target: kind.target(), facts: &facts, around: &[FileKind::Zip] };
        let examined = image.examine(&view, &budget, true);
        assert!(examined.findings.len() <= 1001);
    }
    assert_eq!(budget.memory_left(), before);
    let _ = image.allows(&source);
    let meta = Meta { name: Name::new(b"a worm"), length: 7, position: 1, ..Meta::default() };
    let member = Described { meta: &meta, container: FileKind::Zip, container_size: 9 };
    assert!(image.examine_member(&member, true).len() <= 1000);
    let _ = image.judge_link(b"http://evil.com/", b"bank.com", &LinkOptions::default());
    let _ = (image.yara_texts().count(), image.yara_rules().count());
    let _ = (image.kind_of(&source, false), image.passwords(FileKind::Zip), image.is_off(Switch::Phishing));
}

/// Writes right checksums into a changed image, as another implementation would: the layout is in the crate's essay.
fn repair(bytes: &mut [u8]) -> Option<()> {
    let number = |bytes: &[u8], at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    let count = u32::from_le_bytes(bytes.get(12..16)?.try_into().ok()?) as usize;
    let length = bytes.len() as u64;
    bytes.get_mut(16..24)?.copy_from_slice(&length.to_le_bytes());
    let table = usize::try_from(number(bytes, 24)?).ok()?;
    for entry in (0..count.min(4096)).map(|index| table.saturating_add(index * 64)) {
        if let Some((offset, length)) = number(bytes, entry.checked_add(8)?).zip(number(bytes, entry + 16)) {
            let range = usize::try_from(offset).ok()?..usize::try_from(offset.checked_add(length)?).ok()?;
            let checksum = bytes.get(range).map(Sha256::digest);
            if let Some((place, checksum)) = bytes.get_mut(entry + 32..entry + 64).zip(checksum) {
                place.copy_from_slice(&checksum);
            }
        }
    }
    let checksum = Sha256::new().chain_update(&bytes[..32]).chain_update(bytes.get(table..)?).finalize();
    bytes[32..64].copy_from_slice(&checksum);
    Some(())
}

#[test]
fn the_repair_of_a_whole_image_changes_nothing() {
    let bytes = build();
    let image = Image::new(&bytes).unwrap();
    image.verify().unwrap();
    use_all(&image);
    let mut repaired = bytes.clone();
    repair(&mut repaired).unwrap();
    assert_eq!(repaired, bytes);
}

#[test]
fn the_same_content_gives_the_same_bytes() {
    assert_eq!(build(), build());
}

#[test]
fn every_cut_is_refused() {
    let bytes = build();
    for length in 0..bytes.len() {
        assert!(Image::new(&bytes[..length]).is_err(), "{length}");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(Image::new(&longer).is_err());
}

#[test]
fn cuts_with_a_repaired_length_are_safe() {
    let bytes = build();
    for length in 64..bytes.len() {
        let mut cut = bytes[..length].to_vec();
        repair(&mut cut);
        if let Ok(image) = Image::new(&cut) {
            use_all(&image);
        }
    }
}

#[test]
fn every_flipped_byte_is_noticed() {
    let bytes = build();
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        if let Ok(image) = Image::new(&flipped) {
            assert!(image.verify().is_err(), "byte {at} of {}", bytes.len());
            use_all(&image);
        }
    }
}

#[test]
fn changes_with_repaired_checksums_are_refused_or_safe() {
    let bytes = build();
    let mut dice = Dice(9);
    let mut used = 0;
    for round in 0..4_000_u64 {
        let mut changed = bytes.clone();
        for _ in 0..1 + dice.below(3) {
            // Half of the changes go to the numbers that point: any aligned word.
            let at = dice.below(bytes.len() as u64 - 8) as usize;
            if dice.below(2) == 0 {
                changed[at] = dice.bytes::<1>()[0];
            } else {
                let word = [0, 1, u32::MAX, u32::MAX - 1, 1 << 31, 63, 64, 65][dice.below(8) as usize];
                changed[at & !3..(at & !3) + 4].copy_from_slice(&word.to_le_bytes());
            }
        }
        repair(&mut changed);
        if let Ok(image) = Image::new(&changed) {
            used += 1;
            use_all(&image);
        }
        assert!(round < 1000 || used > 0);
    }
    assert!(used > 1_000, "{used}");
}
