//! Callbacks: a paid order is reported to its notify_url, sealed and signed anew each time, until it is taken or the documented schedule ends.

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

use super::accounts::rfc3339;
use super::book::orders::{Order, TradeState, transaction};
use super::faults::Delivery;
use super::seal::seal;
use super::{Inner, SandboxError};

/// Seconds between deliveries, as documented: fifteen more after the first, a day and four minutes in all.
const SCHEDULE_SECONDS: [u64; 15] = [15, 15, 30, 180, 600, 1_200, 1_800, 1_800, 1_800, 3_600, 10_800, 10_800, 10_800, 21_600, 21_600];

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

/// Goes on with what a restart interrupted.
pub(super) fn resume(inner: &Arc<Inner>) {
    for order in inner.orders.all().into_iter().filter(|order| order.state == TradeState::Success && !order.notified) {
        start(inner, order);
    }
}

/// Reports a paid order in the background.
pub(super) fn start(inner: &Arc<Inner>, order: Order) {
    let shared = Arc::clone(inner);
    inner.tasks.background(async move { deliver(&shared, &order).await });
}

async fn deliver(inner: &Inner, order: &Order) {
    let waits = SCHEDULE_SECONDS.iter().skip(order.deliveries.len().saturating_sub(1)).map(Some).chain([None]);
    for wait in waits {
        let (delivery, duplicate) = inner.faults.next_delivery();
        let mut taken = false;
        for _ in 0..if duplicate { 2 } else { 1 } {
            let status = attempt(inner, order, delivery).await;
            taken |= inner.orders.delivered(&order.out_trade_no, status, inner.clock.now());
        }
        match wait {
            _ if taken => return,
            Some(seconds) => tokio::time::sleep(Duration::from_secs(*seconds) / inner.courier.time_divisor).await,
            None => return,
        }
    }
}

/// One delivery: the merchant's status, 0 if there was none.
async fn attempt(inner: &Inner, order: &Order, delivery: Delivery) -> u16 {
    if delivery == Delivery::Dropped {
        return 0;
    }
    let Some(body) = notice(inner, order) else { return 0 };
    let fields = inner.signer.fields(order.key_mode, inner.clock.now().seconds(), &body, delivery == Delivery::Probe);
    let Ok(request) = request(order.text("notify_url"), fields, body) else { return 0 };
    match tokio::time::timeout(ANSWER_WITHIN, inner.courier.client.request(request)).await {
        Ok(Ok(response)) => response.status().as_u16(),
        Ok(Err(e)) => {
            tracing::debug!(out_trade_no = order.out_trade_no, error = %e, "a sandbox callback did not arrive");
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
        .header("request-id", uuid::Uuid::new_v4().simple().to_string())
        .body(Full::new(body))?;
    request.headers_mut().extend(fields);
    Ok(request)
}

fn notice(inner: &Inner, order: &Order) -> Option<Bytes> {
    let mut resource = seal(&inner.accounts.account.apiv3_key, transaction(order).to_string().as_bytes(), "transaction")?;
    resource["original_type"] = "transaction".into();
    let created = order.paid_at.map(|at| rfc3339(at.seconds()));
    let json = json!({
        "id": order.notice_id, "create_time": created, "resource_type": "encrypt-resource", "event_type": "TRANSACTION.SUCCESS",
        "summary": "支付成功", "resource": resource,
    });
    Some(Bytes::from(json.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_is_the_documented_one() {
        assert_eq!(SCHEDULE_SECONDS.iter().sum::<u64>(), 24 * 3_600 + 4 * 60);
    }
}
