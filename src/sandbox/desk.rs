//! The operator's desk, as JSON: what orders there are, and what should go wrong next.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::Inner;
use super::book::orders::Order;
use super::serve::{Body, whole};

/// `GET /sandbox/orders`
pub(super) fn orders(inner: &Inner) -> Response<Body> {
    let orders: Vec<Value> = inner.orders.all().iter().map(shown).collect();
    json_answer(StatusCode::OK, &json!({"orders": orders}))
}

/// One order as the desk and the phone show it.
pub(super) fn shown(order: &Order) -> Value {
    let callbacks: Vec<Value> = order.deliveries.iter().map(|(at, status)| json!({"at_ms": at.0, "status": status})).collect();
    json!({
        "out_trade_no": order.out_trade_no, "amount_fen": order.total(), "description": order.text("description"), "trade_state": order.state.word(),
        "code_url": order.code_url, "transaction_id": order.transaction_id, "notify_url": order.text("notify_url"), "creates": order.creates,
        "declined": order.declined, "notified": order.notified, "callbacks": callbacks,
    })
}

/// `POST /sandbox/faults`
pub(super) fn faults(inner: &Inner, body: &[u8]) -> Response<Body> {
    match inner.faults.set(body) {
        Ok(()) => json_answer(StatusCode::OK, &json!({"ok": true})),
        Err(why) => json_answer(StatusCode::BAD_REQUEST, &json!({"error": why})),
    }
}

pub(super) fn json_answer(status: StatusCode, json: &Value) -> Response<Body> {
    let mut response = whole(status, Bytes::from(json.to_string()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
