//! A whole chat completion and an error of a provider: read leniently, because only their outlines are ours to judge.

use std::borrow::Cow;

use bytes::Bytes;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::members::Members;
use crate::chat::reply::{ToolCall, WholeBody, WholeReply};
use crate::chat::usage::{TOKENS_MAX, Usage};
use crate::refusal::{Kind, Refusal};

#[derive(Deserialize)]
struct ReplyFields<'a> {
    #[serde(default, borrow)]
    choices: Option<Vec<ChoiceFields<'a>>>,
    #[serde(default, borrow)]
    usage: Option<&'a RawValue>,
    #[serde(default, borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ChoiceFields<'a> {
    #[serde(borrow)]
    message: &'a RawValue,
    #[serde(default, borrow)]
    finish_reason: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct MessageFields {
    #[serde(default)]
    tool_calls: Option<Vec<CallFields>>,
}

#[derive(Deserialize)]
struct CallFields {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    function: Option<FunctionFields>,
}

#[derive(Deserialize)]
struct FunctionFields {
    name: String,
    #[serde(default)]
    arguments: Option<String>,
}

/// Reads a provider's whole answer. HTML, an `error` under status 200, an answer without a choice: all are no answer. `closely` also refuses a
/// second choice, which could hide a payment call.
pub fn read_reply(bytes: Bytes, headers: HeaderMap, closely: bool) -> Result<WholeReply, Refusal> {
    let text = std::str::from_utf8(&bytes).map_err(|_| invalid("the answer is not UTF-8"))?;
    let fields: ReplyFields<'_> =
        serde_json::from_str(text).map_err(|e| invalid(format!("the answer is not a chat completion: {}", position(&e))))?;
    if fields.error.is_some_and(|error| error.get() != "null") {
        return Err(invalid("status 200 with an `error` inside"));
    }
    let Some(choice) = fields.choices.as_deref().and_then(<[_]>::first) else {
        return Err(invalid("an answer without choices"));
    };
    if closely && fields.choices.as_ref().is_some_and(|choices| choices.len() > 1) {
        return Err(invalid("several answers where one was asked for"));
    }
    let message: MessageFields =
        serde_json::from_str(choice.message.get()).map_err(|e| invalid(format!("the answer's message: {}", position(&e))))?;
    let calls = message.tool_calls.unwrap_or_default().into_iter().filter_map(|call| {
        let function = call.function?;
        Some(ToolCall { id: call.id.unwrap_or_default(), name: function.name, arguments: function.arguments.unwrap_or_default() })
    });
    Ok(WholeReply {
        headers,
        calls: calls.collect(),
        finish: choice.finish_reason.as_deref().map(str::to_owned),
        usage: fields.usage.and_then(|raw| read_usage(raw.get())),
        payments: Vec::new(),
        turns_before: 0,
        withheld: Vec::new(),
        body: WholeBody::AsCame { message: bytes.slice_ref(choice.message.get().as_bytes()), bytes: bytes.clone() },
    })
}

fn invalid(detail: impl Into<Box<str>>) -> Refusal {
    Refusal::new(Kind::ProviderInvalid, "upstream_invalid", "The model provider answered with something that is not a chat completion.")
        .detail(detail)
}

/// Where an answer stops being JSON, without any of its text: that belongs to the user.
fn position(error: &serde_json::Error) -> String {
    format!("{:?} error at line {}, column {}", error.classify(), error.line(), error.column())
}

/// Reads a usage object. A count that is negative or beyond belief counts as the nearest that is believed, and the report is marked; one that is
/// no whole number makes the whole report unusable. A count that is missing is zero.
pub(super) fn read_usage(json: &str) -> Option<Usage> {
    #[derive(Deserialize)]
    struct Fields<'a> {
        #[serde(default, borrow)]
        prompt_tokens: Option<&'a RawValue>,
        #[serde(default, borrow)]
        completion_tokens: Option<&'a RawValue>,
    }
    let fields: Fields<'_> = serde_json::from_str(json).ok()?;
    let count = |raw: Option<&RawValue>| raw.map_or(Some((0, false)), |raw| believed(raw.get()));
    let ((prompt_tokens, odd_prompt), (completion_tokens, odd_completion)) = (count(fields.prompt_tokens)?, count(fields.completion_tokens)?);
    Some(Usage { prompt_tokens, completion_tokens, implausible: odd_prompt || odd_completion })
}

/// A count of tokens as far as it is believed, and whether it had to be bounded; `None` for what is no whole number.
fn believed(json: &str) -> Option<(u64, bool)> {
    let (negative, digits) = json.strip_prefix('-').map_or((false, json), |digits| (true, digits));
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Digits alone fail to parse only where there are too many of them.
    let count = digits.parse().unwrap_or(u64::MAX);
    Some(if negative { (0, count > 0) } else { (count.min(TOKENS_MAX), count > TOKENS_MAX) })
}

/// The assistant's message with the calls of `kept` only: what a client sees of a turn whose payment calls are put off.
pub fn message_of(message: &str, withheld: &[usize]) -> serde_json::Result<String> {
    let mut members = Members::read(message)?;
    let calls: Vec<&RawValue> = members.get("tool_calls").map_or(Ok(Vec::new()), serde_json::from_str)?;
    let kept: Vec<&str> = calls.iter().enumerate().filter(|(n, _)| !withheld.contains(n)).map(|(_, call)| call.get()).collect();
    let kept = format!("[{}]", kept.join(","));
    members.set("tool_calls", kept);
    Ok(members.write())
}

/// A provider's answer as the client gets it: the bytes that came, or with the members fengate has something to say about.
/// `payments` is the JSON text of the `payments` array.
pub fn finished(reply: &WholeReply, bytes: &Bytes, message: &Bytes, payments: Option<&str>) -> Result<Bytes, Refusal> {
    if payments.is_none() && reply.turns_before == 0 && reply.withheld.is_empty() {
        return Ok(bytes.clone());
    }
    let lost = |e: serde_json::Error| Refusal::internal(format!("answer lost its JSON: {}", position(&e)));
    let text = String::from_utf8_lossy(bytes);
    let mut members = Members::read(&text).map_err(lost)?;
    if let Some(payments) = payments {
        members.set("payments", payments);
    }
    if reply.turns_before > 0
        && let Some(usage) = reply.usage
    {
        members.set("usage", super::author::usage_json(usage));
    }
    if !reply.withheld.is_empty() {
        let message = message_of(&String::from_utf8_lossy(message), &reply.withheld).map_err(lost)?;
        let choices = members.get("choices").unwrap_or("[]").to_owned();
        let mut choices: Vec<Members<'_>> = serde_json::from_str(&choices).map_err(lost)?;
        if let Some(first) = choices.first_mut() {
            first.set("message", message);
        }
        let choices = format!("[{}]", choices.iter().map(Members::write).collect::<Vec<_>>().join(","));
        members.set("choices", choices);
    }
    Ok(Bytes::from(members.write()))
}

/// A provider's error, in OpenAI's words.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ErrorBody {
    /// For the caller, where the fault is the caller's.
    pub message: Option<String>,
    /// OpenAI's `code`, a word clients look at (`context_length_exceeded`).
    pub code: Option<String>,
    /// The field at fault.
    pub param: Option<String>,
}

/// Reads a provider's error body; whatever is not there is `None`.
pub fn read_error(bytes: &[u8]) -> ErrorBody {
    let value: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
    let text = |key: &str| value.pointer(&format!("/error/{key}")).and_then(serde_json::Value::as_str).map(str::to_owned);
    ErrorBody { message: text("message"), code: text("code"), param: text("param") }
}

/// The model an answer or a chunk says it comes from, as its provider names it.
pub fn model_of(json: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Fields {
        model: String,
    }
    serde_json::from_slice::<Fields>(json).ok().map(|fields| fields.model.chars().take(128).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_tokens_are_bounded_marked_and_never_wrong_sums() {
        let read = |count: &str| read_usage(&format!(r#"{{"prompt_tokens":{count},"completion_tokens":7}}"#));
        for (count, tokens, implausible) in [
            ("5", 5, false),
            ("null", 0, false),
            ("-0", 0, false),
            ("-1", 0, true),
            ("-99999999999999999999999", 0, true),
            ("100000000", TOKENS_MAX, false),
            ("100000001", TOKENS_MAX, true),
            ("18446744073709551615", TOKENS_MAX, true),
            ("99999999999999999999999", TOKENS_MAX, true),
        ] {
            assert_eq!(read(count), Some(Usage { prompt_tokens: tokens, completion_tokens: 7, implausible }), "{count}");
        }
        for unusable in ["1.5", "1e3", "\"5\"", "[5]", "true"] {
            assert_eq!(read(unusable), None, "{unusable}");
        }
        assert_eq!(read_usage("{}"), Some(Usage::default()));
    }
}
