//! Numbers that stand in a file (`byte_compare`), in every way of writing the options, judged by Dachs and by clamscan.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::support::{command, folder, has_tool};

/// How a number may be written, and how many bytes it has.
const KINDS: [&str; 4] = ["h", "d", "a", "i"];
const ORDERS: [&str; 3] = ["", "l", "b"];
const LENGTHS: [&str; 6] = ["1", "2", "3", "4", "5", "8"];
const WORDS: [&[u8]; 20] = [
    b"7",
    b"07",
    b"00007",
    b"0x7",
    b" 7",
    b"7 ",
    b"7a",
    b"a7",
    b"70000",
    b"0007\0",
    b"\x07",
    b"\x07\0\0\0",
    b"\0\0\0\x07",
    b"0x00007",
    b"12345",
    b"ffff",
    b"0xff",
    b"-7",
    b"+7",
    b"07000000",
];
const COMPARISONS: [&str; 7] = ["=7", ">6", "<8", "=112", ">1000", "=65535", ">1,<300"];

fn run(program: &str, at: &Path, database: &str) -> (Option<i32>, BTreeSet<String>) {
    let mut command = if program == "clamscan" { Command::new("clamscan") } else { command(&["clamscan"]) };
    let output =
        command.args(["--no-summary", "-z", "-r", "-d"]).arg(at.join(database)).arg(at.join("files")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), text.lines().filter(|line| line.ends_with(" FOUND")).map(str::to_owned).collect())
}

#[test]
fn numbers_are_compared_as_clamscan_compares_them() {
    if !has_tool("clamscan") {
        return;
    }
    let options = KINDS.iter().flat_map(|kind| ORDERS.iter().map(move |order| format!("{kind}{order}")));
    let options = options.flat_map(|start| ["", "e"].map(|exact| format!("{start}{exact}")));
    let mut options: Vec<String> = options.flat_map(|start| LENGTHS.map(|length| format!("{start}{length}"))).collect();
    options.extend(
        ["eh5", "h5e", "5", "e5", "l4", "lh4", "bl4", "hbl4", "hd4", "iel4", "hel5", "hea5"].map(str::to_owned),
    );
    let place = folder(&[]);
    let at = place.path();
    std::fs::create_dir(at.join("files")).unwrap();
    for (number, word) in WORDS.iter().enumerate() {
        for (what, after) in [("alone", &b""[..]), ("before", b"zzzz"), ("zeros", &[0; 6])] {
            let bytes = [b"\x01\xF7\xFE\0xx LEN=", *word, after].concat();
            std::fs::write(at.join(format!("files/{number:02}-{what}")), bytes).unwrap();
        }
    }
    let line = |option: &str, comparison: &str, number: usize| {
        format!("T{number};Engine:81-255,Target:0;0&1;4c454e3d;0(>>4#{option}#{comparison})\n")
    };
    // ClamAV evaluates comparisons only where a pattern of several parts is there.
    let parts = "Parts;Engine:81-255,Target:0;0;61626364*65666768\n";
    let (mut taken, mut refused) = (Vec::new(), 0);
    for option in options {
        std::fs::write(at.join("one.ldb"), line(&option, "=7", 0)).unwrap();
        let ours = run("dachs", at, "one.ldb").0;
        let theirs = run("clamscan", at, "one.ldb").0;
        assert_eq!(ours == Some(2), theirs == Some(2), "{option}");
        refused += usize::from(ours == Some(2));
        taken.extend((ours != Some(2)).then_some(option));
    }
    let lines = taken.iter().flat_map(|option| COMPARISONS.map(|comparison| (option, comparison)));
    let lines: String =
        lines.enumerate().map(|(number, (option, comparison))| line(option, comparison, number)).collect();
    std::fs::write(at.join("all.ldb"), lines + parts).unwrap();
    let (theirs, ours) = (run("clamscan", at, "all.ldb").1, run("dachs", at, "all.ldb").1);
    let differ: Vec<&String> = theirs.symmetric_difference(&ours).take(20).collect();
    assert!(differ.is_empty(), "{differ:?} of {taken:?}");
    assert!(refused > 10 && taken.len() > 80 && theirs.len() > 2_000, "{refused} {} {}", taken.len(), theirs.len());
}
