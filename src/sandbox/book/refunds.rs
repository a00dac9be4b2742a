//! Refunds: accepted once under their number, to the origin only, together never more than was paid; they end in their own time.

use serde_json::{Value, json};

use super::super::accounts::keys::digits;
use super::super::sign::KeyMode;
use super::Open;
use super::order::{Key, Order};
use super::orders::{OrderError, Orders, Trade};
use crate::clock::UnixMs;

/// Most refunds of one order.
const REFUNDS_MAX: usize = 50;

/// How long after the payment money can go back: 365 days, in milliseconds.
const REFUNDABLE_MS: i64 = 365 * 24 * 3_600_000;

/// How a refund stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Processing,
    Success,
    /// Refused for good: the money stays where it is.
    Closed,
    /// The payer's card does not take it: the merchant has to say where it should go.
    Abnormal,
}

impl Status {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Processing => "PROCESSING",
            Self::Success => "SUCCESS",
            Self::Closed => "CLOSED",
            Self::Abnormal => "ABNORMAL",
        }
    }

    /// The final state of this name; success for anything else.
    pub(crate) fn of(word: &str) -> Self {
        [Self::Closed, Self::Abnormal].into_iter().find(|status| status.word() == word).unwrap_or(Self::Success)
    }
}

/// One refund.
#[derive(Clone, Debug)]
pub(crate) struct Refund {
    /// The merchant and its `out_refund_no`.
    pub(crate) key: Key,
    pub(crate) order: Key,
    pub(crate) refund_id: String,
    /// Everything the merchant sent: the same refund again has to be equal in all of it.
    pub(crate) parameters: Value,
    pub(crate) key_mode: KeyMode,
    pub(crate) status: Status,
    /// How it will end.
    pub(crate) becomes: Status,
    pub(crate) accepted_at: UnixMs,
    /// When it ends.
    pub(crate) due_at: UnixMs,
    pub(crate) ended_at: Option<UnixMs>,
    /// Where the money goes, in WeChat Pay's words.
    pub(crate) received_account: &'static str,
    /// The notice's own number, once it has ended.
    pub(crate) notice_id: Option<String>,
}

impl Refund {
    /// What goes back, in fen.
    pub(crate) fn amount(&self) -> i64 {
        self.parameters["amount"]["refund"].as_i64().unwrap_or_default()
    }

    /// Where its end is reported; empty for nowhere.
    pub(crate) fn notify_url(&self) -> &str {
        self.parameters["notify_url"].as_str().unwrap_or_default()
    }
}

/// Why a refund is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefundError {
    /// The refund under this number was asked for with other parameters.
    Differs,
    UnknownOrder,
    UnknownRefund,
    Unpaid,
    /// The total is not the order's.
    OtherTotal,
    /// More than was paid and is not refunded yet.
    TooMuch,
    TooMany,
    /// Too soon after the last refund of this order.
    TooSoon,
    TooLate,
    /// Only an abnormal refund can be sent elsewhere.
    NotAbnormal,
    Unavailable,
}

impl From<OrderError> for RefundError {
    fn from(_: OrderError) -> Self {
        Self::Unavailable
    }
}

/// How the desk wants refunds to go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Course {
    /// How long they take, in milliseconds.
    pub(crate) takes_ms: i64,
    pub(crate) becomes: Status,
    /// Shortest time between two of one order, in milliseconds.
    pub(crate) gap_ms: i64,
}

/// A refund that is asked for.
#[derive(Debug)]
pub(crate) struct WantedRefund<'w> {
    pub(crate) key: Key,
    pub(crate) sub_mchid: &'w str,
    pub(crate) parameters: &'w Value,
    pub(crate) key_mode: KeyMode,
}

impl Orders {
    /// Accepts a refund, or finds the equal one.
    pub(crate) fn refund(&self, wanted: &WantedRefund<'_>, course: Course, now: UnixMs) -> Result<(Order, Refund), RefundError> {
        let mut book = self.0.open();
        let order = book.order_of(wanted).ok_or(RefundError::UnknownOrder)?;
        if let Some(refund) = book.refunds.get(&wanted.key) {
            let equal = refund.parameters == *wanted.parameters;
            return if equal { Ok((order, refund.clone())) } else { Err(RefundError::Differs) };
        }
        book.may_refund(&order, wanted.parameters, course, now)?;
        let refund_id = format!("503{:07}{}", now.seconds() / 86_400, digits(18).map_err(|_| RefundError::Unavailable)?);
        let (key, public_key) = (&wanted.key, wanted.key_mode == KeyMode::PublicKey);
        let entry = json!({
            "is": "refunded", "mchid": key.mchid, "no": key.number, "order": order.key.number, "refund_id": refund_id,
            "parameters": wanted.parameters, "public_key": public_key, "becomes": course.becomes.word(), "at_ms": now.0,
            "due_ms": now.plus_ms(course.takes_ms).0,
        });
        noted(&mut book, &entry, key)
    }

    /// Sends an abnormal refund elsewhere; a refund that is on its way there already is found.
    pub(crate) fn refund_elsewhere(&self, key: &Key, to: &str, course: Course, now: UnixMs) -> Result<(Order, Refund), RefundError> {
        let mut book = self.0.open();
        let refund = book.refunds.get(key).ok_or(RefundError::UnknownRefund)?;
        if refund.status != Status::Abnormal {
            return Err(RefundError::NotAbnormal);
        }
        let entry = json!({"is": "refund_again", "mchid": key.mchid, "no": key.number, "to": to, "due_ms": now.plus_ms(course.takes_ms).0});
        noted(&mut book, &entry, key)
    }

    /// The refund under a merchant's number, and its order.
    pub(crate) fn refund_by_number(&self, key: &Key) -> Option<(Order, Refund)> {
        self.0.open().refund_and_order(key)
    }

    /// The refund under WeChat Pay's number, and its order.
    pub(crate) fn refund_by_id(&self, refund_id: &str) -> Option<(Order, Refund)> {
        let book = self.0.open();
        book.refund_and_order(book.refund_ids.get(refund_id)?)
    }

    /// Every refund, by number.
    pub(crate) fn all_refunds(&self) -> Vec<Refund> {
        self.0.open().refunds.values().cloned().collect()
    }
}

fn noted(book: &mut Open<'_, Trade>, entry: &Value, key: &Key) -> Result<(Order, Refund), RefundError> {
    book.note(entry).map_err(|_| RefundError::Unavailable)?;
    book.refund_and_order(key).ok_or(RefundError::Unavailable)
}

impl Trade {
    pub(super) fn refund_and_order(&self, key: &Key) -> Option<(Order, Refund)> {
        let refund = self.refunds.get(key)?;
        Some((self.orders.get(&refund.order)?.clone(), refund.clone()))
    }

    /// The order a refund names: by both numbers it must be the same one.
    fn order_of(&self, wanted: &WantedRefund<'_>) -> Option<Order> {
        let (parameters, mchid) = (wanted.parameters, &wanted.key.mchid);
        let by_id = parameters["transaction_id"].as_str().map(|id| self.transactions.get(id));
        let by_number = parameters["out_trade_no"].as_str().map(|number| Key::new(mchid, number));
        let key = match (by_id, by_number) {
            (Some(id), Some(number)) => id.filter(|key| **key == number)?.clone(),
            (Some(id), None) => id?.clone(),
            (None, number) => number?,
        };
        self.orders.get(&key).filter(|order| order.key.mchid == *mchid && order.sub_mchid() == wanted.sub_mchid).cloned()
    }

    fn may_refund(&self, order: &Order, parameters: &Value, course: Course, now: UnixMs) -> Result<(), RefundError> {
        let paid_at = order.paid_at.filter(|_| order.state.is_paid()).ok_or(RefundError::Unpaid)?;
        let amount = |name: &str| parameters["amount"][name].as_i64().unwrap_or_default();
        if amount("total") != order.total() {
            return Err(RefundError::OtherTotal);
        }
        if now > paid_at.plus_ms(REFUNDABLE_MS) {
            return Err(RefundError::TooLate);
        }
        // What failed for good does not count; what is under way or waits for another account does.
        let numbers = order.refunds.iter().map(|number| Key::new(&order.key.mchid, number));
        let counting: Vec<&Refund> = numbers.filter_map(|key| self.refunds.get(&key)).filter(|refund| refund.status != Status::Closed).collect();
        if counting.len() >= REFUNDS_MAX {
            return Err(RefundError::TooMany);
        }
        if counting.iter().map(|refund| refund.amount()).sum::<i64>() + amount("refund") > order.total() {
            return Err(RefundError::TooMuch);
        }
        let is_soon = counting.iter().any(|refund| now < refund.accepted_at.plus_ms(course.gap_ms));
        if is_soon { Err(RefundError::TooSoon) } else { Ok(()) }
    }
}
