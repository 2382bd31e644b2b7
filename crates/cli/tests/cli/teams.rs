//! Several workers at one archive: each line is the one that a single worker gives, but for times.

use std::path::Path;

use serde_json::Value;

use crate::support::{eicar, folder, has_tool, scan, tool};

/// Archives of the folder `tree`, and the command that makes each.
const ARCHIVES: &[(&str, &str)] = &[
    ("plain.zip", "zip -qr plain.zip tree"),
    ("stored.zip", "zip -q0r stored.zip tree"),
    ("locked.zip", "zip -qr -P badger locked.zip tree/1* && zip -qr locked.zip tree/2*"),
    ("cut.zip", "head -c 9000 plain.zip > cut.zip"),
    ("plain.tar", "tar -cf plain.tar tree"),
    ("plain.tar.gz", "tar -czf plain.tar.gz tree"),
    ("cut.tar.gz", "head -c 7000 plain.tar.gz > cut.tar.gz"),
    ("plain.tar.xz", "tar -cJf plain.tar.xz tree"),
    ("solid.7z", "7z a -bd -bb0 solid.7z tree > /dev/null"),
    ("loose.7z", "7z a -bd -bb0 -ms=off loose.7z tree > /dev/null"),
    ("locked.7z", "7z a -bd -bb0 -pbadger locked.7z tree > /dev/null"),
    ("plain.iso", "genisoimage -quiet -R -o plain.iso tree"),
    ("plain.cpio", "find tree | sort | cpio -o -H newc --quiet > plain.cpio"),
    ("nested.zip", "cp plain.tar.gz tree/200 && cp plain.zip tree/290 && zip -qr nested.zip tree"),
];

/// What may be asked for.
const OPTIONS: &[&[&str]] = &[
    &[],
    &["--all-matches"],
    &["--all-matches", "--max-objects", "150"],
    &["--all-matches", "--max-scan-size", "40K"],
    &["--all-matches", "--max-depth", "1"],
];

fn make(folder: &Path, bad: &[usize]) {
    for number in 100..300_usize {
        let text = format!("a harmless text, the number {number}, {}", "as long as it takes. ".repeat(number % 40));
        let bytes = if bad.contains(&number) { eicar() } else { text.into_bytes() };
        std::fs::write(folder.join("tree").join(number.to_string()), bytes).unwrap();
    }
    for (name, command) in ARCHIVES {
        tool(folder, "sh", &["-c", &format!("rm -f {name}; {command}")]);
    }
}

fn lines(folder: &Path, archive: &str, options: &[&str], jobs: &str) -> Vec<Value> {
    let options = [options, &["-v", "--format", "jsonl", "-j", jobs, "--share-from", "0"]].concat();
    scan(&options, folder.join(archive)).lines()
}

#[test]
fn many_workers_say_what_one_says() {
    if !["zip", "7z", "genisoimage", "cpio", "xz"].iter().all(|tool| has_tool(tool)) {
        return;
    }
    let folder = folder(&[("tree/x", b"")]);
    let mut verdicts = Vec::new();
    for bad in [&[][..], &[100, 171, 172, 299], &[263]] {
        make(folder.path(), bad);
        for (archive, _) in ARCHIVES {
            for options in if bad.is_empty() { &OPTIONS[..1] } else { OPTIONS } {
                let one = lines(folder.path(), archive, options, "1");
                assert_eq!(one, lines(folder.path(), archive, options, "4"), "{archive} {options:?} {bad:?}");
                verdicts.extend(one.iter().filter_map(|line| line["verdict"].as_str().map(str::to_owned)));
            }
        }
    }
    for verdict in ["clean", "detected", "incomplete"] {
        assert!(verdicts.iter().any(|found| found == verdict), "{verdict}");
    }
}
