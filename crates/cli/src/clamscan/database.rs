//! Where `clamscan` takes its signatures from, and how old they are.
//!
//! ClamAV's folder is used if there are databases in it; else the content of `dachs scan`, so that the name answers on a
//! machine without ClamAV too.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Local};
use dachs_sigdb::Image;

use crate::content::display;
use crate::line::Line;

/// Where ClamAV installs its databases.
const CLAMAV: &str = "/var/lib/clamav";
/// Names that end so are databases.
const ENDINGS: [&str; 33] = [
    "cat", "cbc", "cdb", "cfg", "cld", "crb", "cud", "cvd", "db", "fp", "ftm", "gdb", "hdb", "hdu", "hsb", "hsu",
    "idb", "ign", "ign2", "image", "imp", "ldb", "ldu", "mdb", "mdu", "msb", "ndb", "ndu", "pdb", "sfp", "wdb", "yar",
    "yara",
];
/// Containers with a digital signature.
const OFFICIAL: [&str; 2] = ["cld", "cvd"];

/// The databases to load; none for the content of `dachs scan`.
///
/// # Errors
/// A sentence that names what cannot be used.
pub(super) fn places(line: &Line) -> Result<Vec<PathBuf>, String> {
    let mut places: Vec<PathBuf> = line.all("database").map(PathBuf::from).collect();
    if places.is_empty() && has_databases(Path::new(CLAMAV)) {
        places.push(PathBuf::from(CLAMAV));
    }
    if let Some(empty) = places.iter().find(|place| place.is_dir() && !has_databases(place)) {
        return Err(format!("No supported database files found in {}", display(empty)));
    }
    if !line.is_on("official-db-only") {
        return Ok(places);
    }
    let official: Vec<PathBuf> = places.iter().flat_map(|place| official(place)).collect();
    match official.is_empty() {
        true => Err("--official-db-only: there is no container with a digital signature (.cvd, .cld)".to_owned()),
        false => Ok(official),
    }
}

fn has_databases(folder: &Path) -> bool {
    files(folder).iter().any(|file| ends_with(file, &ENDINGS))
}

/// The containers that a place means: itself, or those in it.
fn official(place: &Path) -> Vec<PathBuf> {
    let all = if place.is_dir() { files(place) } else { vec![place.to_owned()] };
    all.into_iter().filter(|file| ends_with(file, &OFFICIAL)).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    files
}

fn ends_with(file: &Path, endings: &[&str]) -> bool {
    let ending = file.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase);
    ending.is_some_and(|ending| endings.contains(&ending.as_str()))
}

/// Refuses content whose newest container is older than so many days.
///
/// # Errors
/// A sentence that tells the age.
pub(super) fn check_age(days: u64, image: &Image<'_>) -> Result<(), String> {
    let newest = image.info().sources.iter().filter_map(|source| source.info.time).max();
    let newest = newest.ok_or("--fail-if-cvd-older-than: no container with a date was loaded")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let age = now.saturating_sub(newest) / 86_400;
    match age > days {
        true => Err(format!("Virus database is older than {days} days: it was made {age} days ago")),
        false => Ok(()),
    }
}

/// The version of the daily container and when it was made, as it stands behind a version: `/27459/Thu Nov 14 …`.
pub(super) fn daily(places: &[PathBuf]) -> String {
    let headers =
        places.iter().flat_map(|place| official(place)).filter(|file| file.file_stem() == Some("daily".as_ref()));
    let newest = headers.filter_map(|file| header(&file)).max();
    let dated = newest.and_then(|(version, time)| Some((version, DateTime::from_timestamp(time, 0)?)));
    dated.map_or_else(String::new, |(version, time)| {
        format!("/{version}/{}", DateTime::<Local>::from(time).format("%a %b %e %H:%M:%S %Y"))
    })
}

/// Version and time of a container: the third and the last field of its header, which is text in the first 512 bytes.
fn header(file: &Path) -> Option<(u32, i64)> {
    let mut bytes = Vec::new();
    File::open(file).ok()?.take(512).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let fields: Vec<&str> = text.trim_end().split(':').collect();
    match fields.as_slice() {
        ["ClamAV-VDB", _, version, .., time] => Some((version.parse().ok()?, time.trim().parse().ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::options::OPTIONS;
    use super::*;
    use crate::line::parse;

    fn line(arguments: &[String]) -> Line {
        parse(OPTIONS, arguments.iter().map(std::ffi::OsString::from)).unwrap()
    }

    #[test]
    fn folders_must_hold_databases() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("README"), "x").unwrap();
        let option = format!("--database={}", folder.path().display());
        assert!(places(&line(std::slice::from_ref(&option))).unwrap_err().contains("No supported database files"));
        fs::write(folder.path().join("a.NDB"), "x").unwrap();
        assert_eq!(places(&line(std::slice::from_ref(&option))).unwrap(), [folder.path()]);
        assert!(places(&line(&[option.clone(), "--official-db-only".into()])).is_err());
        fs::write(folder.path().join("b.cvd"), "x").unwrap();
        assert_eq!(places(&line(&[option, "--official-db-only".into()])).unwrap(), [folder.path().join("b.cvd")]);
    }

    #[test]
    fn the_daily_container_is_named_with_the_version() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(daily(&[folder.path().to_owned()]), "");
        let header = "ClamAV-VDB:14 Nov 2024 09-26 +0000:27459:2066000:90:md5:dsig:builder:1731576417";
        fs::write(folder.path().join("daily.cvd"), format!("{header:<512}rest")).unwrap();
        let shown = daily(&[folder.path().to_owned()]);
        assert!(shown.starts_with("/27459/") && shown.ends_with(" 2024"), "{shown}");
        fs::write(folder.path().join("daily.cvd"), "ClamAV-VDB:x:y\x1b").unwrap();
        assert_eq!(daily(&[folder.path().to_owned()]), "");
    }
}
