//! What the model says: a function of what it was asked.

use serde_json::Value;

use super::asked::{Asked, Tool, text_of};
use super::fill::{amount_of, arguments, conversation, refund_arguments};
use super::tell::about;
use super::{reading, words};

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

/// The question for the amount, in Chinese and in English.
const WHICH_AMOUNT: (&str, &str) = ("请告诉我确切的金额，例如“30元”。", "What is the exact amount? Say it with its unit, like \"30 yuan\".");

/// Decides what to say.
pub(super) fn think(asked: &Asked) -> Saying {
    let directives = &asked.directives;
    if let Some(result) = asked.last_result() {
        if !directives.repeat {
            return Saying::text(about(&asked.last_tool(), &result, words::is_chinese(&asked.last_user_text())));
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
    if let Some(tool) = pay.filter(|_| words::asks_to_pay(text) || answers_the_question(asked, text)) {
        return Some(pay_or_ask(asked, tool, text));
    }
    let lower = text.to_lowercase();
    let other = asked
        .tools
        .iter()
        .find(|tool| tool.name.split(['_', '-']).any(|word| word.len() > 3 && lower.contains(&word.to_lowercase())) && !is_pay(&tool.name));
    other.map(|tool| Saying::call(&tool.name, arguments(asked, tool, text)))
}

/// Whether the user answers our question for the amount.
fn answers_the_question(asked: &Asked, text: &str) -> bool {
    let asked_before = asked.messages.iter().rev().find(|message| message["role"] == "assistant").map(|message| text_of(&message["content"]));
    asked_before.is_some_and(|said| said.contains(WHICH_AMOUNT.0) || said.contains(WHICH_AMOUNT.1)) && reading::amount_fen(text).is_some()
}

fn is_pay(name: &str) -> bool {
    let name = name.to_lowercase();
    ["pay", "order", "checkout", "purchase", "buy", "charge"].iter().any(|word| name.contains(word))
}

fn pay_or_ask(asked: &Asked, tool: &Tool, text: &str) -> Saying {
    let zh = words::is_chinese(text);
    let amount = amount_of(asked, text);
    match amount {
        None => Saying::text(if zh { WHICH_AMOUNT.0 } else { WHICH_AMOUNT.1 }),
        Some(fen) if asked.model == "guardian" && fen > GUARDIAN_FEN_MAX => Saying::text(if zh {
            "金额较大，请到商户页面确认。"
        } else {
            "That is a large amount; please confirm it with the merchant first."
        }),
        Some(_) => Saying::call(&tool.name, arguments(asked, tool, text)),
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
