//! Keeping results: `benches/record/NAME.json`, with facts of the machine and of the programs.
//!
//! A record says what was measured on what kind of machine. It names no host and no path.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::rounds::Outcome;
use super::{Places, program};

/// Writes the record of an outcome over the one before.
pub(crate) fn write(places: &Places, outcome: &Outcome) -> Result<(), String> {
    let comparisons: Vec<Value> = outcome
        .comparisons
        .iter()
        .map(|comparison| {
            let ratios: Vec<f64> = comparison.ratios().into_iter().map(rounded).collect();
            json!({
                "of": comparison.what,
                "unit": comparison.unit,
                "first": comparison.theirs.iter().copied().map(rounded).collect::<Vec<_>>(),
                "second": comparison.ours.iter().copied().map(rounded).collect::<Vec<_>>(),
                "ratio": {"median": rounded(comparison.median()), "least": ratios.first(), "most": ratios.last()},
            })
        })
        .collect();
    let (files, bytes) = outcome.corpus;
    let value = json!({
        "name": outcome.definition.name,
        "what": outcome.definition.what,
        "corpus": {"files": files, "bytes": bytes, "incomplete": outcome.incomplete},
        "comparisons": comparisons,
        "wrong": outcome.wrong.len(),
        "bar": outcome.definition.bar,
        "reached": outcome.definition.bar.map(|_| outcome.reaches(outcome.definition.bar)),
        "machine": machine(),
        "programs": {
            "dachs": commit(&places.root),
            "clamscan": program::version(Path::new("clamscan")).split('/').next(),
        },
    });
    let folder = places.root.join("benches/record");
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let text = serde_json::to_string_pretty(&value).map_err(|error| error.to_string())? + "\n";
    let path = folder.join(format!("{}.json", outcome.definition.name));
    std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// What kind of machine this is.
fn machine() -> Value {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let cpu = read("/proc/cpuinfo");
    let flags = field(&cpu, "flags");
    let known = ["sse4_2", "avx2", "avx512bw", "avx512_vbmi", "sha_ni", "gfni"];
    json!({
        "processor": field(&cpu, "model name"),
        "cores": std::thread::available_parallelism().map(usize::from).unwrap_or(0),
        "instructions": known.iter().filter(|flag| flags.split(' ').any(|has| has == **flag)).collect::<Vec<_>>(),
        "memory": field(&read("/proc/meminfo"), "MemTotal"),
        "kernel": read("/proc/sys/kernel/osrelease").split('-').next().unwrap_or_default().trim().to_owned(),
    })
}

/// The last commit that changed what is measured.
fn commit(root: &Path) -> String {
    let output =
        Command::new("git").args(["log", "-1", "--format=%h", "--", "crates", "Cargo.lock"]).current_dir(root).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

/// To four digits that matter.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}
