//! Asks the built `dachs`.

use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::memory;
use crate::scratch::Scratch;

/// The executable.
pub(crate) struct Dachs {
    program: PathBuf,
}

/// What a scan gave.
pub(crate) struct Answer {
    /// Exit code; absent if a signal ended it.
    pub(crate) code: Option<i32>,
    /// One result a file.
    pub(crate) results: Vec<FileResult>,
    /// What it said on standard error.
    pub(crate) complaint: String,
    pub(crate) elapsed: Duration,
    /// The most memory that all its processes held together (PSS), and a single one of them.
    pub(crate) memory: memory::Peak,
    /// Files left behind in its temporary folder, and processes left behind.
    pub(crate) left: Vec<String>,
}

/// One line of `--format jsonl`.
#[derive(Debug)]
pub(crate) struct FileResult {
    pub(crate) path: PathBuf,
    pub(crate) verdict: String,
    /// What kind of file it is.
    pub(crate) kind: String,
    pub(crate) names: Vec<String>,
    /// The way to the object in which each name was found first, with that object's kind.
    pub(crate) places: BTreeMap<String, String>,
    /// The way to each object in which something was found, with the name.
    pub(crate) ways: Vec<(String, String)>,
    /// What the anomalies are, with their details.
    pub(crate) anomalies: Vec<(String, String)>,
    pub(crate) milliseconds: f64,
    pub(crate) bytes: u64,
    pub(crate) objects: u64,
}

impl Dachs {
    /// The executable that `DACHS` names, or a release that is built now.
    pub(crate) fn find() -> Result<Dachs, String> {
        if let Some(program) = std::env::var_os("DACHS") {
            return Ok(Dachs { program: program.into() });
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no project above this folder")?;
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let built = Command::new(cargo).args(["build", "--quiet", "--release"]).current_dir(root).status();
        match built {
            Ok(status) if status.success() => {}
            _ => return Err("the release of dachs cannot be built".to_owned()),
        }
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
        Ok(Dachs { program: target.join("release/dachs") })
    }

    /// Where it is.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// Compiles a folder of sources to an image, and gives the image's size.
    pub(crate) fn build(&self, sources: &Path, image: &Path) -> Result<u64, String> {
        let output = Command::new(&self.program).args(["db", "build", "-o"]).arg(image).arg(sources).output();
        let output = output.map_err(|error| format!("{}: {error}", self.program.display()))?;
        if !output.status.success() {
            return Err(format!("dachs db build: {}", String::from_utf8_lossy(&output.stderr)));
        }
        std::fs::metadata(image).map(|metadata| metadata.len()).map_err(|error| error.to_string())
    }

    /// What `dachs db info` says of sources.
    pub(crate) fn info(&self, sources: &Path) -> Result<Value, String> {
        let output = Command::new(&self.program).args(["db", "info", "--format", "json"]).arg(sources).output();
        let output = output.map_err(|error| format!("{}: {error}", self.program.display()))?;
        serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("dachs db info: {error}: {}", String::from_utf8_lossy(&output.stderr)))
    }

    /// Scans with all matches and the given options.
    pub(crate) fn scan(&self, database: &Path, options: &[&str], paths: &[PathBuf]) -> Result<Answer, String> {
        let temporary = Scratch::new()?;
        let results = Scratch::new()?;
        let (stdout, stderr) = (results.path().join("stdout"), results.path().join("stderr"));
        let create = |path: &Path| std::fs::File::create(path).map_err(|error| format!("{}: {error}", path.display()));
        let mut command = Command::new(&self.program);
        command.args(["scan", "--format", "jsonl", "--all-matches", "-d"]).arg(database).args(options).args(paths);
        command.env("TMPDIR", temporary.path()).stdin(Stdio::null());
        command.stdout(create(&stdout)?).stderr(create(&stderr)?).process_group(0);

        let start = Instant::now();
        let mut child = command.spawn().map_err(|error| format!("{}: {error}", self.program.display()))?;
        let (status, memory) = memory::watch(&mut child)?;
        let elapsed = start.elapsed();
        let mut left = names_in(temporary.path());
        left.extend(memory::group(child.id()).into_iter().map(|process| format!("process {process}")));
        let read = |path: &Path| String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned();
        let text = read(&stdout);
        Ok(Answer {
            code: status.code(),
            results: text.lines().map(parse).collect::<Result<_, _>>()?,
            complaint: read(&stderr),
            elapsed,
            memory,
            left,
        })
    }
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// A detection's name, without the ending of loose files, and the way to its object.
fn way(detection: &Value) -> (String, String) {
    let name = detection.get("name").and_then(Value::as_str).unwrap_or_default();
    let names = detection.get("object").and_then(Value::as_array).into_iter().flatten().skip(1);
    let path: Vec<&str> = names.filter_map(Value::as_str).collect();
    (crate::clamav::plain(name), path.join(" > "))
}

/// The same with the object's kind.
fn place(detection: &Value) -> (String, String) {
    let (name, way) = way(detection);
    let kind = detection.get("kind").and_then(Value::as_str).unwrap_or_default();
    (name, format!("{way} ({kind})"))
}

fn parse(line: &str) -> Result<FileResult, String> {
    let value: Value =
        serde_json::from_str(line).map_err(|error| format!("a line of dachs is not JSON: {error}: {line}"))?;
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let list = |key: &str| value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let coverage = |key: &str| value.pointer(&format!("/coverage/{key}")).and_then(Value::as_u64).unwrap_or_default();
    Ok(FileResult {
        path: PathBuf::from(text(&value, "path")),
        verdict: text(&value, "verdict"),
        kind: text(&value, "kind"),
        places: list("detections").iter().rev().map(place).collect(),
        ways: list("detections").iter().map(way).collect(),
        names: list("detections").iter().map(|detection| text(detection, "name")).collect(),
        anomalies: list("anomalies").iter().map(|anomaly| (text(anomaly, "what"), text(anomaly, "detail"))).collect(),
        milliseconds: value.get("ms").and_then(Value::as_f64).unwrap_or_default(),
        bytes: coverage("bytes"),
        objects: coverage("objects"),
    })
}
