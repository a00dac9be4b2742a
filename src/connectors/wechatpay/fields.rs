//! Sensitive fields: names, numbers of cards. Sealed for the platform on the way up, opened with the merchant's key on the way down.

use std::sync::Arc;

use serde::Serialize;

use super::super::advice::Failed;
use super::WechatPay;
use super::keys::PlatformKey;
use super::ring::Why;

/// A sealed field, as it goes into a body. Only a [`Sealer`] makes one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct SealedField(String);

/// Seals the fields of one request, all with one key, whose serial goes along.
pub(super) struct Sealer {
    key: Option<(String, Arc<PlatformKey>)>,
}

impl Sealer {
    /// The serial of its key, if it has one.
    pub(super) fn serial(&self) -> Option<&str> {
        self.key.as_ref().map(|(serial, _)| serial.as_str())
    }

    /// Seals a field that may be left out. An empty text is sent as it is: the platform seals none either.
    pub(super) fn seal(&self, text: Option<&str>) -> Result<Option<SealedField>, Failed> {
        let Some(text) = text else { return Ok(None) };
        if text.is_empty() {
            return Ok(Some(SealedField(String::new())));
        }
        let (_, key) = self.key.as_ref().ok_or_else(|| Failed::never("a field to seal, and no key was taken"))?;
        key.seal(text).map(|sealed| Some(SealedField(sealed))).ok_or_else(|| Failed::never("a field that is too long to be sealed"))
    }
}

impl WechatPay {
    /// Takes the key fields are sealed with: the public key, or the newest certificate, fetched if there is none yet. A request without such
    /// fields needs none.
    pub(super) async fn sealer_for(&self, has_fields: bool) -> Result<Sealer, Failed> {
        if !has_fields {
            return Ok(Sealer { key: None });
        }
        if self.ring.is_due() {
            self.renew_ring(Why::Freshness).await;
        }
        match self.ring.sealing_key(self.clock.now()) {
            Some(key) => Ok(Sealer { key: Some(key) }),
            None => Err(Failed::unsent("there is no platform key to seal a field with")),
        }
    }

    /// Opens a sensitive field of an answer.
    pub(in crate::connectors) fn open_field(&self, field: &str) -> Result<String, Failed> {
        if field.is_empty() {
            return Ok(String::new());
        }
        self.signer.open(field).ok_or_else(|| Failed::never("a field that is not sealed for this merchant's key"))
    }
}
