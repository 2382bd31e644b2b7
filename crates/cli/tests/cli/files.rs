//! Files of all sorts: odd names, links, pipes, what is left out.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::support::{command, eicar, folder, run, scan, scan_stream};

#[test]
fn names_cannot_forge_lines_or_drive_the_terminal() {
    let folder = folder(&[("a\nb: FORGED", &eicar()), ("\x1b[31mred", &eicar()), ("x\u{202e}exe.txt", &eicar())]);
    std::fs::write(folder.path().join(OsStr::from_bytes(b"\xff\xfe")), eicar()).unwrap();
    let run = scan(&[], folder.path());
    assert_eq!((run.code, run.out.lines().count()), (1, 4), "{}{}", run.out, run.err);
    for part in ["/\\x1b[31mred: ", "/a\\x0ab: FORGED: ", "/x\\u{202e}exe.txt: ", "/\\xff\\xfe: "] {
        assert!(run.out.contains(part), "{part} in {}", run.out);
    }
    assert!(!run.out.contains('\x1b'));
}

#[test]
fn json_carries_names_that_are_not_text() {
    let folder = folder(&[]);
    let path = folder.path().join(OsStr::from_bytes(b"\xff"));
    std::fs::write(&path, "x").unwrap();
    let run = scan(&["--format", "jsonl"], &path);
    let line = &run.lines()[0];
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(line["path_bytes"].as_str().unwrap()).unwrap();
    assert_eq!(bytes, path.as_os_str().as_bytes());
    assert!(line["path"].as_str().unwrap().ends_with('\u{fffd}'));
}

#[test]
fn links_and_special_files() {
    let folder = folder(&[("d/eicar", &eicar())]);
    symlink("..", folder.path().join("d/loop")).unwrap();
    symlink("d/eicar", folder.path().join("link")).unwrap();
    symlink("nowhere", folder.path().join("dead")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        folder.path().join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();

    let plain = scan(&["-v"], folder.path());
    assert_eq!(plain.code, 1, "{}{}", plain.out, plain.err);
    for part in ["/dead: skipped: symbolic link", "/pipe: skipped: fifo", "/socket: skipped: socket"] {
        assert!(plain.out.contains(part), "{part} in {}", plain.out);
    }
    assert!(plain.err.contains("Skipped     5  (3 symbolic link, 1 fifo, 1 socket)"), "{}", plain.err);

    let always = scan(&["-v", "--follow-symlinks", "always"], folder.path());
    for part in ["/link: ", "/d/loop: skipped: already visited", "/dead: skipped: dead link"] {
        assert!(always.out.contains(part), "{part} in {}", always.out);
    }
    assert_eq!(scan(&[], folder.path().join("link")).code, 1);
    assert_eq!(scan(&["--follow-symlinks", "never"], folder.path().join("link")).code, 2);
    assert_eq!(scan(&[], folder.path().join("pipe")).code, 2);
}

#[test]
fn what_is_excluded_is_not_found() {
    let folder = folder(&[("a/eicar", &eicar()), ("b/eicar", &eicar()), ("c", b"x")]);
    assert_eq!(scan(&["--exclude", "eicar"], folder.path()).code, 0);
    assert_eq!(scan(&["--exclude", "a"], folder.path()).code, 1);
    let run = scan(&["--exclude", "**/a", "--exclude", "**/b/e*"], folder.path());
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    assert!(run.err.contains("Skipped     2  (2 excluded)"), "{}", run.err);
}

#[test]
fn hard_links_give_the_same_report() {
    let folder = folder(&[("a", &eicar())]);
    std::fs::hard_link(folder.path().join("a"), folder.path().join("b")).unwrap();
    let mut lines = scan(&["--format", "jsonl"], folder.path()).lines();
    for line in &mut lines {
        line["path"] = json!("x");
        line["detections"][0]["object"] = json!(["x"]);
    }
    assert_eq!((lines.len(), &lines[0]), (2, &lines[1]));
}

#[test]
fn made_up_files_can_be_named() {
    let run = scan(&["-v"], "/proc/self/status");
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    assert!(run.out.contains("/proc/self/status: clean"), "{}", run.out);
}

#[test]
fn two_runs_say_the_same() {
    let files: Vec<(String, Vec<u8>)> = (0..300)
        .map(|number| (format!("{}/{number}", number % 7), [vec![b'x'; number * 50], eicar()].concat()))
        .collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let folder = folder(&files);
    let lines = |jobs| scan(&["--format", "jsonl", "-v", "-j", jobs], folder.path()).lines();
    let first = lines("2");
    assert_eq!(first.len(), 300);
    assert_eq!(first, lines("2"));
    assert_eq!(first, lines("1"));
}

#[test]
fn quiet_says_only_results() {
    let folder = folder(&[("eicar", &eicar()), ("x", b"x")]);
    let quiet = scan(&["-q"], folder.path());
    assert_eq!((quiet.code, quiet.err.as_str(), quiet.out.lines().count()), (1, "", 1));
    let colored = scan(&["--color", "always"], folder.path());
    assert!(colored.out.contains("\x1b["), "{}", colored.out);
    let never = run(command(&["scan", "--color", "always"]).env("NO_COLOR", "1").arg(folder.path()));
    assert!(never.out.contains("\x1b["), "an explicit wish wins over the environment");
}

#[test]
fn detected_files_are_moved_and_others_are_not() {
    let folder = folder(&[("bad", &eicar()), ("good", b"x"), ("vault/old", &eicar())]);
    let vault = folder.path().join("vault").into_os_string().into_string().unwrap();
    let run = scan(&["--format", "jsonl", "--move", &vault], folder.path());
    assert_eq!((run.code, run.lines().len()), (1, 2), "{}{}", run.out, run.err);
    assert_eq!(run.lines()[0]["action"], json!({"what": "moved", "to": format!("{vault}/bad")}));
    assert!(run.err.contains("Acted on    1  (1 moved)"), "{}", run.err);
    let names = |path: &std::path::Path| std::fs::read_dir(path).unwrap().count();
    assert_eq!((names(folder.path()), names(vault.as_ref())), (2, 2));
    let removed = scan(&["--remove"], &vault);
    assert_eq!((removed.code, names(vault.as_ref())), (1, 0), "{}", removed.out);
    assert!(removed.out.contains("/old: removed\n"), "{}", removed.out);
    assert_eq!(scan_stream(&["--remove"], &eicar()).out.lines().count(), 2);
}
