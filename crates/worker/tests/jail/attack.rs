//! A taken-over worker tries everything, in the whole jail and in jails with one layer missing.

use crate::Test;
use crate::bench::{Bench, LAYERS, said};
use dachs_base::Limits;
use dachs_pool::JailReport;
use dachs_sys::attack::PRIMITIVES;
use std::io::Write;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;

pub(crate) const TESTS: &[Test] = &[
    ("the_passed_file_is_all_a_worker_can_reach", the_passed_file_is_all_a_worker_can_reach, false),
    ("so_it_is_with_rules_that_ran_before", so_it_is_with_rules_that_ran_before, false),
    ("what_each_layer_holds_back", what_each_layer_holds_back, false),
];

/// What came of one primitive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Result {
    Allowed,
    Refused,
    Killed,
}

/// Every primitive, each in a worker of its own.
fn attempt_all(name: &str) -> (Vec<Result>, JailReport) {
    attempt_all_after(name, "")
}

/// Every primitive, each in a worker of its own, after something that the engine knows.
fn attempt_all_after(name: &str, before: &str) -> (Vec<Result>, JailReport) {
    let outside = Outside::new();
    let bench = Bench::named(name, 2, Limits::default()).unwrap();
    for number in 0..PRIMITIVES.len() {
        let file = outside.file(&format!("alone {before}attack {number} {}", outside.path().display()));
        let size = file.metadata().unwrap().len();
        bench.submit(u64::try_from(number).unwrap(), file.into(), size);
    }
    let mut results = vec![Result::Killed; PRIMITIVES.len()];
    for _ in 0..PRIMITIVES.len() {
        let done = bench.next();
        let number = usize::try_from(done.tag).unwrap();
        results[number] = read(said(&done.report), PRIMITIVES[number].name);
    }
    (results, bench.pool().layers().clone())
}

fn read(said: &str, name: &str) -> Result {
    match said {
        "allowed" => Result::Allowed,
        // The new program came, and ended well.
        _ if said.contains("ended by itself with code 0") => Result::Allowed,
        // The pool heard something, and did not believe it.
        _ if said.contains("not believed") => Result::Allowed,
        _ if said.starts_with("refused") => Result::Refused,
        _ if said.contains("forbidden system call") => Result::Killed,
        _ => panic!("{name}: {said}"),
    }
}

fn the_passed_file_is_all_a_worker_can_reach() {
    assert!(PRIMITIVES.len() >= 44);
    let (results, _) = attempt_all("whole");
    for (primitive, result) in PRIMITIVES.iter().zip(&results) {
        let wanted = if primitive.intended { Result::Allowed } else { Result::Killed };
        assert_eq!(*result, wanted, "{}", primitive.name);
    }
}

/// The engine of YARA rules has run and matched in the worker that is then taken over.
fn so_it_is_with_rules_that_ran_before() {
    let (results, _) = attempt_all_after("whole", "yara-one ");
    for (primitive, result) in PRIMITIVES.iter().zip(&results) {
        let wanted = if primitive.intended { Result::Allowed } else { Result::Killed };
        assert_eq!(*result, wanted, "{} after rules", primitive.name);
    }
}

/// Prints the table of docs/jail.md, and checks that no single layer carries what matters most.
fn what_each_layer_holds_back() {
    let columns: Vec<_> = LAYERS.iter().map(|(name, _)| (*name, attempt_all(name))).collect();
    let mut heads: Vec<&str> = columns.iter().map(|(name, _)| name.trim_start_matches("without-")).collect();
    heads.insert(0, "primitive \\ missing");
    println!("| {} |\n|{}", heads.join(" | "), "---|".repeat(heads.len()));
    for (at, primitive) in PRIMITIVES.iter().enumerate() {
        let cells = columns.iter().map(|(_, (results, _))| match results[at] {
            Result::Allowed => "ALLOWED",
            Result::Refused => "refused",
            Result::Killed => "killed",
        });
        println!("| {} | {} |", primitive.name, cells.collect::<Vec<_>>().join(" | "));
    }
    for (name, (results, layers)) in &columns {
        let allowed = results.iter().filter(|result| **result == Result::Allowed).count();
        println!("{name}: {allowed} of {} allowed", PRIMITIVES.len());
        if *name != "without-filter" {
            assert_eq!(allowed, 1, "{name}");
        } else if is_on(layers, "landlock") && is_on(layers, "empty root") && is_on(layers, "network namespace") {
            check_without_filter(results);
        } else {
            eprintln!("NOT CHECKED: this machine lacks layers: {layers:?}");
        }
    }
}

/// Without the filter, the other layers still hold files, networks, programs and other processes back.
fn check_without_filter(results: &[Result]) {
    for (primitive, result) in PRIMITIVES.iter().zip(results) {
        let starts = [
            "open",
            "make a file",
            "stat a",
            "chmod",
            "unlink",
            "mkdir",
            "exec",
            "TCP",
            "UDP",
            "connect",
            "fork",
            "clone3",
            "write",
            "pwrite",
            "ftruncate",
            "reopen",
            "mount",
            "pivot",
            "chroot",
            "setuid",
            "init_module",
            "bpf",
            "ptrace the",
        ];
        let matters = starts.iter().any(|start| primitive.name.starts_with(start));
        // Everybody may execute the file at hand if its owner lets them: it would run in the same jail.
        let matters =
            matters && !primitive.name.starts_with("execveat") && !primitive.name.starts_with("open the root");
        assert!(!(matters && *result == Result::Allowed), "{} without the filter", primitive.name);
    }
}

fn is_on(layers: &JailReport, name: &str) -> bool {
    layers.layers.iter().any(|layer| layer.layer == name && layer.on)
}

/// A folder that everybody may enter, with things to reach for.
struct Outside {
    folder: tempfile::TempDir,
    _listeners: [UnixListener; 2],
}

impl Outside {
    fn new() -> Outside {
        let folder = tempfile::tempdir().unwrap();
        let name = SocketAddr::from_abstract_name(folder.path().as_os_str().as_bytes()).unwrap();
        let by_path = UnixListener::bind(folder.path().join("socket")).unwrap();
        let _listeners = [by_path, UnixListener::bind_addr(&name).unwrap()];
        let outside = Outside { folder, _listeners };
        std::fs::write(outside.path().join("secret"), "secret").unwrap();
        for name in ["secret", "socket", "."] {
            open_to_all(&outside.path().join(name));
        }
        outside
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A file with this text that everybody may read, write and execute, opened for reading.
    fn file(&self, text: &str) -> std::fs::File {
        let mut file = tempfile::NamedTempFile::new_in(&self.folder).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        open_to_all(file.path());
        std::fs::File::open(file.into_temp_path()).unwrap()
    }
}

fn open_to_all(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
}
