//! Client-signed: a request passes to WeChat Pay as the bytes it is, and so does its answer. No key is held, nothing is judged, nothing is
//! kept longer than it takes to pass it on.

use std::time::Duration;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::super::House;
use super::super::answer::Told;
use super::super::body::Body;
use super::super::carried::{Carried, CarryError, Fate};
use super::fields::passed;
use super::{Upstream, refused};
use crate::connectors::family::Family;
use crate::dial::DialError;
use crate::ids::MerchantId;
use crate::metrics::seconds;
use crate::refusal::{Kind, Refusal};

/// The largest request that passes, in bytes: twice the largest upload WeChat Pay takes (a PDF of 7.5 MB).
const REQUEST_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How long WeChat Pay may take to begin its answer: code pay alone takes up to 30 s.
const ANSWER_WITHIN: Duration = Duration::from_secs(35);

/// The same for an upload, whose bytes have to get there first.
const UPLOAD_WITHIN: Duration = Duration::from_secs(120);

/// Passes a request on and its answer back.
pub(super) async fn forward(house: &House, upstream: &Upstream, parts: Parts, body: Incoming) -> Response<Body> {
    let (family, started) = (Family::of(&parts.method, parts.uri.path()), Instant::now());
    let answered = passed_on(house, upstream, parts, body).await;
    let merchant = upstream.merchant.as_ref().map_or("other", MerchantId::as_str);
    let mut response = answered.unwrap_or_else(|refusal| refused(&refusal));
    let class = status_class(response.status());
    house.metrics.v3_requests.with_label_values(&[merchant, "client", family.name(), class]).inc();
    house.metrics.v3_seconds.with_label_values(&[merchant, family.name()]).observe(seconds(started.elapsed()));
    if let Some(told) = response.extensions_mut().get_mut::<Told>() {
        told.merchant.clone_from(&upstream.merchant);
    }
    response
}

pub(super) fn status_class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        0..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

async fn passed_on(house: &House, upstream: &Upstream, parts: Parts, body: Incoming) -> Result<Response<Body>, Refusal> {
    if declared_length(&parts.headers).is_some_and(|length| length > REQUEST_BYTES_MAX) {
        return Err(too_large());
    }
    let within = if is_upload(&parts.headers) { UPLOAD_WITHIN } else { ANSWER_WITHIN };
    let body = Carried::new(body, REQUEST_BYTES_MAX);
    let fate = body.fate();
    let answer = house.classic.dial.send(request(upstream, parts, body)?, within).await.map_err(|e| failed(&e, &fate))?;
    let (mut head, body) = answer.into_parts();
    head.headers = passed(&head.headers, None);
    let mut response = Response::from_parts(head, Body::Carried(Box::new(Carried::new(body, u64::MAX))));
    // The answer is WeChat Pay's, name included: none of ours is added to it.
    response.extensions_mut().insert(Told { untouched: true, ..Told::default() });
    Ok(response)
}

/// The same request to another host: the target as it stood on the request line, since the signature covers it.
fn request(upstream: &Upstream, parts: Parts, body: Carried) -> Result<Request<Carried>, Refusal> {
    let unusable = |e: String| Refusal::new(Kind::BadRequest, "bad_target", "The request's target cannot be passed on.").detail(e);
    let target = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let uri = Uri::builder().scheme(upstream.scheme.clone()).authority(upstream.authority.clone()).path_and_query(target).build();
    let host = HeaderValue::from_str(upstream.authority.as_str()).map_err(|e| unusable(e.to_string()))?;
    let mut request = Request::new(body);
    *request.method_mut() = parts.method;
    *request.uri_mut() = uri.map_err(|e| unusable(e.to_string()))?;
    *request.headers_mut() = passed(&parts.headers, Some(&host).filter(|_| !upstream.keeps_host));
    Ok(request)
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn is_upload(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"multipart/"))
}

fn too_large() -> Refusal {
    Refusal::new(Kind::TooLarge, "body_too_large", format!("The request body is over the limit of {REQUEST_BYTES_MAX} bytes."))
}

/// Why there is no answer: the client's body, if it broke off; else the way to WeChat Pay.
fn failed(error: &DialError, fate: &Fate) -> Refusal {
    match fate.error() {
        Some(CarryError::TooLong(_)) => return too_large(),
        Some(CarryError::Stalled(_)) => {
            return Refusal::new(Kind::RequestTimeout, "body_timeout", "The request body did not arrive in time.");
        }
        Some(CarryError::Broken(why)) => {
            return Refusal::new(Kind::BadRequest, "incomplete_body", "The request body broke off.").detail(why.as_str());
        }
        None => {}
    }
    let refusal = match error {
        DialError::NotSent(_) => Refusal::new(
            Kind::ProviderUnreachable,
            "upstream_unreachable",
            "WeChat Pay could not be reached; nothing was sent. Send the same request again.",
        ),
        DialError::Timeout(_) => Refusal::new(
            Kind::ProviderTimeout,
            "upstream_timeout",
            "WeChat Pay did not answer in time; the request may have been carried out. Query by your own number, or send the same request again.",
        ),
        DialError::Broken(_) | DialError::TooLarge(_) => Refusal::new(
            Kind::ProviderFailed,
            "upstream_broken",
            "The connection to WeChat Pay broke; the request may have been carried out. Query by your own number, or send the same request again.",
        ),
    };
    refusal.detail(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_failure_is_what_is_known() {
        let unsent = failed(&DialError::NotSent("refused".to_owned()), &Fate::default());
        assert_eq!((unsent.kind, unsent.message.contains("nothing was sent")), (Kind::ProviderUnreachable, true));
        for error in [DialError::Timeout(ANSWER_WITHIN), DialError::Broken("reset".to_owned())] {
            assert!(failed(&error, &Fate::default()).message.contains("may have been carried out"));
        }
    }
}
