//! Connectors: how orders are made at payment rails and how rails report back, in words every rail shares. A [`Connector`] speaks for one
//! merchant at one rail; WeChat Pay v3 is the first.

mod advice;
mod bills;
pub mod family;
pub mod herald;
mod notices;
mod orders;
pub mod pace;
mod refunds;
pub mod wechatpay;

use std::sync::Arc;

use http::HeaderMap;
use jiff::civil::Date;

pub use advice::{Advice, Failed};
pub use bills::{BillError, FundAccount, FundFlowBill, FundFlowRow, TradeBill, TradeBillKind, TradeRefund, TradeRow, TradeTotals};
pub use notices::{Notice, NoticeError, Resource};
pub use orders::{
    CloseOutcome, CreateOutcome, H5Browser, Invitation, OrderDetails, OrderDraft, Placed, QueryOutcome, Trade, TradeState, TradeType, Transaction,
};
pub use refunds::{Refund, RefundDraft, RefundOutcome, RefundQueryOutcome, RefundStatus};

use crate::clock::Clock;
use crate::dial::Dial;
use crate::ids::{OutRefundNo, OutTradeNo};
use crate::merchant::WechatPayAccount;
use crate::metrics::Metrics;
use crate::tasks::Tasks;
use family::Family;
use pace::{Flight, Flights, OverPace, Pace, Turn};
use wechatpay::call::{Call, Forwarded};
use wechatpay::paysign::{Client, ClientParameters};
use wechatpay::products::Products;
use wechatpay::{Config, ConfigError, SealedText, WechatPay};

/// Speaks to a payment rail for one merchant; cheap to clone.
#[derive(Clone)]
pub struct Connector {
    rail: Arc<WechatPay>,
    pace: Pace,
    flights: Flights,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connector(wechatpay {})", self.account().mchid)
    }
}

impl Connector {
    /// A connector to WeChat Pay v3.
    pub fn wechatpay(config: Config, dial: Dial, clock: Clock, metrics: Metrics) -> Result<Self, ConfigError> {
        let pace = Pace::default();
        Ok(Self { rail: Arc::new(WechatPay::new(config, dial, clock, metrics)?), pace, flights: Flights::default() })
    }

    /// Waits for a turn of a family of operations.
    pub async fn turn(&self, family: Family) -> Result<Turn, OverPace> {
        self.pace.turn(family).await
    }

    /// Waits until no other request is under way for an order number; `None` if that takes too long.
    pub async fn only_flight(&self, out_trade_no: &OutTradeNo) -> Option<Flight> {
        self.flights.only(out_trade_no.as_str()).await
    }

    /// Keeps what notices and answers are verified with fresh, in the background.
    pub fn keep_fresh(&self, tasks: &Tasks) {
        self.rail.keep_fresh(tasks);
    }

    /// The account orders are made on; what every notice and answer must match.
    pub fn account(&self) -> WechatPayAccount {
        self.rail.account().clone()
    }

    /// Whether it collects for a sub-merchant.
    pub fn is_partner(&self) -> bool {
        self.rail.is_partner()
    }

    /// The bytes of an order, exactly as they will be sent.
    pub fn order_body(&self, draft: &OrderDraft<'_>) -> Vec<u8> {
        self.rail.order_body(draft)
    }

    /// Sends an order. The same bytes may be sent again: the rail finds the first by its number.
    pub async fn create(&self, trade_type: TradeType, order_body: &[u8]) -> CreateOutcome {
        match self.turn(Family::from(trade_type)).await {
            Ok(_turn) => self.rail.create(trade_type, order_body).await,
            Err(over) => CreateOutcome::Busy { why: over.to_string() },
        }
    }

    /// Sends an order its merchant wrote, in a turn taken before it was recorded.
    pub async fn place(&self, _turn: Turn, trade_type: TradeType, order_body: &[u8]) -> Placed {
        self.rail.send_written(trade_type, order_body).await
    }

    /// Asks how an order stands.
    pub async fn query(&self, out_trade_no: &OutTradeNo) -> QueryOutcome {
        self.rail.query(out_trade_no).await
    }

    /// Asks how a paid order stands, by the rail's own number of it.
    pub async fn query_by_id(&self, transaction_id: &str) -> QueryOutcome {
        self.rail.query_by_id(transaction_id).await
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
        match self.turn(Family::Refund).await {
            Ok(_turn) => self.rail.refund(refund_body).await,
            Err(over) => RefundOutcome::NotSent { why: over.to_string() },
        }
    }

    /// Asks how a refund stands.
    pub async fn query_refund(&self, out_refund_no: &OutRefundNo) -> RefundQueryOutcome {
        match self.turn(Family::RefundQuery).await {
            Ok(_turn) => self.rail.query_refund(out_refund_no).await,
            Err(over) => RefundQueryOutcome::Unknown { why: over.to_string() },
        }
    }

    /// What happened to orders and refunds on a day of Beijing's calendar. There from ten in the morning of the next day, for three months.
    pub async fn trade_bill(&self, day: Date, kind: TradeBillKind) -> Result<TradeBill, BillError> {
        let _turn = self.turn(Family::Bill).await.map_err(over_pace)?;
        self.rail.trade_bill(day, kind).await
    }

    /// What moved on an account of the merchant on a day.
    pub async fn fund_flow_bill(&self, day: Date, account: FundAccount) -> Result<FundFlowBill, BillError> {
        let _turn = self.turn(Family::Bill).await.map_err(over_pace)?;
        self.rail.fund_flow_bill(day, account).await
    }

    /// Signs what a client invokes a payment with. Every value is a text, also the time; nothing secret is inside.
    pub fn client_parameters(&self, client: Client, prepay_id: &str) -> Result<ClientParameters, Failed> {
        self.rail.client_parameters(client, prepay_id)
    }

    /// Opens a sensitive field of an answer (a name, the number of a card): it is sealed for the merchant's key.
    pub fn open_field(&self, field: &str) -> Result<String, Failed> {
        self.rail.open_field(field)
    }

    /// WeChat Pay's other products: combined orders, code pay, profit sharing, transfers, pay score, papay, abnormal refunds.
    pub fn products(&self) -> Products<'_> {
        Products(&self.rail)
    }

    /// Makes a call of [`Self::products`]. The same call may be made again: its bytes stay as they are.
    pub async fn call<A>(&self, call: &Call<A>) -> Result<A, Failed> {
        let _turn = self.turn(call.family()).await.map_err(over_pace)?;
        self.rail.call(call).await
    }

    /// Signs and sends a request somebody else wrote (the classic path), once, in its turn. `target` is its path with its query, exactly as it goes onto
    /// the wire.
    pub async fn forward(&self, _turn: Turn, method: http::Method, target: &str, body: bytes::Bytes) -> Forwarded {
        self.rail.forward(method, target, body).await
    }

    /// Seals what only this merchant may read; `None` only if the system's random numbers fail.
    pub fn seal(&self, plain: &[u8], associated_data: &str) -> Option<SealedText> {
        self.rail.seal(plain, associated_data)
    }

    /// Verifies and unseals a notice. `body` is the raw body: the signature covers its bytes.
    pub async fn open_notice(&self, headers: &HeaderMap, body: &[u8]) -> Result<Notice, NoticeError> {
        self.rail.verified_notice(headers, body).await
    }
}

/// Nothing has left; it may be sent after a pause.
fn over_pace(over: OverPace) -> Failed {
    Failed { advice: Advice::BackOff, ..Failed::unsent(over.to_string()) }
}
