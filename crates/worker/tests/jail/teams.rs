//! Several workers at one file, of which one dies, hangs or lies: the report is the right one.

use crate::Test;
use crate::bench::{Bench, file, said, size};
use dachs_base::{AnomalyKind, Limit, Limits, Report, Verdict};
use std::time::Duration;

pub(crate) const TESTS: &[Test] = &[
    ("a_team_says_what_one_says", a_team_says_what_one_says, false),
    ("a_helper_is_believed_no_more_than_one_alone", a_helper_is_believed_no_more_than_one_alone, false),
    ("a_lost_helper_costs_no_answer", a_lost_helper_costs_no_answer, false),
    ("a_lost_leader_is_told_or_replaced", a_lost_leader_is_told_or_replaced, false),
    ("a_hanging_team_is_stopped", a_hanging_team_is_stopped, false),
    ("five_hundred_lies_of_teams", five_hundred_lies_of_teams, false),
    ("a_team_can_be_given_up", a_team_can_be_given_up, false),
];

/// A tar archive whose first name says what its workers do, with a rule's string in some members.
fn archive(words: &str) -> Vec<u8> {
    let mut archive = Vec::new();
    for number in 0..200 {
        let name = if number == 0 { words.to_owned() } else { format!("member {number}") };
        let text = if number % 50 == 20 { "yara-two yara_three1" } else { "harmless" };
        let text = format!("{text} {number}");
        let mut header = [0_u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", text.len()).as_bytes());
        header[156] = b'0';
        header[257..265].copy_from_slice(b"ustar\x0000");
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        archive.extend(header);
        archive.extend(text.as_bytes());
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

/// What one worker says of it; the first name stands in no report.
fn right() -> Report {
    let report = Bench::sharing(1, Limits::default()).scan(&archive("x"));
    assert!(report.verdict() == Verdict::Detected && report.coverage.objects == 201, "{report:?}");
    report
}

fn a_team_says_what_one_says() {
    let (bench, right) = (Bench::sharing(4, Limits::default()), right());
    for _ in 0..20 {
        assert_eq!(bench.scan(&archive("x")), right);
    }
}

/// What it says is used, and so it is known to have helped; how many helpers there are is chance, so it is tried often.
fn a_helper_is_believed_no_more_than_one_alone() {
    let bench = Bench::sharing(3, Limits::default());
    let lies = (0..100).map(|_| bench.scan(&archive("team helper lie"))).find(|report| said(report) == "a lie");
    assert_eq!(lies.map(|report| report.coverage.objects), Some(201));
}

fn a_lost_helper_costs_no_answer() {
    let (bench, right) = (Bench::sharing(3, Limits::default()), right());
    for words in ["crash", "abort", "panic", "exit 0", "descriptor", "memory 200000000", "early"] {
        for _ in 0..3 {
            assert_eq!(bench.scan(&archive(&format!("team helper {words}"))), right, "{words}");
        }
        assert_eq!(bench.scan(b"harmless").verdict(), Verdict::Clean, "after {words}");
    }
}

fn a_lost_leader_is_told_or_replaced() {
    let (bench, right) = (Bench::sharing(3, Limits::default()), right());
    for words in ["crash", "abort", "panic", "exit 7", "descriptor"] {
        let report = bench.scan(&archive(&format!("team leader {words}")));
        let told = report.anomalies.first().is_some_and(|anomaly| anomaly.kind == AnomalyKind::WorkerDied);
        assert!(report == right || told && report.verdict() == Verdict::Incomplete, "{words}: {report:?}");
        assert_eq!(bench.scan(b"harmless").verdict(), Verdict::Clean, "after {words}");
    }
}

fn a_hanging_team_is_stopped() {
    let bench = Bench::sharing(3, Limits { time: Duration::from_millis(200), ..Limits::default() });
    let report = bench.scan(&archive("team helper hang"));
    let late = report.anomalies.first().is_some_and(|anomaly| anomaly.kind == AnomalyKind::Limit(Limit::Time));
    // It may be that nobody came to help.
    assert!(late || report.verdict() == Verdict::Detected, "{report:?}");
    assert_eq!(bench.scan(b"harmless").verdict(), Verdict::Clean);
}

fn five_hundred_lies_of_teams() {
    let bench = Bench::sharing(4, Limits::default());
    for seed in 1..=500u64 {
        let role = if seed.is_multiple_of(2) { "helper" } else { "leader" };
        let words = if seed % 3 == 0 { "replay" } else { "words" };
        let bytes = archive(&format!("team {role} {words} {seed}"));
        bench.submit(seed, file(&bytes), size(&bytes));
        bench.next();
    }
    assert_eq!(bench.scan(&archive("x")), right());
}

fn a_team_can_be_given_up() {
    let bench = Bench::sharing(3, Limits::default());
    for role in ["helper", "leader"] {
        let bytes = archive(&format!("team {role} hang"));
        bench.submit(7, file(&bytes), size(&bytes));
        std::thread::sleep(Duration::from_millis(50));
        bench.pool().cancel(7);
        let report = bench.next().report;
        assert!(report.verdict() == Verdict::Incomplete || report.verdict() == Verdict::Detected, "{report:?}");
    }
    assert_eq!(bench.scan(&archive("x")), right());
}
