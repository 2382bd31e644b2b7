//! What tests of file systems share: folders of files, images made of them by public tools, and comparisons.
#![allow(dead_code, reason = "each test uses what it needs")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use dachs_base::{FileKind, Limits};

use crate::common::{Noise, Walked, eicar, tool, walk, walk_within};

/// Files by path.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// Bytes that no codec makes smaller.
pub(crate) fn noise(count: usize) -> Vec<u8> {
    let mut noise = Noise::new();
    (0..count).map(|_| noise.below(256) as u8).collect()
}

/// A folder of files of all shapes.
pub(crate) fn tree(folder: &Path) {
    let root = folder.join("tree");
    let deep = root.join("Some long folder name/deeper/and deeper");
    fs::create_dir_all(&deep).unwrap();
    fs::create_dir_all(root.join("empty folder")).unwrap();
    fs::create_dir_all(root.join("many")).unwrap();
    fs::write(deep.join("a very long name of a test file.com"), eicar()).unwrap();
    fs::write(root.join("EICAR.COM"), [eicar(), b"\n".to_vec()].concat()).unwrap();
    fs::write(root.join("empty"), b"").unwrap();
    fs::write(root.join("Dächse.txt"), "Dächse graben.\n".repeat(20)).unwrap();
    fs::write(root.join("text"), b"badger ".repeat(60_000)).unwrap();
    fs::write(root.join("noise"), noise(300_001)).unwrap();
    let mixed = [b"sett ".repeat(30_000), noise(70_000), vec![0; 200_000], b"end".to_vec()].concat();
    fs::write(root.join("mixed"), mixed).unwrap();
    for number in 0..150 {
        fs::write(root.join(format!("many/file {number}")), format!("the file {number} ").repeat(number + 1)).unwrap();
    }
}

/// All files of a folder that have bytes.
pub(crate) fn files(folder: &Path) -> Files {
    let mut files = Files::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            let kind = fs::symlink_metadata(&path).unwrap();
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() && kind.len() > 0 {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_string();
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// The members of an image, without what they hold.
pub(crate) fn members(walked: &Walked) -> Files {
    walked.objects.iter().filter(|seen| seen.path.len() == 1).map(|s| (s.path[0].clone(), s.bytes.clone())).collect()
}

/// What 7z takes out of an image.
pub(crate) fn seven_zip(folder: &Path, image: &str) -> Option<Files> {
    let _ = fs::remove_dir_all(folder.join("out"));
    tool(folder, "7z", &["x", "-y", "-oout", image], b"")?;
    Some(files(&folder.join("out")))
}

pub(crate) fn assert_same(ours: &Files, theirs: &Files, what: &str) {
    let differing: Vec<&String> = theirs.keys().filter(|name| ours.get(*name) != theirs.get(*name)).collect();
    let more: Vec<&String> = ours.keys().filter(|name| !theirs.contains_key(*name)).collect();
    assert!(differing.is_empty() && more.is_empty(), "{what}: missing or different {differing:?}, too much {more:?}");
}

/// Runs a tool that makes `image` from `tree`, or several, one behind the other; false if one is not there.
pub(crate) fn make(folder: &Path, commands: &[&[&str]]) -> bool {
    let _ = fs::remove_file(folder.join("image"));
    commands.iter().all(|command| tool(folder, command[0], &command[1..], b"").is_some())
}

/// The image holds the tree, and nothing was remarked.
pub(crate) fn assert_holds_tree(folder: &Path, kind: FileKind, what: &str) -> Vec<u8> {
    let image = fs::read(folder.join("image")).unwrap();
    let walked = walk(&image);
    assert_eq!(walked.objects[0].kind, kind, "{what}");
    assert_eq!(walked.anomalies, [], "{what}");
    assert_same(&members(&walked), &files(&folder.join("tree")), what);
    image
}

/// Flips bits of an image where its tables stand, and cuts it.
pub(crate) fn assert_bears_damage(image: &[u8], places: &[usize], times: usize) {
    let limits = Limits { memory: 16 << 20, objects: 400, scan_size: 32 << 20, ..Limits::default() };
    let mut noise = Noise::new();
    for _ in 0..times {
        let _ = walk_within(&noise.flip(image, places, 4), limits.clone());
    }
    for _ in 0..times / 10 {
        let _ = walk_within(noise.cut(image), limits.clone());
    }
}

/// A small tree, so that mutations are quick.
pub(crate) fn small_tree(folder: &Path) {
    let root = folder.join("tree");
    let _ = fs::remove_dir_all(&root);
    fs::create_dir_all(root.join("a folder/deeper")).unwrap();
    fs::write(root.join("a folder/deeper/a longer name.com"), eicar()).unwrap();
    fs::write(root.join("EICAR.COM"), eicar()).unwrap();
    fs::write(root.join("text"), b"badger ".repeat(1500)).unwrap();
    fs::write(root.join("noise"), noise(9_000)).unwrap();
}

/// A bare image of so many MiB.
pub(crate) fn bare(folder: &Path, mib: usize) {
    fs::write(folder.join("image"), vec![0; mib << 20]).unwrap();
}

/// Places of an image in whose sectors is something.
pub(crate) fn used(image: &[u8]) -> Vec<usize> {
    let holds = |at: &usize| image[at / 512 * 512..].iter().take(512).any(|byte| *byte != 0);
    (0..image.len()).filter(holds).collect()
}
