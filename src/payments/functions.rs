//! Functions: which calls of a model are fengate's to carry out, what is offered to a model that was told of none, and what carrying out gives back.

use serde_json::json;

use super::carry::Done;
use super::interpret::CallRefusal;
use crate::chat::reply::ToolCall;
use crate::chat::request::OfferedFunction;
use crate::ids::PaymentId;
use crate::money::Money;
use crate::payment::context::{Order, PaymentContext, RefundWish};
use crate::payment::function::{AmountUnit, Operation, PaymentFunction};
use crate::payment::refund_state::RefundState;
use crate::payment::state::State;

/// The function a call is of, if it is fengate's to carry out.
pub fn ours<'f>(call_name: &str, functions: &'f [PaymentFunction]) -> Option<&'f PaymentFunction> {
    functions.iter().find(|function| function.name == call_name)
}

/// Whether the start of a call's name may still turn out to be one of fengate's.
pub fn may_become_ours(name_so_far: &str, functions: &[PaymentFunction]) -> bool {
    functions.iter().any(|function| function.name.starts_with(name_so_far))
}

/// What a model is told of a function the client did not declare itself: only the arguments the mapping reads.
pub fn offered(function: &PaymentFunction) -> OfferedFunction {
    let arguments = &function.arguments;
    let kind = match function.amount_unit {
        AmountUnit::Fen => "integer",
        AmountUnit::Yuan => "string",
    };
    let text = |what: &str| json!({"type": "string", "description": what});
    let parts = [
        (&arguments.amount, json!({"type": kind, "description": amount_described(function)})),
        (&arguments.description, text("what is bought, in a few words")),
        (&arguments.order_id, text("the order to be paid, if the conversation names one")),
        (&arguments.payment, text("the payment meant (pay_…); leave out for the one of this conversation")),
        (&arguments.reason, text("why the money goes back, in a few words; the payer reads it")),
    ];
    let mut properties = serde_json::Map::new();
    for (pointer, schema) in parts {
        // Only flat pointers are offered; a function with nested arguments is declared by its client.
        if let Some(name) = pointer.as_deref().and_then(|pointer| pointer.strip_prefix('/')).filter(|name| !name.contains('/')) {
            properties.insert(name.to_owned(), schema);
        }
    }
    OfferedFunction {
        name: function.name.clone(),
        description: function.description.clone(),
        parameters: json!({"type": "object", "properties": properties, "additionalProperties": false}).to_string(),
    }
}

fn amount_described(function: &PaymentFunction) -> String {
    let unit = match function.amount_unit {
        AmountUnit::Fen => "amount in fen (1 yuan = 100 fen)",
        AmountUnit::Yuan => "amount in yuan",
    };
    match function.operation {
        Operation::Refund => format!("{unit} to give back, exactly as the user states it; leave out to give back all that is left"),
        _ => format!("{unit}, exactly as the user or the order states it; leave out to charge the order's amount"),
    }
}

/// What a model is told of the merchant's word: the order, and the refund it allows. No payer, no account, no key.
pub fn facts(context: &PaymentContext) -> Option<String> {
    let parts = [("order", context.order.as_ref().map(order_facts)), ("refund", context.refund.as_ref().map(refund_facts))];
    let facts: serde_json::Map<_, _> = parts.into_iter().filter_map(|(name, facts)| Some((name.to_owned(), facts?))).collect();
    if facts.is_empty() { None } else { Some(format!("From the merchant's own books, for this conversation: {}", json!(facts))) }
}

fn refund_facts(wish: &RefundWish) -> serde_json::Value {
    json!({"allowed": true, "payment": wish.payment.as_ref().map(PaymentId::as_str), "amount_fen": wish.amount.map(Money::minor), "reason": wish.reason})
}

fn order_facts(order: &Order) -> serde_json::Value {
    let mut facts = serde_json::Map::new();
    if let Some(id) = &order.id {
        facts.insert("id".to_owned(), json!(id));
    }
    if let Some(title) = order.title() {
        facts.insert("description".to_owned(), json!(title));
    }
    if let Some(amount) = order.amount {
        facts.insert("amount_fen".to_owned(), json!(amount.minor()));
        facts.insert("currency".to_owned(), json!(amount.currency().code()));
    }
    json!(facts)
}

/// What a model is told of a call that was carried out: enough to speak about the payment, nothing to pay with.
pub(super) fn told(done: &Done, page: &str) -> String {
    let payment = &done.payment;
    let mut told = json!({
        "status": "approved", "payment": payment.id.as_str(), "state": payment.state.name(), "amount_fen": payment.terms.amount.minor(),
        "amount": payment.terms.amount.to_string(), "description": payment.terms.description, "page": page,
    });
    if let Some(refunded) = payment.refunded {
        told["refunded"] = json!(refunded.to_string());
    }
    if let Some(refund) = &done.refund {
        told["refund"] = json!({
            "state": refund.state.name(), "amount_fen": refund.amount.minor(), "amount": refund.amount.to_string(),
            "message": refund_message(refund.state),
        });
    }
    if done.closing && payment.state == State::AwaitingUser {
        told["message"] = json!("closing was asked for and is not confirmed yet; the order may still be paid. Ask again later.");
    }
    told.to_string()
}

fn refund_message(state: RefundState) -> &'static str {
    match state {
        RefundState::Created | RefundState::Unknown => "being confirmed with WeChat Pay; do not start another",
        RefundState::Waiting => "accepted here; it is sent as soon as the merchant's balance allows",
        RefundState::Processing => "under way to where the money came from; a bank card can take one to three working days",
        RefundState::Abnormal => "the card or account it came from cannot take it; the merchant will see to it",
        RefundState::Refunded => "the money is back where it came from",
        RefundState::Failed => "it was refused and nothing was given back",
    }
}

/// What a model is told of a call that was refused.
pub fn told_refusal(refusal: &CallRefusal) -> String {
    json!({"status": "rejected", "reason": refusal.reason, "message": refusal.message}).to_string()
}

/// The calls of one turn, by whose they are to carry out.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// Indexes of calls of payment functions.
    pub ours: Vec<usize>,
    /// Indexes of calls the client carries out.
    pub theirs: Vec<usize>,
}

/// Sorts the calls of one turn.
pub fn split(calls: &[ToolCall], functions: &[PaymentFunction]) -> Split {
    let (ours, theirs) = (0..calls.len()).partition(|n| calls.get(*n).is_some_and(|call| self::ours(&call.name, functions).is_some()));
    Split { ours, theirs }
}

/// The order in which calls are carried out: what only looks, then what closes, then what moves money.
pub fn payments_last(calls: &[ToolCall], functions: &[PaymentFunction]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..calls.len()).collect();
    order.sort_by_key(|n| match calls.get(*n).and_then(|call| ours(&call.name, functions)).map(|function| function.operation) {
        Some(Operation::Query) | None => 0,
        Some(Operation::Close) => 1,
        Some(Operation::Pay | Operation::Refund) => 2,
    });
    order
}
