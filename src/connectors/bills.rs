//! Bills in words every rail shares: what a rail says happened on a day, to the fen.

use super::advice::Failed;

/// A day's orders and refunds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TradeBill {
    /// One for each payment and each refund, in the rail's order.
    pub rows: Vec<TradeRow>,
    /// The rail's own sums. Every row is in them, or there is no bill.
    pub totals: TradeTotals,
}

/// A payment or a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TradeRow {
    /// Local time of Beijing, `2026-01-01 08:00:00`.
    pub trade_time: String,
    /// Application.
    pub appid: String,
    /// Merchant number.
    pub mchid: String,
    /// Whom a partner collected for.
    pub sub_mchid: Option<String>,
    /// The rail's number of the order.
    pub transaction_id: String,
    /// The order's number.
    pub out_trade_no: String,
    /// `NATIVE`, `JSAPI`, …
    pub trade_type: String,
    /// `SUCCESS`, `REFUND`, `REVOKED`.
    pub trade_state: String,
    /// `CNY`.
    pub currency: String,
    /// What the merchant is settled for; 0 in a refund's row.
    pub settlement_total_fen: i64,
    /// The order's amount; `None` if the bill has no such column.
    pub order_total_fen: Option<i64>,
    /// What went back, in a refund's row.
    pub refund: Option<TradeRefund>,
    /// What the payer read.
    pub description: String,
    /// The rail's fee in thousandths of a fen; negative when it comes back.
    pub fee_millifen: i64,
}

/// What went back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TradeRefund {
    /// The rail's number of the refund.
    pub refund_id: String,
    /// The refund's number.
    pub out_refund_no: String,
    /// What the payer got, in fen.
    pub refund_fen: i64,
    /// What was asked for, in fen; `None` if the bill has no such column.
    pub requested_fen: Option<i64>,
    /// `SUCCESS`, `PROCESSING`, `FAIL`, …
    pub status: String,
}

/// The sums at the end of a trade bill, in fen where not said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TradeTotals {
    /// Number of rows.
    pub rows: u64,
    /// Of what the merchant is settled for.
    pub settlement_total_fen: i64,
    /// Of what went back.
    pub refund_fen: i64,
    /// Of fees, in thousandths of a fen.
    pub fee_millifen: i64,
}

/// A day's movements on one account of the merchant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FundFlowBill {
    /// One for each movement, in the rail's order.
    pub rows: Vec<FundFlowRow>,
    /// Sum of what came, in fen.
    pub income_fen: i64,
    /// Sum of what went, in fen.
    pub expense_fen: i64,
}

/// Money that came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FundFlowRow {
    /// Local time of Beijing.
    pub booked: String,
    /// The rail's number of the business: a transaction, a refund.
    pub business_id: String,
    /// The rail's number of the movement.
    pub flow_id: String,
    /// What business it is, in the rail's words.
    pub business_name: String,
    /// What kind of movement, in the rail's words.
    pub business_kind: String,
    /// What came (positive) or went (negative), in fen.
    pub amount_fen: i64,
    /// What the account held afterwards, in fen.
    pub balance_fen: i64,
    /// The merchant's own number of the business.
    pub voucher: String,
}

/// Which rows a trade bill has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TradeBillKind {
    /// Payments and refunds.
    All,
    /// Payments.
    Success,
    /// Refunds.
    Refund,
}

/// Which account a fund-flow bill is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FundAccount {
    /// Where payments come in.
    Basic,
    /// Where operations are paid from.
    Operation,
    /// Where fees are kept.
    Fees,
}

/// Why there is no bill.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BillError {
    /// Nothing happened on that day, or it is more than three months ago.
    #[error("there is no bill for this day: nothing happened, or it is more than three months ago")]
    None,
    /// The rail is still making it: again after half an hour, and not before ten in the morning (Beijing) of the day after.
    #[error("the bill is not made yet: ask again after ten in the morning (Beijing time) of the next day")]
    NotYet,
    /// It came and is not believed: it lies elsewhere than at the rail, its digest is another, or it does not add up.
    #[error("the bill is not believed: {0}")]
    NotBelieved(String),
    /// It could not be had.
    #[error("the bill could not be fetched: {0}")]
    Failed(#[from] Failed),
}
