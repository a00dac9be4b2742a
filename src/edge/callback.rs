//! `POST /callbacks/wechatpay/{merchant}`: notices of WeChat Pay. The raw bytes are verified and unsealed, matched against the ledger, and
//! durable before they are answered; whatever fails a check is counted, audited, answered 4xx or 5xx, and moves nothing.

use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode};
use hyper::body::Incoming;
use serde_json::json;

use super::body::Body;
use super::{House, answer, body};
use crate::connectors::NoticeError;
use crate::ids::MerchantId;
use crate::ledger::{AuditNote, LedgerError};
use crate::payments::settle::Verdict;
use crate::refusal::Refusal;

/// The largest notice that is read, in bytes; real ones have two thousand.
const NOTICE_BYTES_MAX: usize = 64 * 1024;

/// Refused notices written into the audit trail, a second and merchant; all of them are counted. Anybody can send rubbish.
const AUDITED_PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);

/// How long a notice may take in all: its body, a platform certificate that has to be fetched, the ledger. WeChat Pay hangs up after 5 s and takes
/// that for a failure; an answer that says so brings the next delivery sooner than silence.
const ANSWERED_WITHIN: Duration = Duration::from_secs(4);

/// Receives a notice.
pub(super) async fn wechatpay(house: &House, parts: &Parts, body: Incoming, merchant: &str) -> Response<Body> {
    // A change the ledger has taken on stands, whether or not it is waited for.
    tokio::time::timeout(ANSWERED_WITHIN, received(house, parts, body, merchant)).await.unwrap_or_else(|_| {
        count(house, "unavailable");
        tracing::error!(merchant, "a callback was not dealt with in time");
        failed(StatusCode::SERVICE_UNAVAILABLE, "try again")
    })
}

async fn received(house: &House, parts: &Parts, body: Incoming, merchant: &str) -> Response<Body> {
    let merchant = MerchantId::new(merchant);
    let Some(rail) = house.rails.get(&merchant) else { return failed(StatusCode::NOT_FOUND, "no such merchant") };
    let bytes = match body::read(&parts.headers, body, NOTICE_BYTES_MAX, &house.metrics).await {
        Ok(bytes) => bytes,
        Err(refusal) => {
            count(house, "malformed");
            return failed(answer::status_of(refusal.kind), &refusal.message);
        }
    };
    let notice = match rail.connector.open_notice(&parts.headers, &bytes).await {
        Ok(notice) => notice,
        Err(e) => return refused(house, &merchant, &e).await,
    };
    match house.settle.notice(&merchant, &rail.connector.account(), &notice).await {
        Ok(verdict) => {
            count(house, verdict.name());
            tracing::info!(%merchant, notice = notice.id(), event_type = notice.event_type(), verdict = verdict.name(), "callback");
            answered(verdict)
        }
        Err(e) => unavailable(house, &e),
    }
}

fn answered(verdict: Verdict) -> Response<Body> {
    match verdict {
        Verdict::Settled | Verdict::Known | Verdict::Ignored => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        }
        Verdict::UnknownOrder => failed(StatusCode::NOT_FOUND, "no such order"),
        Verdict::Mismatch => failed(StatusCode::BAD_REQUEST, "the notice does not match the order"),
        Verdict::Contradiction => failed(StatusCode::CONFLICT, "the notice contradicts the order's final state"),
    }
}

async fn refused(house: &House, merchant: &MerchantId, error: &NoticeError) -> Response<Body> {
    count(house, error.verdict());
    tracing::warn!(%merchant, verdict = error.verdict(), %error, "a callback is not believed");
    if house.callback_audit.take(merchant, AUDITED_PER_SECOND).is_ok() {
        let note =
            AuditNote { kind: "callback_refused", merchant: Some(merchant.clone()), payment: None, detail: format!("{}: {error}", error.verdict()) };
        if let Err(e) = house.ledger.audit(note).await {
            return unavailable(house, &e);
        }
    }
    let status = if matches!(error, NoticeError::Malformed(_)) { StatusCode::BAD_REQUEST } else { StatusCode::UNAUTHORIZED };
    failed(status, "the notice is not believed")
}

/// WeChat Pay calls again.
fn unavailable(house: &House, error: &LedgerError) -> Response<Body> {
    count(house, "unavailable");
    tracing::error!(%error, "a callback could not be written down");
    let refusal = Refusal::from(error.clone());
    failed(answer::status_of(refusal.kind), "try again")
}

fn count(house: &House, verdict: &str) {
    house.metrics.callbacks.with_label_values(&[verdict]).inc();
}

/// WeChat Pay's form of a refusal.
fn failed(status: StatusCode, message: &str) -> Response<Body> {
    let message: String = message.chars().take(64).collect();
    answer::json_response(status, Bytes::from(json!({"code": "FAIL", "message": message}).to_string()))
}
