//! Workers that die, hang, lie or swell: the report says so, and the next file is scanned as if nothing had happened.

use crate::Test;
use crate::bench::{Bench, file, said, size};
use dachs_base::{AnomalyKind, Limit, Limits, Verdict};
use std::time::{Duration, Instant};

pub(crate) const TESTS: &[Test] = &[
    ("a_file_is_scanned", a_file_is_scanned, false),
    ("each_way_to_die_is_told", each_way_to_die_is_told, false),
    ("a_hanging_worker_is_killed_in_time", a_hanging_worker_is_killed_in_time, false),
    ("a_polite_worker_stops_by_itself", a_polite_worker_stops_by_itself, false),
    ("a_killed_worker_costs_one_file", a_killed_worker_costs_one_file, false),
    ("a_killed_zygote_is_replaced", a_killed_zygote_is_replaced, false),
    ("files_that_go_together_are_told_apart", files_that_go_together_are_told_apart, false),
    ("a_long_report_is_cut", a_long_report_is_cut, false),
    ("ten_thousand_lies", ten_thousand_lies, false),
    ("shared_workers_are_replaced", shared_workers_are_replaced, false),
    ("stopping_leaves_nobody", stopping_leaves_nobody, false),
];

/// Little time, and few bytes.
fn tight() -> Limits {
    Limits { time: Duration::from_millis(200), memory: 16 << 20, ..Limits::default() }
}

fn a_file_is_scanned() {
    let bench = Bench::new(1, Limits::default());
    for layer in &bench.pool().layers().layers {
        println!("    {:24} {} {}", layer.layer, if layer.on { "on " } else { "OFF" }, layer.detail);
    }
    let report = bench.scan(b"harmless");
    assert_eq!((report.verdict(), report.coverage.objects), (Verdict::Clean, 1), "{report:?}");
    let report = bench.scan(b"alone bytes are not magic");
    assert_eq!(report.verdict(), Verdict::Clean, "{report:?}");
}

fn each_way_to_die_is_told() {
    let bench = Bench::new(1, tight());
    let died = AnomalyKind::WorkerDied;
    for (text, kind, part) in [
        ("crash", died, "SIGSEGV"),
        ("deep", died, "stack overflowed"),
        ("abort", died, "SIGSYS"),
        ("panic", died, "engine.rs"),
        ("exit 7", died, "code 7"),
        ("exit 0", died, "code 0"),
        ("descriptor", died, "not believed"),
        ("memory 200000000", AnomalyKind::Limit(Limit::Memory), "memory"),
    ] {
        for text in [text.to_owned(), format!("alone {text}")] {
            let report = bench.scan(text.as_bytes());
            let anomaly = &report.anomalies[0];
            assert!(anomaly.kind == kind && anomaly.detail.contains(part), "{text}: {anomaly:?}");
            assert_eq!(report.verdict(), Verdict::Incomplete);
            assert_eq!(bench.scan(b"harmless").verdict(), Verdict::Clean, "after {text}");
        }
    }
    assert_eq!(said(&bench.scan(b"memory 20000000")), "20000000");
    assert_eq!(said(&bench.scan(b"hash")), "1");
}

fn a_hanging_worker_is_killed_in_time() {
    let bench = Bench::new(1, tight());
    let begin = Instant::now();
    let report = bench.scan(b"hang");
    assert_eq!(report.anomalies[0].kind, AnomalyKind::Limit(Limit::Time));
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    assert_eq!(bench.scan(b"harmless").verdict(), Verdict::Clean);
}

fn a_polite_worker_stops_by_itself() {
    let bench = Bench::new(1, tight());
    let begin = Instant::now();
    let report = bench.scan(b"patience");
    assert!(said(&report).contains("was over"), "{report:?}");
    assert!(begin.elapsed() < Duration::from_secs(2));
}

/// The children of a process: (number, parent).
fn processes() -> Vec<(u32, u32)> {
    let stat = |number: u32| std::fs::read_to_string(format!("/proc/{number}/stat")).ok();
    let numbers =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let parent = |number| {
        let stat = stat(number)?;
        let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
        // A dead one that nobody has waited for is no process any more.
        (fields.first() != Some(&"Z")).then_some((number, fields.get(1)?.parse().ok()?))
    };
    numbers.filter_map(parent).collect()
}

fn children(of: u32) -> Vec<u32> {
    processes().iter().filter(|(_, parent)| *parent == of).map(|(number, _)| *number).collect()
}

fn kill(number: u32) {
    assert!(std::process::Command::new("kill").args(["-9", &number.to_string()]).status().unwrap().success());
}

/// Waits until it is so.
fn until(what: &str, so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !so() {
        assert!(begin.elapsed() < Duration::from_secs(10), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn a_killed_worker_costs_one_file() {
    let bench = Bench::new(1, Limits::default());
    let zygote = children(std::process::id())[0];
    let before = children(zygote);
    bench.submit(1, file(b"hang"), 4);
    until("a worker", || children(zygote).len() > before.len());
    for tag in 2..4 {
        bench.submit(tag, file(b"harmless"), 8);
    }
    let workers = children(zygote);
    std::thread::sleep(Duration::from_millis(50));
    workers.iter().filter(|worker| !before.contains(worker)).for_each(|worker| kill(*worker));
    let done: Vec<_> = (0..3).map(|_| bench.next()).collect();
    assert!(said(&done[0].report).contains("SIGKILL"), "{:?}", done[0]);
    assert!(done[1..].iter().all(|done| done.report.verdict() == Verdict::Clean), "{done:?}");
}

fn a_killed_zygote_is_replaced() {
    let bench = Bench::new(2, Limits::default());
    assert_eq!(bench.scan(b"harmless").verdict(), Verdict::Clean);
    bench.submit(1, file(b"hang"), 4);
    std::thread::sleep(Duration::from_millis(100));
    kill(children(std::process::id())[0]);
    let done = bench.next();
    assert_eq!((done.tag, done.report.verdict()), (1, Verdict::Incomplete), "{done:?}");
    for _ in 0..10 {
        assert_eq!(bench.scan(b"harmless").verdict(), Verdict::Clean);
        kill(children(std::process::id())[0]);
        std::thread::sleep(Duration::from_millis(20));
    }
    // The zygote of an idle pool died: the file after it may be lost, not the one after that.
    bench.scan(b"harmless");
    assert_eq!(bench.scan(b"harmless").verdict(), Verdict::Clean);
}

/// Small files that wait together are given to a worker together; what some of them do to it changes nothing for the others.
fn files_that_go_together_are_told_apart() {
    let died = AnomalyKind::WorkerDied;
    let bad = [("crash", "SIGSEGV"), ("panic", "engine.rs"), ("exit 7", "code 7"), ("descriptor", "not believed")];
    for (bad, part) in [("hash", ""), ("alone hash", ""), ("long", "")].into_iter().chain(bad) {
        let bench = Bench::new(1, tight());
        // While this one is scanned, the others gather.
        bench.submit(1_000, file(b"patience"), 8);
        for tag in 0..50 {
            let text = if tag % 10 == 7 { bad.to_owned() } else { format!("memory {}", tag * 100_000) };
            bench.submit(tag, file(text.as_bytes()), size(text.as_bytes()));
        }
        let mut told = vec![0; 50];
        for done in (0..51).map(|_| bench.next()).filter(|done| done.tag < 50) {
            told[usize::try_from(done.tag).unwrap()] += 1;
            let (said, kind) = (said(&done.report), done.report.anomalies.first().map(|anomaly| anomaly.kind));
            match (done.tag % 10 == 7, bad) {
                (false, _) => assert_eq!(said, (done.tag * 100_000).to_string(), "beside {bad}"),
                (true, "hash" | "alone hash") => assert_eq!(said, "1"),
                (true, "long") => assert!(done.report.anomalies_dropped > 0 || done.report.anomalies.len() == 100),
                (true, _) => assert!(kind == Some(died) && said.contains(part), "{bad}: {said}"),
            }
        }
        assert_eq!(told, vec![1; 50], "{bad}");
    }
}

fn a_long_report_is_cut() {
    let report = Bench::new(1, Limits::default()).scan(b"long");
    assert_eq!(report.anomalies.len() + usize::try_from(report.anomalies_dropped).unwrap(), 100);
    assert_eq!(report.verdict(), Verdict::Incomplete);
}

/// Packets that look a little like replies. None is believed, none harms, and none outlives its worker.
fn ten_thousand_lies() {
    let bench = Bench::new(4, Limits::default());
    let mut left = 0;
    for seed in 1..=10_000u64 {
        let text = format!("replay {seed}");
        bench.submit(seed, file(text.as_bytes()), size(text.as_bytes()));
        left += 1;
        while left > 8 {
            believe(&bench.next());
            left -= 1;
        }
    }
    (0..left).for_each(|_| believe(&bench.next()));
    assert_eq!(bench.scan(b"harmless").verdict(), Verdict::Clean);
}

/// A mutation may hit a byte that nothing checks: then the reply is one that an honest worker could have sent, too.
fn believe(done: &dachs_pool::Done) {
    let lost = said(&done.report).contains("not believed") || said(&done.report).contains("panicked");
    assert!(lost || done.report.gap, "{done:?}");
}

fn shared_workers_are_replaced() {
    let bench = Bench::new(1, Limits::default());
    let zygote = children(std::process::id())[0];
    bench.scan(b"harmless");
    let first = children(zygote);
    for _ in 0..1_000 {
        assert_eq!(bench.scan(b"harmless").verdict(), Verdict::Clean);
    }
    assert_eq!(children(zygote).len(), first.len());
    assert_ne!(children(zygote), first);
}

fn stopping_leaves_nobody() {
    let bench = Bench::new(3, Limits::default());
    (0..6).for_each(|_| assert_eq!(bench.scan(b"harmless").verdict(), Verdict::Clean));
    let zygote = children(std::process::id())[0];
    let family: Vec<u32> = children(zygote).into_iter().chain([zygote]).collect();
    assert!(family.len() > 1);
    drop(bench);
    until("all to be gone", || processes().iter().all(|(number, _)| !family.contains(number)));
}
