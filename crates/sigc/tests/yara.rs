//! Files of YARA rules: what is taken, what is told, and what may be included.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use dachs_base::Strength;
use dachs_sigc::{Compilation, Input, Options, compile, compile_paths, compile_with};
use dachs_sigdb::Image;
use dachs_sigdb::model::MetadataValue;
use std::fs;

fn names(compilation: &Compilation) -> Vec<String> {
    let image = Image::new(&compilation.image).unwrap();
    image.verify().unwrap();
    image.yara_rules().map(|(_, _, name)| name.to_owned()).collect()
}

fn problems(compilation: &Compilation) -> Vec<String> {
    compilation.problems.iter().map(ToString::to_string).collect()
}

fn faults(compilation: &Compilation) -> usize {
    compilation.problems.iter().filter(|problem| problem.line.is_some()).count()
}

fn texts(compilation: &Compilation) -> usize {
    Image::new(&compilation.image).unwrap().yara_texts().count()
}

#[test]
fn a_broken_rule_costs_itself_alone() {
    let text = "import \"pe\"\nimport \"nothing\"\nrule a { condition: pe.is_pe }\nrule b {\n  condition:\n    nowhere }\n\
                rule c { strings: $x = \"unused\" condition: true }\nrule a { condition: true }\nrule d { condition: b }\n\
                rule e { strings: $a = /(/ condition: $a }\nrule f { condition: filesize > 1 \nrule g { condition: g1 or a }\n\
                rule h { condition: a }";
    let compilation = compile(&[Input::bytes("x.yar", text.as_bytes())]).unwrap();
    assert_eq!(names(&compilation), ["a", "h"]);
    let told = problems(&compilation);
    for expected in [
        "x.yar:2: unknown import nothing",
        "x.yar:6: rule b: ",
        "x.yar:7: rule c: ",
        "x.yar:8: rule a: ",
        "x.yar:9: rule d: ",
        "x.yar:10: rule e: ",
        "x.yar:12: rule g: ",
    ] {
        assert!(told.iter().any(|problem| problem.starts_with(expected)), "{expected} in {told:#?}");
    }
    assert!(told.iter().any(|problem| problem.contains("rule f")), "{told:#?}");
    assert_eq!(faults(&compilation), 8);
}

#[test]
fn what_people_are_told_stands_in_the_image() {
    let text =
        "rule a : one two { meta: author = \"x\" score = 60 strings: $s = \"y\" $ = \"z\" condition: any of them }";
    let compilation = compile(&[Input::bytes("x.yara", text.as_bytes())]).unwrap();
    let image = Image::new(&compilation.image).unwrap();
    let rule = image.yara(0).unwrap();
    assert_eq!((rule.tags.join(" "), rule.strings.join(" ")), ("one two".into(), "$s $".into()));
    assert_eq!(rule.metadata[1], ("score".into(), MetadataValue::Integer(60)));
    assert_eq!((image.strength(0), image.signature_count()), (Strength::Weak, 1));
}

#[test]
fn rules_are_chosen() {
    let text = "private rule p { condition: true }\nrule a : t { condition: p }\nrule b { condition: a }\nrule c { condition: true }";
    let input = [Input::bytes("x.yar", text.as_bytes())];
    let chosen = |only: &[&str], without: &[&str]| {
        let parse = |selectors: &[&str]| selectors.iter().map(|selector| selector.parse().unwrap()).collect();
        let options = Options { only: parse(only), without: parse(without), ..Options::default() };
        let compilation = compile_with(&input, &options).unwrap();
        (names(&compilation).join(" "), texts(&compilation))
    };
    assert_eq!(chosen(&[], &[]), ("a b c".into(), 4));
    // What others need stays, untold.
    assert_eq!(chosen(&["b"], &[]), ("b".into(), 3));
    assert_eq!(chosen(&["tag:t"], &[]), ("a".into(), 2));
    assert_eq!(chosen(&[], &["a", "b"]), ("c".into(), 3));
    assert_eq!(chosen(&["file:*.yar"], &["name:?"]), (String::new(), 0));
    let ignored = [Input::bytes("x.ign2", &b"c\n"[..]), input[0].clone()];
    assert_eq!(names(&compile(&ignored).unwrap()), ["a", "b"]);
}

#[test]
fn includes_stay_in_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules");
    fs::create_dir_all(rules.join("deep/er")).unwrap();
    fs::write(folder.path().join("secret.yar"), "rule secret { condition: true }").unwrap();
    std::os::unix::fs::symlink(folder.path().join("secret.yar"), rules.join("link")).unwrap();
    fs::write(
        rules.join("index.yar"),
        "include \"deep/a.yar\"\ninclude \"../secret.yar\"\ninclude \"link\"\ninclude \"/etc/passwd\"\ninclude \"none\"\n\
         include \"deep\"\nrule index { condition: a }",
    )
    .unwrap();
    fs::write(
        rules.join("deep/a.yar"),
        "include \"er/b.inc\"\ninclude \"../index.yar\"\nrule a { condition: b }\nrule x {",
    )
    .unwrap();
    fs::write(rules.join("deep/er/b.inc"), "rule b { condition: true }").unwrap();
    fs::write(rules.join("deep/er/c.yara"), "rule c { condition: true }").unwrap();
    fs::write(rules.join("deep/er/d.txt"), "no rule").unwrap();
    let compilation = compile_paths(std::slice::from_ref(&rules)).unwrap();
    assert_eq!(names(&compilation), ["b", "a", "index", "c"]);
    let told = problems(&compilation);
    for line in 2..=6 {
        assert!(
            told.iter().any(|problem| problem.starts_with(&format!("index.yar:{line}: cannot include"))),
            "{told:#?}"
        );
    }
    assert!(told.iter().any(|problem| problem.starts_with("deep/a.yar:4: rule x")), "{told:#?}");
    assert!(told.iter().any(|problem| problem.contains("2 left out: the same rule stands")), "{told:#?}");
    // A file by itself may include what lies beside it.
    let alone = compile_paths(&[rules.join("deep/a.yar")]).unwrap();
    assert_eq!(names(&alone), ["b", "a"]);
}

#[test]
fn bytes_in_memory_can_include_nothing() {
    let compilation =
        compile(&[Input::bytes("x.yar", &b"include \"/etc/passwd\"\nrule a { condition: true }"[..])]).unwrap();
    assert_eq!((names(&compilation).len(), faults(&compilation)), (1, 1));
}
