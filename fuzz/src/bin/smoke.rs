//! Drives every fuzz target with mutated seeds, without libFuzzer: `smoke [TARGET [SECONDS]]`.
//!
//! The seeds of a target are the files in `corpus/TARGET/`. The mutator is blind, but deterministic: the same seeds give
//! the same inputs. An input that breaks a promise is written to `artifacts/TARGET/` and ends the run.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use dachs_fuzz::targets::{ALL, Target};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted = arguments.first().map(String::as_str);
    let seconds = arguments.get(1).and_then(|text| text.parse().ok()).unwrap_or(5);
    let mut failed = 0;
    for target in ALL.iter().filter(|target| wanted.is_none_or(|wanted| wanted == target.name || wanted == "all")) {
        failed += usize::from(!run(target, Duration::from_secs(seconds)));
    }
    println!("smoke: {failed} targets failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs one target on its seeds and their mutations for some time.
fn run(target: &Target, time: Duration) -> bool {
    let name = target.name;
    let seeds = seeds(name);
    let mut random = Random(0x5eed);
    let start = Instant::now();
    let mut inputs = seeds.clone();
    let mut count = 0_u64;
    while start.elapsed() < time {
        for input in inputs {
            count += 1;
            if std::panic::catch_unwind(|| (target.run)(&input)).is_err() {
                println!("{name}: input {count} failed, see {}", keep(name, &input).display());
                return false;
            }
        }
        inputs = seeds.iter().map(|seed| mutate(seed, &mut random)).collect();
    }
    println!("{name}: {count} inputs from {} seeds", seeds.len());
    true
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = here().join("corpus").join(name);
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let mut seeds: Vec<Vec<u8>> = paths.iter().filter_map(|path| std::fs::read(path).ok()).collect();
    seeds.push((0..=255).collect());
    seeds
}

/// Changes a few bytes, cuts, repeats or inserts.
fn mutate(seed: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        match random.below(6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.next() as u8),
            2 => bytes.extend_from_within(at..),
            3 if at < bytes.len() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
            4 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            _ => bytes.iter_mut().skip(at).take(4).for_each(|byte| *byte = random.next() as u8),
        }
        bytes.truncate(1 << 20);
    }
    bytes
}

/// Writes an input to the target's folder of artifacts.
fn keep(name: &str, input: &[u8]) -> PathBuf {
    let folder = here().join("artifacts").join(name);
    let path = folder.join("smoke");
    if let Err(error) = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, input)) {
        println!("{}: {error}", path.display());
    }
    path
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        (self.next() % count.max(1) as u64) as usize
    }
}
