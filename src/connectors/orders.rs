//! Orders in words every rail shares: what is asked of a payer, and what became of it.

use std::net::IpAddr;

use super::wechatpay::call::PlainAnswer;
use crate::clock::UnixMs;
use crate::ids::OutTradeNo;
use crate::payment::terms::{Method, Terms};

/// An order about to be written.
#[derive(Clone, Copy, Debug)]
pub struct OrderDraft<'a> {
    /// Its number.
    pub out_trade_no: &'a OutTradeNo,
    /// What the payer is asked to agree to.
    pub terms: &'a Terms,
    /// Where the rail reports.
    pub notify_url: &'a str,
    /// How the payer comes to it.
    pub trade: Trade<'a>,
    /// What only some orders have.
    pub details: OrderDetails<'a>,
}

impl<'a> OrderDraft<'a> {
    /// An order the payer comes to by scanning a code.
    pub fn native(out_trade_no: &'a OutTradeNo, terms: &'a Terms, notify_url: &'a str) -> Self {
        Self { out_trade_no, terms, notify_url, trade: Trade::Native, details: OrderDetails::default() }
    }
}

/// How the payer comes to an order.
#[derive(Clone, Copy, Debug)]
pub enum Trade<'a> {
    /// Scans a QR code.
    Native,
    /// Pays where they are, inside WeChat: a page or a mini-program.
    Jsapi {
        /// The payer in the application that invokes the payment: the sub-merchant's if it has one, else the account's.
        openid: &'a str,
    },
    /// Pays from another app.
    App,
    /// Pays from a browser outside WeChat.
    H5 {
        /// The payer's address as their own browser is seen.
        payer_client_ip: IpAddr,
        /// What the browser runs on: `Wap`, `iOS` or `Android`.
        browser: H5Browser,
    },
}

/// What a payer's browser runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum H5Browser {
    /// Any browser.
    Wap,
    /// An app's own on iOS.
    Ios,
    /// An app's own on Android.
    Android,
}

/// WeChat Pay's kinds of orders, as far as one is made by the merchant and paid by the payer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TradeType {
    /// A QR code.
    Native,
    /// Inside WeChat, mini-programs included.
    Jsapi,
    /// From another app.
    App,
    /// From a browser.
    H5,
}

impl From<Method> for TradeType {
    fn from(method: Method) -> Self {
        match method {
            Method::WechatNative => Self::Native,
            Method::WechatJsapi => Self::Jsapi,
            Method::WechatApp => Self::App,
            Method::WechatH5 => Self::H5,
        }
    }
}

impl Trade<'_> {
    /// Which kind of order it makes.
    pub fn trade_type(&self) -> TradeType {
        match self {
            Self::Native => TradeType::Native,
            Self::Jsapi { .. } => TradeType::Jsapi,
            Self::App => TradeType::App,
            Self::H5 { .. } => TradeType::H5,
        }
    }
}

/// What only some orders have. What is not needed is left out of the order.
#[derive(Clone, Copy, Debug, Default)]
pub struct OrderDetails<'a> {
    /// When it can be paid no longer; at least a minute from now. Only the first sending counts.
    pub expires: Option<UnixMs>,
    /// Given back in queries and notices once it is paid: 1 to 128 characters.
    pub attach: Option<&'a str>,
    /// Marks it for coupons.
    pub goods_tag: Option<&'a str>,
    /// Whether the money is frozen for profit sharing.
    pub profit_sharing: bool,
}

/// What the payer's side is given to begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invitation {
    /// The text of a QR code; two hours.
    Code {
        /// Shown to the payer.
        code_url: String,
    },
    /// What a client invokes the payment with; two hours.
    Prepay {
        /// Never alone: with the signed parameters of [`super::Connector::client_parameters`].
        prepay_id: String,
    },
    /// A page to send the browser to; five minutes.
    Page {
        /// May be extended by `&redirect_url=` only.
        h5_url: String,
    },
}

impl Invitation {
    /// The one text it is.
    pub fn into_text(self) -> String {
        match self {
            Self::Code { code_url } => code_url,
            Self::Prepay { prepay_id } => prepay_id,
            Self::Page { h5_url } => h5_url,
        }
    }
}

/// What became of a sent order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreateOutcome {
    /// It exists and waits for the payer.
    Ordered(Invitation),
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

/// What became of an order its merchant wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// What it means.
    pub outcome: CreateOutcome,
    /// What the rail said, if it said anything that can be believed.
    pub answer: Option<PlainAnswer>,
}

/// What became of a question about an order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "an answer is read as soon as it is there, and nobody keeps many")]
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
    /// Merchant number; a partner's own.
    pub mchid: String,
    /// Application; a partner's own.
    pub appid: String,
    /// Whom a partner collected for.
    pub sub_mchid: Option<String>,
    /// The order's number.
    pub out_trade_no: String,
    /// How it stands.
    pub trade_state: TradeState,
    /// The rail's own number, once paid.
    pub transaction_id: Option<String>,
    /// RFC 3339, once paid.
    pub success_time: Option<String>,
    /// `NATIVE`, `JSAPI`, `APP`, `MWEB`, `MICROPAY`, …; once paid.
    pub trade_type: Option<String>,
    /// The order's amount in fen.
    pub amount_total: Option<i64>,
    /// Its currency; WeChat Pay leaves it out of unpaid orders.
    pub currency: Option<String>,
    /// All that was said of it, as JSON.
    pub evidence: Vec<u8>,
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
