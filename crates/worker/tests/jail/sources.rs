//! Files that change or fail under the scan.

use crate::Test;
use crate::bench::{Bench, said};
use dachs_base::{Limits, Verdict};
use std::fs::File;

pub(crate) const TESTS: &[Test] = &[
    ("a_file_that_shrank_is_incomplete", a_file_that_shrank_is_incomplete, false),
    ("a_file_that_cannot_be_read_is_incomplete", a_file_that_cannot_be_read_is_incomplete, false),
    ("an_empty_file_is_clean", an_empty_file_is_clean, false),
    ("a_program_that_is_no_worker_is_told", a_program_that_is_no_worker_is_told, false),
    ("a_broken_image_is_refused", a_broken_image_is_refused, false),
];

fn a_file_that_shrank_is_incomplete() {
    let bench = Bench::new(1, Limits::default());
    for size in [100, 100_000_000] {
        bench.submit(0, crate::bench::file(b"harmless"), size);
        let report = bench.next().report;
        assert!(report.verdict() == Verdict::Incomplete && said(&report).contains("shorter"), "{report:?}");
    }
}

fn a_file_that_cannot_be_read_is_incomplete() {
    let bench = Bench::new(1, Limits::default());
    bench.submit(0, File::open("/").unwrap().into(), 100);
    let report = bench.next().report;
    assert!(report.verdict() == Verdict::Incomplete && said(&report).contains("failed"), "{report:?}");
}

fn an_empty_file_is_clean() {
    assert_eq!(Bench::new(1, Limits::default()).scan(b"").verdict(), Verdict::Clean);
}

fn a_broken_image_is_refused() {
    use dachs_pool::{Config, Pool, PoolError, Workload};
    let image = dachs_sys::fd::sealed_memory("image", b"this is no image").unwrap();
    let program = std::env::current_exe().unwrap();
    let config = Config {
        jobs: 1,
        limits: Limits::default(),
        all_matches: false,
        rules_on_members: true,
        shared_from: Config::SHARED_FROM,
        switches: dachs_base::Switches::STANDARD,
        passwords: Vec::new(),
        workload: Workload::Few,
        image,
        program,
    };
    let error = Pool::start(config).unwrap_err();
    assert!(matches!(&error, PoolError::Refused(reason) if reason.contains("image")), "{error}");
}

fn a_program_that_is_no_worker_is_told() {
    for (program, wanted) in [("/nothing", "cannot be started"), ("/bin/true", "before it was ready")] {
        let error = Bench::of(program.into(), 1, Limits::default()).err().unwrap();
        assert!(error.to_string().contains(wanted), "{error}");
    }
    // A person who starts a worker by hand gets an error, not a hanging process.
    let mut by_hand = std::process::Command::new(std::env::current_exe().unwrap());
    assert!(!by_hand.arg("worker").stdin(std::process::Stdio::null()).status().unwrap().success());
}
