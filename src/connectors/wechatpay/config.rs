//! What a merchant's account needs, and why it cannot be used.

use http::Uri;

pub use crate::merchant::Algorithm;
use crate::merchant::WechatPayAccount;

/// What a merchant's account needs. `Debug` shows nothing secret.
#[derive(Clone)]
pub struct Config {
    /// Merchant number and application; a partner's own (`sp_mchid`, `sp_appid`) if there is a sub-merchant.
    pub account: WechatPayAccount,
    /// Whom a partner (service provider) collects for; `None` for an ordinary merchant.
    pub sub_merchant: Option<SubMerchant>,
    /// Which algorithms the merchant signs and is answered with.
    pub algorithm: Algorithm,
    /// Serial number of the merchant's API certificate, hexadecimal.
    pub serial: String,
    /// The merchant's private key, PEM (PKCS#8, RSA also PKCS#1).
    pub private_key_pem: String,
    /// The APIv3 key: 32 characters.
    pub apiv3_key: String,
    /// How answers and notices are verified.
    pub platform: Platform,
    /// Scheme and host of the API.
    pub base_url: Uri,
    /// Another host of the same API, for when the first cannot be reached; `None`: the one the vendor names for `base_url`, if it does.
    pub backup_url: Option<Uri>,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Config({:?}, {})", self.account, self.base_url)
    }
}

/// The merchant a partner collects for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubMerchant {
    /// Its number; never the partner's own.
    pub sub_mchid: String,
    /// Its application. If there is one, payers are named by their `openid` in it.
    pub sub_appid: Option<String>,
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
    /// The merchant's private key is no key of its algorithm in PEM.
    #[error("the private key cannot be read: it must be an RSA key in PEM (apiclient_key.pem), or an SM2 key for algorithm = \"sm2\"")]
    PrivateKey,
    /// The APIv3 key has the wrong length.
    #[error("the APIv3 key must have 32 characters")]
    Apiv3Key,
    /// The platform's public key cannot be read.
    #[error("the WeChat Pay public key cannot be read: it must be PEM (pub_key.pem) and of the merchant's algorithm")]
    PublicKey,
    /// The address of the API has no scheme or host.
    #[error("base_url and backup_url must be http(s)://host")]
    BaseUrl,
    /// A partner cannot collect for itself.
    #[error("sub_mchid is the partner's own number")]
    SubMerchant,
}
