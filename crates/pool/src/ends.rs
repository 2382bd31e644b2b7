//! From the end of a worker to a sentence in a report.

use dachs_base::{Anomaly, AnomalyKind, Limit, Limits};
use dachs_proto::{End, exit};

/// Why a worker gave no report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// It closed its socket: it died.
    Died,
    /// Its hard deadline is over.
    Late,
    /// What it said is no reply: why.
    Nonsense(String),
    /// It panicked at this place.
    Panicked(String),
    /// It was dead before it got the file.
    Undelivered,
}

/// What the report says of a worker that was lost and ended like this.
pub(crate) fn describe(loss: &Loss, end: End, limits: &Limits, size: u64) -> Anomaly {
    match loss {
        Loss::Late => {
            let time = limits.time_for(size).as_secs_f64();
            limit(Limit::Time, format!("the scan did not end in {time} s and was stopped"))
        }
        Loss::Nonsense(why) => died(format!("the worker's reply was not believed ({why}); it was stopped")),
        Loss::Panicked(place) => died(format!("the scanner has a mistake: it panicked at {place}")),
        Loss::Undelivered => died("the worker was gone before it got the file".to_owned()),
        Loss::Died => describe_end(end, limits),
    }
}

fn describe_end(end: End, limits: &Limits) -> Anomaly {
    match end {
        End::Exited(exit::MEMORY) => {
            let memory = limits.memory;
            limit(Limit::Memory, format!("the scan needed more memory than {memory} bytes and was stopped"))
        }
        End::Exited(exit::PANIC) => died("the scanner has a mistake: it panicked".to_owned()),
        End::Exited(exit::JAIL) => died("the worker could not close its jail".to_owned()),
        End::Exited(exit::TALK) => died("the worker did not understand, or could not reply".to_owned()),
        End::Exited(code) => died(format!("the worker ended by itself with code {code}")),
        End::Killed(signal) => died(describe_signal(signal)),
        End::Unknown => died("the worker died, and nobody knows why".to_owned()),
    }
}

/// Signals have the same numbers on all processors that we run on.
fn describe_signal(signal: i32) -> String {
    match signal {
        4 => "the worker crashed: an instruction that this processor does not have (SIGILL)".to_owned(),
        6 => "the worker crashed: it aborted (SIGABRT)".to_owned(),
        7 => "the worker crashed: a mapped file became shorter (SIGBUS)".to_owned(),
        8 => "the worker crashed: a wrong calculation (SIGFPE)".to_owned(),
        9 => "the worker was killed (SIGKILL): by somebody, or by the kernel for want of memory".to_owned(),
        11 => {
            "the worker crashed: its stack overflowed, or it reached for memory it does not have (SIGSEGV)".to_owned()
        }
        31 => "the worker was stopped: it tried a forbidden system call, such as aborting (SIGSYS)".to_owned(),
        signal => format!("the worker was ended by signal {signal}"),
    }
}

fn died(detail: String) -> Anomaly {
    Anomaly::new(AnomalyKind::WorkerDied, detail)
}

fn limit(limit: Limit, detail: String) -> Anomaly {
    Anomaly::new(AnomalyKind::Limit(limit), detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_has_its_sentence() {
        let limits = Limits::default();
        let say = |loss: &Loss, end| describe(loss, end, &limits, 0);
        for (loss, end, kind, part) in [
            (Loss::Late, End::Killed(9), AnomalyKind::Limit(Limit::Time), "120 s"),
            (Loss::Died, End::Exited(exit::MEMORY), AnomalyKind::Limit(Limit::Memory), "more memory"),
            (Loss::Died, End::Killed(31), AnomalyKind::WorkerDied, "forbidden system call"),
            (Loss::Died, End::Killed(11), AnomalyKind::WorkerDied, "stack"),
            (Loss::Died, End::Killed(42), AnomalyKind::WorkerDied, "signal 42"),
            (Loss::Died, End::Unknown, AnomalyKind::WorkerDied, "nobody knows"),
            (Loss::Panicked("a.rs:1".to_owned()), End::Exited(104), AnomalyKind::WorkerDied, "a.rs:1"),
            (Loss::Nonsense("x".to_owned()), End::Killed(9), AnomalyKind::WorkerDied, "(x)"),
        ] {
            let anomaly = say(&loss, end);
            assert!(anomaly.kind == kind && anomaly.detail.contains(part) && kind.is_gap(), "{anomaly:?}");
        }
    }
}
