//! The one place that reads the time of day. Everything else is handed a [`Clock`], so that tests decide what time it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMs(pub i64);

impl UnixMs {
    /// Whole seconds since 1970, as WeChat Pay signs them.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// This moment and `ms` milliseconds more.
    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// Tells the time of day: the system's, or a test's. Waiting is tokio's business, whose time tests can pause.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    set: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands still at `at` until [`Clock::advance_ms`] moves it.
    pub fn standing_at(at: UnixMs) -> Self {
        Self { set: Some(Arc::new(AtomicI64::new(at.0))) }
    }

    /// Moves a standing clock; the system's clock takes no orders and stays as it is.
    pub fn advance_ms(&self, ms: i64) {
        if let Some(set) = &self.set {
            set.fetch_add(ms, Ordering::SeqCst);
        }
    }

    /// The time of day, now.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the time of day")]
    pub fn now(&self) -> UnixMs {
        if let Some(set) = &self.set {
            return UnixMs(set.load(Ordering::SeqCst));
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixMs(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standing_clock_moves_only_when_told() {
        let clock = Clock::standing_at(UnixMs(1_767_225_600_000));
        assert_eq!(clock.now().seconds(), 1_767_225_600);
        clock.advance_ms(1_500);
        assert_eq!(clock.now(), UnixMs(1_767_225_601_500));
    }
}
