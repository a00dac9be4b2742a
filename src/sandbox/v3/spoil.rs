//! How an answer is spoilt when a fault was ordered: before acting, after acting, on its way.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::super::Inner;
use super::super::faults::Fault;
use super::super::serve::{Body, Cut, truncated, whole};
use super::super::sign::KeyMode;
use super::Answer;
use super::error::{ApiError, Reply, answer};

/// How long a stalled answer is held: longer than any client waits.
const STALLED: Duration = Duration::from_secs(60);

/// How large an oversize answer is, in bytes.
const OVERSIZE_BYTES: usize = 2 * 1024 * 1024;

/// The refusal of one who asks too often.
pub(super) fn limited(code: &'static str) -> ApiError {
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, code, "请求过于频繁，请降低频率后重试").internal("268447840")
}

/// The error that is answered instead of acting, if the fault is of that sort, and whether it is signed.
pub(super) fn refused_first(fault: Fault) -> Result<Option<(ApiError, bool)>, Cut> {
    Ok(match fault {
        Fault::ResetBeforeActing => return Err(Cut),
        Fault::Unavailable => Some((ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", "服务不可用，请稍后重试"), true)),
        Fault::ParamError => Some((ApiError::parameter("/description", Value::Null, "参数错误"), true)),
        Fault::ClaimedClosed => Some((ApiError::new(StatusCode::BAD_REQUEST, "ORDER_CLOSED", "该订单已关闭"), false)),
        Fault::NotSigned => Some((ApiError::unsigned("签名错误，请检查后再试"), false)),
        Fault::Forbidden => Some((ApiError::new(StatusCode::FORBIDDEN, "NO_AUTH", "商户无权限"), true)),
        Fault::Error => Some((ApiError::system(), true)),
        Fault::Limited(code) => Some((limited(code), true)),
        _ => None,
    })
}

/// The answer after acting, spoilt as the fault says.
pub(super) async fn answered(inner: &Inner, fault: Fault, acted: Answer, mode: KeyMode) -> Result<Response<Body>, Cut> {
    match fault {
        Fault::ResetAfterActing => return Err(Cut),
        Fault::StallAfterActing => {
            tokio::time::sleep(STALLED).await;
            return Err(Cut);
        }
        Fault::ErrorAfterActing => return Ok(ApiError::system().response(inner, Some(mode))),
        Fault::BadGateway => return Ok(page(StatusCode::BAD_GATEWAY)),
        Fault::GatewayTimeout => return Ok(page(StatusCode::GATEWAY_TIMEOUT)),
        Fault::Html => return Ok(page(StatusCode::OK)),
        _ => {}
    }
    let reply = match acted {
        Ok(reply) => reply,
        Err(error) => return Ok(error.response(inner, Some(mode))),
    };
    Ok(match fault {
        Fault::Truncated => truncated(answer(inner, &reply, Some(mode), "0", false)),
        Fault::BadSignature => answer(inner, &reply, Some(mode), "0", true),
        Fault::Unsigned => answer(inner, &reply, None, "0", false),
        Fault::Forged => forged(inner, &reply, mode),
        Fault::EmptyJson => answer(inner, &changed(&reply, |json| *json = json!({})), Some(mode), "0", false),
        Fault::Oversize => answer(inner, &changed(&reply, |json| json["padding"] = "x".repeat(OVERSIZE_BYTES).into()), Some(mode), "0", false),
        Fault::OtherAmount => answer(inner, &changed(&reply, other_amount), Some(mode), "0", false),
        _ => answer(inner, &reply, Some(mode), "0", false),
    })
}

/// A page of something on the way that knows nothing of WeChat Pay.
fn page(status: StatusCode) -> Response<Body> {
    let mut response = whole(status, Bytes::from(format!("<html><body>{status}</body></html>")));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

/// A signature of the right form, by the right key, over another body.
fn forged(inner: &Inner, reply: &Reply, mode: KeyMode) -> Response<Body> {
    let mut response = answer(inner, reply, None, "0", false);
    response.headers_mut().extend(inner.signer.fields(mode, inner.clock.now().seconds(), b"another body", false));
    response
}

/// The same reply with other JSON; one that is none stays as it is.
fn changed(reply: &Reply, how: impl FnOnce(&mut Value)) -> Reply {
    match serde_json::from_slice::<Value>(&reply.body) {
        Ok(mut json) if json.is_object() => {
            how(&mut json);
            Reply::json(reply.status, &json)
        }
        _ => Reply { status: reply.status, body: reply.body.clone(), content_type: reply.content_type, is_signed: reply.is_signed },
    }
}

/// A fen more than the order's.
fn other_amount(json: &mut Value) {
    for name in ["total", "payer_total"] {
        if let Some(fen) = json["amount"][name].as_i64() {
            json["amount"][name] = (fen + 1).into();
        }
    }
}
