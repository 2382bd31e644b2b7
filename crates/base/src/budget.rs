//! What a scan may still spend.
//!
//! A [`Budget`] is made once for a file and shared by everything that works on it. Nothing that input drives exists
//! before it is charged: bytes by [`Budget::charge_bytes`], objects by [`Budget::charge_object`], memory by
//! [`Budget::reserve`], whose [`Charge`] gives the memory back when it is dropped. A refusal is a [`LimitReached`],
//! which turns into an [`Anomaly`] and never into an error.
//!
//! ```
//! use dachs_base::{Budget, Limits, NoClock};
//! let budget = Budget::new(Limits { memory: 100, ..Limits::default() }, NoClock);
//! let first = budget.reserve(60).unwrap();
//! assert!(budget.reserve(60).is_err());
//! drop(first);
//! assert!(budget.reserve(60).is_ok());
//! ```

use crate::{Anomaly, AnomalyKind, Limit, Limits, Spent};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Tells whether the time for a file is over. Pure code reads no clock; the worker hands one in.
pub trait Clock: Send + Sync {
    /// True once the deadline has passed. Called often: must be cheap.
    fn expired(&self) -> bool;

    /// The time that is left; absent if there is no end, or nobody knows.
    fn left(&self) -> Option<Duration> {
        None
    }
}

/// A clock that never expires.
#[derive(Clone, Copy, Debug)]
pub struct NoClock;

impl Clock for NoClock {
    fn expired(&self) -> bool {
        false
    }
}

/// A limit was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitReached {
    /// Which one.
    pub limit: Limit,
    /// Its value: bytes, levels, objects, or milliseconds.
    pub allowed: u64,
}

impl fmt::Display for LimitReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LimitReached { limit, allowed } = *self;
        match limit {
            Limit::Depth => write!(f, "it lies deeper than {allowed} levels ({limit})"),
            Limit::Objects => write!(f, "there are more than {allowed} objects ({limit})"),
            Limit::Time => write!(f, "the time of {} was over ({limit})", Seconds(allowed)),
            Limit::Memory => write!(f, "it needs more memory than {} allow ({limit})", Bytes(allowed)),
            Limit::ObjectSize => write!(f, "it unpacks to more than {} ({limit})", Bytes(allowed)),
            Limit::Rounds => write!(f, "passwords cost more than {allowed} rounds of digests"),
            Limit::Steps => write!(f, "a regular expression needs more than {allowed} steps of backtracking"),
            Limit::ScanSize => write!(f, "all objects together unpack to more than {} ({limit})", Bytes(allowed)),
        }
    }
}

/// Milliseconds, shown as seconds.
struct Seconds(u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 1000, self.0 % 1000) {
            (whole, 0) => write!(f, "{whole} s"),
            (whole, rest) => write!(f, "{whole}.{rest:03} s"),
        }
    }
}

/// Bytes, shown in the largest unit that divides them.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        match UNITS.iter().find(|(size, _)| self.0 >= *size && self.0.is_multiple_of(*size)) {
            Some((size, unit)) => write!(f, "{} {unit}", self.0 / size),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

impl From<LimitReached> for Anomaly {
    fn from(reached: LimitReached) -> Anomaly {
        Anomaly::new(AnomalyKind::Limit(reached.limit), reached.to_string())
    }
}

struct Counters {
    limits: Limits,
    clock: Box<dyn Clock>,
    bytes: AtomicU64,
    objects: AtomicU64,
    rounds: AtomicU64,
    memory: AtomicU64,
}

/// What the scan of one file may still spend. Clones share one account.
#[derive(Clone)]
pub struct Budget {
    counters: Arc<Counters>,
}

impl Budget {
    /// A fresh budget.
    #[must_use]
    pub fn new(limits: Limits, clock: impl Clock + 'static) -> Budget {
        Budget {
            counters: Arc::new(Counters {
                limits,
                clock: Box::new(clock),
                bytes: AtomicU64::new(0),
                objects: AtomicU64::new(0),
                rounds: AtomicU64::new(0),
                memory: AtomicU64::new(0),
            }),
        }
    }

    /// The limits this budget was made from.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.counters.limits
    }

    /// Charges `count` bytes that unpacking is about to produce, and looks at the clock.
    ///
    /// # Errors
    /// When the unpacked size or the time is used up.
    pub fn charge_bytes(&self, count: u64) -> Result<(), LimitReached> {
        self.check_time()?;
        charge(&self.counters.bytes, count, self.limits().scan_size, Limit::ScanSize)
    }

    /// Charges one unpacked object.
    ///
    /// # Errors
    /// When the number of objects or the time is used up.
    pub fn charge_object(&self) -> Result<(), LimitReached> {
        self.check_time()?;
        charge(&self.counters.objects, 1, self.limits().objects, Limit::Objects)
    }

    /// Charges rounds of a digest that a password is about to cost, before they are made.
    ///
    /// # Errors
    /// When all passwords of the file together cost too much, or the time is used up.
    pub fn charge_rounds(&self, count: u64) -> Result<(), LimitReached> {
        self.check_time()?;
        charge(&self.counters.rounds, count, self.limits().rounds, Limit::Rounds)
    }

    /// Sets `count` bytes of memory aside until the [`Charge`] is dropped.
    ///
    /// # Errors
    /// When content already holds too much memory.
    pub fn reserve(&self, count: u64) -> Result<Charge, LimitReached> {
        charge(&self.counters.memory, count, self.limits().memory, Limit::Memory)?;
        Ok(Charge { counters: Arc::clone(&self.counters), count })
    }

    /// Memory that could still be reserved, in bytes.
    #[must_use]
    pub fn memory_left(&self) -> u64 {
        self.limits().memory.saturating_sub(self.counters.memory.load(Ordering::Relaxed))
    }

    /// The time that is left; absent if there is no end, or nobody knows.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        self.counters.clock.left()
    }

    /// Looks at the clock.
    ///
    /// # Errors
    /// When the time is over.
    pub fn check_time(&self) -> Result<(), LimitReached> {
        if self.counters.clock.expired() {
            let allowed = u64::try_from(self.limits().time.as_millis()).unwrap_or(u64::MAX);
            return Err(LimitReached { limit: Limit::Time, allowed });
        }
        Ok(())
    }

    /// What was charged so far, besides memory.
    #[must_use]
    pub fn spent(&self) -> Spent {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { bytes, objects, rounds, .. } = &*self.counters;
        Spent { bytes: of(bytes), objects: of(objects), rounds: of(rounds) }
    }

    /// Bytes charged so far.
    #[must_use]
    pub fn bytes_used(&self) -> u64 {
        self.counters.bytes.load(Ordering::Relaxed)
    }
}

/// Adds to a counter unless that would exceed `allowed`; a refused charge leaves the counter as it was.
fn charge(counter: &AtomicU64, count: u64, allowed: u64, limit: Limit) -> Result<(), LimitReached> {
    let within = |used: u64| used.checked_add(count).filter(|sum| *sum <= allowed);
    match counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within) {
        Ok(_) => Ok(()),
        Err(_) => Err(LimitReached { limit, allowed }),
    }
}

/// Memory set aside by [`Budget::reserve`]; given back on drop.
#[must_use = "the memory is given back at once when the charge is dropped"]
pub struct Charge {
    counters: Arc<Counters>,
    count: u64,
}

impl Charge {
    /// How many bytes are set aside.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.counters.memory.fetch_sub(self.count, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tight() -> Budget {
        Budget::new(Limits { scan_size: 10, objects: 2, memory: 8, ..Limits::default() }, NoClock)
    }

    #[test]
    fn a_refused_charge_changes_nothing() {
        let budget = tight();
        assert!(budget.charge_bytes(9).is_ok());
        assert_eq!(budget.charge_bytes(2), Err(LimitReached { limit: Limit::ScanSize, allowed: 10 }));
        assert!(budget.charge_bytes(1).is_ok());
        assert_eq!(budget.bytes_used(), 10);
    }

    #[test]
    fn rounds_are_counted() {
        let budget = Budget::new(Limits { rounds: 10, ..Limits::default() }, NoClock);
        assert!(budget.charge_rounds(10).is_ok());
        assert_eq!(budget.charge_rounds(1), Err(LimitReached { limit: Limit::Rounds, allowed: 10 }));
    }

    #[test]
    fn charges_do_not_overflow() {
        let budget = tight();
        assert!(budget.charge_bytes(1).is_ok());
        assert!(budget.charge_bytes(u64::MAX).is_err());
    }

    #[test]
    fn objects_and_memory_are_counted() {
        let budget = tight();
        assert!(budget.charge_object().is_ok());
        assert!(budget.charge_object().is_ok());
        assert!(budget.charge_object().is_err());
        let held = budget.reserve(8);
        assert_eq!(budget.memory_left(), 0);
        assert!(budget.reserve(1).is_err());
        drop(held);
        assert_eq!(budget.memory_left(), 8);
    }

    #[test]
    fn limits_are_told_in_units_that_people_use() {
        let told = |limit, allowed| LimitReached { limit, allowed }.to_string();
        assert_eq!(told(Limit::Time, 120_000), "the time of 120 s was over (--max-scan-time)");
        assert_eq!(told(Limit::Time, 1_500), "the time of 1.500 s was over (--max-scan-time)");
        assert_eq!(told(Limit::Memory, 96 << 20), "it needs more memory than 96 MiB allow (--max-memory)");
        assert_eq!(told(Limit::ObjectSize, 1000), "it unpacks to more than 1000 bytes (--max-object-size)");
    }

    #[test]
    fn an_expired_clock_refuses_everything() {
        struct Over;
        impl Clock for Over {
            fn expired(&self) -> bool {
                true
            }
        }
        let budget = Budget::new(Limits::default(), Over);
        assert_eq!(budget.charge_bytes(1).map_err(|reached| reached.limit), Err(Limit::Time));
        assert!(budget.charge_object().is_err());
    }
}
