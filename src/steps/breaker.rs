//! Breaker: a lane that failed several times in a row is left alone for a while, then tried with one call. The caller's own faults never count.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::chat::call::ChatCall;
use crate::metrics::Metrics;
use crate::pipeline::{Next, Reply, Step};
use crate::refusal::{Fault, Kind, Refusal};

/// Failures in a row that open the breaker.
const FAILURES: u32 = 5;

/// First pause; doubled with each failed try, up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_secs(5);

/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(120);

/// The step: one per lane.
pub struct Breaker {
    state: Mutex<State>,
    metrics: Metrics,
    model: String,
    provider: String,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Calls pass; so many failures in a row.
    Closed { failures: u32 },
    /// No call passes before `until`; this is the pause number `round`.
    Open { until: Instant, round: u32 },
    /// One call is under way to see whether the lane is well again; another may try if it has not been heard of by `until`.
    Trying { until: Instant, round: u32 },
}

impl Breaker {
    /// A closed breaker for the lane of `model` to `provider`.
    pub fn new(model: &str, provider: &str, metrics: Metrics) -> Self {
        metrics.breaker_open.with_label_values(&[model, provider]).set(0);
        Self { state: Mutex::new(State::Closed { failures: 0 }), metrics, model: model.to_owned(), provider: provider.to_owned() }
    }

    fn enter(&self) -> Result<(), Refusal> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match *state {
            State::Closed { .. } => Ok(()),
            State::Open { until, round } | State::Trying { until, round } if now >= until => {
                *state = State::Trying { until: now + pause(round), round };
                Ok(())
            }
            State::Open { .. } | State::Trying { .. } => {
                Err(Refusal::new(Kind::NoLane, "model_unavailable", "No provider of this model is answering at the moment.").detail("breaker open"))
            }
        }
    }

    fn leave(&self, outcome: &Reply) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = match (outcome, *state) {
            (Err(refusal), State::Closed { failures }) if refusal.fault() == Fault::Provider => match wish(refusal) {
                Some(wait) => State::Open { until: Instant::now() + wait, round: 0 },
                None if failures + 1 >= FAILURES => State::Open { until: Instant::now() + pause(0), round: 0 },
                None => State::Closed { failures: failures + 1 },
            },
            (Err(refusal), State::Open { round, .. } | State::Trying { round, .. }) if refusal.fault() == Fault::Provider => {
                let round = round.saturating_add(1);
                State::Open { until: Instant::now() + wish(refusal).unwrap_or(pause(round)), round }
            }
            _ => State::Closed { failures: 0 },
        };
        let open = i64::from(!matches!(*state, State::Closed { .. }));
        self.metrics.breaker_open.with_label_values(&[&self.model, &self.provider]).set(open);
    }
}

/// The wait a busy provider asked for.
fn wish(refusal: &Refusal) -> Option<Duration> {
    match refusal.kind {
        Kind::ProviderBusy { retry_after } => retry_after.filter(|wait| !wait.is_zero()),
        _ => None,
    }
}

fn pause(round: u32) -> Duration {
    PAUSE.saturating_mul(1u32.checked_shl(round).unwrap_or(u32::MAX)).min(PAUSE_MAX)
}

impl Step for Breaker {
    async fn call(&self, call: ChatCall, next: &Next) -> Reply {
        self.enter()?;
        let reply = next.ask(call).await;
        self.leave(&reply);
        reply
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::reply::{ChatReply, WholeReply};

    fn down() -> Reply {
        Err(Refusal::new(Kind::ProviderUnreachable, "x", "y"))
    }

    fn well() -> Reply {
        Ok(ChatReply::Whole(WholeReply::composed(String::new(), Vec::new(), None)))
    }

    fn breaker() -> Breaker {
        Breaker::new("m", "p", Metrics::new().expect("metrics"))
    }

    #[tokio::test(start_paused = true)]
    async fn opens_after_failures_in_a_row_and_tries_once_after_the_pause() {
        let breaker = breaker();
        for _ in 0..FAILURES {
            assert!(breaker.enter().is_ok());
            breaker.leave(&down());
        }
        assert!(breaker.enter().is_err(), "open");
        tokio::time::advance(PAUSE).await;
        assert!(breaker.enter().is_ok(), "one may try");
        assert!(breaker.enter().is_err(), "and only one");
        breaker.leave(&down());
        tokio::time::advance(PAUSE).await;
        assert!(breaker.enter().is_err(), "the second pause is longer");
        tokio::time::advance(PAUSE).await;
        assert!(breaker.enter().is_ok());
        breaker.leave(&well());
        assert!(breaker.enter().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_callers_fault_and_a_success_between_never_open_it() {
        let breaker = breaker();
        for n in 0..100 {
            let outcome = match n % 4 {
                0 => well(),
                1 => Err(Refusal::new(Kind::ProviderRejected { status: 400 }, "x", "y")),
                _ => down(),
            };
            assert!(breaker.enter().is_ok(), "call {n}");
            breaker.leave(&outcome);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_provider_gets_the_wait_it_asked_for() {
        let breaker = breaker();
        breaker.leave(&Err(Refusal::new(Kind::ProviderBusy { retry_after: Some(Duration::from_secs(9)) }, "x", "y")));
        tokio::time::advance(Duration::from_millis(8_999)).await;
        assert!(breaker.enter().is_err());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(breaker.enter().is_ok());
    }
}
