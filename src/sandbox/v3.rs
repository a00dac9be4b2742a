//! WeChat Pay v3: native orders, queries, closing, certificates. Paths are matched as they were sent: nothing is decoded, because signatures
//! cover what stood on the wire.

use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::Inner;
use super::checks::{ApiError, answer, check};
use super::faults::Fault;
use super::orders::{Order, OrderError, transaction};
use super::seal::seal;
use super::serve::{Body, Cut, whole};
use super::sign::KeyMode;

/// What a path asks for.
enum Operation<'p> {
    Create,
    Query(&'p str),
    QueryById(&'p str),
    Close(&'p str),
    Certificates,
}

const ORDERS: &str = "/v3/pay/transactions/";

fn operation<'p>(path: &'p str, method: &Method) -> Result<Operation<'p>, StatusCode> {
    let only = |wanted: Method, operation| if *method == wanted { Ok(operation) } else { Err(StatusCode::METHOD_NOT_ALLOWED) };
    if path == "/v3/certificates" {
        return only(Method::GET, Operation::Certificates);
    }
    let rest = path.strip_prefix(ORDERS).ok_or(StatusCode::NOT_FOUND)?;
    if rest == "native" {
        return only(Method::POST, Operation::Create);
    }
    if let Some(id) = rest.strip_prefix("id/").filter(|id| !id.is_empty() && !id.contains('/')) {
        return only(Method::GET, Operation::QueryById(id));
    }
    let number = rest.strip_prefix("out-trade-no/").ok_or(StatusCode::NOT_FOUND)?;
    match number.split_once('/') {
        None if !number.is_empty() => only(Method::GET, Operation::Query(number)),
        Some((number, "close")) => only(Method::POST, Operation::Close(number)),
        _ => Err(StatusCode::NOT_FOUND),
    }
}

/// Answers a request of a merchant.
pub(super) async fn enter(inner: &Inner, parts: &Parts, body: Bytes) -> Result<Response<Body>, Cut> {
    let operation = match operation(parts.uri.path(), &parts.method) {
        Ok(operation) => operation,
        Err(status) => return Ok(whole(status, Bytes::new())),
    };
    if let Err(error) = check(inner, parts, &body) {
        return Ok(error.response(inner, None));
    }
    let mode = inner.signer.mode_of(&parts.headers);
    let (fault, delay_ms) = match operation {
        Operation::Create => inner.faults.next(true),
        Operation::Query(_) | Operation::QueryById(_) => inner.faults.next(false),
        Operation::Close(_) | Operation::Certificates => (Fault::None, 0),
    };
    if delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
    }
    if fault == Fault::Unavailable {
        return Ok(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", "服务不可用，请稍后重试").response(inner, Some(mode)));
    }
    if fault == Fault::ParamError {
        return Ok(ApiError::parameter("/description", Value::Null, "参数错误").response(inner, Some(mode)));
    }
    let acted = act(inner, &operation, parts, &body, mode);
    match fault {
        Fault::ResetAfterActing => Err(Cut),
        Fault::ErrorAfterActing => {
            Ok(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "SYSTEM_ERROR", "系统异常，请用相同参数重新调用").response(inner, Some(mode)))
        }
        _ => Ok(match acted {
            Ok((status, json)) => answer(inner, status, json, Some(mode), "0", fault == Fault::BadSignature),
            Err(error) => error.response(inner, Some(mode)),
        }),
    }
}

fn act(inner: &Inner, operation: &Operation<'_>, parts: &Parts, body: &[u8], mode: KeyMode) -> Result<(StatusCode, Bytes), ApiError> {
    let found = |order: Option<Order>| {
        let order = order.ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, "ORDER_NOT_EXIST", "订单不存在").internal("268512771"))?;
        Ok((StatusCode::OK, Bytes::from(transaction(&order).to_string())))
    };
    match operation {
        Operation::Create => {
            let parameters = parameters(inner, body)?;
            let number = parameters["out_trade_no"].as_str().unwrap_or_default();
            let order = inner.orders.create(number, &parameters, mode).map_err(|e| refused(&e))?;
            Ok((StatusCode::OK, Bytes::from(json!({"code_url": order.code_url}).to_string())))
        }
        Operation::Query(number) => {
            is_mchid(inner, query_mchid(parts))?;
            found(inner.orders.by_number(&unescaped(number)))
        }
        Operation::QueryById(id) => {
            is_mchid(inner, query_mchid(parts))?;
            found(inner.orders.by_transaction(id))
        }
        Operation::Close(number) => {
            let json: Value = serde_json::from_slice(body).map_err(|_| not_json())?;
            is_mchid(inner, json["mchid"].as_str().unwrap_or_default())?;
            inner.orders.close(&unescaped(number)).map_err(|e| refused(&e))?;
            Ok((StatusCode::NO_CONTENT, Bytes::new()))
        }
        Operation::Certificates => certificates(inner),
    }
}

/// The parameters of an order, checked one by one.
fn parameters(inner: &Inner, body: &[u8]) -> Result<Value, ApiError> {
    let json: Value = serde_json::from_slice(body).ok().filter(Value::is_object).ok_or_else(not_json)?;
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
    is_mchid(inner, mchid)?;
    if appid != inner.account.appid {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "APPID_MCHID_NOT_MATCH", "appid和mchid不匹配").internal("268445527"));
    }
    Ok(json)
}

fn is_mchid(inner: &Inner, mchid: &str) -> Result<(), ApiError> {
    if mchid == inner.account.mchid {
        Ok(())
    } else {
        Err(ApiError::parameter("/mchid", mchid.into(), "Http头Authorization中的mchid与post payload中的mchid不一致"))
    }
}

fn query_mchid(parts: &Parts) -> &str {
    let query = parts.uri.query().unwrap_or_default();
    query.split('&').find_map(|pair| pair.strip_prefix("mchid=")).unwrap_or_default()
}

/// A number out of a path; clients escape `|` and `*`, or do not.
fn unescaped(number: &str) -> String {
    number.replace("%7C", "|").replace("%7c", "|").replace("%2A", "*").replace("%2a", "*")
}

fn not_json() -> ApiError {
    ApiError::parameter("", Value::Null, "请求体不是合法的JSON")
}

fn refused(error: &OrderError) -> ApiError {
    match error {
        OrderError::Used => {
            ApiError::new(StatusCode::BAD_REQUEST, "INVALID_REQUEST", "请求重入时，参数与首次请求时不一致，请核对后再试").internal("268498688")
        }
        OrderError::Paid => ApiError::new(StatusCode::BAD_REQUEST, "ORDERPAID", "该订单已支付").internal("268449538"),
        OrderError::Closed => ApiError::new(StatusCode::BAD_REQUEST, "ORDER_CLOSED", "该订单已关闭").internal("268447914"),
        OrderError::Unknown => ApiError::new(StatusCode::NOT_FOUND, "ORDER_NOT_EXIST", "订单不存在").internal("268512771"),
        OrderError::Unavailable => ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "SYSTEM_ERROR", "系统异常，请用相同参数重新调用"),
    }
}

fn certificates(inner: &Inner) -> Result<(StatusCode, Bytes), ApiError> {
    let account = &inner.account;
    let sealed = seal(&account.apiv3_key, account.platform_certificate_pem.as_bytes(), "certificate");
    let sealed = sealed.ok_or_else(|| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "SYSTEM_ERROR", "系统异常"))?;
    let (begins, ends) = &account.certificate_life;
    let json =
        json!({"data": [{"serial_no": account.platform_serial, "effective_time": begins, "expire_time": ends, "encrypt_certificate": sealed}]});
    Ok((StatusCode::OK, Bytes::from(json.to_string())))
}
