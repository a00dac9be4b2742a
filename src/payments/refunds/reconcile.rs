//! Reconcile, for refunds: whatever is not final is asked about, first by its number; only one the payment side has not got is sent again,
//! with the same number and the same bytes.

use futures_util::StreamExt;

use crate::clock::UnixMs;
use crate::connectors::RefundQueryOutcome;
use crate::ledger::{Cause, LedgerError};
use crate::payment::refund::Refund;
use crate::payment::refund_state::RefundState;
use crate::payments::execute::{Earlier, Rail};
use crate::payments::reconcile::{AT_ONCE, NOT_FOUND_AFTER_MS, Reconcile, SWEEP_MAX};

impl Reconcile {
    /// Looks at every refund that is due by `now` and was recorded before `before`.
    pub(in crate::payments) async fn sweep_refunds(&self, now: UnixMs, before: UnixMs) {
        let due: Vec<Refund> = match self.ledger.due_refunds(now, SWEEP_MAX).await {
            Ok(due) => due.into_iter().filter(|refund| refund.created < before).collect(),
            Err(e) => return tracing::error!(error = %e, "open refunds cannot be read"),
        };
        futures_util::stream::iter(due)
            .for_each_concurrent(AT_ONCE, |refund| async move {
                let number = refund.out_refund_no.clone();
                if let Err(e) = self.look_at_refund(refund).await {
                    tracing::error!(out_refund_no = %number, error = %e, "a refund could not be reconciled");
                }
            })
            .await;
    }

    async fn look_at_refund(&self, refund: Refund) -> Result<(), LedgerError> {
        let Some(rail) = self.execute.rails.get(&refund.merchant) else {
            tracing::error!(payment = %refund.payment, merchant = %refund.merchant, "an open refund of a merchant without an account: put its [merchant.wechatpay] back");
            return self.ledger.refund_checked(&refund).await;
        };
        match rail.connector.query_refund(&refund.out_refund_no).await {
            RefundQueryOutcome::Found(report) => match self.settle.reported(&refund, &report).await? {
                Some(event) => {
                    let applied = self.settle.move_refund(&refund, event, Cause::of("reconcile")).await?;
                    if applied.refund.version == refund.version { self.ledger.refund_checked(&refund).await } else { Ok(()) }
                }
                None => self.ledger.refund_checked(&refund).await,
            },
            RefundQueryOutcome::NotFound if refund.state.is_in_doubt() && self.was_long_ago(&refund) => self.send_refund_again(rail, refund).await,
            RefundQueryOutcome::NotFound if refund.state.is_in_doubt() => self.ledger.refund_checked(&refund).await,
            RefundQueryOutcome::NotFound => {
                tracing::error!(payment = %refund.payment, out_refund_no = %refund.out_refund_no, "the payment side does not know a refund it accepted");
                self.ledger.refund_checked(&refund).await
            }
            RefundQueryOutcome::Unknown { why } => {
                tracing::warn!(out_refund_no = %refund.out_refund_no, why, "the payment side could not be asked about a refund");
                self.ledger.refund_checked(&refund).await
            }
            RefundQueryOutcome::Denied { code, .. } => {
                tracing::error!(out_refund_no = %refund.out_refund_no, code, "the payment side refuses this merchant");
                self.ledger.refund_checked(&refund).await
            }
        }
    }

    /// Long enough ago that it would be seen by now: an accepted refund may take seconds to be.
    fn was_long_ago(&self, refund: &Refund) -> bool {
        self.clock.now().0.saturating_sub(refund.updated.0) >= NOT_FOUND_AFTER_MS
    }

    /// The same bytes again. The payment side has just said that nothing arrived: a refusal now is final.
    async fn send_refund_again(&self, rail: &Rail, refund: Refund) -> Result<(), LedgerError> {
        let sent = self.execute.send_refund(rail, refund.clone(), Earlier::NotArrived).await?;
        if sent.version == refund.version { self.ledger.refund_checked(&refund).await } else { Ok(()) }
    }

    /// Shows how many refunds are open.
    pub(in crate::payments) async fn count_refunds(&self) {
        let Ok(counts) = self.ledger.open_refund_counts().await else { return };
        for state in RefundState::ALL.into_iter().filter(|state| !state.is_final()) {
            let count = counts.iter().find(|(of, _)| *of == state).map_or(0, |(_, count)| *count);
            self.metrics.refunds_open.with_label_values(&[state.name()]).set(count);
        }
    }
}
