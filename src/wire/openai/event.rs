//! One event of a streamed chat completion: read for its outlines, passed on as it came, patched only where a client must see one stream
//! made of several turns.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::members::Members;
use super::super::sse::{Data, data_of};
use super::reply::read_usage;
use crate::chat::reply::{ChatEvent, Chunk, ToolCallDelta, UsageEvent};
use crate::chat::usage::Usage;
use crate::refusal::{Kind, Refusal};

/// The highest index of a tool call that is believed.
const CALL_INDEX_MAX: u32 = 1_023;

#[derive(Deserialize)]
struct ChunkFields<'a> {
    #[serde(default, borrow)]
    choices: Option<Vec<ChoiceFields<'a>>>,
    #[serde(default, borrow)]
    usage: Option<&'a RawValue>,
    #[serde(default, borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ChoiceFields<'a> {
    #[serde(default, borrow)]
    index: Option<&'a RawValue>,
    #[serde(default, borrow)]
    delta: Option<&'a RawValue>,
    #[serde(default, borrow)]
    finish_reason: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct DeltaFields<'a> {
    #[serde(default, borrow)]
    content: Option<Cow<'a, str>>,
    #[serde(default)]
    tool_calls: Option<Vec<CallFields>>,
}

#[derive(Deserialize)]
struct CallFields {
    #[serde(default)]
    index: u32,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    function: Option<FunctionFields>,
}

#[derive(Deserialize)]
struct FunctionFields {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    arguments: Option<String>,
}

/// Reads one event. `closely` also reads text and tool calls, which only payment functions need.
pub fn read_event(frame: Bytes, closely: bool) -> Result<ChatEvent, Refusal> {
    match data_of(&frame) {
        Data::None => Ok(ChatEvent::Opaque(frame)),
        Data::Line(range) => {
            let Some(Ok(json)) = frame.get(range.clone()).map(std::str::from_utf8) else { return Err(malformed("an event that is not UTF-8")) };
            let event = read_data(json, closely)?;
            Ok(placed(event, frame.clone(), range))
        }
        Data::Joined(json) => {
            let event = read_data(&json, closely)?;
            Ok(placed(event, frame, 0..0))
        }
    }
}

enum Read {
    Done,
    Usage(Usage),
    Chunk(Chunk),
}

fn placed(event: Read, frame: Bytes, json: std::ops::Range<usize>) -> ChatEvent {
    match event {
        Read::Done => ChatEvent::Done,
        Read::Usage(usage) => ChatEvent::Usage(UsageEvent { usage, frame }),
        Read::Chunk(chunk) => ChatEvent::Chunk(Chunk { frame, json, ..chunk }),
    }
}

fn read_data(json: &str, closely: bool) -> Result<Read, Refusal> {
    if json.trim() == "[DONE]" {
        return Ok(Read::Done);
    }
    let fields: ChunkFields<'_> = serde_json::from_str(json).map_err(|e| malformed(&format!("{:?} error in an event", e.classify())))?;
    if fields.error.is_some_and(|error| error.get() != "null") {
        return Err(failed_inside());
    }
    let usage = fields.usage.and_then(|raw| read_usage(raw.get()));
    let choices = fields.choices.unwrap_or_default();
    if let (Some(usage), true) = (usage, choices.is_empty()) {
        return Ok(Read::Usage(usage));
    }
    let mut chunk = Chunk { usage, ..Chunk::default() };
    for choice in &choices {
        // Some providers write an empty reason on every chunk.
        let finish = choice.finish_reason.as_deref().filter(|reason| !reason.is_empty());
        chunk.finish = chunk.finish.or_else(|| finish.map(str::to_owned));
        if closely {
            // With payment functions one answer is asked for; a second one could hide a payment call, or make another.
            if choice.index.is_some_and(|index| !matches!(index.get(), "0" | "null")) {
                return Err(malformed("a second answer where one was asked for"));
            }
            if let Some(delta) = choice.delta {
                read_delta(&mut chunk, delta)?;
            }
        }
    }
    Ok(Read::Chunk(chunk))
}

fn read_delta(chunk: &mut Chunk, delta: &RawValue) -> Result<(), Refusal> {
    let Some(delta) = serde_json::from_str::<Option<DeltaFields<'_>>>(delta.get()).map_err(|_| malformed("a delta of unknown shape"))? else {
        return Ok(());
    };
    if let Some(text) = delta.content.filter(|text| !text.is_empty()) {
        chunk.text.get_or_insert_default().push_str(&text);
    }
    for call in delta.tool_calls.unwrap_or_default() {
        if call.index > CALL_INDEX_MAX {
            return Err(malformed("a tool call at an index beyond all sense"));
        }
        let (name, arguments) = call.function.map_or((None, None), |function| (function.name, function.arguments));
        let (id, name) = (call.id.filter(|id| !id.is_empty()), name.filter(|name| !name.is_empty()));
        chunk.calls.push(ToolCallDelta { index: call.index, id, name, arguments });
    }
    Ok(())
}

fn malformed(detail: &str) -> Refusal {
    Refusal::new(Kind::ProviderInvalid, "upstream_invalid", "The model provider sent an event that cannot be understood; the answer is incomplete.")
        .detail(detail)
}

/// An `error` in the stream. Its text stays with us: it may hold what the provider alone should know.
fn failed_inside() -> Refusal {
    Refusal::new(Kind::ProviderFailed, "upstream_error", "The model provider reported an error in the middle of its answer.").detail("error event")
}

/// A chunk as the client gets it where its bytes cannot be used as they came: under the stream's `id`, without a second `role`, and
/// with `payments` (JSON text) if there are any to show.
pub fn patched_chunk(json: &str, same_as: Option<&str>, payments: Option<&str>) -> Result<Bytes, Refusal> {
    let lost = |_| malformed("an event that is no JSON object");
    let mut members = Members::read(json).map_err(lost)?;
    if let Some(first) = same_as {
        let first = Members::read(first).map_err(lost)?;
        for key in ["id", "created", "model"] {
            if let Some(value) = first.get(key) {
                members.set(key, value.to_owned());
            }
        }
        let choices = members.get("choices").map(without_role);
        if let Some(choices) = choices {
            members.set("choices", choices);
        }
    }
    if let Some(payments) = payments {
        members.set("payments", payments.to_owned());
    }
    Ok(Bytes::from(format!("data: {}\n\n", members.write())))
}

/// `choices` without the `role` of their deltas: SDKs add up the strings of a stream, and `assistantassistant` is no role.
fn without_role(choices: &str) -> String {
    let Ok(mut choices) = serde_json::from_str::<serde_json::Value>(choices) else { return choices.to_owned() };
    for choice in choices.as_array_mut().into_iter().flatten() {
        if let Some(delta) = choice.get_mut("delta").and_then(serde_json::Value::as_object_mut) {
            delta.remove("role");
        }
    }
    choices.to_string()
}

/// The usage report of a stream made of several turns.
pub fn usage_chunk(first: &str, usage: Usage) -> Result<Bytes, Refusal> {
    let first = Members::read(first).map_err(|_| malformed("an event that is no JSON object"))?;
    let mut members = Members::default();
    for key in ["id", "object", "created", "model"] {
        members.set(key, first.get(key).unwrap_or("null").to_owned());
    }
    members.set("choices", "[]");
    members.set("usage", super::author::usage_json(usage));
    Ok(Bytes::from(format!("data: {}\n\n", members.write())))
}
