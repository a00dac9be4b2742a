//! Turns: ask the model, carry out its payment calls, tell it the results, ask again; a bounded number of times. Once an order exists the
//! caller hears of it, whatever becomes of the model.

use super::carry::{Carry, PayRefusal, Progress};
use super::classic;
use super::functions::{self, Split};
use super::streamed;
use crate::chat::call::{ChatCall, Path, PaymentPart};
use crate::chat::reply::{ChatReply, StreamReply, ToolCall, WholeBody, WholeReply};
use crate::chat::request::Turn;
use crate::payment::terms::{DecidedBy, Terms};
use crate::payment::words;
use crate::pipeline::{Next, Reply, Step};
use crate::refusal::{Kind, Refusal};
use crate::wire::openai::model_of;

/// Most turns with a model for one question.
pub(super) const TURNS_MAX: u32 = 4;

/// The step.
pub struct PaymentLoop {
    /// Carries out payment functions.
    pub carry: Carry,
}

impl Step for PaymentLoop {
    async fn call(&self, call: ChatCall, next: &Next) -> Reply {
        let Some(part) = call.payment.clone() else { return next.ask(call).await };
        match (call.path, &part.determined) {
            (Path::Classic, Some(terms)) => self.classic(&call, &part, terms.clone(), "limited").await,
            (Path::Classic, None) => Err(Refusal::internal("the classic path without determined terms")),
            (Path::Model, determined) => {
                let reply = if call.request.stream {
                    streamed::answer(&self.carry, call.clone(), &part, next).await
                } else {
                    self.whole(call.clone(), &part, next).await
                };
                match (reply, determined) {
                    (Err(refusal), Some(terms)) if refusal.models_unavailable() && !refusal.order_may_exist => {
                        self.classic(&call, &part, terms.clone(), "models_down").await
                    }
                    (reply, _) => reply,
                }
            }
        }
    }
}

impl PaymentLoop {
    async fn whole(&self, mut call: ChatCall, part: &PaymentPart, next: &Next) -> Reply {
        let mut progress = Progress::default();
        for turn in 0..TURNS_MAX {
            let reply = match next.ask(call.clone()).await {
                Ok(ChatReply::Whole(reply)) => reply,
                Ok(ChatReply::Stream(_)) => return Err(Refusal::internal("a stream where a whole answer was asked for")),
                Err(refusal) => return self.told_anyway(part, progress, refusal),
            };
            progress.used(reply.usage);
            let split = functions::split(&reply.calls, &part.functions);
            if !split.ours.is_empty() && !is_complete(reply.finish.as_deref()) {
                return Ok(whole(words::cut_off(part.language).to_owned(), progress));
            }
            if split.ours.is_empty() || !split.theirs.is_empty() {
                return Ok(self.last(reply, split, progress, turn));
            }
            let WholeBody::AsCame { bytes, message } = &reply.body else { return Err(Refusal::internal("a composed answer with calls")) };
            let model = model_of(bytes);
            let results = match self.carry.out(&call, part, &reply.calls, model.as_deref(), &mut progress).await {
                Ok(results) => results,
                Err(refusal) => return self.told_anyway(part, progress, refusal),
            };
            let raw_message = arguments_readable(&reply.calls).then(|| message.clone());
            call.request.added.turns.push(turn_of(raw_message, String::new(), reply.calls, results));
        }
        Ok(whole(self.closing_words(part, &progress), progress))
    }

    /// The answer the client gets: its own calls, if the model made any, without ours: payments come last, after those have results.
    fn last(&self, mut reply: WholeReply, split: Split, progress: Progress, turn: u32) -> ChatReply {
        reply.withheld = split.ours;
        reply.usage = progress.usage;
        reply.payments = progress.payments;
        reply.turns_before = turn;
        ChatReply::Whole(reply)
    }

    /// After an order was made a failing model is no reason to say nothing of it.
    fn told_anyway(&self, part: &PaymentPart, progress: Progress, refusal: Refusal) -> Reply {
        if progress.payments.is_empty() {
            return Err(refusal);
        }
        tracing::warn!(%refusal, detail = refusal.detail.as_deref(), "the model failed after an order was made: the answer is composed from the ledger");
        Ok(whole(self.carry.facts(part, &progress.payments), progress))
    }

    fn closing_words(&self, part: &PaymentPart, progress: &Progress) -> String {
        closing_words(&self.carry, part, progress)
    }

    /// The order the merchant's own data determines, without a model.
    async fn classic(&self, call: &ChatCall, part: &PaymentPart, terms: Terms, why: &'static str) -> Reply {
        self.carry.metrics.classic.with_label_values(&[call.merchant.id.as_str(), why]).inc();
        let grounded = classic::grounded(terms, part);
        let payment = self.carry.pay(call, part, grounded, DecidedBy::Rules, None).await.map_err(|refused| match refused {
            PayRefusal::Call(refusal) => Refusal::new(Kind::BadRequest, refusal.reason, refusal.message),
            PayRefusal::Question(refusal) => refusal,
        })?;
        let payments = vec![payment];
        let text = self.carry.facts(part, &payments);
        Ok(if call.request.stream {
            ChatReply::Stream(StreamReply::composed(text, payments))
        } else {
            ChatReply::Whole(WholeReply::composed(text, payments, None))
        })
    }
}

/// What is said when the turns are used up.
pub(super) fn closing_words(carry: &Carry, part: &PaymentPart, progress: &Progress) -> String {
    if progress.payments.is_empty() { words::no_answer(part.language).to_owned() } else { carry.facts(part, &progress.payments) }
}

fn whole(text: String, progress: Progress) -> ChatReply {
    ChatReply::Whole(WholeReply::composed(text, progress.payments, progress.usage))
}

/// Whether a turn's calls came whole: any other reason to stop (`length`, a filter, none at all) may have cut them.
pub(super) fn is_complete(finish: Option<&str>) -> bool {
    matches!(finish, Some("tool_calls" | "stop" | "function_call"))
}

/// Whether every call's arguments are JSON: providers refuse a history that holds anything else.
fn arguments_readable(calls: &[ToolCall]) -> bool {
    calls.iter().all(|call| serde_json::from_str::<serde_json::Value>(&call.arguments).is_ok_and(|value| value.is_object()))
}

/// One turn for the history. Arguments that are no JSON object are left out: the model is told what was wrong with them.
pub(super) fn turn_of(raw_message: Option<bytes::Bytes>, text: String, mut calls: Vec<ToolCall>, results: Vec<String>) -> Turn {
    if raw_message.is_none() {
        for call in calls.iter_mut().filter(|call| !arguments_readable(std::slice::from_ref(call))) {
            call.arguments = "{}".to_owned();
        }
    }
    Turn { raw_message, text, calls, results }
}
