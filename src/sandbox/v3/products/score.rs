//! Pay score: created, confirmed on the phone, completed, changed once, paid on the phone or outside, cancelled.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};

use super::super::super::Inner;
use super::super::super::accounts::keys::digits;
use super::super::super::book::score::{ScoreError, ScoreOrder, ScoreState};
use super::super::super::sign::KeyMode;
use super::super::Call;
use super::super::error::{ApiError, Reply};
use super::super::schema::{Field, Kind, TRADE_SIGNS, may, must};
use super::fields::{Fields, used};
use super::telling::{Event, To, tell};
use super::trades::{self, Charge, OPENID};

/// A time range or a place: their fields are read where they matter.
const TIME_RANGE: Kind = Kind::Object(&[
    must("start_time", Kind::Text(14)),
    may("start_time_remark", Kind::Text(20)),
    may("end_time", Kind::Text(14)),
    may("end_time_remark", Kind::Text(20)),
]);
const LOCATION: Kind = Kind::Object(&[may("start_location", Kind::Text(50)), may("end_location", Kind::Text(50))]);
const DEVICE: Kind =
    Kind::Object(&[may("start_device_id", Kind::Text(64)), may("end_device_id", Kind::Text(64)), may("materiel_no", Kind::Text(64))]);

/// From nothing to ten million yuan, in fen.
const FEN_OR_NOTHING: Kind = Kind::Int(0, 1_000_000_000);

const ITEM: Kind =
    Kind::Object(&[may("name", Kind::Text(20)), may("amount", FEN_OR_NOTHING), may("description", Kind::Text(30)), may("count", Kind::Int(1, 100))]);
const PAYMENTS: Kind = Kind::List(100, &ITEM);
const DISCOUNTS: Kind = Kind::List(30, &ITEM);

const RISK_FUND: Kind = Kind::Object(&[
    must("name", Kind::OneOf(&["DEPOSIT", "ADVANCE", "CASH_DEPOSIT", "ESTIMATE_ORDER_COST"])),
    must("amount", Kind::Int(1, 1_000_000_000)),
    may("description", Kind::Text(30)),
]);

const CREATE: &[Field] = &[
    must("out_order_no", Kind::Number(1, 32, TRADE_SIGNS)),
    must("appid", Kind::Text(32)),
    must("service_id", Kind::Text(32)),
    must("service_introduction", Kind::Text(20)),
    may("post_payments", PAYMENTS),
    may("post_discounts", DISCOUNTS),
    must("time_range", TIME_RANGE),
    may("location", LOCATION),
    must("risk_fund", RISK_FUND),
    may("attach", Kind::Free(256)),
    must("notify_url", Kind::NotifyUrl),
    may("openid", Kind::Text(128)),
    may("need_user_confirm", Kind::Bool),
    may("device", DEVICE),
];

const CANCEL: &[Field] = &[must("appid", Kind::Text(32)), must("service_id", Kind::Text(32)), must("reason", Kind::Text(50))];

const COMPLETE: &[Field] = &[
    must("appid", Kind::Text(32)),
    must("service_id", Kind::Text(32)),
    must("post_payments", PAYMENTS),
    may("post_discounts", DISCOUNTS),
    must("total_amount", FEN_OR_NOTHING),
    may("time_range", TIME_RANGE),
    may("location", LOCATION),
    may("profit_sharing", Kind::Bool),
    may("goods_tag", Kind::Text(32)),
    may("device", DEVICE),
];

const MODIFY: &[Field] = &[
    must("appid", Kind::Text(32)),
    must("service_id", Kind::Text(32)),
    must("post_payments", PAYMENTS),
    may("post_discounts", DISCOUNTS),
    must("total_amount", FEN_OR_NOTHING),
    must("reason", Kind::Text(50)),
];

const SYNC: &[Field] = &[
    must("appid", Kind::Text(32)),
    must("service_id", Kind::Text(32)),
    must("type", Kind::OneOf(&["Order_Paid"])),
    must("detail", Kind::Object(&[must("paid_time", Kind::Number(14, 14, b""))])),
];

impl From<ScoreError> for ApiError {
    fn from(error: ScoreError) -> Self {
        let refused = |code, message| Self::new(StatusCode::BAD_REQUEST, code, message);
        match error {
            ScoreError::State => refused("INVALID_ORDER_STATE", "单据状态不支持该操作"),
            ScoreError::Cancelled => refused("ORDER_CANCELED", "单据已取消"),
            ScoreError::Done => refused("ORDER_DONE", "订单已完成"),
            ScoreError::Amount => Self::parameter("/total_amount", Value::Null, "总金额须等于后付费项目减去优惠，且不超过约定的金额"),
        }
    }
}

fn key(mchid: &str, out_order_no: &str) -> String {
    format!("{mchid}/{out_order_no}")
}

/// `POST /v3/payscore/serviceorder`
pub(super) fn create(call: &Call<'_>) -> Result<Reply, ApiError> {
    let fields = Fields::with_appid(call, CREATE)?;
    let out_order_no = fields.text("out_order_no").to_owned();
    start_time(&fields)?;
    let asks_user = fields.0["need_user_confirm"] != false;
    let openid = if asks_user { "" } else { fields.text("openid") };
    if !asks_user && openid.is_empty() {
        return Err(ApiError::parameter("/openid", Value::Null, "免确认订单的openid必填"));
    }
    let (order_id, package) = (digits(32).map_err(|_| ApiError::system())?, digits(40).map_err(|_| ApiError::system())?);
    let fresh = ScoreOrder {
        mchid: call.merchant.mchid.clone(),
        out_order_no: out_order_no.clone(),
        order_id,
        parameters: fields.0.clone(),
        completion: Value::Null,
        modified: false,
        state: if asks_user { ScoreState::Created } else { ScoreState::Doing },
        package,
        openid: openid.to_owned(),
        collected: None,
        is_public_key: call.mode == KeyMode::PublicKey,
        created_ms: call.inner.time.now().0,
    };
    let order = call.inner.products.score.change(&key(&call.merchant.mchid, &out_order_no), |is, _| match is {
        Some(known) if known.parameters == fields.0 => Ok((None, known.clone())),
        Some(_) => Err(used()),
        None => Ok((Some(fresh.clone()), fresh)),
    })?;
    let mut told = order.told();
    if order.state == ScoreState::Created {
        told["package"] = order.package.as_str().into();
    }
    Ok(Reply::ok(&told))
}

/// The service begins at a time in fourteen digits, or when the user confirms.
fn start_time(fields: &Fields) -> Result<(), ApiError> {
    let start = fields.0["time_range"]["start_time"].as_str().unwrap_or_default();
    let digits = (start.len() == 14 || start.len() == 8) && start.bytes().all(|byte| byte.is_ascii_digit());
    if digits || start == "OnAccept" {
        Ok(())
    } else {
        Err(ApiError::parameter("/time_range/start_time", start.into(), "时间格式应为yyyyMMddHHmmss"))
    }
}

fn not_found() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "ORDER_NOT_EXIST", "订单不存在")
}

/// `GET /v3/payscore/serviceorder?service_id&appid&out_order_no`, or by `query_id`.
pub(super) fn query(call: &Call<'_>) -> Result<Reply, ApiError> {
    let (no, query_id) = (call.query("out_order_no"), call.query("query_id"));
    if no.is_empty() == query_id.is_empty() {
        return Err(ApiError::parameter("out_order_no", no.into(), "out_order_no和query_id必须且只能填写一个"));
    }
    let fits = |one: &ScoreOrder| {
        one.mchid == call.merchant.mchid
            && (one.out_order_no == no || one.order_id == query_id)
            && one.text("service_id") == call.query("service_id")
            && one.text("appid") == call.query("appid")
    };
    let order = call.inner.products.score.find(fits).ok_or_else(not_found)?;
    let order = change(call.inner, &order.mchid, &order.out_order_no, |order| Ok(order.clone()))?;
    Ok(Reply::ok(&order.told()))
}

/// Changes an order that time has passed over.
fn change(
    inner: &Arc<Inner>,
    mchid: &str,
    out_order_no: &str,
    next: impl FnOnce(&ScoreOrder) -> Result<ScoreOrder, ApiError>,
) -> Result<ScoreOrder, ApiError> {
    let now = inner.time.now();
    inner.products.score.change(&key(mchid, out_order_no), |is, _| {
        let is = is.ok_or_else(not_found)?;
        let next = next(&is.aged(now).unwrap_or_else(|| is.clone()))?;
        Ok((Some(next.clone()), next))
    })
}

fn only_same_service(order: &ScoreOrder, fields: &Fields) -> Result<(), ApiError> {
    let same = ["appid", "service_id"].iter().all(|name| fields.0[*name].as_str() == Some(order.text(name)));
    if same { Ok(()) } else { Err(ApiError::invalid("appid或service_id与创建订单时不一致")) }
}

/// `POST …/{out_order_no}/cancel`
pub(super) fn cancel(call: &Call<'_>) -> Result<Reply, ApiError> {
    let fields = Fields::with_appid(call, CANCEL)?;
    let order = change(call.inner, &call.merchant.mchid, &call.number(0), |order| {
        only_same_service(order, &fields)?;
        Ok(order.cancelled()?)
    })?;
    Ok(Reply::ok(&json!({
        "appid": order.text("appid"), "mchid": order.mchid, "out_order_no": order.out_order_no, "service_id": order.text("service_id"),
        "order_id": order.order_id,
    })))
}

/// `POST …/{out_order_no}/complete`
pub(super) fn complete(call: &Call<'_>) -> Result<Reply, ApiError> {
    let fields = Fields::with_appid(call, COMPLETE)?;
    let now = call.inner.time.now();
    let order = change(call.inner, &call.merchant.mchid, &call.number(0), |order| {
        only_same_service(order, &fields)?;
        Ok(order.completed(&fields.0, now)?)
    })?;
    Ok(Reply::ok(&order.told()))
}

/// `POST …/{out_order_no}/modify`: less, once, before the money is there.
pub(super) fn modify(call: &Call<'_>) -> Result<Reply, ApiError> {
    let fields = Fields::with_appid(call, MODIFY)?;
    let order = change(call.inner, &call.merchant.mchid, &call.number(0), |order| {
        only_same_service(order, &fields)?;
        Ok(order.modified(&fields.0)?)
    })?;
    Ok(Reply::ok(&order.told()))
}

/// `POST …/{out_order_no}/sync`: the merchant got the money elsewhere.
pub(super) fn sync(call: &Call<'_>) -> Result<Reply, ApiError> {
    let fields = Fields::with_appid(call, SYNC)?;
    let now = call.inner.time.now();
    let order = change(call.inner, &call.merchant.mchid, &call.number(0), |order| {
        only_same_service(order, &fields)?;
        Ok(order.collected(String::new(), now)?)
    })?;
    Ok(Reply::ok(&order.told()))
}

/// The user agrees on the phone, by the number or by what the page was handed.
pub(super) fn confirm(inner: &Arc<Inner>, handle: &str) -> Result<ScoreOrder, ApiError> {
    let order = inner.products.score.find(|one| one.order_id == handle || one.package == handle).ok_or_else(not_found)?;
    let order = change(inner, &order.mchid, &order.out_order_no, |order| Ok(order.confirmed(OPENID)?))?;
    report(inner, &order, "PAYSCORE.USER_CONFIRM", "用户确认成功");
    Ok(order)
}

/// The user pays on the phone: the collection is an order of its own, which can be refunded. Both happen or neither.
pub(super) fn pay(inner: &Arc<Inner>, order_id: &str) -> Result<ScoreOrder, ApiError> {
    let known = inner.products.score.find(|one| one.order_id == order_id).ok_or_else(not_found)?;
    let now = inner.time.now();
    let order = change(inner, &known.mchid, &known.out_order_no, |order| {
        // Refused here, it charges nothing.
        order.collected(String::new(), now)?;
        let charge = Charge {
            out_trade_no: &order.order_id,
            appid: order.text("appid"),
            mchid: &order.mchid,
            description: order.text("service_introduction"),
            attach: "",
            total_fen: order.total(),
            notify_url: "",
            is_public_key: order.is_public_key,
        };
        let (paid, _) = trades::charge(inner, &charge)?;
        Ok(order.collected(paid.transaction_id.unwrap_or_default(), now)?)
    })?;
    report(inner, &order, "PAYSCORE.USER_PAID", "用户支付成功");
    Ok(order)
}

fn report(inner: &Arc<Inner>, order: &ScoreOrder, event_type: &'static str, summary: &'static str) {
    let event = Event { event_type, original_type: "payscore", summary };
    let to = To { mchid: &order.mchid, notify_url: order.text("notify_url"), is_public_key: order.is_public_key };
    tell(inner, &to, &event, order.told());
}
