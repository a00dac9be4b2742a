//! Terms: what the payer is asked to agree to. Frozen when a payment is recorded; never read again from a model's text.

use crate::money::Money;

/// How the payer pays. Payment functions make native orders; the others come from merchants who write their orders themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// WeChat Pay Native: the payer scans a QR code.
    WechatNative,
    /// WeChat Pay JSAPI: inside WeChat, mini-programs included.
    WechatJsapi,
    /// WeChat Pay APP: from another app.
    WechatApp,
    /// WeChat Pay H5: from a browser outside WeChat.
    WechatH5,
}

impl Method {
    const ALL: [Self; 4] = [Self::WechatNative, Self::WechatJsapi, Self::WechatApp, Self::WechatH5];

    /// The name in `routes.toml`, in payment objects and in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::WechatNative => "wechat_native",
            Self::WechatJsapi => "wechat_jsapi",
            Self::WechatApp => "wechat_app",
            Self::WechatH5 => "wechat_h5",
        }
    }

    /// Reads a name; `None` if there is no such method.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }
}

/// Where an amount came from. Only these sources can pay; a number out of a model's head or a tool's text has no variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AmountSource {
    /// The merchant's own structured data in the request.
    MerchantOrder,
    /// The user's own words, read again by fengate.
    UserWords,
    /// Of a refund: all that was paid and not yet given back, as the ledger has it.
    Remaining,
}

impl AmountSource {
    /// The word kept in the audit trail.
    pub fn name(self) -> &'static str {
        match self {
            Self::MerchantOrder => "merchant_order",
            Self::UserWords => "user_words",
            Self::Remaining => "remaining",
        }
    }

    /// Reads that word back.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "merchant_order" => Some(Self::MerchantOrder),
            "user_words" => Some(Self::UserWords),
            "remaining" => Some(Self::Remaining),
            _ => None,
        }
    }
}

/// Who determined the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DecidedBy {
    /// A model's function call, checked by code.
    Model,
    /// The trusted context alone, without a model (the spike rule).
    Rules,
    /// The merchant itself: an order it wrote, which fengate only signed.
    Classic,
}

impl DecidedBy {
    /// The word in payment objects, metrics and the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Rules => "rules",
            Self::Classic => "classic",
        }
    }

    /// Reads that word back.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "model" => Some(Self::Model),
            "rules" => Some(Self::Rules),
            "classic" => Some(Self::Classic),
            _ => None,
        }
    }
}

/// What the payer is asked to agree to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What is charged, all lines together.
    pub amount: Money,
    /// What the payer reads in WeChat: 1 to 127 characters.
    pub description: String,
    /// How it is paid.
    pub method: Method,
}
