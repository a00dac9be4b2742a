//! Native orders: the body that is sent, what each answer means, and how an order is read out of a query answer or a notice.

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

use super::super::{CloseOutcome, CreateOutcome, OrderDraft, QueryOutcome, TradeState, Transaction};
use super::fault::Fault;
use super::{Answer, WechatPay};
use crate::ids::OutTradeNo;
use crate::merchant::WechatPayAccount;

const NATIVE: &str = "/v3/pay/transactions/native";

#[derive(Serialize)]
struct OrderFields<'a> {
    appid: &'a str,
    mchid: &'a str,
    description: &'a str,
    out_trade_no: &'a str,
    notify_url: &'a str,
    amount: AmountFields,
}

#[derive(Serialize)]
struct AmountFields {
    total: i64,
    currency: &'static str,
}

/// The order, as it will be sent every time.
pub(super) fn body(account: &WechatPayAccount, draft: &OrderDraft<'_>) -> Vec<u8> {
    let fields = OrderFields {
        appid: &account.appid,
        mchid: &account.mchid,
        description: &draft.terms.description,
        out_trade_no: draft.out_trade_no.as_str(),
        notify_url: draft.notify_url,
        amount: AmountFields { total: draft.terms.amount.minor(), currency: draft.terms.amount.currency().code() },
    };
    // A struct of texts and numbers always serialises.
    serde_json::to_vec(&fields).unwrap_or_default()
}

impl WechatPay {
    /// Sends a native order.
    pub(in crate::connectors) async fn create(&self, order_body: &[u8]) -> CreateOutcome {
        match self.ask("create", Method::POST, NATIVE, Bytes::copy_from_slice(order_body)).await {
            Answer::Verified(body) => ordered(&body),
            Answer::Fault(fault) => refused(fault),
            Answer::Unknown(why) => CreateOutcome::Unknown { why },
            Answer::NotSent(why) => CreateOutcome::NotSent { why },
        }
    }

    /// Closes an order.
    pub(in crate::connectors) async fn close(&self, out_trade_no: &OutTradeNo) -> CloseOutcome {
        let target = format!("/v3/pay/transactions/out-trade-no/{out_trade_no}/close");
        let body = serde_json::json!({"mchid": self.account().mchid}).to_string();
        match self.ask("close", Method::POST, &target, Bytes::from(body)).await {
            Answer::Verified(_) => CloseOutcome::Closed,
            Answer::Fault(fault) => not_closed(fault),
            Answer::Unknown(why) => CloseOutcome::Unknown { why },
            Answer::NotSent(why) => CloseOutcome::NotSent { why },
        }
    }

    /// Asks about an order by its number.
    pub(in crate::connectors) async fn query(&self, out_trade_no: &OutTradeNo) -> QueryOutcome {
        let target = format!("/v3/pay/transactions/out-trade-no/{out_trade_no}?mchid={}", self.account().mchid);
        match self.ask("query", Method::GET, &target, Bytes::new()).await {
            Answer::Verified(body) => transaction(&body).map_or_else(|why| QueryOutcome::Unknown { why }, QueryOutcome::Found),
            Answer::Fault(fault) => match (fault.status, fault.code.as_str()) {
                (404, "ORDERNOTEXIST" | "RESOURCENOTEXISTS") => QueryOutcome::NotFound,
                (401 | 403, code) if !code.is_empty() => QueryOutcome::Denied { code: fault.code, message: fault.message },
                (status, code) => QueryOutcome::Unknown { why: format!("status {status} {code}") },
            },
            Answer::Unknown(why) | Answer::NotSent(why) => QueryOutcome::Unknown { why },
        }
    }
}

/// What an error answer to a closing means.
fn not_closed(fault: Fault) -> CloseOutcome {
    match fault.internal.as_str() {
        "268449538" | "268498689" => return CloseOutcome::AlreadyPaid,
        "268447914" => return CloseOutcome::Closed,
        _ => {}
    }
    match (fault.status, fault.code.as_str()) {
        (_, "ORDERPAID") => CloseOutcome::AlreadyPaid,
        (_, "ORDERCLOSED") => CloseOutcome::Closed,
        (404, "ORDERNOTEXIST" | "RESOURCENOTEXISTS") => CloseOutcome::NotFound,
        (429, _) => CloseOutcome::Busy { why: format!("429 {}", fault.code) },
        (400..=499, "") | (500..=599, _) => CloseOutcome::Unknown { why: format!("status {} {}", fault.status, fault.code) },
        (401, _) | (403, "NOAUTH") => CloseOutcome::Denied { code: fault.code, message: fault.message },
        (400..=499, _) => CloseOutcome::Refused { code: fault.code, message: fault.message },
        (status, _) => CloseOutcome::Unknown { why: format!("status {status}") },
    }
}

fn ordered(body: &[u8]) -> CreateOutcome {
    #[derive(Deserialize)]
    struct Fields {
        code_url: String,
    }
    match serde_json::from_slice::<Fields>(body) {
        Ok(fields) if !fields.code_url.is_empty() => CreateOutcome::Ordered { code_url: fields.code_url },
        _ => CreateOutcome::Unknown { why: "an answer without a code_url".to_owned() },
    }
}

/// What an error answer to an order means. Where the rail's page names no certain meaning it is unknown, and a query will tell.
fn refused(fault: Fault) -> CreateOutcome {
    match fault.internal.as_str() {
        "268498688" => return CreateOutcome::Conflict { code: fault.code, message: fault.message },
        "268449538" | "268498689" => return CreateOutcome::AlreadyPaid,
        "268447914" => return CreateOutcome::AlreadyClosed,
        _ => {}
    }
    match (fault.status, fault.code.as_str()) {
        (_, "ORDERPAID") => CreateOutcome::AlreadyPaid,
        (_, "ORDERCLOSED") => CreateOutcome::AlreadyClosed,
        (_, "OUTTRADENOUSED") => CreateOutcome::Conflict { code: fault.code, message: fault.message },
        (429, _) => CreateOutcome::Busy { why: format!("429 {}", fault.code) },
        (400..=499, "") | (500..=599, _) => CreateOutcome::Unknown { why: format!("status {} {}", fault.status, fault.code) },
        (401 | 403, _) => CreateOutcome::Denied { code: fault.code, message: fault.message },
        (400..=499, _) => CreateOutcome::Refused { code: fault.code, message: fault.message },
        (status, _) => CreateOutcome::Unknown { why: format!("status {status}") },
    }
}

#[derive(Deserialize)]
struct TransactionFields {
    mchid: String,
    appid: String,
    out_trade_no: String,
    trade_state: String,
    #[serde(default)]
    transaction_id: Option<String>,
    #[serde(default)]
    success_time: Option<String>,
    #[serde(default)]
    amount: Option<TransactionAmount>,
}

#[derive(Deserialize)]
struct TransactionAmount {
    #[serde(default)]
    total: Option<i64>,
    #[serde(default)]
    currency: Option<String>,
}

/// Reads an order out of a verified answer or an unsealed notice.
pub(super) fn transaction(json: &[u8]) -> Result<Transaction, String> {
    let fields: TransactionFields = serde_json::from_slice(json).map_err(|e| format!("no order: {e}"))?;
    let amount = fields.amount.unwrap_or(TransactionAmount { total: None, currency: None });
    Ok(Transaction {
        mchid: fields.mchid,
        appid: fields.appid,
        out_trade_no: fields.out_trade_no,
        trade_state: trade_state(fields.trade_state),
        transaction_id: fields.transaction_id.filter(|id| !id.is_empty()),
        success_time: fields.success_time.filter(|time| !time.is_empty()),
        amount_total: amount.total,
        currency: amount.currency,
    })
}

fn trade_state(word: String) -> TradeState {
    match word.as_str() {
        "SUCCESS" => TradeState::Success,
        "REFUND" => TradeState::Refund,
        "NOTPAY" => TradeState::NotPay,
        "CLOSED" => TradeState::Closed,
        "REVOKED" => TradeState::Revoked,
        "USERPAYING" => TradeState::UserPaying,
        "PAYERROR" => TradeState::PayError,
        _ => TradeState::Other(word),
    }
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::super::fault;
    use super::*;
    use crate::money::Money;
    use crate::payment::terms::{Method as PayMethod, Terms};

    fn outcome(status: u16, code: &str, request_id: &str) -> CreateOutcome {
        let body = if code.is_empty() { Bytes::from_static(b"<html>") } else { Bytes::from(format!(r#"{{"code":"{code}","message":"m"}}"#)) };
        let response = Response::builder().status(status).header("Request-ID", request_id).body(body).expect("a response");
        refused(fault::read(&response))
    }

    #[test]
    fn the_order_is_pinned_to_the_byte() {
        let terms =
            Terms { amount: Money::fen(12_900).expect("an amount"), description: "蓝色\"球鞋\"".to_owned(), method: PayMethod::WechatNative };
        let account = WechatPayAccount { mchid: "1900000001".to_owned(), appid: "wx0123456789abcdef".to_owned() };
        let number = OutTradeNo::new("fg0000000000000000000000000000ab");
        let written =
            body(&account, &OrderDraft { out_trade_no: &number, terms: &terms, notify_url: "http://127.0.0.1:8080/callbacks/wechatpay/demo" });
        // A changed byte would make every order of yesterday a different one today (invariant M3).
        let golden = r#"{"appid":"wx0123456789abcdef","mchid":"1900000001","description":"蓝色\"球鞋\"","out_trade_no":"fg0000000000000000000000000000ab","notify_url":"http://127.0.0.1:8080/callbacks/wechatpay/demo","amount":{"total":12900,"currency":"CNY"}}"#;
        assert_eq!(String::from_utf8_lossy(&written), golden);
    }

    #[test]
    fn only_a_certain_no_is_a_no() {
        assert!(matches!(outcome(400, "PARAM_ERROR", ""), CreateOutcome::Refused { .. }));
        assert!(matches!(outcome(401, "SIGN_ERROR", ""), CreateOutcome::Denied { .. }));
        assert!(matches!(outcome(403, "NO_AUTH", ""), CreateOutcome::Denied { .. }));
        assert!(matches!(outcome(403, "OUT_TRADE_NO_USED", ""), CreateOutcome::Conflict { .. }));
        assert!(matches!(outcome(400, "INVALID_REQUEST", "08F7-268498688"), CreateOutcome::Conflict { .. }));
        assert!(matches!(outcome(400, "INVALID_REQUEST", "08F7-268449538"), CreateOutcome::AlreadyPaid));
        assert_eq!(outcome(400, "ORDERPAID", ""), CreateOutcome::AlreadyPaid);
        assert_eq!(outcome(400, "ORDER_CLOSED", ""), CreateOutcome::AlreadyClosed);
        assert!(matches!(outcome(429, "FREQUENCY_LIMITED", ""), CreateOutcome::Busy { .. }));
        for (status, code) in [(500, "SYSTEM_ERROR"), (502, ""), (503, "SERVICE_UNAVAILABLE"), (403, ""), (404, ""), (302, "")] {
            assert!(matches!(outcome(status, code, ""), CreateOutcome::Unknown { .. }), "{status} {code}");
        }
    }

    #[test]
    fn a_paid_order_does_not_close() {
        let outcome = |status: u16, code: &str, request_id: &str| {
            let response = Response::builder().status(status).header("Request-ID", request_id);
            let body = Bytes::from(if code.is_empty() { String::new() } else { format!(r#"{{"code":"{code}","message":"m"}}"#) });
            not_closed(fault::read(&response.body(body).expect("a response")))
        };
        assert_eq!(outcome(400, "ORDER_PAID", ""), CloseOutcome::AlreadyPaid);
        assert_eq!(outcome(400, "INVALID_REQUEST", "08F7-268449538"), CloseOutcome::AlreadyPaid);
        assert_eq!(outcome(400, "ORDER_CLOSED", ""), CloseOutcome::Closed);
        assert_eq!(outcome(404, "ORDER_NOT_EXIST", ""), CloseOutcome::NotFound);
        assert!(matches!(outcome(429, "FREQUENCY_LIMITED", ""), CloseOutcome::Busy { .. }));
        assert!(matches!(outcome(401, "SIGN_ERROR", ""), CloseOutcome::Denied { .. }));
        assert!(matches!(outcome(400, "INVALID_REQUEST", "08F7-268449641"), CloseOutcome::Refused { .. }), "code pay is reversed, not closed");
        for (status, code) in [(500, "SYSTEM_ERROR"), (502, ""), (404, ""), (403, "")] {
            assert!(matches!(outcome(status, code, ""), CloseOutcome::Unknown { .. }), "{status} {code}");
        }
    }

    #[test]
    fn an_unpaid_order_has_neither_currency_nor_number() {
        let json = r#"{"amount":{"payer_currency":"CNY","total":1},"appid":"wx1","mchid":"19","out_trade_no":"x","promotion_detail":[],"trade_state":"NOTPAY"}"#;
        let order = transaction(json.as_bytes()).expect("reads");
        assert_eq!((order.trade_state, order.amount_total, order.currency), (TradeState::NotPay, Some(1), None));
        for bad in ["{}", "[]", "", r#"{"mchid":"1","appid":"2","out_trade_no":"3","trade_state":"SUCCESS","amount":{"total":1.5}}"#] {
            assert!(transaction(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
