//! Connectors: how orders are made at payment rails and how rails report back, in words every rail shares. A [`Connector`] speaks for one
//! merchant at one rail; WeChat Pay v3 is the first.

mod notices;
mod orders;
mod refunds;
pub mod wechatpay;

use std::sync::Arc;

use http::HeaderMap;

pub use notices::{Notice, NoticeError, Resource};
pub use orders::{CloseOutcome, CreateOutcome, OrderDraft, QueryOutcome, TradeState, Transaction};
pub use refunds::{Refund, RefundDraft, RefundOutcome, RefundQueryOutcome, RefundStatus};

use crate::clock::Clock;
use crate::dial::Dial;
use crate::ids::{OutRefundNo, OutTradeNo};
use crate::merchant::WechatPayAccount;
use crate::metrics::Metrics;
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

    /// Closes an unpaid order: nobody can pay it afterwards. Closing a closed order is closing it.
    pub async fn close(&self, out_trade_no: &OutTradeNo) -> CloseOutcome {
        self.rail.close(out_trade_no).await
    }

    /// The bytes of a refund, exactly as they will be sent.
    pub fn refund_body(&self, draft: &RefundDraft<'_>) -> Vec<u8> {
        self.rail.refund_body(draft)
    }

    /// Sends a refund. After an unknown outcome ask first ([`Self::query_refund`]); if the rail has none, the same bytes may be sent again:
    /// it finds the first by its number. A new number would pay twice.
    pub async fn refund(&self, refund_body: &[u8]) -> RefundOutcome {
        self.rail.refund(refund_body).await
    }

    /// Asks how a refund stands.
    pub async fn query_refund(&self, out_refund_no: &OutRefundNo) -> RefundQueryOutcome {
        self.rail.query_refund(out_refund_no).await
    }

    /// Verifies and unseals a notice. `body` is the raw body: the signature covers its bytes.
    pub async fn open_notice(&self, headers: &HeaderMap, body: &[u8]) -> Result<Notice, NoticeError> {
        self.rail.verified_notice(headers, body).await
    }
}
