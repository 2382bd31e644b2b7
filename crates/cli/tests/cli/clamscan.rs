//! `clamscan`: the same command lines through Debian's and ours, and what is meant to differ.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Run, command, eicar, folder, has_tool, run, skip};

/// A folder with files of all sorts, and a database beside them.
fn tree() -> tempfile::TempDir {
    let hexadecimal: String = eicar().iter().map(|byte| format!("{byte:02x}")).collect();
    let database = format!("Eicar-Test:0:0:{hexadecimal}\nPUA.Tool.Badger:0:*:6261646765722d746f6f6c\n");
    let files: [(&str, &[u8]); 14] = [
        ("db.ndb", database.as_bytes()),
        ("bad.ndb", b"nonsense\n"),
        ("dbs/db.ndb", database.as_bytes()),
        ("dbs/README", b"not a database"),
        ("nodbs/README", b"not a database"),
        ("a/eicar", &eicar()),
        ("a/text", b"hello badger"),
        ("a/weak", b"this is a badger-tool"),
        ("a/empty", b""),
        ("a/tiny", b"ab"),
        ("a/b/eicar.com", &eicar()),
        ("a/b/c/deep", &eicar()),
        ("clean/x", b"hello"),
        ("list", b"a/text\na/nothere\nclean\n"),
    ];
    let folder = folder(&files);
    for (target, link) in [("eicar", "a/filelink"), ("b", "a/dirlink"), ("nowhere", "a/dead")] {
        symlink(target, folder.path().join(link)).unwrap();
    }
    rustix::fs::mknodat(
        rustix::fs::CWD,
        folder.path().join("a/pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    folder
}

fn ours(folder: &Path, line: &str) -> Run {
    run(command(&["clamscan"]).args(line.split_whitespace()).current_dir(folder))
}

fn theirs(folder: &Path, line: &str) -> Run {
    run(Command::new("clamscan").args(line.split_whitespace()).current_dir(folder))
}

/// The lines of standard output as a set, without what differs from run to run or by name.
fn lines(run: &Run) -> Vec<String> {
    let masked = ["Engine version: ", "Data scanned: ", "Data read: ", "Time: ", "Start Date: ", "End Date: "];
    let mask = |line: &str| match masked.iter().find(|head| line.starts_with(**head)) {
        Some(head) => (*head).to_owned(),
        None => line.to_owned(),
    };
    let mut lines: Vec<String> = run.out.lines().map(mask).collect();
    lines.sort();
    lines
}

/// Command lines to which both must give the same lines and the same exit code.
const SAME: &[&str] = &[
    "-d db.ndb a",
    "-d db.ndb -r a",
    "-d db.ndb clean",
    "-d db.ndb --recursive=yes --infected a",
    "-d db.ndb --recursive=no a",
    "-ddb.ndb -ir a",
    "-d dbs a",
    "-d db.ndb -d dbs clean",
    "-d db.ndb --no-summary -o -r a",
    "-d db.ndb --suppress-ok-results a clean",
    "-d db.ndb --quiet -r a",
    "-d db.ndb -v -r a",
    "-d db.ndb -z a",
    "-d db.ndb --allmatch=yes --recurs a",
    "-d db.ndb a/",
    "-d db.ndb a//b/",
    "-d db.ndb a/text a/text",
    "-d db.ndb a/eicar a/nothere",
    "-d db.ndb clean a/nothere",
    "-d db.ndb a/nothere",
    "-d db.ndb a/pipe",
    "-d db.ndb a/filelink a/dirlink",
    "-d db.ndb --follow-file-symlinks=0 --follow-dir-symlinks=0 a/filelink a/dirlink a/dead",
    "-d db.ndb --follow-file-symlinks=2 a",
    "-d db.ndb --follow-file-symlinks=0 --follow-dir-symlinks=1 a/filelink a/dirlink",
    "-d db.ndb -r --exclude=eic --exclude-dir=/c$ a",
    "-d db.ndb -r --exclude=^a/t --exclude=(weak|empty) a",
    "-d db.ndb -r --include=eic a",
    "-d db.ndb -r --include=eic --exclude=com a",
    "-d db.ndb -r --include-dir=c a",
    "-d db.ndb -r --include-dir=b a a/b",
    "-d db.ndb --exclude-dir=a a a/text",
    "-d db.ndb --exclude=eic a/eicar",
    "-d db.ndb --include=zzz a/text",
    "-d db.ndb -r --exclude=/a/[[:alpha:]]{5}$ --exclude-dir=^a/b/c a",
    "-d db.ndb -r --exclude=/dirlink/ --exclude=filelink --follow-file-symlinks=2 a a/dirlink",
    "-d db.ndb -r --max-dir-recursion=15 a",
    "-d db.ndb --cross-fs=no -r a",
    "-d db.ndb -f list",
    "-d db.ndb --file-list=list a/eicar",
    "-d db.ndb --max-filesize=10M --max-scansize=100M --max-files=100 --max-recursion=5 --max-scantime=100000 a",
    "-d db.ndb --no-summary --max-filesize=7 --alert-exceeds-max a/text a/eicar",
    "-d db.ndb --scan-mail=yes --scan-pe --alert-broken=no --normalize=yes --heuristic-alerts=yes a",
    "-d db.ndb --max-embeddedpe=40M --pcre-match-limit=100000 --bytecode=yes --bytecode-timeout=10000 clean",
    "-d db.ndb --tempdir=/tmp --leave-temps=no --nocerts --disable-cache --statistics=none clean",
    "-d db.ndb --bell a/eicar",
    "-d db.ndb --no-summary",
    "-d db.ndb --no-summary -- a/text",
    "-d nothere.ndb a",
    "-d bad.ndb a",
    "-d bad.ndb -d db.ndb a",
    "-d nodbs a",
    "--bogus a",
    "--exclu=x a",
    "-d db.ndb -l",
    "--database",
    "-d db.ndb --recursive=maybe a",
    "-d db.ndb --max-filesize=3X a",
    "-d db.ndb --bytecode-timeout=x a",
    "-d db.ndb --move=nothere a",
    "-d db.ndb --log=nothere/log a",
];

#[test]
fn both_say_the_same() {
    if !has_tool("clamscan") {
        return;
    }
    let folder = tree();
    let mut wrong = Vec::new();
    for line in SAME {
        let (ours, theirs) = (ours(folder.path(), line), theirs(folder.path(), line));
        let errors_go_to_out = ["--move=nothere", "--log=nothere"].iter().any(|part| line.contains(part));
        let same_lines = errors_go_to_out || lines(&ours) == lines(&theirs);
        if ours.code != theirs.code || !same_lines {
            wrong.push(format!(
                "clamscan {line}\nours {}:\n{}{}\ntheirs {}:\n{}{}",
                ours.code, ours.out, ours.err, theirs.code, theirs.out, theirs.err
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), SAME.len(), wrong.join("\n\n"));
}

#[test]
fn both_read_standard_input() {
    if !has_tool("clamscan") {
        return;
    }
    let folder = tree();
    for input in ["a/eicar", "a/text", "a/empty"] {
        let stdin = || Stdio::from(fs::File::open(folder.path().join(input)).unwrap());
        let say = |command: &mut Command| {
            let output =
                command.args(["-d", "db.ndb", "-"]).current_dir(folder.path()).stdin(stdin()).output().unwrap();
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            Run { code: output.status.code().unwrap(), out: text(&output.stdout), err: text(&output.stderr) }
        };
        let (ours, theirs) = (say(&mut command(&["clamscan"])), say(&mut Command::new("clamscan")));
        assert_eq!((lines(&ours), ours.code), (lines(&theirs), theirs.code), "{input}: {}", ours.err);
    }
}

/// What stands in a log, and what is done with infected files: the same in two folders that are alike.
#[test]
fn both_act_and_log_alike() {
    if !has_tool("clamscan") {
        return;
    }
    for action in ["--move=q", "--copy=q", "--remove", "--remove=yes --copy=q"] {
        let line = format!("-d db.ndb --log=log {action} -r a");
        let seen = |act: fn(&Path, &str) -> Run| {
            let folder = tree();
            fs::create_dir(folder.path().join("q")).unwrap();
            let run = act(folder.path(), &line);
            let root = folder.path().to_str().unwrap().to_owned();
            let log = fs::read_to_string(folder.path().join("log")).unwrap();
            let log = Run { code: 0, out: log.replace(&root, ""), err: String::new() };
            let run = Run { out: run.out.replace(&root, ""), ..run };
            let names = |path: &str| {
                let mut names: Vec<_> =
                    fs::read_dir(folder.path().join(path)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
                names.sort();
                names
            };
            (run.code, lines(&run), lines(&log), names("q"), names("a"), names("a/b"))
        };
        assert_eq!(seen(ours), seen(theirs), "{line}");
    }
}

#[test]
fn it_answers_to_its_name() {
    let folder = tree();
    let link = folder.path().join("clamscan");
    symlink(env!("CARGO_BIN_EXE_dachs"), &link).unwrap();
    let by_name = run(Command::new(&link).args(["-d", "db.ndb", "-r", "a"]).current_dir(folder.path()));
    let by_command = ours(folder.path(), "-d db.ndb -r a");
    assert_eq!((lines(&by_name), by_name.code), (lines(&by_command), 1), "{}", by_name.err);
    fs::write(folder.path().join("worker"), "x").unwrap();
    let worker = run(Command::new(&link).args(["worker", "-ddb.ndb"]).current_dir(folder.path()));
    assert!(worker.out.starts_with("worker: OK\n"), "{}{}", worker.out, worker.err);
    let version = run(Command::new(&link).arg("--version"));
    assert!(version.out.starts_with("ClamAV 1.4.6-compatible") && version.out.contains("(Dachs "), "{}", version.out);
    let help = ours(folder.path(), "--help");
    assert!(help.out.contains("--recursive[=yes/no(*)]") && help.code == 0, "{}", help.out);
    assert!(help.out.len() > 4000 && run(&mut command(&["--help"])).out.contains("clamscan"));
}

/// A member of this archive is encrypted: ClamAV says OK.
fn encrypted(folder: &Path) -> bool {
    if !has_tool("zip") {
        return false;
    }
    crate::support::tool(folder, "zip", &["-q", "-P", "secret", "locked.zip", "clean/x"]);
    true
}

#[test]
fn an_unfinished_scan_never_looks_clean() {
    let folder = tree();
    let limited =
        |policy: &str| ours(folder.path(), &format!("-d db.ndb --no-summary --max-filesize=3 {policy} clean"));
    let error = limited("");
    assert_eq!(
        (error.out.as_str(), error.code),
        ("clean/x: limit reached (--max-filesize) ERROR\n", 2),
        "{}",
        error.err
    );
    let found = limited("--incomplete=found");
    assert_eq!((found.out.as_str(), found.code), ("clean/x: Heuristics.Limits.Exceeded.MaxFileSize FOUND\n", 1));
    let ok = limited("--incomplete=ok");
    assert_eq!((ok.out.as_str(), ok.code), ("clean/x: OK\n", 0));
    let quiet = limited("--quiet");
    assert!(quiet.out.is_empty() && quiet.err.contains("--max-filesize") && quiet.code == 2, "{}", quiet.err);
    let sum = ours(folder.path(), "-d db.ndb --max-filesize=3 clean");
    assert!(sum.out.contains("Infected files: 0\nTotal errors: 1\nData scanned: "), "{}", sum.out);
    if !encrypted(folder.path()) {
        return;
    }
    let locked = |policy: &str| ours(folder.path(), &format!("-d db.ndb --no-summary {policy} locked.zip"));
    let error = locked("--incomplete=error -i");
    assert!(error.out.starts_with("locked.zip: encrypted: ") && error.out.ends_with(" ERROR\n"), "{}", error.out);
    assert_eq!(error.code, 2);
    let found = locked("--incomplete=found");
    assert_eq!((found.out.as_str(), found.code), ("locked.zip: Heuristics.Incomplete.Encrypted FOUND\n", 1));
    let kept = locked("--incomplete=found --remove");
    assert!(kept.code == 1 && folder.path().join("locked.zip").exists(), "{}", kept.out);
    if has_tool("clamscan") {
        assert_eq!(theirs(folder.path(), "-d db.ndb locked.zip").code, 0, "the difference is gone");
    }
}

#[test]
fn directories_that_are_not_entered_are_told() {
    let folder = tree();
    let run = ours(folder.path(), "-d db.ndb --no-summary -r --max-dir-recursion=1 --include=tiny a");
    assert!(run.out.contains("a/b: directory not entered: limit reached (--max-dir-recursion) ERROR\n"), "{}", run.out);
    assert_eq!(run.code, 2);
    assert_eq!(ours(folder.path(), "-d db.ndb -r --max-dir-recursion=1 --incomplete=ok --include=tiny a").code, 0);
    assert_eq!(ours(folder.path(), "-d db.ndb --include=tiny a").code, 0, "nobody asked for more");
}

#[test]
fn what_cannot_be_honoured_is_refused_by_name() {
    let folder = tree();
    for option in ["--debug", "--leave-temps", "-a", "--max-iconspe=7"] {
        let run = ours(folder.path(), &format!("{option} -d db.ndb a"));
        assert!(run.code == 2 && run.out.is_empty() && run.err.contains("cannot be honoured"), "{option}: {}", run.err);
    }
}

#[test]
fn names_cannot_forge_lines() {
    let folder = folder(&[("a\nb: OK", &eicar()), ("back\\slash", b"x")]);
    let run = run(command(&["clamscan", "--no-summary"]).arg(folder.path()));
    assert_eq!((run.out.lines().count(), run.code), (2, 1), "{}{}", run.out, run.err);
    assert!(run.out.contains("/a\\x0ab: OK: ") && run.out.contains("/back\\\\slash: OK\n"), "{}", run.out);
}

#[test]
fn without_clamavs_folder_the_installed_content_is_used() {
    let folder = tree();
    if fs::read_dir("/var/lib/clamav").is_ok_and(|mut entries| entries.next().is_some()) {
        skip("there are databases in /var/lib/clamav");
        return;
    }
    let run = ours(folder.path(), "--no-summary a/eicar");
    assert!(run.code == 1 && run.out.starts_with("a/eicar: Eicar-Test"), "{}{}", run.out, run.err);
}

#[test]
fn what_cannot_be_read_is_an_error_whatever_the_policy() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tree();
    let path = folder.path().join("clean/x");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&path).is_ok() {
        skip("this user may read everything");
        return;
    }
    for policy in ["ok", "error", "found"] {
        let run = ours(folder.path(), &format!("-d db.ndb --no-summary -i --incomplete={policy} clean"));
        assert_eq!((run.out.as_str(), run.code), ("clean/x: permission denied ERROR\n", 2), "{policy}: {}", run.err);
    }
}

#[test]
fn what_else_is_meant_to_differ() {
    let folder = tree();
    let at = folder.path();
    let run = ours(at, "-d db.ndb -r --no-summary --exclude=(text|tiny|empty) a");
    let paths: Vec<&str> = run.out.lines().filter(|line| line.ends_with("FOUND")).collect();
    assert!(paths[0].starts_with("a/b/c/deep: ") && paths[2].starts_with("a/eicar: "), "in order: {}", run.out);
    assert_eq!(ours(at, "-d db.ndb a/dead").code, 2, "a link to nowhere");
    assert!(ours(at, "-d db.ndb /proc/self/status").out.starts_with("/proc/self/status: OK\n"), "the kernel's files");
    assert_eq!(ours(at, "-d db.ndb -f nothere").code, 2, "no list");
    fs::write(at.join("gaps"), "\nclean/x\n\n").unwrap();
    assert_eq!(ours(at, "-d db.ndb -f gaps").code, 0, "empty lines");
    assert!(ours(at, "-d db.ndb --exclude=( a").err.contains("--exclude: "), "a wrong expression");
    assert_eq!(ours(at, "-d db.ndb --official-db-only clean").code, 2, "no official database");
    assert!(ours(at, "-d db.ndb --fail-if-cvd-older-than=7 clean").err.contains("no container with a date"));
    fs::create_dir(at.join("q")).unwrap();
    fs::write(at.join("q/eicar"), "older").unwrap();
    let moved = ours(at, "-d db.ndb --no-summary --move=q a/eicar");
    assert!(moved.out.contains("/q/eicar.1'\n") && !at.join("a/eicar").exists(), "{}", moved.out);
    let linked = ours(at, "-d db.ndb --no-summary --remove a/b/eicar.com a/dirlink/eicar.com");
    assert!(linked.out.contains("Removed.") && !at.join("a/b/eicar.com").exists(), "{}", linked.out);
}

#[test]
fn detections_that_a_report_has_no_room_for_are_counted() {
    let database = |count: u32| -> String { (0..count).map(|at| format!("T.{at}:0:*:6261646765722121\n")).collect() };
    let text = b"here is a badger!! in a text";
    for (count, lines, told) in [(10_000, 10_000, None), (10_003, 10_000, Some("3 further detections"))] {
        let place = folder(&[("many.ndb", database(count).as_bytes()), ("text.txt", text)]);
        let at = |name: &str| place.path().join(name);
        let theirs =
            run(command(&["clamscan", "--allmatch", "--no-summary", "-d"]).arg(at("many.ndb")).arg(at("text.txt")));
        assert_eq!((theirs.code, theirs.out.matches(" FOUND").count()), (1, lines), "{}", theirs.err);
        assert_eq!(theirs.err.contains("further detections"), told.is_some(), "{}", theirs.err);
        for format in ["human", "jsonl"] {
            let ours = run(command(&["scan", "--all-matches", "--format", format, "-d"])
                .arg(at("many.ndb"))
                .arg(at("text.txt")));
            let dropped = told.map(|told| if format == "jsonl" { "\"detections_dropped\":3" } else { told });
            assert!(
                dropped.is_none_or(|told| ours.out.contains(told)),
                "{format} {}",
                &ours.out[ours.out.len() - 300..]
            );
        }
    }
}
