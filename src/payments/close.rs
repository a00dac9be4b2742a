//! Close: an order nobody has paid is closed at the payment side, in a task of its own; what became of it is what a query says afterwards.

use super::execute::{Execute, ExecuteError, Rail};
use crate::connectors::{CloseOutcome, QueryOutcome};
use crate::ledger::{AuditNote, Cause, LedgerError};
use crate::payment::record::Payment;

impl Execute {
    /// Asks the payment side to close an order, then how it stands; the payment as it is then. Unless a query says that it is closed it is
    /// not (invariant M5): paid meanwhile is paid, and what cannot be learned now is left to reconciliation.
    pub async fn close(&self, payment: Payment) -> Result<Payment, ExecuteError> {
        let rail = self.rails.get(&payment.merchant).cloned().ok_or_else(|| ExecuteError::NoRail(payment.merchant.clone()))?;
        let this = self.clone();
        let task = self.tasks.vital(async move { this.close_and_ask(&rail, payment).await });
        Ok(task.await.map_err(|e| ExecuteError::Task(e.to_string()))??)
    }

    async fn close_and_ask(&self, rail: &Rail, payment: Payment) -> Result<Payment, LedgerError> {
        let (merchant, id) = (Some(payment.merchant.clone()), Some(payment.id.clone()));
        self.ledger.audit(AuditNote { kind: "close_asked", merchant, payment: id, detail: "the order is asked to be closed".to_owned() }).await?;
        match rail.connector.close(&payment.out_trade_no).await {
            CloseOutcome::Closed | CloseOutcome::AlreadyPaid | CloseOutcome::NotFound => {}
            outcome => tracing::warn!(payment = %payment.id, ?outcome, "an order could not be closed for certain"),
        }
        let QueryOutcome::Found(transaction) = rail.connector.query(&payment.out_trade_no).await else { return Ok(payment) };
        match self.settle.matched(rail, &payment, &transaction).await.event() {
            Some(event) => Ok(self.ledger.apply(&payment.id, event, Cause::of("close")).await?.payment),
            None => Ok(payment),
        }
    }
}
