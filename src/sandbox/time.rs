//! The sandbox's own time: the clock's, and as much further as the desk has driven it. Lives, refunds and callbacks go by it; signatures do not,
//! because merchants check those against their own clocks.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::SandboxError;
use super::book::{Book, Held, Unwritten};
use crate::clock::{Clock, UnixMs};

/// Farthest the time may be driven at once: two years, in milliseconds.
pub(super) const ADVANCE_MS_MAX: i64 = 2 * 366 * 86_400_000;

/// The sandbox's time.
#[derive(Debug)]
pub(super) struct Time {
    clock: Clock,
    ahead_ms: watch::Sender<i64>,
    book: Book<Ahead>,
}

#[derive(Debug, Default)]
struct Ahead {
    ms: i64,
}

impl Held for Ahead {
    fn take(&mut self, entry: &Value) {
        self.ms = self.ms.saturating_add(entry["advance_ms"].as_i64().unwrap_or_default());
    }
}

impl Time {
    pub(super) fn at(path: &Path, clock: Clock) -> Result<Self, SandboxError> {
        let book = Book::<Ahead>::at(path)?;
        let ahead = book.open().ms;
        Ok(Self { clock, ahead_ms: watch::Sender::new(ahead), book })
    }

    /// The time here.
    pub(super) fn now(&self) -> UnixMs {
        self.clock.now().plus_ms(self.ahead_ms())
    }

    /// How far the desk has driven it, in milliseconds.
    pub(super) fn ahead_ms(&self) -> i64 {
        *self.ahead_ms.borrow()
    }

    /// Drives the time on.
    pub(super) fn advance(&self, ms: i64) -> Result<(), Unwritten> {
        let mut book = self.book.open();
        book.note(&json!({"advance_ms": ms}))?;
        self.ahead_ms.send_replace(book.ms);
        Ok(())
    }

    /// Waits `ms` of the time here: as long as that takes, or until the desk has driven it far enough.
    pub(super) async fn wait(&self, ms: i64) {
        let (began, from) = (Instant::now(), self.ahead_ms());
        let mut driven = self.ahead_ms.subscribe();
        loop {
            let passed = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX).saturating_add(*driven.borrow_and_update() - from);
            let Ok(left) = u64::try_from(ms - passed) else { return };
            if left == 0 {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(left)) => {}
                _ = driven.changed() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_by_itself_or_when_it_is_driven_past() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("time.jsonl");
        let time = Arc::new(Time::at(&path, Clock::standing_at(UnixMs(1_000))).expect("opens"));
        let began = Instant::now();
        time.wait(5_000).await;
        assert_eq!(began.elapsed(), Duration::from_secs(5));
        let waiting = time.wait(3_600_000);
        tokio::pin!(waiting);
        assert!(tokio::time::timeout(Duration::from_secs(1), &mut waiting).await.is_err(), "not yet");
        time.advance(3_599_000).expect("written");
        assert!(tokio::time::timeout(Duration::from_millis(1), waiting).await.is_ok(), "driven past");
        assert_eq!(time.now(), UnixMs(3_600_000));
        assert_eq!(Time::at(&path, Clock::standing_at(UnixMs(0))).expect("opens").now(), UnixMs(3_599_000), "a restart does not turn it back");
    }
}
