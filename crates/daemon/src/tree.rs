//! The files under a path, as a client may see them.
//!
//! A path is a file or a folder; folders are walked depth first, in the order of the directory, with one open descriptor a
//! level. Links, devices and pipes in folders are passed over; what cannot be opened is told.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Dir, FileType, statat};
use rustix::io::{Errno, pread};

use crate::peer::Peer;
use crate::rights::{Opened, open_as, open_in};
use crate::settings::WalkSettings;

/// Something under the path.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) path: Vec<u8>,
    pub(crate) what: What,
}

/// What it is.
#[derive(Debug)]
pub(crate) enum What {
    /// It is left out: `Excluded`.
    Excluded,
    /// A file to scan, and its size.
    File(OwnedFd, u64),
    /// It cannot be looked at: why, in clamd's words.
    Problem(String),
}

/// A walk.
pub(crate) struct Tree<'a> {
    peer: &'a Peer,
    settings: &'a WalkSettings,
    /// The path itself, before it is opened.
    start: Option<Vec<u8>>,
    folders: Vec<Folder>,
    /// The file system of the path.
    device: u64,
    /// True if the path is a folder.
    pub(crate) is_folder: bool,
}

struct Folder {
    path: Vec<u8>,
    entries: Dir,
    file: OwnedFd,
}

impl<'a> Tree<'a> {
    pub(crate) fn new(peer: &'a Peer, settings: &'a WalkSettings, path: &[u8]) -> Tree<'a> {
        Tree { peer, settings, start: Some(path.to_vec()), folders: Vec::new(), device: 0, is_folder: false }
    }

    fn begin(&mut self, path: Vec<u8>) -> Option<Found> {
        if path.first() != Some(&b'/') {
            return Some(problem(path, check_failure(Errno::NOENT)));
        }
        // A path is told without slashes at its end.
        let end = path.iter().rposition(|byte| *byte != b'/').map_or(1, |last| last + 1);
        let path = path.get(..end).unwrap_or_default().to_vec();
        match open_as(self.peer, &path) {
            Err(error) => Some(problem(path, check_failure(error))),
            Ok(_) if self.settings.exclude.is_match(&path) => Some(Found { path, what: What::Excluded }),
            Ok(opened) => match opened.kind() {
                FileType::Directory => {
                    self.device = opened.stat.st_dev;
                    self.is_folder = true;
                    let path = if path == b"/" { Vec::new() } else { path };
                    self.enter(path, opened)
                }
                FileType::RegularFile => Some(file(path, opened)),
                _ => Some(problem(path, "Not supported file type".to_owned())),
            },
        }
    }

    fn enter(&mut self, path: Vec<u8>, opened: Opened) -> Option<Found> {
        match Dir::read_from(&opened.file) {
            Ok(entries) => {
                self.folders.push(Folder { path, entries, file: opened.file });
                None
            }
            Err(error) => Some(problem(path, check_failure(error))),
        }
    }

    /// One entry of the innermost folder.
    fn step(&mut self) -> Option<Found> {
        let folder = self.folders.last_mut()?;
        let name = match folder.entries.next() {
            None => {
                self.folders.pop();
                return None;
            }
            Some(Err(error)) => {
                let path = folder.path.clone();
                self.folders.pop();
                return Some(problem(path, check_failure(error)));
            }
            Some(Ok(entry)) => entry.file_name().to_bytes().to_vec(),
        };
        if name == b"." || name == b".." {
            return None;
        }
        let path = [folder.path.as_slice(), b"/", &name].concat();
        if self.settings.exclude.is_match(&path) {
            return Some(Found { path, what: What::Excluded });
        }
        self.look(&name, path)
    }

    fn look(&mut self, name: &[u8], path: Vec<u8>) -> Option<Found> {
        let folder = self.folders.last()?;
        let name = OsStr::from_bytes(name);
        let kind = match statat(&folder.file, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => FileType::from_raw_mode(stat.st_mode),
            // It went away.
            Err(Errno::NOENT) => return None,
            Err(error) => return Some(problem(path, check_failure(error))),
        };
        let links = self.settings.follow_files || self.settings.follow_folders;
        match kind {
            FileType::Directory | FileType::RegularFile => {}
            FileType::Symlink if links => {}
            _ => return None,
        }
        let opened = match open_in(self.peer, &folder.file, name, links) {
            Ok(opened) => opened,
            Err(Errno::NOENT) => return None,
            Err(Errno::ACCESS) => return Some(problem(path, "Access denied.".to_owned())),
            Err(error) => return Some(problem(path, check_failure(error))),
        };
        let linked = kind == FileType::Symlink;
        match opened.kind() {
            FileType::RegularFile if !linked || self.settings.follow_files => Some(file(path, opened)),
            FileType::Directory if !linked || self.settings.follow_folders => self.descend(path, opened),
            _ => None,
        }
    }

    fn descend(&mut self, path: Vec<u8>, opened: Opened) -> Option<Found> {
        if self.settings.one_file_system && opened.stat.st_dev != self.device {
            return None;
        }
        if self.folders.len() >= self.settings.depth {
            return Some(problem(path, "Directory recursion limit exceeded".to_owned()));
        }
        self.enter(path, opened)
    }
}

impl Iterator for Tree<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        if let Some(path) = self.start.take()
            && let Some(found) = self.begin(path)
        {
            return Some(found);
        }
        while !self.folders.is_empty() {
            if let Some(found) = self.step() {
                return Some(found);
            }
        }
        None
    }
}

/// A file. One that has no size and yet has bytes is made up by the kernel, and cannot be scanned at offsets.
fn file(path: Vec<u8>, opened: Opened) -> Found {
    let size = opened.size();
    if size == 0 && pread(&opened.file, &mut [0_u8; 1], 0) != Ok(0) {
        return problem(path, "Not supported file type".to_owned());
    }
    Found { path, what: What::File(opened.file, size) }
}

fn problem(path: Vec<u8>, reason: String) -> Found {
    Found { path, what: What::Problem(reason) }
}

/// The kernel's words, as clamd passes them on.
fn check_failure(error: Errno) -> String {
    let text = std::io::Error::from(error).to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    format!("File path check failure: {text}.")
}
