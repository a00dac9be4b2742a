//! `POST /v1/chat/completions`: opens a question (who asks, what, of which model), has it answered, and writes the answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Response, StatusCode};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::answer::Told;
use super::body::Body;
use super::sse_out::{self, Telling};
use super::{Arrival, House, SharedHouse, answer, body, chat_part, headers, models};
use crate::chat::call::{ChatCall, Path, Stopwatch};
use crate::chat::reply::{ChatReply, SHOULD_RETRY, WholeBody, WholeReply};
use crate::merchant::Merchant;
use crate::metrics::seconds;
use crate::refusal::Refusal;
use crate::wire::object::{self, Shown};
use crate::wire::openai::{self, Authored};

/// How long a question may take in all, turns and payments included: what most clients wait for.
const ANSWER_WITHIN: Duration = Duration::from_secs(600);

/// Answers a question.
pub(super) async fn open(house: &SharedHouse, arrival: &Arrival, parts: &Parts, body: Incoming) -> Result<Response<Body>, Refusal> {
    let merchant = house.callers.identify(&parts.headers, arrival.peer).inspect_err(|_| {
        house.metrics.auth_failures.with_label_values(&["chat"]).inc();
    })?;
    let answered = asked(house, arrival, parts, body, &merchant).await;
    let mut response = answered.unwrap_or_else(|refusal| answer::refusal(&refusal));
    let told = response.extensions_mut().get_or_insert_default::<Told>();
    told.merchant = Some(merchant.id.clone());
    Ok(response)
}

async fn asked(house: &SharedHouse, arrival: &Arrival, parts: &Parts, body: Incoming, merchant: &Arc<Merchant>) -> Result<Response<Body>, Refusal> {
    body::must_be_json(&parts.headers)?;
    let bytes = body::read(&parts.headers, body, house.body_bytes_max, &house.metrics).await?;
    let read_at = Instant::now();
    let mut read = openai::read_request(bytes, headers::for_provider(&parts.headers))?;
    let model = house.models.get(&read.request.model).filter(|_| merchant.models.allows(&read.request.model));
    let model = model.ok_or_else(|| models::not_found(&read.request.model))?;
    let payment = chat_part::payment_part(house, model, merchant, &parts.headers, &mut read)?;
    let call = ChatCall {
        request_id: arrival.request_id.clone(),
        merchant: Arc::clone(merchant),
        request: read.request,
        payment,
        path: Path::Model,
        deadline: Instant::now() + ANSWER_WITHIN,
        stopwatch: Arc::new(Stopwatch::default()),
    };
    let (name, usage_asked, stopwatch) = (call.request.model.clone(), call.request.usage_asked, Arc::clone(&call.stopwatch));
    let created = house.clock.now().seconds();
    let reply = model.stack.ask(call).await;
    // The wait for a slow body is the caller's own; everything after it that was no wait for others is ours.
    house.metrics.overhead_seconds.observe(seconds(read_at.elapsed().saturating_sub(stopwatch.total())));
    let outlines = || Authored { id: format!("chatcmpl-{}", uuid::Uuid::new_v4().simple()), created, model: name };
    match reply? {
        ChatReply::Whole(reply) => whole(house, reply, outlines),
        ChatReply::Stream(stream) => {
            let telling = Telling { outlines: outlines(), usage_asked, public_url: house.public_url.clone(), request_id: arrival.request_id.clone() };
            Ok(streamed(stream.headers, sse_out::events(stream.events, telling, house.metrics.clone())))
        }
    }
}

fn whole(house: &House, reply: WholeReply, outlines: impl FnOnce() -> Authored) -> Result<Response<Body>, Refusal> {
    let payments = match reply.payments.as_slice() {
        [] => None,
        payments => {
            let shown = Shown { public_url: &house.public_url };
            Some(object::write_list(payments, shown).map_err(|e| Refusal::internal(e.to_string()).after_order())?)
        }
    };
    let bytes: Bytes = match &reply.body {
        WholeBody::AsCame { bytes, message } => openai::finished(&reply, bytes, message, payments.as_deref())?,
        WholeBody::Composed { text } => openai::completion(&outlines(), text, reply.usage.unwrap_or_default(), payments.as_deref().unwrap_or("[]")),
    };
    let mut response = Response::new(Body::whole(bytes));
    *response.headers_mut() = reply.headers;
    response.headers_mut().entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    if payments.is_some() {
        response.headers_mut().insert(SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    *response.status_mut() = StatusCode::OK;
    Ok(response)
}

fn streamed(headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    // Proxies in front (nginx) must not collect events.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}
