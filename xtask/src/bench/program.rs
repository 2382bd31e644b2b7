//! The programs: Dachs, and its rivals.
//!
//! Each is asked to say what it detects in a form that can be compared. A private clamd runs with a configuration, a socket
//! and a folder of its own, and forgets what it scanned (`DisableCache`), so that every round does the same work.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::measure::{self, Cost, Run};

/// What a scan gave.
pub(crate) struct Scan {
    pub(crate) cost: Cost,
    /// The paths detected.
    pub(crate) detected: BTreeSet<String>,
    /// How many files Dachs called incomplete.
    pub(crate) incomplete: usize,
}

/// Builds the release, or takes the one that `DACHS` names.
pub(crate) fn build_dachs(root: &Path) -> Result<PathBuf, String> {
    if let Some(program) = std::env::var_os("DACHS") {
        return Ok(PathBuf::from(program));
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let built =
        Command::new(cargo).args(["build", "--quiet", "--release", "-p", "dachs-cli"]).current_dir(root).status();
    if !built.is_ok_and(|status| status.success()) {
        return Err("the release of dachs cannot be built".to_owned());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    Ok(target.join("release/dachs"))
}

/// Scans a folder or a file with Dachs.
pub(crate) fn dachs(
    program: &Path,
    image: &Path,
    jobs: u32,
    path: &Path,
    scratch: &Path,
    watch: bool,
) -> Result<Scan, String> {
    let mut command = Command::new(program);
    command.args(["scan", "--format", "jsonl", "-j", &jobs.to_string(), "-d"]).arg(image).arg(path);
    let run = measure::run(&mut command, scratch, watch)?;
    if run.status.code().is_none_or(|code| code > 3) || run.stdout.is_empty() {
        return Err(format!("dachs scan: {}: {}", run.status, run.stderr.trim()));
    }
    let (mut detected, mut incomplete) = (BTreeSet::new(), 0);
    for line in run.stdout.lines() {
        let value: serde_json::Value = serde_json::from_str(line).map_err(|error| format!("dachs: {error}"))?;
        let text = |key: &str| value.get(key).and_then(serde_json::Value::as_str).unwrap_or_default();
        match text("verdict") {
            "detected" | "suspicious" => drop(detected.insert(text("path").to_owned())),
            "incomplete" => incomplete += 1,
            _ => {}
        }
    }
    Ok(Scan { cost: run.cost, detected, incomplete })
}

/// Scans with clamscan.
pub(crate) fn clamscan(database: &Path, path: &Path, scratch: &Path, watch: bool) -> Result<Scan, String> {
    let mut command = Command::new("clamscan");
    command.args(["-r", "--infected", "--no-summary", "-d"]).arg(database).arg(path);
    found("clamscan", measure::run(&mut command, scratch, watch)?)
}

/// Scans with the command line of the engine boreal, in one thread.
pub(crate) fn boreal(database: &Path, path: &Path, scratch: &Path) -> Result<Scan, String> {
    let mut command = Command::new("boreal");
    command.args(["scan", "-w", "-q", "-r", "-p", "1"]);
    for name in ["filename", "filepath", "extension", "filetype", "owner"] {
        command.args(["-d", &format!("{name}=")]);
    }
    let entries = std::fs::read_dir(database).map_err(|error| error.to_string())?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    for (number, file) in files.iter().enumerate() {
        command.arg("-f").arg(format!("{number}:{}", file.display()));
    }
    let run = measure::run(command.arg(path), scratch, false)?;
    if !run.status.success() {
        return Err(format!("boreal: {}: {}", run.status, run.stderr.trim()));
    }
    let paths = run.stdout.lines().filter_map(|line| line.split_once(' '));
    Ok(Scan { detected: paths.map(|(_, path)| path.to_owned()).collect(), cost: run.cost, incomplete: 0 })
}

/// The lines `PATH: NAME FOUND`.
fn found(program: &str, run: Run) -> Result<Scan, String> {
    // 2 says that a file could not be read, too: what was read stands in the lines.
    if run.status.code().is_none_or(|code| code > 2)
        || (run.status.code() == Some(2) && run.stderr.contains("database"))
    {
        return Err(format!("{program}: {}: {}", run.status, run.stderr.trim()));
    }
    let paths = run.stdout.lines().filter_map(|line| line.strip_suffix(" FOUND")?.rsplit_once(": "));
    Ok(Scan { detected: paths.map(|(path, _)| path.to_owned()).collect(), cost: run.cost, incomplete: 0 })
}

/// A clamd of our own.
pub(crate) struct Clamd {
    server: Child,
    configuration: PathBuf,
}

impl Clamd {
    /// Starts it, and waits until it is ready.
    pub(crate) fn start(database: &Path, scratch: &Path) -> Result<Clamd, String> {
        let folder = scratch.join("clamd");
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let (socket, configuration) = (folder.join("socket"), folder.join("clamd.conf"));
        let _ = std::fs::remove_file(&socket);
        let text = format!(
            "LocalSocket {}\nDatabaseDirectory {}\nTemporaryDirectory {}\nForeground yes\nUser root\nMaxThreads 2\n\
             DisableCache yes\nSelfCheck 0\n",
            socket.display(),
            database.display(),
            folder.display()
        );
        std::fs::write(&configuration, text).map_err(|error| error.to_string())?;
        let mut command = Command::new("clamd");
        command
            .arg("--config-file")
            .arg(&configuration)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let start = Instant::now();
        let mut server = command.spawn().map_err(|error| format!("clamd: {error}"))?;
        while !socket.exists() {
            let ended = server.try_wait().map_err(|error| error.to_string())?;
            if ended.is_some() || start.elapsed() > Duration::from_secs(600) {
                let _ = server.kill();
                let _ = server.wait();
                return Err("clamd does not start".to_owned());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Clamd { server, configuration })
    }

    /// Scans with clamdscan; the time is that of the client and of the server.
    pub(crate) fn scan(&self, path: &Path, scratch: &Path) -> Result<Scan, String> {
        let mut command = Command::new("clamdscan");
        command.args(["--fdpass", "--infected", "--no-summary", "--config-file"]).arg(&self.configuration).arg(path);
        let before = measure::cpu_of(self.server.id());
        let mut scan = found("clamdscan", measure::run(&mut command, scratch, false)?)?;
        scan.cost.cpu += measure::cpu_of(self.server.id()) - before;
        Ok(scan)
    }
}

impl Drop for Clamd {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Is there such a program?
pub(crate) fn exists(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join(program).is_file())
}

/// The first line of `PROGRAM --version`.
pub(crate) fn version(program: &Path) -> String {
    let output = Command::new(program).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or("not known").to_owned()
}
