//! Combined orders: several orders the payer pays in one.

use http::Method;
use serde::{Deserialize, Serialize};

use super::super::super::{Invitation, Trade, TradeState};
use super::super::call::{Call, Operation, segment, written};
use super::super::orders::{SceneFields, beijing_time, invitation, scene};
use super::super::retry::Nature;
use super::super::transaction::read_trade_state;
use super::Products;
use crate::clock::UnixMs;
use crate::ids::OutTradeNo;
use crate::money::Money;

const CREATE: Operation = Operation::new("create_combined", Nature::Reentrant);
const QUERY: Operation = Operation::new("query_combined", Nature::Read);
const CLOSE: Operation = Operation::new("close_combined", Nature::Reentrant);

const ROOT: &str = "/v3/combine-transactions";

/// A combined order about to be made: 2 to 10 orders, a partner's 1 to 50.
#[derive(Clone, Copy, Debug)]
pub struct CombinedOrder<'a> {
    /// The whole's number.
    pub combine_out_trade_no: &'a OutTradeNo,
    /// Its orders.
    pub sub_orders: &'a [SubOrder<'a>],
    /// How the payer comes to it.
    pub trade: Trade<'a>,
    /// When it can be paid no longer.
    pub expires: Option<UnixMs>,
    /// Where the rail reports: one notice for the whole.
    pub notify_url: &'a str,
}

/// One order of several.
#[derive(Clone, Copy, Debug)]
pub struct SubOrder<'a> {
    /// Whose it is: a merchant bound to the account's application; the account's own, or a partner's.
    pub mchid: &'a str,
    /// The sub-merchant, for partners.
    pub sub_mchid: Option<&'a str>,
    /// Its number.
    pub out_trade_no: &'a OutTradeNo,
    /// Its amount.
    pub amount: Money,
    /// What the payer reads.
    pub description: &'a str,
    /// Given back in queries and notices.
    pub attach: &'a str,
    /// Whether the money is frozen for profit sharing.
    pub profit_sharing: bool,
}

/// A combined order as the rail reports it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Combined {
    /// The application.
    pub combine_appid: String,
    /// The merchant who combined.
    pub combine_mchid: String,
    /// The whole's number.
    pub combine_out_trade_no: String,
    /// Its orders.
    pub sub_orders: Vec<CombinedPart>,
}

/// One order of several, as the rail reports it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CombinedPart {
    /// Whose it is.
    pub mchid: String,
    /// The sub-merchant, for partners.
    #[serde(default)]
    pub sub_mchid: Option<String>,
    /// Its number.
    pub out_trade_no: String,
    /// How it stands.
    #[serde(deserialize_with = "read_trade_state")]
    pub trade_state: TradeState,
    /// The rail's number, once paid.
    #[serde(default)]
    pub transaction_id: Option<String>,
    /// RFC 3339, once paid.
    #[serde(default)]
    pub success_time: Option<String>,
    /// Its amount.
    pub amount: CombinedAmount,
}

/// An amount as combined orders report it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CombinedAmount {
    /// The order's amount in fen.
    #[serde(rename = "total_amount")]
    pub total_fen: i64,
    /// Its currency; left out of unpaid orders.
    #[serde(default)]
    pub currency: Option<String>,
}

#[derive(Serialize)]
struct Fields<'a> {
    combine_appid: &'a str,
    combine_mchid: &'a str,
    combine_out_trade_no: &'a str,
    sub_orders: Vec<SubOrderFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    combine_payer_info: Option<PayerFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scene_info: Option<SceneFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_expire: Option<String>,
    notify_url: &'a str,
}

#[derive(Serialize)]
struct SubOrderFields<'a> {
    mchid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_mchid: Option<&'a str>,
    attach: &'a str,
    amount: AmountFields,
    out_trade_no: &'a str,
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    settle_info: Option<SettleFields>,
}

#[derive(Serialize)]
struct SettleFields {
    profit_sharing: bool,
}

#[derive(Serialize)]
struct AmountFields {
    total_amount: i64,
    currency: &'static str,
}

#[derive(Serialize)]
struct PayerFields<'a> {
    openid: &'a str,
}

#[derive(Serialize)]
struct CloseFields<'a> {
    combine_appid: &'a str,
    sub_orders: Vec<ClosedFields<'a>>,
}

#[derive(Serialize)]
struct ClosedFields<'a> {
    mchid: &'a str,
    out_trade_no: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_mchid: Option<&'a str>,
}

impl Products<'_> {
    /// Makes a combined order.
    pub fn combine<'a>(&self, order: &CombinedOrder<'a>) -> Call<Invitation> {
        let (path, read) = invitation(order.trade.trade_type());
        let sub_order = |sub: &SubOrder<'a>| SubOrderFields {
            mchid: sub.mchid,
            sub_mchid: sub.sub_mchid,
            attach: sub.attach,
            amount: AmountFields { total_amount: sub.amount.minor(), currency: sub.amount.currency().code() },
            out_trade_no: sub.out_trade_no.as_str(),
            description: sub.description,
            settle_info: sub.profit_sharing.then_some(SettleFields { profit_sharing: true }),
        };
        let payer = match order.trade {
            Trade::Jsapi { openid } => Some(PayerFields { openid }),
            Trade::Native | Trade::App | Trade::H5 { .. } => None,
        };
        let fields = Fields {
            combine_appid: &self.0.account.appid,
            combine_mchid: &self.0.account.mchid,
            combine_out_trade_no: order.combine_out_trade_no.as_str(),
            sub_orders: order.sub_orders.iter().map(sub_order).collect(),
            combine_payer_info: payer,
            scene_info: scene(order.trade),
            time_expire: order.expires.and_then(beijing_time),
            notify_url: order.notify_url,
        };
        Call::new(CREATE, Method::POST, format!("{ROOT}/{path}"), written(&fields), read)
    }

    /// Asks about a combined order.
    pub fn query_combined(&self, combine_out_trade_no: &OutTradeNo) -> Call<Combined> {
        Call::get(QUERY, format!("{ROOT}/out-trade-no/{}", segment(combine_out_trade_no.as_str())))
    }

    /// Closes a combined order: all of the orders it was made of, and no others.
    pub fn close_combined<'a>(&self, combine_out_trade_no: &OutTradeNo, sub_orders: &[SubOrder<'a>]) -> Call<()> {
        let closed = |sub: &SubOrder<'a>| ClosedFields { mchid: sub.mchid, out_trade_no: sub.out_trade_no.as_str(), sub_mchid: sub.sub_mchid };
        let fields = CloseFields { combine_appid: &self.0.account.appid, sub_orders: sub_orders.iter().map(closed).collect() };
        Call::command(CLOSE, format!("{ROOT}/out-trade-no/{}/close", segment(combine_out_trade_no.as_str())), &fields)
    }
}
