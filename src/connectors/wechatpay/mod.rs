//! WeChat Pay v3 as a client: signs requests, verifies answers before they are parsed, keeps the ring of the platform's keys.
//! Facts: <https://pay.weixin.qq.com/doc/v3/merchant/4012365342> (signing), 4013053249 (verifying), 4012068676 (certificates).

mod bills;
pub mod call;
mod certs;
mod config;
mod crypt;
mod fault;
mod hosts;
mod notice;
mod orders;
pub mod paysign;
mod refunds;
mod retry;
mod sheet;
mod sign;
mod transaction;
mod verify;

use http::HeaderMap;
use http::header::HeaderValue;

use super::{Notice, NoticeError};
use crate::clock::Clock;
use crate::dial::Dial;
use crate::merchant::WechatPayAccount;
use crate::metrics::Metrics;
use call::{Call, Operation};
use certs::Ring;
use crypt::Apiv3Key;
use hosts::Hosts;
use retry::Nature;
use sign::Signer;
use verify::VerifyError;

pub use config::{Config, ConfigError, Platform, SubMerchant};
pub use crypt::SealedText;

const CERTIFICATES: Operation = Operation::new("certificates", Nature::Read);

/// One merchant at WeChat Pay.
pub(super) struct WechatPay {
    account: WechatPayAccount,
    sub_merchant: Option<SubMerchant>,
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
            Platform::PublicKey { id, pem } => {
                (Ring::holding(id, pem).ok_or(ConfigError::PublicKey)?, Some(HeaderValue::from_str(id).map_err(|_| ConfigError::PublicKey)?))
            }
        };
        Ok(Self {
            signer: Signer::new(&config.account.mchid, &config.serial, &config.private_key_pem).ok_or(ConfigError::PrivateKey)?,
            apiv3_key: Apiv3Key::new(&config.apiv3_key).ok_or(ConfigError::Apiv3Key)?,
            hosts: Hosts::new(&config.base_url, config.backup_url.as_ref()).ok_or(ConfigError::BaseUrl)?,
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
        let call = Call::<serde_json::Value>::get(CERTIFICATES, certs::TARGET.to_owned());
        let response = match self.exchange(&call).await {
            Ok(response) if response.status().is_success() => response,
            Ok(response) => {
                tracing::warn!(status = response.status().as_u16(), "WeChat Pay gave no certificates");
                return false;
            }
            Err(e) => {
                tracing::warn!(error = ?e, "WeChat Pay's certificates could not be fetched");
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
