//! How many requests a second one merchant may make on one path: the documented figures, or a lower one the desk has set.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// Most pairs of merchant and path that are counted; there are never as many.
const COUNTED_MAX: usize = 4_096;

/// The last second in which a merchant asked on a path, and how often.
type Counted = HashMap<(String, &'static str), (u64, u32)>;

/// What was asked for in the present second.
#[derive(Debug)]
pub(super) struct Limits {
    began: Instant,
    seconds: Mutex<Counted>,
}

impl Limits {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), seconds: Mutex::default() }
    }

    /// Counts a request; false if it is one too many in this second.
    pub(super) fn admit(&self, mchid: &str, path: &'static str, per_second: u32) -> bool {
        let second = self.began.elapsed().as_secs();
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        if seconds.len() >= COUNTED_MAX {
            seconds.clear();
        }
        let counted = seconds.entry((mchid.to_owned(), path)).or_insert((second, 0));
        if counted.0 != second {
            *counted = (second, 0);
        }
        counted.1 = counted.1.saturating_add(1);
        counted.1 <= per_second
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_second_holds_so_many_and_the_next_begins_anew() {
        let limits = Limits::new();
        let asked = |mchid: &str| (0..5).filter(|_| limits.admit(mchid, "/v3/x", 3)).count();
        assert_eq!((asked("19"), asked("18")), (3, 3), "each merchant has its own");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(asked("19"), 3);
    }
}
