//! Counters, and how Prometheus reads them (its text format, version 0.0.4).

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use dachs_base::Verdict;

/// Upper bounds of the times of scans, in microseconds.
const BOUNDS: [u64; 12] =
    [100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000, 30_000_000];

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// All counters.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    verdicts: [Counter; 5],
    times: [Counter; BOUNDS.len() + 1],
    time: Counter,
    /// Bytes of the files that were scanned.
    bytes: Counter,
    /// Connections of clamd's clients.
    pub(crate) connections: Counter,
    /// Requests over HTTP.
    pub(crate) requests: Counter,
    /// Commands of clamd's clients.
    pub(crate) commands: Counter,
    /// Clients that were cut off because they were too slow.
    pub(crate) slow: Counter,
    /// Clients that went away before their answer.
    pub(crate) gone: Counter,
    /// Files and requests that were refused because too much waited.
    pub(crate) refused: Counter,
    /// Reports of workers that died.
    pub(crate) deaths: Counter,
    /// Reloads that put new content to work.
    pub(crate) reloads: Counter,
    /// Reloads that failed.
    pub(crate) failed_reloads: Counter,
}

impl Metrics {
    /// Counts a scan.
    pub(crate) fn scanned(&self, verdict: Verdict, elapsed: Duration, size: u64) {
        if let Some(counter) = self.verdicts.get(verdict as usize) {
            counter.add(1);
        }
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let at = BOUNDS.iter().position(|bound| micros <= *bound).unwrap_or(BOUNDS.len());
        if let Some(counter) = self.times.get(at) {
            counter.add(1);
        }
        self.time.add(micros);
        self.bytes.add(size);
    }

    /// Everything in Prometheus' format.
    pub(crate) fn text(&self, gauges: &[(&str, &str, u64)]) -> String {
        let mut text = String::new();
        head(&mut text, "dachs_scans_total", "counter", "Files that were scanned, by verdict.");
        let verdicts = [Verdict::Clean, Verdict::Suspicious, Verdict::Incomplete, Verdict::Detected, Verdict::Error];
        for (verdict, counter) in verdicts.iter().zip(&self.verdicts) {
            // Writing to a string cannot fail, here and below.
            let _ = writeln!(text, "dachs_scans_total{{verdict=\"{}\"}} {}", verdict.label(), counter.value());
        }
        self.histogram(&mut text);
        for (name, help, counter) in [
            ("dachs_scanned_bytes_total", "Bytes of files that were scanned.", &self.bytes),
            ("dachs_clamd_connections_total", "Connections of clients of clamd.", &self.connections),
            ("dachs_clamd_commands_total", "Commands of clients of clamd.", &self.commands),
            ("dachs_http_requests_total", "Requests over HTTP.", &self.requests),
            ("dachs_slow_clients_total", "Clients that were cut off because they were too slow.", &self.slow),
            ("dachs_gone_clients_total", "Clients that went away before their answer.", &self.gone),
            ("dachs_refused_total", "Files and requests refused because too much waited.", &self.refused),
            ("dachs_worker_deaths_total", "Scans that ended because their worker died.", &self.deaths),
            ("dachs_reloads_total", "Reloads that put new content to work.", &self.reloads),
            ("dachs_failed_reloads_total", "Reloads that failed; the old content stayed.", &self.failed_reloads),
        ] {
            head(&mut text, name, "counter", help);
            let _ = writeln!(text, "{name} {}", counter.value());
        }
        for (name, help, value) in gauges {
            head(&mut text, name, "gauge", help);
            let _ = writeln!(text, "{name} {value}");
        }
        text
    }

    fn histogram(&self, text: &mut String) {
        head(text, "dachs_scan_seconds", "histogram", "Time of a scan, waiting not counted.");
        let mut sum = 0;
        for (at, counter) in self.times.iter().enumerate() {
            sum += counter.value();
            let bound = BOUNDS.get(at).map_or("+Inf".to_owned(), |bound| seconds(*bound));
            let _ = writeln!(text, "dachs_scan_seconds_bucket{{le=\"{bound}\"}} {sum}");
        }
        let _ = writeln!(text, "dachs_scan_seconds_sum {}\ndachs_scan_seconds_count {sum}", seconds(self.time.value()));
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// Microseconds as seconds.
fn seconds(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_told() {
        let metrics = Metrics::default();
        metrics.scanned(Verdict::Detected, Duration::from_micros(150), 7);
        metrics.scanned(Verdict::Clean, Duration::from_secs(60), 3);
        let text = metrics.text(&[("dachs_waiting", "Waiting.", 5)]);
        for line in [
            "dachs_scans_total{verdict=\"detected\"} 1",
            "dachs_scan_seconds_bucket{le=\"0.000100\"} 0",
            "dachs_scan_seconds_bucket{le=\"0.000300\"} 1",
            "dachs_scan_seconds_bucket{le=\"+Inf\"} 2",
            "dachs_scan_seconds_sum 60.000150",
            "dachs_scan_seconds_count 2",
            "dachs_scanned_bytes_total 10",
            "dachs_waiting 5",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
