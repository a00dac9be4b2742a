//! One order: what the merchant asked for, how it stands, and the handle by which a payer reaches it.

use serde_json::Value;

use super::super::sign::KeyMode;
use super::super::wallet::CODE_MS;
use crate::clock::UnixMs;

const MINUTE_MS: i64 = 60_000;

/// An order nobody pays is closed after seven days.
pub(crate) const UNPAID_MS_MAX: i64 = 7 * 24 * 60 * MINUTE_MS;

/// A number of a merchant's. Numbers are unique within the merchant that signs: a partner's across all its sub-merchants.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) mchid: String,
    pub(crate) number: String,
}

impl Key {
    pub(crate) fn new(mchid: &str, number: &str) -> Self {
        Self { mchid: mchid.to_owned(), number: number.to_owned() }
    }
}

/// How an order is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Product {
    Native,
    Jsapi,
    App,
    H5,
    CodePay,
    /// Charged under a contract, or collected after a service: nobody holds its handle.
    Papay,
}

impl Product {
    const ALL: [Self; 6] = [Self::Native, Self::Jsapi, Self::App, Self::H5, Self::CodePay, Self::Papay];

    /// The word of `trade_type`.
    pub(crate) fn trade_type(self) -> &'static str {
        match self {
            Self::Native => "NATIVE",
            Self::Jsapi => "JSAPI",
            Self::App => "APP",
            Self::H5 => "MWEB",
            Self::CodePay => "MICROPAY",
            Self::Papay => "PAP",
        }
    }

    /// The product of a `trade_type`; native for anything else, which is what orders were before there were others.
    pub(crate) fn of(trade_type: &str) -> Self {
        Self::ALL.into_iter().find(|product| product.trade_type() == trade_type).unwrap_or(Self::Native)
    }

    /// How long its handle lives, in milliseconds: `code_url` and `prepay_id` two hours, `h5_url` five minutes, a
    /// payment code one.
    pub(crate) fn handle_ms(self) -> i64 {
        match self {
            Self::H5 => 5 * MINUTE_MS,
            Self::CodePay => CODE_MS,
            _ => 120 * MINUTE_MS,
        }
    }
}

/// How an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TradeState {
    NotPay,
    Success,
    /// Paid, and a refund was accepted, also a partial one.
    Refund,
    Closed,
    /// Code pay: reversed.
    Revoked,
    /// Code pay: the payer is asked for a password.
    UserPaying,
    /// Code pay: the payer declined.
    PayError,
}

impl TradeState {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::NotPay => "NOTPAY",
            Self::Success => "SUCCESS",
            Self::Refund => "REFUND",
            Self::Closed => "CLOSED",
            Self::Revoked => "REVOKED",
            Self::UserPaying => "USERPAYING",
            Self::PayError => "PAYERROR",
        }
    }

    /// Whether it waits for its payer.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::NotPay | Self::UserPaying)
    }

    /// Whether money came in: a refund says nothing against it.
    pub(crate) fn is_paid(self) -> bool {
        matches!(self, Self::Success | Self::Refund)
    }
}

/// One order.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) key: Key,
    pub(crate) product: Product,
    /// Everything the merchant sent, as JSON: the same order again has to be equal in all of it.
    pub(crate) parameters: Value,
    pub(crate) key_mode: KeyMode,
    pub(crate) state: TradeState,
    pub(crate) prepay_id: String,
    /// What a native order's QR code says; empty for other products.
    pub(crate) code_url: String,
    /// When it was first asked for.
    pub(crate) created_at: UnixMs,
    /// When the handle was given out: it lives from then.
    pub(crate) handed_at: UnixMs,
    /// From when on it cannot be paid: the first request's `time_expire`.
    pub(crate) expires_at: UnixMs,
    /// How often it was asked for.
    pub(crate) creates: u32,
    pub(crate) declined: u32,
    pub(crate) transaction_id: Option<String>,
    pub(crate) paid_at: Option<UnixMs>,
    /// The payment notice's own number, the same for every delivery.
    pub(crate) notice_id: Option<String>,
    /// Numbers of its refunds, in the order they were accepted.
    pub(crate) refunds: Vec<String>,
}

impl Order {
    /// The merchant's number.
    pub(crate) fn out_trade_no(&self) -> &str {
        &self.key.number
    }

    /// A text of the order's parameters.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.parameters[name].as_str().unwrap_or_default()
    }

    /// What is to be paid, in fen.
    pub(crate) fn total(&self) -> i64 {
        self.parameters["amount"]["total"].as_i64().unwrap_or_default()
    }

    /// The sub-merchant a partner trades for; empty for an ordinary order.
    pub(crate) fn sub_mchid(&self) -> &str {
        self.text("sub_mchid")
    }

    /// What a payer's side holds to pay it.
    pub(crate) fn handle(&self) -> &str {
        if self.product == Product::Native { &self.code_url } else { &self.prepay_id }
    }
}
