//! WeChat Pay v3: a request finds its route, passes the checks, meets the fault that was ordered, and is answered. One file per product
//! family; [`routes`] is the table of all.

mod certificates;
mod checks;
mod code_pay;
pub(super) mod combined;
mod error;
mod orders;
mod party;
pub(super) mod products;
mod refunds;
mod routes;
mod schema;
pub(super) mod transaction;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode};
use serde_json::Value;

use super::Inner;
use super::accounts::Merchant;
use super::faults::{Family, Fault};
use super::serve::{Body, Cut, truncated, whole};
use super::sign::KeyMode;
use error::{ApiError, Reply, answer};
use routes::Route;

/// What an operation answers.
pub(crate) type Answer = Result<Reply, ApiError>;

/// A request of a merchant whose signature holds.
pub(crate) struct Call<'c> {
    pub(crate) inner: &'c Arc<Inner>,
    pub(crate) merchant: &'c Merchant,
    pub(crate) parts: &'c Parts,
    pub(crate) body: &'c [u8],
    /// Which key its answer is signed with.
    pub(crate) mode: KeyMode,
    /// The segments the route's `{}` stand for, as they were sent.
    pub(crate) segments: Vec<&'c str>,
}

impl Call<'_> {
    /// The body as a JSON object.
    pub(crate) fn json(&self) -> Result<Value, ApiError> {
        serde_json::from_slice(self.body).ok().filter(Value::is_object).ok_or_else(|| ApiError::parameter("", Value::Null, "请求体不是合法的JSON"))
    }

    /// A parameter of the query; empty where it is not.
    pub(crate) fn query(&self, name: &str) -> &str {
        let pairs = self.parts.uri.query().unwrap_or_default().split('&');
        pairs.filter_map(|pair| pair.split_once('=')).find_map(|(key, value)| (key == name).then_some(value)).unwrap_or_default()
    }

    /// A number out of the path; clients escape `|`, `*` and `@`, or do not.
    pub(crate) fn number(&self, at: usize) -> String {
        let mut number = self.segments.get(at).copied().unwrap_or_default().to_owned();
        for (escaped, plain) in [("%7C", "|"), ("%7c", "|"), ("%2A", "*"), ("%2a", "*"), ("%40", "@")] {
            number = number.replace(escaped, plain);
        }
        number
    }
}

/// Answers a request of a merchant.
pub(super) async fn enter(inner: &Arc<Inner>, parts: &Parts, body: Bytes) -> Result<Response<Body>, Cut> {
    let (route, segments) = match routes::find(&parts.method, parts.uri.path()) {
        Ok(found) => found,
        Err(status) => return Ok(whole(status, Bytes::new())),
    };
    let merchant = match checks::check(inner, parts, products::signed_part(parts, &body)) {
        Ok(merchant) => merchant,
        Err(error) => return Ok(error.response(inner, None)),
    };
    let mode = inner.signer.mode_of(&parts.headers, merchant);
    if !is_admitted(inner, merchant, route) {
        return Ok(limited(if route.family == Family::Other { "RATELIMIT_EXCEEDED" } else { "FREQUENCY_LIMITED" }).response(inner, Some(mode)));
    }
    let (fault, delay_ms) = inner.faults.next(route.family);
    if delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
    }
    if let Some(error) = refused_first(fault)? {
        return Ok(error.response(inner, Some(mode)));
    }
    inner.ripen();
    let acted = (route.act)(&Call { inner, merchant, parts, body: &body, mode, segments });
    match fault {
        Fault::ResetAfterActing => Err(Cut),
        Fault::ErrorAfterActing => Ok(ApiError::system().response(inner, Some(mode))),
        Fault::BadGateway => Ok(whole(StatusCode::BAD_GATEWAY, Bytes::from_static(b"<html><body>502 Bad Gateway</body></html>"))),
        _ => {
            let response = match acted {
                Ok(reply) => answer(inner, &reply, Some(mode), "0", fault == Fault::BadSignature),
                Err(error) => error.response(inner, Some(mode)),
            };
            Ok(if fault == Fault::Truncated { truncated(response) } else { response })
        }
    }
}

/// Whether the merchant may ask this often.
fn is_admitted(inner: &Inner, merchant: &Merchant, route: &Route) -> bool {
    let per_second = inner.switches.now().per_second_max.or(route.per_second);
    per_second.is_none_or(|per_second| inner.limits.admit(&merchant.mchid, route.path, per_second))
}

fn limited(code: &'static str) -> ApiError {
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, code, "请求过于频繁，请降低频率后重试").internal("268447840")
}

/// The error that is answered instead of acting, if the fault is of that sort.
fn refused_first(fault: Fault) -> Result<Option<ApiError>, Cut> {
    Ok(match fault {
        Fault::ResetBeforeActing => return Err(Cut),
        Fault::Unavailable => Some(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", "服务不可用，请稍后重试")),
        Fault::ParamError => Some(ApiError::parameter("/description", Value::Null, "参数错误")),
        Fault::Error => Some(ApiError::system()),
        Fault::Limited(code) => Some(limited(code)),
        _ => None,
    })
}
