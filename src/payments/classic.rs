//! Classic: an order that needs no model, because the merchant's own data determines it and the user plainly asks to pay. What carries on when
//! inference is refused.

use super::ground;
use super::reader::{self, Named, Reading};
use crate::chat::call::PaymentPart;
use crate::chat::request::ToolChoice;
use crate::payment::context::PaymentContext;
use crate::payment::function::{Operation, PaymentFunction};
use crate::payment::terms::Terms;

/// The order a request determines by itself: the merchant states amount and title, and the user plainly asks to pay (or the merchant forces
/// the call by `tool_choice`) without naming another amount.
pub fn determined(context: &PaymentContext, functions: &[PaymentFunction], user_words: &[String], choice: &ToolChoice) -> Option<Terms> {
    let function = functions.iter().find(|function| function.operation == Operation::Pay)?;
    let order = context.order.as_ref()?;
    let (amount, title) = (order.amount?, order.title()?);
    let forced = matches!(choice, ToolChoice::Function(name) if *name == function.name);
    let last = user_words.last()?;
    let reading = reader::amounts(last);
    let same_amount = match reading {
        Reading::Nothing => true,
        Reading::One(fen) => fen == amount.minor(),
        Reading::Unclear => false,
    };
    let named = Named { title: &title, order_id: order.id.as_deref() };
    let asked = forced && !reader::declines(last) || reader::asks_to_pay(last, named, reading != Reading::Nothing);
    let plain = *choice != ToolChoice::None && same_amount && asked;
    plain.then_some(())?;
    Some(Terms { amount, description: ground::shown(&title)?, method: function.method })
}

/// Those terms with their source.
pub fn grounded(terms: Terms, part: &PaymentPart) -> ground::Grounded {
    ground::Grounded::of_order(terms, part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Money;
    use crate::payment::context::Order;
    use crate::payment::function::ArgumentPointers;
    use crate::payment::terms::Method;

    fn pay() -> Vec<PaymentFunction> {
        vec![PaymentFunction {
            name: "create_payment".to_owned(),
            operation: Operation::Pay,
            method: Method::WechatNative,
            amount_unit: crate::payment::function::AmountUnit::Fen,
            arguments: ArgumentPointers::default(),
            description: String::new(),
        }]
    }

    fn order(amount: Option<i64>) -> PaymentContext {
        let amount = amount.map(|fen| Money::fen(fen).expect("an amount"));
        PaymentContext {
            order: Some(Order { id: None, description: Some("blue sneakers".to_owned()), amount, items: Vec::new() }),
            ..PaymentContext::default()
        }
    }

    #[test]
    fn only_a_plain_request_for_a_priced_order_needs_no_model() {
        let is = |context: &PaymentContext, text: &str, choice: ToolChoice| determined(context, &pay(), &[text.to_owned()], &choice).is_some();
        assert!(is(&order(Some(12_900)), "pay for the blue sneakers", ToolChoice::Auto));
        assert!(is(&order(Some(12_900)), "付129元", ToolChoice::Auto));
        assert!(is(&order(Some(12_900)), "the usual", ToolChoice::Function("create_payment".to_owned())));
        assert!(!is(&order(Some(12_900)), "pay 1 yuan", ToolChoice::Auto));
        assert!(!is(&order(Some(12_900)), "pay 100 first", ToolChoice::Auto));
        assert!(!is(&order(Some(12_900)), "no, cancel it", ToolChoice::Function("create_payment".to_owned())));
        assert!(!is(&order(Some(12_900)), "pay if it is under 200 yuan", ToolChoice::Auto));
        assert!(!is(&order(Some(12_900)), "what colours are there", ToolChoice::Auto));
        assert!(!is(&order(Some(12_900)), "pay", ToolChoice::None));
        assert!(!is(&order(None), "pay for the blue sneakers", ToolChoice::Auto));
        assert!(!is(&PaymentContext::default(), "pay 5 yuan", ToolChoice::Auto));
    }
}
