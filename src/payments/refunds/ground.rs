//! Ground: who says that money goes back, and how much. The merchant's `payment.refund` or the user's own words; a wish without a figure
//! means all that is left. A figure of the model's alone refunds nothing.

use crate::chat::call::PaymentPart;
use crate::ids::{Fingerprint, PaymentId};
use crate::money::Money;
use crate::payment::context::RefundWish;
use crate::payment::record::{Identity, Payment};
use crate::payment::refund::{RefundAmount, RefundIdentity};
use crate::payment::terms::AmountSource;
use crate::payments::ground::shown;
use crate::payments::interpret::{CallRefusal, RefundProposal};
use crate::payments::reader::{self, Reading};
use crate::payments::refunds::wish;

/// A refund somebody stands behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroundedRefund {
    /// Which payment.
    pub(in crate::payments) payment: PaymentId,
    /// How much.
    pub(in crate::payments) amount: RefundAmount,
    /// Who stands behind the amount.
    pub(in crate::payments) source: AmountSource,
    /// What makes it the same as another.
    pub(in crate::payments) identity: RefundIdentity,
    /// What the payer reads.
    pub(in crate::payments) reason: Option<String>,
}

/// Finds who stands behind a proposed refund of `payment`.
pub fn ground(proposal: RefundProposal, payment: &Payment, part: &PaymentPart) -> Result<GroundedRefund, CallRefusal> {
    let wish = part.context.refund.as_ref();
    if wish.and_then(|wish| wish.payment.as_ref()).is_some_and(|named| *named != payment.id) {
        return Err(CallRefusal::new("payment_mismatch", "the merchant allows a refund of another payment only"));
    }
    let (amount, source) = match wish {
        Some(RefundWish { amount: Some(amount), .. }) => (vouched(proposal.amount_fen, *amount)?, AmountSource::MerchantOrder),
        // Naming the payment is the merchant's word; an empty object is none.
        Some(RefundWish { payment: Some(_), .. }) => {
            spoken(proposal.amount_fen, part.user_words.last().map(std::slice::from_ref).unwrap_or_default())?
        }
        Some(_) | None => spoken(proposal.amount_fen, plainly_asked(&part.user_words, &payment.terms.description)?)?,
    };
    let reason = wish.and_then(|wish| wish.reason.clone()).or(proposal.reason);
    Ok(GroundedRefund {
        payment: payment.id.clone(),
        amount,
        source,
        identity: identity(part, &payment.terms.description),
        reason: reason.as_deref().and_then(shown),
    })
}

fn plainly_asked<'w>(user_words: &'w [String], title: &str) -> Result<&'w [String], CallRefusal> {
    match wish::asked(user_words, title) {
        [] => Err(CallRefusal::new(
            "refund_not_asked",
            "the user's last message does not plainly ask for a refund; ask the user to say so, and refund nothing until then",
        )),
        words => Ok(words),
    }
}

/// The merchant's own amount; the model's figure may repeat it but not change it.
fn vouched(claimed: Option<i64>, amount: Money) -> Result<RefundAmount, CallRefusal> {
    match claimed {
        Some(fen) if fen != amount.minor() => Err(CallRefusal::new(
            "amount_mismatch",
            format!("the merchant allows a refund of exactly {} fen; leave the amount out or repeat it", amount.minor()),
        )),
        _ => Ok(RefundAmount::Exactly(amount)),
    }
}

/// The amount the user named, read by fengate itself, or all that is left if the user named none.
fn spoken(claimed: Option<i64>, words: &[String]) -> Result<(RefundAmount, AmountSource), CallRefusal> {
    let reading = words.iter().rev().map(|text| reader::amounts(text)).find(|reading| *reading != Reading::Nothing);
    let in_part = words.iter().any(|text| wish::asks_for_a_part(text));
    let unclear = || CallRefusal::new("amount_unclear", "the user's words name no single exact amount to refund; ask for it in yuan");
    let money = |fen: i64| Money::fen(fen).map_err(|e| CallRefusal::new("amount_invalid", e.to_string()));
    match (reading, claimed) {
        (Some(Reading::One(said)), Some(fen)) if said == fen => Ok((RefundAmount::Exactly(money(fen)?), AmountSource::UserWords)),
        (Some(Reading::One(said)), Some(fen)) => {
            Err(CallRefusal::new("amount_mismatch", format!("the user's words say {said} fen, not {fen}; ask the user which amount is meant")))
        }
        (Some(Reading::Unclear), _) => Err(unclear()),
        (_, _) if in_part => Err(unclear()),
        // The model left the amount out, which means all that is left; the user's figure must be just that.
        (Some(Reading::One(said)), None) => Ok((RefundAmount::RemainingOf(money(said)?), AmountSource::UserWords)),
        (Some(Reading::Nothing) | None, Some(fen)) => Ok((RefundAmount::RemainingOf(money(fen)?), AmountSource::Remaining)),
        (Some(Reading::Nothing) | None, None) => Ok((RefundAmount::Remaining, AmountSource::Remaining)),
    }
}

/// The merchant's own number, else the name the client gave this request, else the user's words up to the wish: whatever else is in the request
/// (a model's turns, tools, a plain "ok" behind it), the same wish is the same refund. A cart's key names its payment, and a conversation about
/// one cart may ask for several refunds.
fn identity(part: &PaymentPart, title: &str) -> RefundIdentity {
    match (&part.context.refund, &part.identity) {
        (Some(RefundWish { id: Some(id), .. }), _) => RefundIdentity::Merchant(id.clone()),
        (_, Identity::Keyed(key)) => RefundIdentity::Request(key.clone()),
        _ => {
            let words: Vec<&[u8]> = wish::up_to_the_wish(&part.user_words, title).iter().map(|text| text.as_bytes()).collect();
            RefundIdentity::Derived(Fingerprint::of(&words))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(claimed: Option<i64>, text: &str) -> Result<RefundAmount, &'static str> {
        spoken(claimed, &[text.to_owned()]).map(|(amount, _)| amount).map_err(|refusal| refusal.reason)
    }

    fn fen(fen: i64) -> Money {
        Money::fen(fen).expect("an amount")
    }

    #[test]
    fn an_amount_is_the_users_or_all_that_is_left() {
        assert_eq!(read(Some(1_000), "refund 10 yuan"), Ok(RefundAmount::Exactly(fen(1_000))));
        assert_eq!(read(None, "refund the sneakers"), Ok(RefundAmount::Remaining));
        assert_eq!(read(Some(12_900), "refund the sneakers"), Ok(RefundAmount::RemainingOf(fen(12_900))));
        assert_eq!(read(None, "refund the 129 yuan"), Ok(RefundAmount::RemainingOf(fen(12_900))));
        assert_eq!(read(Some(2_000), "refund 10 yuan"), Err("amount_mismatch"));
        for text in ["refund about 10 yuan", "refund 10 or 20 yuan", "退一半", "refund half of the 129 yuan"] {
            assert_eq!(read(None, text), Err("amount_unclear"), "{text}");
        }
        assert_eq!(read(Some(6_450), "refund half"), Err("amount_unclear"));
        assert_eq!(read(Some(0), "refund it"), Err("amount_invalid"));
    }

    #[test]
    fn the_merchants_amount_cannot_be_changed() {
        assert_eq!(vouched(None, fen(100)), Ok(RefundAmount::Exactly(fen(100))));
        assert!(vouched(Some(100), fen(100)).is_ok());
        assert_eq!(vouched(Some(99), fen(100)).map_err(|refusal| refusal.reason), Err("amount_mismatch"));
    }
}
