//! Runs the executable, and makes what it is run on.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// How a run ended.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    /// Standard output as JSON lines, without the field that differs between runs.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let parse = |line: &str| {
            let mut value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            value.as_object_mut().unwrap().remove("ms");
            value
        };
        self.out.lines().map(parse).collect()
    }
}

/// The executable with an environment of its own: a signature of the test file is installed, and nothing else.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dachs"));
    command.args(arguments).env("DACHS_CONTENT", installed()).env_remove("NO_COLOR");
    command
}

/// A folder of content that lasts as long as the tests.
fn installed() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let make = || {
        let hexadecimal: String = eicar().iter().map(|byte| format!("{byte:02x}")).collect();
        folder(&[("eicar.ndb", format!("Eicar-Test:0:0:{hexadecimal}\n").as_bytes())])
    };
    FOLDER.get_or_init(make).path()
}

/// Runs it to its end.
pub(crate) fn run(command: &mut Command) -> Run {
    let output = command.stdin(Stdio::null()).output().unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// `dachs scan` of one path, after some options.
pub(crate) fn scan(options: &[&str], path: impl AsRef<OsStr>) -> Run {
    run(command(&["scan"]).args(options).arg(path))
}

/// `dachs scan -` with these bytes on standard input.
pub(crate) fn scan_stream(options: &[&str], bytes: &[u8]) -> Run {
    let mut child = command(&["scan"])
        .args(options)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may have read enough and gone before all is written.
    let _ = stdin.write_all(bytes);
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The EICAR test file, in two halves so that no scanner takes this source for one.
pub(crate) fn eicar() -> Vec<u8> {
    [r"X5O!P%@AP[4\PZX54(P^)7CC)7}$", "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"].concat().into_bytes()
}

/// A folder with these files, gone when it is dropped.
pub(crate) fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    folder
}

/// True if there is such a program; says loudly if not.
pub(crate) fn has_tool(name: &str) -> bool {
    let found =
        std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|at| at.join(name).is_file()));
    if !found {
        skip(&format!("{name} is not installed"));
    }
    found
}

/// Says that a test, or a part of it, is skipped.
pub(crate) fn skip(reason: &str) {
    eprintln!("SKIPPED: {reason}");
}

/// Runs a tool in a folder.
pub(crate) fn tool(folder: &Path, program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
