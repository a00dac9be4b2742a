//! Writes the model's answers in OpenAI's shapes.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use serde_json::{Value, json};

use super::super::serve::{Body, Cut};
use super::asked::Asked;
use super::finish_reason;
use super::mind::Saying;

/// Characters of text, and of arguments, in one chunk.
const TEXT_PIECE: usize = 6;
const ARGUMENTS_PIECE: usize = 9;

/// What every piece of an answer carries.
pub(super) struct Outlines {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) model: String,
    pub(super) prompt_tokens: u64,
}

/// About how many tokens a text has: one for a Han character, one for four others.
pub(super) fn tokens(text: &str) -> u64 {
    let (mut han, mut other) = (0u64, 0u64);
    for c in text.chars() {
        if ('\u{4e00}'..='\u{9fff}').contains(&c) { han += 1 } else { other += 1 }
    }
    han + other.div_ceil(4)
}

fn usage(outlines: &Outlines, saying: &Saying) -> Value {
    let completion = tokens(&saying.text) + saying.calls.iter().map(|(name, arguments)| tokens(name) + tokens(arguments)).sum::<u64>();
    json!({"prompt_tokens": outlines.prompt_tokens, "completion_tokens": completion, "total_tokens": outlines.prompt_tokens + completion})
}

/// A whole answer.
pub(super) fn whole(outlines: &Outlines, saying: &Saying) -> Value {
    let mut message = json!({"role": "assistant", "content": saying.text, "refusal": null});
    if !saying.calls.is_empty() {
        let calls = saying.calls.iter().enumerate().map(
            |(n, (name, arguments))| json!({"id": call_id(outlines, n), "type": "function", "function": {"name": name, "arguments": arguments}}),
        );
        message["tool_calls"] = calls.collect();
        message["content"] = if saying.text.is_empty() { Value::Null } else { saying.text.as_str().into() };
    }
    json!({
        "id": outlines.id, "object": "chat.completion", "created": outlines.created, "model": outlines.model,
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish_reason(saying)}],
        "usage": usage(outlines, saying), "system_fingerprint": "fp_sandbox",
    })
}

fn call_id(outlines: &Outlines, n: usize) -> String {
    let digits: String = outlines.id.chars().rev().take(20).collect();
    format!("call_{digits}{n}")
}

/// The same as a stream; `[cut]` breaks it off in the middle.
pub(super) fn streamed(outlines: &Outlines, saying: &Saying, asked: &Asked) -> Response<Body> {
    let mut events = chunks(outlines, saying);
    if asked.include_usage {
        events.push(json!({"id": outlines.id, "object": "chat.completion.chunk", "created": outlines.created, "model": outlines.model, "choices": [], "usage": usage(outlines, saying)}).to_string());
    }
    events.push("[DONE]".to_owned());
    if asked.directives.cut {
        events.truncate(events.len() / 2);
    }
    let wait = asked.directives.slow_ms.map(Duration::from_millis);
    let frames = futures_util::stream::iter(events).then(move |event| async move {
        if let Some(wait) = wait {
            tokio::time::sleep(wait).await;
        }
        Ok::<_, Cut>(Frame::data(Bytes::from(format!("data: {event}\n\n"))))
    });
    let mut response = Response::new(BodyExt::boxed_unsync(StreamBody::new(frames)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    response
}

fn chunks(outlines: &Outlines, saying: &Saying) -> Vec<String> {
    let chunk = |delta: Value, finish: Option<&str>| {
        let choices = json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]);
        json!({"id": outlines.id, "object": "chat.completion.chunk", "created": outlines.created, "model": outlines.model, "system_fingerprint": "fp_sandbox", "choices": choices}).to_string()
    };
    let mut events = vec![chunk(json!({"role": "assistant", "content": ""}), None)];
    events.extend(pieces(&saying.text, TEXT_PIECE).map(|text| chunk(json!({"content": text}), None)));
    for (n, (name, arguments)) in saying.calls.iter().enumerate() {
        let first =
            json!({"tool_calls": [{"index": n, "id": call_id(outlines, n), "type": "function", "function": {"name": name, "arguments": ""}}]});
        events.push(chunk(first, None));
        events.extend(
            pieces(arguments, ARGUMENTS_PIECE).map(|piece| chunk(json!({"tool_calls": [{"index": n, "function": {"arguments": piece}}]}), None)),
        );
    }
    events.push(chunk(json!({}), Some(finish_reason(saying))));
    events
}

fn pieces(text: &str, size: usize) -> impl Iterator<Item = String> {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(size).map(|piece| piece.iter().collect()).collect::<Vec<String>>().into_iter()
}
