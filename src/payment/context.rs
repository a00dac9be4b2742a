//! The trusted context: what the merchant's server vouches for beside the conversation (`payment` in the request body).
//! The conversation is only the user's word; this is the merchant's, authenticated by its key.

use crate::ids::{IdempotencyKey, PaymentId};
use crate::money::Money;

/// The `payment` object of a request. Everything in it is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaymentContext {
    /// The merchant's own name for this payment; at most one order ever exists under it.
    pub idempotency_key: Option<IdempotencyKey>,
    /// The order to be paid.
    pub order: Option<Order>,
    /// A refund the merchant itself wants or allows.
    pub refund: Option<RefundWish>,
    /// Whether the merchant has checked a second factor.
    pub verified_2fa: bool,
}

/// A refund as the merchant's own books have it. With it the merchant vouches that a refund is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefundWish {
    /// The merchant's own number of the refund: at most one refund of the payment ever exists under it.
    pub id: Option<IdempotencyKey>,
    /// Which payment; `None` for the one of this conversation.
    pub payment: Option<PaymentId>,
    /// How much. `None` when the merchant leaves it to the user's words, or to all that is left.
    pub amount: Option<Money>,
    /// What the payer reads.
    pub reason: Option<String>,
}

/// The order as the merchant's own books have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The merchant's order number, shown to the model and kept in the ledger.
    pub id: Option<String>,
    /// What is sold.
    pub description: Option<String>,
    /// What it costs. `None` when the merchant leaves the amount to the user's words.
    pub amount: Option<Money>,
    /// What it is made of.
    pub items: Vec<Item>,
}

/// One line of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub description: String,
    /// How many; at least 1.
    pub quantity: u32,
    /// Price of one.
    pub unit_amount: Money,
}

impl Order {
    /// What the payer reads: the order's own description, or its items' in a row.
    pub fn title(&self) -> Option<String> {
        self.description.clone().or_else(|| {
            let names: Vec<&str> = self.items.iter().map(|item| item.description.as_str()).collect();
            (!names.is_empty()).then(|| names.join(", "))
        })
    }
}
