//! Refunds in words every rail shares: money that goes back to where it came from, and what became of it.

use crate::ids::{OutRefundNo, OutTradeNo};
use crate::money::Money;

/// A refund about to be written.
#[derive(Clone, Copy, Debug)]
pub struct RefundDraft<'a> {
    /// The paid order.
    pub out_trade_no: &'a OutTradeNo,
    /// The refund's own number: the rail makes one refund of it, however often it is sent.
    pub out_refund_no: &'a OutRefundNo,
    /// What goes back.
    pub refund: Money,
    /// What the order was about.
    pub total: Money,
    /// What the payer reads; at most 80 bytes of it are sent.
    pub reason: Option<&'a str>,
    /// Where the rail reports.
    pub notify_url: &'a str,
}

/// What became of a sent refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundOutcome {
    /// The rail has it. Accepted is not refunded: its status says how it stands.
    Accepted(Refund),
    /// Not a byte has left: it may be sent again at once.
    NotSent {
        /// For the log.
        why: String,
    },
    /// It may be under way, also after 429: ask with the same number; if there is none, send the same bytes again.
    Unknown {
        /// For the audit trail.
        why: String,
    },
    /// The merchant's balance is short and nothing was made: the same bytes again later, once there is money.
    NotEnough {
        /// The rail's code.
        code: String,
        /// The rail's text.
        message: String,
    },
    /// Another refund stands under this number.
    Conflict {
        /// The rail's code.
        code: String,
        /// The rail's text.
        message: String,
    },
    /// The rail refused the refund: nothing was made, and it may not be repeated.
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

/// What became of a question about a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundQueryOutcome {
    /// The refund, as the rail has it. Verified; not yet matched against the ledger.
    Found(Refund),
    /// The rail has no such refund now. An accepted one may take seconds to be seen.
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

/// A refund as a rail reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Merchant number. Notices carry it; answers of WeChat Pay do not.
    pub mchid: Option<String>,
    /// The order's number.
    pub out_trade_no: String,
    /// The rail's own number of the order.
    pub transaction_id: String,
    /// The refund's number.
    pub out_refund_no: String,
    /// The rail's own number of the refund.
    pub refund_id: String,
    /// How it stands.
    pub status: RefundStatus,
    /// RFC 3339, once refunded.
    pub success_time: Option<String>,
    /// Where the money went, in the rail's words.
    pub user_received_account: Option<String>,
    /// The order's amount in fen.
    pub amount_total_fen: i64,
    /// What goes back, in fen.
    pub amount_refund_fen: i64,
    /// Its currency; WeChat Pay leaves it out of notices.
    pub currency: Option<String>,
}

/// WeChat Pay's `status` of a refund (`refund_status` in notices).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundStatus {
    /// Accepted and under way; for days, at times.
    Processing,
    /// The money is back.
    Success,
    /// Refused for good: no money moved.
    Closed,
    /// The origin cannot take the money (a card that is gone): a person must name another way.
    Abnormal,
    /// A word of the future.
    Other(String),
}
