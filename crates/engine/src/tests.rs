//! Trees of objects built by hand, and what the engine makes of them.

use crate::{Options, Outcome, scan};
use dachs_base::{
    AnomalyKind, Budget, Cause, FileKind, Heuristic, Limit, Limits, Memory, NoClock, Report, Source, Switches, Verdict,
};
use dachs_sigdb::model::{
    BodyRule, Comparison, Condition, Digest, Element, Expression, HashRule, LinkRule, LogicalRule, Magic, MemberRule,
    Offset, Pattern, SourceInfo, Subsignature, Switch,
};
use dachs_sigdb::{Builder, Image, LinkOptions};
use std::sync::Arc;

/// What the test signature `Test.Badger` finds.
pub(crate) const BADGER: &[u8] = b"badger-badger-badger";

/// An image that finds [`BADGER`] anywhere, and allows objects of exactly these bytes.
pub(crate) fn image(allowed: &[&[u8]]) -> Vec<u8> {
    let mut builder = Builder::new();
    let source = builder.source(SourceInfo { name: "test.ndb".into(), ..SourceInfo::default() });
    let elements = BADGER.iter().map(|byte| Element::Byte { value: *byte, mask: 0xff }).collect();
    let rule = BodyRule { target: dachs_base::Target::Any, offset: Offset::ANY, pattern: Pattern { elements } };
    builder.add_body(source, "Test.Badger", &rule).unwrap();
    for bytes in allowed {
        let digest = Digest::Md5(
            md5::Digest::finalize(md5::Digest::chain_update(<md5::Md5 as md5::Digest>::new(), bytes)).into(),
        );
        builder.allow(source, &HashRule { digest, size: Some(bytes.len() as u64) });
    }
    builder.finish()
}

/// A ustar archive of these members.
pub(crate) fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, bytes) in members {
        let mut header = [0_u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", bytes.len()).as_bytes());
        header[156] = b'0';
        header[257..265].copy_from_slice(b"ustar\x0000");
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        archive.extend(header);
        archive.extend(*bytes);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

pub(crate) fn report(bytes: &[u8], image: &[u8], limits: Limits, options: Options<'_>) -> Report {
    let image = Image::new(image).unwrap();
    let file: Arc<dyn Source> = Arc::new(Memory::new(bytes));
    match scan(file, &image, &Budget::new(limits, NoClock), &options) {
        Outcome::Report(report) => report,
        Outcome::Isolate(kind) => panic!("asked for isolation of {kind:?}"),
    }
}

/// The paths of all detections, members joined by `/`.
pub(crate) fn paths(report: &Report) -> Vec<String> {
    let show = |names: &[dachs_base::Name]| {
        names.iter().map(|name| String::from_utf8_lossy(name.as_bytes()).into_owned()).collect::<Vec<_>>().join("/")
    };
    report.detections.iter().map(|detection| show(&detection.object.0)).collect()
}

/// The names of the signatures that were found, sorted.
fn names(report: &Report, image: &[u8]) -> Vec<String> {
    let image = Image::new(image).unwrap();
    let name = |cause| match cause {
        Cause::Signature(number) => image.name(number),
        _ => None,
    };
    let mut names: Vec<String> = report.detections.iter().filter_map(|found| name(found.cause)).collect();
    names.sort_unstable();
    names
}

pub(crate) const ALL: Options<'static> = Options {
    all_matches: true,
    isolate: false,
    rules: None,
    rules_on_members: false,
    about: None,
    switches: Switches::STANDARD,
    no_links: false,
    links: LinkOptions { cloaked: false, unencrypted: false },
    passwords: &[],
    now: None,
    team: None,
};

#[test]
fn members_of_members_are_found_with_their_path() {
    let inner = tar(&[("clean", b"nothing here"), ("bad", BADGER)]);
    let outer = tar(&[("a", b"x"), ("inner.tar", &inner), ("z", b"y")]);
    let found = report(&outer, &image(&[]), Limits::default(), ALL);
    assert_eq!(paths(&found), ["", "inner.tar", "inner.tar/bad"]);
    assert_eq!((found.verdict(), found.coverage.objects, found.coverage.skipped), (Verdict::Detected, 6, 0));
}

#[test]
fn encoded_stretches_are_scanned() {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let script = |inner: &[u8]| format!("bytes.fromhex('{}')", hex(inner)).into_bytes();
    let text = [&b"a text that is encoded in a text, "[..], BADGER].concat();
    let cases = [
        (script(&tar(&[("clean", b"nothing here"), ("bad", BADGER)])), vec!["hex at 15", "hex at 15/bad"]),
        (script(&script(&text)), vec!["hex at 15/hex at 15"]),
    ];
    for (file, expected) in cases {
        let found = report(&file, &image(&[]), Limits::default(), ALL);
        assert_eq!((paths(&found), found.anomalies), (expected.into_iter().map(String::from).collect(), vec![]));
    }
}

#[test]
fn what_an_archive_says_of_a_member_is_looked_at() {
    let mut builder = Builder::new();
    let source = builder.source(SourceInfo { name: "test.cdb".into(), ..SourceInfo::default() });
    let any = (0, u64::MAX);
    let rule = |name: &str, length, position| MemberRule {
        containers: vec![FileKind::Tar],
        container_size: any,
        name: Some(name.into()),
        packed: any,
        length,
        encrypted: Some(false),
        position,
    };
    builder.add_member(source, "Test.First", &rule("^on", any, (1, 1))).unwrap();
    builder.add_member(source, "Test.Empty", &rule("empty", (0, 0), any)).unwrap();
    builder.add_member(source, "Test.Never", &rule("two", any, (1, 1))).unwrap();
    let archive = tar(&[("one", b"something"), ("two", b"else"), ("empty", b"")]);
    let found = report(&archive, &builder.finish(), Limits::default(), ALL);
    assert_eq!(paths(&found), ["one", "empty"]);
}

#[test]
fn links_in_mails_are_looked_at() {
    let image = |off: bool| {
        let mut builder = Builder::new();
        let source = builder.source(SourceInfo { name: "test.pdb".into(), ..SourceInfo::default() });
        builder.add_link(source, LinkRule::Host("bank.com".into())).unwrap();
        builder.switch(source, Switch::Phishing, !off).unwrap();
        builder.finish()
    };
    let page = "<html><body><a href=\"http://evil.org/x\">www.<b>bank</b>.com</a></body></html>\r\n";
    let head = "Received: from x by y\r\nFrom: a@b.c\r\nTo: d@e.f\r\nSubject: s\r\nMIME-Version: 1.0\r\nContent-Type: text/html";
    let mail = format!("{head}\r\n\r\n{page}");
    let names = |bytes: &str, image: &[u8], options| {
        let found = report(bytes.as_bytes(), image, Limits::default(), options).detections;
        found.iter().map(|detection| detection.cause).collect::<Vec<_>>()
    };
    assert_eq!(names(&mail, &image(false), ALL), [Cause::Heuristic(Heuristic::PhishingSpoofed)]);
    assert_eq!(names(page, &image(false), ALL), []);
    assert_eq!(names(&mail, &image(true), ALL), []);
    assert_eq!(names(&mail, &image(false), Options { no_links: true, ..ALL }), []);
}

#[test]
fn content_tells_kinds_and_switches_them_off() {
    let build = |magic: Option<Magic>, off: bool| {
        let mut builder = Builder::new();
        let source = builder.source(SourceInfo { name: "test.ftm".into(), ..SourceInfo::default() });
        magic.into_iter().for_each(|magic| builder.add_magic(source, magic).unwrap());
        builder.switch(source, Switch::Kind(FileKind::Tar), !off).unwrap();
        builder.finish()
    };
    let magic = |bytes: &[u8], kind| Some(Magic { offset: 0, bytes: bytes.to_vec(), kind, partition: false });
    let kind = |image: &[u8], bytes: &[u8]| report(bytes, image, Limits::default(), ALL).kind;
    assert_eq!(kind(&build(magic(b"unkno", FileKind::Swf), false), b"unknown text"), Some(FileKind::Swf));
    let archive = tar(&[("a", b"something")]);
    assert_eq!(kind(&build(magic(b"a\0", FileKind::Swf), false), &archive), Some(FileKind::Tar));
    let off = report(&archive, &build(None, true), Limits::default(), ALL);
    assert_eq!((off.verdict(), off.coverage.objects), (Verdict::Incomplete, 1));
    assert_eq!(report(&archive, &build(None, false), Limits::default(), ALL).coverage.objects, 2);
}

#[test]
fn the_first_strong_detection_ends_the_scan() {
    let archive = tar(&[("one", BADGER), ("two", BADGER)]);
    let found = report(&archive, &image(&[]), Limits::default(), Options::default());
    assert_eq!(paths(&found), [""]);
}

#[test]
fn an_allowed_object_silences_itself_and_what_it_holds() {
    let inner = tar(&[("bad", BADGER)]);
    let outer = tar(&[("inner.tar", &inner), ("bad", BADGER)]);
    let found = report(&outer, &image(&[&inner]), Limits::default(), ALL);
    assert_eq!(paths(&found), ["", "bad"]);
    assert_eq!(report(BADGER, &image(&[BADGER]), Limits::default(), ALL).verdict(), Verdict::Clean);
}

#[test]
fn objects_that_lie_too_deep_make_the_report_incomplete() {
    let mut archive = tar(&[("core", b"harmless text")]);
    for level in 0..4 {
        archive = tar(&[(&format!("level{level}"), &archive)]);
    }
    let deep = report(&archive, &image(&[]), Limits { depth: 3, ..Limits::default() }, ALL);
    assert_eq!(deep.verdict(), Verdict::Incomplete);
    let kinds: Vec<_> = deep.anomalies.iter().map(|anomaly| (anomaly.kind, anomaly.object.0.len())).collect();
    assert_eq!(kinds, [(AnomalyKind::Limit(Limit::Depth), 3)]);
    let enough = report(&archive, &image(&[]), Limits { depth: 5, ..Limits::default() }, ALL);
    assert_eq!((enough.verdict(), enough.coverage.objects), (Verdict::Clean, 6));
}

#[test]
fn too_many_objects_make_the_report_incomplete() {
    let archive = tar(&[("a", b"1"), ("b", b"2"), ("c", b"3")]);
    let cut = report(&archive, &image(&[]), Limits { objects: 2, ..Limits::default() }, ALL);
    assert_eq!((cut.verdict(), cut.coverage.objects), (Verdict::Incomplete, 3), "{:?}", cut.anomalies);
    assert_eq!(cut.anomalies[0].kind, AnomalyKind::Limit(Limit::Objects));
}

#[test]
fn an_expired_clock_is_told() {
    struct Over;
    impl dachs_base::Clock for Over {
        fn expired(&self) -> bool {
            true
        }
    }
    let content = image(&[]);
    let file: Arc<dyn Source> = Arc::new(Memory::new(tar(&[("a", b"1")])));
    let budget = Budget::new(Limits::default(), Over);
    let Outcome::Report(late) = scan(file, &Image::new(&content).unwrap(), &budget, &ALL) else { panic!() };
    assert_eq!(late.verdict(), Verdict::Incomplete);
    assert!(late.anomalies.iter().any(|anomaly| anomaly.kind == AnomalyKind::Limit(Limit::Time)));
}

#[test]
fn archives_ask_for_a_process_of_their_own() {
    let content = image(&[]);
    let content = Image::new(&content).unwrap();
    let options = Options { isolate: true, ..ALL };
    let ask =
        |bytes: &[u8]| scan(Arc::new(Memory::new(bytes)), &content, &Budget::new(Limits::default(), NoClock), &options);
    assert!(matches!(ask(&tar(&[("a", b"1")])), Outcome::Isolate(FileKind::Tar)));
    assert!(matches!(ask(b"plain text, nothing to unpack"), Outcome::Report(_)));
}

/// Pages are read by shared workers, as long as nothing in them has to be opened.
#[test]
fn pages_ask_for_a_process_of_their_own_when_they_hold_archives() {
    let content = image(&[]);
    let content = Image::new(&content).unwrap();
    let options = Options { isolate: true, ..ALL };
    let ask =
        |bytes: &[u8]| scan(Arc::new(Memory::new(bytes)), &content, &Budget::new(Limits::default(), NoClock), &options);
    let Outcome::Report(report) = ask(b"<html><body><script>one()</script><img src='data:,some%20text'>") else {
        panic!("a page with a script and a text was isolated")
    };
    assert_eq!(report.coverage.objects, 3);
    // So is a text that turns out to be a page as well.
    let text = [b"a text\n".repeat(1000).as_slice(), b"<table><script>one()</script>"].concat();
    let Outcome::Report(report) = ask(&text) else { panic!("a text with tags was isolated") };
    assert_eq!(report.coverage.objects, 2);
    let escaped: String = tar(&[("a", b"1")]).iter().map(|byte| format!("%{byte:02x}")).collect();
    let page = format!("<html><body><p>x</p><img src='data:application/x-tar,{escaped}'></body></html>");
    assert!(matches!(ask(page.as_bytes()), Outcome::Isolate(FileKind::Html)));
}

#[test]
fn texts_are_matched_in_normalised_form_as_well() {
    let mut builder = Builder::new();
    let source = builder.source(SourceInfo::default());
    for (name, target) in [("Seven", dachs_base::Target::Ascii), ("Zero", dachs_base::Target::Any)] {
        let elements = b"two words".iter().map(|byte| Element::Byte { value: *byte, mask: 0xff }).collect();
        builder
            .add_body(source, name, &BodyRule { target, offset: Offset::ANY, pattern: Pattern { elements } })
            .unwrap();
    }
    let content = builder.finish();
    let found = |bytes: &[u8]| {
        let report = report(bytes, &content, Limits::default(), ALL);
        let causes = report.detections.iter().map(|detection| detection.cause);
        causes.collect::<Vec<_>>()
    };
    let both = [Cause::Signature(0), Cause::Signature(1)];
    assert_eq!(found(b"here are Two\r\n\tWORDS, in capitals"), both);
    assert_eq!(found(b"\x00\x00\x00\x00two words in bytes that are no text\xfe\xff\x00\x00"), both[1..]);
}

/// A program in the midst of a text, or of a member, is matched as a program; in shared workers it is not opened.
#[test]
fn embedded_programs_are_matched_as_programs() {
    let mut builder = Builder::new();
    let source = builder.source(SourceInfo::default());
    let elements = b"PE\0\0".iter().map(|byte| Element::Byte { value: *byte, mask: 0xff }).collect();
    let rule = BodyRule { target: dachs_base::Target::Pe, offset: Offset::ANY, pattern: Pattern { elements } };
    builder.add_body(source, "Test.Program", &rule).unwrap();
    let content = builder.finish();
    let mut program = vec![0; 64];
    program[..2].copy_from_slice(b"MZ");
    program[60] = 64;
    program.extend(b"PE\0\0\x4c\x01\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    let text = [b"some text before ".as_slice(), &program, &program].concat();
    let archive = tar(&[("a", &text)]);
    let found = report(&archive, &content, Limits::default(), ALL);
    assert_eq!(paths(&found), ["a/embedded pe at 17", "a/embedded pe at 105"]);
    let shared = Options { isolate: true, ..ALL };
    let (image, budget) = (Image::new(&content).unwrap(), Budget::new(Limits::default(), NoClock));
    assert!(matches!(scan(Arc::new(Memory::new(text)), &image, &budget, &shared), Outcome::Isolate(_)));
}

/// Signatures of target 3 match both forms of a page, but not the page as it is; generic ones match that as well.
#[test]
fn normalised_pages_are_matched() {
    let mut builder = Builder::new();
    let source = builder.source(SourceInfo { name: "test.ndb".into(), ..SourceInfo::default() });
    let mut add = |name: &str, target, bytes: &[u8]| {
        let elements = bytes.iter().map(|byte| Element::Byte { value: *byte, mask: 0xff }).collect();
        let rule = BodyRule { target, offset: Offset::ANY, pattern: Pattern { elements } };
        builder.add_body(source, name, &rule).unwrap();
    };
    add("NoComment", dachs_base::Target::Html, b"<a href=\"http://x\">badger</a>");
    add("NoTags", dachs_base::Target::Html, b" http://X badger hole");
    add("Raw", dachs_base::Target::Html, b"Badger<!-- - -->");
    add("Generic", dachs_base::Target::Any, b"Badger<!-- - -->");
    let content = builder.finish();
    let page = b"<HTML><A HREF='http://X'>Badger<!-- - --></A> Hole</HTML>";
    let report = report(page, &content, Limits::default(), ALL);
    assert_eq!(names(&report, &content), ["Generic", "NoComment", "NoTags"]);
    let late = [vec![b' '; 300_000], b"<IMG><a href='http://X'>Badger</a>".to_vec()].concat();
    let late = [b"a text".as_slice(), &late].concat();
    assert_eq!(self::report(&late, &content, Limits::default(), ALL).detections.len(), 1);
    assert!(report.anomalies.is_empty(), "{:?}", report.anomalies);
}

/// Of a text, signatures are told its size, whatever its form has; of a page, the form's.
#[test]
fn sizes_are_those_of_texts_and_of_forms_of_pages() {
    let mut builder = Builder::new();
    let source = builder.source(SourceInfo { name: "test.ldb".into(), ..SourceInfo::default() });
    let text = b"two \t  words   and more of them";
    let page = b"<html>  two  <!-- - -->words </html>";
    let mut add = |name: &str, target, sizes: (u64, u64)| {
        let elements = b"words".iter().map(|byte| Element::Byte { value: *byte, mask: 0xff }).collect();
        let rule = LogicalRule {
            target,
            conditions: vec![Condition::FileSize(sizes.0, sizes.1)],
            expression: Expression::Count { id: 0, comparison: Comparison::Greater, count: 0 },
            subsignatures: vec![Subsignature::Body { offset: Offset::ANY, patterns: vec![Pattern { elements }] }],
        };
        builder.add_logical(source, name, &rule).unwrap();
    };
    let (whole, less) = ((31, 31), (6, 30));
    assert_eq!(text.len(), 31);
    add("Text", dachs_base::Target::Ascii, whole);
    add("Form", dachs_base::Target::Ascii, less);
    add("Page", dachs_base::Target::Html, (36, 36));
    add("PageForm", dachs_base::Target::Html, (6, 35));
    let content = builder.finish();
    assert_eq!(names(&report(text, &content, Limits::default(), ALL), &content), ["Text"]);
    assert_eq!(names(&report(page, &content, Limits::default(), ALL), &content), ["PageForm"]);
}

#[test]
fn the_allow_list_needs_the_whole_object() {
    let almost = [BADGER, b"!"].concat();
    assert_eq!(report(&almost, &image(&[BADGER]), Limits::default(), ALL).verdict(), Verdict::Detected);
}

/// What is asked for is reported, and nothing else.
#[test]
fn switches_open_and_close() {
    use dachs_base::{Alerts, Closed, Form, Heuristic, Structured};
    let names = |bytes: &[u8], switches: Switches| -> Vec<_> {
        let report = report(bytes, &image(&[]), Limits::default(), Options { switches, ..ALL });
        report.detections.iter().map(|detection| (detection.cause, detection.object.0.len())).collect()
    };
    let badger = |depth| (Cause::Signature(0), depth);
    let archive = tar(&[("bad", BADGER)]);
    let closed = Switches { closed: Closed { archive: true, ..Closed::default() }, ..Switches::STANDARD };
    assert_eq!(names(&archive, Switches::STANDARD), [badger(0), badger(1)]);
    assert_eq!(names(&archive, closed), [badger(0)]);

    let upper = b"<html>BADGER-badger-BADGER</html>";
    assert_eq!(names(upper, Switches::STANDARD), [badger(0)]);
    assert_eq!(names(upper, Switches { no_normalising: true, ..Switches::STANDARD }), []);
    let closed = Switches { closed: Closed { html: true, ..Closed::default() }, ..Switches::STANDARD };
    assert_eq!(names(upper, closed), []);

    // APPNOTE 4.4.4: bit 0 of the flags, at 6, says that a member is encrypted.
    let mut locked = b"PK\x03\x04\x0a\0\x01\0\0\0\0\0\0\0\x86\xa6\x10\x36\x11\0\0\0\x05\0\0\0\x01\0\0\0a".to_vec();
    locked.extend([0x55; 17]);
    let alert = Switches { alerts: Alerts { encrypted_archives: true, ..Alerts::default() }, ..Switches::STANDARD };
    assert_eq!(names(&locked, Switches::STANDARD), []);
    assert_eq!(names(&locked, alert), [(Cause::Heuristic(Heuristic::EncryptedZip), 0)]);

    let cards = b"numbers 4111111111111111 5555555555554444";
    let wanted = Structured { cards: 2, credit_only: false, persons: 3, form: Form::Dashed };
    assert_eq!(names(cards, Switches::STANDARD), []);
    let structured = Switches { structured: Some(wanted), ..Switches::STANDARD };
    assert_eq!(names(cards, structured), [(Cause::Heuristic(Heuristic::CardNumbers), 0)]);

    let both = tar(&[("cards", cards), ("bad", BADGER)]);
    let first = Switches { precedence: true, ..structured };
    let strong = Options { all_matches: false, switches: first, ..ALL };
    // The signature is found in the archive's own bytes first.
    assert_eq!(report(&both, &image(&[]), Limits::default(), strong).detections.len(), 1);
}

/// A signature with a handler is found where a second look, as that kind, fulfils it again, inside of the object itself.
#[test]
fn objects_are_looked_at_again_as_a_kind() {
    use dachs_base::Target;
    use dachs_sigdb::model::{Comparison, Condition, Expression, LogicalRule, Subsignature};
    let mut builder = Builder::new();
    let source = builder.source(SourceInfo::default());
    let mut add = |name: &str, target, condition| {
        let elements = b"badger".iter().map(|byte| Element::Byte { value: *byte, mask: 0xff }).collect();
        let subsignature = Subsignature::Body { offset: Offset::ANY, patterns: vec![Pattern { elements }] };
        let expression = Expression::Count { id: 0, comparison: Comparison::Greater, count: 0 };
        let rule = LogicalRule { target, conditions: vec![condition], expression, subsignatures: vec![subsignature] };
        builder.add_logical(source, name, &rule).unwrap();
    };
    add("Handler", Target::Any, Condition::Handler(FileKind::Pdf));
    add("Handler.Lost", Target::Other, Condition::Handler(FileKind::Swf));
    add("Inside", Target::Pdf, Condition::Container(vec![FileKind::Data]));
    add("Outside", Target::Pdf, Condition::Container(Vec::new()));
    let content = builder.finish();
    let image = Image::new(&content).unwrap();
    let bytes = b"\x01\x02\x03 a badger \xff\xfe\x00\x00";
    let found = report(bytes, &content, Limits::default(), ALL);
    let mut names: Vec<_> = found
        .detections
        .iter()
        .filter_map(|found| match found.cause {
            Cause::Signature(number) => image.name(number),
            _ => None,
        })
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["Handler", "Inside"]);
}

/// Four archives that are alike, of ten members each, are scanned once, and reported as if each had been.
#[test]
fn an_identical_member_is_not_scanned_twice() {
    let texts: Vec<String> = (0..10).map(|number| format!("the member of number {number}")).collect();
    let names: Vec<String> = (0..10).map(|number| format!("m{number}")).collect();
    let members: Vec<(&str, &[u8])> = names.iter().zip(&texts).map(|(name, text)| (&**name, text.as_bytes())).collect();
    let inner = tar(&members);
    let outer = tar(&[("a", &inner), ("b", &inner), ("c", &inner), ("d", &inner)]);
    let alone = report(&tar(&[("a", &inner)]), &image(&[]), Limits::default(), ALL).coverage;
    let limits = |objects| Limits { objects, ..Limits::default() };
    let found = report(&outer, &image(&[]), limits(15), ALL);
    assert_eq!((found.verdict(), found.coverage.objects), (Verdict::Clean, 45));
    let of_one = alone.bytes - tar(&[("a", &inner)]).len() as u64;
    assert_eq!(found.coverage.bytes, outer.len() as u64 + 4 * of_one);
    // What differs in one byte is another one.
    let mut other = inner.clone();
    other[512] ^= 1;
    let outer = tar(&[("a", &inner), ("b", &other)]);
    let found = report(&outer, &image(&[]), limits(15), ALL);
    assert_eq!(found.anomalies.first().map(|anomaly| anomaly.kind), Some(AnomalyKind::Limit(Limit::Objects)));
}

#[test]
fn what_was_said_of_a_member_is_said_of_each() {
    let three = |bytes: &[u8]| tar(&[("a", bytes), ("b", bytes), ("c", bytes)]);
    let found = report(&three(BADGER), &image(&[]), Limits::default(), ALL);
    assert_eq!(paths(&found), ["", "a", "b", "c"]);
    // An archive that is cut off.
    let mut cut = tar(&[("x", b"nothing here")]);
    cut.truncate(520);
    let found = report(&three(&cut), &image(&[]), Limits::default(), ALL);
    let gaps: Vec<_> = found.anomalies.iter().filter(|anomaly| anomaly.kind == AnomalyKind::Damaged).collect();
    assert_eq!((found.coverage.skipped >= 3, gaps.len() >= 3), (true, true), "{gaps:?}");
}

/// What an allow list cancels inside of one archive is found inside of another.
#[test]
fn what_is_allowed_in_one_place_is_found_in_another() {
    let allowed = tar(&[("bad", BADGER), ("x", b"nothing here")]);
    let other = tar(&[("bad", BADGER), ("y", b"nothing there")]);
    let found =
        report(&tar(&[("a", &allowed), ("b", &allowed), ("c", &other)]), &image(&[&allowed]), Limits::default(), ALL);
    assert_eq!(paths(&found), ["", "c", "c/bad"]);
}

/// Bytes with the same length and the same CRC-32 as others that were scanned twice.
#[test]
fn a_checksum_alone_is_not_believed() {
    let spread = |number: u64| number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
    let text = |start: &[u8], number: u64| [start, &spread(number)].concat();
    let plain = [b'-'; BADGER.len()];
    let sums: std::collections::HashMap<u32, u64> =
        (0..200_000).map(|number| (crc32fast::hash(&text(&plain, number)), number)).collect();
    let twins = (0..200_000).find_map(|number| {
        let bad = text(BADGER, number);
        Some((text(&plain, *sums.get(&crc32fast::hash(&bad))?), bad))
    });
    let (good, bad) = twins.unwrap();
    let found = report(&tar(&[("a", &good), ("b", &good), ("c", &bad)]), &image(&[]), Limits::default(), ALL);
    assert_eq!(paths(&found), ["", "c"]);
}
