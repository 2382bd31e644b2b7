//! Actions on files that stay, and on files that are swapped under them.

use super::*;
use crate::walk::{Options, Step, Walk};
use std::fs;
use std::os::unix::fs::symlink;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        for name in ["bad", "other"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        fs::create_dir(folder.path().join("vault")).unwrap();
        Place { folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn vault(&self) -> Folder {
        Folder::open(&self.at("vault")).unwrap()
    }

    /// The file as a walk over `argument` finds and opens it.
    fn scanned(&self, argument: &Path) -> Scanned {
        let bad = |step: &Step| matches!(step, Step::File(candidate) if candidate.path.ends_with(b"bad"));
        let walk = Walk::new(vec![argument.into()], Options::default());
        let Some(Step::File(candidate)) = walk.into_iter().find(bad) else { panic!("no such file") };
        let file = File::open(self.at("bad")).unwrap().into();
        Scanned::new(&candidate, &file).unwrap()
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.at(folder)).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn a_file_is_removed_by_walk_and_by_argument() {
    for by_argument in [false, true] {
        let place = Place::new();
        let argument = if by_argument { place.at("bad") } else { place.folder.path().to_path_buf() };
        let acted = Action::Remove.act(&place.scanned(&argument)).unwrap();
        assert_eq!((acted.what, place.names("")), ("removed", vec!["other".to_owned(), "vault".to_owned()]));
    }
}

#[test]
fn a_file_is_moved_and_replaces_nothing() {
    let place = Place::new();
    fs::write(place.at("vault/bad"), "an older one").unwrap();
    let acted = Action::Move(place.vault()).act(&place.scanned(place.folder.path())).unwrap();
    assert_eq!(acted.to, Some(place.at("vault/bad.1").into_os_string().into_vec()));
    assert_eq!(fs::read(place.at("vault/bad.1")).unwrap(), b"bad");
    assert_eq!(
        (place.names(""), place.names("vault")),
        (vec!["other".into(), "vault".into()], vec!["bad".into(), "bad.1".into()])
    );
}

#[test]
fn a_file_is_moved_to_another_file_system() {
    let place = Place::new();
    let Ok(elsewhere) = tempfile::tempdir_in("/dev/shm") else {
        eprintln!("SKIPPED: there is no other file system to move to");
        return;
    };
    Action::Move(Folder::open(elsewhere.path()).unwrap()).act(&place.scanned(place.folder.path())).unwrap();
    assert_eq!(fs::read(elsewhere.path().join("bad")).unwrap(), b"bad");
    assert_eq!(place.names(""), ["other", "vault"]);
}

#[test]
fn a_copy_leaves_the_file_and_holds_what_was_scanned() {
    let place = Place::new();
    let scanned = place.scanned(place.folder.path());
    fs::remove_file(place.at("bad")).unwrap();
    fs::write(place.at("bad"), "something else").unwrap();
    Action::Copy(place.vault()).act(&scanned).unwrap();
    assert_eq!(fs::read(place.at("vault/bad")).unwrap(), b"bad");
    assert_eq!(fs::read(place.at("bad")).unwrap(), b"something else");
}

/// Whatever stands under the name instead of the scanned file is left alone, and keeps its name.
#[test]
fn what_was_put_in_its_place_is_left_alone() {
    let swaps: [fn(&Place); 3] = [
        |place| fs::rename(place.at("other"), place.at("bad")).unwrap(),
        |place| {
            fs::remove_file(place.at("bad")).unwrap();
            symlink("other", place.at("bad")).unwrap();
        },
        |place| {
            fs::remove_file(place.at("bad")).unwrap();
            fs::create_dir(place.at("bad")).unwrap();
        },
    ];
    for swap in swaps {
        for action in [|_: &Place| Action::Remove, |place: &Place| Action::Move(place.vault())] {
            let place = Place::new();
            let scanned = place.scanned(place.folder.path());
            swap(&place);
            let before = place.names("");
            let reason = action(&place).act(&scanned).unwrap_err();
            assert!(reason.contains("left alone"), "{reason}");
            assert_eq!((place.names(""), place.names("vault").len()), (before, 0));
        }
    }
}

#[test]
fn an_argument_is_not_looked_up_through_links() {
    let place = Place::new();
    fs::create_dir(place.at("real")).unwrap();
    fs::rename(place.at("bad"), place.at("real/bad")).unwrap();
    fs::write(place.at("bad"), "").unwrap();
    symlink("real", place.at("way")).unwrap();
    let walk = Walk::new(vec![place.at("way/bad").into()], Options::default());
    let Some(Step::File(candidate)) = walk.into_iter().next() else { panic!("no such file") };
    let file = File::open(place.at("real/bad")).unwrap().into();
    let reason = Action::Remove.act(&Scanned::new(&candidate, &file).unwrap()).unwrap_err();
    assert!(reason.contains("symbolic link"), "{reason}");
    assert!(place.at("real/bad").exists());
}

/// An attacker who swaps a link and a directory all the time gets nobody else's file removed.
#[test]
fn a_race_costs_nobody_a_file() {
    let place = Place::new();
    fs::create_dir(place.at("a")).unwrap();
    fs::create_dir(place.at("victim")).unwrap();
    fs::write(place.at("victim/bad"), "precious").unwrap();
    symlink("victim", place.at("b")).unwrap();
    let (a, b) = (place.at("a"), place.at("b"));
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let _ = renameat_with(CWD, &a, CWD, &b, RenameFlags::EXCHANGE);
            }
        });
        let mut removed = 0;
        for _ in 0..400 {
            let _ = fs::write(place.at("a/bad"), "bad").and_then(|()| fs::write(place.at("b/bad"), "bad"));
            let _ = fs::write(place.at("victim/bad"), "precious");
            let steps = Walk::new(vec![place.at("a").into(), place.at("a/bad").into()], Options::default());
            for step in steps {
                let Step::File(candidate) = step else { continue };
                let Ok(input) = candidate.open(&crate::interrupt::Interrupt::default()) else { continue };
                let text = io::read_to_string(File::from(input.file.try_clone().unwrap())).unwrap();
                if text == "bad" {
                    removed += usize::from(Action::Remove.act(&Scanned::new(&candidate, &input.file).unwrap()).is_ok());
                }
            }
            assert!(place.at("victim/bad").exists(), "the victim's file is gone");
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        eprintln!("{removed} removed");
    });
}
