//! Account: exactly one usage record for each attempt at a provider, whole or streamed, failed, cut off or abandoned by the caller.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use tokio::time::Instant;

use crate::chat::call::ChatCall;
use crate::chat::reply::{ChatEvent, ChatReply, EventStream};
use crate::chat::usage::{Outcome, Usage, UsageRecord};
use crate::ledger::Ledger;
use crate::metrics::{Metrics, seconds};
use crate::pipeline::{Next, Reply, Step};
use crate::refusal::{Kind, Refusal};

/// The step: one per lane.
pub struct Account {
    /// Where records are kept.
    pub ledger: Ledger,
    /// Where tokens and attempts are counted.
    pub metrics: Metrics,
    /// The provider's name in `routes.toml`.
    pub provider: String,
    /// The model's name at the provider.
    pub model: String,
}

impl Step for Account {
    async fn call(&self, call: ChatCall, next: &Next) -> Reply {
        let mut attempt = Attempt::begin(self, &call);
        match next.ask(call).await {
            Ok(ChatReply::Whole(reply)) => {
                attempt.usage = reply.usage;
                attempt.end(Outcome::Complete);
                Ok(ChatReply::Whole(reply))
            }
            Ok(ChatReply::Stream(mut stream)) => {
                stream.events = Box::pin(Counted { events: stream.events, attempt });
                Ok(ChatReply::Stream(stream))
            }
            Err(refusal) => {
                attempt.refused(&refusal);
                Err(refusal)
            }
        }
    }
}

/// One attempt, recorded once when it ends; dropped without an end it was abandoned.
struct Attempt {
    ledger: Ledger,
    metrics: Metrics,
    started: Instant,
    /// The record to be; `None` once it is written.
    record: Option<UsageRecord>,
    usage: Option<Usage>,
    first_event_seen: bool,
}

impl Attempt {
    fn begin(account: &Account, call: &ChatCall) -> Self {
        let record = UsageRecord {
            request_id: call.request_id.clone(),
            merchant: call.merchant.id.clone(),
            provider: account.provider.clone(),
            model: account.model.clone(),
            stream: call.request.stream,
            outcome: Outcome::Abandoned,
            usage: None,
            duration_ms: 0,
        };
        let (ledger, metrics) = (account.ledger.clone(), account.metrics.clone());
        Self { ledger, metrics, started: Instant::now(), record: Some(record), usage: None, first_event_seen: false }
    }

    /// A breaker that let nothing through was no attempt.
    fn refused(&mut self, refusal: &Refusal) {
        if refusal.kind == Kind::NoLane {
            self.record = None;
        } else {
            self.end(Outcome::Failed);
        }
    }

    fn end(&mut self, outcome: Outcome) {
        let Some(mut record) = self.record.take() else { return };
        let took = self.started.elapsed();
        record.outcome = outcome;
        record.usage = self.usage;
        record.duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let (provider, model) = (record.provider.as_str(), record.model.as_str());
        self.metrics.attempts.with_label_values(&[provider, model, outcome.name()]).inc();
        self.metrics.attempt_seconds.with_label_values(&[provider]).observe(seconds(took));
        match self.usage {
            Some(usage) => {
                let tokens =
                    |direction, count| self.metrics.tokens.with_label_values(&[record.merchant.as_str(), provider, model, direction]).inc_by(count);
                tokens("prompt", usage.prompt_tokens);
                tokens("completion", usage.completion_tokens);
                if usage.implausible {
                    tracing::warn!(request_id = %record.request_id, provider, model, "a provider reported a count of tokens that cannot be");
                    self.metrics.usage_implausible.with_label_values(&[provider]).inc();
                }
            }
            None if outcome == Outcome::Complete => self.metrics.usage_missing.with_label_values(&[provider]).inc(),
            None => {}
        }
        self.ledger.record_usage(record);
    }

    fn saw(&mut self, event: &Result<ChatEvent, Refusal>) {
        if !self.first_event_seen {
            self.first_event_seen = true;
            if let Some(record) = &self.record {
                self.metrics.first_event_seconds.with_label_values(&[record.provider.as_str()]).observe(seconds(self.started.elapsed()));
            }
        }
        match event {
            // A report may come twice; the last one counts, once.
            Ok(ChatEvent::Usage(report)) => self.usage = Some(report.usage),
            Ok(ChatEvent::Chunk(chunk)) => self.usage = chunk.usage.or(self.usage),
            Ok(ChatEvent::Done) => self.end(Outcome::Complete),
            Err(_) => self.end(Outcome::Cut),
            Ok(_) => {}
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.end(Outcome::Abandoned);
    }
}

/// A stream whose end is written down.
struct Counted {
    events: EventStream,
    attempt: Attempt,
}

impl Stream for Counted {
    type Item = Result<ChatEvent, Refusal>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.events.as_mut().poll_next(context);
        match &polled {
            Poll::Ready(Some(event)) => self.attempt.saw(event),
            Poll::Ready(None) => self.attempt.end(Outcome::Cut),
            Poll::Pending => {}
        }
        polled
    }
}
