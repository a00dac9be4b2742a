//! Execute: record first, then send, in a task of its own. A caller that hangs up cannot cut a payment in half; a crash at any point is
//! picked up by [`super::reconcile`], with the same number and the same bytes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::decide::Approved;
use super::settle::Settle;
use crate::clock::Clock;
use crate::connectors::{Connector, CreateOutcome, OrderDraft};
use crate::ids::MerchantId;
use crate::ledger::{Cause, Ledger, LedgerError, Opened};
use crate::metrics::Metrics;
use crate::payment::record::Payment;
use crate::payment::refund::RefundDenied;
use crate::payment::state::Event;
use crate::refusal::{Kind, Refusal};
use crate::tasks::Tasks;

/// Waits before an order that never left is sent again, in milliseconds.
pub(super) const RESEND_MS: [u64; 3] = [200, 1_000, 5_000];

/// Where a merchant's orders are made and where its notices come in.
#[derive(Clone, Debug)]
pub struct Rail {
    /// Speaks to the payment side.
    pub connector: Connector,
    /// Where the payment side reports.
    pub notify_url: String,
}

/// The rails of all merchants.
pub type Rails = Arc<HashMap<MerchantId, Rail>>;

/// Executes approved payments; cheap to clone.
#[derive(Clone)]
pub struct Execute {
    /// Where everything is written first.
    pub ledger: Ledger,
    /// Where orders go.
    pub rails: Rails,
    /// Matches what the payment side says against the ledger.
    pub settle: Settle,
    /// The time of day.
    pub clock: Clock,
    /// Where payments run.
    pub tasks: Tasks,
    /// Where exceptions are counted.
    pub metrics: Metrics,
}

/// Why an approved payment was not executed, or not to a known end.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// The ledger could not record it: nothing has left.
    #[error(transparent)]
    NotRecorded(LedgerError),
    /// It is recorded and may have been sent; the ledger could not keep what was learned. Reconciliation will.
    #[error("after the payment was recorded: {0}")]
    Recorded(#[from] LedgerError),
    /// The ledger finds that this refund may not be: nothing was recorded, nothing has left.
    #[error(transparent)]
    Denied(RefundDenied),
    /// The merchant has no rail: nothing has left.
    #[error("merchant {0} has no payment rail")]
    NoRail(MerchantId),
    /// The task that carries the payment broke off; the ledger knows how far it came.
    #[error("the payment's task broke off: {0}")]
    Task(String),
    /// The caller's key names a payment of other terms.
    #[error("the key names payment {}, which has other terms", .0.id)]
    OtherTerms(Box<Payment>),
}

impl From<ExecuteError> for Refusal {
    fn from(error: ExecuteError) -> Self {
        match error {
            ExecuteError::NotRecorded(e) => e.into(),
            ExecuteError::OtherTerms(payment) => {
                let message = format!(
                    "This idempotency key already names a payment of {} for {}. One key is one payment: use a new key for another order.",
                    payment.terms.amount, payment.terms.description
                );
                Self::new(Kind::KeyReused, "idempotency_key_reused", message).param("payment.idempotency_key").after_order()
            }
            ExecuteError::Denied(denied) => Self::new(Kind::BadRequest, denied.reason(), format!("Nothing was refunded: {denied}.")),
            ExecuteError::NoRail(merchant) => Self::internal(format!("merchant {merchant} has no payment rail")),
            ExecuteError::Recorded(_) | ExecuteError::Task(_) => Self::payment_in_doubt(error.to_string()),
        }
    }
}

/// What is known of earlier sendings of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// There were none: this is the task that recorded the payment.
    None,
    /// The process that recorded it ended; the order may have arrived.
    InDoubt,
    /// There were, long enough ago, and the payment side says that none arrived.
    NotArrived,
}

/// What became of an approved payment.
#[derive(Clone, Debug)]
pub struct Executed {
    /// The payment, as the ledger has it now.
    pub payment: Payment,
    /// It existed before: the same request again, or the same key.
    pub existed: bool,
}

impl Execute {
    /// Records and sends, in a task that outlives the caller.
    pub async fn pay(&self, approved: Approved) -> Result<Executed, ExecuteError> {
        let this = self.clone();
        let task = self.tasks.vital(async move { this.record_and_send(approved).await });
        task.await.map_err(|e| ExecuteError::Task(e.to_string()))?
    }

    async fn record_and_send(&self, approved: Approved) -> Result<Executed, ExecuteError> {
        let new = approved.into_new_payment();
        let rail = self.rails.get(&new.merchant).cloned().ok_or_else(|| ExecuteError::NoRail(new.merchant.clone()))?;
        let (draft, terms) = (rail.clone(), new.terms.clone());
        let body = Box::new(move |out_trade_no: &crate::ids::OutTradeNo, _| {
            draft.connector.order_body(&OrderDraft::native(out_trade_no, &terms, &draft.notify_url))
        });
        let (wanted, request_id) = (new.clone(), new.request_id.clone());
        let executed = match self.ledger.open_payment(new, body).await.map_err(ExecuteError::NotRecorded)? {
            Opened::New(payment) => Executed { payment: self.send(&rail, payment, Earlier::None).await?, existed: false },
            Opened::Existing(payment) if payment.is_of(&wanted) => Executed { payment: self.ledger.once_sent(payment).await?, existed: true },
            Opened::Existing(payment) => return Err(ExecuteError::OtherTerms(Box::new(payment))),
        };
        let (payment, existed) = (&executed.payment, executed.existed);
        tracing::info!(%request_id, payment = %payment.id, out_trade_no = %payment.out_trade_no, state = payment.state.name(), existed, "payment");
        Ok(executed)
    }

    /// Sends a recorded order until something is known about it, or leaves it to reconciliation. Every sending carries the frozen bytes.
    pub async fn send(&self, rail: &Rail, payment: Payment, earlier: Earlier) -> Result<Payment, LedgerError> {
        for wait_ms in RESEND_MS.into_iter().map(Some).chain([None]) {
            let outcome = rail.connector.create(payment.terms.method.into(), &payment.order_body).await;
            let Some(event) = self.learned(rail, &payment, outcome, earlier).await else {
                match wait_ms {
                    Some(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
                    None => break,
                }
                continue;
            };
            let applied = self.ledger.apply(&payment.id, event, Cause::of("create_answer")).await?;
            return Ok(applied.payment);
        }
        Ok(self.ledger.payment(&payment.id).await?.unwrap_or(payment))
    }

    /// What the outcome of a sending says about the payment; `None` if nothing left and it may be sent again at once.
    pub(super) async fn learned(&self, rail: &Rail, payment: &Payment, outcome: CreateOutcome, earlier: Earlier) -> Option<Event> {
        match outcome {
            CreateOutcome::Ordered(invitation) => Some(Event::Ordered { code_url: invitation.into_text() }),
            CreateOutcome::NotSent { .. } | CreateOutcome::Busy { .. } => None,
            CreateOutcome::Unknown { why } => Some(Event::OutcomeUnknown { why }),
            // An error answer may be unsigned: only what a signed answer says ends a payment.
            CreateOutcome::AlreadyClosed | CreateOutcome::AlreadyPaid => {
                let why = "the payment side says that the order is paid or closed".to_owned();
                Some(self.settle.asked(rail, payment).await.unwrap_or(Event::OutcomeUnknown { why }))
            }
            CreateOutcome::Conflict { code, message } => {
                // Another order stands under our number: invariant M3 is broken, and a person must look.
                self.metrics.exceptions.with_label_values(&["order_conflict"]).inc();
                tracing::error!(payment = %payment.id, out_trade_no = %payment.out_trade_no, code, "the payment side has another order under this number");
                Some(Event::OutcomeUnknown { why: format!("{code}: {message}") })
            }
            // A definite word that this sending made nothing; about an earlier one it says nothing.
            CreateOutcome::Refused { code, message } | CreateOutcome::Denied { code, message } => {
                let why = format!("{code}: {message}");
                Some(if earlier == Earlier::None { Event::Refused { why } } else { Event::OutcomeUnknown { why } })
            }
        }
    }
}
