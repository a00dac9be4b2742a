//! Limits: how much a merchant may use, counted in this process. The generic cell rate algorithm (GCRA): one number a merchant,
//! the time at which its allowance would be used up.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use tokio::time::Instant;

use crate::ids::MerchantId;

/// Counts what merchants use; cheap to clone. Bounded by the number of merchants in `routes.toml`.
#[derive(Clone, Debug)]
pub struct Limits {
    started: Instant,
    /// For each merchant the theoretical arrival time, in nanoseconds since `started`.
    arrivals: Arc<DashMap<MerchantId, AtomicI64>>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { started: Instant::now(), arrivals: Arc::default() }
    }
}

impl Limits {
    /// No allowance used.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one request out of the allowance of `merchant`: `per_second`, of which up to one second's worth may come at once.
    /// Refused with the wait after which one more would be admitted.
    pub fn take(&self, merchant: &MerchantId, per_second: NonZeroU32) -> Result<(), Duration> {
        if let Some(arrival) = self.arrivals.get(merchant) {
            return self.take_from(&arrival, per_second);
        }
        let arrival = self.arrivals.entry(merchant.clone()).or_default();
        self.take_from(&arrival, per_second)
    }

    fn take_from(&self, arrival: &AtomicI64, per_second: NonZeroU32) -> Result<(), Duration> {
        const SECOND_NS: i64 = 1_000_000_000;
        let interval = (SECOND_NS / i64::from(per_second.get())).max(1);
        let now = i64::try_from(self.started.elapsed().as_nanos()).unwrap_or(i64::MAX / 2);
        let mut seen = arrival.load(Ordering::Relaxed);
        loop {
            let next = seen.max(now) + interval;
            let early = next - SECOND_NS.max(interval) - now;
            if early > 0 {
                return Err(Duration::from_nanos(early.unsigned_abs()));
            }
            match arrival.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(current) => seen = current,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn per_second(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).expect("not zero")
    }

    #[tokio::test(start_paused = true)]
    async fn a_seconds_worth_at_once_then_the_rate_and_the_wait_is_true() {
        let (limits, merchant) = (Limits::new(), MerchantId::new("demo"));
        let admitted = (0..500).filter(|_| limits.take(&merchant, per_second(100)).is_ok()).count();
        assert_eq!(admitted, 100);
        let wait = limits.take(&merchant, per_second(100)).expect_err("spent");
        assert_eq!(wait, Duration::from_millis(10));
        tokio::time::advance(wait - Duration::from_nanos(1)).await;
        assert!(limits.take(&merchant, per_second(100)).is_err(), "not a moment sooner");
        tokio::time::advance(Duration::from_nanos(1)).await;
        assert!(limits.take(&merchant, per_second(100)).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn merchants_do_not_share_an_allowance() {
        let limits = Limits::new();
        assert!(limits.take(&MerchantId::new("a"), per_second(1)).is_ok());
        assert!(limits.take(&MerchantId::new("a"), per_second(1)).is_err());
        assert!(limits.take(&MerchantId::new("b"), per_second(1)).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn ten_times_the_limit_for_ten_seconds_admits_the_limit() {
        let (limits, merchant) = (Limits::new(), MerchantId::new("demo"));
        let mut admitted = 0;
        for _ in 0..10_000 {
            admitted += u32::from(limits.take(&merchant, per_second(100)).is_ok());
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert!((1_090..=1_101).contains(&admitted), "{admitted}");
    }
}
