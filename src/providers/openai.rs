//! A provider that speaks OpenAI's chat completions over HTTP: one attempt, whole or streamed.

use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
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

/// The fields of an answer that belong to the caller: nothing of the connection, no cookies, and the provider's own request id under another name.
fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    const OURS: [&str; 12] = [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "set-cookie",
        "server",
        "date",
        "alt-svc",
    ];
    for name in OURS {
        headers.remove(name);
    }
    headers.remove(CONTENT_LENGTH);
    if let Some(id) = headers.remove("x-request-id") {
        headers.insert(HeaderName::from_static("x-upstream-request-id"), id);
    }
    headers
}
