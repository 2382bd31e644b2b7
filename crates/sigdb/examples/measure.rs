//! Measures images of random hash signatures: size, time to build, memory, time to map, cost of a look-up.
//!
//! `cargo run --release -p dachs-sigdb --example measure -- 1000000`
//!
//! Or, with the path of an image instead of a number, the time to map and to verify it and to examine a small object.
#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a tool reads files and clocks and speaks to the person who runs it"
)]

use dachs_base::{Budget, Facts, FileKind, Limits, Memory, NoClock, Source};
use dachs_sigdb::model::{Digest, HashRule, SourceInfo};
use dachs_sigdb::{Builder, Image, ImageError, View};
use std::time::{Duration, Instant};

fn main() -> Result<(), ImageError> {
    let argument = std::env::args().nth(1).unwrap_or_else(|| "1000000".into());
    let bytes = match argument.parse() {
        Ok(count) => build(count),
        Err(_) => std::fs::read(&argument).unwrap_or_default(),
    };
    let image = time("map", 1000, || Image::new(&bytes))?;
    time("verify", 1, || image.verify())?;
    println!("{} bytes, {} signatures", bytes.len(), image.signature_count());
    look_up(&image);
    Ok(())
}

/// An image of so many random MD5 signatures with sizes.
fn build(count: u64) -> Vec<u8> {
    let mut dice = Dice(88_172_645_463_325_252);
    let mut builder = Builder::new();
    let source = builder.source(SourceInfo { name: "random.hdb".into(), ..SourceInfo::default() });
    let start = Instant::now();
    for number in 0..count {
        let digest = Digest::Md5(std::array::from_fn(|_| dice.next().to_le_bytes()[3]));
        let rule = HashRule { digest, size: Some(dice.next() % count.max(2)) };
        if let Err(refusal) = builder.add_hash(source, &format!("Win.Malware.Random-{number}-0"), &rule) {
            println!("refused: {refusal}");
        }
    }
    println!("add          {:?}", start.elapsed());
    let bytes = time("finish", 1, || std::mem::take(&mut builder).finish());
    println!("most memory so far: {}", most_memory());
    bytes
}

/// Examines objects of sizes that do not occur, so that nothing is read; then one whose size does, most likely.
fn look_up(image: &Image<'_>) {
    let budget = Budget::new(Limits::default(), NoClock);
    let facts = Facts::default();
    let examine = |source: &dyn Source| {
        let view = View { source, target: FileKind::Data.target(), facts: &facts, around: &[] };
        image.examine(&view, &budget, true).findings.len()
    };
    let mut dice = Dice(1);
    time("miss", 1_000_000, || examine(&Unread(u64::from(image.signature_count()) + (dice.next() >> 20))));
    for size in [100_usize, 1000, 4096, 10_000] {
        let object = Memory::new(vec![7; size]);
        time(&format!("{size} bytes"), 1000, || examine(&object));
    }
}

/// An object of some size that nobody reads.
struct Unread(u64);

impl Source for Unread {
    fn read_at(&self, _offset: u64, _buffer: &mut [u8]) -> usize {
        0
    }

    fn len(&self) -> u64 {
        self.0
    }
}

/// Runs `what` so often, says what one run took, and gives the last result.
fn time<T>(name: &str, runs: u32, mut what: impl FnMut() -> T) -> T {
    let start = Instant::now();
    let mut result = what();
    for _ in 1..runs {
        result = what();
    }
    let one: Duration = start.elapsed() / runs;
    println!("{name:12} {one:?}");
    result
}

/// The most memory that the process ever had, as the kernel tells it.
fn most_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.unwrap_or("not known").trim().to_owned()
}

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
