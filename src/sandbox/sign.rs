//! Signatures, the platform's side: checks what merchants sign, signs answers and notices with the key the merchant's mode asks for.

use std::sync::{Mutex, PoisonError};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;

use super::SandboxError;
use super::accounts::guomi::GuoMi;
use super::accounts::{Accounts, Merchant, MerchantKey, random};
use super::platform::Certificate;

/// What an `Authorization` field claims.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) mchid: String,
    pub(super) serial: String,
    pub(super) timestamp: String,
    pub(super) nonce: String,
    pub(super) signature: String,
    /// The scheme was that of the national algorithms.
    pub(super) is_guomi: bool,
}

impl Claim {
    /// Whether the key's owner signed exactly this request. `target` is what stood on the request line.
    pub(super) fn is_signed_by(&self, key: &MerchantKey, method: &str, target: &str, body: &[u8]) -> bool {
        let mut text = Vec::with_capacity(body.len() + 256);
        for part in [method.as_bytes(), target.as_bytes(), self.timestamp.as_bytes(), self.nonce.as_bytes(), body] {
            text.extend_from_slice(part);
            text.push(b'\n');
        }
        key.verifies(&text, &self.signature)
    }
}

/// Which key the platform signs with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum KeyMode {
    /// The platform certificate's.
    #[default]
    Certificates,
    /// The public key's.
    PublicKey,
    /// The SM2 key's.
    GuoMi,
}

/// The key in a PEM text.
pub(super) fn key_pair(pem: &str) -> Option<RsaKeyPair> {
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).ok()?;
    RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).ok()
}

/// The platform's keys.
pub(super) struct Signer {
    /// The certificate whose turn it is.
    certificate: Mutex<Certificate>,
    public_mode_key: RsaKeyPair,
    public_key_id: String,
    guomi: GuoMi,
}

impl Signer {
    pub(super) fn new(accounts: &Accounts, certificate: Certificate) -> Result<Self, SandboxError> {
        let broken = || SandboxError::Keys("a key of the account cannot be read".to_owned());
        Ok(Self {
            certificate: Mutex::new(certificate),
            public_mode_key: key_pair(&accounts.account.public_mode_key_pem).ok_or_else(broken)?,
            public_key_id: accounts.account.public_key_id.clone(),
            guomi: accounts.guomi.clone(),
        })
    }

    /// From now on this certificate signs.
    pub(super) fn turn(&self, certificate: Certificate) {
        *self.certificate.lock().unwrap_or_else(PoisonError::into_inner) = certificate;
    }

    /// Which key a request asks its answer to be signed with.
    pub(super) fn mode_of(&self, headers: &HeaderMap, merchant: &Merchant) -> KeyMode {
        let asked = headers.get("wechatpay-serial").and_then(|value| value.to_str().ok());
        if merchant.is_guomi() {
            return KeyMode::GuoMi;
        }
        if merchant.is_public_key_only || asked == Some(self.public_key_id.as_str()) { KeyMode::PublicKey } else { KeyMode::Certificates }
    }

    /// The `Wechatpay-*` fields over `body`. A `probe` carries a signature that must not verify.
    pub(super) fn fields(&self, mode: KeyMode, seconds: i64, body: &[u8], probe: bool) -> HeaderMap {
        let certificate = self.certificate.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let nonce = crate::ids::hex(&random(16).unwrap_or_default()).to_uppercase();
        let mut text = format!("{seconds}\n{nonce}\n").into_bytes();
        text.extend_from_slice(body);
        text.push(b'\n');
        // Signing fails only without random numbers; the fields then do not verify, which is the truth.
        let (signature, serial) = match mode {
            KeyMode::Certificates => (rsa(&certificate.key, &text), &certificate.serial),
            KeyMode::PublicKey => (rsa(&self.public_mode_key, &text), &self.public_key_id),
            KeyMode::GuoMi => (super::guomi::sign(&self.guomi.private_key_pem, &text).unwrap_or_default(), &self.guomi.serial),
        };
        let kind = if mode == KeyMode::GuoMi { "WECHATPAY2-SM2-WITH-SM3" } else { "WECHATPAY2-SHA256-RSA2048" };
        let signature = if probe { format!("WECHATPAY/SIGNTEST/{}", &signature[..336.min(signature.len())]) } else { signature };
        let fields = [
            ("wechatpay-timestamp", seconds.to_string()),
            ("wechatpay-nonce", nonce),
            ("wechatpay-signature", signature),
            ("wechatpay-serial", serial.clone()),
            ("wechatpay-signature-type", kind.to_owned()),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((HeaderName::from_static(name), HeaderValue::from_str(&value).ok()?))).collect()
    }
}

fn rsa(key: &RsaKeyPair, text: &[u8]) -> String {
    let mut signature = vec![0; key.public_modulus_len()];
    let signed = key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature);
    signed.map(|()| STANDARD.encode(signature)).unwrap_or_default()
}
