//! The payer's phone: a page that scans and pays, and the same as JSON for tests and scripts.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT_LANGUAGE, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode};
use maud::{DOCTYPE, PreEscaped, html};
use serde::Deserialize;
use serde_json::json;

use super::book::order::TradeState;
use super::book::orders::OrderError;
use super::serve::{Body, whole};
use super::wallet::CODE_MS;
use super::{Inner, callbacks, desk};
use crate::language::Language;

/// What the phone reads: one of these.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scan {
    /// What a QR code says.
    code_url: Option<String>,
    /// What a JSAPI page, a mini program or an app was handed.
    prepay_id: Option<String>,
    /// The address an H5 page opens.
    h5_url: Option<String>,
    /// The payment code that was scanned: agrees, as with a password.
    auth_code: Option<String>,
    #[serde(default)]
    decline: bool,
}

impl Scan {
    fn read(body: &[u8]) -> Result<(String, bool), String> {
        let scan: Self = serde_json::from_slice(body).map_err(|e| e.to_string())?;
        let prepay_of = |url: String| {
            let query = url.split_once('?').map(|(_, query)| query.to_owned()).unwrap_or_default();
            query.split('&').find_map(|pair| pair.strip_prefix("prepay_id=")).unwrap_or_default().to_owned()
        };
        let mut handles = [scan.code_url, scan.prepay_id, scan.h5_url.map(prepay_of), scan.auth_code].into_iter().flatten();
        match (handles.next(), handles.next()) {
            (Some(handle), None) => Ok((handle, scan.decline)),
            _ => Err("one of code_url, prepay_id, h5_url, auth_code is needed".to_owned()),
        }
    }
}

/// `POST /phone/pay {"code_url": "weixin://…"}`: pays, or with `"decline": true` does not.
pub(super) fn pay(inner: &Arc<Inner>, body: &[u8]) -> Response<Body> {
    let (handle, decline) = match Scan::read(body) {
        Ok(scan) => scan,
        Err(e) => return desk::json_answer(StatusCode::BAD_REQUEST, &json!({"error": format!("send {{\"code_url\": \"weixin://…\"}}: {e}")})),
    };
    inner.ripen();
    if !decline && let Some(answer) = pay_together(inner, &handle) {
        return answer;
    }
    let done = if decline { inner.orders.decline(&handle).map(|order| (order, false)) } else { inner.orders.pay(&handle, inner.time.now()) };
    match done {
        Ok((order, newly_paid)) => {
            if newly_paid {
                callbacks::paid(inner, &order);
            }
            desk::json_answer(
                StatusCode::OK,
                &json!({"out_trade_no": order.out_trade_no(), "trade_state": order.state.word(), "transaction_id": order.transaction_id}),
            )
        }
        Err(error) => refused(error),
    }
}

/// Pays all parts, if the handle is a combined order's.
fn pay_together(inner: &Arc<Inner>, handle: &str) -> Option<Response<Body>> {
    match inner.orders.pay_together(handle, inner.time.now()) {
        Ok((combined, parts, newly_paid)) => {
            if newly_paid {
                callbacks::paid_together(inner, &combined, &parts);
            }
            let json = json!({
                "combine_out_trade_no": combined.key.number, "trade_state": "SUCCESS", "combine_transaction_id": combined.transaction_id,
            });
            Some(desk::json_answer(StatusCode::OK, &json))
        }
        Err(OrderError::Unknown) => None,
        Err(error) => Some(refused(error)),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Show {
    #[serde(default)]
    password: bool,
}

/// `POST /phone/auth-code {"password": false}`: shows a payment code; with `"password": true` the payer has to agree before money moves.
pub(super) fn auth_code(inner: &Inner, body: &[u8]) -> Response<Body> {
    let Ok(Show { password }) = serde_json::from_slice(body) else {
        return desk::json_answer(StatusCode::BAD_REQUEST, &json!({"error": "send {\"password\": false}, or true for a payer who is asked first"}));
    };
    match inner.wallet.show(password, inner.time.now()) {
        Ok(code) => desk::json_answer(StatusCode::OK, &json!({"auth_code": code, "lives_ms": CODE_MS})),
        Err(e) => desk::json_answer(StatusCode::SERVICE_UNAVAILABLE, &json!({"error": e.to_string()})),
    }
}

fn refused(error: OrderError) -> Response<Body> {
    let (status, why) = match error {
        OrderError::Closed => (StatusCode::CONFLICT, "the order is closed"),
        OrderError::Expired => (StatusCode::CONFLICT, "the order's time_expire is over"),
        OrderError::HandleExpired => (StatusCode::CONFLICT, "the code is too old: the merchant has to ask for the order again"),
        OrderError::Unpayable => (StatusCode::CONFLICT, "WeChat Pay lets no H5 order be paid whose payer_client_ip is 127.0.0.1"),
        OrderError::Unavailable => (StatusCode::INTERNAL_SERVER_ERROR, "the sandbox cannot write its journal"),
        _ => (StatusCode::NOT_FOUND, "no open order has this code"),
    };
    desk::json_answer(status, &json!({"error": why}))
}

const STYLE: &str = include_str!("phone.css");
const SCRIPT: &str = include_str!("phone.js");

/// `GET /`: the phone.
pub(super) fn page(inner: &Inner, parts: &Parts) -> Response<Body> {
    let language = Language::accepted(parts.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default());
    let say = |zh: &'static str, en: &'static str| if language == Language::Zh { zh } else { en };
    let open = inner.orders.all().into_iter().filter(|order| order.state == TradeState::NotPay).count();
    let page = html! {
        (DOCTYPE)
        html lang=(language.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (say("付款人的手机（沙箱）", "The payer's phone (sandbox)")) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main data-pay=(say("支付", "Pay")) data-decline=(say("拒绝", "Decline")) data-paid=(say("已支付", "Paid")) data-closed=(say("已关闭", "Closed"))
                    data-done=(say("已完成", "Done")) data-take=(say("收款", "Take the money")) data-agree=(say("同意", "Agree")) data-end=(say("解约", "End it"))
                    data-transfer=(say("转账：", "Transfer: ")) data-service=(say("先用后付：", "Use first, pay later: ")) data-contract=(say("免密扣费：", "Charges by contract: ")) {
                    h1 { (say("付款人的手机", "The payer's phone")) }
                    p.note { (say("沙箱：没有真实的钱。选择一个待付订单，或粘贴二维码内容。", "A sandbox: no real money. Choose an open order, or paste what a QR code says.")) }
                    form {
                        input name="code_url" placeholder="weixin://wxpay/bizpayurl?pr=… / wx… / http…" aria-label=(say("二维码内容", "What the QR code says")) autocomplete="off";
                        button { (say("扫一扫", "Scan")) }
                    }
                    p.links {
                        button.quiet.code type="button" { (say("出示付款码", "Show a payment code")) }
                        a href="/operator" { (say("沙箱控制台", "The sandbox's desk")) }
                    }
                    p.told role="status" aria-live="polite" {}
                    ul aria-label=(say("订单", "Orders")) {}
                    p.none hidden[open > 0] { (say("还没有待付订单", "No order waits to be paid")) }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    let mut response = whole(StatusCode::OK, Bytes::from(page.into_string()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}
