//! Exit codes: 1 wins over 2, 2 over 3, 3 over 0.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::support::{command, eicar, folder, has_tool, run, scan, skip};

/// A file that is never wholly looked at: a gzip stream that was cut.
const CUT: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xed\xc1\x01\x0d\0\0\0\xc2\xa0\xf7\x4f\x6d";

#[test]
fn the_table_of_exit_codes() {
    let folder = folder(&[("clean", b"nothing"), ("eicar", &eicar()), ("cut.gz", CUT)]);
    let at = |name: &str| folder.path().join(name).into_os_string().into_string().unwrap();
    let table: [(&[&str], i32); 9] = [
        (&["clean"], 0),
        (&["eicar"], 1),
        (&["nowhere"], 2),
        (&["cut.gz"], 3),
        (&["clean", "cut.gz"], 3),
        (&["cut.gz", "nowhere"], 2),
        (&["nowhere", "eicar"], 1),
        (&["cut.gz", "eicar", "clean"], 1),
        (&["clean", "nowhere"], 2),
    ];
    for (names, code) in table {
        let paths: Vec<String> = names.iter().map(|name| at(name)).collect();
        let run = run(command(&["scan"]).args(paths));
        assert_eq!(run.code, code, "{names:?}: {}{}", run.out, run.err);
    }
}

#[test]
fn what_cannot_be_asked_for_is_refused() {
    let table: [(&[&str], &str); 7] = [
        (&["scan"], "required"),
        (&["scan", "--no-such-option", "x"], "--no-such-option"),
        (&["scan", "--max-depth", "many", "x"], "many"),
        (&["scan", "--quarantine", "/", "x"], "--quarantine"),
        (&["scan", "--exclude", "a[", "x"], "a["),
        (&["scan", "-d", "/nowhere/x.ndb", "x"], "/nowhere/x.ndb"),
        (&["db", "verify", "/nowhere"], "/nowhere"),
    ];
    for (arguments, named) in table {
        let run = run(&mut command(arguments));
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{arguments:?}: {}", run.err);
        assert!(run.err.contains(named), "{arguments:?}: {}", run.err);
    }
}

#[test]
fn help_is_no_mistake() {
    for arguments in [&["--help"][..], &["scan", "--help"], &["db", "build", "--help"], &["--version"]] {
        let run = run(&mut command(arguments));
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{arguments:?}");
        assert!(!run.out.is_empty());
    }
    let help = run(&mut command(&["scan", "--help"])).out;
    for part in ["Exit codes:", "Examples:", "--max-scan-size", "stops nested bombs"] {
        assert!(help.contains(part), "{part}");
    }
}

#[test]
fn what_may_not_be_read_is_incomplete() {
    let folder = folder(&[("file", b"x"), ("folder/file", b"x"), ("open", b"x")]);
    for name in ["file", "folder"] {
        std::fs::set_permissions(folder.path().join(name), std::fs::Permissions::from_mode(0o000)).unwrap();
    }
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("open-program");
    std::fs::copy(env!("CARGO_BIN_EXE_dachs"), &program).unwrap();
    let mut command = if rustix::process::geteuid().is_root() {
        if !has_tool("setpriv") {
            return;
        }
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
        command
    } else {
        Command::new(&program)
    };
    let output = run(command.args(["scan", "--exclude", "open-program"]).arg(folder.path()));
    if output.code == 127 {
        return skip("another user may not run programs in the temporary folder");
    }
    std::fs::set_permissions(folder.path().join("folder"), std::fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(output.code, 3, "{}{}", output.out, output.err);
    assert!(output.out.contains("/file: incomplete: permission denied"), "{}", output.out);
    assert!(output.out.contains("/folder: incomplete: permission denied"), "{}", output.out);
    assert!(output.err.contains("Incomplete  2  (2 permission denied)"), "{}", output.err);
}

#[test]
fn a_signal_ends_a_scan_with_a_summary() {
    let mut child =
        command(&["scan", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    let pid = rustix::process::Pid::from_child(&child);
    // Not SIGINT, which stays ignored where these tests run as a background job of a script.
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let stdin = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{err}");
    assert!(err.contains("Interrupted"), "{err}");
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let files: Vec<(String, Vec<u8>)> = (0..500).map(|number| (format!("{number}"), b"x".to_vec())).collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let folder = folder(&files);
    let mut child = command(&["scan", "-q", "--format", "jsonl"])
        .arg(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(130));
}

#[test]
fn weak_detections_count_when_asked() {
    let folder = folder(&[("own.ndb", b"PUA.Test.Badger:0:*:626164676572\n"), ("x", b"a badger")]);
    let database = folder.path().join("own.ndb").into_os_string().into_string().unwrap();
    let plain = scan(&["-d", &database], folder.path().join("x"));
    assert_eq!(plain.code, 0, "{}{}", plain.out, plain.err);
    assert!(plain.out.contains("x: suspicious: PUA.Test.Badger"), "{}", plain.out);
    assert_eq!(scan(&["-d", &database, "--exit-on", "suspicious"], folder.path().join("x")).code, 1);
}
