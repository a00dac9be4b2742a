//! Orders in words every rail shares: what is asked of a payer, and what became of it.

use crate::ids::OutTradeNo;
use crate::payment::terms::Terms;

/// An order about to be written.
#[derive(Clone, Copy, Debug)]
pub struct OrderDraft<'a> {
    /// Its number.
    pub out_trade_no: &'a OutTradeNo,
    /// What the payer is asked to agree to.
    pub terms: &'a Terms,
    /// Where the rail reports.
    pub notify_url: &'a str,
}

/// What became of a sent order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreateOutcome {
    /// It exists and waits for the payer.
    Ordered {
        /// The text of the QR code.
        code_url: String,
    },
    /// Not a byte has left: it may be sent again at once.
    NotSent {
        /// For the log.
        why: String,
    },
    /// It may exist: no answer, an answer that cannot be believed, or the rail does not know itself.
    Unknown {
        /// For the audit trail.
        why: String,
    },
    /// The rail is over its limit and made nothing: it may be sent again after a while.
    Busy {
        /// For the log.
        why: String,
    },
    /// It exists and is paid.
    AlreadyPaid,
    /// It exists and is closed.
    AlreadyClosed,
    /// Another order stands under this number.
    Conflict {
        /// The rail's code.
        code: String,
        /// The rail's text.
        message: String,
    },
    /// The rail refused the order: nothing was made.
    Refused {
        /// The rail's code.
        code: String,
        /// The rail's text.
        message: String,
    },
    /// The rail refused the merchant (keys, permissions): nothing was made, and the operator has to look.
    Denied {
        /// The rail's code.
        code: String,
        /// The rail's text.
        message: String,
    },
}

/// What became of a question about an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryOutcome {
    /// The order, as the rail has it. Verified; not yet matched against the ledger.
    Found(Transaction),
    /// The rail has no such order (now; an order under way may still arrive).
    NotFound,
    /// It could not be learned.
    Unknown {
        /// For the log.
        why: String,
    },
    /// The rail refused the merchant.
    Denied {
        /// The rail's code.
        code: String,
        /// The rail's text.
        message: String,
    },
}

/// What became of closing an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseOutcome {
    /// It is closed, now or since before.
    Closed,
    /// It is paid: it cannot be closed, only refunded.
    AlreadyPaid,
    /// The rail has no such order (now; an order under way may still arrive).
    NotFound,
    /// Not a byte has left: it may be asked again at once.
    NotSent {
        /// For the log.
        why: String,
    },
    /// It may be closed: ask how the order stands. Closing again does no harm.
    Unknown {
        /// For the audit trail.
        why: String,
    },
    /// The rail is over its limit and did nothing: it may be asked again after a while.
    Busy {
        /// For the log.
        why: String,
    },
    /// The rail does not close this order.
    Refused {
        /// The rail's code.
        code: String,
        /// The rail's text.
        message: String,
    },
    /// The rail refused the merchant (keys, permissions): nothing was done, and the operator has to look.
    Denied {
        /// The rail's code.
        code: String,
        /// The rail's text.
        message: String,
    },
}

/// An order as a rail reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Merchant number.
    pub mchid: String,
    /// Application.
    pub appid: String,
    /// The order's number.
    pub out_trade_no: String,
    /// How it stands.
    pub trade_state: TradeState,
    /// The rail's own number, once paid.
    pub transaction_id: Option<String>,
    /// RFC 3339, once paid.
    pub success_time: Option<String>,
    /// The order's amount in fen.
    pub amount_total: Option<i64>,
    /// Its currency; WeChat Pay leaves it out of unpaid orders.
    pub currency: Option<String>,
}

/// WeChat Pay's `trade_state`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TradeState {
    /// Paid.
    Success,
    /// Paid, and a refund was made (also a partial one).
    Refund,
    /// Waits for the payer.
    NotPay,
    /// Closed unpaid.
    Closed,
    /// Reversed (code pay).
    Revoked,
    /// The payer is entering a password (code pay).
    UserPaying,
    /// The attempt failed (code pay).
    PayError,
    /// A word of the future.
    Other(String),
}
