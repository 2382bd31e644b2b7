//! Archives made to exhaust whoever opens them.
//!
//! Each is built here, small, and scanned with a short time limit. The promises: the scan ends in time, no process holds
//! more memory than a worker may, no process dies, nothing is left on disk, and the verdict says that not all was read.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Broken;
use crate::container::{Entry, gzip, overlapping_zip, tar_header, zip};
use crate::dachs::{Answer, Dachs};
use crate::memory::megabytes;
use crate::scratch::Scratch;

/// Seconds a file may take, by option.
const LIMIT: u64 = 10;
/// Seconds beyond the limit within which the scan must have ended: a worker is killed a little later than its limit.
const GRACE: u64 = 5;
/// Memory of one worker, in bytes.
const MEMORY: u64 = 256 << 20;

/// A bomb: its file, and whether it can be read wholly within the limits, so that it may be called clean.
struct Bomb {
    name: &'static str,
    path: PathBuf,
    bounded: bool,
}

/// Builds and scans all bombs.
pub(crate) fn run() -> Broken {
    let dachs = Dachs::find()?;
    let scratch = Scratch::new()?;
    let database = scratch.write("t.ndb", b"Test.Never:0:*:6e65766572206265656e2068657265\n")?;
    let mut broken = 0;
    for bomb in bombs(&scratch)? {
        broken += scan(&dachs, &database, &bomb)?;
    }
    Ok(broken)
}

fn scan(dachs: &Dachs, database: &Path, bomb: &Bomb) -> Result<usize, String> {
    let limit = LIMIT.to_string() + "s";
    let answer = dachs.scan(database, &["--max-scan-time", &limit], std::slice::from_ref(&bomb.path))?;
    let [result] = answer.results.as_slice() else {
        println!("bombs: {}: no result, exit {:?}: {}", bomb.name, answer.code, answer.complaint.trim());
        return Ok(1);
    };
    let size = std::fs::metadata(&bomb.path).map_err(|error| error.to_string())?.len();
    let why: Vec<String> = result.anomalies.iter().map(|(what, detail)| format!("{what}: {detail}")).take(2).collect();
    println!(
        "bombs: {}: {size} bytes, {} in {:.1} s, {} objects, {} unpacked, {} in one process, {} in all ({})",
        bomb.name,
        result.verdict,
        result.milliseconds / 1000.0,
        result.objects,
        megabytes(result.bytes),
        megabytes(answer.memory.one),
        megabytes(answer.memory.all),
        why.join("; "),
    );
    let wrongs = wrongs(bomb, &answer);
    wrongs.iter().for_each(|wrong| println!("bombs: {}: BROKEN: {wrong}", bomb.name));
    Ok(wrongs.len())
}

/// Promises that this scan broke.
fn wrongs(bomb: &Bomb, answer: &Answer) -> Vec<String> {
    let mut wrongs = Vec::new();
    let result = &answer.results[0];
    if !bomb.bounded && result.verdict == "clean" {
        wrongs.push("it is called clean".to_owned());
    }
    if result.verdict == "clean" && result.anomalies.iter().any(|(what, _)| what == "limit") {
        wrongs.push("it was cut, and is called clean".to_owned());
    }
    if result.anomalies.iter().any(|(what, detail)| what == "worker-died" && !detail.contains("time")) {
        wrongs.push(format!("the worker died: {:?}", result.anomalies));
    }
    if answer.elapsed.as_secs() > LIMIT + GRACE {
        wrongs.push(format!("it took {} s", answer.elapsed.as_secs()));
    }
    if answer.memory.one > MEMORY {
        wrongs.push(format!("a process held {}", megabytes(answer.memory.one)));
    }
    if !answer.left.is_empty() {
        wrongs.push(format!("left behind: {}", answer.left.join(", ")));
    }
    wrongs
}

fn bombs(scratch: &Scratch) -> Result<Vec<Bomb>, String> {
    let mut bombs = Vec::new();
    let mut add = |name: &'static str, bounded: bool, bytes: &[u8]| -> Result<(), String> {
        bombs.push(Bomb { name, path: scratch.write(name, bytes)?, bounded });
        Ok(())
    };
    add("nested.zip", true, &nested_zip())?;
    add("thrice.gz", true, &thrice_gzip())?;
    add("overlapping.zip", false, &overlapping_zip(&Entry::deflated(&vec![0; 1 << 20]), 60_000))?;
    add("ten-million.tar.gz", true, &ten_million_members())?;
    add("deep.gz", false, &deep_gzip())?;
    for (name, bounded, command) in BY_TOOL {
        match by_tool(scratch, name, command)? {
            Some(path) => bombs.push(Bomb { name, path, bounded: *bounded }),
            None => eprintln!("SKIPPED: bomb {name}: its tool is not installed"),
        }
    }
    Ok(bombs)
}

/// Bombs that a tool packs, from its standard input to its standard output.
const BY_TOOL: &[(&str, bool, &str)] = &[
    ("billion-zeros.bz2", true, "head -c 1000000000 /dev/zero | bzip2 -1"),
    ("endless.bz2", false, "head -c 40000000 /dev/zero | bzip2 >b; for i in $(seq 4000); do cat b; done"),
    ("endless.xz", false, "head -c 100000000 /dev/zero | xz -1 >x; for i in $(seq 3000); do cat x; done"),
    ("endless.zst", false, "head -c 1000000000 /dev/zero | zstd -q >z; for i in $(seq 400); do cat z; done"),
    ("dictionary.xz", true, "echo badger | xz --lzma2=dict=1GiB"),
];

fn by_tool(scratch: &Scratch, name: &str, command: &str) -> Result<Option<PathBuf>, String> {
    let output = Command::new("sh").args(["-c", command]).current_dir(scratch.path()).output();
    let output = output.map_err(|error| format!("{command}: {error}"))?;
    let good = output.status.success() && !output.stdout.is_empty();
    if good { scratch.write(name, &output.stdout).map(Some) } else { Ok(None) }
}

/// Five levels of sixteen archives each, with 64 MB of zeros in each of the million at the bottom: 70 TB. All of a level are the same,
/// so that one of each is all there is to look at.
fn nested_zip() -> Vec<u8> {
    (0..5).fold(zip(&Entry::deflated(&vec![0; 64 << 20]), 1), |inner, _| zip(&Entry::deflated(&inner), 16))
}

/// One gigabyte of zeros, packed three times: more than a million to one.
fn thrice_gzip() -> Vec<u8> {
    let hundred = gzip(&vec![0; 100 << 20]);
    gzip(&gzip(&hundred.repeat(10)))
}

/// Ten million empty files. A gzip file may have many members, so that one of a thousand files can be repeated.
fn ten_million_members() -> Vec<u8> {
    let thousand: Vec<u8> = (0..1000).flat_map(|number| tar_header(&format!("file{number}"))).collect();
    gzip(&thousand).repeat(10_000)
}

/// A thousand streams, each in the next.
fn deep_gzip() -> Vec<u8> {
    (0..1000).fold(b"The badger digs deep.".to_vec(), |inner, _| gzip(&inner))
}
