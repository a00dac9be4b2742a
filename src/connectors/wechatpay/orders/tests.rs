//! Tests of orders: golden bytes of every trade type, and the meaning of every refusal.

use super::super::fault;
use super::*;
use crate::clock::UnixMs;
use crate::connectors::OrderDetails;
use crate::money::Money;
use crate::payment::terms::{Method as PayMethod, Terms};
use http::Response;

/// A failure as the rail would cause it.
fn failed(operation: Operation, status: u16, code: &str, request_id: &str) -> Failed {
    let body = if code.is_empty() { Bytes::from_static(b"<html>") } else { Bytes::from(format!(r#"{{"code":"{code}","message":"m"}}"#)) };
    let response = Response::builder().status(status).header("Request-ID", request_id).body(body).expect("a response");
    fault::read(&response).failed(operation.nature)
}

fn order(sub: Option<&SubMerchant>, trade: Trade<'_>, details: OrderDetails<'_>) -> String {
    let terms = Terms { amount: Money::fen(12_900).expect("an amount"), description: "蓝色\"球鞋\"".to_owned(), method: PayMethod::WechatNative };
    let account = WechatPayAccount { mchid: "1900000001".to_owned(), appid: "wx0123456789abcdef".to_owned() };
    let number = OutTradeNo::new("fg0000000000000000000000000000ab");
    let draft = OrderDraft { out_trade_no: &number, terms: &terms, notify_url: "http://127.0.0.1:8080/callbacks/wechatpay/demo", trade, details };
    String::from_utf8(body(&account, sub, &draft).to_vec()).expect("UTF-8")
}

// A changed byte in any of these would make every order of yesterday a different one today (invariant M3).

#[test]
fn a_native_order_is_pinned_to_the_byte() {
    let golden = r#"{"appid":"wx0123456789abcdef","mchid":"1900000001","description":"蓝色\"球鞋\"","out_trade_no":"fg0000000000000000000000000000ab","notify_url":"http://127.0.0.1:8080/callbacks/wechatpay/demo","amount":{"total":12900,"currency":"CNY"}}"#;
    assert_eq!(order(None, Trade::Native, OrderDetails::default()), golden);
    assert_eq!(order(None, Trade::App, OrderDetails::default()), golden, "only the path differs");
}

#[test]
fn the_other_kinds_are_pinned_too() {
    let jsapi = r#"{"appid":"wx0123456789abcdef","mchid":"1900000001","description":"蓝色\"球鞋\"","out_trade_no":"fg0000000000000000000000000000ab","time_expire":"2026-01-01T08:15:00+08:00","attach":"cart-77","notify_url":"http://127.0.0.1:8080/callbacks/wechatpay/demo","goods_tag":"NEW","amount":{"total":12900,"currency":"CNY"},"payer":{"openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},"settle_info":{"profit_sharing":true}}"#;
    let details = OrderDetails { expires: Some(UnixMs(1_767_226_500_999)), attach: Some("cart-77"), goods_tag: Some("NEW"), profit_sharing: true };
    assert_eq!(order(None, Trade::Jsapi { openid: "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o" }, details), jsapi);
    let h5 = r#"{"appid":"wx0123456789abcdef","mchid":"1900000001","description":"蓝色\"球鞋\"","out_trade_no":"fg0000000000000000000000000000ab","notify_url":"http://127.0.0.1:8080/callbacks/wechatpay/demo","amount":{"total":12900,"currency":"CNY"},"scene_info":{"payer_client_ip":"203.0.113.7","h5_info":{"type":"iOS"}}}"#;
    let trade = Trade::H5 { payer_client_ip: std::net::IpAddr::from([203, 0, 113, 7]), browser: H5Browser::Ios };
    assert_eq!(order(None, trade, OrderDetails::default()), h5);
}

#[test]
fn a_partners_order_names_both_merchants() {
    let golden = r#"{"sp_appid":"wx0123456789abcdef","sp_mchid":"1900000001","sub_mchid":"1900000109","description":"蓝色\"球鞋\"","out_trade_no":"fg0000000000000000000000000000ab","notify_url":"http://127.0.0.1:8080/callbacks/wechatpay/demo","amount":{"total":12900,"currency":"CNY"},"payer":{"sp_openid":"o1"}}"#;
    let mut sub = SubMerchant { sub_mchid: "1900000109".to_owned(), sub_appid: None };
    assert_eq!(order(Some(&sub), Trade::Jsapi { openid: "o1" }, OrderDetails::default()), golden);
    sub.sub_appid = Some("wxsub".to_owned());
    let written = order(Some(&sub), Trade::Jsapi { openid: "o1" }, OrderDetails::default());
    assert!(written.contains(r#""sub_appid":"wxsub","sub_mchid":"1900000109""#) && written.contains(r#""payer":{"sub_openid":"o1"}"#), "{written}");
}

#[test]
fn only_a_certain_no_is_a_no() {
    let outcome = |status, code, request_id| not_ordered(failed(CREATE, status, code, request_id));
    assert!(matches!(outcome(400, "PARAM_ERROR", ""), CreateOutcome::Refused { .. }));
    assert!(matches!(outcome(401, "SIGN_ERROR", ""), CreateOutcome::Denied { .. }));
    assert!(matches!(outcome(403, "NO_AUTH", ""), CreateOutcome::Denied { .. }));
    assert!(matches!(outcome(400, "APPID_MCHID_NOT_MATCH", ""), CreateOutcome::Denied { .. }));
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
    let outcome = |status, code, request_id| not_closed(failed(CLOSE, status, code, request_id));
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
fn each_kind_is_answered_by_its_own_invitation() {
    assert_eq!(code(br#"{"code_url":"weixin://x"}"#), Ok(Invitation::Code { code_url: "weixin://x".to_owned() }));
    assert_eq!(prepay(br#"{"prepay_id":"wx1","more":1}"#), Ok(Invitation::Prepay { prepay_id: "wx1".to_owned() }));
    assert_eq!(page(br#"{"h5_url":"https://x"}"#), Ok(Invitation::Page { h5_url: "https://x".to_owned() }));
    for bad in [&b""[..], b"{}", b"[]", br#"{"code_url":""}"#, br#"{"code_url":1}"#, br#"{"prepay_id":"x"}"#] {
        assert!(code(bad).is_err());
    }
}
