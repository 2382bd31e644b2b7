//! Paths to inputs: files as they are, and folders in the order that ClamAV loads them.
//!
//! The only part of the crate that touches the file system, for the program that has nothing else to do it.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this module is the crate's only door to the file system, for the trusted side alone"
)]

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::container::Header;
use crate::kind::{self, Form, Kind};
use crate::{Compilation, Error, Input, compile};

/// Compiles files and folders. Folders inside of folders are not read.
///
/// # Errors
/// When a path cannot be read, and as [`compile()`].
pub fn compile_paths(paths: &[PathBuf]) -> Result<Compilation, Error> {
    compile(&files(paths)?)
}

/// The inputs that paths stand for, in the order in which they are to be loaded. Files are not opened yet, but for the
/// headers of containers of which there are two.
///
/// # Errors
/// When a path does not exist or a folder cannot be read.
pub fn files(paths: &[PathBuf]) -> Result<Vec<Input>, Error> {
    let mut inputs = Vec::new();
    for path in paths {
        let metadata = fs::metadata(path).map_err(|error| failed(path, error))?;
        if metadata.is_dir() {
            inputs.extend(folder(path).map_err(|error| failed(path, error))?);
        } else {
            inputs.push(file(path));
        }
    }
    Ok(inputs)
}

fn failed(path: &Path, error: io::Error) -> Error {
    Error::Io { path: path.display().to_string(), error }
}

fn file(path: &Path) -> Input {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let path = path.to_owned();
    Input::new(name, move || Ok(Box::new(File::open(&path)?) as Box<dyn Read>))
}

/// The files of a folder: lists of what to leave out, then the daily container, then some that others build on, then
/// the rest by name. Of a container that is there as `.cvd` and `.cld`, only the newer one.
fn folder(path: &Path) -> io::Result<Vec<Input>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_file()) {
            names.push(entry.path());
        }
    }
    names.sort_by_key(|path| (rank(&file_name(path)), file_name(path)));
    let older: Vec<PathBuf> = names.iter().filter(|path| is_outdone(path, &names)).cloned().collect();
    names.retain(|path| !older.contains(path));
    Ok(names.iter().map(|path| file(path).listed()).collect())
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn rank(name: &str) -> u8 {
    match name {
        "daily.cld" | "daily.cvd" => 1,
        "local.gdb" => 2,
        "daily.cfg" => 3,
        _ => match kind::suffix(name).as_str() {
            "ign" | "ign2" => 0,
            "crb" => 4,
            _ => 5,
        },
    }
}

/// True if the same container is there in the other form, and newer. A `.cld` of the same version wins.
fn is_outdone(path: &Path, all: &[PathBuf]) -> bool {
    let other = match kind::of(&file_name(path)) {
        Some((Kind::Container(Form::Cvd), _)) => path.with_extension("cld"),
        Some((Kind::Container(Form::Cld), _)) => path.with_extension("cvd"),
        _ => return false,
    };
    if !all.contains(&other) {
        return false;
    }
    let newer = (version(&other), kind::suffix(&file_name(&other)) == "cld");
    newer > (version(path), kind::suffix(&file_name(path)) == "cld")
}

/// The version of a container; none if that cannot be told, which compiling will.
fn version(path: &Path) -> Option<u32> {
    let mut file = File::open(path).ok()?;
    Header::read(&mut file).ok().map(|header| header.version)
}
