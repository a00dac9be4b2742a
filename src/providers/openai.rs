//! A provider that speaks OpenAI's chat completions over HTTP: one attempt, whole or streamed.

use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use super::errors;
use super::events;
use super::redact::redacted;
use crate::chat::call::ChatCall;
use crate::chat::reply::{ChatReply, StreamReply};
use crate::dial::Dial;
use crate::pipeline::{Next, Reply};
use crate::refusal::Refusal;
use crate::wire::openai;

/// The largest whole answer of a provider that is read, in bytes; a longer one is no answer.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The largest error body that is read, in bytes.
const ERROR_BYTES_MAX: usize = 64 * 1024;

/// How long a provider may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Until the answer's headers.
    pub first_byte: Duration,
    /// Between two pieces of a stream.
    pub idle: Duration,
    /// For everything.
    pub total: Duration,
}

/// What a lane's end needs to know.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// `…/chat/completions`.
    pub url: Uri,
    /// `Bearer …`, marked sensitive; `None` for a provider that asks for none.
    pub authorization: Option<HeaderValue>,
    /// The model's name at this provider.
    pub model: String,
    /// How long it may take.
    pub timeouts: Timeouts,
}

/// The end of a lane: sends a call to `endpoint` and reads the answer.
pub fn provider(endpoint: Endpoint, dial: Dial) -> Next {
    let endpoint = std::sync::Arc::new(endpoint);
    Next::new(move |call| attempt(std::sync::Arc::clone(&endpoint), dial.clone(), call))
}

async fn attempt(endpoint: std::sync::Arc<Endpoint>, dial: Dial, call: ChatCall) -> Reply {
    let body = openai::write_request(&call.request, &endpoint.model)?;
    let request = request_for(&endpoint, &call, body.clone())?;
    let deadline = call.deadline.min(Instant::now() + endpoint.timeouts.total);
    let started = Instant::now();
    let sent = dial.send(request, endpoint.timeouts.first_byte.min(deadline - started)).await;
    call.stopwatch.waited(started.elapsed());
    let response = sent.map_err(|e| errors::of_dial(&e))?;
    if response.status() != StatusCode::OK {
        return Err(refused(response, deadline, (&endpoint, &body)).await);
    }
    if call.request.stream {
        let (head, body) = response.into_parts();
        must_be_events(&head.headers)?;
        let closely = call.payment.is_some();
        let events = events::read(body, closely, endpoint.timeouts.idle, deadline);
        return Ok(ChatReply::Stream(StreamReply { headers: end_to_end(head.headers), events }));
    }
    let started = Instant::now();
    let whole = whole(response, deadline).await;
    call.stopwatch.waited(started.elapsed());
    let (headers, bytes) = whole?;
    Ok(ChatReply::Whole(openai::read_reply(bytes, headers, call.payment.is_some())?))
}

fn request_for(endpoint: &Endpoint, call: &ChatCall, body: Bytes) -> Result<Request<Full<Bytes>>, Refusal> {
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = endpoint.url.clone();
    let headers = request.headers_mut();
    headers.reserve(call.request.headers.len() + 8);
    for (name, value) in call.request.headers.as_ref() {
        headers.append(name.clone(), value.clone());
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static(if call.request.stream { "text/event-stream" } else { "application/json" }));
    // Usage must be read out of the answer, so it has to come in the clear.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("fengate/", env!("CARGO_PKG_VERSION"))));
    if let Some(authorization) = &endpoint.authorization {
        headers.insert(AUTHORIZATION, authorization.clone());
    }
    if let Ok(id) = HeaderValue::from_str(call.request_id.as_str()) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    Ok(request)
}

/// Refuses an answer that is no event stream in the clear: an error page, a whole answer or compressed bytes would otherwise pass for events that
/// nobody understands.
fn must_be_events(headers: &HeaderMap) -> Result<(), Refusal> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("text/event-stream") {
        return Err(errors::invalid("an answer that is no event stream where one was asked for"));
    }
    let encoded = headers.get_all(CONTENT_ENCODING).iter().any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if encoded { Err(errors::invalid("an encoded stream where none was accepted")) } else { Ok(()) }
}

/// Reads a whole body within `ANSWER_BYTES_MAX` and the deadline.
async fn whole(response: Response<Incoming>, deadline: Instant) -> Result<(HeaderMap, Bytes), Refusal> {
    let (head, body) = response.into_parts();
    let read = http_body_util::Limited::new(body, ANSWER_BYTES_MAX).collect();
    match timeout_at(deadline, read).await {
        Err(_) => Err(errors::timeout("the answer did not end in time")),
        Ok(Err(e)) => Err(errors::broken(format!("the answer broke off: {e}"))),
        Ok(Ok(collected)) => Ok((end_to_end(head.headers), collected.to_bytes())),
    }
}

/// Turns a status that is not 200 into a refusal, reading what the provider says of what was `sent`.
async fn refused(response: Response<Incoming>, deadline: Instant, (endpoint, sent): (&Endpoint, &Bytes)) -> Refusal {
    let (head, body) = response.into_parts();
    let read = http_body_util::Limited::new(body, ERROR_BYTES_MAX).collect();
    let bytes = timeout_at(deadline, read).await.ok().and_then(Result::ok).map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let own_key = endpoint.authorization.as_ref().and_then(|field| field.to_str().ok()?.strip_prefix("Bearer "));
    errors::of_status(head.status, &head.headers, openai::read_error(&bytes), |text| redacted(text, own_key, sent))
}

/// Fields of an answer that stay here: the connection's own, and what speaks for fengate's origin (its cookies, its policies, orders to a server
/// in front, who serves) or of
/// its account at the provider.
const KEPT: [&str; 28] = [
    "alt-svc",
    "clear-site-data",
    "connection",
    "content-length",
    "content-security-policy",
    "content-security-policy-report-only",
    "date",
    "expect-ct",
    "idempotent-replayed",
    "keep-alive",
    "nel",
    "openai-organization",
    "openai-project",
    "permissions-policy",
    "public-key-pins",
    "refresh",
    "report-to",
    "reporting-endpoints",
    "server",
    "service-worker-allowed",
    "strict-transport-security",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "www-authenticate",
    "x-sendfile",
];

/// Families of such fields. What else a provider says (`openai-processing-ms`, `x-ratelimit-*`, fields nobody knows) is the caller's.
const KEPT_FAMILIES: [&str; 8] = ["access-control-", "cf-", "cross-origin-", "proxy-", "set-cookie", "x-accel-", "x-frame-", "x-powered-"];

/// The fields of an answer that belong to the caller, and the provider's own request id under another name.
fn end_to_end(headers: HeaderMap) -> HeaderMap {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let is_kept = |name: &HeaderName| {
        KEPT.binary_search(&name.as_str()).is_ok() || KEPT_FAMILIES.iter().any(|family| name.as_str().starts_with(family)) || named.contains(name)
    };
    let mut passed = headers;
    let kept: Vec<HeaderName> = passed.keys().filter(|name| is_kept(name)).cloned().collect();
    for name in kept {
        passed.remove(name);
    }
    if let Some(id) = passed.remove("x-request-id") {
        passed.insert(HeaderName::from_static("x-upstream-request-id"), id);
    }
    passed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_an_answer_speaks_for_this_origin_or_of_its_account() {
        assert!(KEPT.is_sorted(), "looked up by halving");
        let mut headers = HeaderMap::new();
        for name in [
            "set-cookie",
            "set-cookie2",
            "clear-site-data",
            "access-control-allow-origin",
            "content-security-policy",
            "strict-transport-security",
            "server",
            "alt-svc",
            "openai-organization",
            "openai-project",
            "x-accel-redirect",
            "cf-ray",
            "x-hop",
        ] {
            headers.append(name.parse::<HeaderName>().expect("a name"), HeaderValue::from_static("x"));
        }
        headers.append(CONNECTION, HeaderValue::from_static("close, X-Hop"));
        for name in ["x-request-id", "x-ratelimit-remaining-requests", "openai-processing-ms", "retry-after", "x-new"] {
            headers.append(name.parse::<HeaderName>().expect("a name"), HeaderValue::from_static("y"));
        }
        let passed = end_to_end(headers);
        let mut names: Vec<&str> = passed.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["openai-processing-ms", "retry-after", "x-new", "x-ratelimit-remaining-requests", "x-upstream-request-id"]);
    }
}
