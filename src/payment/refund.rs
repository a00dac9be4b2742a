//! A refund as the ledger keeps it, what is needed to open one, and why one is not opened.

use super::record::Payment;
use super::refund_state::{RefundEvent, RefundState};
use super::state::State;
use super::terms::{AmountSource, DecidedBy};
use crate::clock::UnixMs;
use crate::ids::{Fingerprint, IdempotencyKey, MerchantId, OutRefundNo, OutTradeNo, PaymentId, RequestId};
use crate::money::Money;

/// Most refunds of one order that did not fail (WeChat Pay's rule; failed attempts do not count).
pub const REFUNDS_MAX: u32 = 50;

/// Least time between two refunds of one order, in milliseconds (WeChat Pay's rule).
pub const REFUND_GAP_MS: i64 = 60_000;

/// What makes two requests the same refund of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundIdentity {
    /// The merchant's own number of the refund (`payment.refund.id`).
    Merchant(IdempotencyKey),
    /// The client named the request (`Idempotency-Key`).
    Request(IdempotencyKey),
    /// Nobody named it: the same wish in the same conversation, however late, is the same refund. Money out errs on the side of once.
    Derived(Fingerprint),
}

impl RefundIdentity {
    /// The key the refund exists once under, within its payment. The three kinds cannot meet.
    pub fn key(&self) -> IdempotencyKey {
        IdempotencyKey::new(match self {
            Self::Merchant(id) => format!("m:{id}"),
            Self::Request(key) => format!("n:{key}"),
            Self::Derived(fingerprint) => format!("d:{fingerprint}"),
        })
    }
}

/// How much goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundAmount {
    /// This much.
    Exactly(Money),
    /// All that was paid and not given back, and only if that is this much.
    RemainingOf(Money),
    /// All that was paid and not given back.
    Remaining,
}

/// What is written before the first byte leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRefund {
    /// Whose payment.
    pub merchant: MerchantId,
    /// Which payment.
    pub payment: PaymentId,
    /// What makes it the same as another.
    pub identity: RefundIdentity,
    /// The request that asked for it.
    pub fingerprint: Fingerprint,
    /// For the log and the audit trail.
    pub request_id: RequestId,
    /// How much.
    pub amount: RefundAmount,
    /// Where the amount came from.
    pub amount_source: AmountSource,
    /// What the payer reads.
    pub reason: Option<String>,
    /// Who determined it.
    pub decided_by: DecidedBy,
    /// The model that proposed it.
    pub model_version: Option<String>,
}

/// A refund, as the ledger has it at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Its number at the payment side.
    pub out_refund_no: OutRefundNo,
    /// Whose it is.
    pub merchant: MerchantId,
    /// The payment it gives back from.
    pub payment: PaymentId,
    /// That payment's number.
    pub out_trade_no: OutTradeNo,
    /// That payment's amount.
    pub total: Money,
    /// The request that asked for it first.
    pub fingerprint: Fingerprint,
    /// How much goes back.
    pub amount: Money,
    /// Where the amount came from.
    pub amount_source: AmountSource,
    /// What the payer reads.
    pub reason: Option<String>,
    /// Who determined it.
    pub decided_by: DecidedBy,
    /// Where it stands.
    pub state: RefundState,
    /// Counts its moves; compare-and-set compares it.
    pub version: i64,
    /// The exact bytes sent to the payment side, frozen before the first sending.
    pub body: Vec<u8>,
    /// The payment side's number, once accepted.
    pub refund_id: Option<String>,
    /// RFC 3339, once refunded.
    pub success_time: Option<String>,
    /// Why it failed, waits or is unknown; for the operator.
    pub why: Option<String>,
    /// When it was recorded.
    pub created: UnixMs,
    /// When it last moved.
    pub updated: UnixMs,
    /// How often the payment side has been asked about it since.
    pub checks: u32,
    /// When to ask next.
    pub next_check: Option<UnixMs>,
}

/// Why a refund was not recorded. Nothing has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefundDenied {
    /// Nothing was paid.
    #[error("this payment stands at {}; only what was paid can be refunded", .0.name())]
    NotPaid(State),
    /// Everything was given back, or is on its way.
    #[error("nothing of this payment is left to refund: all of it was refunded or is being refunded")]
    NothingLeft,
    /// More than what is left.
    #[error("only {0} of this payment is left to refund")]
    MoreThanLeft(Money),
    /// The amount was taken for all that is left, and is not.
    #[error("{0} of this payment is left to refund, which is not the amount named; ask the user which amount is meant")]
    NotWhatIsLeft(Money),
    /// Nobody knows yet whether an earlier refund went through.
    #[error("an earlier refund of this payment is still being confirmed; ask again later, and start no other")]
    InDoubt,
    /// The rail allows one a minute.
    #[error("less than a minute has passed since the last refund of this payment; try again in a minute")]
    TooSoon,
    /// The rail allows fifty.
    #[error("this payment has had {REFUNDS_MAX} refunds, the most there can be")]
    TooMany,
    /// Another request used this name for a refund of this payment.
    #[error("this name was used for another refund of this payment; a new refund needs a new name")]
    NameReused,
}

impl RefundDenied {
    /// The word in metrics and for the model.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NotPaid(_) => "refund_not_paid",
            Self::NothingLeft => "refund_nothing_left",
            Self::MoreThanLeft(_) => "refund_more_than_left",
            Self::NotWhatIsLeft(_) => "amount_mismatch",
            Self::InDoubt => "refund_in_doubt",
            Self::TooSoon => "refund_too_soon",
            Self::TooMany => "refund_too_many",
            Self::NameReused => "refund_name_reused",
        }
    }
}

/// What the refunds of a payment come to so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Given back for certain, in minor units.
    pub refunded_minor: i64,
    /// Given back, under way or in doubt: whatever may yet leave, in minor units.
    pub live_minor: i64,
    /// How many are not failed.
    pub live: u32,
    /// How many are not final.
    pub open: u32,
    /// How many are in doubt.
    pub in_doubt: u32,
    /// When the last one was recorded, failed ones included.
    pub last: Option<UnixMs>,
}

/// How much a new refund of `payment` gives back, if it may be. Pure: the ledger asks it inside the transaction that records the refund.
pub fn allowed(payment: &Payment, totals: Totals, asked: RefundAmount, now: UnixMs) -> Result<Money, RefundDenied> {
    if !payment.state.is_paid() {
        return Err(RefundDenied::NotPaid(payment.state));
    }
    let left = Money::fen(payment.terms.amount.minor() - totals.live_minor).map_err(|_| RefundDenied::NothingLeft)?;
    if totals.in_doubt > 0 {
        return Err(RefundDenied::InDoubt);
    }
    if totals.live >= REFUNDS_MAX {
        return Err(RefundDenied::TooMany);
    }
    if totals.last.is_some_and(|last| now.0.saturating_sub(last.0) < REFUND_GAP_MS) {
        return Err(RefundDenied::TooSoon);
    }
    match asked {
        RefundAmount::Exactly(amount) if amount.minor() > left.minor() => Err(RefundDenied::MoreThanLeft(left)),
        RefundAmount::RemainingOf(amount) if amount != left => Err(RefundDenied::NotWhatIsLeft(left)),
        RefundAmount::Exactly(amount) => Ok(amount),
        RefundAmount::RemainingOf(_) | RefundAmount::Remaining => Ok(left),
    }
}

/// What an event writes into a refund's row beside its state: the rail's number, the time of success, why.
pub fn facts(event: &RefundEvent) -> (Option<&str>, Option<&str>, Option<&str>) {
    match event {
        RefundEvent::OutcomeUnknown { why } | RefundEvent::NotEnough { why } | RefundEvent::Refused { why } => (None, None, Some(why)),
        RefundEvent::Accepted { refund_id } => (Some(refund_id), None, None),
        RefundEvent::Abnormal { refund_id } => (Some(refund_id), None, Some("the origin cannot take the money: see to it at the payment side")),
        RefundEvent::Refunded { refund_id, success_time } => (Some(refund_id), Some(success_time), None),
        RefundEvent::Closed { refund_id } => (Some(refund_id), None, Some("closed by the payment side")),
    }
}
