//! The cashiers: what opens when a JSAPI page or an app starts a payment, and the page an `h5_url` leads to.

use std::collections::BTreeMap;

use http::request::Parts;
use http::{Response, StatusCode};
use maud::{Markup, html};
use serde_json::json;

use super::super::Inner;
use super::super::book::order::{Order, Product, TradeState};
use super::super::desk::json_answer;
use super::super::serve::Body;
use super::pay_sign::Handed;
use super::{Say, Words, page, parameters, yuan};

const STYLE: &str = include_str!("../phone.css");
const SCRIPT: &str = include_str!("cashier.js");

/// `GET /phone/cashier?appId=…`: the cashier of a JSAPI page, a mini program or an app.
pub(in crate::sandbox) fn open(inner: &Inner, parts: &Parts) -> Response<Body> {
    let given: BTreeMap<String, String> = parameters(parts).into_iter().collect();
    let found = Handed::read(&given).and_then(|handed| handed.check(inner));
    shown(Say::to(parts), &found, "")
}

/// `POST /phone/cashier`: the same check for tests and scripts. An order that may be paid is then paid by `POST /phone/pay`.
pub(in crate::sandbox) fn check(inner: &Inner, body: &[u8]) -> Response<Body> {
    let given: BTreeMap<String, String> = match serde_json::from_slice(body) {
        Ok(given) => given,
        Err(e) => return json_answer(StatusCode::BAD_REQUEST, &json!({"error": format!("send what the page hands over, all of it text: {e}")})),
    };
    match Handed::read(&given).and_then(|handed| handed.check(inner)) {
        Ok(order) => json_answer(
            StatusCode::OK,
            &json!({
                "out_trade_no": order.out_trade_no(), "prepay_id": order.prepay_id, "amount_fen": order.total(),
                "description": order.text("description"), "trade_state": order.state.word(),
            }),
        ),
        Err((_, why)) => json_answer(StatusCode::BAD_REQUEST, &json!({"error": why})),
    }
}

/// `GET /cgi-bin/mmpayweb-bin/checkmweb?prepay_id=…`: where an `h5_url` leads. `redirect_url` is where the payer goes afterwards.
pub(in crate::sandbox) fn h5(inner: &Inner, parts: &Parts) -> Response<Body> {
    let given: BTreeMap<String, String> = parameters(parts).into_iter().collect();
    let prepay_id = given.get("prepay_id").map_or("", String::as_str);
    let found = inner.orders.all().into_iter().find(|order| order.product == Product::H5 && order.prepay_id == prepay_id);
    let found = found.ok_or(("没有这个订单，或链接已被新的替换", "no order has this address, or a newer one has replaced it"));
    let back = given.get("redirect_url").filter(|url| url.starts_with("http://") || url.starts_with("https://"));
    shown(Say::to(parts), &found, back.map_or("", String::as_str))
}

fn shown(say: Say, found: &Result<Order, Words>, back: &str) -> Response<Body> {
    let title = say.it(("微信支付收银台（沙箱）", "WeChat Pay cashier (sandbox)"));
    let main = html! {
        main data-paid=(say.it(("已支付", "Paid"))) data-back=(back) {
            h1 { (say.it(("收银台", "Cashier"))) }
            p.note { (say.it(("沙箱：没有真实的钱。", "A sandbox: no real money."))) }
            @match found {
                Ok(order) => (card(say, order)),
                Err(why) => p.told.wrong { (say.it(*why)) },
            }
            p.told role="status" aria-live="polite" {}
        }
    };
    page(say, title, STYLE, SCRIPT, &main)
}

fn card(say: Say, order: &Order) -> Markup {
    html! {
        ul {
            li {
                div.what { (order.text("description")) }
                div.amount { (yuan(order.total())) }
                div.number { (order.out_trade_no()) " · " (order.product.trade_type()) }
                div.row {
                    @if order.state == TradeState::NotPay {
                        button data-prepay=(order.prepay_id) { (say.it(("支付", "Pay"))) }
                        button.quiet data-prepay=(order.prepay_id) data-decline="true" { (say.it(("拒绝", "Decline"))) }
                    } @else {
                        span.state { (order.state.word()) }
                    }
                }
            }
        }
    }
}
