//! What is found in an object, where, and in which order.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "test code")]

mod common;

use common::*;
use dachs_base::{
    Budget, Certificate, Clock, Facts, FileKind, Icon, Lazy, Limit, Limits, Memory, NoClock, Section, Source, Strength,
    Target,
};
use dachs_sigdb::model::*;
use dachs_sigdb::{Image, View};

#[test]
fn digests_are_found_as_a_naive_list_finds_them() {
    let mut dice = Dice(3);
    let objects: Vec<Vec<u8>> =
        (0..300).map(|_| (0..6 + dice.below(40)).map(|_| dice.bytes::<1>()[0]).collect()).collect();
    let digests = [md5, sha1, sha256];
    let mut builder = builder();
    let mut list: Vec<(String, Digest, Option<u64>)> = Vec::new();
    for (index, object) in objects.iter().enumerate().filter(|(index, _)| index % 3 > 0) {
        for round in 0..1 + dice.below(3) {
            let size = [None, Some(object.len() as u64), Some(object.len() as u64 + 1)][dice.below(3) as usize];
            list.push((format!("S{index}.{round}"), digests[dice.below(3) as usize](object), size));
        }
    }
    for (name, digest, size) in &list {
        hash(&mut builder, name, *digest, *size);
    }
    let bytes = builder.finish();
    let image = Image::new(&bytes).unwrap();
    image.verify().unwrap();
    let mut found_any = 0;
    for object in &objects {
        let fits = |(_, digest, size): &&(String, Digest, Option<u64>)| {
            digests.iter().any(|make| make(object) == *digest) && size.is_none_or(|size| size == object.len() as u64)
        };
        let mut expected: Vec<&str> = list.iter().filter(fits).map(|(name, ..)| name.as_str()).collect();
        let mut found: Vec<&str> =
            names(&image, &examine(&image, object, true).findings).into_iter().map(|(name, _)| name).collect();
        expected.sort_unstable();
        found.sort_unstable();
        found_any += found.len();
        assert_eq!(found, expected);
    }
    assert!(found_any > 100);
}

/// Tells a digest that is not that of its bytes, so that it shows whose counts.
struct Knowing(Memory);

impl Source for Knowing {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> usize {
        self.0.read_at(offset, buffer)
    }

    fn len(&self) -> u64 {
        self.0.len()
    }

    fn known_md5(&self) -> Option<[u8; 16]> {
        Some([7; 16])
    }
}

#[test]
fn a_digest_that_a_source_knows_counts() {
    let mut builder = builder();
    hash(&mut builder, "Told", Digest::Md5([7; 16]), Some(8));
    hash(&mut builder, "Digested", sha256(b"abcdefgh"), Some(8));
    hash(&mut builder, "Not.asked", md5(b"abcdefgh"), Some(8));
    let bytes = builder.finish();
    let image = Image::new(&bytes).unwrap();
    assert!(image.wants_md5(8) && !image.wants_md5(9));
    let found =
        examine_source(&image, &Knowing(Memory::new(&b"abcdefgh"[..])), FileKind::Data, &Facts::default(), true);
    assert_eq!(names(&image, &found.findings), [("Told", None), ("Digested", None)]);
}

#[test]
fn objects_of_other_sizes_are_not_read() {
    let mut builder = builder();
    hash(&mut builder, "A", md5(b"abcdefgh"), Some(8));
    let bytes = builder.finish();
    let image = Image::new(&bytes).unwrap();
    let sparse = |length| Sparse { allowance: 20.into(), ..Sparse::new(length, vec![(0, b"abcdefgh".to_vec())]) };
    let look = |source: &Sparse| examine_source(&image, source, FileKind::Data, &Facts::default(), true);
    assert_eq!(look(&sparse(1 << 40)).findings, []);
    assert_eq!(look(&sparse(1 << 40)).bytes, 1 << 40);
    assert_eq!(names(&image, &look(&sparse(8)).findings), [("A", None)]);
    let unknown = Sparse { known: false, ..sparse(8) };
    assert_eq!(names(&image, &look(&unknown).findings), [("A", None)]);
}

#[test]
fn findings_come_in_clamavs_order() {
    let mut builder = builder();
    let object = b"MZ one two three four";
    builder.add_logical(0, "L.any", &logical(Target::Any, &[], id(0), &["one"])).unwrap();
    builder.add_logical(0, "L.pe.2", &logical(Target::Pe, &[], id(0), &["two"])).unwrap();
    builder.add_logical(0, "L.pe.1", &logical(Target::Pe, &[], id(0), &["one"])).unwrap();
    hash(&mut builder, "H.any", sha256(object), None);
    hash(&mut builder, "H.sized", sha256(object), Some(object.len() as u64));
    hash(&mut builder, "H.md5", md5(object), None);
    builder.add_body(0, "B.any", &body(Target::Any, Offset::ANY, "MZ")).unwrap();
    builder.add_body(0, "B.pe", &body(Target::Pe, Offset::ANY, "four")).unwrap();
    builder.add_body(0, "B.elf", &body(Target::Elf, Offset::ANY, "four")).unwrap();
    let bytes = builder.finish();
    let image = Image::new(&bytes).unwrap();
    image.verify().unwrap();
    let facts = Facts { entry_point: Some(0), ..Facts::default() };
    let examined = examine_source(&image, &Memory::new(*object), FileKind::Pe, &facts, true);
    let expected = [
        ("B.pe", Some(17)),
        ("B.any", Some(0)),
        ("H.md5", None),
        ("H.sized", None),
        ("H.any", None),
        ("L.pe.2", Some(7)),
        ("L.pe.1", Some(3)),
        ("L.any", Some(3)),
    ];
    assert_eq!(names(&image, &examined.findings), expected);
    assert_eq!((examined.bytes, examined.limit), (object.len() as u64, None));
    let first = examine_source(&image, &Memory::new(*object), FileKind::Pe, &facts, false);
    assert_eq!(names(&image, &first.findings), [("B.pe", Some(17))]);
}

#[test]
fn a_weak_finding_does_not_end_the_search() {
    let mut builder = builder();
    builder.add_body(0, "PUA.A", &body(Target::Any, Offset::ANY, "needle")).unwrap();
    builder.add_logical(0, "Heuristics.B", &logical(Target::Any, &[], id(0), &["needle"])).unwrap();
    builder.add_logical(0, "Strong.C", &logical(Target::Any, &[], id(0), &["needle"])).unwrap();
    builder.add_logical(0, "Strong.D", &logical(Target::Any, &[], id(0), &["needle"])).unwrap();
    let bytes = builder.finish();
    let image = Image::new(&bytes).unwrap();
    let examined = examine(&image, b"a needle", false);
    assert_eq!(
        names(&image, &examined.findings).iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        ["PUA.A", "Heuristics.B", "Strong.C"]
    );
    assert_eq!(
        examined.findings.iter().map(|finding| finding.strength).collect::<Vec<_>>(),
        [Strength::Weak, Strength::Weak, Strength::Strong]
    );
}

#[test]
fn a_signature_is_found_once() {
    let mut builder = builder();
    builder.add_body(0, "A", &body(Target::Any, Offset::ANY, "na")).unwrap();
    let bytes = builder.finish();
    let image = Image::new(&bytes).unwrap();
    assert_eq!(names(&image, &examine(&image, b"banananana", true).findings), [("A", Some(2))]);
}

#[test]
fn tiny_objects_fulfil_nothing() {
    let mut builder = builder();
    builder.add_body(0, "B", &body(Target::Any, Offset::ANY, "ab")).unwrap();
    builder.add_logical(0, "L", &logical(Target::Any, &[], count(0, Comparison::Equal, 0), &["zz"])).unwrap();
    for length in 0..8_usize {
        hash(&mut builder, "H", md5(&b"abababab"[..length]), Some(length as u64));
    }
    let bytes = builder.finish();
    let image = Image::new(&bytes).unwrap();
    for length in 0..8 {
        let found = examine(&image, &b"abababab"[..length], true);
        assert_eq!((found.findings.len(), found.bytes), (if length > 5 { 3 } else { 0 }, length as u64));
    }
}

#[test]
fn matches_are_counted_where_they_may_start() {
    let counts = |expression: Expression| logical(Target::Any, &[], expression, &["aa"]);
    let mut builder = builder();
    builder.add_logical(0, "five", &counts(count(0, Comparison::Equal, 5))).unwrap();
    builder.add_logical(0, "none", &counts(count(0, Comparison::Equal, 0))).unwrap();
    let mut within = counts(count(0, Comparison::Equal, 2));
    within.subsignatures = vec![Subsignature::Body {
        offset: Offset { base: OffsetBase::Absolute(4), shift: 1 },
        patterns: vec![pattern("aa")],
    }];
    builder.add_logical(0, "two at 4 and 5", &within).unwrap();
    let bytes = builder.finish();
    let image = Image::new(&bytes).unwrap();
    let found = |object: &[u8]| names(&image, &examine(&image, object, true).findings);
    assert_eq!(found(b"...aaaaaa..."), [("five", Some(3)), ("two at 4 and 5", Some(4))]);
    assert_eq!(found(b".....baab..."), []);
    assert_eq!(found(b"............"), [("none", None)]);
}

/// A pattern that is found in many places where it may not start is still found where it may.
#[test]
fn places_are_found_among_many_others() {
    let mut builder = builder();
    for (name, base) in [
        ("start", OffsetBase::Absolute(0)),
        ("middle", OffsetBase::Absolute(2_000_000)),
        ("end", OffsetBase::End(2)),
        ("nowhere", OffsetBase::Absolute(3_000_000)),
        ("odd", OffsetBase::Absolute(1_000_001)),
    ] {
        builder.add_body(0, name, &body(Target::Any, Offset { base, shift: 0 }, "ab")).unwrap();
    }
    builder
        .add_body(0, "far", &body(Target::Any, Offset { base: OffsetBase::Absolute(2), shift: 0 }, "ab*ef"))
        .unwrap();
    let bytes = builder.finish();
    let image = Image::new(&bytes).unwrap();
    let mut object = b"ab".repeat(1_250_000);
    object[2_400_000..2_400_002].copy_from_slice(b"ef");
    let mut found = names(&image, &examine(&image, &object, true).findings);
    found.sort_unstable();
    assert_eq!(found, [("end", Some(2_499_998)), ("far", Some(2)), ("middle", Some(2_000_000)), ("start", Some(0))]);
}

#[test]
fn offsets_need_their_facts() {
    let rules = [
        ("EOF", OffsetBase::End(4)),
        ("EP", OffsetBase::EntryPoint(0)),
        ("SL", OffsetBase::LastSection(0)),
        ("S0", OffsetBase::Section { index: 0, offset: 0 }),
        ("abs", OffsetBase::Absolute(16)),
    ];
    let mut builder = builder();
    for target in [Target::Pe, Target::Any] {
        for (name, base) in rules {
            builder.add_body(0, name, &body(target, Offset { base, shift: 0 }, "here")).unwrap();
        }
    }
    let bytes = builder.finish();
    let image = Image::new(&bytes).unwrap();
    let found = |kind, facts: &Facts| {
        let examined = examine_source(&image, &Memory::new(*b"................here"), kind, facts, true);
        let mut names: Vec<&str> = names(&image, &examined.findings).into_iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        names
    };
    let section = Section { offset: 16, size: 4 };
    let whole = Facts { entry_point: Some(16), sections: vec![section], ..Facts::default() };
    let both = |names: &[&'static str]| names.iter().flat_map(|name| [*name, *name]).collect::<Vec<_>>();
    assert_eq!(found(FileKind::Pe, &whole), both(&["EOF", "EP", "S0", "SL", "abs"]));
    assert_eq!(
        found(FileKind::Pe, &Facts { entry_point: None, sections: vec![section], ..Facts::default() }),
        both(&["EOF", "S0", "SL", "abs"])
    );
    // The header could not be read: every relative offset is off.
    assert_eq!(found(FileKind::Pe, &Facts::default()), both(&["abs"]));
    assert_eq!(found(FileKind::Data, &Facts::default()), ["EOF", "abs"]);
}

#[test]
fn sections_and_imports_of_executables_are_digested() {
    let mut builder = builder();
    let rules: [(&str, Scope, Digest, Option<u64>); 7] = [
        ("md5", Scope::Section, md5(b"section one"), Some(11)),
        ("sha1", Scope::Section, sha1(b"section two"), Some(11)),
        ("any size", Scope::Section, sha256(b"third"), None),
        ("other size", Scope::Section, md5(b"section one"), Some(12)),
        ("whole", Scope::Section, md5(b"section onesection twothird"), Some(27)),
        ("empty", Scope::Section, md5(b""), None),
        ("imports", Scope::Imports, md5(b"a.b,c.d"), Some(7)),
    ];
    for (name, scope, digest, size) in rules {
        builder.add_digest(0, name, scope, &HashRule { digest, size }).unwrap();
    }
    let bytes = builder.finish();
    let image = Image::new(&bytes).unwrap();
    image.verify().unwrap();
    let section = |offset, size| Section { offset, size };
    let facts = Facts {
        entry_point: Some(0),
        // The first one stands there twice, one is empty, one reaches past the end.
        sections: vec![section(0, 11), section(11, 11), section(0, 11), section(22, 5), section(5, 0), section(26, 9)],
        imports: Lazy::known(b"a.b,c.d".to_vec()),
        ..Facts::default()
    };
    let found = |kind, facts: &Facts, all| {
        let examined = examine_source(&image, &Memory::new(*b"section onesection twothird"), kind, facts, all);
        assert_eq!((examined.bytes, examined.limit), (27, None));
        names(&image, &examined.findings).into_iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found(FileKind::Pe, &facts, true), ["md5", "sha1", "any size", "imports"]);
    assert_eq!(found(FileKind::Pe, &facts, false), ["md5"]);
    assert_eq!(found(FileKind::Elf, &facts, true), Vec::<String>::new());
    assert_eq!(found(FileKind::Pe, &Facts::default(), true), Vec::<String>::new());
}

#[test]
fn one_pattern_serves_many_signatures() {
    let mut builder = builder();
    for number in 0..50 {
        builder.add_body(0, &format!("B{number}"), &body(Target::Any, Offset::ANY, "shared")).unwrap();
    }
    let alone = {
        let mut builder = common::builder();
        builder.add_body(0, "B", &body(Target::Any, Offset::ANY, "shared")).unwrap();
        builder.finish()
    };
    let bytes = builder.finish();
    let image = Image::new(&bytes).unwrap();
    image.verify().unwrap();
    assert_eq!(examine(&image, b"it is shared", true).findings.len(), 50);
    assert!(bytes.len() < alone.len() + 50 * 64);
}

#[test]
fn the_allow_list_knows_digests_and_sizes() {
    let mut builder = builder();
    builder.allow(0, &HashRule { digest: md5(b"good file"), size: Some(9) });
    builder.allow(0, &HashRule { digest: sha256(b"other file"), size: Some(9) });
    let sized = builder.finish();
    let mut builder = common::builder();
    builder.allow(0, &HashRule { digest: sha1(b"any size"), size: None });
    let any = builder.finish();
    let (sized, any) = (Image::new(&sized).unwrap(), Image::new(&any).unwrap());
    sized.verify().unwrap();
    any.verify().unwrap();
    let memory = |bytes: &[u8]| Memory::new(bytes);
    assert!(sized.allows(&memory(b"good file")) && any.allows(&memory(b"any size")));
    assert!(
        !sized.allows(&memory(b"other file"))
            && !sized.allows(&memory(b"any size"))
            && !any.allows(&memory(b"good file"))
    );
    let unread = Sparse { allowance: 0.into(), ..Sparse::new(1 << 40, vec![]) };
    assert!(!sized.allows(&unread));
    let unknown = Sparse { known: false, ..Sparse::new(9, vec![(0, b"good file".to_vec())]) };
    assert!(sized.allows(&unknown));
}

/// A clock that expires after some looks.
struct Looks(std::sync::atomic::AtomicU32);

impl Clock for Looks {
    fn expired(&self) -> bool {
        self.0
            .fetch_update(std::sync::atomic::Ordering::Relaxed, std::sync::atomic::Ordering::Relaxed, |left| {
                left.checked_sub(1)
            })
            .is_err()
    }
}

#[test]
fn limits_end_the_examination_and_are_told() {
    let mut builder = builder();
    builder.add_logical(0, "none", &logical(Target::Any, &[], count(0, Comparison::Equal, 0), &["zzzz"])).unwrap();
    let bytes = builder.finish();
    let image = Image::new(&bytes).unwrap();
    let facts = Facts::default();
    let look = |source: &dyn Source, budget: &Budget| {
        image.examine(&View { source, target: FileKind::Data.target(), facts: &facts, around: &[] }, budget, true)
    };
    let object = Memory::new(vec![b'.'; 3 << 20]);
    let slow = Budget::new(Limits::default(), Looks(2.into()));
    let examined = look(&object, &slow);
    assert_eq!(examined.limit.map(|reached| reached.limit), Some(Limit::Time));
    assert!(examined.findings.is_empty() && examined.bytes < 3 << 20);
    let small = Budget::new(Limits { memory: 50_000, ..Limits::default() }, NoClock);
    assert_eq!(look(&object, &small).limit.map(|reached| reached.limit), Some(Limit::Memory));
    let enough = Budget::new(Limits { memory: 500_000, ..Limits::default() }, NoClock);
    let examined = look(&object, &enough);
    assert_eq!((examined.findings.len(), examined.bytes, examined.limit), (1, 3 << 20, None));
    assert_eq!(enough.memory_left(), 500_000);
}

#[test]
fn findings_are_bounded_but_a_strong_one_is_kept() {
    let mut builder = builder();
    for number in 0..60 {
        builder.add_body(0, &format!("PUA.{number}"), &body(Target::Any, Offset::ANY, "needle")).unwrap();
    }
    builder.add_body(0, "Strong", &body(Target::Any, Offset::ANY, "strong")).unwrap();
    let bytes = builder.finish();
    let image = Image::new(&bytes).unwrap();
    let budget = Budget::new(Limits { detections: 5, ..Limits::default() }, NoClock);
    let source = Memory::new(*b"a needle; a strong one");
    let view = View { source: &source, target: FileKind::Data.target(), facts: &Facts::default(), around: &[] };
    let examined = image.examine(&view, &budget, true);
    assert_eq!((examined.findings.len(), examined.findings[50].strength), (51, Strength::Strong));
    assert_eq!(examined.dropped, 10);
}

/// A signature that wants another look at the object gives no finding, but says as what.
#[test]
fn handlers_are_handed_on() {
    let mut builder = builder();
    let conditions = [Condition::FileSize(1, 100), Condition::Handler(FileKind::Pdf)];
    let rule = logical(Target::Any, &conditions, count(0, Comparison::Greater, 0), &["badger"]);
    builder.add_logical(0, "handler", &rule).unwrap();
    builder
        .add_logical(0, "never", &logical(Target::Any, &[Condition::Never("SFX".into())], rule.expression, &["badger"]))
        .unwrap();
    let bytes = builder.finish();
    let image = Image::new(&bytes).unwrap();
    image.verify().unwrap();
    let source = Memory::new(*b"a badger");
    let view = View { source: &source, target: FileKind::Data.target(), facts: &Facts::default(), around: &[] };
    let examined = image.examine(&view, &Budget::new(Limits::default(), NoClock), true);
    assert!(examined.findings.is_empty());
    let handlers: Vec<_> =
        examined.handlers.iter().map(|(found, kind)| (found.signature, found.offset, *kind)).collect();
    assert_eq!(handlers, [(0, Some(2), FileKind::Pdf)]);
}

/// Icons and certificates are asked of programs, and only when there are rules for them.
#[test]
fn icons_and_certificates_are_facts() {
    let icon = Icon { side: 32, coloured: 50, shares: [100, 0, 0], ..Icon::default() };
    let certificate = Certificate { subject: [1; 20], serial: [2; 20], modulus: vec![3, 4] };
    let mut builder = builder();
    builder.add_icon(0, IconRule { groups: ["G".into(), "H".into()], icon }).unwrap();
    let rule =
        |subject, serial, modulus: &[u8]| CertificateRule { subject: [subject; 20], serial, modulus: modulus.to_vec() };
    builder.add_certificate(0, "revoked", &rule(1, Some([2; 20]), &[3, 4])).unwrap();
    builder.add_certificate(0, "revoked.any", &rule(1, None, &[3, 4])).unwrap();
    builder.add_certificate(0, "other", &rule(1, Some([3; 20]), &[3, 4])).unwrap();
    builder.add_certificate(0, "key", &rule(1, None, &[3, 5])).unwrap();
    for (name, groups) in
        [("icon", (Some("G"), Some("H"))), ("icon.any", (None, Some("*"))), ("icon.none", (Some("H"), None))]
    {
        let groups = Condition::Icon(groups.0.map(str::to_owned), groups.1.map(str::to_owned));
        builder
            .add_logical(0, name, &logical(Target::Pe, &[groups], count(0, Comparison::Greater, 0), &["badger"]))
            .unwrap();
    }
    let bytes = builder.finish();
    let image = Image::new(&bytes).unwrap();
    image.verify().unwrap();
    assert_eq!(image.decode(0), Some(Rule::Certificate(rule(1, Some([2; 20]), &[3, 4]))));
    let found = |facts: &Facts, all| {
        let source = Memory::new(*b"MZ a badger");
        let view = View { source: &source, target: Target::Pe, facts, around: &[] };
        let examined = image.examine(&view, &Budget::new(Limits::default(), NoClock), all);
        examined.findings.iter().map(|found| image.name(found.signature).unwrap()).collect::<Vec<_>>()
    };
    let facts = Facts {
        entry_point: Some(0),
        icons: Lazy::known(vec![Icon { side: 16, ..icon }, icon]),
        certificates: Lazy::known(vec![certificate]),
        ..Facts::default()
    };
    assert_eq!(found(&facts, true), ["revoked", "revoked.any", "icon", "icon.any"]);
    assert_eq!(found(&facts, false), ["revoked"]);
    assert!(found(&Facts { entry_point: Some(0), ..Facts::default() }, true).is_empty());
}

#[test]
fn a_digest_that_two_signatures_name_has_both_names() {
    let mut builder = builder();
    hash(&mut builder, "One", md5(b"badger"), Some(6));
    hash(&mut builder, "Two", md5(b"badger"), Some(6));
    let bytes = builder.finish();
    let image = Image::new(&bytes).unwrap();
    let found = |all| names(&image, &examine(&image, b"badger", all).findings).len();
    assert_eq!((found(true), found(false)), (2, 1));
}

/// Subsignatures that begin with what many objects hold are led by their rarest piece; the answers are those of a plain search.
#[test]
fn subsignatures_with_heralds_are_found_as_a_plain_search_finds_them() {
    const COMMON: [&str; 3] = ["<script", "function", "eval"];
    const RARE: [&str; 4] = ["zq#xj%kv", "wv!bn&qp", "yy#kk%jj", "vw~zx^qk"];
    let mut dice = Dice(7);
    let mut below = |bound: usize| usize::try_from(dice.below(bound as u64)).unwrap();
    let mut builder = builder();
    let mut rules = Vec::new();
    for number in 0..60 {
        let mut words =
            || [COMMON[below(3)], RARE[below(4)], if below(2) == 0 { COMMON[below(3)] } else { RARE[below(4)] }];
        let pair = [words(), words()];
        let texts = pair.map(|words| words.join("*"));
        let expression = match number % 3 {
            0 => id(0),
            1 => Expression::And(vec![id(0), id(1)]),
            _ => Expression::Or(vec![id(0), id(1)]),
        };
        let rule = logical(Target::Any, &[], expression, &[&texts[0], &texts[1]]);
        builder.add_logical(0, &format!("R{number}"), &rule).unwrap();
        rules.push((number % 3, pair));
    }
    let bytes = builder.finish();
    let image = Image::new(&bytes).unwrap();
    image.verify().unwrap();
    let follow = |object: &str, words: &[&str; 3]| {
        words.iter().try_fold(object, |rest, word| rest.find(word).map(|at| &rest[at + word.len()..])).is_some()
    };
    let mut found = 0;
    for _ in 0..400 {
        let object: String = (0..6)
            .map(|_| if below(3) == 0 { RARE[below(4)] } else { COMMON[below(3)] })
            .flat_map(|word| ["the badger digs ", word])
            .collect();
        let expected: Vec<String> = rules
            .iter()
            .enumerate()
            .filter(|(_, (kind, [one, other]))| match kind {
                0 => follow(&object, one),
                1 => follow(&object, one) && follow(&object, other),
                _ => follow(&object, one) || follow(&object, other),
            })
            .map(|(number, _)| format!("R{number}"))
            .collect();
        let examined = examine(&image, object.as_bytes(), true);
        let names: Vec<&str> = names(&image, &examined.findings).iter().map(|(name, _)| *name).collect();
        assert_eq!(names, expected, "{object}");
        found += names.len();
    }
    assert!(found > 500, "{found}");
}
