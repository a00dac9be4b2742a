//! Signatures, the platform's side: checks what merchants sign, signs answers and notices with the key the merchant's mode asks for.

use std::sync::{Mutex, PoisonError};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;

use super::SandboxError;
use super::accounts::{Account, Merchant, random};
use super::platform::Certificate;

/// What an `Authorization` field claims.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) mchid: String,
    pub(super) serial: String,
    pub(super) timestamp: String,
    pub(super) nonce: String,
    pub(super) signature: String,
}

impl Claim {
    /// Whether the key's owner signed exactly this request. `target` is what stood on the request line.
    pub(super) fn is_signed_by(&self, key: &UnparsedPublicKey<Vec<u8>>, method: &str, target: &str, body: &[u8]) -> bool {
        let mut text = Vec::with_capacity(body.len() + 256);
        for part in [method.as_bytes(), target.as_bytes(), self.timestamp.as_bytes(), self.nonce.as_bytes(), body] {
            text.extend_from_slice(part);
            text.push(b'\n');
        }
        STANDARD.decode(&self.signature).is_ok_and(|signature| key.verify(&text, &signature).is_ok())
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
}

impl Signer {
    pub(super) fn new(account: &Account, certificate: Certificate) -> Result<Self, SandboxError> {
        let broken = || SandboxError::Keys("a key of the account cannot be read".to_owned());
        Ok(Self {
            certificate: Mutex::new(certificate),
            public_mode_key: key_pair(&account.public_mode_key_pem).ok_or_else(broken)?,
            public_key_id: account.public_key_id.clone(),
        })
    }

    /// From now on this certificate signs.
    pub(super) fn turn(&self, certificate: Certificate) {
        *self.certificate.lock().unwrap_or_else(PoisonError::into_inner) = certificate;
    }

    /// Which key a request asks its answer to be signed with.
    pub(super) fn mode_of(&self, headers: &HeaderMap, merchant: &Merchant) -> KeyMode {
        let asked = headers.get("wechatpay-serial").and_then(|value| value.to_str().ok());
        if merchant.is_public_key_only || asked == Some(self.public_key_id.as_str()) { KeyMode::PublicKey } else { KeyMode::Certificates }
    }

    /// The `Wechatpay-*` fields over `body`. A `probe` carries a signature that must not verify.
    pub(super) fn fields(&self, mode: KeyMode, seconds: i64, body: &[u8], probe: bool) -> HeaderMap {
        let certificate = self.certificate.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (key, serial) = match mode {
            KeyMode::Certificates => (certificate.key.as_ref(), &certificate.serial),
            KeyMode::PublicKey => (&self.public_mode_key, &self.public_key_id),
        };
        let nonce = crate::ids::hex(&random(16).unwrap_or_default()).to_uppercase();
        let mut text = format!("{seconds}\n{nonce}\n").into_bytes();
        text.extend_from_slice(body);
        text.push(b'\n');
        let mut signature = vec![0; key.public_modulus_len()];
        // Signing fails only without random numbers; the fields then do not verify, which is the truth.
        let _ = key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &text, &mut signature);
        let signature = STANDARD.encode(signature);
        let signature = if probe { format!("WECHATPAY/SIGNTEST/{}", &signature[..336.min(signature.len())]) } else { signature };
        let fields = [
            ("wechatpay-timestamp", seconds.to_string()),
            ("wechatpay-nonce", nonce),
            ("wechatpay-signature", signature),
            ("wechatpay-serial", serial.clone()),
            ("wechatpay-signature-type", "WECHATPAY2-SHA256-RSA2048".to_owned()),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((HeaderName::from_static(name), HeaderValue::from_str(&value).ok()?))).collect()
    }
}
