//! What fengate itself says in OpenAI's dialect: answers composed from ledger facts, and the list of models.

use async_openai::types::models::{ListModelResponse, Model};
use bytes::Bytes;
use serde_json::json;

use super::super::members::quoted;
use crate::chat::reply::ToolCallDelta;
use crate::chat::usage::Usage;
use crate::refusal::Refusal;

/// The outlines of an answer fengate composes.
#[derive(Clone, Debug)]
pub struct Authored {
    /// `chatcmpl-…`; the same on every chunk.
    pub id: String,
    /// Seconds since 1970.
    pub created: i64,
    /// The model the client asked for.
    pub model: String,
}

/// A whole chat completion with `text`. `payments` is the JSON text of the `payments` array.
pub fn completion(of: &Authored, text: &str, usage: Usage, payments: &str) -> Bytes {
    Bytes::from(format!(
        r#"{{"id":{},"object":"chat.completion","created":{},"model":{},"choices":[{{"index":0,"message":{{"role":"assistant","content":{},"refusal":null}},"logprobs":null,"finish_reason":"stop"}}],"usage":{},"payments":{payments}}}"#,
        quoted(&of.id),
        of.created,
        quoted(&of.model),
        quoted(text),
        usage_json(usage),
    ))
}

/// What a chunk fengate composes carries.
pub enum Piece<'a> {
    /// The first: who speaks.
    Role,
    /// Text.
    Text(&'a str),
    /// A tool call of the model, or a piece of one.
    Call(&'a ToolCallDelta),
    /// The end, and why.
    Finish(&'a str),
}

/// The JSON of one chunk; where it continues a provider's stream, `of` holds that stream's id.
pub fn chunk_json(of: &Authored, piece: &Piece<'_>) -> String {
    let (delta, finish) = match piece {
        Piece::Role => (json!({"role": "assistant", "content": ""}), None),
        Piece::Text(text) => (json!({"content": text}), None),
        Piece::Call(call) => (json!({"tool_calls": [call_json(call)]}), None),
        Piece::Finish(reason) => (json!({}), Some(reason)),
    };
    json!({
        "id": of.id, "object": "chat.completion.chunk", "created": of.created, "model": of.model,
        "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}],
    })
    .to_string()
}

/// A tool call in a stream: only the members that this piece of it has.
fn call_json(call: &ToolCallDelta) -> serde_json::Value {
    let mut json = json!({"index": call.index, "function": {}});
    if let Some(id) = &call.id {
        json["id"] = json!(id);
        json["type"] = json!("function");
    }
    for (member, text) in [("name", &call.name), ("arguments", &call.arguments)] {
        if let Some(text) = text {
            json["function"][member] = json!(text);
        }
    }
    json
}

/// A usage object.
pub(super) fn usage_json(usage: Usage) -> String {
    format!(r#"{{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{}}}"#, usage.prompt_tokens, usage.completion_tokens, usage.total())
}

/// The list at `GET /v1/models`.
pub fn model_list(names: &[&str], created: u32) -> Result<Bytes, Refusal> {
    let data = names.iter().map(|name| card(name, created)).collect();
    written(&ListModelResponse { object: "list".to_owned(), data })
}

/// One model at `GET /v1/models/{id}`.
pub fn model_card(name: &str, created: u32) -> Result<Bytes, Refusal> {
    written(&card(name, created))
}

fn card(name: &str, created: u32) -> Model {
    Model { id: name.to_owned(), object: "model".to_owned(), created, owned_by: "fengate".to_owned(), ..Model::default() }
}

fn written(value: &impl serde::Serialize) -> Result<Bytes, Refusal> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|e| Refusal::internal(format!("a model list that cannot be written: {e}")))
}

#[cfg(test)]
mod tests {
    use async_openai::types::chat::{CreateChatCompletionResponse, CreateChatCompletionStreamResponse};

    use super::*;

    fn outlines() -> Authored {
        Authored { id: "chatcmpl-1".to_owned(), created: 1_790_000_000, model: "wechat-pay-base".to_owned() }
    }

    #[test]
    fn a_strict_reader_accepts_a_composed_answer() {
        let text = "已\"下单\"\n";
        let bytes = completion(&outlines(), text, Usage { prompt_tokens: 3, completion_tokens: 4, ..Usage::default() }, "[]");
        let read: CreateChatCompletionResponse = serde_json::from_slice(&bytes).expect("OpenAI's shape");
        assert_eq!(read.choices[0].message.content.as_deref(), Some(text));
        assert_eq!(read.usage.map(|usage| usage.total_tokens), Some(7));
    }

    #[test]
    fn a_strict_reader_accepts_composed_chunks() {
        let text = |text: &str| Some(text.to_owned());
        let call = ToolCallDelta { index: 0, id: text("call_1"), name: text("lookup"), arguments: text("{") };
        let more = ToolCallDelta { arguments: text("}"), ..ToolCallDelta::default() };
        for piece in [Piece::Role, Piece::Text("hi"), Piece::Call(&call), Piece::Call(&more), Piece::Finish("stop")] {
            let read: CreateChatCompletionStreamResponse = serde_json::from_str(&chunk_json(&outlines(), &piece)).expect("OpenAI's shape");
            assert_eq!(read.id, "chatcmpl-1");
        }
        assert_eq!(call_json(&more), json!({"index": 0, "function": {"arguments": "}"}}));
    }
}
