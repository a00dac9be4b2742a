//! Execute, for refunds: recorded first, then sent, in a task of its own. An unknown outcome is asked about under the same number; a new
//! number would pay twice.

use std::time::Duration;

use crate::connectors::{RefundDraft, RefundOutcome};
use crate::ledger::{Cause, LedgerError, RefundBody, RefundOpened};
use crate::payment::refund::Refund;
use crate::payment::refund_state::{RefundEvent, RefundState};
use crate::payments::decide::ApprovedRefund;
use crate::payments::execute::{Earlier, Execute, ExecuteError, RESEND_MS, Rail};

/// How long a refund the merchant's balance cannot bear is sent again, from its recording: the rail's own patience.
const NOT_ENOUGH_FOR_MS: i64 = 7 * 24 * 60 * 60 * 1_000;

impl Execute {
    /// Records and sends, in a task that outlives the caller; the refund as the ledger has it then. The same identity again finds the first.
    pub async fn refund(&self, approved: ApprovedRefund) -> Result<Refund, ExecuteError> {
        let this = self.clone();
        let task = self.tasks.vital(async move { this.record_and_send_refund(approved).await });
        task.await.map_err(|e| ExecuteError::Task(e.to_string()))?
    }

    async fn record_and_send_refund(&self, approved: ApprovedRefund) -> Result<Refund, ExecuteError> {
        let new = approved.into_new_refund();
        let rail = self.rails.get(&new.merchant).cloned().ok_or_else(|| ExecuteError::NoRail(new.merchant.clone()))?;
        let (draft_rail, reason) = (rail.clone(), new.reason.clone());
        let body: RefundBody = Box::new(move |payment, out_refund_no, refund| {
            let (out_trade_no, total) = (&payment.out_trade_no, payment.terms.amount);
            let draft = RefundDraft { out_trade_no, out_refund_no, refund, total, reason: reason.as_deref(), notify_url: &draft_rail.notify_url };
            draft_rail.connector.refund_body(&draft)
        });
        match self.ledger.open_refund(new, body).await.map_err(ExecuteError::NotRecorded)? {
            RefundOpened::New(refund) => Ok(self.send_refund(&rail, refund, Earlier::None).await?),
            RefundOpened::Existing(refund) => Ok(self.ledger.refund_once_sent(refund).await?),
            RefundOpened::Denied(denied) => Err(ExecuteError::Denied(denied)),
        }
    }

    /// Sends a recorded refund until something is known about it, or leaves it to reconciliation. Every sending carries the frozen bytes.
    pub async fn send_refund(&self, rail: &Rail, refund: Refund, earlier: Earlier) -> Result<Refund, LedgerError> {
        for wait_ms in RESEND_MS.into_iter().map(Some).chain([None]) {
            let outcome = rail.connector.refund(&refund.body).await;
            let Some(event) = self.learned_of_refund(&refund, outcome, earlier).await? else {
                match wait_ms {
                    Some(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
                    None => break,
                }
                continue;
            };
            return Ok(self.settle.move_refund(&refund, event, Cause::of("refund_answer")).await?.refund);
        }
        Ok(self.ledger.refund(&refund.merchant, &refund.out_refund_no).await?.unwrap_or(refund))
    }

    /// What the outcome of a sending says about the refund; `None` if nothing left and it may be sent again at once.
    async fn learned_of_refund(&self, refund: &Refund, outcome: RefundOutcome, earlier: Earlier) -> Result<Option<RefundEvent>, LedgerError> {
        Ok(Some(match outcome {
            RefundOutcome::NotSent { .. } => return Ok(None),
            RefundOutcome::Accepted(report) => match self.settle.reported(refund, &report).await? {
                Some(event) => event,
                None => RefundEvent::OutcomeUnknown { why: "the answer is of another refund".to_owned() },
            },
            RefundOutcome::Unknown { why } => RefundEvent::OutcomeUnknown { why },
            RefundOutcome::NotEnough { code, message } => self.not_enough(refund, format!("{code}: {message}")),
            RefundOutcome::Conflict { code, message } => {
                // Another refund stands under our number: the frozen bytes were not what was sent, and a person must look.
                self.metrics.exceptions.with_label_values(&["refund_conflict"]).inc();
                tracing::error!(payment = %refund.payment, out_refund_no = %refund.out_refund_no, code, "the payment side has another refund under this number");
                RefundEvent::OutcomeUnknown { why: format!("{code}: {message}") }
            }
            // A definite word that this sending made nothing; about an earlier one it says nothing.
            RefundOutcome::Refused { code, message } if earlier != Earlier::InDoubt => RefundEvent::Refused { why: format!("{code}: {message}") },
            // Keys and permissions: nobody's refund is dead for them once it may have been sent; the operator puts them right and it goes on.
            RefundOutcome::Denied { code, message } if earlier == Earlier::None => RefundEvent::Refused { why: format!("{code}: {message}") },
            RefundOutcome::Refused { code, message } | RefundOutcome::Denied { code, message } => {
                RefundEvent::OutcomeUnknown { why: format!("{code}: {message}") }
            }
        }))
    }

    /// The merchant's balance is short: later again, for a week.
    fn not_enough(&self, refund: &Refund, why: String) -> RefundEvent {
        let age_ms = self.clock.now().0.saturating_sub(refund.created.0);
        if refund.state == RefundState::Waiting && age_ms >= NOT_ENOUGH_FOR_MS {
            return RefundEvent::Refused { why };
        }
        tracing::warn!(payment = %refund.payment, out_refund_no = %refund.out_refund_no, why, "the merchant's balance cannot bear a refund; it is sent again later");
        RefundEvent::NotEnough { why }
    }
}
