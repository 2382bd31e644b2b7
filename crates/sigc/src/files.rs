//! Paths to inputs: files as they are, and folders in the order that ClamAV loads them.
//!
//! Folders inside of folders are read for YARA rules alone, since that is how collections of them come. What a file of
//! rules includes is looked for beside it, then in the folder that was given; it must lie in that folder.
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

use dachs_pki::Certificate;

use crate::container::{self, Header};
use crate::kind::{self, Form, Kind};
use crate::{Compilation, Error, Included, Input, Roots, compile};

/// Folders of rules are entered so deep, and so many entries are looked at.
const DEEPEST: usize = 16;
const MOST: usize = 1_000_000;
/// Bytes of signatures beside a container that are read.
const LONGEST_SIGNATURES: u64 = 1 << 20;

/// Compiles files and folders. Folders inside of folders are read for YARA rules only.
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
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    named(path, file_name(path), folder)
}

/// A file by this name, which may include others of this folder if it holds rules.
fn named(path: &Path, name: String, folder: &Path) -> Input {
    let is_yara = matches!(kind::of(kind::ungzipped(&name).0), Some((Kind::Yara, _)));
    let (path, shown) = (path.to_owned(), name.clone());
    let input = Input::new(name, move || Ok(Box::new(File::open(&path)?) as Box<dyn Read>));
    let (folder, is_signed) = (folder.to_owned(), kind::suffix(&shown) == "cvd");
    if is_signed {
        return input.with_signatures(move |version| signatures(&folder, &shown, version));
    }
    if is_yara { input.with_includes(move |from, path| include(&folder, from, path)) } else { input }
}

/// The signatures beside a container, if there are any: `main-62.cvd.sign` for `main.cvd` of version 62.
fn signatures(folder: &Path, name: &str, version: u32) -> io::Result<Option<String>> {
    let stem = name.get(..name.len().saturating_sub(".cvd".len())).unwrap_or(name);
    let file = match File::open(folder.join(format!("{stem}-{version}.cvd.sign"))) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    file.take(LONGEST_SIGNATURES).read_to_string(&mut text)?;
    Ok(Some(text))
}

/// Reads the certificates (`.crt`, PEM or DER) of a folder: those who are trusted for signatures beside
/// containers, at a time in seconds since 1970.
///
/// # Errors
/// When the folder or a file cannot be read, or a file holds none.
pub fn roots(folder: &Path, now: i64) -> Result<Roots, Error> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| failed(folder, error))? {
        let path = entry.map_err(|error| failed(folder, error))?.path();
        if kind::suffix(&file_name(&path)) == "crt" {
            let bytes = fs::read(&path).map_err(|error| failed(&path, error))?;
            let none = || io::Error::new(io::ErrorKind::InvalidData, "it holds no certificate with an RSA key");
            found.push(certificate(&bytes).ok_or_else(|| failed(&path, none()))?);
        }
    }
    Ok(Roots { certificates: found, now })
}

/// A certificate in DER, or the first in PEM (RFC 7468).
fn certificate(bytes: &[u8]) -> Option<Certificate> {
    let Some(text) = std::str::from_utf8(bytes).ok().filter(|text| text.contains("-----BEGIN CERTIFICATE-----")) else {
        return Certificate::read(bytes);
    };
    let (_, rest) = text.split_once("-----BEGIN CERTIFICATE-----")?;
    let digits: String = rest.split("-----").next()?.split_ascii_whitespace().collect();
    Certificate::read(&container::base64(&digits)?)
}

/// What the file `from` of this folder includes as `path`.
fn include(folder: &Path, from: &str, path: &str) -> io::Result<Included> {
    let root = folder.canonicalize()?;
    let beside = root.join(from).parent().unwrap_or(&root).join(path);
    let found = beside.canonicalize().or_else(|error| root.join(path).canonicalize().map_err(|_| error))?;
    let Ok(name) = found.strip_prefix(&root) else {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it lies outside of the folder of rules"));
    };
    let name = name.to_string_lossy().into_owned();
    if !fs::metadata(&found)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
    }
    Ok(Included { name, bytes: fs::read(&found)? })
}

/// The files of YARA rules in the folders of this folder, by path.
fn rules_below(folder: &Path) -> io::Result<Vec<Input>> {
    let mut found = Vec::new();
    let mut left = vec![(folder.to_owned(), 0_usize)];
    let mut looked = 0_usize;
    while let Some((place, depth)) = left.pop() {
        for entry in fs::read_dir(&place)? {
            let entry = entry?;
            looked = looked.saturating_add(1);
            if looked > MOST {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "there are too many files in it"));
            }
            let kind = entry.file_type()?;
            let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            if kind.is_dir() && depth < DEEPEST && !hidden {
                left.push((entry.path(), depth.saturating_add(1)));
            } else if depth > 0
                && kind.is_file()
                && matches!(kind::of(&file_name(&entry.path())), Some((Kind::Yara, _)))
            {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    let input = |path: PathBuf| {
        let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
        named(&path, name, folder).listed()
    };
    Ok(found.into_iter().map(input).collect())
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
    let mut inputs: Vec<Input> = names.iter().map(|path| file(path).listed()).collect();
    inputs.extend(rules_below(path)?);
    Ok(inputs)
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
