//! Failover: chooses a lane by weight and goes on to the others while nothing has reached the client. It asks models only: payments are
//! made above it and never fail over. Each turn of a question chooses anew: after a payment was made another lane may take the next turn, which only
//! tells of it; the order's own facts travel along as the result of the call.

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::StreamExt;
use tokio::time::Instant;

use crate::chat::call::ChatCall;
use crate::chat::reply::{ChatEvent, ChatReply, StreamReply};
use crate::metrics::Metrics;
use crate::pipeline::{Next, Reply};
use crate::refusal::{Kind, Refusal};

/// Most lanes asked for one question.
const ATTEMPTS_MAX: usize = 4;

/// Most events held before the first chunk; a provider that sends more before it answers has the client to itself.
const HELD_EVENTS_MAX: usize = 64;

/// One way to a model.
#[derive(Clone)]
pub struct Lane {
    /// The provider's name, for metrics.
    pub provider: String,
    /// Its share of first attempts; ignored for fallbacks.
    pub weight: u32,
    /// Account, breaker and provider.
    pub stack: Next,
}

/// All lanes of a model.
pub struct Failover {
    /// The model's name, for metrics.
    pub model: String,
    /// Lanes that share first attempts by weight.
    pub lanes: Vec<Lane>,
    /// Lanes tried in order after those.
    pub fallback: Vec<Lane>,
    /// Where changes of lane are counted.
    pub metrics: Metrics,
}

impl Failover {
    /// The bottom of the model's stack.
    pub fn into_next(self) -> Next {
        let shared = std::sync::Arc::new((self, AtomicU64::new(0)));
        Next::new(move |call| {
            let shared = std::sync::Arc::clone(&shared);
            async move {
                let (failover, turn) = &*shared;
                failover.ask(call, turn.fetch_add(1, Ordering::Relaxed)).await
            }
        })
    }

    async fn ask(&self, call: ChatCall, turn: u64) -> Reply {
        let mut last: Option<Refusal> = None;
        let (mut lanes, mut asked) = (self.order(turn).peekable(), 0);
        while let Some(lane) = lanes.next() {
            match first_chunk(lane.stack.ask(call.clone()).await, &call).await {
                Err(refusal) if refusal.try_elsewhere() && Instant::now() < call.deadline => {
                    // Where a breaker is open nobody was asked.
                    asked += usize::from(refusal.kind != Kind::NoLane);
                    last = Some(worse(last, refusal));
                    if asked >= ATTEMPTS_MAX || lanes.peek().is_none() {
                        break;
                    }
                    self.metrics.failovers.with_label_values(&[&self.model, &lane.provider]).inc();
                }
                decided => return decided,
            }
        }
        Err(last.unwrap_or_else(|| Refusal::internal("a model without lanes")))
    }

    /// The lanes in the order in which question number `turn` tries them.
    fn order(&self, turn: u64) -> impl Iterator<Item = &Lane> {
        let first = pick(&self.lanes, turn);
        let others = self.lanes.iter().enumerate().filter(move |(n, lane)| *n != first && lane.weight > 0).map(|(_, lane)| lane);
        self.lanes.get(first).into_iter().chain(others).chain(&self.fallback)
    }
}

/// Which lane question number `turn` tries first: shares by weight, spread evenly instead of in runs.
fn pick(lanes: &[Lane], turn: u64) -> usize {
    // Multiples of the golden ratio fill an interval as evenly as can be.
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let total: u64 = lanes.iter().map(|lane| u64::from(lane.weight)).sum();
    let point = (u128::from(turn.wrapping_mul(GOLDEN)) * u128::from(total)) >> 64;
    let mut below = 0u128;
    lanes
        .iter()
        .position(|lane| {
            below += u128::from(lane.weight);
            point < below
        })
        .unwrap_or(0)
}

/// Waits for a stream's first chunk: until then another lane may still take over without the client noticing. What comes before it (comments
/// that keep a connection open) is held, so far as that is little.
async fn first_chunk(reply: Reply, call: &ChatCall) -> Reply {
    let mut stream = match reply? {
        ChatReply::Stream(stream) => stream,
        whole @ ChatReply::Whole(_) => return Ok(whole),
    };
    let mut held = Vec::new();
    while held.len() < HELD_EVENTS_MAX {
        let started = Instant::now();
        let event = stream.events.next().await;
        call.stopwatch.waited(started.elapsed());
        let Some(event) = event else {
            return Err(Refusal::new(Kind::ProviderInvalid, "upstream_invalid", "The model provider sent an empty stream."));
        };
        let event = event?;
        let waits = matches!(event, ChatEvent::Opaque(_) | ChatEvent::Usage(_));
        held.push(Ok(event));
        if !waits {
            break;
        }
    }
    let events = futures_util::stream::iter(held).chain(stream.events);
    Ok(ChatReply::Stream(StreamReply { headers: stream.headers, events: Box::pin(events) }))
}

/// Which of two refusals the caller should hear of: a provider's own word rather than that nobody was asked, and of two busy ones the
/// shorter wait.
fn worse(last: Option<Refusal>, new: Refusal) -> Refusal {
    match (last, new) {
        (Some(last), new) if new.kind == Kind::NoLane => Some(last).filter(|last| last.kind != Kind::NoLane).unwrap_or(new),
        (Some(last), new) => match (last.kind, new.kind) {
            (Kind::ProviderBusy { retry_after: Some(a) }, Kind::ProviderBusy { retry_after: Some(b) }) if a < b => last,
            _ => new,
        },
        (None, new) => new,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(weight: u32) -> Lane {
        Lane { provider: "p".to_owned(), weight, stack: Next::new(|_| async { Err(Refusal::internal("not asked")) }) }
    }

    #[test]
    fn first_attempts_follow_the_weights_without_runs() {
        let lanes = [lane(90), lane(0), lane(10)];
        let picks: Vec<usize> = (0..1_000).map(|turn| pick(&lanes, turn)).collect();
        let share = |n| picks.iter().filter(|pick| **pick == n).count();
        assert!((895..=905).contains(&share(0)), "{}", share(0));
        assert_eq!(share(1), 0);
        assert!(picks.windows(3).all(|three| three != [2, 2, 2]), "the small lane comes singly");
    }

    #[test]
    fn a_provider_that_spoke_outranks_one_that_was_not_asked() {
        let refusal = |kind| Refusal::new(kind, "x", "y");
        let kept = worse(Some(refusal(Kind::ProviderTimeout)), refusal(Kind::NoLane));
        assert_eq!(kept.kind, Kind::ProviderTimeout);
        assert_eq!(worse(Some(refusal(Kind::NoLane)), refusal(Kind::NoLane)).kind, Kind::NoLane);
    }
}
