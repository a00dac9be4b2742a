//! Connectors: how orders are made at payment rails and how rails report back, in words every rail shares. A [`Connector`] speaks for one
//! merchant at one rail; WeChat Pay v3 is the first.

pub mod wechatpay;

use std::sync::Arc;

use http::HeaderMap;

use crate::clock::Clock;
use crate::dial::Dial;
use crate::ids::OutTradeNo;
use crate::merchant::WechatPayAccount;
use crate::metrics::Metrics;
use crate::payment::terms::Terms;
use wechatpay::{Config, ConfigError, WechatPay};

/// Speaks to a payment rail for one merchant; cheap to clone.
#[derive(Clone)]
pub struct Connector {
    rail: Arc<WechatPay>,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connector(wechatpay {})", self.account().mchid)
    }
}

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

/// A verified, unsealed notice. Only [`Connector::open_notice`] can make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    id: String,
    event_type: String,
    transaction: Option<Transaction>,
}

impl Notice {
    /// The rail's number of the notice.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it is about: `TRANSACTION.SUCCESS`, …
    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    /// The order it reports, if it reports one.
    pub fn transaction(&self) -> Option<&Transaction> {
        self.transaction.as_ref()
    }
}

/// Why a notice is not believed. None of it moves anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoticeError {
    /// The rail's own test whether signatures are checked.
    #[error("a signature probe")]
    Probe,
    /// The signature does not hold, or its fields are missing.
    #[error("{0}")]
    BadSignature(String),
    /// Signed too long ago, or in the future.
    #[error("signed {0} s from now")]
    Stale(i64),
    /// Signed with a key nobody knows, which could not be asked for just now.
    #[error("signed with an unknown key {0}")]
    UnknownKey(String),
    /// Signed well, but it cannot be unsealed or understood.
    #[error("{0}")]
    Malformed(String),
}

impl NoticeError {
    /// The word in metrics and in the audit trail.
    pub fn verdict(&self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::BadSignature(_) | Self::UnknownKey(_) => "bad_signature",
            Self::Stale(_) => "stale",
            Self::Malformed(_) => "malformed",
        }
    }
}

impl Connector {
    /// A connector to WeChat Pay v3.
    pub fn wechatpay(config: Config, dial: Dial, clock: Clock, metrics: Metrics) -> Result<Self, ConfigError> {
        Ok(Self { rail: Arc::new(WechatPay::new(config, dial, clock, metrics)?) })
    }

    /// The account orders are made on; what every notice and answer must match.
    pub fn account(&self) -> WechatPayAccount {
        self.rail.account().clone()
    }

    /// The bytes of an order, exactly as they will be sent.
    pub fn order_body(&self, draft: &OrderDraft<'_>) -> Vec<u8> {
        self.rail.order_body(draft)
    }

    /// Sends an order. The same bytes may be sent again: the rail finds the first by its number.
    pub async fn create(&self, order_body: &[u8]) -> CreateOutcome {
        self.rail.create(order_body).await
    }

    /// Asks how an order stands.
    pub async fn query(&self, out_trade_no: &OutTradeNo) -> QueryOutcome {
        self.rail.query(out_trade_no).await
    }

    /// Verifies and unseals a notice. `body` is the raw body: the signature covers its bytes.
    pub async fn open_notice(&self, headers: &HeaderMap, body: &[u8]) -> Result<Notice, NoticeError> {
        let envelope = self.rail.verified_notice(headers, body).await?;
        Ok(Notice { id: envelope.id, event_type: envelope.event_type, transaction: envelope.transaction })
    }
}
