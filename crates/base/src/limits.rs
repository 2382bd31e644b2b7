//! How much a scan of one file may spend.
//!
//! Each field names the attack it stops. All limits are generous: a person who scans an ordinary machine meets none of
//! them. Reaching one is never an error and never silent: the report gets an [`crate::Anomaly`] and the verdict becomes
//! incomplete.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// What the scan of one file may spend. Sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Levels of objects inside objects. Stops archives that hold themselves. Default 32.
    pub depth: u32,
    /// Objects unpacked from one file. Stops archives of millions of tiny members. Default 1,000,000.
    pub objects: u64,
    /// Size of one unpacked object; files themselves have no size limit. Stops single-stream bombs. Default 64 GiB.
    pub object_size: u64,
    /// Bytes that unpacking may produce from one file, all objects together. Stops nested bombs. Default 256 GiB.
    pub scan_size: u64,
    /// Rounds of digests that passwords may cost in one file: what is encrypted says itself how often its key is digested, and in
    /// how many ways. Stops archives that ask for billions of rounds, or for millions of keys. Default 128 Mi, some 15 s.
    pub rounds: u64,
    /// Memory that content may make a worker use. Stops dictionaries and tables of absurd size. Default 96 MiB.
    pub memory: u64,
    /// Time for one file of up to 1 GiB; see [`Limits::time_for`]. Stops slow parsers. Default 120 s.
    pub time: Duration,
    /// Anomalies kept in one report; further ones are counted. Stops reports of endless length. Default 100.
    pub anomalies: u32,
    /// Detections kept in one report; further ones are counted. Stops reports of endless length. Default 10,000: a report of so
    /// many for the file itself still fits in one message.
    pub detections: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            depth: 32,
            objects: 1_000_000,
            object_size: 64 << 30,
            scan_size: 256 << 30,
            rounds: 128 << 20,
            memory: 96 << 20,
            time: Duration::from_secs(120),
            anomalies: 100,
            detections: 10_000,
        }
    }
}

impl Limits {
    /// The time allowed for a file of `size` bytes: [`Limits::time`], and the same again in proportion for each 8 GiB.
    ///
    /// A large file is not an attack; it takes as long to read as it is long.
    #[must_use]
    pub fn time_for(&self, size: u64) -> Duration {
        let eighths = u32::try_from(size >> 30).unwrap_or(u32::MAX);
        self.time.saturating_add((self.time / 8).saturating_mul(eighths))
    }
}

/// Names one of the [`Limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Limit {
    /// [`Limits::depth`]
    Depth,
    /// [`Limits::memory`]
    Memory,
    /// [`Limits::objects`]
    Objects,
    /// [`Limits::object_size`]
    ObjectSize,
    /// [`Limits::rounds`]. Set by no option.
    Rounds,
    /// [`Limits::scan_size`]
    ScanSize,
    /// Steps of one backtracking regular expression over one object. Set by the engine, by no option.
    Steps,
    /// [`Limits::time`]
    Time,
}

impl fmt::Display for Limit {
    /// The option that sets it, if there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Limit::Depth => "--max-depth",
            Limit::Memory => "--max-memory",
            Limit::Objects => "--max-objects",
            Limit::ObjectSize => "--max-object-size",
            Limit::ScanSize => "--max-scan-size",
            Limit::Rounds | Limit::Steps => "set by no option",
            Limit::Time => "--max-scan-time",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_files_get_more_time() {
        let limits = Limits::default();
        assert_eq!(limits.time_for(1000), Duration::from_secs(120));
        assert_eq!(limits.time_for(8 << 30), Duration::from_secs(240));
        assert!(limits.time_for(u64::MAX) > Duration::from_secs(1_000_000));
    }
}
