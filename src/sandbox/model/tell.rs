//! Tells a user what came of a call, in the user's language.

use serde_json::Value;

/// What is said of a tool's result.
pub(super) fn about(tool: &str, result: &Value, zh: bool) -> String {
    let text = |name: &str| result[name].as_str().unwrap_or_default().to_owned();
    if result["status"] == "rejected" {
        return rejected(tool, &text("reason"), &text("message"), zh);
    }
    if result["payment"].is_string() {
        let (amount, page, what) = (text("amount"), text("page"), text("description"));
        if result["refund"].is_object() {
            return about_refund(&result["refund"], &what, zh);
        }
        return match (result["state"].as_str(), zh) {
            (Some("paid"), true) => format!("已支付：{what}，{amount}。"),
            (Some("paid"), false) => format!("It is paid: {what}, {amount}."),
            (Some("awaiting_user"), true) => format!("“{what}”的订单已创建，金额 {amount}。请扫码支付：{page}"),
            (Some("awaiting_user"), false) => format!("Your order for {what} is ready, {amount}. Scan to pay: {page}"),
            (Some("closed"), true) => format!("“{what}”的订单已关闭，没有付款。"),
            (Some("closed"), false) => format!("The order for {what} is closed; nothing was paid."),
            (state, true) => format!("订单状态：{}。详情：{page}", state.unwrap_or("unknown")),
            (state, false) => format!("The order stands at {}: {page}", state.unwrap_or("unknown")),
        };
    }
    if zh { format!("结果是：{result}") } else { format!("Here is what I found: {result}") }
}

fn about_refund(refund: &Value, what: &str, zh: bool) -> String {
    let (amount, state, message) = (&refund["amount"], refund["state"].as_str().unwrap_or_default(), refund["message"].as_str().unwrap_or_default());
    let amount = amount.as_str().unwrap_or_default();
    match (state, zh) {
        ("refunded", true) => format!("“{what}”已退款 {amount}，原路退回。"),
        ("refunded", false) => format!("{amount} for {what} was refunded to where it came from."),
        ("processing", true) => format!("“{what}”的退款 {amount} 正在处理，将原路退回。"),
        ("processing", false) => format!("The refund of {amount} for {what} is under way."),
        (_, true) => format!("“{what}”的退款 {amount}：{message}"),
        (_, false) => format!("The refund of {amount} for {what}: {message}."),
    }
}

/// What a shopper is told of a refused call: not what the model was told.
fn rejected(tool: &str, reason: &str, message: &str, zh: bool) -> String {
    if ["refund", "undo"].iter().any(|word| tool.contains(word)) || reason.starts_with("refund_") {
        return if zh { format!("没有退款：{message}") } else { format!("Nothing was refunded: {message}") };
    }
    if ["close", "cancel"].iter().any(|word| tool.contains(word)) {
        return if zh { format!("没有取消：{message}") } else { format!("Nothing was cancelled: {message}") };
    }
    if ["query", "status"].iter().any(|word| tool.contains(word)) {
        return message.to_owned();
    }
    let (zh_text, en) = match reason {
        "amount_missing" | "amount_not_grounded" | "amount_unclear" => {
            ("没有付款：请说明确切的金额，例如“30元”。", "Nothing was paid: please say the exact amount with its unit, like \"30 yuan\".")
        }
        "amount_mismatch" | "amount_invalid" => {
            ("没有付款：金额不一致，请确认金额。", "Nothing was paid: the amounts do not agree. Which one is right?")
        }
        "description_missing" => ("没有付款：请说明要买什么。", "Nothing was paid: please say what you are buying."),
        "user_declined" => ("没有付款。需要时请告诉我。", "Nothing was paid. Tell me when you want to pay."),
        _ => return if zh { format!("没有付款：{message}") } else { format!("Nothing was paid: {message}") },
    };
    (if zh { zh_text } else { en }).to_owned()
}
