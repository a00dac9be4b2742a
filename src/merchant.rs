//! A merchant: who is asking, what they may use, and on whose account orders are made. Holds no secret.

use std::num::NonZeroU32;

use crate::ids::MerchantId;

/// One `[[merchant]]`. A `ChatCall` cannot be built without one.
#[derive(Clone, Debug)]
pub struct Merchant {
    /// Its name in `routes.toml`, in the ledger and in metrics.
    pub id: MerchantId,
    /// The models it may ask for.
    pub models: ModelGrant,
    /// Inferences admitted per second; beyond it determined payments go on without a model.
    pub inference_per_second: NonZeroU32,
    /// The WeChat Pay account its orders are made on; `None` for a merchant that only chats.
    pub wechatpay: Option<WechatPayAccount>,
}

/// Which models a merchant may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelGrant {
    /// Every model of the file (`models = ["*"]`).
    All,
    /// These and no others.
    Only(Vec<String>),
}

impl ModelGrant {
    /// Whether `model` may be asked for.
    pub fn allows(&self, model: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.iter().any(|name| name == model),
        }
    }
}

/// The public half of a WeChat Pay account: what every notice and answer must match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WechatPayAccount {
    /// Merchant number.
    pub mchid: String,
    /// The application the merchant number is bound to.
    pub appid: String,
}

/// Which algorithms a merchant signs and is answered with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA with SHA-256, AES-256-GCM: every ordinary merchant.
    #[default]
    Rsa,
    /// GuoMi: SM2 with SM3, SM4-GCM. WeChat Pay opens it on request only.
    Sm2,
}
