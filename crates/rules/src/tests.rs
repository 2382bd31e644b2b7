//! Rules from text to hits.

use crate::{Externals, Gate, ItemKind, Known, KnownRules, Object, RuleSet, Text, compile, read, split};
use dachs_base::MatchedString;
use std::time::Duration;

/// A set of the rules in these files, numbered in order.
fn set(files: &[&str]) -> RuleSet {
    let mut texts = Vec::new();
    let mut known = KnownRules::new();
    let mut signature = 0;
    for (source, file) in (0..).zip(files) {
        for item in split(file.as_bytes()) {
            let gate = if let ItemKind::Rule(_) = item.kind {
                let rule = read(&item.text).unwrap();
                let strength = rule.strength();
                known
                    .entry(source)
                    .or_default()
                    .insert(rule.name.clone(), Known { signature, strength, strings: rule.strings.clone() });
                signature += 1;
                rule.gate
            } else {
                Gate::Any
            };
            texts.push((source, gate, item.text));
        }
    }
    let texts = || texts.iter().map(|(source, gate, text)| Text { source: *source, gate: *gate, text });
    RuleSet::new(compile(texts(), true), Some(compile(texts(), false)), known)
}

fn hits(set: &RuleSet, bytes: &[u8]) -> Vec<u32> {
    let (found, whole) = set.run(&Object { bytes, ..Object::default() });
    assert!(whole);
    found.iter().map(|found| found.signature).collect()
}

#[test]
fn rules_match_by_source() {
    let one = "rule a { strings: $x = \"badger\" condition: $x }\nprivate rule p { condition: filesize < 10 }\n\
               rule b { condition: p and a }";
    let two = "rule a { strings: $mz = \"MZ\" condition: $mz at 0 }";
    let set = set(&[one, two]);
    assert_eq!(hits(&set, b"a badger"), [0, 2]);
    assert_eq!(hits(&set, b"a large badger"), [0]);
    assert_eq!(hits(&set, b"MZ badger"), [0, 2, 3]);
    assert_eq!(hits(&set, b""), Vec::<u32>::new());
}

#[test]
fn rules_are_counted_by_their_names() {
    let set = set(&[
        "rule a1 { condition: filesize > 1 } rule a2 { condition: filesize > 2 } rule b { condition: 2 of (a*) }",
    ]);
    assert_eq!((hits(&set, b"xx"), hits(&set, b"xxx")), (vec![0], vec![0, 1, 2]));
}

#[test]
fn a_global_rule_binds_its_source_alone() {
    let one = "global rule g { condition: filesize > 3 }\nrule a { strings: $x = \"b\" condition: $x }";
    let two = "rule c { strings: $x = \"b\" condition: $x }";
    let set = set(&[one, two]);
    assert_eq!(hits(&set, b"b"), [2]);
    assert_eq!(hits(&set, b"badger"), [0, 1, 2]);
}

#[test]
fn strings_come_with_offset_and_bytes() {
    let set =
        set(&["rule a { strings: $first = \"x\" private $second = \"badger\" $ = /l{3}/ condition: all of them }"]);
    let (found, _) = set.run(&Object { bytes: b"x badger, lll", ..Object::default() });
    let string = |string, offset, length, bytes: &[u8]| MatchedString { string, offset, length, bytes: bytes.to_vec() };
    assert_eq!(found[0].strings, [string(1, 2, 6, b"badger"), string(2, 10, 3, b"lll")]);
}

#[test]
fn variables_are_set() {
    let set = set(&["rule a { condition: filename == \"x.exe\" and filepath == \"/tmp\" and extension == \".exe\" \
                     and filetype == \"EXE\" and owner == \"root\" }"]);
    let mut externals = Externals::of_path(b"/tmp/x.exe");
    (externals.filetype, externals.owner) = (b"EXE".to_vec(), b"root".to_vec());
    let (found, _) = set.run(&Object { bytes: b"x", externals: &externals, time: None });
    assert_eq!(found.len(), 1);
    assert_eq!(hits(&set, b"x").len(), 0);
}

#[test]
fn modules_are_there() {
    let file = "import \"pe\" import \"elf\" import \"macho\" import \"dotnet\" import \"dex\" import \"math\" \
                import \"hash\" import \"string\" import \"time\" import \"console\"\n\
                rule a { condition: hash.md5(0, filesize) == \"900150983cd24fb0d6963f7d28e17f72\" and \
                math.entropy(0, filesize) > 1.0 and string.to_int(\"12\") == 12 and time.now() > 1000 and \
                console.log(\"x\") and not defined pe.machine and not defined elf.type and not defined macho.magic }";
    assert_eq!(hits(&set(&[file]), b"abc"), [0]);
}

#[test]
fn the_deadline_holds() {
    let slow = "rule a { condition: for all i in (0..100000000) : (for all j in (0..100000000) : (i + j >= 0)) }";
    let set = set(&[slow, "rule b { condition: true }"]);
    let (_, whole) = set.run(&Object { bytes: b"x", time: Some(Duration::from_millis(10)), ..Object::default() });
    assert!(!whole);
}

#[test]
fn what_does_not_compile_is_left_out() {
    let texts =
        [(0, "rule a { condition: nothing }"), (0, "rule b { condition: a }"), (0, "rule c { condition: true }")];
    let rules = compile(texts.iter().map(|(source, text)| Text { source: *source, gate: Gate::Any, text }), true);
    let mut names = Vec::new();
    rules.evaluate(&Object::default(), &mut |hit| names.push(hit.name.to_owned()));
    assert_eq!(names, ["c"]);
}

/// A program whose imported functions are to be entered at the end of all addresses: one section, one library, two functions
/// by their numbers. Microsoft, PE Format, "The .idata Section".
fn program_with_imports_at(first_thunk: u32) -> Vec<u8> {
    let mut program = b"MZ".to_vec();
    program.resize(0x3C, 0);
    program.extend(0x40_u32.to_le_bytes());
    program.extend(b"PE\0\0");
    program.extend([0x14C_u16, 1].map(u16::to_le_bytes).concat());
    program.extend([0_u32; 3].map(u32::to_le_bytes).concat());
    program.extend([224_u16, 0x102].map(u16::to_le_bytes).concat());
    let optional = program.len();
    program.extend(0x10B_u16.to_le_bytes());
    program.resize(optional + 224, 0);
    let mut set =
        |at: usize, value: u32| program[optional + at..optional + at + 4].copy_from_slice(&value.to_le_bytes());
    // Alignments, sizes of image and headers, the number of directories, and the second of them: imports.
    for (at, value) in [(32, 0x1000), (36, 0x200), (56, 0x2000), (60, 0x200), (92, 16), (104, 0x1000), (108, 40)] {
        set(at, value);
    }
    program.extend(b".idata\0\0");
    program.extend([0x200_u32, 0x1000, 0x200, 0x200, 0, 0, 0, 0x4000_0040].map(u32::to_le_bytes).concat());
    program.resize(0x200, 0);
    program.extend([0x1030, 0, 0, 0x1040, first_thunk].map(u32::to_le_bytes).concat());
    program.resize(0x230, 0);
    program.extend([0x8000_0001_u32, 0x8000_0002, 0].map(u32::to_le_bytes).concat());
    program.resize(0x240, 0);
    program.extend(b"a.dll\0");
    program.resize(0x400, 0);
    program
}

#[test]
fn addresses_that_overflow_end_no_examination() {
    let set = set(&["import \"pe\" rule a { condition: pe.number_of_imported_functions == 2 }"]);
    for first_thunk in [0x1030, u32::MAX - 3, u32::MAX] {
        assert_eq!(hits(&set, &program_with_imports_at(first_thunk)), [0], "{first_thunk:x}");
    }
}
