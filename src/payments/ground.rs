//! Ground: every amount gets its source. The merchant's order or the user's own words can pay; a number from anywhere else goes back to the model.

use super::interpret::{CallRefusal, Proposal};
use super::reader::{self, Reading};
use crate::chat::call::PaymentPart;
use crate::money::Money;
use crate::payment::function::PaymentFunction;
use crate::payment::terms::{AmountSource, Terms};

/// Longest description WeChat Pay takes, in characters.
const DESCRIPTION_CHARS_MAX: usize = 127;

/// Terms whose amount somebody stands behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grounded {
    /// What would be charged.
    pub terms: Terms,
    /// Who stands behind the amount.
    pub source: AmountSource,
    /// The merchant's order number, if there is one.
    pub order_id: Option<String>,
}

/// Finds the source of a proposal's amount.
pub fn ground(proposal: Proposal, function: &PaymentFunction, part: &PaymentPart) -> Result<Grounded, CallRefusal> {
    let order = part.context.order.as_ref();
    let order_id = order.and_then(|order| order.id.clone());
    if let (Some(said), Some(known)) = (&proposal.order_id, &order_id)
        && said != known
    {
        return Err(CallRefusal::new("order_mismatch", format!("the order to be paid is {known}, and no other can be paid here")));
    }
    let (amount, source) = match order.and_then(|order| order.amount) {
        Some(amount) => (agreed(proposal.amount_fen, amount)?, AmountSource::MerchantOrder),
        None => (spoken(proposal.amount_fen, &part.user_words)?, AmountSource::UserWords),
    };
    let title = order.and_then(crate::payment::context::Order::title).or(proposal.description);
    let description =
        title.as_deref().and_then(shown).ok_or_else(|| CallRefusal::new("description_missing", "say what is bought in the description"))?;
    Ok(Grounded { terms: Terms { amount, description, method: function.method }, source, order_id: order_id.or(proposal.order_id) })
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

/// The amount the user named, read by fengate itself; the model must have read the same.
fn spoken(claimed: Option<i64>, user_words: &[String]) -> Result<Money, CallRefusal> {
    let Some(claimed) = claimed else {
        return Err(CallRefusal::new("amount_missing", "there is no order with an amount: ask the user for the exact amount in yuan"));
    };
    // The latest message that speaks of money is the user's last word on it.
    let reading = user_words.iter().rev().map(|text| reader::amounts(text)).find(|reading| *reading != Reading::Nothing);
    match reading {
        Some(Reading::One(fen)) if fen == claimed => Money::fen(fen).map_err(|e| CallRefusal::new("amount_invalid", e.to_string())),
        Some(Reading::One(fen)) => {
            Err(CallRefusal::new("amount_mismatch", format!("the user's words say {fen} fen, not {claimed}; ask the user which amount is meant")))
        }
        Some(Reading::Unclear) => Err(CallRefusal::new("amount_unclear", "the user's words name no single exact amount; ask for it")),
        Some(Reading::Nothing) | None => {
            Err(CallRefusal::new("amount_not_grounded", "neither the merchant's order nor the user's words name this amount; ask the user for it"))
        }
    }
}

/// A description as WeChat shows it: one line of at most 127 characters.
pub fn shown(text: &str) -> Option<String> {
    let line: String = text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    let line: String = line.chars().take(DESCRIPTION_CHARS_MAX).collect();
    Some(line.trim_end().to_owned()).filter(|line| !line.is_empty())
}
