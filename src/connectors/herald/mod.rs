//! The herald: tells merchants of their payments as WeChat Pay would: the same envelope, sealed with the merchant's APIv3 key, signed with
//! fengate's platform key. Their SDK opens it like any other notice.

mod key;

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http_body_util::Full;
use serde::Serialize;

pub use key::{KeyError, PlatformKey};

use super::Connector;
use super::wechatpay::SealedText;
use crate::clock::{Clock, UnixMs};
use crate::dial::Dial;
use crate::payment::notice::PassedNotice;

/// How long a merchant may take to answer, as with WeChat Pay.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Tells merchants.
#[derive(Debug)]
pub struct Herald {
    /// What notices are signed with.
    pub key: PlatformKey,
    /// The way to merchants.
    pub dial: Dial,
    /// The time of day.
    pub clock: Clock,
}

#[derive(Serialize)]
struct Envelope<'a> {
    id: &'a str,
    create_time: String,
    resource_type: &'static str,
    event_type: &'a str,
    summary: &'static str,
    resource: Resource<'a>,
}

#[derive(Serialize)]
struct Resource<'a> {
    original_type: &'a str,
    algorithm: &'static str,
    ciphertext: String,
    associated_data: &'a str,
    nonce: String,
}

/// What WeChat Pay calls the thing an event is about, and how it sums the event up (reference: event types).
fn named(event_type: &str) -> (&'static str, &'static str) {
    match event_type {
        "REFUND.SUCCESS" => ("refund", "退款成功"),
        "REFUND.ABNORMAL" => ("refund", "退款异常"),
        "REFUND.CLOSED" => ("refund", "退款关闭"),
        _ => ("transaction", "支付成功"),
    }
}

impl Herald {
    /// Delivers a notice once: the status it was answered with, 0 for none. Sealed and signed anew each time.
    pub async fn deliver(&self, connector: &Connector, notice: &PassedNotice) -> u16 {
        let Some(request) = self.request(connector, notice) else { return 0 };
        match self.dial.send(request, ANSWER_WITHIN).await {
            Ok(response) => response.status().as_u16(),
            Err(e) => {
                tracing::debug!(payment = %notice.payment, error = %e, "a notice did not arrive");
                0
            }
        }
    }

    fn request(&self, connector: &Connector, notice: &PassedNotice) -> Option<Request<Full<Bytes>>> {
        let (original_type, summary) = named(&notice.event_type);
        let SealedText { nonce, ciphertext } = connector.seal(&notice.resource, original_type)?;
        let envelope = Envelope {
            id: &notice.notice_id,
            create_time: beijing_time(notice.created),
            resource_type: "encrypt-resource",
            event_type: &notice.event_type,
            summary,
            resource: Resource { original_type, algorithm: "AEAD_AES_256_GCM", ciphertext, associated_data: original_type, nonce },
        };
        let body = serde_json::to_vec(&envelope).ok()?;
        let fields = self.key.fields(&body, self.clock.now().seconds())?;
        let mut request = Request::post(&notice.notify_url)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "*/*")
            .header(USER_AGENT, concat!("fengate/", env!("CARGO_PKG_VERSION")))
            .header("request-id", uuid::Uuid::new_v4().simple().to_string().to_uppercase())
            .body(Full::new(Bytes::from(body)))
            .ok()?;
        request.headers_mut().extend(fields);
        Some(request)
    }
}

/// RFC 3339 in Beijing's time, to the second, as WeChat Pay writes times.
pub fn beijing_time(at: UnixMs) -> String {
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
    let time = jiff::Timestamp::from_second(at.seconds()).unwrap_or_default().to_zoned(zone);
    time.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}
