//! A `refund` call: grounded, approved, recorded, sent.

use tokio::time::Instant;

use super::{Carry, Done, Stop};
use crate::chat::call::{ChatCall, PaymentPart};
use crate::payment::record::Payment;
use crate::payments::decide::decide_refund;
use crate::payments::execute::{ExecuteError, Rail};
use crate::payments::interpret::{CallRefusal, RefundProposal};
use crate::payments::refunds::ground::ground;
use crate::refusal::Refusal;

impl Carry {
    pub(super) async fn refund(
        &self,
        call: &ChatCall,
        part: &PaymentPart,
        (proposal, payment): (RefundProposal, Payment),
        model: Option<&str>,
    ) -> Result<Done, Stop> {
        // A payment nobody has told us of yet may have been paid meanwhile.
        let payment = self.fresh(payment).await.map_err(Stop::Question)?;
        let approved = decide_refund(ground(proposal, &payment, part)?, model.map(str::to_owned), call, part)?;
        let started = Instant::now();
        let executed = self.execute.refund(approved).await;
        call.stopwatch.waited(started.elapsed());
        let refund = executed.map_err(|e| match e {
            ExecuteError::Denied(denied) => CallRefusal::new(denied.reason(), denied.to_string()).into(),
            e => Stop::Question(e.into()),
        })?;
        let payment = self.execute.ledger.payment(&payment.id).await.map_err(|e| Stop::Question(e.into()))?.unwrap_or(payment);
        Ok(Done { payment, refund: Some(refund), closing: false })
    }

    /// The payment after its open refunds have been asked about.
    pub(super) async fn with_fresh_refunds(&self, rail: &Rail, payment: Payment) -> Result<Payment, Refusal> {
        for refund in self.execute.ledger.refunds_of(&payment.id).await?.into_iter().filter(|refund| !refund.state.is_final()) {
            self.settle.ask_refund(rail, refund).await?;
        }
        Ok(self.execute.ledger.payment(&payment.id).await?.unwrap_or(payment))
    }
}
