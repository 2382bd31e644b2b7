//! JSON against its schema, SARIF, manual pages, completions, doctor.

use serde_json::Value;

use crate::schema::violations;
use crate::support::{command, eicar, folder, run, scan};

#[test]
fn every_line_fits_the_schema() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/report.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    let folder = folder(&[("eicar", &eicar()), ("clean", b"x"), ("cut.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xed\xc1")]);
    std::os::unix::fs::symlink("x", folder.path().join("link")).unwrap();
    let run = run(command(&["scan", "-v", "--format", "jsonl", "/nowhere"]).arg(folder.path()));
    assert_eq!(run.out.lines().count(), 5, "{}{}", run.out, run.err);
    for line in run.out.lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        assert_eq!(violations(&schema, &schema, &value), Vec::<String>::new(), "{line}");
    }
    // The checker itself must be able to say no.
    let wrong: Value = serde_json::from_str(r#"{"v":2,"path":1,"verdict":"good","detections":[{}]}"#).unwrap();
    assert!(violations(&schema, &schema, &wrong).len() >= 4);
}

#[test]
fn sarif_is_one_log() {
    let folder = folder(&[("eicar", &eicar()), ("clean", b"x")]);
    let run = scan(&["--format", "sarif"], folder.path());
    assert_eq!(run.code, 1, "{}", run.err);
    let log: Value = serde_json::from_str(&run.out).unwrap();
    let result = &log["runs"][0]["results"][0];
    assert_eq!((log["version"].as_str(), log["runs"][0]["results"].as_array().unwrap().len()), (Some("2.1.0"), 1));
    assert!(
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap().ends_with("/eicar")
    );
    assert_eq!(result["ruleId"], log["runs"][0]["tool"]["driver"]["rules"][0]["id"]);
}

#[test]
fn manual_pages_and_completions_are_made() {
    let folder = folder(&[]);
    assert_eq!(run(command(&["man"]).arg(folder.path().join("man1"))).code, 0);
    for page in ["dachs.1", "dachs-scan.1", "dachs-db-build.1"] {
        assert!(std::fs::read_to_string(folder.path().join("man1").join(page)).unwrap().contains(".TH"), "{page}");
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(run(&mut command(&["completions", shell])).out.contains("max-scan-size"), "{shell}");
    }
}

#[test]
fn the_doctor_tells_in_both_forms() {
    let human = run(&mut command(&["doctor"]));
    let json: Value = serde_json::from_str(&run(&mut command(&["doctor", "--format", "json"])).out).unwrap();
    assert_eq!((human.code == 0, human.out.contains("All is well")), (json["well"] == true, json["well"] == true));
    let layers = json["layers"].as_array().unwrap();
    assert!(!layers.is_empty() && layers.iter().all(|layer| layer["state"].is_string()), "{json}");
}
