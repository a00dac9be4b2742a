//! Who trades at the sandbox: its merchants, found by the number a request claims.

mod account;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;

pub use account::Account;
pub(crate) use account::{random, rfc3339};

use super::SandboxError;

/// A merchant as the platform knows it: numbers, the public key of its certificate, the key it shares with the platform.
#[derive(Debug)]
pub(crate) struct Merchant {
    pub(crate) mchid: String,
    /// Applications bound to it.
    pub(crate) appids: Vec<String>,
    /// Serial number of its API certificate, upper hex.
    pub(crate) serial: String,
    pub(crate) apiv3_key: String,
    /// Verifies what it signs.
    pub(crate) key: UnparsedPublicKey<Vec<u8>>,
}

/// All merchants.
#[derive(Debug)]
pub(crate) struct Accounts {
    /// The demo merchant, with the platform's keys.
    pub(crate) account: Account,
    merchants: Vec<Merchant>,
}

impl Accounts {
    pub(crate) fn new(account: Account) -> Result<Self, SandboxError> {
        let demo = Merchant {
            mchid: account.mchid.clone(),
            appids: vec![account.appid.clone()],
            serial: account.serial.clone(),
            apiv3_key: account.apiv3_key.clone(),
            key: public_key(&account.merchant_public_key_pem)?,
        };
        Ok(Self { account, merchants: vec![demo] })
    }

    /// The merchant with this number.
    pub(crate) fn by_mchid(&self, mchid: &str) -> Option<&Merchant> {
        self.merchants.iter().find(|merchant| merchant.mchid == mchid)
    }
}

fn public_key(pem: &str) -> Result<UnparsedPublicKey<Vec<u8>>, SandboxError> {
    let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes())
        .map_err(|e| SandboxError::Keys(format!("a merchant's public key cannot be read: {e}")))?;
    Ok(UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der.as_ref().to_vec()))
}
