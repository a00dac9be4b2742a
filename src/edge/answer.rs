//! Answers: the only table that turns a refusal into an HTTP status and OpenAI's error object.

use std::any::Any;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};
use serde_json::json;

use super::body::Body;
use crate::chat::reply::SHOULD_RETRY;
use crate::refusal::{Kind, Refusal};

/// The same wait as `Retry-After`, exactly; OpenAI's SDKs prefer it.
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// What the log says of an answer and the caller does not hear; rides on the answer to the one place that logs.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// The refusal's code.
    pub code: Option<String>,
    /// What only the operator may read.
    pub detail: Option<Box<str>>,
    /// Who asked, once that is known.
    pub merchant: Option<crate::ids::MerchantId>,
    /// The answer is somebody else's, passed on: nothing is added to it.
    pub untouched: bool,
}

/// A refusal as an HTTP answer.
pub fn refusal(refusal: &Refusal) -> Response<Body> {
    let mut response = json_response(status_of(refusal.kind), Bytes::from(error_json(refusal)));
    let headers = response.headers_mut();
    headers.extend(wait_fields(refusal.kind));
    if refusal.order_may_exist {
        headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    if refusal.kind == Kind::Unauthenticated {
        headers.insert(http::header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    let told = Told { code: Some(refusal.code.to_string()), detail: refusal.detail.clone(), ..Told::default() };
    response.extensions_mut().insert(told);
    response
}

/// The HTTP status of each kind.
pub fn status_of(kind: Kind) -> StatusCode {
    match kind {
        Kind::BadRequest => StatusCode::BAD_REQUEST,
        Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Kind::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
        // 409 would make OpenAI's SDKs repeat the request.
        Kind::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Kind::UnsupportedMedia => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Kind::UnsupportedCoding => StatusCode::NOT_IMPLEMENTED,
        Kind::RateLimited { .. } | Kind::ProviderBusy { .. } => StatusCode::TOO_MANY_REQUESTS,
        Kind::ProviderRejected { status } => StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST),
        Kind::ProviderDenied | Kind::ProviderFailed | Kind::ProviderUnreachable | Kind::ProviderInvalid => StatusCode::BAD_GATEWAY,
        Kind::ProviderTimeout => StatusCode::GATEWAY_TIMEOUT,
        Kind::NoLane | Kind::LedgerUnavailable | Kind::Draining => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// OpenAI's `type` of each kind.
fn type_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Unauthenticated => "authentication_error",
        Kind::RateLimited { .. } | Kind::ProviderBusy { .. } => "rate_limit_error",
        Kind::NotFound => "not_found_error",
        Kind::BadRequest
        | Kind::MethodNotAllowed
        | Kind::RequestTimeout
        | Kind::KeyReused
        | Kind::TooLarge
        | Kind::HeadersTooLarge
        | Kind::UnsupportedMedia
        | Kind::UnsupportedCoding
        | Kind::ProviderRejected { .. } => "invalid_request_error",
        Kind::ProviderDenied | Kind::ProviderFailed | Kind::ProviderUnreachable | Kind::ProviderTimeout | Kind::ProviderInvalid => "upstream_error",
        Kind::NoLane | Kind::LedgerUnavailable | Kind::Draining | Kind::Internal => "server_error",
    }
}

fn wait_of(kind: Kind) -> Option<std::time::Duration> {
    match kind {
        Kind::RateLimited { retry_after } => Some(retry_after),
        Kind::ProviderBusy { retry_after } => retry_after,
        _ => None,
    }
}

/// How long to wait, where a kind says it.
pub(super) fn wait_fields(kind: Kind) -> HeaderMap {
    let Some(wait) = wait_of(kind) else { return HeaderMap::new() };
    let ms = u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX).max(1);
    HeaderMap::from_iter([(RETRY_AFTER_MS, HeaderValue::from(ms)), (RETRY_AFTER, HeaderValue::from(ms.div_ceil(1_000)))])
}

/// OpenAI's error object.
pub fn error_json(refusal: &Refusal) -> String {
    json!({"error": {"message": refusal.message, "type": type_of(refusal.kind), "param": refusal.param, "code": refusal.code}}).to_string()
}

/// JSON.
pub fn json_response(status: StatusCode, json: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::whole(json));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A page of ours: not to be kept by anybody, nor shown inside another page.
pub fn html_response(status: StatusCode, html: String, policy: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::whole(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("content-security-policy", HeaderValue::from_static(policy));
    headers.insert("referrer-policy", HeaderValue::from_static("no-referrer"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}

/// A path that exists, asked for in a way it does not know.
pub fn method_not_allowed(allowed: &'static str) -> Response<Body> {
    let mut response = refusal(&Refusal::new(Kind::MethodNotAllowed, "method_not_allowed", format!("This path takes {allowed}.")));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// What a caller hears of a panic.
pub fn panicked(_: Box<dyn Any + Send + 'static>) -> Response<Body> {
    refusal(&Refusal::internal("panicked"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn waits_are_true_and_never_zero() {
        for (wait, ms, seconds) in
            [(Duration::from_nanos(1), "1", "1"), (Duration::from_millis(1_001), "1001", "2"), (Duration::from_micros(10_500), "11", "1")]
        {
            let response = refusal(&Refusal::new(Kind::RateLimited { retry_after: wait }, "rate_limit_exceeded", "wait"));
            assert_eq!(response.headers()[RETRY_AFTER_MS], ms);
            assert_eq!(response.headers()[RETRY_AFTER], seconds);
        }
    }

    #[test]
    fn no_detail_reaches_the_caller_and_an_order_forbids_repeating() {
        let refused = Refusal::new(Kind::LedgerUnavailable, "x", "sorry").detail("/var/secret").after_order();
        assert!(!error_json(&refused).contains("secret"));
        assert_eq!(refusal(&refused).headers()[SHOULD_RETRY], "false");
    }

    /// Every kind; a new one does not compile until it is listed.
    fn kinds() -> Vec<Kind> {
        let wait = Duration::from_secs(1);
        let mut kinds = vec![
            Kind::BadRequest,
            Kind::Unauthenticated,
            Kind::NotFound,
            Kind::MethodNotAllowed,
            Kind::RequestTimeout,
            Kind::KeyReused,
            Kind::TooLarge,
            Kind::HeadersTooLarge,
            Kind::UnsupportedMedia,
            Kind::UnsupportedCoding,
            Kind::RateLimited { retry_after: wait },
            Kind::ProviderDenied,
            Kind::ProviderBusy { retry_after: None },
            Kind::ProviderFailed,
            Kind::ProviderUnreachable,
            Kind::ProviderTimeout,
            Kind::ProviderInvalid,
            Kind::NoLane,
            Kind::LedgerUnavailable,
            Kind::Draining,
            Kind::Internal,
        ];
        // What `providers::errors` takes for the caller's fault.
        kinds.extend([400, 413, 415, 422].map(|status| Kind::ProviderRejected { status }));
        for kind in &kinds {
            match kind {
                Kind::BadRequest | Kind::Unauthenticated | Kind::NotFound | Kind::MethodNotAllowed | Kind::RequestTimeout | Kind::KeyReused => {}
                Kind::TooLarge
                | Kind::HeadersTooLarge
                | Kind::UnsupportedMedia
                | Kind::UnsupportedCoding
                | Kind::RateLimited { .. }
                | Kind::ProviderRejected { .. } => {}
                Kind::ProviderDenied | Kind::ProviderBusy { .. } | Kind::ProviderFailed | Kind::ProviderUnreachable | Kind::ProviderTimeout => {}
                Kind::ProviderInvalid | Kind::NoLane | Kind::LedgerUnavailable | Kind::Draining | Kind::Internal => {}
            }
        }
        kinds
    }

    #[test]
    fn no_refusal_of_ours_has_a_status_that_sdks_take_for_a_conflict_to_repeat() {
        for kind in kinds() {
            let status = status_of(kind);
            assert!(status.is_client_error() || status.is_server_error(), "{kind:?}: {status}");
            assert_ne!(status, StatusCode::CONFLICT, "{kind:?}");
            // The SDKs repeat 408, 409, 429 and 5xx: a caller's own fault would only come back.
            let repeated = status == StatusCode::REQUEST_TIMEOUT || status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
            // No SDK sends the codings that are answered 501.
            let may_pass = matches!(kind, Kind::RequestTimeout | Kind::RateLimited { .. } | Kind::UnsupportedCoding);
            let refusal = Refusal::new(kind, "x", "y");
            assert!(!repeated || may_pass || refusal.fault() != crate::refusal::Fault::Caller, "{kind:?}: {status}");
        }
    }
}
