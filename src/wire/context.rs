//! The `payment` object of a request: the merchant's word about an order. Read strictly: a mistyped field is an error, not a silence.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::by_name::ByName;
use crate::ids::{IdempotencyKey, PaymentId};
use crate::money::{Currency, Money};
use crate::payment::context::{Item, Order, PaymentContext, RefundWish};
use crate::refusal::{Kind, Refusal};

/// Longest `idempotency_key`, order id and description, in characters.
const TEXT_CHARS_MAX: usize = 255;

/// Most items of one order.
const ITEMS_MAX: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a `payment` object")]
struct ContextFields<'a> {
    #[serde(default)]
    idempotency_key: Option<String>,
    #[serde(default)]
    order: Option<OrderFields>,
    #[serde(default)]
    refund: Option<RefundFields>,
    #[serde(default)]
    verified_2fa: bool,
    /// Who pays: for trade types that need an openid. Accepted so that one integration serves them all; nothing of it reaches a model.
    #[serde(default, borrow, rename = "payer")]
    _payer: Option<&'a RawValue>,
    /// Past orders, for "the same as Tuesday".
    #[serde(default, borrow, rename = "orders")]
    _orders: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a refund object")]
struct RefundFields {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    payment: Option<String>,
    #[serde(default)]
    amount: Option<AmountFields>,
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an order object")]
struct OrderFields {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    items: Vec<ItemFields>,
    #[serde(default)]
    amount: Option<AmountFields>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with description, quantity and unit_amount")]
struct ItemFields {
    description: String,
    #[serde(default = "one")]
    quantity: u32,
    unit_amount: i64,
}

fn one() -> u32 {
    1
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an amount object like {\"total\": 12900, \"currency\": \"CNY\"}")]
struct AmountFields {
    total: i64,
    #[serde(default)]
    currency: Option<String>,
}

/// Reads the `payment` object.
pub fn read(json: &[u8]) -> Result<PaymentContext, Refusal> {
    let mut text = serde_json::Deserializer::from_slice(json);
    let ByName(fields): ByName<ContextFields<'_>> = serde_path_to_error::deserialize(&mut text).map_err(|e| misread(&e))?;
    let key = fields.idempotency_key.map(|key| short("payment.idempotency_key", key)).transpose()?;
    Ok(PaymentContext {
        idempotency_key: key.map(IdempotencyKey::new),
        order: fields.order.map(order).transpose()?,
        refund: fields.refund.map(refund).transpose()?,
        verified_2fa: fields.verified_2fa,
    })
}

fn refund(fields: RefundFields) -> Result<RefundWish, Refusal> {
    Ok(RefundWish {
        id: fields.id.map(|id| short("payment.refund.id", id)).transpose()?.map(IdempotencyKey::new),
        payment: fields.payment.map(|id| short("payment.refund.payment", id)).transpose()?.map(PaymentId::new),
        amount: fields.amount.map(|fields| amount("payment.refund.amount", fields)).transpose()?,
        reason: fields.reason.map(|text| short("payment.refund.reason", text)).transpose()?,
    })
}

fn order(fields: OrderFields) -> Result<Order, Refusal> {
    if fields.items.len() > ITEMS_MAX {
        return Err(bad("payment.order.items", format!("more than {ITEMS_MAX} items")));
    }
    let items: Vec<Item> = fields.items.into_iter().map(item).collect::<Result<_, _>>()?;
    let amount = match fields.amount {
        Some(fields) => Some(amount("payment.order.amount", fields)?),
        None if items.is_empty() => None,
        None => Some(sum(&items)?),
    };
    Ok(Order {
        id: fields.id.map(|id| short("payment.order.id", id)).transpose()?,
        description: fields.description.map(|text| short("payment.order.description", text)).transpose()?,
        amount,
        items,
    })
}

/// What the items come to: the order's amount where the merchant states none.
fn sum(items: &[Item]) -> Result<Money, Refusal> {
    let lines = items.iter().map(|item| item.unit_amount.minor().checked_mul(i64::from(item.quantity)));
    let total = lines.into_iter().try_fold(0i64, |total, line| total.checked_add(line?));
    total.and_then(|total| Money::fen(total).ok()).ok_or_else(|| bad("payment.order.items", "their sum is more than can be charged"))
}

fn amount(param: &str, fields: AmountFields) -> Result<Money, Refusal> {
    let code = fields.currency.as_deref().unwrap_or("CNY");
    if Currency::from_code(code).is_none() {
        return Err(bad(&format!("{param}.currency"), format!("`{code}` cannot be charged here; WeChat Pay orders are in CNY")));
    }
    Money::fen(fields.total).map_err(|e| bad(&format!("{param}.total"), e.to_string()))
}

fn item(fields: ItemFields) -> Result<Item, Refusal> {
    let unit_amount = Money::fen(fields.unit_amount).map_err(|e| bad("payment.order.items.unit_amount", e.to_string()))?;
    if fields.quantity == 0 {
        return Err(bad("payment.order.items.quantity", "a quantity is at least 1"));
    }
    Ok(Item { description: short("payment.order.items.description", fields.description)?, quantity: fields.quantity, unit_amount })
}

fn short(param: &str, text: String) -> Result<String, Refusal> {
    let chars = text.chars().count();
    if chars == 0 || chars > TEXT_CHARS_MAX || text.chars().any(char::is_control) {
        return Err(bad(param, format!("1 to {TEXT_CHARS_MAX} characters and no control characters, please")));
    }
    Ok(text)
}

/// What serde found, with the field's path. Its positions count within the object and not within the body the caller sent: they are left out.
fn misread(error: &serde_path_to_error::Error<serde_json::Error>) -> Refusal {
    let path = error.path().to_string();
    let param = if path == "." { "payment".to_owned() } else { format!("payment.{path}") };
    let what = error.inner().to_string();
    bad(&param, what.split(" at line ").next().unwrap_or_default())
}

fn bad(param: &str, what: impl std::fmt::Display) -> Refusal {
    Refusal::new(Kind::BadRequest, "invalid_payment", format!("The `payment` object cannot be used: {param}: {what}.")).param(param)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_object_is_read() {
        let json = br#"{"idempotency_key":"cart-77","verified_2fa":false,
            "order":{"id":"SO-1001","description":"blue sneakers","items":[{"description":"blue sneakers","quantity":1,"unit_amount":12900}],"amount":{"total":12900,"currency":"CNY"}},
            "refund":{"id":"R-1","payment":"pay_0","amount":{"total":100},"reason":"too small"},
            "payer":{"id":"u-1","openid":"o1","default_method":"wechat_native","points":1200},
            "orders":[{"id":"SO-0990","placed":"2026-05-19","description":"spicy noodles","amount":{"total":2800,"currency":"CNY"},"state":"paid"}]}"#;
        let context = read(json).expect("reads");
        let order = context.order.expect("an order");
        assert_eq!(order.amount.map(Money::minor), Some(12_900));
        assert_eq!(order.title().as_deref(), Some("blue sneakers"));
        let refund = context.refund.expect("a refund");
        assert_eq!((refund.amount.map(Money::minor), refund.payment), (Some(100), Some(PaymentId::new("pay_0"))));
    }

    #[test]
    fn without_an_amount_the_items_make_it() {
        let item = |quantity: u32, unit_amount: i64| format!(r#"{{"description":"x","quantity":{quantity},"unit_amount":{unit_amount}}}"#);
        let total = |items: &[String], amount: &str| {
            let order = read(format!(r#"{{"order":{{"items":[{}]{amount}}}}}"#, items.join(",")).as_bytes())?.order;
            Ok::<_, Refusal>(order.and_then(|order| order.amount).map(Money::minor))
        };
        assert_eq!(total(&[item(2, 100), item(1, 50)], ""), Ok(Some(250)));
        assert_eq!(total(&[item(2, 100)], r#","amount":{"total":180}"#), Ok(Some(180)), "the merchant's own figure counts");
        assert_eq!(total(&[], ""), Ok(None));
        assert!(total(&[item(4_000_000_000, 1_000_000_000)], "").is_err() && total(&[item(2, 1_000_000_000)], "").is_err());
    }

    #[test]
    fn hostile_amounts_and_mistyped_fields_are_refused_with_their_path() {
        for (json, says) in [
            (r#"{"order":{"amount":{"total":0}}}"#, "amount.total"),
            (r#"{"order":{"amount":{"total":-1}}}"#, "amount.total"),
            (r#"{"order":{"amount":{"total":129.0}}}"#, "payment.order.amount.total: invalid type: floating point"),
            (r#"{"order":{"amount":{"total":1e3}}}"#, "payment"),
            (r#"{"order":{"amount":{"total":"100"}}}"#, "payment.order.amount.total"),
            (r#"[1]"#, "expected a JSON object"),
            (r#"{"order":5}"#, "payment.order: invalid type: integer `5`, expected an order object"),
            (r#"{"order":{"amount":{"total":99999999999999999999}}}"#, "payment"),
            (r#"{"order":{"amount":{"total":1,"total":2}}}"#, "duplicate"),
            (r#"{"order":{"amount":{"total":100,"currency":"USD"}}}"#, "currency"),
            (r#"{"refund":{"amount":{"total":0}}}"#, "refund.amount.total"),
            (r#"{"refund":{"to":"somebody else"}}"#, "to"),
            (r#"{"order":{"ammount":{"total":100}}}"#, "ammount"),
            (r#"{"order":{"items":[{"description":"x","quantity":0,"unit_amount":1}]}}"#, "quantity"),
            (r#"{"idempotency_key":""}"#, "idempotency_key"),
        ] {
            let refusal = read(json.as_bytes()).expect_err(json);
            assert_eq!(refusal.kind, Kind::BadRequest);
            assert!(refusal.message.contains(says), "{json}: {}", refusal.message);
        }
    }
}
