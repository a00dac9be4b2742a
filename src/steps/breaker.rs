//! Breaker: a lane that failed several times in a row is left alone for a while, then tried with one call. The caller's own faults never count.
//! What a call comes to counts only in the period it was let in: a burst of calls that fail together opens the breaker once, and a straggler of
//! an earlier period neither lengthens a pause nor ends one.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use tokio::time::Instant;

use crate::chat::call::ChatCall;
use crate::chat::reply::{ChatEvent, ChatReply, EventStream};
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
pub struct Breaker(Arc<Shared>);

struct Shared {
    periods: Mutex<Periods>,
    metrics: Metrics,
    model: String,
    provider: String,
}

struct Periods {
    state: State,
    /// The number of this period; a new one begins whenever the breaker opens, tries or closes.
    now: u64,
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

/// A call was let in, in this period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pass(u64);

/// What a call says about its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It came to its end.
    Well,
    /// A stream has begun; whether it will end is not known yet.
    Speaks,
    /// The provider failed, and asked for this wait if it said any.
    Failed(Option<Duration>),
    /// Nothing: the provider was not asked, or the caller went away.
    Nothing,
}

impl Verdict {
    fn of(refusal: &Refusal) -> Self {
        match (refusal.fault(), refusal.kind) {
            (Fault::Provider, Kind::ProviderBusy { retry_after }) => Self::Failed(retry_after.filter(|wait| !wait.is_zero())),
            (Fault::Provider, _) => Self::Failed(None),
            // The provider judged the request: it is there and works.
            (_, Kind::ProviderRejected { .. }) => Self::Well,
            _ => Self::Nothing,
        }
    }
}

impl State {
    /// The state after `verdict` on a call of this period.
    fn after(self, verdict: Verdict, now: Instant) -> Self {
        match (verdict, self) {
            (Verdict::Nothing, state) | (Verdict::Speaks, state @ (Self::Closed { .. } | Self::Open { .. })) => state,
            (Verdict::Well, _) => Self::Closed { failures: 0 },
            // Calls pass again; a stream that breaks after all opens the breaker at once.
            (Verdict::Speaks, Self::Trying { .. }) => Self::Closed { failures: FAILURES - 1 },
            (Verdict::Failed(None), Self::Closed { failures }) if failures + 1 < FAILURES => Self::Closed { failures: failures + 1 },
            (Verdict::Failed(wish), Self::Closed { .. }) => Self::Open { until: now + wish.unwrap_or(PAUSE), round: 0 },
            (Verdict::Failed(wish), Self::Open { round, .. } | Self::Trying { round, .. }) => {
                let round = round.saturating_add(1);
                Self::Open { until: now + wish.unwrap_or(pause(round)), round }
            }
        }
    }
}

impl Periods {
    fn go_to(&mut self, state: State) {
        if std::mem::discriminant(&self.state) != std::mem::discriminant(&state) {
            self.now += 1;
        }
        self.state = state;
    }
}

impl Breaker {
    /// A closed breaker for the lane of `model` to `provider`.
    pub fn new(model: &str, provider: &str, metrics: Metrics) -> Self {
        metrics.breaker_open.with_label_values(&[model, provider]).set(0);
        let periods = Mutex::new(Periods { state: State::Closed { failures: 0 }, now: 0 });
        Self(Arc::new(Shared { periods, metrics, model: model.to_owned(), provider: provider.to_owned() }))
    }
}

impl Shared {
    fn enter(&self) -> Result<Pass, Refusal> {
        let mut periods = self.periods.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match periods.state {
            State::Closed { .. } => {}
            State::Open { until, round } | State::Trying { until, round } if now >= until => {
                // A try nobody heard of is over, and what it may still come to counts no more.
                periods.now += 1;
                periods.state = State::Trying { until: now + pause(round), round };
            }
            State::Open { .. } | State::Trying { .. } => {
                let refusal = Refusal::new(Kind::NoLane, "model_unavailable", "No provider of this model is answering at the moment.");
                return Err(refusal.detail("breaker open"));
            }
        }
        Ok(Pass(periods.now))
    }

    /// Takes a verdict on a call; gives back the pass under which more may be said of it.
    fn judge(&self, pass: Pass, verdict: Verdict) -> Pass {
        let mut periods = self.periods.lock().unwrap_or_else(PoisonError::into_inner);
        if pass != Pass(periods.now) {
            return pass;
        }
        let state = periods.state.after(verdict, Instant::now());
        periods.go_to(state);
        let open = i64::from(!matches!(state, State::Closed { .. }));
        self.metrics.breaker_open.with_label_values(&[&self.model, &self.provider]).set(open);
        // Only a stream that began goes on into the period it brought about.
        if verdict == Verdict::Speaks { Pass(periods.now) } else { pass }
    }
}

fn pause(round: u32) -> Duration {
    PAUSE.saturating_mul(1u32.checked_shl(round).unwrap_or(u32::MAX)).min(PAUSE_MAX)
}

impl Step for Breaker {
    async fn call(&self, call: ChatCall, next: &Next) -> Reply {
        let pass = self.0.enter()?;
        match next.ask(call).await {
            Ok(ChatReply::Stream(mut stream)) => {
                stream.events = Box::pin(Judged { events: stream.events, pass: Some(pass), shared: Arc::clone(&self.0), speaks: false });
                Ok(ChatReply::Stream(stream))
            }
            whole => {
                self.0.judge(pass, whole.as_ref().map_or_else(Verdict::of, |_| Verdict::Well));
                whole
            }
        }
    }
}

/// A stream whose beginning and end are judged: a lane that answers 200 and then breaks off is not well.
struct Judged {
    events: EventStream,
    /// `None` once its end is judged.
    pass: Option<Pass>,
    shared: Arc<Shared>,
    /// Something of an answer has come; a comment is none.
    speaks: bool,
}

impl Judged {
    fn saw(&mut self, event: Option<&Result<ChatEvent, Refusal>>) {
        let verdict = match event {
            Some(Ok(ChatEvent::Done)) => Verdict::Well,
            Some(Ok(ChatEvent::Chunk(_))) if !self.speaks => Verdict::Speaks,
            Some(Ok(_)) => return,
            Some(Err(refusal)) => Verdict::of(refusal),
            None => Verdict::Failed(None),
        };
        self.speaks |= verdict == Verdict::Speaks;
        let judged = self.pass.take().map(|pass| self.shared.judge(pass, verdict));
        // After an end or an error nothing follows that could be judged again.
        self.pass = judged.filter(|_| verdict == Verdict::Speaks);
    }
}

impl Stream for Judged {
    type Item = Result<ChatEvent, Refusal>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.events.as_mut().poll_next(context);
        if let Poll::Ready(event) = &polled {
            self.saw(event.as_ref());
        }
        polled
    }
}

#[cfg(test)]
mod tests;
