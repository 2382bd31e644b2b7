//! What a run of a program costs: wall time, CPU time of all its processes, their memory.
//!
//! CPU time is what the kernel books for children that were waited for (`getrusage(2)`). A process whose parent ended
//! first is adopted by this one (`PR_SET_CHILD_SUBREAPER`) and waited for as well, so nothing is lost. Memory is the sum of the
//! proportional shares (`Pss` in `/proc/PID/smaps_rollup`) of the child and all that came of it, seen every 20 ms or
//! more; it costs time, so it is only watched in runs that are about memory.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// What a run cost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    /// Wall time in seconds.
    pub(crate) wall: f64,
    /// User and system time of all processes, in seconds.
    pub(crate) cpu: f64,
    /// Most memory of all processes together, in bytes; 0 if it was not watched.
    pub(crate) memory: u64,
}

/// A run.
pub(crate) struct Run {
    pub(crate) cost: Cost,
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Makes this process the one that orphans fall to.
pub(crate) fn adopt_orphans() -> Result<(), String> {
    nix::sys::prctl::set_child_subreaper(true).map_err(|error| format!("orphans cannot be adopted: {error}"))
}

/// Runs a program to its end.
pub(crate) fn run(command: &mut Command, scratch: &Path, watch: bool) -> Result<Run, String> {
    let (stdout, stderr) = (scratch.join("stdout"), scratch.join("stderr"));
    let create = |path: &Path| std::fs::File::create(path).map_err(|error| format!("{}: {error}", path.display()));
    command.stdin(Stdio::null()).stdout(create(&stdout)?).stderr(create(&stderr)?);
    let (peak, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let before = children_cpu()?;
    let start = Instant::now();
    let mut child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
    let (first, peak_seen, ended) = (child.id(), &peak, &done);
    let (status, wall) = std::thread::scope(|scope| {
        if watch {
            scope.spawn(move || watch_memory(first, peak_seen, ended));
        }
        let status = child.wait();
        let wall = start.elapsed();
        done.store(true, Ordering::Relaxed);
        (status, wall)
    });
    let status = status.map_err(|error| error.to_string())?;
    bury_orphans();
    let cost = Cost { wall: wall.as_secs_f64(), cpu: children_cpu()? - before, memory: peak.load(Ordering::Relaxed) };
    let read = |path: &Path| String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned();
    Ok(Run { cost, status, stdout: read(&stdout), stderr: read(&stderr) })
}

/// The CPU time of all children that were waited for, in seconds.
fn children_cpu() -> Result<f64, String> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|error| error.to_string())?;
    let both = usage.user_time() + usage.system_time();
    Ok(Duration::from_micros(u64::try_from(both.num_microseconds()).unwrap_or(0)).as_secs_f64())
}

/// Waits for what was left behind. Servers that a bench runs meanwhile are waited for by their owners, so this ends when
/// no child has ended.
fn bury_orphans() {
    use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
    let patience = Instant::now();
    while patience.elapsed() < Duration::from_millis(200) {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => {
                if family(std::process::id()).len() <= 1 {
                    return;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

fn watch_memory(first: u32, peak: &AtomicU64, done: &AtomicBool) {
    while !done.load(Ordering::Relaxed) {
        let start = Instant::now();
        peak.fetch_max(memory_of(first), Ordering::Relaxed);
        // Looking costs time, most of all that of a large process: it is looked at for a tenth of the time.
        std::thread::sleep((start.elapsed() * 9).max(Duration::from_millis(20)));
    }
}

/// What a process and all that came of it hold now, in bytes.
pub(crate) fn memory_of(first: u32) -> u64 {
    family(first).into_iter().map(share).sum()
}

/// The CPU time of a running process, in seconds, to a hundredth.
pub(crate) fn cpu_of(process: u32) -> f64 {
    let stat = std::fs::read(format!("/proc/{process}/stat")).unwrap_or_default();
    let stat = String::from_utf8_lossy(&stat).into_owned();
    let fields: Vec<&str> = stat.rsplit_once(')').map_or(Vec::new(), |(_, fields)| fields.split_whitespace().collect());
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

/// A process and its descendants, zombies left out.
fn family(first: u32) -> BTreeSet<u32> {
    let all: Vec<(u32, u32)> = processes();
    let mut found = BTreeSet::from([first]);
    loop {
        let before = found.len();
        let children: Vec<u32> =
            all.iter().filter(|(_, parent)| found.contains(parent)).map(|(process, _)| *process).collect();
        found.extend(children);
        if found.len() == before {
            return found;
        }
    }
}

/// All processes with their parents: `/proc/PID/stat` behind the name, which ends with the last parenthesis.
fn processes() -> Vec<(u32, u32)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parent = |process: u32| {
        let stat = String::from_utf8_lossy(&std::fs::read(format!("/proc/{process}/stat")).ok()?).into_owned();
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_whitespace();
        let state = fields.next()?;
        let parent = fields.next()?.parse().ok()?;
        (state != "Z").then_some((process, parent))
    };
    ids.filter_map(parent).collect()
}

fn share(process: u32) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
