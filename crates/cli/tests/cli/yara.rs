//! YARA rules as users of the executable see them.

use crate::support::{command, folder, has_tool, run, scan, skip, tool};

const OBJECT: &[u8] = b"it has a badger, ab~ and B\0A\0D\0G\0E\0R\0 bAdGeR 0123\n";

/// Rules that ClamAV leaves out, each with its name and what it asks of the engine. All match [`OBJECT`].
fn left_out_by_clamav() -> Vec<(&'static str, String)> {
    let many: String = (0..70).map(|number| format!("$a{number} = \"badger{number}\" ")).collect();
    vec![
        ("imports", "import \"hash\" rule imports { condition: hash.md5(0, filesize) != \"x\" }".to_owned()),
        ("variables", "rule variables { condition: filename == \"object\" }".to_owned()),
        ("brief", "rule brief { strings: $a = \"~\" condition: $a }".to_owned()),
        ("wide", "rule wide { strings: $a = /b[a]dger/ wide nocase condition: $a }".to_owned()),
        ("many", format!("rule many {{ strings: {many} $x = \"badger\" condition: any of them }}")),
        ("hidden", "rule hidden { strings: $a = \"badger\" xor condition: $a }".to_owned()),
        (
            "coded",
            "rule coded { strings: $a = \"weasels\" base64 $b = \"badger\" condition: $b and not $a }".to_owned(),
        ),
        ("negated", "rule negated { strings: $a = { 62 ~00 64 67 } condition: $a }".to_owned()),
        ("stringless", "rule stringless { condition: filesize > 3 }".to_owned()),
        ("uses", "private rule p { strings: $a = \"badger\" condition: $a } rule uses { condition: p }".to_owned()),
    ]
}

#[test]
fn rules_that_clamav_leaves_out_are_whole() {
    let folder = folder(&[("object", OBJECT)]);
    let object = folder.path().join("object");
    let asks_clamav = has_tool("clamscan");
    for (name, rule) in left_out_by_clamav() {
        let path = folder.path().join(format!("{name}.yar"));
        std::fs::write(&path, rule).unwrap();
        let found = run(command(&["clamscan", "--no-summary", "-d"]).arg(&path).arg(&object));
        let line = format!("object: YARA.{name}.UNOFFICIAL FOUND\n");
        assert!(found.code == 1 && found.out.ends_with(&line), "{name}: {} {}", found.out, found.err);
        if asks_clamav {
            let theirs =
                run(std::process::Command::new("clamscan").args(["--no-summary", "-d"]).arg(&path).arg(&object));
            assert!(theirs.out.ends_with("object: OK\n"), "{name}: ClamAV has learned it: {}", theirs.out);
        }
    }
}

#[test]
fn a_global_rule_binds_its_file_and_not_in_clamav() {
    let rule = b"global rule large { condition: filesize > 1000000 }\n\
                 rule bound { strings: $a = \"badger\" condition: $a }";
    let folder = folder(&[("object", OBJECT), ("rules.yar", rule)]);
    let (rules, object) = (folder.path().join("rules.yar"), folder.path().join("object"));
    assert_eq!(run(command(&["clamscan", "--no-summary", "-d"]).arg(&rules).arg(&object)).code, 0);
    if has_tool("clamscan") {
        let theirs = run(std::process::Command::new("clamscan").args(["--no-summary", "-d"]).arg(&rules).arg(&object));
        assert!(theirs.out.contains("YARA.bound.UNOFFICIAL FOUND"), "{}", theirs.out);
    }
}

#[test]
fn rules_look_at_files_or_at_all_objects() {
    if !has_tool("gzip") || !has_tool("tar") {
        return skip("rules on members");
    }
    let rule = b"rule inner : t { meta: author = \"me\" strings: $a = \"a badger inside\" condition: $a }\n\
                 rule outer { condition: uint16be(0) == 0x1f8b and filename == \"x.tar.gz\" }\n\
                 rule named { condition: filename == \"inner file\" and filepath endswith \"x.tar\" }";
    let folder = folder(&[("rules.yar", rule), ("inner file", b"it is a badger inside")]);
    tool(folder.path(), "tar", &["-czf", "x.tar.gz", "inner file"]);
    let rules = folder.path().join("rules.yar");
    let names = |what: &str| {
        let run = scan(
            &["--format", "jsonl", "--all-matches", "--yara-on", what, "-d", rules.to_str().unwrap()],
            folder.path().join("x.tar.gz"),
        );
        let detections = run.lines()[0]["detections"].as_array().cloned().unwrap_or_default();
        let mut names: Vec<String> = detections
            .iter()
            .map(|detection| {
                format!("{} {}", detection["name"].as_str().unwrap(), detection["object"].as_array().unwrap().len())
            })
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("files"), ["outer 1"]);
    let all = names("objects");
    assert!(all.contains(&"outer 1".to_owned()) && all.contains(&"inner 3".to_owned()), "{all:?}");
}

#[test]
fn scores_tell_suspicious_from_detected() {
    for (meta, verdict, code) in [
        ("", "detected", 1),
        ("meta: score = 75", "detected", 1),
        ("meta: score = 74", "suspicious", 0),
        ("meta: score = \"60\"", "suspicious", 0),
    ] {
        let rule = format!("rule scored {{ {meta} strings: $a = \"badger\" condition: $a }}");
        let folder = folder(&[("object", OBJECT), ("rules.yar", rule.as_bytes())]);
        let rules = folder.path().join("rules.yar");
        let found = scan(&["--format", "jsonl", "-d", rules.to_str().unwrap()], folder.path().join("object"));
        assert_eq!((found.lines()[0]["verdict"].as_str(), found.code), (Some(verdict), code), "{meta}");
        let compatible = run(command(&["clamscan", "-d"]).arg(&rules).arg(folder.path().join("object")));
        assert!(compatible.code == 1 && compatible.out.contains("YARA.scored.UNOFFICIAL FOUND"), "{}", compatible.out);
    }
}

#[test]
fn strict_building_refuses_what_does_not_compile() {
    let folder = folder(&[("rules.yar", b"rule good { condition: true }\nrule bad {\n condition: nowhere }")]);
    let at = |name: &str| folder.path().join(name);
    let build =
        |options: &[&str]| run(command(&["db", "build"]).args(options).arg("-o").arg(at("image")).arg(at("rules.yar")));
    let strict = build(&["--strict"]);
    assert!(strict.code == 2 && strict.err.contains("rules.yar:3: rule bad: "), "{}", strict.err);
    assert!(!at("image").exists());
    let lenient = build(&[]);
    assert!(lenient.code == 0 && lenient.err.contains("rules.yar:3: rule bad: "), "{}", lenient.err);
    assert!(at("image").exists());
}
