//! What the tests stand on: pools of this executable, and files in memory.

use dachs_base::{About, Limits, Report, Strength};
use dachs_pool::{Config, Done, Job, Pool, PoolError, Workload};
use dachs_sigdb::model::{SourceInfo, YaraRule, YaraText};
use dachs_sys::jail::{Layer, Plan};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Layers that can be left out, by the names of the links that do.
pub(crate) const LAYERS: [(&str, Layer); 5] = [
    ("without-filter", Layer::Filter),
    ("without-landlock", Layer::Landlock),
    ("without-limits", Layer::Limits),
    ("without-rooms", Layer::Rooms),
    ("without-user", Layer::User),
];

/// A pool of this executable.
pub(crate) struct Bench {
    pool: Pool,
    _folder: Option<tempfile::TempDir>,
}

/// Reads from the name of the executable what to leave out.
pub(crate) fn plan(plan: Plan) -> Plan {
    let name = std::env::args().next().unwrap_or_default();
    let name = name.rsplit('/').next().unwrap_or_default();
    let without = LAYERS.iter().find(|(link, _)| *link == name).map(|(_, layer)| *layer);
    let number = |start: &str| name.strip_prefix(start).and_then(|number| number.parse().ok());
    Plan { without, without_rule: number("minus-"), without_zygote_rule: number("zygote-minus-"), ..plan }
}

impl Bench {
    /// One with everything, and these limits.
    pub(crate) fn new(jobs: usize, limits: Limits) -> Bench {
        Bench::named("whole", jobs, limits).unwrap()
    }

    /// One that leaves out what the name says.
    pub(crate) fn named(name: &str, jobs: usize, limits: Limits) -> Result<Bench, PoolError> {
        let folder = tempfile::tempdir().unwrap();
        let program = link(folder.path(), name);
        Ok(Bench { _folder: Some(folder), ..Bench::of(program, jobs, limits)? })
    }

    /// One whose workers look at every archive together.
    pub(crate) fn sharing(jobs: usize, limits: Limits) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let program = link(folder.path(), "whole");
        Bench { _folder: Some(folder), ..Bench::shared_from(0, program, jobs, limits).unwrap() }
    }

    /// One of any program.
    pub(crate) fn of(program: PathBuf, jobs: usize, limits: Limits) -> Result<Bench, PoolError> {
        Bench::shared_from(Config::SHARED_FROM, program, jobs, limits)
    }

    fn shared_from(shared_from: u64, program: PathBuf, jobs: usize, limits: Limits) -> Result<Bench, PoolError> {
        let image = dachs_sys::fd::sealed_memory("image", &image()).unwrap();
        let pool = Pool::start(Config {
            jobs,
            limits,
            all_matches: true,
            rules_on_members: true,
            shared_from,
            switches: dachs_base::Switches::STANDARD,
            passwords: Vec::new(),
            workload: Workload::Many,
            image,
            program,
        })?;
        Ok(Bench { pool, _folder: None })
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Scans one file of these bytes.
    pub(crate) fn scan(&self, bytes: &[u8]) -> Report {
        self.submit(0, file(bytes), size(bytes));
        self.next().report
    }

    /// Scans one file of these bytes, of which more is known.
    pub(crate) fn scan_about(&self, bytes: &[u8], about: About) -> Report {
        self.pool.submit(Job { tag: 0, file: file(bytes), size: size(bytes), all_matches: false, about }).unwrap();
        self.next().report
    }

    pub(crate) fn submit(&self, tag: u64, file: OwnedFd, size: u64) {
        self.pool.submit(Job { tag, file, size, all_matches: false, about: About::default() }).unwrap();
    }

    pub(crate) fn next(&self) -> Done {
        self.pool.results().recv_timeout(Duration::from_secs(60)).expect("every job gives a result")
    }
}

/// What a report says in its first anomaly; empty if it has none.
pub(crate) fn said(report: &Report) -> &str {
    report.anomalies.first().map_or("", |anomaly| anomaly.detail.as_str())
}

pub(crate) fn file(bytes: &[u8]) -> OwnedFd {
    dachs_sys::fd::sealed_memory("file", bytes).unwrap()
}

pub(crate) fn size(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap()
}

/// YARA rules that use everything of the engine that might ask the system for something. They match nothing that the other
/// tests scan.
pub(crate) const RULES: [&str; 4] = [
    r#"rule strings { strings: $a = "yara-one" wide ascii xor(0-3) $b = "yara-two" base64
       $c = { 59 41 [1-8] 52 ( 41 | 42 ) } $d = /yara[-_](three|four){1,3}x*?$/ nocase $e = /[a-z]{30}1.*2/s
       condition: any of them }"#,
    r#"rule modules { condition: uint32(0) == 0x61726179 and hash.md5(0, filesize) != "" and hash.sha256(0, 4) != ""
       and math.entropy(0, filesize) >= 0.0 and time.now() > 0 and console.log("said") and string.to_int("3") == 3 }"#,
    r#"rule programs { condition: pe.number_of_sections > 0 or elf.number_of_sections > 20 or defined macho.cputype
       or dotnet.is_dotnet == 1 or defined dex.header.magic or pe.number_of_signatures > 0 }"#,
    r#"rule names { condition: filepath == "/yara" and filename == "x.bin" and owner == "me" }"#,
];

fn image() -> Vec<u8> {
    let mut builder = dachs_sigdb::Builder::new();
    let source = builder.source(SourceInfo::default());
    let modules = ["pe", "elf", "macho", "dotnet", "dex", "hash", "math", "time", "string", "console"];
    for module in modules {
        builder.add_yara_text(&YaraText { source, gate: 0, text: &format!("import \"{module}\"") }).unwrap();
    }
    for (text, name) in RULES.iter().zip(["strings", "modules", "programs", "names"]) {
        builder.add_yara_text(&YaraText { source, gate: 0, text }).unwrap();
        builder.add_yara(source, name, Strength::Strong, &YaraRule::default()).unwrap();
    }
    // One behind a gate, so that there are two sets and a thread has compiled one of them.
    let text = "rule gated { strings: $a = \"yara-gated\" condition: uint16(0) == 0x5A4D and $a }";
    builder.add_yara_text(&YaraText { source, gate: 1, text }).unwrap();
    builder.add_yara(source, "gated", Strength::Weak, &YaraRule::default()).unwrap();
    builder.finish()
}

fn link(folder: &Path, name: &str) -> PathBuf {
    let link = folder.join(name);
    std::os::unix::fs::symlink(std::env::current_exe().unwrap(), &link).unwrap();
    link
}
