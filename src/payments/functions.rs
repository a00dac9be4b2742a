//! Functions: which calls of a model are fengate's to carry out, what is offered to a model that was told of none, and what carrying out gives back.

use serde_json::json;

use super::interpret::CallRefusal;
use crate::chat::reply::ToolCall;
use crate::chat::request::OfferedFunction;
use crate::payment::context::Order;
use crate::payment::function::{AmountUnit, Operation, PaymentFunction};
use crate::payment::record::Payment;

/// The function a call is of, if it is fengate's to carry out.
pub fn ours<'f>(call_name: &str, functions: &'f [PaymentFunction]) -> Option<&'f PaymentFunction> {
    functions.iter().find(|function| function.name == call_name)
}

/// What a model is told of a function the client did not declare itself: only the arguments the mapping reads.
pub fn offered(function: &PaymentFunction) -> OfferedFunction {
    let arguments = &function.arguments;
    let amount = match function.amount_unit {
        AmountUnit::Fen => {
            json!({"type": "integer", "description": "amount in fen (1 yuan = 100 fen), exactly as the user or the order states it; leave out to charge the order's amount"})
        }
        AmountUnit::Yuan => {
            json!({"type": "string", "description": "amount in yuan, exactly as the user or the order states it; leave out to charge the order's amount"})
        }
    };
    let text = |what: &str| json!({"type": "string", "description": what});
    let parts = [
        (&arguments.amount, amount),
        (&arguments.description, text("what is bought, in a few words")),
        (&arguments.order_id, text("the order to be paid, if the conversation names one")),
        (&arguments.payment, text("the payment asked about (pay_…); leave out for the one of this conversation")),
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

/// The merchant's order as a model is told of it. No payer, no account, no key.
pub fn facts(order: &Order) -> String {
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
    format!("The merchant's order in this conversation, from its own books: {}", json!({"order": facts}))
}

/// What a model is told of a payment: enough to speak about it, nothing to pay with.
pub fn told(payment: &Payment, page: &str) -> String {
    json!({
        "status": "approved", "payment": payment.id.as_str(), "state": payment.state.name(), "amount_fen": payment.terms.amount.minor(),
        "amount": payment.terms.amount.to_string(), "description": payment.terms.description, "page": page,
    })
    .to_string()
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

/// The order in which calls are carried out: whatever only looks comes before what pays.
pub fn payments_last(calls: &[ToolCall], functions: &[PaymentFunction]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..calls.len()).collect();
    order.sort_by_key(|n| calls.get(*n).and_then(|call| ours(&call.name, functions)).is_some_and(|function| function.operation == Operation::Pay));
    order
}
