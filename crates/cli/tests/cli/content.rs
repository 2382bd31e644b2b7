//! Signatures from files, folders and images.

use std::path::Path;
use std::process::Command;

use crate::support::{command, folder, run, scan, skip};

const BODY: &[u8] = b"Test.Badger:0:*:626164676572\n";

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn sources_folders_and_images_find_the_same() {
    let folder = folder(&[("db/own.ndb", BODY), ("x", b"a badger"), ("y", b"a weasel")]);
    let at = |name: &str| folder.path().join(name);
    let image = at("own.image");
    let built = run(&mut command(&["db", "build", "-o", text(&image), text(&at("db"))]));
    assert_eq!(built.code, 0, "{}{}", built.out, built.err);
    for database in [at("db/own.ndb"), at("db"), image] {
        let found = scan(&["-d", text(&database)], at("x"));
        assert_eq!(found.code, 1, "{database:?}: {}{}", found.out, found.err);
        assert!(found.out.contains("x: Test.Badger"), "{}", found.out);
        assert_eq!(scan(&["-d", text(&database)], at("y")).code, 0);
    }
}

#[test]
fn the_same_sources_give_the_same_image() {
    let folder = folder(&[("own.ndb", BODY)]);
    let build = |name: &str| {
        let path = folder.path().join(name);
        let run =
            run(&mut command(&["db", "build", "--builtin", "-o", text(&path), text(&folder.path().join("own.ndb"))]));
        assert_eq!(run.code, 0, "{}", run.err);
        std::fs::read(path).unwrap()
    };
    assert_eq!(build("a.image"), build("b.image"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3, "nothing else is left behind");
}

#[test]
fn an_image_is_shown_and_checked() {
    let folder = folder(&[("own.ndb", BODY)]);
    let image = folder.path().join("own.image");
    assert_eq!(run(&mut command(&["db", "build", "-o", text(&image), text(&folder.path().join("own.ndb"))])).code, 0);
    let info = run(&mut command(&["db", "info", text(&image)]));
    assert!(
        info.code == 0 && info.out.contains("own.ndb") && info.out.contains("Signatures  1"),
        "{}{}",
        info.out,
        info.err
    );
    let json: serde_json::Value =
        serde_json::from_str(&run(&mut command(&["db", "info", "--format", "json", text(&image)])).out).unwrap();
    assert_eq!(json["sources"][0]["bodies"], 1);
    let explained = run(&mut command(&["db", "explain", "Test.Badger", "-d", text(&image)]));
    assert!(explained.code == 0 && explained.out.contains("Test.Badger"), "{}{}", explained.out, explained.err);
    assert_eq!(run(&mut command(&["db", "explain", "No.Such", "-d", text(&image)])).code, 2);
    assert_eq!(run(&mut command(&["db", "verify", text(&image)])).code, 0);

    let mut bytes = std::fs::read(&image).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&image, bytes).unwrap();
    assert_eq!(run(&mut command(&["db", "verify", text(&image)])).code, 2);
    let refused = scan(&["-d", text(&image)], "/etc/hostname");
    assert!(refused.code == 2 && refused.err.contains("own.image"), "{}", refused.err);
}

/// What others may write to is copied before it is used; to the user it makes no difference.
#[test]
fn an_image_that_others_may_change_is_copied() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder(&[("own.ndb", BODY), ("x", b"a badger")]);
    let image = folder.path().join("own.image");
    assert_eq!(run(&mut command(&["db", "build", "-o", text(&image), text(&folder.path().join("own.ndb"))])).code, 0);
    std::fs::set_permissions(&image, std::fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(scan(&["-d", text(&image)], folder.path().join("x")).code, 1);
}

#[test]
fn installed_content_is_an_image_or_sources_and_the_built_in_set() {
    let folder = folder(&[("db/own.ndb", BODY), ("x", b"a badger")]);
    let installed = |place: &Path| run(command(&["scan"]).arg(folder.path().join("x")).env("DACHS_CONTENT", place));
    assert_eq!(installed(&folder.path().join("db")).code, 1);
    let image = folder.path().join("db/all.image");
    assert_eq!(
        run(&mut command(&["db", "build", "--builtin", "-o", text(&image), text(&folder.path().join("db"))])).code,
        0
    );
    std::fs::remove_file(folder.path().join("db/own.ndb")).unwrap();
    assert_eq!(installed(&folder.path().join("db")).code, 1);
    std::fs::copy(&image, folder.path().join("db/second.image")).unwrap();
    let ambiguous = installed(&folder.path().join("db"));
    assert!(ambiguous.code == 2 && ambiguous.err.contains("2 images"), "{}", ambiguous.err);
    assert_eq!(installed(Path::new("/nowhere")).code, 2);
}

#[test]
fn an_image_and_sources_cannot_be_mixed() {
    let folder = folder(&[("own.ndb", BODY)]);
    let (source, image) = (folder.path().join("own.ndb"), folder.path().join("own.image"));
    assert_eq!(run(&mut command(&["db", "build", "-o", text(&image), text(&source)])).code, 0);
    let mixed = scan(&["-d", text(&image), "-d", text(&source)], &source);
    assert!(mixed.code == 2 && mixed.err.contains("stands alone"), "{}", mixed.err);
}

#[test]
fn a_malformed_source_is_named_with_its_line() {
    let folder = folder(&[("own.ndb", b"Test.A:0:*:6162636465\nTest.B:0:*:zz\n")]);
    let run = scan(&["-d", text(&folder.path().join("own.ndb"))], "/etc/hostname");
    assert!(run.code == 2 && run.err.contains("own.ndb:2"), "{}", run.err);
}

/// ClamAV's own test files hold one small program each, packed in many ways: it is found by its digest where a
/// container is one that is unpacked, and never is such a file silently clean that is known to hold it plainly.
#[test]
fn test_files_of_clamav_are_found_by_a_hash() {
    let files = Path::new("/usr/share/clamav-testfiles");
    if !files.is_dir() {
        return skip("ClamAV's test files are not installed");
    }
    let folder = folder(&[("clam.hdb", b"aa15bcf478d165efd2065190eb473bcb:544:ClamAV-Test-File\n")]);
    let database = folder.path().join("clam.hdb");
    for name in ["clam.exe", "clam.zip", "clam.exe.bz2"] {
        let run = scan(&["-d", text(&database)], files.join(name));
        assert_eq!(run.code, 1, "{name}: {}{}", run.out, run.err);
        assert!(run.out.contains("ClamAV-Test-File"), "{}", run.out);
    }
}

/// Small files go to a worker together, which digests those side by side whose size occurs.
#[test]
fn of_many_small_files_those_are_found_whose_digest_is_listed() {
    let name = |number: usize| format!("f{number:02}");
    let bytes =
        |number: usize| (0..900 + 700 * number).map(|at| (at * at + number).to_le_bytes()[1]).collect::<Vec<u8>>();
    let files = (0..40).map(|number| (name(number), bytes(number))).collect::<Vec<_>>();
    let folder = folder(&files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect::<Vec<_>>());
    let sums = Command::new("md5sum").args(files.iter().map(|(name, _)| folder.path().join(name))).output().unwrap();
    let sums = String::from_utf8(sums.stdout).unwrap();
    let sums = sums.lines().map(|line| line.split(' ').next().unwrap()).collect::<Vec<_>>();
    assert_eq!(sums.len(), files.len());
    // Of each third file the digest, of each other third the digest of another.
    let line = |number: usize| match number % 3 {
        0 => format!("{}:{}:Listed-{number}\n", sums[number], files[number].1.len()),
        1 => format!("{}:{}:Other-{number}\n", sums[0], files[number].1.len()),
        _ => String::new(),
    };
    let database = tempfile::tempdir().unwrap();
    let list = database.path().join("list.hdb");
    std::fs::write(&list, (0..40).map(line).collect::<String>()).unwrap();
    let found = scan(&["-j1", "--format", "jsonl", "-v", "-d", text(&list)], folder.path());
    assert_eq!(found.code, 1, "{}", found.err);
    let lines = found.lines();
    assert_eq!(lines.len(), files.len(), "{}", found.out);
    for line in lines {
        let path = line["path"].as_str().unwrap().to_owned();
        let number = path[path.len() - 2..].parse::<usize>().unwrap();
        let detected = line["detections"][0]["name"].as_str().map(str::to_owned);
        let expected = (number % 3 == 0).then(|| format!("Listed-{number}"));
        assert_eq!(detected.as_deref().map(|name| name.trim_end_matches(".UNOFFICIAL")), expected.as_deref(), "{line}");
    }
}
