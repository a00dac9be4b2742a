//! Carry: the calls of one turn are carried out, looks before whatever moves money, and each gets its answer for the model.

mod close;
mod refund;

use super::decide::decide;
use super::execute::Execute;
use super::functions;
use super::ground::{Grounded, ground};
use super::interpret::{self, CallRefusal};
use super::reader;
use super::settle::Settle;
use crate::chat::call::{ChatCall, PaymentPart};
use crate::chat::reply::ToolCall;
use crate::chat::usage::Usage;
use crate::ids::{OutTradeNo, PaymentId};
use crate::ledger::Cause;
use crate::metrics::Metrics;
use crate::payment::function::{Operation, PaymentFunction};
use crate::payment::record::{Identity, Payment};
use crate::payment::refund::Refund;
use crate::payment::state::{Event, State};
use crate::payment::terms::DecidedBy;
use crate::payment::words;
use crate::refusal::Refusal;

/// Carries out payment functions; cheap to clone.
#[derive(Clone)]
pub struct Carry {
    /// Records and sends.
    pub execute: Execute,
    /// Matches what the payment side says.
    pub settle: Settle,
    /// Where refused calls are counted.
    pub metrics: Metrics,
    /// Where clients reach this fengate.
    pub public_url: String,
}

/// What one question has come to so far.
#[derive(Debug, Default)]
pub struct Progress {
    /// Payments made, found or asked about, each once, as last seen.
    pub payments: Vec<Payment>,
    /// What all turns used.
    pub usage: Option<Usage>,
    /// An order or a refund was made or found: no second one for the same question.
    moved_money: bool,
}

impl Progress {
    /// Adds a turn's usage.
    pub fn used(&mut self, usage: Option<Usage>) {
        self.usage = match (self.usage, usage) {
            (Some(before), Some(now)) => Some(before.plus(now)),
            (before, now) => now.or(before),
        };
    }

    fn saw(&mut self, payment: &Payment) {
        match self.payments.iter_mut().find(|known| known.id == payment.id) {
            Some(known) => known.clone_from(payment),
            None => self.payments.push(payment.clone()),
        }
    }
}

/// Why a call has no result: it goes back to the model, or ends the question.
enum Stop {
    Model(CallRefusal),
    Question(Refusal),
}

impl From<CallRefusal> for Stop {
    fn from(refusal: CallRefusal) -> Self {
        Self::Model(refusal)
    }
}

impl Carry {
    /// Carries out the calls of one turn, all of payment functions; the answers stand in the calls' order. An error means that the question
    /// itself cannot go on.
    pub async fn out(
        &self,
        call: &ChatCall,
        part: &PaymentPart,
        calls: &[ToolCall],
        model: Option<&str>,
        progress: &mut Progress,
    ) -> Result<Vec<String>, Refusal> {
        let mut results = vec![String::new(); calls.len()];
        for n in functions::payments_last(calls, &part.functions) {
            let (Some(tool_call), Some(result)) = (calls.get(n), results.get_mut(n)) else { continue };
            let Some(function) = functions::ours(&tool_call.name, &part.functions) else { continue };
            *result = match self.one(call, part, (tool_call, function), model, progress).await {
                Ok(done) => {
                    progress.saw(&done.payment);
                    functions::told(&done, &self.page(&done.payment))
                }
                Err(Stop::Model(refusal)) => {
                    self.metrics.calls_refused.with_label_values(&[refusal.reason]).inc();
                    functions::told_refusal(&refusal)
                }
                Err(Stop::Question(refusal)) => return Err(refusal),
            };
        }
        Ok(results)
    }

    /// What a person is told of the payments of a question, from the ledger.
    pub fn facts(&self, part: &PaymentPart, payments: &[Payment]) -> String {
        payments.iter().map(|payment| words::facts(payment, &self.page(payment), part.language)).collect::<Vec<_>>().join("\n")
    }

    /// Makes the order of grounded terms, or finds the one that exists. How long that took counts as a wait for others.
    pub async fn pay(
        &self,
        call: &ChatCall,
        part: &PaymentPart,
        grounded: Grounded,
        by: DecidedBy,
        model: Option<&str>,
    ) -> Result<Payment, PayRefusal> {
        let approved = decide(grounded, by, model.map(str::to_owned), call, part)?;
        let started = tokio::time::Instant::now();
        let executed = self.execute.pay(approved).await;
        call.stopwatch.waited(started.elapsed());
        Ok(executed.map_err(Refusal::from)?.payment)
    }

    async fn one(
        &self,
        call: &ChatCall,
        part: &PaymentPart,
        (tool_call, function): (&ToolCall, &PaymentFunction),
        model: Option<&str>,
        progress: &mut Progress,
    ) -> Result<Done, Stop> {
        if function.operation.moves_money() && progress.moved_money {
            return Err(CallRefusal::new("one_payment", "one question makes one payment or one refund at most; this one has had it").into());
        }
        match function.operation {
            Operation::Pay => {
                let proposal = interpret::proposal(tool_call, function)?;
                let grounded = ground(proposal, function, part)?;
                let payment = self.pay(call, part, grounded, DecidedBy::Model, model).await.map_err(|refused| match refused {
                    PayRefusal::Call(refusal) => Stop::Model(refusal),
                    PayRefusal::Question(refusal) => Stop::Question(refusal),
                })?;
                progress.moved_money = true;
                Ok(Done { payment, refund: None, closing: false })
            }
            Operation::Query => {
                let named = interpret::named_payment(tool_call, function)?;
                let payment = self.meant(call, part, named.as_deref(), progress).await?;
                let payment = self.fresh(payment).await.map_err(Stop::Question)?;
                let refund = self.execute.ledger.refunds_of(&payment.id).await.map_err(|e| Stop::Question(e.into()))?.pop();
                Ok(Done { payment, refund, closing: false })
            }
            Operation::Refund => {
                let proposal = interpret::refund_proposal(tool_call, function)?;
                let payment = self.meant(call, part, proposal.payment.as_deref(), progress).await?;
                let done = self.refund(call, part, (proposal, payment), model).await?;
                progress.moved_money = true;
                Ok(done)
            }
            Operation::Close => {
                if part.user_words.last().is_some_and(|text| reader::keeps(text)) {
                    return Err(
                        CallRefusal::new("close_not_asked", "the user's last words may mean to keep the order; ask whether to cancel it").into()
                    );
                }
                let named = interpret::named_payment(tool_call, function)?;
                let payment = self.meant(call, part, named.as_deref(), progress).await?;
                self.close(call, payment).await
            }
        }
    }

    /// The payment a query means: the one it names, or the one of this conversation.
    async fn found(&self, call: &ChatCall, part: &PaymentPart, named: Option<&str>, progress: &Progress) -> Result<Option<Payment>, Refusal> {
        let (ledger, merchant) = (&self.execute.ledger, &call.merchant.id);
        let found = match (named, &part.identity) {
            (Some(id), _) if id.starts_with("pay_") => ledger.payment(&PaymentId::new(id)).await?,
            (Some(number), _) => ledger.payment_by_out_trade_no(merchant, &OutTradeNo::new(number)).await?,
            (None, _) if !progress.payments.is_empty() => progress.payments.last().cloned(),
            (None, Identity::Named(name) | Identity::Keyed(name)) => ledger.payment_by_name(merchant, name).await?,
            (None, Identity::Numbered(number)) => ledger.payment_by_out_trade_no(merchant, number).await?,
            (None, Identity::Derived) => ledger.payment_by_request(merchant, &part.fingerprint).await?,
        };
        // A payment of another merchant is no payment at all.
        Ok(found.filter(|payment| payment.merchant == *merchant))
    }

    /// The payment a call means. An `out_trade_no` can be worked out by whoever guesses a cart's name, so that here it names
    /// only the payment the conversation is about anyway; a payment's id cannot be guessed.
    async fn meant(&self, call: &ChatCall, part: &PaymentPart, named: Option<&str>, progress: &Progress) -> Result<Payment, Stop> {
        let vouched = part.context.refund.as_ref().and_then(|wish| wish.payment.as_ref()).map(PaymentId::as_str);
        let (id, number) = match named {
            Some(name) if !name.starts_with("pay_") => (vouched, Some(name)),
            name => (name.or(vouched), None),
        };
        let found = self.found(call, part, id, progress).await.map_err(Stop::Question)?;
        let found = found.filter(|payment| number.is_none_or(|number| number == payment.out_trade_no.as_str()));
        found.ok_or_else(|| {
            CallRefusal::new("payment_unknown", "there is no such payment; name it as pay_…, or ask the user which one is meant").into()
        })
    }

    /// The payment as the payment side has it now, where it may have moved without our knowing.
    async fn fresh(&self, payment: Payment) -> Result<Payment, Refusal> {
        let Some(rail) = self.execute.rails.get(&payment.merchant).filter(|_| !payment.state.is_final()) else { return Ok(payment) };
        if payment.state == State::Refunding {
            return self.with_fresh_refunds(rail, payment).await;
        }
        match self.settle.asked(rail, &payment).await {
            Some(event @ (Event::Paid { .. } | Event::Closed)) => {
                Ok(self.execute.ledger.apply(&payment.id, event, Cause::of("query")).await?.payment)
            }
            _ => Ok(payment),
        }
    }

    fn page(&self, payment: &Payment) -> String {
        format!("{}/pay/{}", self.public_url, payment.id)
    }
}

/// What a call came to.
#[derive(Clone, Debug)]
pub(super) struct Done {
    /// The payment it was about, as it stands now.
    pub(super) payment: Payment,
    /// The refund it made, found, or asked about.
    pub(super) refund: Option<Refund>,
    /// The order was asked to be closed.
    pub(super) closing: bool,
}

/// Why a payment was not made.
#[derive(Debug)]
pub enum PayRefusal {
    /// It was not approved.
    Call(CallRefusal),
    /// It could not be executed, or not to a known end.
    Question(Refusal),
}

impl From<CallRefusal> for PayRefusal {
    fn from(refusal: CallRefusal) -> Self {
        Self::Call(refusal)
    }
}

impl From<Refusal> for PayRefusal {
    fn from(refusal: Refusal) -> Self {
        Self::Question(refusal)
    }
}
