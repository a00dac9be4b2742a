//! Refunds: made, asked about, and sent elsewhere when the payer's card does not take them.

use http::StatusCode;
use serde_json::Value;

use super::super::book::order::{Key, Order};
use super::super::book::refunds::{Refund, RefundError, WantedRefund};
use super::error::{ApiError, Reply};
use super::schema::{FEN, Field, Kind, OUT_TRADE_NO, check, may, must};
use super::{Answer, Call, transaction};

/// An `out_refund_no`.
const OUT_REFUND_NO: Kind = Kind::Number(1, 64, b"_-|*@");

/// Most kinds of goods in a refund.
const GOODS_MAX: usize = 500;

const GOODS: Kind = Kind::Object(&[
    must("merchant_goods_id", Kind::Text(32)),
    may("wechatpay_goods_id", Kind::Text(32)),
    may("goods_name", Kind::Text(256)),
    must("unit_price", Kind::Int(0, i64::MAX)),
    must("refund_amount", Kind::Int(0, i64::MAX)),
    must("refund_quantity", Kind::Int(1, i64::MAX)),
]);

const FROM: Kind = Kind::Object(&[must("account", Kind::OneOf(&["AVAILABLE", "UNAVAILABLE"])), must("amount", FEN)]);

const FIELDS: &[Field] = &[
    may("sub_mchid", Kind::Text(32)),
    may("transaction_id", Kind::Text(32)),
    may("out_trade_no", OUT_TRADE_NO),
    must("out_refund_no", OUT_REFUND_NO),
    may("reason", Kind::Free(80)),
    may("notify_url", Kind::NotifyUrl),
    may("funds_account", Kind::OneOf(&["AVAILABLE", "UNSETTLED"])),
    must(
        "amount",
        Kind::Object(&[must("refund", FEN), must("total", FEN), must("currency", Kind::OneOf(&["CNY"])), may("from", Kind::List(2, &FROM))]),
    ),
    may("goods_detail", Kind::List(GOODS_MAX, &GOODS)),
];

/// Banks that take an abnormal refund.
const BANKS: &[&str] = &[
    "CMB_DEBIT",
    "COMM_DEBIT",
    "ABC_DEBIT",
    "CCB_DEBIT",
    "ICBC_DEBIT",
    "BOC_DEBIT",
    "PAB_DEBIT",
    "SPDB_DEBIT",
    "CITIC_DEBIT",
    "CEB_DEBIT",
    "CMBC_DEBIT",
    "CIB_DEBIT",
    "GDB_DEBIT",
    "PSBC_DEBIT",
    "NBCB_DEBIT",
];

const ABNORMAL_FIELDS: &[Field] = &[
    may("sub_mchid", Kind::Text(32)),
    must("out_refund_no", OUT_REFUND_NO),
    must("type", Kind::OneOf(&["USER_BANK_CARD", "MERCHANT_BANK_CARD"])),
    may("bank_type", Kind::OneOf(BANKS)),
    may("bank_account", Kind::Text(1024)),
    may("real_name", Kind::Text(1024)),
];

/// `POST /v3/refund/domestic/refunds`
pub(super) fn create(call: &Call<'_>) -> Answer {
    let json = call.json()?;
    check(FIELDS, &json)?;
    if !json["transaction_id"].is_string() && !json["out_trade_no"].is_string() {
        return Err(ApiError::parameter("/transaction_id", Value::Null, "transaction_id和out_trade_no必须二选一"));
    }
    sums_up(&json["amount"])?;
    let sub_mchid = sub_mchid(call, json["sub_mchid"].as_str(), "/sub_mchid")?;
    let switches = call.inner.switches.now();
    let key = Key::new(&call.merchant.mchid, json["out_refund_no"].as_str().unwrap_or_default());
    if switches.balance_short && call.inner.orders.refund_by_number(&key).is_none() {
        return Err(ApiError::new(StatusCode::FORBIDDEN, "NOT_ENOUGH", "基本账户余额不足，请充值后重新发起"));
    }
    let wanted = WantedRefund { key, sub_mchid, parameters: &json, key_mode: call.mode };
    let accepted = call.inner.orders.refund(&wanted, switches.course(), call.inner.time.now());
    shown(call, accepted)
}

/// `GET /v3/refund/domestic/refunds/{out_refund_no}`, of a partner with `?sub_mchid=`
pub(super) fn query(call: &Call<'_>) -> Answer {
    let named = Some(call.query("sub_mchid")).filter(|number| !number.is_empty());
    let sub_mchid = sub_mchid(call, named, "sub_mchid").map_err(ApiError::in_query)?;
    let found = call.inner.orders.refund_by_number(&Key::new(&call.merchant.mchid, &call.number(0)));
    let (order, refund) = found.filter(|(order, _)| order.sub_mchid() == sub_mchid).ok_or_else(|| refused(RefundError::UnknownRefund))?;
    Ok(Reply::ok(&transaction::refund(&order, &refund)))
}

/// `POST /v3/refund/domestic/refunds/{refund_id}/apply-abnormal-refund`
pub(super) fn abnormal(call: &Call<'_>) -> Answer {
    let json = call.json()?;
    check(ABNORMAL_FIELDS, &json)?;
    if json["type"] == "USER_BANK_CARD" {
        for (name, pointer) in [("bank_type", "/bank_type"), ("bank_account", "/bank_account"), ("real_name", "/real_name")] {
            if !json[name].is_string() {
                return Err(ApiError::parameter(pointer, Value::Null, "退款至用户银行卡时必填"));
            }
        }
    }
    let sub_mchid = sub_mchid(call, json["sub_mchid"].as_str(), "/sub_mchid")?;
    let (order, refund) = call.inner.orders.refund_by_id(&call.number(0)).ok_or_else(|| refused(RefundError::UnknownRefund))?;
    if refund.key.mchid != call.merchant.mchid || order.sub_mchid() != sub_mchid || json["out_refund_no"] != refund.key.number.as_str() {
        return Err(refused(RefundError::UnknownRefund));
    }
    let (to, course) = (json["type"].as_str().unwrap_or_default(), call.inner.switches.now().course());
    let sent = call.inner.orders.refund_elsewhere(&refund.key, to, course, call.inner.time.now());
    shown(call, sent)
}

fn shown(call: &Call<'_>, outcome: Result<(Order, Refund), RefundError>) -> Answer {
    let (order, refund) = outcome.map_err(refused)?;
    call.inner.due.notify_one();
    Ok(Reply::ok(&transaction::refund(&order, &refund)))
}

/// The sub-merchant of a partner's refund; an ordinary merchant names none.
fn sub_mchid<'n>(call: &Call<'_>, named: Option<&'n str>, field: &'static str) -> Result<&'n str, ApiError> {
    match named {
        None if call.merchant.sub_mchids.is_empty() => Ok(""),
        None => Err(ApiError::parameter(field, Value::Null, "服务商模式必须传入sub_mchid").internal("268443704")),
        Some(number) if call.merchant.sub_mchids.iter().any(|known| known == number) => Ok(number),
        Some(_) => Err(ApiError::new(StatusCode::FORBIDDEN, "NO_AUTH", "没有该子商户的退款权限").internal("268443701")),
    }
}

/// Where the money comes from has to add up to what goes back.
fn sums_up(amount: &Value) -> Result<(), ApiError> {
    let Some(from) = amount["from"].as_array() else { return Ok(()) };
    let sum: i64 = from.iter().filter_map(|part| part["amount"].as_i64()).sum();
    if amount["refund"].as_i64() == Some(sum) {
        return Ok(());
    }
    Err(ApiError::parameter("/amount/from", amount["from"].clone(), "出资金额之和与退款金额不一致"))
}

fn refused(error: RefundError) -> ApiError {
    match error {
        RefundError::Differs => ApiError::invalid("订单金额或退款金额与之前请求不一致，请核实后再试").internal("268498688"),
        RefundError::UnknownOrder => ApiError::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_EXISTS", "订单不存在").internal("268512771"),
        RefundError::UnknownRefund => ApiError::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_EXISTS", "退款单不存在"),
        RefundError::Unpaid => ApiError::invalid("订单未支付，无法退款"),
        RefundError::OtherTotal => ApiError::invalid("订单总金额与原订单不一致"),
        RefundError::TooMuch => ApiError::invalid("申请退款金额大于订单剩余可退金额"),
        RefundError::TooMany => ApiError::invalid("一笔订单最多支持50次部分退款"),
        RefundError::TooSoon => ApiError::new(StatusCode::TOO_MANY_REQUESTS, "FREQUENCY_LIMITED", "同一笔订单的退款需间隔1分钟"),
        RefundError::TooLate => ApiError::new(StatusCode::FORBIDDEN, "TRADE_OVERDUE", "订单已超过可退款的期限"),
        RefundError::NotAbnormal => ApiError::invalid("退款单不是异常状态，不能发起异常退款"),
        RefundError::Unavailable => ApiError::system(),
    }
}
