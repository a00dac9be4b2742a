//! Fills a tool's arguments: by what its properties are called, out of the merchant's order and the user's words.

use serde_json::{Map, Value, json};

use super::asked::{Asked, Tool, text_of};
use super::{reading, words};

/// The order's amount, else the one the user names, in fen.
pub(super) fn amount_of(asked: &Asked, text: &str) -> Option<i64> {
    asked.order()["amount_fen"].as_i64().or_else(|| reading::amount_fen(text))
}

/// The tool's arguments, filled by what its properties are called.
pub(super) fn arguments(asked: &Asked, tool: &Tool, text: &str) -> Value {
    let order = asked.order();
    let mut filled = Map::new();
    for (name, schema) in &tool.properties {
        let lower = name.to_lowercase();
        let is = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        let value = if is(&["order_id", "order_no", "order_number"]) {
            order["id"].clone()
        } else if is(&["payment"]) {
            payment_in(text).map_or(Value::Null, Value::String)
        } else if is(&["fee", "amount", "total", "price", "money", "yuan", "fen"]) {
            amount_of(asked, text).map_or(Value::Null, |fen| amount(fen, &lower, schema))
        } else if is(&["body", "desc", "subject", "title", "product", "item", "name", "what", "goods"]) {
            order["description"].as_str().map(str::to_owned).or_else(|| object_in(asked, text)).map_or(Value::Null, Value::String)
        } else {
            Value::Null
        };
        if !value.is_null() {
            filled.insert(name.clone(), value);
        }
    }
    Value::Object(filled)
}

/// A refund's arguments: the payment the conversation names last, and an amount only if the user just named one.
pub(super) fn refund_arguments(asked: &Asked, tool: &Tool, text: &str) -> Value {
    let mut filled = Map::new();
    for (name, schema) in &tool.properties {
        let lower = name.to_lowercase();
        let value = if lower.contains("reason") {
            words::reason_of(text).map(Value::String)
        } else if lower.contains("payment") {
            payment_in(&conversation(asked)).map(Value::String)
        } else if ["fee", "amount", "total"].iter().any(|word| lower.contains(word)) {
            reading::amount_fen(text).map(|fen| amount(fen, &lower, schema))
        } else {
            None
        };
        filled.extend(value.map(|value| (name.clone(), value)));
    }
    Value::Object(filled)
}

/// An amount in the unit a property asks for: fen, unless its name or description says yuan.
fn amount(fen: i64, name: &str, schema: &Value) -> Value {
    let says = schema["description"].as_str().unwrap_or_default().to_lowercase();
    let is_yuan = name.contains("yuan") || ((says.contains("yuan") || says.contains('元')) && !says.contains("fen") && !says.contains('分'));
    let yuan = format!("{}.{:02}", fen / 100, fen % 100);
    match schema["type"].as_str() {
        Some("string") => json!(if is_yuan { yuan } else { fen.to_string() }),
        Some("number") if is_yuan => serde_json::from_str(&yuan).unwrap_or_default(),
        Some("integer") if is_yuan => json!(fen / 100),
        _ => json!(fen),
    }
}

/// What is bought: named now, or when the user asked to pay.
fn object_in(asked: &Asked, text: &str) -> Option<String> {
    let earlier = || {
        let words = asked.messages.iter().rev().filter(|message| message["role"] == "user").map(|message| text_of(&message["content"]));
        words.filter(|text| words::asks_to_pay(text)).find_map(|text| reading::object_of(&text))
    };
    if words::asks_to_pay(text) { reading::object_of(text) } else { earlier() }
}

/// Everything said, line by line.
pub(super) fn conversation(asked: &Asked) -> String {
    asked.messages.iter().map(|message| text_of(&message["content"])).collect::<Vec<_>>().join("\n")
}

/// The last payment named in a text.
fn payment_in(text: &str) -> Option<String> {
    let at = text.rfind("pay_")?;
    let id: String = text.get(at..)?.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    Some(id).filter(|id| id.len() > 10)
}
