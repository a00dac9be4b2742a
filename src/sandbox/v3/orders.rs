//! Native orders, queries, closing.

use http::StatusCode;
use serde_json::{Value, json};

use super::super::book::orders::{Order, OrderError, transaction};
use super::Call;
use super::error::{ApiError, Reply};

/// Makes an order.
pub(super) fn create(call: &Call<'_>) -> Result<Reply, ApiError> {
    let parameters = parameters(call)?;
    let number = parameters["out_trade_no"].as_str().unwrap_or_default();
    let order = call.inner.orders.create(number, &parameters, call.mode).map_err(|e| refused(&e))?;
    Ok(Reply::ok(&json!({"code_url": order.code_url})))
}

/// The order under a number of the merchant's.
pub(super) fn query(call: &Call<'_>) -> Result<Reply, ApiError> {
    is_mchid(call, call.query("mchid"))?;
    found(call.inner.orders.by_number(&call.number(0)))
}

/// The order under WeChat Pay's number.
pub(super) fn query_by_id(call: &Call<'_>) -> Result<Reply, ApiError> {
    is_mchid(call, call.query("mchid"))?;
    found(call.inner.orders.by_transaction(&call.number(0)))
}

fn found(order: Option<Order>) -> Result<Reply, ApiError> {
    order.map(|order| Reply::ok(&transaction(&order))).ok_or_else(|| refused(&OrderError::Unknown))
}

/// Closes an order.
pub(super) fn close(call: &Call<'_>) -> Result<Reply, ApiError> {
    is_mchid(call, call.json()?["mchid"].as_str().unwrap_or_default())?;
    call.inner.orders.close(&call.number(0)).map_err(|e| refused(&e))?;
    Ok(Reply::empty())
}

/// The parameters of an order, checked one by one.
fn parameters(call: &Call<'_>) -> Result<Value, ApiError> {
    let json = call.json()?;
    let text = |field: &'static str, name: &str, max: usize| {
        let value = json[name].as_str().filter(|text| !text.is_empty() && text.chars().count() <= max);
        value.ok_or_else(|| ApiError::parameter(field, json[name].clone(), "输入参数缺失或超出长度限制"))
    };
    let (appid, mchid) = (text("/appid", "appid", 32)?, text("/mchid", "mchid", 32)?);
    text("/description", "description", 127)?;
    let number = text("/out_trade_no", "out_trade_no", 32)?;
    let fine = number.len() >= 6 && number.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-|*".contains(&b));
    if !fine {
        return Err(ApiError::parameter("/out_trade_no", number.into(), "商户订单号只能是6至32位的数字、大小写字母_-|*"));
    }
    let notify_url = text("/notify_url", "notify_url", 255)?;
    if !(notify_url.starts_with("https://") || notify_url.starts_with("http://")) || notify_url.contains('?') {
        return Err(ApiError::parameter("/notify_url", notify_url.into(), "notify_url必须为完整的URL且不携带参数"));
    }
    let total = &json["amount"]["total"];
    if !total.as_i64().is_some_and(|total| (1..=100_000_000_000).contains(&total)) {
        return Err(ApiError::parameter("/amount/total", total.clone(), "订单金额必须为大于0的整数，单位为分"));
    }
    let currency = &json["amount"]["currency"];
    if !currency.is_null() && currency != "CNY" {
        return Err(ApiError::parameter("/amount/currency", currency.clone(), "境内商户号仅支持人民币CNY"));
    }
    is_mchid(call, mchid)?;
    if !call.merchant.appids.iter().any(|bound| bound == appid) {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "APPID_MCHID_NOT_MATCH", "appid和mchid不匹配").internal("268445527"));
    }
    Ok(json)
}

fn is_mchid(call: &Call<'_>, mchid: &str) -> Result<(), ApiError> {
    if mchid == call.merchant.mchid {
        Ok(())
    } else {
        Err(ApiError::parameter("/mchid", mchid.into(), "Http头Authorization中的mchid与post payload中的mchid不一致"))
    }
}

fn refused(error: &OrderError) -> ApiError {
    match error {
        OrderError::Used => {
            ApiError::new(StatusCode::BAD_REQUEST, "INVALID_REQUEST", "请求重入时，参数与首次请求时不一致，请核对后再试").internal("268498688")
        }
        OrderError::Paid => ApiError::new(StatusCode::BAD_REQUEST, "ORDERPAID", "该订单已支付").internal("268449538"),
        OrderError::Closed => ApiError::new(StatusCode::BAD_REQUEST, "ORDER_CLOSED", "该订单已关闭").internal("268447914"),
        OrderError::Unknown => ApiError::new(StatusCode::NOT_FOUND, "ORDER_NOT_EXIST", "订单不存在").internal("268512771"),
        OrderError::Unavailable => ApiError::system(),
    }
}
