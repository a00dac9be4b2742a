//! A chat-completions request: read for the few fields we act on; written as the bytes that came, or with just the changed members.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::by_name::ByName;
use super::super::depth::{DEPTH_MAX, is_too_deep};
use super::super::members::{Members, quoted};
use crate::chat::request::{Added, ChatRequest, OfferedFunction, ToolChoice, Turn};
use crate::refusal::{Kind, Refusal};

/// A request as read, with the parts whose meaning others decide.
#[derive(Debug)]
pub struct ReadRequest {
    /// The request itself.
    pub request: ChatRequest,
    /// The `payment` object, as JSON text.
    pub payment: Option<Bytes>,
    /// The `messages` array, as JSON text.
    pub messages: Bytes,
}

/// The fields fengate acts on. A duplicate of one of these is refused, so that no two parsers can differ about it.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    model: Cow<'a, str>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default, borrow)]
    stream_options: Option<&'a RawValue>,
    #[serde(borrow)]
    messages: &'a RawValue,
    #[serde(default, borrow)]
    tools: Option<&'a RawValue>,
    #[serde(default, borrow)]
    tool_choice: Option<&'a RawValue>,
    #[serde(default)]
    n: Option<u32>,
    #[serde(default, borrow)]
    payment: Option<&'a RawValue>,
}

/// Reads a request body: a clear 400 with the position where it is not one. `headers` are those a provider may see.
pub fn read_request(body: Bytes, headers: HeaderMap) -> Result<ReadRequest, Refusal> {
    let text = std::str::from_utf8(&body).map_err(|e| {
        bad(format!("The request body is not valid UTF-8: the first {} bytes are, the next is not. Send JSON in UTF-8.", e.valid_up_to()))
    })?;
    if is_too_deep(&body) {
        return Err(bad(format!("The request body nests deeper than {DEPTH_MAX} levels.")));
    }
    let ByName(fields): ByName<Fields<'_>> = serde_json::from_str(text).map_err(|e| bad(explained(&e)))?;
    if !fields.messages.get().starts_with('[') {
        return Err(bad("`messages` must be an array of messages.".to_owned()).param("messages"));
    }
    let slice = |raw: &RawValue| body.slice_ref(raw.get().as_bytes());
    let present = |raw: &&RawValue| raw.get() != "null";
    let payment = fields.payment.filter(present).map(slice);
    let request = ChatRequest {
        headers: Arc::new(headers),
        model: fields.model.into_owned(),
        stream: fields.stream.unwrap_or(false),
        usage_asked: fields.stream_options.is_some_and(|raw| includes_usage(raw.get())),
        tools: fields.tools.map(|raw| tool_names(raw.get())).unwrap_or_default(),
        tool_choice: fields.tool_choice.map_or(ToolChoice::Auto, |raw| read_tool_choice(raw.get())),
        choices: fields.n.unwrap_or(1),
        added: Added { strip_payment: fields.payment.is_some(), ..Added::default() },
        body: body.clone(),
    };
    let messages = slice(fields.messages);
    Ok(ReadRequest { request, payment, messages })
}

fn bad(message: String) -> Refusal {
    Refusal::new(Kind::BadRequest, "invalid_json", message)
}

/// What serde_json found, as a sentence with the position.
fn explained(error: &serde_json::Error) -> String {
    let what = error.to_string();
    let what = what.split(" at line ").next().unwrap_or_default();
    match error.classify() {
        serde_json::error::Category::Data => {
            format!("The request body is not a chat completion request: {what} (line {}, column {}).", error.line(), error.column())
        }
        _ => format!("The request body is not valid JSON: {what} at line {}, column {}.", error.line(), error.column()),
    }
}

fn includes_usage(json: &str) -> bool {
    #[derive(Deserialize)]
    struct Options {
        #[serde(default)]
        include_usage: Option<bool>,
    }
    serde_json::from_str::<Options>(json).is_ok_and(|options| options.include_usage == Some(true))
}

/// Names of declared functions; tools of other kinds have none and pass through.
fn tool_names(json: &str) -> Vec<String> {
    let tools: Vec<serde_json::Value> = serde_json::from_str(json).unwrap_or_default();
    tools.iter().filter_map(|tool| tool.pointer("/function/name")?.as_str().map(str::to_owned)).collect()
}

fn read_tool_choice(json: &str) -> ToolChoice {
    match serde_json::from_str::<serde_json::Value>(json).unwrap_or_default() {
        serde_json::Value::String(word) if word == "none" => ToolChoice::None,
        serde_json::Value::String(word) if word == "required" => ToolChoice::Required,
        value => match value.pointer("/function/name").and_then(serde_json::Value::as_str) {
            Some(name) => ToolChoice::Function(name.to_owned()),
            None => ToolChoice::Auto,
        },
    }
}

/// The canonical form of a request: members sorted, no blanks. Equal for a request that is sent again, however it is laid out, and whether or not
/// it is to be streamed this time: how an answer travels does not make it another payment.
pub fn canonical(body: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut value: serde_json::Value = serde_json::from_slice(body).map_err(|e| bad(explained(&e)))?;
    if let Some(members) = value.as_object_mut() {
        members.retain(|name, value| match name.as_str() {
            "stream" | "stream_options" => false,
            "payment" => !value.is_null(),
            _ => true,
        });
    }
    Ok(value.to_string().into_bytes())
}

/// The request for a provider: the bytes that came if nothing has to change; otherwise the same members with the changed ones
/// in their places. `model` is the provider's name of the model.
pub fn write_request(request: &ChatRequest, model: &str) -> Result<Bytes, Refusal> {
    let ask_usage = request.stream && !request.usage_asked;
    if model == request.model && !ask_usage && request.added.is_empty() {
        return Ok(request.body.clone());
    }
    let text = std::str::from_utf8(&request.body).map_err(|e| Refusal::internal(format!("request lost its UTF-8: {e}")))?;
    let mut members = Members::read(text).map_err(|e| Refusal::internal(format!("request lost its JSON: {e}")))?;
    if model != request.model {
        members.set("model", quoted(model));
    }
    if ask_usage {
        let asked = with_usage(members.get("stream_options"));
        members.set("stream_options", asked);
    }
    if request.added.strip_payment {
        members.remove("payment");
    }
    write_added(&mut members, request);
    Ok(Bytes::from(members.write()))
}

fn with_usage(options: Option<&str>) -> String {
    match options.map(Members::read) {
        Some(Ok(mut options)) => {
            options.set("include_usage", "true");
            options.write()
        }
        _ => r#"{"include_usage":true}"#.to_owned(),
    }
}

fn write_added(members: &mut Members<'_>, request: &ChatRequest) {
    let added = &request.added;
    if added.facts.is_some() || !added.turns.is_empty() {
        let messages = with_messages(members.get("messages").unwrap_or("[]"), added);
        members.set("messages", messages);
    }
    if !added.functions.is_empty() {
        let tools = extended(members.get("tools").unwrap_or("[]"), None, added.functions.iter().map(function_json));
        members.set("tools", tools);
    }
    if !added.turns.is_empty() && matches!(request.tool_choice, ToolChoice::Required | ToolChoice::Function(_)) {
        // The forced call has been made; forcing it again would never come to an answer.
        members.set("tool_choice", r#""auto""#);
    }
}

fn with_messages(messages: &str, added: &Added) -> String {
    let facts = added.facts.as_ref().map(|facts| format!(r#"{{"role":"system","content":{}}}"#, quoted(facts)));
    extended(messages, facts, added.turns.iter().flat_map(turn_json))
}

/// A JSON array with `first` put before and `more` after what it holds; what it holds stays verbatim.
fn extended(array: &str, first: Option<String>, more: impl Iterator<Item = String>) -> String {
    let inner = array.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or_default();
    let parts = first.into_iter().chain((!inner.trim().is_empty()).then(|| inner.to_owned())).chain(more);
    format!("[{}]", parts.collect::<Vec<_>>().join(","))
}

fn function_json(function: &OfferedFunction) -> String {
    format!(
        r#"{{"type":"function","function":{{"name":{},"description":{},"parameters":{}}}}}"#,
        quoted(&function.name),
        quoted(&function.description),
        function.parameters
    )
}

/// The messages of one turn: what the model said, then one tool message for each of its calls.
fn turn_json(turn: &Turn) -> Vec<String> {
    let said = match &turn.raw_message {
        Some(raw) => String::from_utf8_lossy(raw).into_owned(),
        None => {
            let calls: Vec<String> = turn
                .calls
                .iter()
                .map(|call| {
                    format!(
                        r#"{{"id":{},"type":"function","function":{{"name":{},"arguments":{}}}}}"#,
                        quoted(&call.id),
                        quoted(&call.name),
                        quoted(&call.arguments)
                    )
                })
                .collect();
            let text = if turn.text.is_empty() { "null".to_owned() } else { quoted(&turn.text) };
            format!(r#"{{"role":"assistant","content":{text},"tool_calls":[{}]}}"#, calls.join(","))
        }
    };
    let results = turn.calls.iter().zip(&turn.results);
    let told = results.map(|(call, result)| format!(r#"{{"role":"tool","tool_call_id":{},"content":{}}}"#, quoted(&call.id), quoted(result)));
    std::iter::once(said).chain(told).collect()
}
