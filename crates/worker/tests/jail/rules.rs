//! Each rule of the lists of system calls is needed: without it, some ordinary job fails.

use crate::Test;
use crate::bench::{Bench, file, said};
use dachs_base::Limits;
use dachs_sys::jail::list::{Rule, WORKER, ZYGOTE, parse};

pub(crate) const TESTS: &[Test] = &[
    ("each_rule_of_a_worker_is_needed", each_rule_of_a_worker_is_needed, false),
    ("each_rule_of_the_zygote_is_needed", each_rule_of_the_zygote_is_needed, false),
];

/// Ordinary jobs, and jobs that end badly in an orderly way; what is said about each. Absent if no pool can be had.
fn jobs(name: &str) -> Option<Vec<String>> {
    let limits = Limits { memory: 64 << 20, ..Limits::default() };
    let bench = Bench::named(name, 1, limits).ok()?;
    let texts =
        ["harmless", "alone harmless", "grow", "alone grow", "alone memory 400000000", "holes", "exit 7", "harmless"];
    let mut told: Vec<String> = texts.iter().map(|text| told(&bench.scan(text.as_bytes()))).collect();
    let sparse = std::fs::File::from(dachs_sys::fd::memory("sparse").unwrap());
    sparse.set_len(3 << 20).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"holes ", 0).unwrap();
    bench.submit(0, sparse.into(), 3 << 20);
    told.push(self::told(&bench.next().report));
    // More files than a worker may have descriptors.
    for _ in 0..10 {
        bench.submit(0, file(b"harmless"), 8);
        told.push(self::told(&bench.next().report));
    }
    Some(told)
}

fn told(report: &dachs_base::Report) -> String {
    format!("{:?} {}", report.verdict(), said(report))
}

fn check(start: &str, rules: &[Rule]) {
    let wanted = jobs("whole");
    for (at, rule) in rules.iter().enumerate() {
        let same = jobs(&format!("{start}{at}")) == wanted;
        match (same, rule.is_proven()) {
            (true, true) => panic!("{}: nothing needs this rule ({})", rule.name, rule.reason),
            (false, false) => panic!("{}: the rule is needed here, so it is not unproven", rule.name),
            (true, false) => println!("    {}: {}", rule.name, rule.reason),
            (false, true) => {}
        }
    }
}

fn each_rule_of_a_worker_is_needed() {
    check("minus-", &parse(WORKER).unwrap());
}

fn each_rule_of_the_zygote_is_needed() {
    check("zygote-minus-", &parse(ZYGOTE).unwrap());
}
