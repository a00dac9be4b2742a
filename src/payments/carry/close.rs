//! A `close` call: only for an order nobody has paid, and closed only once a query says so. Paid meanwhile is paid.

use tokio::time::Instant;

use super::{Carry, Done, Stop};
use crate::chat::call::ChatCall;
use crate::payment::record::Payment;
use crate::payment::state::State;
use crate::payments::interpret::CallRefusal;

impl Carry {
    pub(super) async fn close(&self, call: &ChatCall, payment: Payment) -> Result<Done, Stop> {
        let payment = match payment.state {
            State::Closed | State::Failed => payment,
            State::AwaitingUser => {
                let started = Instant::now();
                let closed = self.execute.close(payment).await;
                call.stopwatch.waited(started.elapsed());
                closed.map_err(|e| Stop::Question(e.into()))?
            }
            State::Created | State::Unknown => {
                return Err(CallRefusal::new("close_in_doubt", "whether this order exists is still being confirmed; ask again in a moment").into());
            }
            State::Paid | State::Refunding | State::PartiallyRefunded | State::Refunded => payment,
        };
        if payment.state.is_paid() {
            return Err(CallRefusal::new(
                "close_paid",
                "this order is paid and cannot be closed; it can only be refunded, if the user asks for that",
            )
            .into());
        }
        Ok(Done { payment, refund: None, closing: true })
    }
}
