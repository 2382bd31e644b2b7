//! What every engine behind [`Compile`] and [`Evaluate`](dachs_rules::Evaluate) does, whichever it is.
//!
//! A table of rules and objects, and the few things that a table cannot say.

use dachs_rules::{Compile, Evaluate, Externals, Fault, Object, split};
use std::time::Duration;

/// Makes a fresh compiler.
pub(crate) type New = fn() -> Box<dyn Compile>;

/// Holds an engine to all of it.
///
/// # Panics
/// When the engine does not keep it.
pub(crate) fn check(new: New) {
    conditions_decide(new);
    sources_do_not_see_each_other(new);
    strings_have_places(new);
    variables_are_set(new);
    a_fault_costs_itself_alone(new);
    the_deadline_holds(new);
}

/// Rules, an object, and the names of those that hit.
const TABLE: &[(&str, &[u8], &str)] = &[
    ("rule a { strings: $x = \"badger\" condition: $x }", b"a badger", "a"),
    ("rule a { strings: $x = \"badger\" condition: $x }", b"a bad ger", ""),
    ("rule a { strings: $x = \"BADGER\" nocase fullword condition: $x }", b"badgers badger", "a"),
    ("rule a { strings: $x = \"badger\" wide condition: $x }", b"b\0a\0d\0g\0e\0r\0", "a"),
    ("rule a { strings: $x = \"badger\" xor(1-255) condition: $x }", b"c`efds", "a"),
    ("rule a { strings: $x = \"badger\" base64 condition: $x }", b"xxYmFkZ2Vyxx", "a"),
    ("rule a { strings: $x = { 62 ?? 64 [1-3] ( 65 | 66 ) 72 } condition: $x }", b"badger", "a"),
    ("rule a { strings: $x = /b[a-d]{2}g+(e|i)r$/ condition: $x }", b"badgger", "a"),
    ("rule a { strings: $x = \"x\" condition: #x == 3 and @x[2] == 2 and !x[1] == 1 }", b"x xx", "a"),
    ("rule a { strings: $x = \"x\" $y = \"y\" $z = \"z\" condition: 2 of them }", b"zx", "a"),
    ("rule a { strings: $x = \"x\" condition: for any i in (1..#x) : ( @x[i] == 4 ) }", b"x   x", "a"),
    ("rule a { strings: $x = \"x\" condition: $x at 1 and $x in (0..2) and not $x at 0 }", b"yx", "a"),
    ("rule a { strings: $x = \"x\" condition: $x in (filesize-10..filesize) }", b"yx", "a"),
    ("rule a { strings: $x = \"x\" condition: any of them in (filesize-10..filesize-1) }", b"yx", "a"),
    (
        "rule a { strings: $x = \"x\" condition: $x in (filesize-10..filesize-5) or #x in (1..filesize) != 1 }",
        b"yx",
        "",
    ),
    ("rule a { condition: uint16(0) == 0x5A4D and uint32be(0) == 0x4D5A3132 }", b"MZ12", "a"),
    ("rule a { condition: filesize < 3 } rule b { condition: a } rule c { condition: not a }", b"xx", "a b"),
    ("private rule a { condition: true } rule b { condition: a }", b"", "b"),
    ("rule a : t { condition: defined uint8(0) } rule b { condition: a }", b"", ""),
    ("import \"hash\" rule a { condition: hash.md5(0, 3) == \"900150983cd24fb0d6963f7d28e17f72\" }", b"abc", "a"),
    ("import \"math\" rule a { condition: math.entropy(0, filesize) > 7.0 }", b"aaaa", ""),
    ("import \"pe\" import \"elf\" rule a { condition: not pe.is_pe and not elf.type == 2 }", b"text", ""),
];

fn conditions_decide(new: New) {
    for (rules, object, expected) in TABLE {
        assert_eq!(names(&*engine(new, &[rules]), object), *expected, "{rules}");
    }
}

fn sources_do_not_see_each_other(new: New) {
    let one = "global rule g { condition: filesize > 3 } rule a { condition: true }";
    let two = "rule a { condition: filesize > 0 }";
    let engine = engine(new, &[one, two]);
    let sources = |bytes: &[u8]| {
        let mut sources = Vec::new();
        let object = Object { bytes, ..Object::default() };
        assert!(engine.evaluate(&object, &mut |hit| sources.push(format!("{}{}", hit.name, hit.source))));
        sources.sort();
        sources.join(" ")
    };
    assert_eq!(sources(b"x"), "a1");
    assert_eq!(sources(b"badger"), "a0 a1 g0");
    assert!(new().add(0, "rule b { condition: a }").is_err());
}

fn strings_have_places(new: New) {
    let engine = engine(new, &["rule a { strings: $first = \"x\" $second = \"badger\" condition: all of them }"]);
    let mut told = Vec::new();
    engine.evaluate(&Object { bytes: b"x badger", ..Object::default() }, &mut |hit| {
        told.extend(hit.strings.iter().map(|string| (string.name.to_owned(), string.offset, string.length)));
    });
    assert_eq!(told, [("first".to_owned(), 0, 1), ("second".to_owned(), 2, 6)]);
}

fn variables_are_set(new: New) {
    let rule = "rule a { condition: filename == \"x.exe\" and filepath == \"/tmp\" and extension == \".exe\" \
                and filetype == \"EXE\" and owner == \"root\" }";
    let engine = engine(new, &[rule]);
    let mut externals = Externals::of_path(b"/tmp/x.exe");
    (externals.filetype, externals.owner) = (b"EXE".to_vec(), b"root".to_vec());
    let mut hits = 0;
    engine.evaluate(&Object { bytes: b"x", externals: &externals, time: None }, &mut |_| hits += 1);
    assert_eq!((hits, names(&*engine, b"x").as_str()), (1, ""));
}

fn a_fault_costs_itself_alone(new: New) {
    let mut compiler = new();
    let texts = [
        "rule a { condition: nothing }",
        "rule b { condition: a }",
        "import \"no module\"",
        "rule c { strings: $x = /(/ condition: $x }",
        "rule d {",
        "rule e { condition: true }",
    ];
    let faults: Vec<Option<Fault>> = texts.iter().map(|text| compiler.add(0, text).err()).collect();
    assert!(faults[..5].iter().all(|fault| fault.as_ref().is_some_and(|fault| !fault.message.is_empty())));
    assert_eq!(faults[5], None);
    assert_eq!(names(&*compiler.finish(), b""), "e");
}

fn the_deadline_holds(new: New) {
    let slow = "rule a { condition: for all i in (0..100000000) : (for all j in (0..100000000) : (i + j >= 0)) }";
    let engine = engine(new, &[slow]);
    let object = Object { bytes: b"x", time: Some(Duration::from_millis(1000)), ..Object::default() };
    assert!(!engine.evaluate(&object, &mut |_| ()));
}

/// An engine with these files, each cut into its items as the loader does.
fn engine(new: New, files: &[&str]) -> Box<dyn Evaluate> {
    let mut compiler = new();
    for (source, file) in (0..).zip(files) {
        for item in split(file.as_bytes()) {
            compiler.add(source, &item.text).unwrap_or_else(|fault| panic!("{fault}: {}", item.text));
        }
    }
    compiler.finish()
}

/// The names of the rules that hit, sorted.
fn names(engine: &dyn Evaluate, bytes: &[u8]) -> String {
    let mut names = Vec::new();
    let whole = engine.evaluate(&Object { bytes, ..Object::default() }, &mut |hit| names.push(hit.name.to_owned()));
    assert!(whole);
    names.sort();
    names.join(" ")
}
