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
mod spoil;
pub(super) mod transaction;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use serde_json::Value;

use super::Inner;
use super::accounts::Merchant;
use super::faults::Family;
use super::serve::{Body, Cut, whole};
use super::sign::KeyMode;
use error::{ApiError, Reply};
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
        return Ok(spoil::limited(if route.family == Family::Other { "RATELIMIT_EXCEEDED" } else { "FREQUENCY_LIMITED" }).response(inner, Some(mode)));
    }
    let (fault, delay_ms) = inner.faults.next(route.family);
    if delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
    }
    if let Some((error, is_signed)) = spoil::refused_first(fault)? {
        return Ok(error.response(inner, Some(mode).filter(|_| is_signed)));
    }
    inner.ripen();
    let acted = (route.act)(&Call { inner, merchant, parts, body: &body, mode, segments });
    spoil::answered(inner, fault, acted, mode).await
}

/// Whether the merchant may ask this often.
fn is_admitted(inner: &Inner, merchant: &Merchant, route: &Route) -> bool {
    let per_second = inner.switches.now().per_second_max.or(route.per_second);
    per_second.is_none_or(|per_second| inner.limits.admit(&merchant.mchid, route.path, per_second))
}
