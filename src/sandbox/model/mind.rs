//! What the model says: a function of what it was asked.

use serde_json::{Map, Value, json};

use super::asked::{Asked, Tool};
use super::words;

/// An answer: text, or calls, or both.
#[derive(Debug, Default)]
pub(super) struct Saying {
    pub(super) text: String,
    /// Name and arguments, the arguments as text.
    pub(super) calls: Vec<(String, String)>,
    pub(super) truncated: bool,
}

impl Saying {
    fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    fn call(name: &str, arguments: Value) -> Self {
        Self { calls: vec![(name.to_owned(), arguments.to_string())], ..Self::default() }
    }
}

/// The largest order `guardian` makes without asking back, in fen.
const GUARDIAN_FEN_MAX: i64 = 500_000;

/// Decides what to say.
pub(super) fn think(asked: &Asked) -> Saying {
    let directives = &asked.directives;
    if let Some(result) = asked.last_result() {
        if !directives.repeat {
            return Saying::text(about(&result, words::is_chinese(&asked.last_user_text())));
        }
    } else if let Some(text) = &directives.say {
        return Saying::text(text.clone());
    }
    if !directives.calls.is_empty() && (directives.repeat || !asked.after_result()) {
        return cut_if_asked(asked, Saying { calls: directives.calls.clone(), ..Saying::default() });
    }
    let text = asked.last_user_text();
    let saying = chosen(asked, &text).unwrap_or_else(|| Saying::text(chat(&text)));
    cut_if_asked(asked, saying)
}

fn cut_if_asked(asked: &Asked, mut saying: Saying) -> Saying {
    if asked.directives.truncate {
        saying.truncated = true;
        for (_, arguments) in &mut saying.calls {
            let half = arguments.chars().count() / 2;
            *arguments = arguments.chars().take(half).collect();
        }
    }
    saying
}

/// The tool to call, if any.
fn chosen(asked: &Asked, text: &str) -> Option<Saying> {
    if asked.tool_choice == "none" {
        return None;
    }
    let forced = asked.tool_choice["function"]["name"].as_str();
    let named = |word: &[&str]| asked.tools.iter().find(|tool| word.iter().any(|word| tool.name.to_lowercase().contains(word)));
    let query = named(&["query", "status", "get_payment", "check_payment"]);
    let (refund, close) = (named(&["refund"]), named(&["close", "cancel"]));
    let pay = asked.tools.iter().find(|tool| [query, refund, close].iter().flatten().all(|other| other.name != tool.name) && is_pay(&tool.name));
    if let Some(tool) = forced.and_then(|name| asked.tools.iter().find(|tool| tool.name == name)) {
        return Some(Saying::call(&tool.name, arguments(asked, tool, text)));
    }
    if let Some(tool) = query.filter(|_| words::asks_for_status(text)) {
        return Some(Saying::call(&tool.name, arguments(asked, tool, &conversation(asked))));
    }
    if let Some(tool) = refund.filter(|_| words::asks_for_refund(text)) {
        return Some(Saying::call(&tool.name, refund_arguments(asked, tool, text)));
    }
    if let Some(tool) = close.filter(|_| words::asks_to_cancel(text)) {
        return Some(Saying::call(&tool.name, arguments(asked, tool, &conversation(asked))));
    }
    if let Some(tool) = pay.filter(|_| words::asks_to_pay(text)) {
        return Some(pay_or_ask(asked, tool, text));
    }
    let lower = text.to_lowercase();
    let other = asked
        .tools
        .iter()
        .find(|tool| tool.name.split(['_', '-']).any(|word| word.len() > 3 && lower.contains(&word.to_lowercase())) && !is_pay(&tool.name));
    other.map(|tool| Saying::call(&tool.name, arguments(asked, tool, text)))
}

fn is_pay(name: &str) -> bool {
    let name = name.to_lowercase();
    ["pay", "order", "checkout", "purchase", "buy", "charge"].iter().any(|word| name.contains(word))
}

fn pay_or_ask(asked: &Asked, tool: &Tool, text: &str) -> Saying {
    let zh = words::is_chinese(text);
    let amount = amount_of(asked, text);
    match amount {
        None => Saying::text(if zh { "请告诉我确切的金额（元）。" } else { "What is the exact amount in yuan?" }),
        Some(fen) if asked.model == "guardian" && fen > GUARDIAN_FEN_MAX => Saying::text(if zh {
            "金额较大，请到商户页面确认。"
        } else {
            "That is a large amount; please confirm it with the merchant first."
        }),
        Some(_) => Saying::call(&tool.name, arguments(asked, tool, text)),
    }
}

fn amount_of(asked: &Asked, text: &str) -> Option<i64> {
    asked.order()["amount_fen"].as_i64().or_else(|| words::amount_fen(text))
}

/// The tool's arguments, filled by what its properties are called.
fn arguments(asked: &Asked, tool: &Tool, text: &str) -> Value {
    let order = asked.order();
    let mut filled = Map::new();
    for (name, schema) in &tool.properties {
        let lower = name.to_lowercase();
        let is = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        let value = if is(&["order_id", "order_no", "order_number"]) {
            order["id"].clone()
        } else if is(&["payment"]) {
            payment_in(text).map_or(Value::Null, Value::String)
        } else if is(&["fee", "amount", "total", "price"]) {
            amount_of(asked, text).map_or(Value::Null, |fen| amount(fen, schema))
        } else if is(&["body", "desc", "subject", "title", "product", "item", "name"]) {
            order["description"].as_str().map(str::to_owned).or_else(|| words::object_of(text)).map_or(Value::Null, Value::String)
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
fn refund_arguments(asked: &Asked, tool: &Tool, text: &str) -> Value {
    let mut filled = Map::new();
    for (name, schema) in &tool.properties {
        let lower = name.to_lowercase();
        let value = if lower.contains("reason") {
            words::reason_of(text).map(Value::String)
        } else if lower.contains("payment") {
            payment_in(&conversation(asked)).map(Value::String)
        } else if ["fee", "amount", "total"].iter().any(|word| lower.contains(word)) {
            words::amount_fen(text).map(|fen| amount(fen, schema))
        } else {
            None
        };
        filled.extend(value.map(|value| (name.clone(), value)));
    }
    Value::Object(filled)
}

/// An amount in the unit a property asks for: fen, unless it says yuan.
fn amount(fen: i64, schema: &Value) -> Value {
    let says_yuan = schema["description"].as_str().is_some_and(|text| text.to_lowercase().contains("in yuan"));
    let yuan = format!("{}.{:02}", fen / 100, fen % 100);
    match schema["type"].as_str() {
        Some("string") => json!(if says_yuan { yuan } else { fen.to_string() }),
        Some("number") if says_yuan => serde_json::from_str(&yuan).unwrap_or_default(),
        _ => json!(fen),
    }
}

fn conversation(asked: &Asked) -> String {
    asked.messages.iter().map(|message| super::asked::text_of(&message["content"])).collect::<Vec<_>>().join("\n")
}

/// The last payment named in a text.
fn payment_in(text: &str) -> Option<String> {
    let at = text.rfind("pay_")?;
    let id: String = text.get(at..)?.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    Some(id).filter(|id| id.len() > 10)
}

/// What is said of a tool's result.
fn about(result: &Value, zh: bool) -> String {
    let text = |name: &str| result[name].as_str().unwrap_or_default().to_owned();
    if result["status"] == "rejected" {
        let why = text("message");
        if text("reason").starts_with("refund_") {
            return if zh { format!("没有退款：{why}") } else { format!("Nothing was refunded: {why}") };
        }
        return if zh { format!("没有付款：{why}") } else { format!("Nothing was paid: {why}") };
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

fn chat(text: &str) -> String {
    let topic: String = text.chars().take(60).collect();
    if words::is_chinese(text) {
        format!("你好，我可以帮你用微信支付下单。你说的是：{topic}")
    } else {
        format!("Hello! I can help you pay with WeChat. You said: {topic}")
    }
}
