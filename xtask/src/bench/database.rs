//! The databases: the real signatures of the optional data folder, and generated ones; each with its compiled image.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Places, corpus, generate};

/// A database in ClamAV's formats, and the same compiled.
pub(crate) struct Database {
    /// A folder of source files.
    pub(crate) sources: PathBuf,
    /// The image.
    pub(crate) image: PathBuf,
}

/// The database of this name (see `Definition::database`); `None`, told, if it cannot be had here.
pub(crate) fn find(places: &Places, dachs: &Path, name: &str) -> Result<Option<Database>, String> {
    let sources = match sources(places, name)? {
        Some(sources) => sources,
        None => return Ok(None),
    };
    let image = sources.with_extension("image");
    // The image is built anew by each run: its layout may have changed.
    let stamp = sources.with_extension("built");
    let built = fs::metadata(dachs).and_then(|program| program.modified()).map(|time| format!("{time:?}"));
    let built = built.map_err(|error| format!("{}: {error}", dachs.display()))?;
    if !fs::read_to_string(&stamp).is_ok_and(|known| known == built) {
        println!("building the image of {name}");
        let output = Command::new(dachs).args(["db", "build", "-o"]).arg(&image).arg(&sources).output();
        let output = output.map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(format!("dachs db build: {}", String::from_utf8_lossy(&output.stderr)));
        }
        fs::write(stamp, built).map_err(|error| error.to_string())?;
    }
    Ok(Some(Database { sources, image }))
}

/// The folder of source files of a database.
pub(crate) fn sources(places: &Places, name: &str) -> Result<Option<PathBuf>, String> {
    match name.split(':').collect::<Vec<_>>().as_slice() {
        ["real"] => real(places),
        ["yara", count] => rules(places, count.parse().map_err(|error| format!("{name}: {error}"))?),
        ["real+yara", count] => both(places, count.parse().map_err(|error| format!("{name}: {error}"))?),
        ["generated", hashes, bodies] => {
            let count = |text: &str| text.parse::<u64>().map_err(|error| format!("{name}: {error}"));
            let folder = places.cache.join("databases").join(format!("generated-{hashes}-{bodies}"));
            generate::into(&folder, count(hashes)?, count(bodies)?, real(places)?.as_deref())?;
            Ok(Some(folder))
        }
        _ => Err(format!("{name} is no database")),
    }
}

/// Strings of the real signatures, one after the other.
pub(crate) fn literals(places: &Places, size: usize) -> Result<Option<Vec<u8>>, String> {
    let Some(real) = real(places)? else { return Ok(None) };
    let text = fs::read_to_string(real.join("main.ldb")).map_err(|error| error.to_string())?;
    let mut bytes = Vec::with_capacity(size);
    for string in text.lines().flat_map(|line| line.split(';').skip(3)).filter_map(generate::literal) {
        bytes.extend(string);
        if bytes.len() >= size {
            break;
        }
    }
    bytes.truncate(size);
    Ok(Some(bytes))
}

/// The real signatures, unpacked.
fn real(places: &Places) -> Result<Option<PathBuf>, String> {
    let beside = || Some(places.root.parent()?.join("shared"));
    let data = std::env::var_os("DACHS_SHARED").map(PathBuf::from).or_else(beside);
    let Some(official) = data.map(|data| data.join("data/clamav/official")).filter(|folder| folder.is_dir()) else {
        println!("SKIPPED: no folder of real databases ($DACHS_SHARED, or `shared` beside the project)");
        return Ok(None);
    };
    let folder = places.cache.join("databases/real");
    if folder.join("test.hdb").exists() {
        return Ok(Some(folder));
    }
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let script = "for f in *.gz; do gzip -dc \"$f\" >\"$1/${f%.gz}\" || exit 1; done";
    let status = Command::new("sh").args(["-c", script, "sh"]).arg(&folder).current_dir(official).status();
    if !status.is_ok_and(|status| status.success()) {
        return Err("the real databases cannot be unpacked".to_owned());
    }
    write_test_signature(&folder)?;
    Ok(Some(folder))
}

/// Public YARA rules of the optional data folder: as many files as hold `count` rules, and a rule for the test file.
fn rules(places: &Places, count: usize) -> Result<Option<PathBuf>, String> {
    let beside = || Some(places.root.parent()?.join("shared"));
    let data = std::env::var_os("DACHS_SHARED").map(PathBuf::from).or_else(beside);
    let Some(public) = data.map(|data| data.join("data/yara")).filter(|folder| folder.is_dir()) else {
        println!("SKIPPED: no folder of public YARA rules ($DACHS_SHARED, or `shared` beside the project)");
        return Ok(None);
    };
    let folder = places.cache.join(format!("databases/yara-{count}"));
    if folder.join("test.yar").exists() {
        return Ok(Some(folder));
    }
    let unpacked = places.cache.join("databases/yara-public");
    fs::create_dir_all(&unpacked).and_then(|()| fs::create_dir_all(&folder)).map_err(|error| error.to_string())?;
    let script = "for f in *.tar.gz; do tar -xzf \"$f\" -C \"$1\" || exit 1; done";
    let status = Command::new("sh").args(["-c", script, "sh"]).arg(&unpacked).current_dir(public).status();
    if !status.is_ok_and(|status| status.success()) {
        return Err("the public rules cannot be unpacked".to_owned());
    }
    let mut left = count;
    for (number, file) in rule_files(&unpacked).iter().enumerate() {
        let text = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let rules = text.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"rule ")).count();
        if left < rules {
            continue;
        }
        left -= rules;
        fs::write(folder.join(format!("{number:04}.yar")), text).map_err(|error| error.to_string())?;
    }
    let text: String = corpus::test_file().bytes().map(|byte| format!("{byte:02x} ")).collect();
    let rule = format!("rule bench_test_file {{ strings: $a = {{ {text}}} condition: $a at 0 }}\n");
    fs::write(folder.join("test.yar"), rule).map_err(|error| error.to_string())?;
    Ok(Some(folder))
}

/// The files of rules below a folder, sorted.
fn rule_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.extension().and_then(|end| end.to_str()) {
            _ if path.is_dir() => files.extend(rule_files(&path)),
            Some("yar" | "yara") => files.push(path),
            _ => {}
        }
    }
    files.sort();
    files
}

/// The real signatures and public rules together.
fn both(places: &Places, count: usize) -> Result<Option<PathBuf>, String> {
    let (Some(real), Some(rules)) = (real(places)?, rules(places, count)?) else { return Ok(None) };
    let folder = places.cache.join(format!("databases/real-yara-{count}"));
    let script = "mkdir -p \"$3\" && cp \"$1\"/* \"$2\"/* \"$3\"/";
    let status = Command::new("sh").args(["-c", script, "sh"]).args([&real, &rules, &folder]).status();
    if !status.is_ok_and(|status| status.success()) {
        return Err("the databases cannot be copied".to_owned());
    }
    Ok(Some(folder))
}

/// A signature that finds the test file of the corpora.
pub(crate) fn write_test_signature(folder: &Path) -> Result<(), String> {
    let digits: String = corpus::test_file().bytes().map(|byte| format!("{byte:02x}")).collect();
    let line = format!("Bench.Test.File:0:0:{digits}\n");
    fs::write(folder.join("test.ndb"), line).map_err(|error| error.to_string())?;
    fs::write(folder.join("test.hdb"), "44d88612fea8a8f36de82e1278abb02f:68:Bench.Test.Hash\n")
        .map_err(|error| error.to_string())
}
