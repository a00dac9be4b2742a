//! WeChat Pay v3 as a client: signs requests, verifies answers before they are parsed, keeps the ring of the platform's keys.
//! Facts: <https://pay.weixin.qq.com/doc/v3/merchant/4012365342> (signing), 4013053249 (verifying), 4012068676 (certificates).

mod bills;
pub mod call;
mod certs;
mod config;
mod crypt;
mod fault;
mod fields;
mod guomi;
mod hosts;
mod keys;
mod notice;
mod orders;
pub mod paysign;
#[cfg(any(test, feature = "fuzz"))]
pub mod probe;
pub mod products;
mod refunds;
mod retry;
mod ring;
mod sheet;
mod sign;
mod transaction;
mod verify;

use std::sync::Arc;

use http::HeaderMap;
use http::header::HeaderValue;

use super::{Notice, NoticeError};
use crate::clock::Clock;
use crate::dial::Dial;
use crate::merchant::WechatPayAccount;
use crate::metrics::Metrics;
use crate::tasks::Tasks;
use call::{Call, Operation};
use crypt::Apiv3Key;
use hosts::Hosts;
use retry::Nature;
use ring::{Ring, Why};
use sign::Signer;
use verify::VerifyError;

pub use config::{Algorithm, Config, ConfigError, Platform, SubMerchant};
pub use crypt::SealedText;

const CERTIFICATES: Operation = Operation::new("certificates", Nature::Read);

/// One merchant at WeChat Pay.
pub(super) struct WechatPay {
    account: WechatPayAccount,
    sub_merchant: Option<SubMerchant>,
    algorithm: Algorithm,
    signer: Signer,
    apiv3_key: Apiv3Key,
    ring: Ring,
    hosts: Hosts,
    /// In public-key mode every request says so; answers are then signed with that key.
    asks_for_key: Option<HeaderValue>,
    dial: Dial,
    clock: Clock,
    metrics: Metrics,
}

impl WechatPay {
    pub(super) fn new(config: Config, dial: Dial, clock: Clock, metrics: Metrics) -> Result<Self, ConfigError> {
        if config.sub_merchant.as_ref().is_some_and(|sub| sub.sub_mchid == config.account.mchid) {
            return Err(ConfigError::SubMerchant);
        }
        let (ring, asks_for_key) = match &config.platform {
            Platform::Certificates => (Ring::empty(), None),
            Platform::PublicKey { id, pem } => (
                Ring::holding(config.algorithm, id, pem).ok_or(ConfigError::PublicKey)?,
                Some(HeaderValue::from_str(id).map_err(|_| ConfigError::PublicKey)?),
            ),
        };
        Ok(Self {
            signer: Signer::new(config.algorithm, &config.account.mchid, &config.serial, &config.private_key_pem).ok_or(ConfigError::PrivateKey)?,
            apiv3_key: Apiv3Key::new(config.algorithm, &config.apiv3_key).ok_or(ConfigError::Apiv3Key)?,
            hosts: Hosts::new(&config.base_url, config.backup_url.as_ref()).ok_or(ConfigError::BaseUrl)?,
            algorithm: config.algorithm,
            account: config.account,
            sub_merchant: config.sub_merchant,
            ring,
            asks_for_key,
            dial,
            clock,
            metrics,
        })
    }

    pub(super) fn account(&self) -> &WechatPayAccount {
        &self.account
    }

    /// Verifies an answer or a notice. A key that is not in the ring is asked for once.
    async fn verified(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), VerifyError> {
        if self.ring.is_due() {
            self.renew_ring(Why::Freshness).await;
        }
        match verify::verify(headers, body, &self.ring, self.clock.now()) {
            Err(VerifyError::UnknownKey(_)) => {
                // Somebody else may have brought the key meanwhile: what is held now decides.
                self.renew_ring(Why::Unknown).await;
                verify::verify(headers, body, &self.ring, self.clock.now())
            }
            verdict => verdict,
        }
    }

    /// Fetches the platform's certificates, at most once a minute; true if the ring was renewed. What was held stays if it fails.
    async fn renew_ring(&self, why: Why) -> bool {
        let Some(_turn) = self.ring.turn(why).await else { return false };
        let renewed = self.fetched_certificates().await;
        self.metrics.rail_calls.with_label_values(&[CERTIFICATES.name, if renewed.is_ok() { "ok" } else { "unknown" }]).inc();
        match renewed {
            Ok(certificates) => self.ring.renew(certificates),
            Err(why) => {
                tracing::warn!(mchid = self.account.mchid, why, "WeChat Pay's certificates could not be renewed");
                return false;
            }
        }
        true
    }

    async fn fetched_certificates(&self) -> Result<ring::Certificates, String> {
        let call = Call::<serde_json::Value>::get(CERTIFICATES, certs::target(self.algorithm).to_owned());
        let response = self.exchange(&call).await.map_err(|silence| silence.failed(Nature::Read).why())?;
        if !response.status().is_success() {
            return Err(format!("status {}", response.status().as_u16()));
        }
        certs::read(self.algorithm, response.headers(), response.body(), &self.apiv3_key, self.clock.now())
    }

    /// Keeps the certificates fresh for as long as the process lives: at once, then every eleven hours, after a failure every minute.
    pub(super) fn keep_fresh(self: &Arc<Self>, tasks: &Tasks) {
        if !self.ring.is_renewed() {
            return;
        }
        let rail = Arc::clone(self);
        tasks.background(async move {
            loop {
                let renewed = rail.renew_ring(Why::Freshness).await;
                tokio::time::sleep(if renewed { ring::RENEW_AFTER } else { ring::ASK_EVERY }).await;
            }
        });
    }

    pub(super) fn is_partner(&self) -> bool {
        self.sub_merchant.is_some()
    }

    pub(super) fn seal(&self, plain: &[u8], associated_data: &str) -> Option<SealedText> {
        self.apiv3_key.seal(plain, associated_data)
    }

    pub(super) async fn verified_notice(&self, headers: &HeaderMap, body: &[u8]) -> Result<Notice, NoticeError> {
        self.verified(headers, body).await.map_err(|e| match e {
            VerifyError::Probe => NoticeError::Probe,
            VerifyError::Stale(age) => NoticeError::Stale(age),
            VerifyError::UnknownKey(serial) => NoticeError::UnknownKey(serial),
            VerifyError::Missing(_) | VerifyError::BadSignature => NoticeError::BadSignature(e.to_string()),
        })?;
        let notice = notice::unseal(body, &self.apiv3_key).map_err(NoticeError::Malformed)?;
        match notice.transaction() {
            Some(order) if !self.is_own(order) => Err(NoticeError::Malformed("a notice of another sub-merchant's order".to_owned())),
            _ => Ok(notice),
        }
    }
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;
