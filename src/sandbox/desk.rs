//! The operator's desk, as JSON: what the sandbox holds, how it behaves, and what should go wrong next.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Inner;
use super::accounts::{Merchant, rfc3339};
use super::book::notices::Notice;
use super::book::order::Order;
use super::book::refunds::Refund;
use super::platform::{Certificate, Rotation};
use super::serve::{Body, whole};
use super::time::ADVANCE_MS_MAX;

/// `GET /sandbox/orders`
pub(super) fn orders(inner: &Arc<Inner>) -> Response<Body> {
    inner.ripen();
    let orders: Vec<Value> = inner.orders.all().iter().map(|order| shown(inner, order)).collect();
    json_answer(StatusCode::OK, &json!({"orders": orders}))
}

/// One order as the desk and the phone show it.
fn shown(inner: &Inner, order: &Order) -> Value {
    let notice = order.notice_id.as_deref().and_then(|id| inner.notices.get(id));
    json!({
        "out_trade_no": order.out_trade_no(), "mchid": order.key.mchid, "sub_mchid": order.sub_mchid(), "amount_fen": order.total(),
        "description": order.text("description"), "trade_state": order.state.word(), "trade_type": order.product.trade_type(),
        "code_url": order.code_url, "prepay_id": order.prepay_id, "transaction_id": order.transaction_id, "notify_url": order.text("notify_url"),
        "creates": order.creates, "declined": order.declined, "refunds": order.refunds,
        "notified": notice.as_ref().is_some_and(|notice| notice.is_taken), "callbacks": notice.map_or_else(Vec::new, |notice| deliveries(&notice)),
    })
}

fn deliveries(notice: &Notice) -> Vec<Value> {
    notice.deliveries.iter().map(|(at, status)| json!({"at_ms": at.0, "status": status})).collect()
}

/// `GET /sandbox/refunds`
pub(super) fn refunds(inner: &Arc<Inner>) -> Response<Body> {
    inner.ripen();
    let one = |refund: &Refund| {
        json!({
            "out_refund_no": refund.key.number, "mchid": refund.key.mchid, "out_trade_no": refund.order.number, "refund_id": refund.refund_id,
            "amount_fen": refund.amount(), "status": refund.status.word(), "notify_url": refund.notify_url(), "notice_id": refund.notice_id,
        })
    };
    json_answer(StatusCode::OK, &json!({"refunds": inner.orders.all_refunds().iter().map(one).collect::<Vec<_>>()}))
}

/// `GET /sandbox/callbacks`: every notice, and how its deliveries were answered.
pub(super) fn callbacks(inner: &Arc<Inner>) -> Response<Body> {
    inner.ripen();
    let one = |notice: &Notice| {
        json!({
            "id": notice.id, "mchid": notice.mchid, "url": notice.url, "event_type": notice.event_type, "content": notice.content,
            "created_at_ms": notice.created_at.0, "taken": notice.is_taken, "deliveries": deliveries(notice),
        })
    };
    json_answer(StatusCode::OK, &json!({"callbacks": inner.notices.all().iter().map(one).collect::<Vec<_>>()}))
}

/// `POST /sandbox/switches`: how the platform behaves; what is not named is as it was built.
pub(super) fn switches(inner: &Arc<Inner>, body: &[u8]) -> Response<Body> {
    match inner.switches.set(body) {
        Ok(switches) => {
            inner.due.notify_one();
            json_answer(StatusCode::OK, &json!(switches))
        }
        Err(why) => json_answer(StatusCode::BAD_REQUEST, &json!({"error": why})),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Drive {
    advance_ms: i64,
}

/// `POST /sandbox/clock {"advance_ms": n}`: drives the sandbox's time on; what is due then happens.
pub(super) fn drive(inner: &Arc<Inner>, body: &[u8]) -> Response<Body> {
    let Some(Drive { advance_ms }) = serde_json::from_slice(body).ok().filter(|drive: &Drive| (0..=ADVANCE_MS_MAX).contains(&drive.advance_ms))
    else {
        let error = format!("send {{\"advance_ms\": n}} with n from 0 to {ADVANCE_MS_MAX}; time goes on only");
        return json_answer(StatusCode::BAD_REQUEST, &json!({"error": error}));
    };
    if inner.time.advance(advance_ms).is_err() {
        return json_answer(StatusCode::INTERNAL_SERVER_ERROR, &json!({"error": "the sandbox cannot write its journal"}));
    }
    inner.ripen();
    clock(inner)
}

/// `GET /sandbox/clock`
pub(super) fn clock(inner: &Inner) -> Response<Body> {
    let now = inner.time.now();
    json_answer(StatusCode::OK, &json!({"now_ms": now.0, "now": rfc3339(now.seconds()), "ahead_ms": inner.time.ahead_ms()}))
}

/// `GET /sandbox/certificates`: the platform's valid certificates, and which of them signs.
pub(super) fn certificates(inner: &Inner) -> Response<Body> {
    let now = inner.time.now();
    let one = |certificate: &Certificate| {
        let retires = Some(certificate.retires_at.0).filter(|ms| *ms != i64::MAX);
        json!({"serial": certificate.serial, "signs": now >= certificate.signs_from, "signs_from_ms": certificate.signs_from.0, "retires_at_ms": retires})
    };
    json_answer(StatusCode::OK, &json!({"certificates": inner.platform.valid(now).iter().map(one).collect::<Vec<_>>()}))
}

/// `POST /sandbox/certificates {"rotate": true}`
pub(super) fn rotate(inner: &Arc<Inner>, body: &[u8]) -> Response<Body> {
    let rotation = match Rotation::read(body) {
        Ok(rotation) => rotation,
        Err(why) => return json_answer(StatusCode::BAD_REQUEST, &json!({"error": why})),
    };
    if let Err(e) = inner.platform.rotate(rotation, inner.time.now(), inner.clock.now().seconds()) {
        return json_answer(StatusCode::INTERNAL_SERVER_ERROR, &json!({"error": e.to_string()}));
    }
    inner.ripen();
    certificates(inner)
}

/// `GET /sandbox/merchants`: who may trade here. Their keys lie in the sandbox's folder.
pub(super) fn merchants(inner: &Inner) -> Response<Body> {
    let one = |merchant: &Merchant| {
        json!({
            "name": merchant.name, "mchid": merchant.mchid, "appids": merchant.appids, "serial": merchant.serial, "sub_mchids": merchant.sub_mchids,
            "public_key_only": merchant.is_public_key_only, "public_key": merchant.public_key_pem,
        })
    };
    json_answer(StatusCode::OK, &json!({"merchants": inner.accounts.all().iter().map(one).collect::<Vec<_>>()}))
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
