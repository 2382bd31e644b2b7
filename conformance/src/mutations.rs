//! Broken archives: samples of every format with a harmless payload, cut off or with a few bytes changed.
//!
//! The promises: no worker dies on them, no file outlives its time, memory stays bounded, nothing is left on disk, and
//! no file is called clean that still holds its payload. Whether it does is asked of libarchive (`bsdtar`, `bsdcat`) and 7-Zip,
//! which read most of these formats and are not ours. Besides, a compressed sample that was cut off must not be clean at all.
//!
//! Samples are those of the table here, of all producers (`producers.rs`) with the payload planted, and of the tests of
//! `dachs-formats`. The promises about the payload are asked of those in which it is found whole.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::dachs::{Answer, Dachs, FileResult};
use crate::memory::megabytes;
use crate::producers;
use crate::random::Random;
use crate::scratch::Scratch;
use crate::{Broken, Options};

/// Files a run of the executable.
const BATCH: usize = 1000;
/// Seconds a file may take.
const LIMIT: u64 = 20;
/// Milliseconds from which on a file is worth a look: samples have a few kilobytes.
const SLOW: f64 = 5000.0;
/// Memory of one worker, in bytes.
const MEMORY: u64 = 256 << 20;
/// Larger samples are broken once for fifty of the others.
const LARGE: usize = 64 << 10;

/// How each sample is packed, from `payload` to `out`. `true`: a part of it is never the whole.
const SAMPLES: &[(&str, bool, &str)] = &[
    ("ar", false, "ar rc out payload"),
    ("bz2", true, "bzip2 -c payload >out"),
    ("cpio", false, "echo payload | cpio --quiet -o -H newc >out"),
    ("gz", true, "gzip -c payload >out"),
    ("lz4", true, "lz4 -q -c payload >out"),
    ("tar", false, "tar -cf out payload"),
    ("tar.gz", true, "tar -czf out payload"),
    ("tar.xz", true, "tar -cJf out payload"),
    ("xz", true, "xz -c payload >out"),
    ("zst", true, "zstd -q -c payload >out"),
    ("zip", false, "zip -q out.zip payload && mv out.zip out"),
    ("stored.zip", false, "zip -q -0 out.zip payload && mv out.zip out"),
    ("bz2.zip", false, "zip -q -Z bzip2 out.zip payload && mv out.zip out"),
    ("7z", true, "7z a -bd out.7z payload >/dev/null && mv out.7z out"),
    ("copy.7z", true, "7z a -bd -m0=copy out.7z payload >/dev/null && mv out.7z out"),
];

struct Sample {
    name: String,
    compressed: bool,
    bytes: Vec<u8>,
    /// The payload is found in it when it is whole.
    holds: bool,
}

/// Scans `--count N` mutations, from seed `--seed N` on.
pub(crate) fn run(options: &Options) -> Broken {
    let count = usize::try_from(options.number("--count", 10_000)?).map_err(|error| error.to_string())?;
    let mut random = Random::new(options.number("--seed", 1)?);
    let dachs = Dachs::find()?;
    let scratch = Scratch::new()?;
    let payload = payload();
    let database = scratch.write("t.ndb", signature(&payload).as_bytes())?;
    let mut samples = samples(&scratch, &payload)?;
    let mut sum = Sum { broken: whole_samples(&dachs, &database, &mut samples)?, ..Sum::default() };
    others(&dachs, &database, &payload, &mut samples)?;
    let mut done = 0;
    while done < count {
        let batch = BATCH.min(count - done);
        one_batch(&dachs, &database, &samples, &payload, batch, &mut random, &mut sum)?;
        done += batch;
    }
    println!(
        "mutations: {count} of {} samples: {:?}, slowest {:.1} s ({}), {} in one process, {} in all, {} broken",
        samples.len(),
        sum.verdicts,
        sum.slowest / 1000.0,
        sum.slowest_name,
        megabytes(sum.one),
        megabytes(sum.all),
        sum.broken
    );
    Ok(sum.broken)
}

#[derive(Default)]
struct Sum {
    verdicts: BTreeMap<String, usize>,
    slowest: f64,
    slowest_name: String,
    one: u64,
    all: u64,
    broken: usize,
}

impl Sum {
    fn wrong(&mut self, message: &str) {
        self.broken += 1;
        if self.broken <= 20 {
            println!("mutations: BROKEN: {message}");
        }
    }
}

/// Bytes that no compressor makes small and no other file holds.
fn payload() -> Vec<u8> {
    let mut random = Random::new(0xbad6e7);
    let line = |random: &mut Random| format!("The badger digs hole number {:016x}.\n", random.next());
    (0..60).map(|_| line(&mut random)).collect::<String>().into_bytes()
}

/// Five lines of the payload, each enough.
fn signature(payload: &[u8]) -> String {
    let lines = payload.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).step_by(12).enumerate();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    lines.map(|(number, line)| format!("Test.Payload.{number}:0:*:{}\n", hex(line))).collect()
}

fn samples(scratch: &Scratch, payload: &[u8]) -> Result<Vec<Sample>, String> {
    scratch.write("payload", payload)?;
    let mut samples = Vec::new();
    for (name, compressed, command) in SAMPLES {
        let out = scratch.path().join("out");
        let _ = std::fs::remove_file(&out);
        let done = Command::new("sh").args(["-c", command]).current_dir(scratch.path()).output();
        match std::fs::read(&out) {
            Ok(bytes) if done.is_ok_and(|output| output.status.success()) => {
                samples.push(Sample { name: (*name).to_owned(), compressed: *compressed, bytes, holds: true });
            }
            _ => eprintln!("SKIPPED: sample {name}: {command} does not work here"),
        }
    }
    if samples.is_empty() { Err("no tool made a sample".to_owned()) } else { Ok(samples) }
}

/// The samples of the producers and of the tests. Not each of the former can take this payload.
fn others(dachs: &Dachs, database: &Path, payload: &[u8], samples: &mut Vec<Sample>) -> Result<(), String> {
    let scratch = Scratch::new()?;
    let recipes = producers::recipes();
    let made = producers::make(&recipes, &scratch, payload)?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let mut paths: Vec<_> = made.iter().map(|made| (made.recipe.kind.clone(), made.path.clone())).collect();
    for folder in ["", "inno", "mail", "office", "rar"] {
        let entries = std::fs::read_dir(root.join("crates/formats/tests/samples").join(folder));
        let files = entries.into_iter().flatten().flatten().map(|entry| entry.path());
        // That one holds 70 MB, which are decoded again for each of its faults.
        let files = files.filter(|path| path.is_file() && !path.ends_with("rar50-big.rar"));
        paths.extend(files.map(|path| (format!("sample-{}", keep_name(&path)), path)));
    }
    let files: Vec<_> = paths.iter().map(|(_, path)| path.clone()).collect();
    let answer = dachs.scan(database, &[], &files)?;
    for (name, path) in paths {
        let holds = answer.results.iter().any(|result| result.path == path && result.verdict == "detected");
        let bytes = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        samples.extend((bytes.len() > 1).then_some(Sample { name, compressed: false, bytes, holds }));
    }
    Ok(())
}

/// The samples as they are: the payload is found in each.
fn whole_samples(dachs: &Dachs, database: &Path, samples: &mut [Sample]) -> Result<usize, String> {
    let scratch = Scratch::new()?;
    for sample in samples.iter() {
        scratch.write(&format!("whole.{}", sample.name), &sample.bytes)?;
    }
    let answer = dachs.scan(database, &[], &[scratch.path().to_path_buf()])?;
    let missed: Vec<&FileResult> = answer.results.iter().filter(|result| result.verdict != "detected").collect();
    for result in &missed {
        println!("mutations: BROKEN: the payload is not found in {}: {:?}", result.path.display(), result.anomalies);
    }
    Ok(missed.len() + samples.len() - answer.results.len().min(samples.len()))
}

fn one_batch(
    dachs: &Dachs,
    database: &Path,
    samples: &[Sample],
    payload: &[u8],
    count: usize,
    random: &mut Random,
    sum: &mut Sum,
) -> Result<(), String> {
    let scratch = Scratch::new()?;
    let mut cut = BTreeMap::new();
    for number in 0..count {
        let mut sample = random.pick(samples);
        while sample.bytes.len() > LARGE && !random.once_in(50) {
            sample = random.pick(samples);
        }
        let (bytes, cut_off) = mutate(&sample.bytes, random);
        let path = scratch.write(&format!("{number}.{}", sample.name), &bytes)?;
        cut.insert(path, (cut_off && sample.compressed && bytes.len() >= 64, sample.holds));
    }
    let limit = LIMIT.to_string() + "s";
    let answer = dachs.scan(database, &["--max-scan-time", &limit], &[scratch.path().to_path_buf()])?;
    judge(&answer, count, sum);
    for result in &answer.results {
        *sum.verdicts.entry(result.verdict.clone()).or_default() += 1;
        let (cut_off, held) = cut.get(&result.path).copied().unwrap_or_default();
        judge_file(result, cut_off, held.then_some(payload), sum);
    }
    Ok(())
}

/// The promises about the run.
fn judge(answer: &Answer, count: usize, sum: &mut Sum) {
    sum.one = sum.one.max(answer.memory.one);
    sum.all = sum.all.max(answer.memory.all);
    if answer.results.len() != count {
        sum.wrong(&format!("{} results for {count} files: {}", answer.results.len(), answer.complaint.trim()));
    }
    if !matches!(answer.code, Some(0 | 1 | 3)) {
        sum.wrong(&format!("exit {:?}: {}", answer.code, answer.complaint.trim()));
    }
    if answer.memory.one > MEMORY {
        sum.wrong(&format!("a process held {}", megabytes(answer.memory.one)));
    }
    if !answer.left.is_empty() {
        sum.wrong(&format!("left behind: {}", answer.left.join(", ")));
    }
}

/// The promises about one file.
fn judge_file(result: &FileResult, cut_off: bool, payload: Option<&[u8]>, sum: &mut Sum) {
    let name = keep_name(&result.path);
    if result.milliseconds > sum.slowest {
        (sum.slowest, sum.slowest_name) = (result.milliseconds, name.clone());
    }
    if result.milliseconds > SLOW {
        println!(
            "mutations: slow: {name} took {} ms: {:?}; kept as {}",
            result.milliseconds,
            result.anomalies,
            keep(&result.path)
        );
    }
    if result.milliseconds > (LIMIT + 5) as f64 * 1000.0 {
        sum.wrong(&format!("{name} took {} ms", result.milliseconds));
    }
    if let Some((_, detail)) = result.anomalies.iter().find(|(what, _)| what == "worker-died") {
        sum.wrong(&format!("a worker died of {name}: {detail}; kept as {}", keep(&result.path)));
    }
    if result.verdict != "clean" {
        return;
    }
    if cut_off {
        sum.wrong(&format!("{name} was cut off and is called clean; kept as {}", keep(&result.path)));
    } else if payload.is_some_and(|payload| holds(result, payload)) {
        sum.wrong(&format!("{name} still holds its payload and is called clean; kept as {}", keep(&result.path)));
    }
}

fn keep_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Copies a file that broke a promise to where it outlives the run.
fn keep(path: &Path) -> String {
    let to = std::env::temp_dir().join(format!("dachs-broken-{}", keep_name(path)));
    match std::fs::copy(path, &to) {
        Ok(_) => to.display().to_string(),
        Err(error) => format!("nothing ({error})"),
    }
}

/// True if libarchive or 7-Zip still gets the payload out of the file. The latter searches what begins like nothing for streams in its
/// midst, so it is asked only about files of a known kind.
fn holds(result: &FileResult, payload: &[u8]) -> bool {
    let attempts: [(&str, &[&str]); 3] = [("bsdtar", &["-xOf"]), ("bsdcat", &[]), ("7z", &["x", "-so", "-p-"])];
    let asked = attempts.iter().filter(|(tool, _)| *tool != "7z" || result.kind != "data");
    asked.into_iter().any(|(tool, arguments)| {
        let output = Command::new(tool).args(*arguments).arg(&result.path).output();
        output.is_ok_and(|output| output.stdout.windows(payload.len()).any(|window| window == payload))
    })
}

/// Cuts a sample off (true), or changes some of its bytes.
fn mutate(sample: &[u8], random: &mut Random) -> (Vec<u8>, bool) {
    let mut bytes = sample.to_vec();
    if random.once_in(4) {
        bytes.truncate(random.range(1, sample.len() - 1));
        return (bytes, true);
    }
    for _ in 0..random.range(1, 4) {
        let at = if random.once_in(2) { random.below(bytes.len().min(128)) } else { random.below(bytes.len()) };
        match random.below(5) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = *random.pick(&[0, 1, 0x7f, 0x80, 0xff]),
            2 => bytes.insert(at, random.byte()),
            3 if bytes.len() > 2 => drop(bytes.remove(at)),
            _ => bytes.iter_mut().skip(at).take(4).for_each(|byte| *byte = random.byte()),
        }
    }
    (bytes, false)
}
