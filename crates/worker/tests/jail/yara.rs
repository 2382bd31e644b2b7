//! YARA rules inside the jail: everything the engine does needs no system call but those of the list, and a deadline holds.

use crate::Test;
use crate::bench::Bench;
use dachs_base::{About, AnomalyKind, Cause, Limit, Limits, Report, Verdict};
use std::time::Duration;

pub(crate) const TESTS: &[Test] = &[
    ("rules_run_in_the_jail", rules_run_in_the_jail, false),
    ("objects_without_memory_are_told", objects_without_memory_are_told, false),
];

/// The numbers of what was detected.
fn found(report: &Report) -> Vec<u32> {
    let number = |cause| match cause {
        Cause::Signature(number) => number,
        other => panic!("{other:?}"),
    };
    report.detections.iter().map(|detection| number(detection.cause)).collect()
}

fn rules_run_in_the_jail() {
    let bench = Bench::new(1, Limits::default());
    let elf = std::fs::read("/bin/ls").unwrap();
    let gated = [b"MZ".as_slice(), &[0; 100], b"yara-gated"].concat();
    let table: [(&[u8], &[u32]); 9] = [
        (b"plain text", &[]),
        (b"it has yara-one", &[0]),
        (b"y\0a\0r\0a\0-\0o\0n\0e\0", &[0]),
        (b"eWFyYS10d28 in base64: xeWFyYS10d28=", &[0]),
        (b"YA....RA and yara_fourfourx", &[0]),
        (b"yara in hashes", &[1]),
        (&elf, &[2]),
        (&gated, &[4]),
        (b"yara-gated without its gate", &[1]),
    ];
    // Twice: a worker that has scanned before has other memory.
    for (bytes, expected) in table.iter().chain(&table) {
        let report = bench.scan(bytes);
        assert!(!report.gap, "{:?}", report.anomalies);
        assert_eq!(found(&report), *expected, "{}", String::from_utf8_lossy(&bytes[..bytes.len().min(30)]));
    }
    let named = bench.scan_about(b"plain text", About::new(b"/yara/x.bin", b"me"));
    assert_eq!(found(&named), [3]);
}

fn objects_without_memory_are_told() {
    let limits = Limits { memory: 1 << 20, time: Duration::from_secs(20), ..Limits::default() };
    let bench = Bench::new(1, limits);
    let report = bench.scan(&vec![b'x'; 2 << 20]);
    assert_eq!(report.verdict(), Verdict::Incomplete);
    assert_eq!(report.anomalies[0].kind, AnomalyKind::Limit(Limit::Memory));
    assert!(report.anomalies[0].detail.contains("YARA"), "{:?}", report.anomalies);
    assert_eq!(bench.scan(&vec![b'x'; 1 << 19]).verdict(), Verdict::Clean);
}
