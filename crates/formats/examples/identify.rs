//! Walks folders and prints what each file is, one a line: kind, further kinds, path. For comparing with other tools.
#![allow(clippy::print_stdout, reason = "an example that prints")]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use dachs_base::Source;

struct Opened(File, u64);

impl Source for Opened {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.0.read_at(rest, offset.saturating_add(done as u64)) {
                Ok(got) if got > 0 => done += got,
                _ => break,
            }
        }
        done
    }

    fn len(&self) -> u64 {
        self.1
    }
}

fn main() {
    let mut waiting: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    while let Some(path) = waiting.pop() {
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        if meta.is_dir() {
            waiting.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        } else if meta.is_file() {
            show(&path, meta.len());
        }
    }
}

fn show(path: &Path, size: u64) {
    let Ok(file) = File::open(path) else { return };
    let identity = dachs_formats::identify(&Opened(file, size));
    let also: Vec<_> = identity.also.iter().map(|kind| kind.label()).collect();
    println!("{}\t{}\t{}", identity.kind.label(), also.join(","), path.display());
}
