//! What the jail costs. Prints; asserts nothing about time.

use crate::Test;
use crate::bench::{Bench, file};
use dachs_base::{Limits, Verdict};
use std::time::{Duration, Instant};

pub(crate) const TESTS: &[Test] = &[("what_the_jail_costs", what_the_jail_costs, true)];

fn what_the_jail_costs() {
    for name in ["whole", "without-filter", "without-rooms", "without-landlock"] {
        let begin = Instant::now();
        let bench = Bench::named(name, 1, Limits::default()).unwrap();
        println!("{name}: start of the zygote {:?}", begin.elapsed());
        print("  shared worker, 8 bytes", &times(&bench, b"harmless", 20_000));
        print("  one-file worker, 14 bytes", &times(&bench, b"alone harmless", 1_000));
    }
    for jobs in [1, 2, 4, 8] {
        let bench = Bench::new(jobs, Limits::default());
        let begin = Instant::now();
        let files = 40_000;
        for tag in 0..files {
            bench.submit(tag, file(b"harmless"), 8);
        }
        (0..files).for_each(|_| assert_eq!(bench.next().report.verdict(), Verdict::Clean));
        let each = begin.elapsed() / u32::try_from(files).unwrap();
        println!("{jobs} slots: {each:?} a file, making the file included");
    }
}

fn times(bench: &Bench, bytes: &[u8], count: usize) -> Vec<Duration> {
    let mut times: Vec<Duration> = (0..count)
        .map(|_| {
            bench.submit(0, file(bytes), crate::bench::size(bytes));
            bench.next().elapsed
        })
        .collect();
    times.sort_unstable();
    times
}

fn print(what: &str, times: &[Duration]) {
    let at = |percent: usize| times[times.len() * percent / 100];
    println!("{what}: median {:?}, 10 % under {:?}, 99 % under {:?}", at(50), at(10), at(99));
}
