//! The soft deadline of a scan.

use dachs_base::Clock;
use std::time::{Duration, Instant};

/// A point in time after which a scan should stop by itself. The pool kills those that do not.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    at: Option<Instant>,
}

impl Deadline {
    /// So long from now; never, if that is beyond what the clock can tell.
    #[must_use]
    pub fn after(time: Duration) -> Deadline {
        Deadline { at: Instant::now().checked_add(time) }
    }
}

impl Clock for Deadline {
    fn expired(&self) -> bool {
        self.at.is_some_and(|at| Instant::now() >= at)
    }

    fn left(&self) -> Option<Duration> {
        self.at.map(|at| at.saturating_duration_since(Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_pass() {
        assert!(Deadline::after(Duration::ZERO).expired());
        assert!(!Deadline::after(Duration::from_secs(100)).expired());
        assert!(!Deadline::after(Duration::MAX).expired());
        assert_eq!(Deadline::after(Duration::ZERO).left(), Some(Duration::ZERO));
        assert!(Deadline::after(Duration::from_secs(100)).left().is_some_and(|left| left > Duration::from_secs(50)));
    }
}
