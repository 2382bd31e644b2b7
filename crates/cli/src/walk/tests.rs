//! Trees built in a temporary folder, and the steps a walk gives for them.

use super::*;
use rustix::fs::{Mode, OFlags, openat};
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

fn walk(arguments: &[&Path], options: Options) -> Vec<Step> {
    Walk::new(arguments.iter().map(|path| path.as_os_str().to_owned()).collect(), options).collect()
}

/// The steps as lines, with paths relative to `root`.
fn lines(root: &Path, options: Options) -> Vec<String> {
    walk(&[root], options).iter().map(|step| line(root, step)).collect()
}

fn line(root: &Path, step: &Step) -> String {
    let relative = |path: &[u8]| {
        let rest = path.strip_prefix(root.as_os_str().as_bytes()).unwrap_or(path);
        crate::escape::shown(rest.strip_prefix(b"/").unwrap_or(rest))
    };
    match step {
        Step::File(candidate) => relative(&candidate.path),
        Step::Stdin => "-".to_owned(),
        Step::Gap { path, reason } => format!("{}: gap: {reason}", relative(path)),
        Step::Wrong { path, reason } => format!("{}: wrong: {reason}", relative(path)),
        Step::Skipped { path, why } => format!("{}: {}", relative(path), why.label()),
    }
}

fn tree(entries: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for entry in entries {
        let path = root.path().join(entry);
        match entry.split_once(" -> ") {
            Some((link, target)) => symlink(target, root.path().join(link)).unwrap(),
            None if entry.ends_with('/') => fs::create_dir_all(path).unwrap(),
            None => {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                drop(File::create(path).unwrap());
            }
        }
    }
    root
}

fn following(follow: Follow) -> Options {
    Options { follow, follow_directories: follow, ..Options::default() }
}

#[test]
fn files_come_in_the_order_of_their_names() {
    let root = tree(&["b/x", "b/a/y", "a", "c", "b!", "empty/"]);
    assert_eq!(lines(root.path(), Options::default()), ["a", "b/a/y", "b/x", "b!", "c"]);
}

#[test]
fn names_are_bytes() {
    let root = tree(&["a\nb", "x\u{1b}[1m"]);
    File::create(root.path().join(std::ffi::OsStr::from_bytes(b"\xff\xfe"))).unwrap();
    assert_eq!(lines(root.path(), Options::default()), ["a\\x0ab", "x\\x1b[1m", "\\xff\\xfe"]);
}

#[test]
fn links_are_followed_as_asked() {
    let root = tree(&["d/f", "file -> d/f", "dir -> d", "dead -> nowhere", "self -> self", "d/up -> .."]);
    let never = lines(root.path(), following(Follow::Never));
    assert_eq!(
        never,
        [
            "d/f",
            "d/up: symbolic link",
            "dead: symbolic link",
            "dir: symbolic link",
            "file: symbolic link",
            "self: symbolic link"
        ]
    );
    let always = lines(root.path(), following(Follow::Always));
    assert_eq!(
        always,
        ["d/f", "d/up: already visited", "dead: dead link", "dir: already visited", "file", "self: dead link"]
    );
}

#[test]
fn arguments_that_are_links() {
    let root = tree(&["d/f", "dir -> d", "file -> d/f", "dead -> nowhere"]);
    let steps = |name: &str, follow| lines(&root.path().join(name), following(follow));
    assert_eq!(steps("dir", Follow::Arguments), ["f"]);
    assert_eq!(steps("file", Follow::Arguments).len(), 1);
    assert!(steps("dir", Follow::Never)[0].contains("wrong: it is a symbolic link"));
    assert!(steps("dead", Follow::Arguments)[0].contains("wrong: no such file"));
}

#[test]
fn special_files_are_said() {
    let root = tree(&["a"]);
    rustix::fs::mknodat(CWD, root.path().join("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(root.path().join("socket")).unwrap();
    assert_eq!(lines(root.path(), Options::default()), ["a", "pipe: fifo", "socket: socket"]);
    assert!(lines(&root.path().join("pipe"), Options::default())[0].contains("wrong: it is a fifo"));
    assert_eq!(lines(Path::new("-"), Options::default()), ["-"]);
    assert!(lines(Path::new("/nonexistent-badger"), Options::default())[0].contains("wrong: no such file"));
}

#[test]
fn excluded_directories_are_not_entered() {
    let root = tree(&["cache/x", "a/cache/y", "a/z.iso", "a/z"]);
    let exclude = Exclude::new(&["cache".to_owned(), "*.iso".to_owned()]).unwrap();
    let options = Options { exclude, ..Options::default() };
    assert_eq!(lines(root.path(), options), ["a/cache: excluded", "a/z", "a/z.iso: excluded", "cache: excluded"]);
}

#[test]
fn file_systems_of_the_kernel_are_entered_only_by_name() {
    let options = Options { exclude: Exclude::new(&["/[!p]*".to_owned()]).unwrap(), ..Options::default() };
    let steps = Walk::new(vec!["/".into()], options).map(|step| line(Path::new("/nowhere"), &step));
    assert!(steps.into_iter().any(|line| line == "proc: kernel file system"));
    assert!(Walk::new(vec!["/proc/sys/kernel".into()], Options::default()).any(|step| matches!(step, Step::File(_))));
}

#[test]
fn other_file_systems_are_left_out_when_asked() {
    let device = |path: &str| fs::metadata(path).map(|metadata| std::os::unix::fs::MetadataExt::dev(&metadata)).ok();
    if device("/dev") == device("/dev/shm") {
        eprintln!("SKIPPED: /dev/shm is no file system of its own");
        return;
    }
    let shared = |one_file_system| {
        let exclude = Exclude::new(&["/dev/[!s]*".to_owned(), "/dev/shm/*".to_owned()]).unwrap();
        lines(Path::new("/dev"), Options { one_file_system, exclude, ..Options::default() })
    };
    assert!(shared(true).contains(&"shm: other file system".to_owned()));
    assert!(!shared(false).iter().any(|line| line.contains("other file system")));
}

#[test]
fn a_deep_tree_needs_few_descriptors_and_no_long_paths() {
    const DEEP: usize = 1_500;
    let root = tempfile::tempdir().unwrap();
    let mut at = openat(CWD, root.path(), OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
    for _ in 0..DEEP {
        for name in ["a", "z"] {
            drop(openat(&at, name, OFlags::CREATE | OFlags::RDWR, Mode::RUSR | Mode::WUSR).unwrap());
        }
        rustix::fs::mkdirat(&at, "m", Mode::RWXU).unwrap();
        at = openat(&at, "m", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
    let mut walk = Walk::new(vec![root.path().as_os_str().to_owned()], Options::default());
    let mut files = 0;
    while let Some(step) = walk.next() {
        assert!(matches!(step, Step::File(_)), "{step:?}");
        files += 1;
        let awake = walk.stack.iter().filter(|frame| frame.directory.is_some()).count();
        assert!(awake <= AWAKE + 1, "{awake} directories are open");
    }
    assert_eq!(files, 2 * DEEP);
    // The standard library removes such a tree by paths that are too long: do it from the inside.
    remove_deep(root.path(), DEEP);
}

fn remove_deep(root: &Path, deep: usize) {
    let status = std::process::Command::new("rm").arg("-rf").arg(root).status().unwrap();
    assert!(status.success(), "a tree of {deep} levels stays behind");
}

#[test]
fn a_tree_that_is_moved_under_the_walk_is_said() {
    let root = tempfile::tempdir().unwrap();
    let deep = (0..AWAKE + 5).fold(root.path().to_owned(), |path, _| path.join("m"));
    fs::create_dir_all(&deep).unwrap();
    File::create(deep.join("a")).unwrap();
    File::create(root.path().join("m/z")).unwrap();
    let mut walk = Walk::new(vec![root.path().as_os_str().to_owned()], Options::default());
    assert!(matches!(walk.next(), Some(Step::File(_))));
    fs::rename(root.path().join("m/m/m"), root.path().join("elsewhere")).unwrap();
    fs::rename(root.path().join("m/m"), root.path().join("nowhere")).unwrap();
    let rest: Vec<Step> = walk.collect();
    assert!(rest.iter().any(|step| matches!(step, Step::Gap { reason, .. } if reason.contains("moved"))), "{rest:?}");
    assert!(rest.iter().any(|step| matches!(step, Step::File(file) if file.path.ends_with(b"m/z"))), "{rest:?}");
}

#[test]
fn a_hundred_files_are_many() {
    let few = tempfile::tempdir().unwrap();
    let many = tempfile::tempdir().unwrap();
    for number in 0..99 {
        File::create(few.path().join(number.to_string())).unwrap();
        File::create(many.path().join(number.to_string())).unwrap();
    }
    File::create(many.path().join("last")).unwrap();
    let ask = |paths: &[&Path]| are_many(&paths.iter().map(|path| path.as_os_str().to_owned()).collect::<Vec<_>>());
    assert!(!ask(&[few.path()]) && ask(&[many.path()]));
    assert!(ask(&[few.path(), &few.path().join("0")]));
    assert!(!ask(&[&few.path().join("0")]));
    fs::create_dir(few.path().join("folder")).unwrap();
    assert!(ask(&[few.path()]));
}
