//! Reconcile: whatever is not final is asked about until it is. A payment whose sending was cut off by a crash is sent again, with the same
//! number and the same bytes; one of unknown outcome is queried first.

use std::time::Duration;

use futures_util::StreamExt;

use super::execute::{Earlier, Execute, Rail};
use super::settle::{Matched, Settle};
use crate::clock::{Clock, UnixMs};
use crate::connectors::{CreateOutcome, QueryOutcome};
use crate::ledger::{Cause, Ledger, LedgerError};
use crate::metrics::Metrics;
use crate::payment::record::Payment;
use crate::payment::schedule::check_after_ms;
use crate::payment::state::{Event, State};

/// How often the ledger is looked through for payments that are due.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Sweeps between two counts of what is open.
const SWEEPS_PER_COUNT: u32 = 5;

/// Most payments looked at in one sweep, and at the same time.
pub(super) const SWEEP_MAX: u32 = 500;
pub(super) const AT_ONCE: usize = 8;

/// An order the payment side has not got is sent again only this long after the last sending: it may still be on its way.
pub(super) const NOT_FOUND_AFTER_MS: i64 = 5_000;

/// Whether the payment side has got an order that was sent before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Arrived {
    Yes,
    No,
}

/// Asks about open payments.
#[derive(Clone)]
pub struct Reconcile {
    /// What is true.
    pub ledger: Ledger,
    /// Sends orders, and knows the rails.
    pub execute: Execute,
    /// Matches what the payment side says.
    pub settle: Settle,
    /// The time of day.
    pub clock: Clock,
    /// Where what is open is shown.
    pub metrics: Metrics,
}

impl Reconcile {
    /// Everything that was open when an earlier process ended, once; then whatever comes due, until the task is cut. `started` is when this
    /// process began, before it let anybody in.
    pub async fn run(self, started: UnixMs) {
        self.sweep_payments(UnixMs(i64::MAX), started).await;
        self.sweep_refunds(UnixMs(i64::MAX), started).await;
        let mut ticks = tokio::time::interval(SWEEP_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for n in 0u32.. {
            ticks.tick().await;
            self.sweep(self.clock.now()).await;
            if n % SWEEPS_PER_COUNT == 0 {
                self.count().await;
                self.count_refunds().await;
            }
        }
    }

    /// Looks at every payment and every refund that is due by `now`.
    pub async fn sweep(&self, now: UnixMs) {
        self.sweep_payments(now, UnixMs(i64::MAX)).await;
        self.sweep_refunds(now, UnixMs(i64::MAX)).await;
    }

    /// Only what was recorded before `before`: a payment of this process has a task of its own that sends it, and a second sending would
    /// replace the code its payer is looking at.
    async fn sweep_payments(&self, now: UnixMs, before: UnixMs) {
        let due: Vec<Payment> = match self.ledger.due(now, SWEEP_MAX).await {
            Ok(due) => due.into_iter().filter(|payment| payment.created < before).collect(),
            Err(e) => return tracing::error!(error = %e, "open payments cannot be read"),
        };
        futures_util::stream::iter(due)
            .for_each_concurrent(AT_ONCE, |payment| async move {
                let id = payment.id.clone();
                if let Err(e) = self.look(payment).await {
                    tracing::error!(payment = %id, error = %e, "a payment could not be reconciled");
                }
            })
            .await;
    }

    async fn look(&self, payment: Payment) -> Result<(), LedgerError> {
        let Some(rail) = self.execute.rails.get(&payment.merchant) else {
            tracing::error!(payment = %payment.id, merchant = %payment.merchant, "an open payment of a merchant without an account: put its [merchant.wechatpay] back");
            return self.ledger.checked(&payment.id).await;
        };
        if payment.state == State::Created {
            let id = payment.id.clone();
            let sent = self.execute.send(rail, payment, Earlier::InDoubt).await?;
            return if sent.state == State::Created { self.ledger.checked(&id).await } else { Ok(()) };
        }
        match rail.connector.query(&payment.out_trade_no).await {
            QueryOutcome::Found(transaction) => match self.settle.matched(rail, &payment, &transaction).await {
                Matched::Moves(event) => self.apply(&payment, event).await,
                // The order is there and waits; nobody has seen its code, so it is asked for again.
                Matched::Still if payment.state == State::Unknown => self.send_again(rail, &payment, Arrived::Yes).await,
                Matched::Still | Matched::Differs => self.ledger.checked(&payment.id).await,
            },
            QueryOutcome::NotFound if payment.state == State::Unknown && self.is_long_ago(&payment) => {
                self.send_again(rail, &payment, Arrived::No).await
            }
            QueryOutcome::NotFound => self.ledger.checked(&payment.id).await,
            QueryOutcome::Unknown { why } => {
                tracing::warn!(payment = %payment.id, why, "the payment side could not be asked");
                self.ledger.checked(&payment.id).await
            }
            QueryOutcome::Denied { code, .. } => {
                tracing::error!(payment = %payment.id, code, "the payment side refuses this merchant");
                self.ledger.checked(&payment.id).await
            }
        }
    }

    /// Asked about before, and sent long enough ago that it would have arrived.
    fn is_long_ago(&self, payment: &Payment) -> bool {
        payment.checks > 0 && self.clock.now().0.saturating_sub(payment.updated.0) >= NOT_FOUND_AFTER_MS
    }

    /// The same bytes again. Only what is certain moves the payment: a refusal does if the payment side has also said that nothing arrived.
    async fn send_again(&self, rail: &Rail, payment: &Payment, earlier: Arrived) -> Result<(), LedgerError> {
        match rail.connector.create(payment.terms.method.into(), &payment.order_body).await {
            CreateOutcome::Ordered(invitation) => self.apply(payment, Event::Ordered { code_url: invitation.into_text() }).await,
            // An error answer may be unsigned: only what a signed answer says ends a payment.
            CreateOutcome::AlreadyClosed | CreateOutcome::AlreadyPaid => match self.settle.asked(rail, payment).await {
                Some(event) => self.apply(payment, event).await,
                None => self.ledger.checked(&payment.id).await,
            },
            CreateOutcome::Refused { code, message } if earlier == Arrived::No => {
                self.apply(payment, Event::Refused { why: format!("{code}: {message}") }).await
            }
            outcome => {
                tracing::warn!(payment = %payment.id, ?outcome, "an order sent again is still in doubt");
                self.ledger.checked(&payment.id).await
            }
        }
    }

    async fn apply(&self, payment: &Payment, event: Event) -> Result<(), LedgerError> {
        self.ledger.apply(&payment.id, event, Cause::of("reconcile")).await.map(|_| ())
    }

    async fn count(&self) {
        let Ok(counts) = self.ledger.open_counts().await else { return };
        for state in State::ALL.into_iter().filter(|state| check_after_ms(*state, 0).is_some()) {
            let count = counts.by_state.iter().find(|(of, _)| *of == state).map_or(0, |(_, count)| *count);
            self.metrics.payments_open.with_label_values(&[state.name()]).set(count);
        }
        let age_ms = counts.oldest_unknown.map_or(0, |since| self.clock.now().0.saturating_sub(since.0));
        self.metrics.reconcile_age.set(age_ms / 1_000);
    }
}
