//! Orders a merchant writes itself, over the classic path: recorded before they are sent, byte for byte as they will be sent, under the
//! merchant's own number. What the payment side answers goes back as it is; from then on they are payments like any other.

use bytes::Bytes;

use super::execute::{Earlier, Execute, ExecuteError, Rail};
use crate::connectors::pace::Turn;
use crate::connectors::wechatpay::call::PlainAnswer;
use crate::connectors::{CreateOutcome, Placed};
use crate::ids::{Fingerprint, MerchantId, OutTradeNo, RequestId};
use crate::ledger::{Cause, LedgerError, Opened, OrderBody};
use crate::payment::record::{Identity, NewPayment, Payment};
use crate::payment::state::{Event, State};
use crate::payment::terms::{AmountSource, DecidedBy, Terms};

/// An order as its merchant wrote it.
#[derive(Debug)]
pub struct WrittenOrder {
    /// Whose.
    pub merchant: MerchantId,
    /// Its number, the merchant's own.
    pub out_trade_no: OutTradeNo,
    /// What it says.
    pub terms: Terms,
    /// The bytes that are sent.
    pub body: Bytes,
    /// Where the merchant wants to be told; `None` if it does not.
    pub notify_url: Option<String>,
    /// For the log and the audit trail.
    pub request_id: RequestId,
}

/// What became of it.
#[derive(Debug)]
pub enum Written {
    /// The payment side answered.
    Answered(PlainAnswer),
    /// Not a byte has left.
    NotSent,
    /// It may exist; fengate goes on asking.
    Unknown,
    /// Another request for this number is under way, and takes long.
    InFlight,
    /// Another order stands under this number.
    Another,
    /// It has come to an end: nothing is sent any more.
    Ended(State),
}

impl Execute {
    /// Records and sends an order a merchant wrote, in a task that outlives the caller. The same order again is sent again as it was: the
    /// payment side finds the first by its number.
    pub async fn written(&self, turn: Turn, order: WrittenOrder) -> Result<Written, ExecuteError> {
        let this = self.clone();
        let task = self.tasks.vital(async move { this.record_written(turn, order).await });
        task.await.map_err(|e| ExecuteError::Task(e.to_string()))?
    }

    async fn record_written(&self, turn: Turn, order: WrittenOrder) -> Result<Written, ExecuteError> {
        let rail = self.rails.get(&order.merchant).cloned().ok_or_else(|| ExecuteError::NoRail(order.merchant.clone()))?;
        let Some(_flight) = rail.connector.only_flight(&order.out_trade_no).await else { return Ok(Written::InFlight) };
        let body = order.body.clone();
        match self.recorded(order).await.map_err(ExecuteError::NotRecorded)? {
            Opened::New(payment) => Ok(self.sent(turn, &rail, payment, Earlier::None).await?),
            Opened::Existing(payment) if payment.decided_by != DecidedBy::Classic || payment.order_body != body => Ok(Written::Another),
            Opened::Existing(payment) if payment.state.is_paid() || payment.state.is_final() => Ok(Written::Ended(payment.state)),
            Opened::Existing(payment) => Ok(self.sent(turn, &rail, payment, Earlier::InDoubt).await?),
        }
    }

    async fn recorded(&self, order: WrittenOrder) -> Result<Opened, LedgerError> {
        let new = NewPayment {
            merchant: order.merchant,
            identity: Identity::Numbered(order.out_trade_no),
            fingerprint: Fingerprint::of(&[&order.body]),
            request_id: order.request_id,
            terms: order.terms,
            amount_source: AmountSource::MerchantOrder,
            decided_by: DecidedBy::Classic,
            model_version: None,
            order_id: None,
        };
        let body = order.body;
        let body: OrderBody = Box::new(move |_, _| body.to_vec());
        match order.notify_url {
            Some(url) => self.ledger.open_payment_telling(new, body, url).await,
            None => self.ledger.open_payment(new, body).await,
        }
    }

    async fn sent(&self, turn: Turn, rail: &Rail, payment: Payment, earlier: Earlier) -> Result<Written, LedgerError> {
        let Placed { outcome, answer } = rail.connector.place(turn, payment.terms.method.into(), &payment.order_body).await;
        let never_left = matches!(outcome, CreateOutcome::NotSent { .. });
        let event = match outcome {
            // The number is another order's, made before and elsewhere: this one was not.
            CreateOutcome::Conflict { code, message } if earlier == Earlier::None => Some(Event::Refused { why: format!("{code}: {message}") }),
            outcome => self.learned(rail, &payment, outcome, earlier).await,
        };
        if let Some(event) = event {
            self.ledger.apply(&payment.id, event, Cause::of("create_answer")).await?;
        }
        Ok(match answer {
            Some(answer) => Written::Answered(answer),
            None if never_left => Written::NotSent,
            None => Written::Unknown,
        })
    }
}
