//! How fast objects are matched, in one process: `cargo run --release -p dachs-sigdb --example scan -- IMAGE TARGET FILE…`.
//!
//! Each file is examined as an object of the target of that number (1: Portable Executables, 6: ELF, 7: texts), without facts
//! of its kind. For profiles of the matcher and of the evaluation alone; `cargo xtask bench` measures the whole.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a measurement for people"
)]

use dachs_base::{Budget, Facts, Limits, Memory, NoClock, Target};
use dachs_sigdb::{Image, View};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let bytes = std::fs::read(&arguments[0]).unwrap();
    let image = Image::new(&bytes).unwrap();
    let target = Target::from_number(arguments[1].parse().unwrap()).unwrap();
    let objects: Vec<Vec<u8>> = arguments[2..].iter().filter_map(|path| std::fs::read(path).ok()).collect();
    let size = objects.iter().map(Vec::len).sum::<usize>() as f64 / 1e6;
    let facts = Facts::default();
    let (mut findings, mut best) = (0, f64::MAX);
    for _ in 0..3 {
        findings = 0;
        let clock = cpu_seconds();
        for object in &objects {
            let source = Memory::new(object.as_slice());
            let view = View { source: &source, target, facts: &facts, around: &[] };
            findings += image.examine(&view, &Budget::new(Limits::default(), NoClock), true).findings.len();
        }
        best = best.min(cpu_seconds() - clock);
    }
    println!("{} objects, {size:.1} MB, {:.0} MB/s, {findings} findings", objects.len(), size / best);
}

/// What this thread has run so far; other work on the machine does not count.
fn cpu_seconds() -> f64 {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    statistics.split(' ').next().and_then(|first| first.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}
