//! Pace: spikes come in, a level flow goes out. Each family of a merchant's operations leaves no faster than WeChat Pay takes it; what would
//! wait too long is told so at once. Beside it [`Flights`]: of one order number, one request at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::family::Family;

/// Longest wait for a turn. A queue is as long as what leaves within it, and no longer.
pub const WAIT_MAX: Duration = Duration::from_secs(3);

/// How far a family may run ahead of its level: neighbours within this time do not wait for each other.
const AHEAD_MAX: Duration = Duration::from_millis(20);

/// Most order numbers in flight at once for one merchant.
const FLIGHTS_MAX: usize = 4_096;

/// Longest wait for the request that is under way for the same number: longer than one takes.
const FLIGHT_WITHIN: Duration = Duration::from_secs(12);

/// What WeChat Pay documents, a second and merchant number (reference: rates). Families without a figure are not held back.
pub fn documented_per_second(family: Family) -> Option<u32> {
    Some(match family {
        Family::Jsapi => 500,
        Family::CodePay => 33,
        Family::Refund => 150,
        Family::RefundQuery => 300,
        // Fund-flow bills have this figure; trade bills have none and are asked for as rarely.
        Family::Bill => 3,
        Family::Certificates => 1_000,
        Family::ProfitSharing => 300,
        _ => return None,
    })
}

/// There is no turn to be had within [`WAIT_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("over the pace: the next turn is {retry_after:?} away")]
pub struct OverPace {
    /// When there would be one.
    pub retry_after: Duration,
}

/// Permission to send one request.
#[must_use = "a turn that is taken counts, whether or not it is used"]
#[derive(Debug)]
pub struct Turn(());

/// The pace of one merchant; clones share it.
#[derive(Clone, Debug)]
pub struct Pace {
    levels: Arc<HashMap<Family, Level>>,
}

#[derive(Debug)]
struct Level {
    every: Duration,
    /// When the next turn is, if all before it were taken evenly.
    next: Mutex<Option<Instant>>,
}

impl Default for Pace {
    /// The documented limits.
    fn default() -> Self {
        Self::new(&HashMap::new())
    }
}

impl Pace {
    /// The documented limits, with what is said otherwise (a second; 0 for none).
    pub fn new(per_second: &HashMap<Family, u32>) -> Self {
        let level = |family: Family| {
            let rate = per_second.get(&family).copied().or_else(|| documented_per_second(family)).filter(|rate| *rate > 0)?;
            Some((family, Level { every: Duration::from_secs(1) / rate, next: Mutex::default() }))
        };
        Self { levels: Arc::new(Family::ALL.into_iter().filter_map(level).collect()) }
    }

    /// Waits for a turn; at once where the family is not held back. A caller that goes away while it waits has used its turn up.
    pub async fn turn(&self, family: Family) -> Result<Turn, OverPace> {
        if let Some(level) = self.levels.get(&family) {
            let wait = level.take(Instant::now())?;
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
        }
        Ok(Turn(()))
    }
}

impl Level {
    /// Takes a turn: how long until it is.
    fn take(&self, now: Instant) -> Result<Duration, OverPace> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let at = next.map_or(now, |next| next.max(now));
        let wait = at.duration_since(now).saturating_sub(AHEAD_MAX);
        if wait > WAIT_MAX {
            return Err(OverPace { retry_after: wait.saturating_sub(WAIT_MAX) });
        }
        *next = Some(at + self.every);
        Ok(wait)
    }
}

/// Order numbers that a request is under way for.
#[derive(Clone, Debug, Default)]
pub struct Flights {
    under_way: Arc<Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>>,
}

/// The only request under way for its number, until it is dropped.
#[derive(Debug)]
pub struct Flight {
    flights: Flights,
    number: String,
    /// Given up before the number is looked at for the last time.
    guard: Option<tokio::sync::OwnedMutexGuard<()>>,
}

impl Flights {
    /// Waits until no other request is under way for `number`; `None` if that takes too long, or if too many numbers are in flight.
    pub async fn only(&self, number: &str) -> Option<Flight> {
        let lock = {
            let mut under_way = self.lock();
            if under_way.len() >= FLIGHTS_MAX && !under_way.contains_key(number) {
                return None;
            }
            Arc::clone(under_way.entry(number.to_owned()).or_default())
        };
        let mut flight = Flight { flights: self.clone(), number: number.to_owned(), guard: None };
        flight.guard = Some(tokio::time::timeout(FLIGHT_WITHIN, lock.lock_owned()).await.ok()?);
        Some(flight)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<tokio::sync::Mutex<()>>>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut under_way = self.flights.lock();
        self.guard = None;
        // Nobody else holds or waits for it: only the map has it left.
        if under_way.get(&self.number).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            under_way.remove(&self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_spike_leaves_level_and_what_would_wait_too_long_is_told_so() {
        let pace = Pace::new(&HashMap::from([(Family::Native, 100)]));
        let began = Instant::now();
        let turns = join_all((0..400).map(|_| async { pace.turn(Family::Native).await.map(|_| began.elapsed()) })).await;
        let (mut through, refused): (Vec<_>, Vec<_>) = turns.into_iter().partition(Result::is_ok);
        through.sort_by_key(|turn| *turn.as_ref().expect("through"));
        assert_eq!((through.len(), refused.len()), (303, 97), "three seconds' worth, and what may run ahead");
        for (n, turn) in through.iter().enumerate() {
            let at = *turn.as_ref().expect("through");
            let level = Duration::from_millis(10) * u32::try_from(n).expect("few");
            assert!(at + AHEAD_MAX + Duration::from_millis(1) >= level, "turn {n} at {at:?} runs ahead of {level:?}");
        }
        assert!(matches!(refused[0], Err(OverPace { retry_after }) if retry_after <= Duration::from_millis(10)));
    }

    #[tokio::test(start_paused = true)]
    async fn families_do_not_wait_for_each_other_and_some_never() {
        let pace = Pace::new(&HashMap::from([(Family::Bill, 1), (Family::Jsapi, 0)]));
        let began = Instant::now();
        drop(pace.turn(Family::Bill).await.expect("a turn"));
        for family in [Family::Query, Family::Native, Family::Jsapi] {
            for _ in 0..1_000 {
                drop(pace.turn(family).await.expect("a turn"));
            }
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
        drop(pace.turn(Family::Bill).await.expect("a turn"));
        assert!(began.elapsed() >= Duration::from_millis(980));
    }

    #[tokio::test(start_paused = true)]
    async fn of_one_number_one_request_flies_at_a_time_and_none_is_kept_afterwards() {
        let flights = Flights::default();
        let (flying, most) = (AtomicU32::new(0), AtomicU32::new(0));
        join_all((0..20).map(|_| async {
            let _flight = flights.only("SO-1").await.expect("a flight");
            most.fetch_max(flying.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(100)).await;
            flying.fetch_sub(1, Ordering::SeqCst);
        }))
        .await;
        assert_eq!(most.load(Ordering::SeqCst), 1);
        let _held = flights.only("SO-2").await;
        assert!(flights.only("SO-2").await.is_none(), "a wait has an end");
        assert!(flights.only("SO-3").await.is_some());
        assert_eq!(flights.lock().len(), 1);
    }
}
