//! The ring of the platform's keys, by serial, and `GET /v3/certificates`, which fills it. A certificate is believed because it was sealed
//! with the merchant's APIv3 key; the answer that brings it is then verified with what it brought.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aws_lc_rs::signature::ParsedPublicKey;
use http::HeaderMap;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use tokio::sync::MutexGuard;
use tokio::time::Instant;
use x509_cert::Certificate;
use x509_cert::der::{DecodePem, Encode};

use super::crypt::{Apiv3Key, Sealed};
use super::verify::{public_key, verify};
use crate::clock::UnixMs;
use crate::ids::hex;

/// Where certificates are.
pub(super) const TARGET: &str = "/v3/certificates";

/// Most certificates that are kept: the platform has one, or two while it changes them.
const CERTIFICATES_MAX: usize = 16;

/// How often the certificates are asked for at most: unknown serials cost an attacker nothing.
const ASK_EVERY: Duration = Duration::from_secs(60);

/// The same while there are none at all: nothing works until they come.
const ASK_EVERY_WHILE_EMPTY: Duration = Duration::from_secs(1);

/// How long certificates are taken for the platform's newest; the vendor says 12 hours at most.
const RENEW_AFTER: Duration = Duration::from_secs(11 * 3_600);

/// Keys by serial.
pub(super) type Keys = HashMap<String, Arc<ParsedPublicKey>>;

/// The ring.
pub(super) struct Ring {
    /// Fixed: the public key of public-key mode.
    fixed: Keys,
    /// From certificates; replaced whole.
    renewed: RwLock<Keys>,
    asked: tokio::sync::Mutex<Option<Instant>>,
}

impl Ring {
    /// Nothing yet: certificates will come.
    pub(super) fn empty() -> Self {
        Self { fixed: Keys::new(), renewed: RwLock::default(), asked: tokio::sync::Mutex::default() }
    }

    /// The public key `id`; `None` if it cannot be read.
    pub(super) fn holding(id: &str, pem: &str) -> Option<Self> {
        let spki = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).ok()?;
        let key = public_key(spki.as_ref())?;
        Some(Self { fixed: Keys::from([(id.to_owned(), Arc::new(key))]), ..Self::empty() })
    }

    /// The key of `serial`: exact for a public key's id, without leading zeros and in any case for a certificate's number.
    pub(super) fn key(&self, serial: &str) -> Option<Arc<ParsedPublicKey>> {
        if let Some(key) = self.fixed.get(serial) {
            return Some(Arc::clone(key));
        }
        self.renewed.read().unwrap_or_else(PoisonError::into_inner).get(&normal(serial)).cloned()
    }

    /// Whether certificates should be fetched before anything is verified: there is no key, or the certificates are old.
    pub(super) async fn is_due(&self) -> bool {
        let has_certificates = !self.renewed.read().unwrap_or_else(PoisonError::into_inner).is_empty();
        let old = has_certificates && self.asked.lock().await.is_some_and(|at| at.elapsed() >= RENEW_AFTER);
        old || self.is_empty()
    }

    fn is_empty(&self) -> bool {
        self.fixed.is_empty() && self.renewed.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    pub(super) fn renew(&self, keys: Keys) {
        *self.renewed.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    /// Whoever gets a turn may ask for certificates; `None` if they were asked for less than a minute ago.
    pub(super) async fn turn(&self) -> Option<MutexGuard<'_, Option<Instant>>> {
        let mut asked = self.asked.lock().await;
        let pause = if self.is_empty() { ASK_EVERY_WHILE_EMPTY } else { ASK_EVERY };
        if asked.is_some_and(|at| at.elapsed() < pause) {
            return None;
        }
        *asked = Some(Instant::now());
        Some(asked)
    }
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    serial_no: String,
    encrypt_certificate: Sealed,
}

/// Reads the answer of `/v3/certificates`: unseals each certificate, leaves out those that have run out, and verifies the answer itself
/// with what it brought.
pub(super) fn read(headers: &HeaderMap, body: &[u8], key: &Apiv3Key, now: UnixMs) -> Result<Keys, String> {
    let answer: Answer = serde_json::from_slice(body).map_err(|e| format!("no list of certificates: {e}"))?;
    let mut keys = Keys::new();
    for item in answer.data.iter().take(CERTIFICATES_MAX) {
        let pem = key.unseal(&item.encrypt_certificate)?;
        if let Some((serial, public_key)) = read_certificate(&pem, now)? {
            if serial != normal(&item.serial_no) {
                return Err(format!("a certificate's number is not the {} it is listed under", item.serial_no));
            }
            keys.insert(serial, Arc::new(public_key));
        }
    }
    let ring = Ring::empty();
    ring.renew(keys.clone());
    verify(headers, body, &ring, now).map_err(|e| e.to_string())?;
    Ok(keys)
}

/// The number and key of a certificate that has not run out.
fn read_certificate(pem: &[u8], now: UnixMs) -> Result<Option<(String, ParsedPublicKey)>, String> {
    let certificate = Certificate::from_pem(pem).map_err(|e| format!("no certificate: {e}"))?.tbs_certificate;
    let ends = certificate.validity.not_after.to_unix_duration().as_secs();
    if i64::try_from(ends).is_ok_and(|ends| ends < now.seconds()) {
        return Ok(None);
    }
    let spki = certificate.subject_public_key_info.to_der().map_err(|e| format!("a certificate without a key: {e}"))?;
    let key = public_key(&spki).ok_or("a certificate with a key that is not RSA of 2048 bits or more")?;
    Ok(Some((normal(&hex(certificate.serial_number.as_bytes())), key)))
}

/// A certificate's number as all of its spellings agree on it.
fn normal(serial: &str) -> String {
    serial.trim_start_matches('0').to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::super::verify::tests::{KEY, NOW, bytes_of, headers_of, vectors, whole_ring};
    use super::*;

    fn answer() -> serde_json::Value {
        vectors("response_signature").into_iter().find(|vector| vector["id"] == "resp-certificates").expect("the vector")
    }

    #[test]
    fn both_certificates_are_known_by_every_spelling_of_their_numbers() {
        let ring = whole_ring();
        for serial in
            ["0A57F09EFDC096DE15EBE81A47057A7232F1B8E1", "a57f09efdc096de15ebe81a47057a7232f1b8e1", "7132D72A03E93CDDF8C03BBD1F37EEDF00000002"]
        {
            assert!(ring.key(serial).is_some(), "{serial}");
        }
        assert!(ring.key("pub_key_id_0119000000012026010100000000000001").is_none(), "a public key's id is exact");
    }

    #[test]
    fn a_certificate_nobody_sealed_for_us_is_not_believed() {
        let answer = answer();
        let wrong = Apiv3Key::new("0123456789ABCDEFGHIJKLMNOPQRSTUW").expect("a key");
        assert!(read(&headers_of(&answer), &bytes_of(&answer, "body_utf8"), &wrong, NOW).is_err());
        let key = Apiv3Key::new(KEY).expect("a key");
        let mut headers = headers_of(&answer);
        headers.insert("wechatpay-nonce", "another".parse().expect("a value"));
        assert!(read(&headers, &bytes_of(&answer, "body_utf8"), &key, NOW).is_err(), "the answer's own signature counts too");
        assert!(read(&headers_of(&answer), b"{\"data\":[]}", &key, NOW).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn certificates_are_asked_for_once_a_minute() {
        let ring = whole_ring();
        assert!(ring.turn().await.is_some());
        assert!(ring.turn().await.is_none());
        tokio::time::advance(ASK_EVERY).await;
        assert!(ring.turn().await.is_some());
    }
}
