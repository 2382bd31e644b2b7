//! YARA rules: their loader on hostile texts, and their evaluation over hostile objects.
//!
//! A text must give rules that compile again from the image, or faults that each have a line and words. An object must be
//! decided, whatever its bytes are.

use dachs_rules::{Externals, Gate, Known, KnownRules, Object, RuleSet, Text, compile};
use dachs_sigc::Input;
use dachs_sigdb::Image;
use std::sync::OnceLock;
use std::time::Duration;

/// Rules that ask everything the modules know of an object.
const ASKING: &str = r#"
import "pe" import "elf" import "macho" import "dotnet" import "dex" import "math" import "hash"
rule programs { condition: pe.number_of_sections > 0 and (pe.imphash() != "" or pe.entry_point >= 0
    or for any section in pe.sections : (section.name contains "x") or pe.number_of_signatures > 0
    or pe.exports("x") or pe.imports("a.dll", "b") or pe.version_info["x"] == "y" or pe.rich_signature.length > 0) }
rule others { condition: elf.number_of_sections > 3 or elf.symtab_entries > 0 or macho.cputype > 0 or macho.entry_point > 0
    or dotnet.number_of_streams > 0 or dotnet.version == "x" or dex.header.file_size > 0
    or for any string in dotnet.user_strings : (string == "a") }
rule bytes { condition: math.entropy(0, filesize) > 7.9 or hash.md5(0, filesize) == "x" or math.mean(0, filesize) > 200.0
    or hash.checksum32(0, 10) == 1 or uint32be(filesize - 4) == 1 or entrypoint > 100 }
rule strings { strings: $a = "badger" wide ascii nocase $b = /b[a-z]{2,9}(r|s)+?/ $c = { 62 [1-30] ( 64 | 65 ?? ) 72 }
    $d = "badger" xor $e = "badger" base64 base64wide $f = /^.*x$/s condition: 2 of them or #a > 3 or @b[2] < !c[1] }
"#;

/// The bytes are a file of rules.
pub fn loader(data: &[u8]) {
    let compilation = dachs_sigc::compile(&[Input::bytes("fuzz.yar", data)]).expect("faults are no errors");
    for problem in &compilation.problems {
        assert!(!problem.reason.is_empty());
    }
    let image = Image::new(&compilation.image).expect("a compiled image can be read");
    assert_eq!(image.verify(), Ok(()), "a compiled image is right");
    let mut known = KnownRules::new();
    for (signature, source, name) in image.yara_rules() {
        let rule = image.yara(signature).expect("a rule has its details");
        let known_rule = Known { signature, strength: image.strength(signature), strings: rule.strings };
        known.entry(source).or_default().insert(name, known_rule);
    }
    let texts = || {
        image.yara_texts().map(|text| Text { source: text.source, gate: Gate::from_number(text.gate), text: text.text })
    };
    let set = RuleSet::new(compile(texts(), true), Some(compile(texts(), false)), known);
    run(&set, b"MZ a badger");
}

/// The bytes are an object.
pub fn evaluation(data: &[u8]) {
    static SET: OnceLock<RuleSet> = OnceLock::new();
    let set = SET.get_or_init(|| {
        let items = dachs_rules::split(ASKING.as_bytes());
        let texts = items.iter().map(|item| Text { source: 0, gate: Gate::Any, text: &item.text });
        RuleSet::new(compile(texts, true), None, KnownRules::new())
    });
    run(set, data);
}

fn run(set: &RuleSet, bytes: &[u8]) {
    let externals = Externals::of_path(bytes.get(..20).unwrap_or_default());
    let _ = set.run(&Object { bytes, externals: &externals, time: Some(Duration::from_millis(500)) });
}
