//! A payment as the ledger keeps it, and what is needed to open one.

use super::state::State;
use super::terms::{AmountSource, DecidedBy, Terms};
use crate::clock::UnixMs;
use crate::ids::{Fingerprint, IdempotencyKey, MerchantId, OutTradeNo, PaymentId, RequestId};
use crate::money::Money;

/// Which payment a request means: what makes two requests the same payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The merchant named it: `payment.idempotency_key`. It names a cart, and a conversation about one cart goes on.
    Named(IdempotencyKey),
    /// The client named the request: the `Idempotency-Key` header. Another body under it is a mistake.
    Keyed(IdempotencyKey),
    /// Nobody named it: the same request of the same merchant within [`Identity::WINDOW_MS`] is the same payment, and so is any request for
    /// the same order of the merchant's while that order is paid or may still be.
    Derived,
    /// The caller wrote the order itself, under this number of its own: the number is the payment.
    Numbered(OutTradeNo),
}

impl Identity {
    /// How long a request without an idempotency key is taken for a repetition of its equal, counted from the first: OpenAI's SDKs ask three
    /// times and wait up to ten minutes each time, with pauses between.
    pub const WINDOW_MS: i64 = 35 * 60 * 1_000;

    /// The same while the first one's order waits to be paid: as long as its QR code lives.
    pub const OPEN_WINDOW_MS: i64 = 2 * 60 * 60 * 1_000;
}

/// What is written before the first byte leaves for the payment side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPayment {
    /// Whose payment.
    pub merchant: MerchantId,
    /// What makes it the same as another.
    pub identity: Identity,
    /// The request that asked for it.
    pub fingerprint: Fingerprint,
    /// For the log and the audit trail.
    pub request_id: RequestId,
    /// What the payer will be asked to agree to.
    pub terms: Terms,
    /// Where the amount came from.
    pub amount_source: AmountSource,
    /// Who determined the order.
    pub decided_by: DecidedBy,
    /// The model that proposed it, as its provider names it; `None` without a model.
    pub model_version: Option<String>,
    /// The merchant's order number, if it gave one. Without a key of the caller's, one live payment exists for it at most.
    pub order_id: Option<String>,
}

/// A payment, as the ledger has it at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Its public name.
    pub id: PaymentId,
    /// Whose it is.
    pub merchant: MerchantId,
    /// The key it exists once under.
    pub key: IdempotencyKey,
    /// The request that asked for it first.
    pub fingerprint: Fingerprint,
    /// Its number at the payment side.
    pub out_trade_no: OutTradeNo,
    /// What the payer is asked to agree to.
    pub terms: Terms,
    /// Where the amount came from.
    pub amount_source: AmountSource,
    /// Who determined the order.
    pub decided_by: DecidedBy,
    /// The model that proposed it.
    pub model_version: Option<String>,
    /// The merchant's order number.
    pub order_id: Option<String>,
    /// Where it stands.
    pub state: State,
    /// Counts its moves; compare-and-set compares it.
    pub version: i64,
    /// The exact bytes of the order sent to the payment side, frozen before the first sending (invariant M3).
    pub order_body: Vec<u8>,
    /// What the payer's side begins with, once the order exists: a QR code's text, a `prepay_id` or an address, by the method.
    pub code_url: Option<String>,
    /// WeChat Pay's number of the transaction, once paid.
    pub transaction_id: Option<String>,
    /// RFC 3339 time of payment as the payment side states it, once paid.
    pub success_time: Option<String>,
    /// What has certainly been given back so far; `None` for nothing.
    pub refunded: Option<Money>,
    /// Why it failed or is unknown, in the words of the payment side or of a socket: for the operator, never shown to callers.
    pub reason: Option<String>,
    /// When it was recorded.
    pub created: UnixMs,
    /// When it last moved.
    pub updated: UnixMs,
    /// How often the payment side has been asked about it.
    pub checks: u32,
    /// When to ask next; `None` when nothing more is expected.
    pub next_check: Option<UnixMs>,
}

impl Payment {
    /// Whether `new` means this very payment: the same amount, the same order number where both have one, and the same title where it is the
    /// merchant's own. A title in a model's words may differ from one time to the next. A key that names a request means one request.
    pub fn is_of(&self, new: &NewPayment) -> bool {
        if matches!(&new.identity, Identity::Keyed(_)) && self.fingerprint != new.fingerprint {
            return false;
        }
        let same_number = self.order_id.is_none() || new.order_id.is_none() || self.order_id == new.order_id;
        let titled_by_merchant = [self.amount_source, new.amount_source].iter().all(|source| *source == AmountSource::MerchantOrder);
        let same_title = !titled_by_merchant || self.terms.description == new.terms.description;
        self.terms.amount == new.terms.amount && same_number && same_title
    }
}
