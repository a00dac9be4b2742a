//! Interpret: a model's call becomes a proposal, or an error that goes back to the model. Arguments are never repaired.

use crate::chat::reply::ToolCall;
use crate::money::fen_of_yuan;
use crate::payment::function::{AmountUnit, PaymentFunction};
use crate::wire::members::at_pointer;

/// Longest arguments that are read, in bytes.
const ARGUMENTS_BYTES_MAX: usize = 16 * 1024;

/// What a model proposes. No payee, credential, URL or key: no function has a place for one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proposal {
    /// The amount the model names, in fen: a claim, not yet anybody's word.
    pub amount_fen: Option<i64>,
    /// What the model says is bought.
    pub description: Option<String>,
    /// The order the model means.
    pub order_id: Option<String>,
}

/// Why a call is refused back to the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRefusal {
    /// A word for metrics and for the model; from a fixed set.
    pub reason: &'static str,
    /// What is wrong and what would be right, for the model.
    pub message: String,
}

impl CallRefusal {
    /// A refusal.
    pub fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// Reads a call of a `pay` function.
pub fn proposal(call: &ToolCall, function: &PaymentFunction) -> Result<Proposal, CallRefusal> {
    let amount = argument(call, function.arguments.amount.as_deref())?;
    Ok(Proposal {
        amount_fen: amount.map(|value| amount_fen(&value, function.amount_unit)).transpose()?,
        description: text_argument(call, function.arguments.description.as_deref())?,
        order_id: text_argument(call, function.arguments.order_id.as_deref())?,
    })
}

/// What a model proposes to give back. No payee: money goes to where it came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefundProposal {
    /// The payment the model means.
    pub payment: Option<String>,
    /// The amount the model names, in fen: a claim, not yet anybody's word. Without one, all that is left.
    pub amount_fen: Option<i64>,
    /// Why, for the payer.
    pub reason: Option<String>,
}

/// Reads a call of a `refund` function.
pub fn refund_proposal(call: &ToolCall, function: &PaymentFunction) -> Result<RefundProposal, CallRefusal> {
    let amount = argument(call, function.arguments.amount.as_deref())?;
    Ok(RefundProposal {
        payment: text_argument(call, function.arguments.payment.as_deref())?,
        amount_fen: amount.map(|value| amount_fen(&value, function.amount_unit)).transpose()?,
        reason: text_argument(call, function.arguments.reason.as_deref())?,
    })
}

/// Reads a call of a `query` or `close` function: which payment is meant, if the model says.
pub fn named_payment(call: &ToolCall, function: &PaymentFunction) -> Result<Option<String>, CallRefusal> {
    text_argument(call, function.arguments.payment.as_deref())
}

/// The JSON text at `pointer`. The arguments as a whole must be one JSON object, whether or not this one is there.
fn argument(call: &ToolCall, pointer: Option<&str>) -> Result<Option<String>, CallRefusal> {
    if call.arguments.len() > ARGUMENTS_BYTES_MAX {
        return Err(CallRefusal::new("arguments_too_long", format!("the arguments are longer than {ARGUMENTS_BYTES_MAX} bytes")));
    }
    let found = at_pointer(&call.arguments, pointer.unwrap_or("/-"))
        .map_err(|unclear| CallRefusal::new("arguments_invalid", format!("the arguments cannot be used: {unclear}")))?;
    Ok(found.filter(|_| pointer.is_some()))
}

fn text_argument(call: &ToolCall, pointer: Option<&str>) -> Result<Option<String>, CallRefusal> {
    let Some(value) = argument(call, pointer)? else { return Ok(None) };
    let text: String =
        serde_json::from_str(&value).map_err(|_| CallRefusal::new("arguments_invalid", format!("{} must be text", pointer.unwrap_or_default())))?;
    Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
}

/// An amount as the model wrote it: a JSON number or a text of digits, exactly in the function's unit.
fn amount_fen(value: &str, unit: AmountUnit) -> Result<i64, CallRefusal> {
    let digits = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
    let whole = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let (fen, wanted) = match unit {
        AmountUnit::Fen => (digits.parse().ok().filter(|_| whole), "a whole number of fen"),
        AmountUnit::Yuan => (fen_of_yuan(digits), "a number of yuan with at most two decimals"),
    };
    fen.ok_or_else(|| CallRefusal::new("amount_invalid", format!("the amount must be {wanted}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payment::function::{ArgumentPointers, Operation};
    use crate::payment::terms::Method;

    fn function(unit: AmountUnit) -> PaymentFunction {
        PaymentFunction {
            name: "create_payment".to_owned(),
            operation: Operation::Pay,
            method: Method::WechatNative,
            amount_unit: unit,
            arguments: ArgumentPointers {
                amount: Some("/total_fee".to_owned()),
                description: Some("/body".to_owned()),
                ..ArgumentPointers::default()
            },
            description: String::new(),
        }
    }

    fn read(arguments: &str, unit: AmountUnit) -> Result<Proposal, &'static str> {
        let call = ToolCall { id: "call_1".to_owned(), name: "create_payment".to_owned(), arguments: arguments.to_owned() };
        proposal(&call, &function(unit)).map_err(|refusal| refusal.reason)
    }

    #[test]
    fn amounts_are_exact_or_refused() {
        for (text, fen) in [("12900", 12_900), ("\"12900\"", 12_900)] {
            assert_eq!(read(&format!(r#"{{"total_fee":{text}}}"#), AmountUnit::Fen).map(|p| p.amount_fen), Ok(Some(fen)));
        }
        for (text, fen) in [("129", 12_900), ("12.5", 1_250), ("\"0.01\"", 1)] {
            assert_eq!(read(&format!(r#"{{"total_fee":{text}}}"#), AmountUnit::Yuan).map(|p| p.amount_fen), Ok(Some(fen)));
        }
        for bad in ["1e3", "-0", "-5", "12.0", "\"９９\"", "\"12 900\"", "true", "[1]", "{}", "\"\"", "99999999999999999999"] {
            assert_eq!(read(&format!(r#"{{"total_fee":{bad}}}"#), AmountUnit::Fen), Err("amount_invalid"), "{bad}");
        }
        assert_eq!(read(r#"{"total_fee":12.345}"#, AmountUnit::Yuan), Err("amount_invalid"));
    }

    #[test]
    fn broken_arguments_are_never_repaired() {
        for bad in ["", "{", r#"{"total_fee":1"#, "null", "[]", "{}{}", r#"{"total_fee":NaN}"#] {
            assert_eq!(read(bad, AmountUnit::Fen), Err("arguments_invalid"), "{bad}");
        }
        assert_eq!(read(r#"{"total_fee":1,"total_fee":2}"#, AmountUnit::Fen), Err("arguments_invalid"));
        assert_eq!(read(&format!(r#"{{"x":"{}"}}"#, "a".repeat(20_000)), AmountUnit::Fen), Err("arguments_too_long"));
    }

    #[test]
    fn absent_and_null_are_absent() {
        assert_eq!(read("{}", AmountUnit::Fen), Ok(Proposal::default()));
        assert_eq!(read(r#"{"total_fee":null,"body":"  "}"#, AmountUnit::Fen), Ok(Proposal::default()));
    }
}
