//! Objects with a fault each, see `gaps.rs`. Most are built here; some are made by a public tool and changed.

mod disks;
mod files;

use std::path::Path;
use std::sync::OnceLock;

use dachs_base::{AnomalyKind, FileKind, Limits};

/// An object with a fault.
pub(crate) struct Case {
    pub(crate) kind: FileKind,
    /// As in docs/formats.md.
    pub(crate) reason: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) limits: Limits,
    /// What must be told.
    pub(crate) expected: AnomalyKind,
    pub(crate) detail: &'static str,
    /// About which member; empty for the object itself.
    pub(crate) member: &'static str,
}

/// All cases that can be made here. They are made once.
pub(crate) fn cases() -> &'static [Case] {
    static CASES: OnceLock<Vec<Case>> = OnceLock::new();
    CASES.get_or_init(|| disks::cases().into_iter().chain(files::cases()).collect())
}

/// A case with the usual limits, about the object itself.
fn case(
    kind: FileKind,
    reason: &'static str,
    expected: AnomalyKind,
    detail: &'static str,
    bytes: impl Into<Vec<u8>>,
) -> Case {
    Case { kind, reason, bytes: bytes.into(), limits: Limits::default(), expected, detail, member: "" }
}

impl Case {
    fn about(mut self, member: &'static str) -> Case {
        self.member = member;
        self
    }

    fn with_memory(mut self, memory: u64) -> Case {
        self.limits.memory = memory;
        self
    }
}

/// Bytes with some of them set: offset, bytes.
fn set(mut bytes: Vec<u8>, changes: &[(usize, &[u8])]) -> Vec<u8> {
    for (at, change) in changes {
        let end = at + change.len();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[*at..end].copy_from_slice(change);
    }
    bytes
}

/// What a shell makes of `input` as the file `out`; nothing, and a loud line, if a tool is absent.
fn made(program: &str, script: &str, input: &[u8]) -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("input"), input).unwrap();
    let there = std::env::var_os("PATH").is_some_and(|paths| {
        let folders = std::env::split_paths(&paths).chain(["/sbin".into(), "/usr/sbin".into()]);
        folders.into_iter().any(|folder| folder.join(program).is_file())
    });
    if !there {
        eprintln!("SKIPPED: the tool {program} is not installed");
        return None;
    }
    let path = format!("{}:/sbin:/usr/sbin", std::env::var("PATH").unwrap_or_default());
    let mut command = std::process::Command::new("sh");
    let output = command.args(["-c", script]).current_dir(folder.path()).env("PATH", path).output().unwrap();
    let output = String::from_utf8_lossy(&output.stderr).into_owned();
    let out = Path::new(folder.path()).join("out");
    Some(std::fs::read(out).unwrap_or_else(|_| panic!("{script}: {output}")))
}

/// A file of the samples.
fn sample(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/samples/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}
