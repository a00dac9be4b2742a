//! A deterministic stand-in for a model: OpenAI's chat completions, whole and streamed, with tools. `base` and `guardian` call a payment tool
//! when a user plainly asks to pay, in Chinese or English, and otherwise chat.
//!
//! Directives in the last user message, or in a system message, make it misbehave to order, for tests:
//! `[call NAME {json}]` that call with exactly those arguments (several make several calls) · `[say TEXT]` exactly that · `[truncate]` calls cut
//! in half, finish reason `length` · `[cut]` a stream that breaks off · `[loop]` the call again after every result · `[fail STATUS]` an error ·
//! `[fail-after STATUS]` an error once there is a tool result · `[slow MS]` a wait before each chunk.

mod asked;
mod fill;
mod mind;
mod reading;
mod tell;
mod words;
mod write;

use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::desk::json_answer;
use super::serve::Body;
use crate::clock::Clock;
use asked::Asked;
use mind::Saying;
use write::Outlines;

/// The models there are.
const NAMES: [&str; 2] = ["base", "guardian"];

/// `GET /v1/models`
pub(super) fn models(clock: &Clock) -> Response<Body> {
    let data: Vec<Value> =
        NAMES.iter().map(|name| json!({"id": name, "object": "model", "created": clock.now().seconds(), "owned_by": "sandbox"})).collect();
    json_answer(StatusCode::OK, &json!({"object": "list", "data": data}))
}

/// `POST /v1/chat/completions`
pub(super) async fn answer(body: Bytes, clock: &Clock) -> Response<Body> {
    let asked = match Asked::read(&body) {
        Ok(asked) => asked,
        Err(why) => return refused(StatusCode::BAD_REQUEST, "invalid_request_error", &why),
    };
    if !NAMES.contains(&asked.model.as_str()) {
        return refused(StatusCode::NOT_FOUND, "model_not_found", &format!("The model `{}` does not exist.", asked.model));
    }
    if let Some(status) = asked.directives.fail_now(asked.after_result()) {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        return refused(status, "asked_to_fail", "The user asked this model to fail.");
    }
    let saying = mind::think(&asked);
    let outlines = Outlines {
        id: format!("chatcmpl-{}", uuid::Uuid::new_v4().simple()),
        created: clock.now().seconds(),
        model: format!("sandbox-{}-1", asked.model),
        prompt_tokens: write::tokens(&String::from_utf8_lossy(&body)),
    };
    if asked.stream {
        return write::streamed(&outlines, &saying, &asked);
    }
    if let Some(ms) = asked.directives.slow_ms {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
    json_answer(StatusCode::OK, &write::whole(&outlines, &saying))
}

fn refused(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    json_answer(status, &json!({"error": {"message": message, "type": code, "param": null, "code": code}}))
}

/// What a saying comes to: for the finish reason.
fn finish_reason(saying: &Saying) -> &'static str {
    match saying {
        Saying { truncated: true, .. } => "length",
        Saying { calls, .. } if !calls.is_empty() => "tool_calls",
        _ => "stop",
    }
}

#[cfg(test)]
mod tests;
