//! Orders: native, JSAPI, app and H5, of ordinary merchants and of partners; queries and closing.

pub(super) mod fields;
mod making;

use http::StatusCode;

use super::super::book::order::{Key, Order};
use super::super::book::orders::OrderError;
use super::error::{ApiError, Reply};
use super::party::{Parties, Side};
use super::schema::{Kind, check, must};
use super::transaction::transaction;
use super::{Answer, Call};

pub(super) use making::*;

/// `GET /v3/pay/transactions/out-trade-no/{out_trade_no}?mchid=`
pub(super) fn query(call: &Call<'_>) -> Answer {
    by_number(call, Side::Ordinary)
}

/// `GET /v3/pay/partner/transactions/out-trade-no/{out_trade_no}?sp_mchid=&sub_mchid=`
pub(super) fn partner_query(call: &Call<'_>) -> Answer {
    by_number(call, Side::Partner)
}

/// `GET /v3/pay/transactions/id/{transaction_id}?mchid=`
pub(super) fn query_by_id(call: &Call<'_>) -> Answer {
    by_transaction(call, Side::Ordinary)
}

/// `GET /v3/pay/partner/transactions/id/{transaction_id}?sp_mchid=&sub_mchid=`
pub(super) fn partner_query_by_id(call: &Call<'_>) -> Answer {
    by_transaction(call, Side::Partner)
}

fn by_number(call: &Call<'_>, side: Side) -> Answer {
    let sub_mchid = Parties::of_query(side, call).check(call)?;
    found(call, sub_mchid, call.inner.orders.by_number(&Key::new(&call.merchant.mchid, &call.number(0))))
}

fn by_transaction(call: &Call<'_>, side: Side) -> Answer {
    let sub_mchid = Parties::of_query(side, call).check(call)?;
    found(call, sub_mchid, call.inner.orders.by_transaction(&call.number(0)))
}

fn found(call: &Call<'_>, sub_mchid: &str, order: Option<Order>) -> Answer {
    let order = order.filter(|order| order.key.mchid == call.merchant.mchid).ok_or_else(|| refused(OrderError::Unknown))?;
    if order.sub_mchid() == sub_mchid {
        Ok(Reply::ok(&transaction(&order)))
    } else {
        Err(ApiError::invalid("子商户号与订单不匹配").internal("268447845"))
    }
}

/// `POST /v3/pay/transactions/out-trade-no/{out_trade_no}/close`
pub(super) fn close(call: &Call<'_>) -> Answer {
    let json = call.json()?;
    check(&[must("mchid", Kind::Text(32))], &json)?;
    closed(call, &Parties::of_body(Side::Ordinary, &json))
}

/// `POST /v3/pay/partner/transactions/out-trade-no/{out_trade_no}/close`
pub(super) fn partner_close(call: &Call<'_>) -> Answer {
    let json = call.json()?;
    check(&[must("sp_mchid", Kind::Text(32)), must("sub_mchid", Kind::Text(32))], &json)?;
    closed(call, &Parties::of_body(Side::Partner, &json))
}

fn closed(call: &Call<'_>, parties: &Parties<'_>) -> Answer {
    let sub_mchid = parties.check(call)?;
    call.inner.orders.close(&Key::new(&call.merchant.mchid, &call.number(0)), sub_mchid).map_err(refused)?;
    Ok(Reply::empty())
}

/// An error of the book in WeChat Pay's words.
pub(super) fn refused(error: OrderError) -> ApiError {
    match error {
        OrderError::Differs => ApiError::invalid("请求重入时，参数与首次请求时不一致，请核对后再试").internal("268498688"),
        OrderError::SettlesDifferently => ApiError::invalid("订单重入时结算信息与首次请求不一致").internal("268498688"),
        OrderError::OtherProduct => ApiError::new(StatusCode::FORBIDDEN, "OUT_TRADE_NO_USED", "商户订单号重复").internal("268498688"),
        OrderError::Paid => ApiError::new(StatusCode::BAD_REQUEST, "ORDERPAID", "该订单已支付").internal("268449538"),
        OrderError::Closed => ApiError::new(StatusCode::BAD_REQUEST, "ORDER_CLOSED", "该订单已关闭").internal("268447914"),
        OrderError::Expired | OrderError::HandleExpired | OrderError::Unpayable => {
            ApiError::new(StatusCode::BAD_REQUEST, "ORDER_CLOSED", "该订单已过期，请更换商户订单号").internal("268447914")
        }
        OrderError::ReverseOnly => ApiError::invalid("付款码订单不支持关单，请使用撤销接口").internal("268449641"),
        OrderError::NotReversible => ApiError::invalid("该订单不支持撤销"),
        OrderError::OpenidMismatch => ApiError::parameter("/payer/openid", serde_json::Value::Null, "appid与openid不匹配"),
        OrderError::Unknown => ApiError::new(StatusCode::NOT_FOUND, "ORDER_NOT_EXIST", "订单不存在").internal("268512771"),
        OrderError::Unavailable => ApiError::system(),
    }
}
