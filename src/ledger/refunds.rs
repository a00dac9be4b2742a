//! Refunds: recorded once under their identity and never beyond what was paid, moved by compare-and-set; each move takes its payment along
//! in the same commit.

mod row;
mod sql;

use rusqlite::Connection;

use super::{Cause, Ledger, LedgerError};
use crate::clock::UnixMs;
use crate::ids::{MerchantId, OutRefundNo, PaymentId};
use crate::money::Money;
use crate::payment::record::Payment;
use crate::payment::refund::{NewRefund, Refund, RefundDenied};
use crate::payment::refund_state::{RefundEvent, RefundState, RefundStep};

pub(super) use sql::{accepted_between, by_number};

/// Makes the bytes of a refund, once its number and its amount are known.
pub type RefundBody = Box<dyn FnOnce(&Payment, &OutRefundNo, Money) -> Vec<u8> + Send>;

/// What recording a refund came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundOpened {
    /// It is new, and durable.
    New(Refund),
    /// One exists under this identity; nothing was written.
    Existing(Refund),
    /// It may not be; nothing was written.
    Denied(RefundDenied),
}

/// What an event did to a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundApplied {
    /// What the state machine said.
    pub step: RefundStep,
    /// The refund, as it is now.
    pub refund: Refund,
    /// Its payment, as it is now.
    pub payment: Payment,
}

impl Ledger {
    /// Records a refund, durably, or finds the one that exists under its identity. Whether it may be, and how much is left, is looked up in
    /// the same transaction: two at once cannot give back more than was paid. `body` is called only for a new refund.
    pub async fn open_refund(&self, new: NewRefund, body: RefundBody) -> Result<RefundOpened, LedgerError> {
        let now = self.shared.clock.now();
        let (opened, payment) = self.change(move |connection| sql::open(connection, &new, body, now)).await?;
        if let Some(payment) = payment {
            self.count_refund(RefundState::Created);
            self.report(&payment);
        }
        Ok(opened)
    }

    /// Moves a refund by an event, and its payment by what that makes of all its refunds; both with their audit entries in one commit.
    pub async fn apply_refund(&self, refund: &Refund, event: RefundEvent, cause: Cause) -> Result<RefundApplied, LedgerError> {
        let (merchant, number, now) = (refund.merchant.clone(), refund.out_refund_no.clone(), self.shared.clock.now());
        let applied = self.change(move |connection| sql::apply(connection, (&merchant, &number), &event, &cause, now)).await?;
        if let RefundStep::To(state) = applied.step {
            self.count_refund(state);
            self.report(&applied.payment);
        }
        Ok(applied)
    }

    /// Notes that the payment side was asked about a refund and had nothing new: the next question waits longer.
    pub async fn refund_checked(&self, refund: &Refund) -> Result<(), LedgerError> {
        let (merchant, number, now) = (refund.merchant.clone(), refund.out_refund_no.clone(), self.shared.clock.now());
        self.change(move |connection| sql::checked(connection, (&merchant, &number), now)).await
    }

    /// A merchant's refund by its number at the payment side.
    pub async fn refund(&self, merchant: &MerchantId, number: &OutRefundNo) -> Result<Option<Refund>, LedgerError> {
        let (merchant, number) = (merchant.clone(), number.clone());
        self.ask(move |connection| sql::by_number(connection, &merchant, &number)).await
    }

    /// The refunds of a payment, oldest first.
    pub async fn refunds_of(&self, payment: &PaymentId) -> Result<Vec<Refund>, LedgerError> {
        let payment = payment.clone();
        self.ask(move |connection| sql::of_payment(connection, &payment)).await
    }

    /// Refunds the payment side should be asked about by now, the most overdue first.
    pub async fn due_refunds(&self, now: UnixMs, limit: u32) -> Result<Vec<Refund>, LedgerError> {
        self.ask(move |connection| sql::due(connection, now, limit)).await
    }

    /// How many refunds are open, by state.
    pub async fn open_refund_counts(&self) -> Result<Vec<(RefundState, i64)>, LedgerError> {
        self.ask(|connection: &Connection| sql::open_counts(connection)).await
    }

    fn count_refund(&self, state: RefundState) {
        self.shared.metrics.refunds.with_label_values(&[state.name()]).inc();
    }
}

#[cfg(test)]
mod tests;
