//! How much memory a process and all it started hold.
//!
//! Every 20 ms, all processes of the child's process group and all their descendants are asked for their proportional
//! share (`Pss` in `/proc/PID/smaps_rollup`, proc(5)): a page that several share counts once in the sum.

use std::collections::BTreeSet;
use std::process::{Child, ExitStatus};
use std::time::Duration;

/// The most that was seen, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Peak {
    /// All processes together.
    pub(crate) all: u64,
    /// The largest one.
    pub(crate) one: u64,
}

/// Waits for a child and watches what it holds.
pub(crate) fn watch(child: &mut Child) -> Result<(ExitStatus, Peak), String> {
    let mut peak = Peak::default();
    loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            return Ok((status, peak));
        }
        let shares: Vec<u64> = family(child.id()).into_iter().map(share).collect();
        peak.all = peak.all.max(shares.iter().sum());
        peak.one = peak.one.max(shares.iter().copied().max().unwrap_or(0));
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What a process and its descendants hold now, in bytes.
pub(crate) fn share_of_family(first: u32) -> u64 {
    family(first).into_iter().map(share).sum()
}

/// What a process, its descendants, and those of them that have ended have used of the processors, in clock ticks.
pub(crate) fn ticks_of_family(first: u32) -> u64 {
    // proc(5): utime, stime, cutime and cstime are the fields 14 to 17, the state is the third.
    let ticks = |id: u32| -> u64 {
        let stat = std::fs::read(format!("/proc/{id}/stat")).unwrap_or_default();
        let stat = String::from_utf8_lossy(&stat).into_owned();
        let fields = stat.rsplit_once(')').map(|(_, fields)| fields.to_owned()).unwrap_or_default();
        fields.split_whitespace().skip(11).take(4).filter_map(|field| field.parse::<u64>().ok()).sum()
    };
    family(first).into_iter().map(ticks).sum()
}

/// A process and its descendants.
pub(crate) fn family_of(first: u32) -> Vec<u32> {
    family(first).into_iter().collect()
}

/// The processes of a group that are left, without zombies.
pub(crate) fn group(leader: u32) -> Vec<u32> {
    processes()
        .into_iter()
        .filter(|process| process.group == leader && !process.zombie)
        .map(|process| process.id)
        .collect()
}

/// A process, its descendants, and all of its group.
fn family(first: u32) -> BTreeSet<u32> {
    let all = processes();
    let mut found: BTreeSet<u32> =
        all.iter().filter(|process| process.group == first).map(|process| process.id).collect();
    found.insert(first);
    loop {
        let before = found.len();
        found.extend(
            all.iter().filter(|process| found.contains(&process.parent)).map(|process| process.id).collect::<Vec<_>>(),
        );
        if found.len() == before {
            return found;
        }
    }
}

struct Process {
    id: u32,
    parent: u32,
    group: u32,
    zombie: bool,
}

/// All processes; `/proc/PID/stat` after the name, which may hold anything and ends with the last parenthesis.
fn processes() -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let read = |id: u32| {
        let stat = std::fs::read(format!("/proc/{id}/stat")).ok()?;
        let stat = String::from_utf8_lossy(&stat).into_owned();
        let (_, fields) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        Some(Process {
            id,
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            zombie: *fields.first()? == "Z",
        })
    };
    ids.filter_map(read).collect()
}

/// The proportional share of one process, in bytes.
fn share(process: u32) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// Bytes as megabytes for a person.
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1_000_000))
}
