//! The payment side of a question: whether a payment function may be called in answering it, and everything such a call will be checked against.

use std::sync::Arc;

use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

use super::{House, Model};
use crate::chat::call::PaymentPart;
use crate::chat::request::{ChatRequest, ToolChoice};
use crate::ids::{Fingerprint, IdempotencyKey};
use crate::language::Language;
use crate::merchant::Merchant;
use crate::payment::context::PaymentContext;
use crate::payment::function::PaymentFunction;
use crate::payment::record::Identity;
use crate::payments::{classic, functions};
use crate::refusal::{Kind, Refusal};
use crate::wire::context;
use crate::wire::openai::{self, ReadRequest};

/// Longest `Idempotency-Key`, in characters.
const KEY_CHARS_MAX: usize = 255;

/// Makes the payment side of a question, adding to its request what the model has to know; `None` where no payment function is in play.
pub(super) fn payment_part(
    house: &House,
    model: &Model,
    merchant: &Merchant,
    headers: &HeaderMap,
    read: &mut ReadRequest,
) -> Result<Option<Arc<PaymentPart>>, Refusal> {
    // The merchant's word is checked whether or not anything can be paid: a mistyped field must not pass in silence.
    let context = read.payment.as_ref().map(|json| context::read(json)).transpose()?.unwrap_or_default();
    if read.request.choices != 1 && read.payment.is_some() {
        return Err(one_choice());
    }
    let in_play = in_play(house, model, merchant, &mut read.request)?;
    if in_play.is_empty() {
        return Ok(None);
    }
    read.request.added.facts = functions::facts(&context);
    let user_words = openai::user_words(&read.messages)?;
    let identity = identity(&context, headers)?;
    let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let language = user_words.last().map_or_else(|| Language::accepted(accepted), |text| Language::of_text(text));
    Ok(Some(Arc::new(PaymentPart {
        determined: classic::determined(&context, &in_play, &user_words, &read.request.tool_choice),
        fingerprint: Fingerprint::of(&[merchant.id.as_str().as_bytes(), &openai::canonical(&read.request.body)?]),
        functions: in_play,
        context,
        user_words,
        identity,
        language,
    })))
}

/// The payment functions a model may call here: those the client declares, else those the model is offered.
fn in_play(house: &House, model: &Model, merchant: &Merchant, request: &mut ChatRequest) -> Result<Vec<PaymentFunction>, Refusal> {
    // A model told to call nothing pays nothing, whatever it says.
    if merchant.wechatpay.is_none() || request.tool_choice == ToolChoice::None {
        return Ok(Vec::new());
    }
    let declared: Vec<PaymentFunction> = house.functions.iter().filter(|function| request.tools.contains(&function.name)).cloned().collect();
    if !declared.is_empty() {
        return if request.choices == 1 { Ok(declared) } else { Err(one_choice()) };
    }
    if model.offer.is_empty() || request.choices != 1 {
        return Ok(Vec::new());
    }
    request.added.functions = model.offer.iter().map(functions::offered).collect();
    Ok(model.offer.clone())
}

fn one_choice() -> Refusal {
    Refusal::new(Kind::BadRequest, "n_must_be_one", "With payment functions `n` must be 1: several answers could each pay.").param("n")
}

/// What makes a repetition the same payment: the cart's name from the merchant, else the request's from the client, else the request itself.
fn identity(context: &PaymentContext, headers: &HeaderMap) -> Result<Identity, Refusal> {
    if let Some(key) = &context.idempotency_key {
        return Ok(Identity::Named(key.clone()));
    }
    let mut fields = headers.get_all("idempotency-key").iter();
    let Some(field) = fields.next() else { return Ok(Identity::Derived) };
    let key = field.to_str().ok().filter(|key| !key.is_empty() && key.len() <= KEY_CHARS_MAX && fields.next().is_none());
    let key = key.ok_or_else(|| {
        Refusal::new(
            Kind::BadRequest,
            "invalid_idempotency_key",
            format!("Send one Idempotency-Key of 1 to {KEY_CHARS_MAX} visible ASCII characters."),
        )
        .param("Idempotency-Key")
    })?;
    Ok(Identity::Keyed(IdempotencyKey::new(key)))
}
