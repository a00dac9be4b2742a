//! Ground: every amount gets its source. The merchant's order or the user's own words can pay; a number from anywhere else goes back to the model.

use super::interpret::{CallRefusal, Proposal};
use super::reader::{self, Reading};
use crate::chat::call::PaymentPart;
use crate::money::Money;
use crate::payment::function::PaymentFunction;
use crate::payment::terms::{AmountSource, Terms};

/// Longest description WeChat Pay takes, in characters.
const DESCRIPTION_CHARS_MAX: usize = 127;

/// Terms whose amount somebody stands behind. Only this module can build one: out of a proposal that was checked, or out of the merchant's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grounded {
    terms: Terms,
    source: AmountSource,
    order_id: Option<String>,
}

impl Grounded {
    /// The terms the merchant's own order determines by itself; [`super::classic`] sees to that.
    pub(super) fn of_order(terms: Terms, part: &PaymentPart) -> Self {
        let order_id = part.context.order.as_ref().and_then(|order| order.id.clone());
        Self { terms, source: AmountSource::MerchantOrder, order_id }
    }

    /// What would be charged, who stands behind the amount, and the merchant's order number, if there is one.
    pub(super) fn into_parts(self) -> (Terms, AmountSource, Option<String>) {
        (self.terms, self.source, self.order_id)
    }
}

/// Finds the source of a proposal's amount.
pub fn ground(proposal: Proposal, function: &PaymentFunction, part: &PaymentPart) -> Result<Grounded, CallRefusal> {
    if part.user_words.last().is_some_and(|text| reader::declines(text)) {
        return Err(CallRefusal::new("user_declined", "the user's last words may decline or withdraw the payment; ask whether they want to pay"));
    }
    let order = part.context.order.as_ref();
    let order_id = order.and_then(|order| order.id.clone());
    if let (Some(said), Some(known)) = (&proposal.order_id, &order_id)
        && said != known
    {
        return Err(CallRefusal::new("order_mismatch", format!("the order to be paid is {known}, and no other can be paid here")));
    }
    let (amount, source) = match order.and_then(|order| order.amount) {
        Some(amount) => (agreed(proposal.amount_fen, amount)?, AmountSource::MerchantOrder),
        None => (spoken(proposal.amount_fen, function, &part.user_words)?, AmountSource::UserWords),
    };
    let title = order.and_then(crate::payment::context::Order::title).or(proposal.description);
    let description =
        title.as_deref().and_then(shown).ok_or_else(|| CallRefusal::new("description_missing", "say what is bought in the description"))?;
    // A model's order number is a claim: it is compared, never kept.
    Ok(Grounded { terms: Terms { amount, description, method: function.method }, source, order_id })
}

/// The order's own amount; the model's figure may repeat it but not change it.
fn agreed(claimed: Option<i64>, order: Money) -> Result<Money, CallRefusal> {
    match claimed {
        Some(fen) if fen != order.minor() => Err(CallRefusal::new(
            "amount_mismatch",
            format!("the order's amount is {} fen and cannot be changed; leave the amount out or repeat it", order.minor()),
        )),
        _ => Ok(order),
    }
}

/// How many of the user's messages are looked at for an amount, from the last.
const MESSAGES_READ: usize = 3;

/// The amount the user named, read by fengate itself; the model must have read the same.
fn spoken(claimed: Option<i64>, function: &PaymentFunction, user_words: &[String]) -> Result<Money, CallRefusal> {
    let Some(claimed) = claimed else {
        let place = function.arguments.amount.as_deref().map_or_else(String::new, |pointer| format!(" and nothing at {pointer} in the arguments"));
        return Err(CallRefusal::new(
            "amount_missing",
            format!("there is no order with an amount{place}: ask the user for the exact amount in yuan"),
        ));
    };
    match latest_reading(user_words)? {
        Reading::One(fen) if fen == claimed => Money::fen(fen).map_err(|e| CallRefusal::new("amount_invalid", e.to_string())),
        Reading::One(fen) => {
            Err(CallRefusal::new("amount_mismatch", format!("the user's words say {fen} fen, not {claimed}; ask the user which amount is meant")))
        }
        Reading::Unclear => Err(CallRefusal::new("amount_unclear", "the user's words name no single exact amount; ask for it")),
        Reading::Nothing => {
            Err(CallRefusal::new("amount_not_grounded", "neither the merchant's order nor the user's words name this amount; ask the user for it"))
        }
    }
}

/// What the latest message that speaks of money says of it: the user's last word. It still counts only while everything said since goes on
/// with it; after other talk the amount is asked for again.
fn latest_reading(user_words: &[String]) -> Result<Reading, CallRefusal> {
    for text in user_words.iter().rev().take(MESSAGES_READ) {
        match reader::amounts(text) {
            Reading::Nothing if reader::goes_on(text) => {}
            Reading::Nothing => return Ok(Reading::Nothing),
            _ if reader::declines(text) => {
                return Err(CallRefusal::new(
                    "user_declined",
                    "the words that name the amount may decline the payment; ask whether they want to pay",
                ));
            }
            reading => return Ok(reading),
        }
    }
    Ok(Reading::Nothing)
}

/// A description as WeChat shows it: one line of at most 127 characters.
pub fn shown(text: &str) -> Option<String> {
    let line: String = text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    let line: String = line.chars().take(DESCRIPTION_CHARS_MAX).collect();
    Some(line.trim_end().to_owned()).filter(|line| !line.is_empty())
}
