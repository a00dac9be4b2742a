//! The payer's phone: a page that scans and pays, and the same as JSON for tests and scripts.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT_LANGUAGE, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode};
use maud::{DOCTYPE, PreEscaped, html};
use serde::Deserialize;
use serde_json::json;

use super::book::orders::{OrderError, TradeState};
use super::serve::{Body, whole};
use super::{Inner, callbacks, desk};
use crate::language::Language;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scan {
    code_url: String,
    #[serde(default)]
    decline: bool,
}

/// `POST /phone/pay {"code_url": "weixin://…"}`: pays, or with `"decline": true` does not.
pub(super) fn pay(inner: &Arc<Inner>, body: &[u8]) -> Response<Body> {
    let scan: Scan = match serde_json::from_slice(body) {
        Ok(scan) => scan,
        Err(e) => return desk::json_answer(StatusCode::BAD_REQUEST, &json!({"error": format!("send {{\"code_url\": \"weixin://…\"}}: {e}")})),
    };
    let done = if scan.decline {
        inner.orders.decline(&scan.code_url).map(|order| (order, false))
    } else {
        inner.orders.pay(&scan.code_url, inner.clock.now())
    };
    match done {
        Ok((order, newly_paid)) => {
            if newly_paid {
                callbacks::start(inner, order.clone());
            }
            desk::json_answer(
                StatusCode::OK,
                &json!({"out_trade_no": order.out_trade_no, "trade_state": order.state.word(), "transaction_id": order.transaction_id}),
            )
        }
        Err(OrderError::Closed) => desk::json_answer(StatusCode::CONFLICT, &json!({"error": "the order is closed"})),
        Err(OrderError::Unavailable) => {
            desk::json_answer(StatusCode::INTERNAL_SERVER_ERROR, &json!({"error": "the sandbox cannot write its journal"}))
        }
        Err(_) => desk::json_answer(StatusCode::NOT_FOUND, &json!({"error": "no open order has this code"})),
    }
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
                main data-pay=(say("支付", "Pay")) data-decline=(say("拒绝", "Decline")) data-paid=(say("已支付", "Paid")) data-closed=(say("已关闭", "Closed")) {
                    h1 { (say("付款人的手机", "The payer's phone")) }
                    p.note { (say("沙箱：没有真实的钱。选择一个待付订单，或粘贴二维码内容。", "A sandbox: no real money. Choose an open order, or paste what a QR code says.")) }
                    form {
                        input name="code_url" placeholder="weixin://wxpay/bizpayurl?pr=…" aria-label=(say("二维码内容", "What the QR code says")) autocomplete="off";
                        button { (say("扫一扫", "Scan")) }
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
