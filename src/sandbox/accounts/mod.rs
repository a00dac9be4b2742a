//! Who trades at the sandbox: its merchants, found by the number a request claims.

mod account;
pub(crate) mod guomi;
pub(crate) mod keys;
mod merchants;

use std::path::Path;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;

pub use account::Account;
pub(crate) use keys::{random, rfc3339};

use super::SandboxError;
use crate::clock::Clock;
use guomi::GuoMi;
use merchants::Kept;

/// A merchant as the platform knows it, and what the sandbox hands out to whoever plays it.
#[derive(Debug)]
pub(crate) struct Merchant {
    /// `demo`, `partner`, `public_key_only`.
    pub(crate) name: String,
    pub(crate) mchid: String,
    /// Applications bound to it.
    pub(crate) appids: Vec<String>,
    /// Serial number of its API certificate, upper hex.
    pub(crate) serial: String,
    pub(crate) apiv3_key: String,
    /// Merchants it trades for, if it is a partner.
    pub(crate) sub_mchids: Vec<String>,
    /// It has no platform certificate.
    pub(crate) is_public_key_only: bool,
    /// Verifies what it signs.
    pub(crate) key: MerchantKey,
    /// Its public key, PEM: answers seal sensitive fields with it.
    pub(crate) public_key_pem: String,
}

/// The public key of a merchant's certificate.
#[derive(Debug)]
pub(crate) enum MerchantKey {
    Rsa(UnparsedPublicKey<Vec<u8>>),
    /// GuoMi, PEM.
    Sm2(String),
}

impl MerchantKey {
    /// Whether the key's owner signed this text; the signature is base64.
    pub(crate) fn verifies(&self, text: &[u8], signature: &str) -> bool {
        match self {
            Self::Rsa(key) => STANDARD.decode(signature).is_ok_and(|signature| key.verify(text, &signature).is_ok()),
            Self::Sm2(pem) => super::guomi::is_signed_by(pem, text, signature),
        }
    }
}

impl Merchant {
    /// Whether it trades by the national algorithms.
    pub(crate) fn is_guomi(&self) -> bool {
        matches!(self.key, MerchantKey::Sm2(_))
    }
}

/// All merchants.
#[derive(Debug)]
pub(crate) struct Accounts {
    /// The demo merchant, with the platform's keys.
    pub(crate) account: Account,
    /// The platform's SM2 key.
    pub(crate) guomi: GuoMi,
    merchants: Vec<Merchant>,
}

impl Accounts {
    /// Reads the merchants in `dir`, or makes them.
    pub(crate) fn open(dir: &Path, clock: &Clock) -> Result<Self, SandboxError> {
        let account = Account::open(dir, clock)?;
        let demo = Kept {
            name: "demo".to_owned(),
            mchid: account.mchid.clone(),
            appid: account.appid.clone(),
            serial: account.serial.clone(),
            apiv3_key: account.apiv3_key.clone(),
            private_key_pem: account.private_key_pem.clone(),
            public_key_pem: account.merchant_public_key_pem.clone(),
            sub_mchids: Vec::new(),
            is_public_key_only: false,
        };
        keep_certificate(dir, &demo, clock)?;
        let mut merchants = vec![merchant(demo)?];
        for other in merchants::open(dir)? {
            let folder = dir.join(&other.name);
            std::fs::create_dir_all(&folder).map_err(|e| SandboxError::File { path: folder.clone(), why: e.to_string() })?;
            keep_certificate(&folder, &other, clock)?;
            keys::keep(&folder.join("apiclient_key.pem"), &other.private_key_pem)?;
            merchants.push(merchant(other)?);
        }
        let (merchant, guomi) = guomi::open(dir, clock)?;
        merchants.push(merchant);
        Ok(Self { account, guomi, merchants })
    }

    /// The merchant with this number.
    pub(crate) fn by_mchid(&self, mchid: &str) -> Option<&Merchant> {
        self.merchants.iter().find(|merchant| merchant.mchid == mchid)
    }

    /// Every merchant, the demo one first.
    pub(crate) fn all(&self) -> &[Merchant] {
        &self.merchants
    }
}

fn merchant(kept: Kept) -> Result<Merchant, SandboxError> {
    let der = SubjectPublicKeyInfoDer::from_pem_slice(kept.public_key_pem.as_bytes())
        .map_err(|e| SandboxError::Keys(format!("a merchant's public key cannot be read: {e}")))?;
    Ok(Merchant {
        name: kept.name,
        mchid: kept.mchid,
        appids: vec![kept.appid],
        serial: kept.serial,
        apiv3_key: kept.apiv3_key,
        sub_mchids: kept.sub_mchids,
        is_public_key_only: kept.is_public_key_only,
        key: MerchantKey::Rsa(UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der.as_ref().to_vec())),
        public_key_pem: kept.public_key_pem,
    })
}

/// The merchant's API certificate as a file, made where it is missing: some SDKs read their serial number out of it.
fn keep_certificate(folder: &Path, kept: &Kept, clock: &Clock) -> Result<(), SandboxError> {
    let path = folder.join("apiclient_cert.pem");
    if path.exists() {
        return Ok(());
    }
    let now = clock.now().seconds();
    let life = (now - keys::DAY_SECONDS, now + keys::CERTIFICATE_SECONDS);
    let key = keys::private_key_of(&kept.private_key_pem)?;
    keys::keep(&path, &keys::certificate(&key, &keys::serial_bytes(&kept.serial), life, &format!("fengate sandbox {}", kept.mchid))?)
}
