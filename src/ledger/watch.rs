//! Watch: waits for what another caller is finding out.

use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::{Ledger, LedgerError};
use crate::ids::PaymentId;
use crate::payment::record::Payment;
use crate::payment::refund::Refund;
use crate::payment::refund_state::RefundState;
use crate::payment::state::State;

/// How long a second caller waits for the first one's order to be made.
const FIRST_CALLER: Duration = Duration::from_secs(10);

impl Ledger {
    /// A payment somebody else recorded, as it stands once its order was sent and something is known about it, so that every caller sees the
    /// same QR code. Waits ten seconds at most; what was not learned by then is told as it is.
    pub async fn once_sent(&self, payment: Payment) -> Result<Payment, LedgerError> {
        if payment.state != State::Created {
            return Ok(payment);
        }
        match tokio::time::timeout(FIRST_CALLER, self.until_sent(&payment.id)).await {
            Ok(known) => known,
            Err(_) => Ok(self.payment(&payment.id).await?.unwrap_or(payment)),
        }
    }

    /// The same of a refund somebody else recorded.
    pub async fn refund_once_sent(&self, refund: Refund) -> Result<Refund, LedgerError> {
        if refund.state != RefundState::Created {
            return Ok(refund);
        }
        match tokio::time::timeout(FIRST_CALLER, self.until_refund_sent(&refund)).await {
            Ok(known) => known,
            Err(_) => Ok(self.refund(&refund.merchant, &refund.out_refund_no).await?.unwrap_or(refund)),
        }
    }

    async fn until_refund_sent(&self, refund: &Refund) -> Result<Refund, LedgerError> {
        let mut changes = self.changes();
        loop {
            match self.refund(&refund.merchant, &refund.out_refund_no).await? {
                Some(now) if now.state != RefundState::Created => return Ok(now),
                _ => until_change_of(&mut changes, &refund.payment).await,
            }
        }
    }

    async fn until_sent(&self, id: &PaymentId) -> Result<Payment, LedgerError> {
        let mut changes = self.changes();
        loop {
            match self.payment(id).await? {
                Some(now) if now.state != State::Created => return Ok(now),
                _ => until_change_of(&mut changes, id).await,
            }
        }
    }
}

/// Waits until the ledger reports a change of `id`, or may have dropped such a report.
async fn until_change_of(changes: &mut Receiver<PaymentId>, id: &PaymentId) {
    loop {
        match changes.recv().await {
            Ok(changed) if changed == *id => return,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
