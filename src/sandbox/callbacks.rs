//! Callbacks: a notice is delivered to its url, sealed and signed anew each time, until it is taken or the documented schedule ends.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, Request};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::json;

use super::accounts::{Merchant, rfc3339};
use super::book::combined::Combined;
use super::book::notices::Notice;
use super::book::order::Order;
use super::book::refunds::{Refund, Status};
use super::faults::Delivery;
use super::seal::seal_for;
use super::sign::KeyMode;
use super::v3::combined::together;
use super::v3::transaction::{refund_notice, transaction};
use super::{Inner, SandboxError};

/// Seconds between deliveries, as documented: fifteen more after the first, a day and four minutes in all.
const SCHEDULE_SECONDS: [u32; 15] = [15, 15, 30, 180, 600, 1_200, 1_800, 1_800, 1_800, 3_600, 10_800, 10_800, 10_800, 21_600, 21_600];

/// How long the merchant may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Delivers callbacks.
pub(super) struct Courier {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    time_divisor: u32,
}

impl Courier {
    pub(super) fn new(time_divisor: u32) -> Result<Self, SandboxError> {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let https = HttpsConnectorBuilder::new().with_provider_and_webpki_roots(provider).map_err(|e| SandboxError::Keys(e.to_string()))?;
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(https.https_or_http().enable_http1().build());
        Ok(Self { client, time_divisor: time_divisor.max(1) })
    }
}

/// Goes on with what a restart interrupted: notices under way, and what happened without its notice having been written down.
pub(super) fn resume(inner: &Arc<Inner>) {
    for notice in inner.notices.all().into_iter().filter(|notice| !notice.is_taken) {
        deliver_later(inner, notice);
    }
    let is_new = |id: &Option<String>| id.as_deref().is_some_and(|id| inner.notices.get(id).is_none());
    for order in inner.orders.all().into_iter().filter(|order| is_new(&order.notice_id)) {
        paid(inner, &order);
    }
    for (combined, parts) in inner.orders.all_together().into_iter().filter(|(combined, _)| is_new(&combined.notice_id)) {
        paid_together(inner, &combined, &parts);
    }
    for refund in inner.orders.all_refunds().into_iter().filter(|refund| is_new(&refund.notice_id)) {
        if let Some((order, refund)) = inner.orders.refund_by_number(&refund.key) {
            refunded(inner, &order, &refund);
        }
    }
}

/// Reports a paid order.
pub(super) fn paid(inner: &Arc<Inner>, order: &Order) {
    let Some(id) = order.notice_id.clone() else { return };
    start(
        inner,
        Notice {
            id,
            mchid: order.key.mchid.clone(),
            url: order.text("notify_url").to_owned(),
            key_mode: order.key_mode,
            event_type: "TRANSACTION.SUCCESS".to_owned(),
            original_type: "transaction".to_owned(),
            summary: "支付成功".to_owned(),
            content: transaction(order),
            created_at: order.paid_at.unwrap_or_else(|| inner.time.now()),
            deliveries: Vec::new(),
            is_taken: false,
        },
    );
}

/// Reports a paid combined order: one notice for all its parts.
pub(super) fn paid_together(inner: &Arc<Inner>, combined: &Combined, parts: &[Order]) {
    let Some(id) = combined.notice_id.clone() else { return };
    start(
        inner,
        Notice {
            id,
            mchid: combined.key.mchid.clone(),
            url: combined.parameters["notify_url"].as_str().unwrap_or_default().to_owned(),
            key_mode: combined.key_mode,
            event_type: "TRANSACTION.SUCCESS".to_owned(),
            original_type: "transaction".to_owned(),
            summary: "支付成功".to_owned(),
            content: together(combined, parts),
            created_at: combined.paid_at.unwrap_or_else(|| inner.time.now()),
            deliveries: Vec::new(),
            is_taken: false,
        },
    );
}

/// Reports how a refund ended, if its merchant named where to.
pub(super) fn refunded(inner: &Arc<Inner>, order: &Order, refund: &Refund) {
    let Some(id) = refund.notice_id.clone().filter(|_| !refund.notify_url().is_empty()) else { return };
    let summary = match refund.status {
        Status::Abnormal => "退款异常",
        Status::Closed => "退款关闭",
        Status::Success | Status::Processing => "退款成功",
    };
    start(
        inner,
        Notice {
            id,
            mchid: refund.key.mchid.clone(),
            url: refund.notify_url().to_owned(),
            key_mode: refund.key_mode,
            event_type: format!("REFUND.{}", refund.status.word()),
            original_type: "refund".to_owned(),
            summary: summary.to_owned(),
            content: refund_notice(order, refund),
            created_at: refund.ended_at.unwrap_or_else(|| inner.time.now()),
            deliveries: Vec::new(),
            is_taken: false,
        },
    );
}

/// Writes a notice down and delivers it in the background.
pub(super) fn start(inner: &Arc<Inner>, notice: Notice) {
    if notice.url.is_empty() {
        return; // nobody wants to hear
    }
    if inner.notices.post(&notice).is_err() {
        tracing::error!(notice = notice.id, "a notice of the sandbox cannot be kept and is not sent");
        return;
    }
    deliver_later(inner, notice);
}

fn deliver_later(inner: &Arc<Inner>, notice: Notice) {
    let shared = Arc::clone(inner);
    inner.tasks.background(async move { deliver(&shared, &notice).await });
}

async fn deliver(inner: &Inner, notice: &Notice) {
    let waits = SCHEDULE_SECONDS.iter().skip(notice.deliveries.len().saturating_sub(1)).map(Some).chain([None]);
    for wait in waits {
        let course = inner.faults.next_delivery();
        if course.held_ms > 0 {
            inner.time.wait(i64::try_from(course.held_ms).unwrap_or_default() / i64::from(inner.courier.time_divisor)).await;
        }
        let mut taken = false;
        for _ in 0..if course.is_twice { 2 } else { 1 } {
            let status = attempt(inner, notice, course.delivery).await;
            taken |= inner.notices.delivered(&notice.id, status, inner.time.now());
        }
        match wait {
            _ if taken => return,
            Some(seconds) => inner.time.wait(i64::from(*seconds) * 1_000 / i64::from(inner.courier.time_divisor)).await,
            None => return,
        }
    }
}

/// One delivery: the merchant's status, 0 if there was none.
async fn attempt(inner: &Inner, notice: &Notice, delivery: Delivery) -> u16 {
    if delivery == Delivery::Dropped {
        return 0;
    }
    let Some(body) = envelope(inner, notice) else { return 0 };
    let is_guomi = inner.accounts.by_mchid(&notice.mchid).is_some_and(Merchant::is_guomi);
    let mode = if is_guomi { KeyMode::GuoMi } else { notice.key_mode };
    let fields = inner.signer.fields(mode, inner.clock.now().seconds(), &body, delivery == Delivery::Probe);
    let Ok(request) = request(&notice.url, fields, body) else { return 0 };
    match tokio::time::timeout(ANSWER_WITHIN, inner.courier.client.request(request)).await {
        Ok(Ok(response)) => response.status().as_u16(),
        Ok(Err(e)) => {
            tracing::debug!(notice = notice.id, error = %e, "a sandbox callback did not arrive");
            0
        }
        Err(_) => 0,
    }
}

fn request(url: &str, fields: HeaderMap, body: Bytes) -> Result<Request<Full<Bytes>>, http::Error> {
    let mut request = Request::post(url)
        .header(CONTENT_TYPE, "application/json")
        .header(ACCEPT, "*/*")
        .header(USER_AGENT, "Mozilla/4.0")
        .header("pragma", "no-cache")
        .header("request-id", uuid::Uuid::new_v4().simple().to_string())
        .body(Full::new(body))?;
    request.headers_mut().extend(fields);
    Ok(request)
}

fn envelope(inner: &Inner, notice: &Notice) -> Option<Bytes> {
    let merchant = inner.accounts.by_mchid(&notice.mchid)?;
    let mut resource = seal_for(merchant, notice.content.to_string().as_bytes(), &notice.original_type)?;
    resource["original_type"] = notice.original_type.as_str().into();
    let json = json!({
        "id": notice.id, "create_time": rfc3339(notice.created_at.seconds()), "resource_type": "encrypt-resource",
        "event_type": notice.event_type, "summary": notice.summary, "resource": resource,
    });
    Some(Bytes::from(json.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_is_the_documented_one() {
        assert_eq!(SCHEDULE_SECONDS.iter().sum::<u32>(), 24 * 3_600 + 4 * 60);
    }
}
