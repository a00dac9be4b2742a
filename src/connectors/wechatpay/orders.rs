//! Orders of every trade type, for ordinary merchants and partners: the body that is sent, and what each answer means.

use bytes::Bytes;
use http::Method;
use serde::Serialize;

use super::super::advice::{Advice, Failed};
use super::super::{CloseOutcome, CreateOutcome, H5Browser, Invitation, OrderDraft, Placed, QueryOutcome, Trade, TradeType, Transaction};
use super::call::{Call, Operation, PlainAnswer, Read, judged, segment, written};
use super::retry::Nature;
use super::transaction::transaction;
use super::{SubMerchant, WechatPay};
use crate::ids::OutTradeNo;
use crate::merchant::WechatPayAccount;

const CREATE: Operation = Operation::new("create", Nature::Reentrant);
const QUERY: Operation = Operation::new("query", Nature::Read);
const CLOSE: Operation = Operation::new("close", Nature::Reentrant);

/// Fields in the order they are sent; what an order has not is left out (the rail refuses blanks).
#[derive(Serialize)]
struct OrderFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    appid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mchid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sp_appid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sp_mchid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_appid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_mchid: Option<&'a str>,
    description: &'a str,
    out_trade_no: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_expire: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attach: Option<&'a str>,
    notify_url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    goods_tag: Option<&'a str>,
    amount: AmountFields,
    #[serde(skip_serializing_if = "Option::is_none")]
    payer: Option<PayerFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scene_info: Option<SceneFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settle_info: Option<SettleFields>,
}

#[derive(Serialize)]
struct AmountFields {
    total: i64,
    currency: &'static str,
}

/// Whose application the payer is named in.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum PayerFields<'a> {
    Openid(&'a str),
    SpOpenid(&'a str),
    SubOpenid(&'a str),
}

#[derive(Serialize)]
pub(super) struct SceneFields {
    payer_client_ip: String,
    h5_info: H5Fields,
}

#[derive(Serialize)]
struct H5Fields {
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize)]
struct SettleFields {
    profit_sharing: bool,
}

/// The order, as it will be sent every time.
pub(super) fn body(account: &WechatPayAccount, sub: Option<&SubMerchant>, draft: &OrderDraft<'_>) -> Bytes {
    let ordinary = |text| if sub.is_none() { Some(text) } else { None };
    let partner = |text| if sub.is_some() { Some(text) } else { None };
    written(&OrderFields {
        appid: ordinary(account.appid.as_str()),
        mchid: ordinary(account.mchid.as_str()),
        sp_appid: partner(account.appid.as_str()),
        sp_mchid: partner(account.mchid.as_str()),
        sub_appid: sub.and_then(|sub| sub.sub_appid.as_deref()),
        sub_mchid: sub.map(|sub| sub.sub_mchid.as_str()),
        description: &draft.terms.description,
        out_trade_no: draft.out_trade_no.as_str(),
        time_expire: draft.details.expires.and_then(beijing_time),
        attach: draft.details.attach,
        notify_url: draft.notify_url,
        goods_tag: draft.details.goods_tag,
        amount: AmountFields { total: draft.terms.amount.minor(), currency: draft.terms.amount.currency().code() },
        payer: payer(sub, draft.trade),
        scene_info: scene(draft.trade),
        settle_info: draft.details.profit_sharing.then_some(SettleFields { profit_sharing: true }),
    })
}

fn payer<'a>(sub: Option<&SubMerchant>, trade: Trade<'a>) -> Option<PayerFields<'a>> {
    let Trade::Jsapi { openid } = trade else { return None };
    Some(match sub {
        None => PayerFields::Openid(openid),
        Some(SubMerchant { sub_appid: None, .. }) => PayerFields::SpOpenid(openid),
        Some(SubMerchant { sub_appid: Some(_), .. }) => PayerFields::SubOpenid(openid),
    })
}

/// Where an H5 order is paid from.
pub(super) fn scene(trade: Trade<'_>) -> Option<SceneFields> {
    let Trade::H5 { payer_client_ip, browser } = trade else { return None };
    let kind = match browser {
        H5Browser::Wap => "Wap",
        H5Browser::Ios => "iOS",
        H5Browser::Android => "Android",
    };
    Some(SceneFields { payer_client_ip: payer_client_ip.to_string(), h5_info: H5Fields { kind } })
}

/// RFC 3339 in Beijing's time, to the second, as the rail's own examples have it.
pub(super) fn beijing_time(at: crate::clock::UnixMs) -> Option<String> {
    let at = jiff::Timestamp::from_second(at.seconds()).ok()?;
    let there = jiff::tz::Offset::from_hours(8).ok()?.to_datetime(at);
    Some(there.strftime("%Y-%m-%dT%H:%M:%S+08:00").to_string())
}

impl WechatPay {
    /// The bytes of an order.
    pub(in crate::connectors) fn order_body(&self, draft: &OrderDraft<'_>) -> Vec<u8> {
        body(&self.account, self.sub_merchant.as_ref(), draft).to_vec()
    }

    /// `/v3/pay/transactions` or a partner's, and what follows.
    fn orders(&self, rest: &str) -> String {
        let partner = if self.sub_merchant.is_some() { "/partner" } else { "" };
        format!("/v3/pay{partner}/transactions/{rest}")
    }

    /// Sends an order.
    pub(in crate::connectors) async fn create(&self, trade_type: TradeType, order_body: &[u8]) -> CreateOutcome {
        self.call(&self.order_call(trade_type, order_body)).await.map_or_else(not_ordered, CreateOutcome::Ordered)
    }

    fn order_call(&self, trade_type: TradeType, order_body: &[u8]) -> Call<Invitation> {
        let (path, read) = invitation(trade_type);
        Call::new(CREATE, Method::POST, self.orders(path), Bytes::copy_from_slice(order_body), read)
    }

    /// Sends an order its merchant wrote: what came of it, and the rail's own answer if there was one.
    pub(in crate::connectors) async fn send_written(&self, trade_type: TradeType, order_body: &[u8]) -> Placed {
        let call = self.order_call(trade_type, order_body);
        let came = self.ask(&call).await;
        let answer = came.as_ref().ok().map(|answered| PlainAnswer { status: answered.status, body: answered.body.clone() });
        Placed { outcome: judged(&call, came).map_or_else(not_ordered, CreateOutcome::Ordered), answer }
    }

    /// Asks about an order by its number.
    pub(in crate::connectors) async fn query(&self, out_trade_no: &OutTradeNo) -> QueryOutcome {
        self.query_at(&format!("out-trade-no/{}", segment(out_trade_no.as_str()))).await
    }

    /// Asks about a paid order by the rail's number.
    pub(in crate::connectors) async fn query_by_id(&self, transaction_id: &str) -> QueryOutcome {
        self.query_at(&format!("id/{}", segment(transaction_id))).await
    }

    async fn query_at(&self, path: &str) -> QueryOutcome {
        let whose = match &self.sub_merchant {
            None => format!("mchid={}", self.account.mchid),
            Some(sub) => format!("sp_mchid={}&sub_mchid={}", self.account.mchid, sub.sub_mchid),
        };
        let target = format!("{}?{whose}", self.orders(path));
        let call = Call::new(QUERY, Method::GET, target, Bytes::new(), transaction);
        match self.call(&call).await {
            Ok(order) if self.is_own(&order) => QueryOutcome::Found(order),
            Ok(_) => QueryOutcome::Unknown { why: "an answer about another sub-merchant's order".to_owned() },
            Err(failed) if failed.is_not_found() => QueryOutcome::NotFound,
            Err(failed) if failed.is_denied() => QueryOutcome::Denied { code: failed.code, message: failed.message },
            Err(failed) => QueryOutcome::Unknown { why: failed.why() },
        }
    }

    /// Whether an order is this account's: a partner's key signs for all of its sub-merchants.
    pub(super) fn is_own(&self, order: &Transaction) -> bool {
        order.sub_mchid.as_deref() == self.sub_merchant.as_ref().map(|sub| sub.sub_mchid.as_str())
    }

    /// Closes an order.
    pub(in crate::connectors) async fn close(&self, out_trade_no: &OutTradeNo) -> CloseOutcome {
        let target = self.orders(&format!("out-trade-no/{}/close", segment(out_trade_no.as_str())));
        let call = match &self.sub_merchant {
            None => Call::command(CLOSE, target, &serde_json::json!({"mchid": self.account.mchid})),
            Some(sub) => Call::command(CLOSE, target, &serde_json::json!({"sp_mchid": self.account.mchid, "sub_mchid": sub.sub_mchid})),
        };
        self.call(&call).await.map_or_else(not_closed, |()| CloseOutcome::Closed)
    }
}

/// Where an order of a kind is made, and what is read of the answer.
pub(super) fn invitation(trade_type: TradeType) -> (&'static str, Read<Invitation>) {
    match trade_type {
        TradeType::Native => ("native", code),
        TradeType::Jsapi => ("jsapi", prepay),
        TradeType::App => ("app", prepay),
        TradeType::H5 => ("h5", page),
    }
}

/// Reads the one field an answer to an order has.
fn only(body: &[u8], name: &str) -> Result<String, String> {
    let fields: std::collections::HashMap<String, serde_json::Value> = serde_json::from_slice(body).map_err(|e| format!("no answer: {e}"))?;
    let text = fields.get(name).and_then(serde_json::Value::as_str).filter(|text| !text.is_empty());
    text.map(str::to_owned).ok_or_else(|| format!("an answer without {name}"))
}

fn code(body: &[u8]) -> Result<Invitation, String> {
    only(body, "code_url").map(|code_url| Invitation::Code { code_url })
}

fn prepay(body: &[u8]) -> Result<Invitation, String> {
    only(body, "prepay_id").map(|prepay_id| Invitation::Prepay { prepay_id })
}

fn page(body: &[u8]) -> Result<Invitation, String> {
    only(body, "h5_url").map(|h5_url| Invitation::Page { h5_url })
}

/// What an order is said to be, by the rail's code or by the number inside its `Request-ID`.
enum Stands {
    Paid,
    Closed,
    Otherwise,
}

/// Reads how the order under a number stands out of a refusal. Where neither code nor number names it, it is left open.
fn stands(failed: &Failed) -> Option<Stands> {
    match (failed.internal.as_str(), failed.code.as_str()) {
        ("268449538" | "268498689", _) | (_, "ORDERPAID") => Some(Stands::Paid),
        ("268447914", _) | (_, "ORDERCLOSED") => Some(Stands::Closed),
        ("268498688", _) | (_, "OUTTRADENOUSED") => Some(Stands::Otherwise),
        _ => None,
    }
}

/// What a failure means for an order. Where the rail's page names no certain meaning it is unknown, and a query will tell.
fn not_ordered(failed: Failed) -> CreateOutcome {
    match stands(&failed) {
        Some(Stands::Paid) => return CreateOutcome::AlreadyPaid,
        Some(Stands::Closed) => return CreateOutcome::AlreadyClosed,
        Some(Stands::Otherwise) => return CreateOutcome::Conflict { code: failed.code, message: failed.message },
        None => {}
    }
    match failed.advice {
        Advice::SendAgain => CreateOutcome::NotSent { why: failed.why() },
        Advice::BackOff => CreateOutcome::Busy { why: failed.why() },
        Advice::Repeat | Advice::RepeatLater | Advice::AskFirst | Advice::Poll => CreateOutcome::Unknown { why: failed.why() },
        _ if failed.is_denied() => CreateOutcome::Denied { code: failed.code, message: failed.message },
        Advice::Fund | Advice::CheckKeys | Advice::Never => CreateOutcome::Refused { code: failed.code, message: failed.message },
    }
}

/// What a failure means for a closing.
fn not_closed(failed: Failed) -> CloseOutcome {
    match stands(&failed) {
        Some(Stands::Paid) => return CloseOutcome::AlreadyPaid,
        Some(Stands::Closed) => return CloseOutcome::Closed,
        Some(Stands::Otherwise) | None => {}
    }
    match failed.advice {
        Advice::SendAgain => CloseOutcome::NotSent { why: failed.why() },
        Advice::BackOff => CloseOutcome::Busy { why: failed.why() },
        Advice::Repeat | Advice::RepeatLater | Advice::AskFirst | Advice::Poll => CloseOutcome::Unknown { why: failed.why() },
        _ if failed.is_not_found() => CloseOutcome::NotFound,
        _ if failed.is_denied() => CloseOutcome::Denied { code: failed.code, message: failed.message },
        Advice::Fund | Advice::CheckKeys | Advice::Never => CloseOutcome::Refused { code: failed.code, message: failed.message },
    }
}

#[cfg(test)]
mod tests;
