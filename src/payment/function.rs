//! A payment function: the tool name a model may call, and how its arguments map onto an operation (`[[function]]` of `routes.toml`).

use super::terms::Method;

/// What a payment function does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Make an order for the payer to pay.
    Pay,
    /// Say how a payment stands.
    Query,
    /// Give back what was paid, or a part of it, to where it came from.
    Refund,
    /// Close an order nobody has paid.
    Close,
}

impl Operation {
    /// The word in `routes.toml` and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pay => "pay",
            Self::Query => "query",
            Self::Refund => "refund",
            Self::Close => "close",
        }
    }

    /// Whether it moves money, or asks somebody to: one such call a question, and after every other.
    pub fn moves_money(self) -> bool {
        matches!(self, Self::Pay | Self::Refund)
    }
}

/// The unit a function's amount argument is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AmountUnit {
    /// A whole number of fen.
    Fen,
    /// A decimal number of yuan, at most two places.
    Yuan,
}

/// A function a model may call that fengate carries out itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentFunction {
    /// The tool's name.
    pub name: String,
    /// What it does.
    pub operation: Operation,
    /// How it pays when the call names no method.
    pub method: Method,
    /// The unit of the amount argument.
    pub amount_unit: AmountUnit,
    /// Where its arguments stand.
    pub arguments: ArgumentPointers,
    /// What the model is told the function does, when fengate offers it.
    pub description: String,
}

/// JSON pointers (RFC 6901) into a call's arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArgumentPointers {
    /// The amount, in the function's unit.
    pub amount: Option<String>,
    /// What is bought.
    pub description: Option<String>,
    /// The merchant's order number.
    pub order_id: Option<String>,
    /// Which payment is asked about, refunded or closed (`pay_…`; a question may also name an `out_trade_no`).
    pub payment: Option<String>,
    /// Why money goes back; the payer reads it.
    pub reason: Option<String>,
}
