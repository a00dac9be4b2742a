//! WeChat Pay v3 as a client: signs requests, verifies answers before they are parsed, keeps the ring of the platform's keys.
//! Facts: <https://pay.weixin.qq.com/doc/v3/merchant/4012365342> (signing), 4013053249 (verifying), 4012068676 (certificates).

mod certs;
mod crypt;
mod fault;
mod notice;
mod orders;
mod refunds;
mod sign;
mod verify;

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body_util::Full;
use tokio::time::Instant;

use super::{Notice, NoticeError, OrderDraft, RefundDraft};
use crate::clock::Clock;
use crate::dial::{Dial, DialError};
use crate::merchant::WechatPayAccount;
use crate::metrics::{Metrics, seconds};
use certs::Ring;
use crypt::Apiv3Key;
use sign::Signer;
use verify::VerifyError;

/// How long the rail may take to answer: it promises less, and a payer waits.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// The largest answer that is read: a query answer with fifty coupons is a tenth of it.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// What a merchant's account needs. `Debug` shows nothing secret.
#[derive(Clone)]
pub struct Config {
    /// Merchant number and application.
    pub account: WechatPayAccount,
    /// Serial number of the merchant's API certificate, hexadecimal.
    pub serial: String,
    /// The merchant's private key, PEM (PKCS#8 or PKCS#1).
    pub private_key_pem: String,
    /// The APIv3 key: 32 characters.
    pub apiv3_key: String,
    /// How answers and notices are verified.
    pub platform: Platform,
    /// Scheme and host of the API.
    pub base_url: Uri,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Config({:?}, {})", self.account, self.base_url)
    }
}

/// How the platform's signatures are verified.
#[derive(Clone, Debug)]
pub enum Platform {
    /// With platform certificates, fetched from `/v3/certificates` and renewed.
    Certificates,
    /// With the WeChat Pay public key, downloaded once by the merchant.
    PublicKey {
        /// `PUB_KEY_ID_…`
        id: String,
        /// The key, PEM.
        pem: String,
    },
}

/// Why an account cannot be used. Says what is wrong, never what the secret is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The merchant's private key is no RSA key in PEM.
    #[error("the private key cannot be read: it must be an RSA key in PEM (apiclient_key.pem)")]
    PrivateKey,
    /// The APIv3 key has the wrong length.
    #[error("the APIv3 key must have 32 characters")]
    Apiv3Key,
    /// The platform's public key cannot be read.
    #[error("the WeChat Pay public key cannot be read: it must be PEM (pub_key.pem)")]
    PublicKey,
    /// The address of the API has no scheme or host.
    #[error("the base_url must be http(s)://host")]
    BaseUrl,
}

/// One merchant at WeChat Pay.
pub(super) struct WechatPay {
    account: WechatPayAccount,
    signer: Signer,
    apiv3_key: Apiv3Key,
    ring: Ring,
    base: String,
    /// In public-key mode every request says so; answers are then signed with that key.
    asks_for_key: Option<HeaderValue>,
    dial: Dial,
    clock: Clock,
    metrics: Metrics,
}

/// An answer that can be believed, or why there is none.
enum Answer {
    /// Status 200 to 299, signature verified.
    Verified(Bytes),
    /// Any other status, with the rail's code and text as far as they can be read.
    Fault(fault::Fault),
    /// No answer, or one that cannot be believed.
    Unknown(String),
    /// Not a byte has left.
    NotSent(String),
}

impl WechatPay {
    pub(super) fn new(config: Config, dial: Dial, clock: Clock, metrics: Metrics) -> Result<Self, ConfigError> {
        let (Some(scheme), Some(authority)) = (config.base_url.scheme_str(), config.base_url.authority()) else { return Err(ConfigError::BaseUrl) };
        let (ring, asks_for_key) = match &config.platform {
            Platform::Certificates => (Ring::empty(), None),
            Platform::PublicKey { id, pem } => {
                (Ring::holding(id, pem).ok_or(ConfigError::PublicKey)?, Some(HeaderValue::from_str(id).map_err(|_| ConfigError::PublicKey)?))
            }
        };
        Ok(Self {
            signer: Signer::new(&config.account.mchid, &config.serial, &config.private_key_pem).ok_or(ConfigError::PrivateKey)?,
            apiv3_key: Apiv3Key::new(&config.apiv3_key).ok_or(ConfigError::Apiv3Key)?,
            account: config.account,
            ring,
            base: format!("{scheme}://{authority}"),
            asks_for_key,
            dial,
            clock,
            metrics,
        })
    }

    pub(super) fn account(&self) -> &WechatPayAccount {
        &self.account
    }

    pub(super) fn order_body(&self, draft: &OrderDraft<'_>) -> Vec<u8> {
        orders::body(&self.account, draft)
    }

    pub(super) fn refund_body(&self, draft: &RefundDraft<'_>) -> Vec<u8> {
        refunds::body(draft)
    }

    /// Signs and sends a request, verifies the answer. `target` is the path with its query, exactly as it goes onto the wire.
    async fn ask(&self, operation: &'static str, method: Method, target: &str, body: Bytes) -> Answer {
        let started = Instant::now();
        let answer = self.answered(method, target, body).await;
        let outcome = match &answer {
            Answer::Verified(_) => "ok",
            Answer::Fault(_) => "refused",
            Answer::Unknown(_) => "unknown",
            Answer::NotSent(_) => "not_sent",
        };
        self.metrics.rail_calls.with_label_values(&[operation, outcome]).inc();
        self.metrics.rail_seconds.with_label_values(&[operation]).observe(seconds(started.elapsed()));
        answer
    }

    async fn answered(&self, method: Method, target: &str, body: Bytes) -> Answer {
        let response = match self.exchange(method, target, body).await {
            Ok(response) => response,
            Err(DialError::NotSent(why)) => return Answer::NotSent(why),
            Err(e) => return Answer::Unknown(e.to_string()),
        };
        if !response.status().is_success() {
            return Answer::Fault(fault::read(&response));
        }
        // 202 is accepted and not finished; only 200 and 204 are answers.
        if response.status() == http::StatusCode::ACCEPTED {
            return Answer::Unknown("accepted, not finished (202)".to_owned());
        }
        match self.verified(response.headers(), response.body()).await {
            Ok(()) => Answer::Verified(response.into_body()),
            Err(e) => Answer::Unknown(format!("the answer's signature does not hold: {e}")),
        }
    }

    /// Verifies an answer or a notice. A key that is not in the ring is asked for once.
    async fn verified(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), VerifyError> {
        if self.ring.is_due().await {
            self.renew_ring().await;
        }
        match verify::verify(headers, body, &self.ring, self.clock.now()) {
            Err(VerifyError::UnknownKey(_)) if self.renew_ring().await => verify::verify(headers, body, &self.ring, self.clock.now()),
            verdict => verdict,
        }
    }

    /// Fetches the platform's certificates, at most once a minute; true if the ring was renewed.
    async fn renew_ring(&self) -> bool {
        let Some(_turn) = self.ring.turn().await else { return false };
        let response = match self.exchange(Method::GET, certs::TARGET, Bytes::new()).await {
            Ok(response) if response.status().is_success() => response,
            Ok(response) => {
                tracing::warn!(status = response.status().as_u16(), "WeChat Pay gave no certificates");
                return false;
            }
            Err(e) => {
                tracing::warn!(error = %e, "WeChat Pay's certificates could not be fetched");
                return false;
            }
        };
        match certs::read(response.headers(), response.body(), &self.apiv3_key, self.clock.now()) {
            Ok(keys) => {
                self.ring.renew(keys);
                true
            }
            Err(why) => {
                tracing::error!(why, "WeChat Pay's certificates cannot be believed");
                false
            }
        }
    }

    async fn exchange(&self, method: Method, target: &str, body: Bytes) -> Result<Response<Bytes>, DialError> {
        let authorization = self.signer.authorization(&method, target, &body, self.clock.now().seconds());
        let request = self.request(method, target, body, authorization).map_err(|e| DialError::NotSent(e.to_string()))?;
        self.dial.send_whole(request, ANSWER_WITHIN, ANSWER_BYTES_MAX).await
    }

    fn request(&self, method: Method, target: &str, body: Bytes, authorization: Option<String>) -> Result<Request<Full<Bytes>>, http::Error> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{target}", self.base))
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, concat!("fengate/", env!("CARGO_PKG_VERSION")))
            .header(AUTHORIZATION, authorization.unwrap_or_default());
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(key) = &self.asks_for_key {
            request = request.header("Wechatpay-Serial", key);
        }
        request.body(Full::new(body))
    }

    pub(super) async fn verified_notice(&self, headers: &HeaderMap, body: &[u8]) -> Result<Notice, NoticeError> {
        self.verified(headers, body).await.map_err(|e| match e {
            VerifyError::Probe => NoticeError::Probe,
            VerifyError::Stale(age) => NoticeError::Stale(age),
            VerifyError::UnknownKey(serial) => NoticeError::UnknownKey(serial),
            VerifyError::Missing(_) | VerifyError::BadSignature => NoticeError::BadSignature(e.to_string()),
        })?;
        notice::unseal(body, &self.apiv3_key).map_err(NoticeError::Malformed)
    }
}
