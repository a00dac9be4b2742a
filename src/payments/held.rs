//! What a streamed turn keeps back: the pieces of payment calls, which no client may see, and the finish chunk, which says how the turn ended.

use bytes::Bytes;

use super::functions;
use crate::chat::reply::{ChatEvent, Chunk, ToolCall, ToolCallDelta};
use crate::chat::usage::Usage;
use crate::payment::function::PaymentFunction;
use crate::refusal::{Kind, Refusal};

/// Most calls of one turn; a model that makes more is not understood any more.
const CALLS_MAX: usize = 64;

/// Most bytes of calls that are held for one turn.
const HELD_BYTES_MAX: usize = 256 * 1024;

/// One turn so far.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// The turn's text, which has flowed on.
    pub(super) text: String,
    /// What it used.
    pub(super) usage: Option<Usage>,
    /// The chunk with the finish reason.
    pub(super) finish: Option<Chunk>,
    calls: Vec<Building>,
    first: Option<Bytes>,
    held_bytes: usize,
}

/// A call whose pieces are coming in.
#[derive(Debug)]
struct Building {
    index: u32,
    /// What has come of it; nothing where its pieces go on to the client.
    call: ToolCall,
    /// Its pieces go on to the client as they come.
    passed: bool,
}

impl Held {
    /// Takes a chunk; gives back what may go on at once. An error is a turn with more calls than can be held.
    pub(super) fn sift(&mut self, chunk: Chunk, ours: &[PaymentFunction]) -> Result<Vec<ChatEvent>, Refusal> {
        if self.first.is_none() && !chunk.json.is_empty() {
            self.first = chunk.frame.get(chunk.json.clone()).map(|json| chunk.frame.slice_ref(json));
        }
        self.usage = chunk.usage.or(self.usage);
        let passing = chunk.calls.iter().map(|piece| self.build(piece, ours)).collect::<Result<Vec<bool>, Refusal>>()?;
        Ok(if chunk.finish.is_some() {
            self.finish(chunk, &passing)
        } else if passing.iter().all(|passes| *passes) {
            vec![ChatEvent::Chunk(chunk)]
        } else {
            shown(chunk, &passing)
        })
    }

    /// Keeps the end of the turn. As it came if it may still go out like that; otherwise an end of our own making takes its place, and what else
    /// it carries goes on now: a turn with payment calls is not the last one.
    fn finish(&mut self, chunk: Chunk, passing: &[bool]) -> Vec<ChatEvent> {
        let bare = chunk.text.is_none() && chunk.calls.is_empty();
        let mut events = self.finish.take().map(all_shown).unwrap_or_default();
        if bare || self.calls.iter().all(|building| building.passed) {
            self.finish = Some(chunk);
        } else {
            self.finish = Some(Chunk { finish: chunk.finish.clone(), turn: chunk.turn, ..Chunk::default() });
            events.extend(shown(chunk, passing));
        }
        events
    }

    /// Adds a piece to its call; true if the piece may go on: its call is surely the client's, and none is held before it.
    fn build(&mut self, piece: &ToolCallDelta, ours: &[PaymentFunction]) -> Result<bool, Refusal> {
        let at = match self.calls.iter().position(|building| building.index == piece.index) {
            Some(at) => at,
            None if self.calls.len() >= CALLS_MAX => return Err(too_much()),
            None => {
                let theirs = piece.name.as_deref().is_some_and(|name| !functions::may_become_ours(name, ours));
                let passed = theirs && self.calls.iter().all(|building| building.passed);
                let call = ToolCall { id: String::new(), name: String::new(), arguments: String::new() };
                self.calls.push(Building { index: piece.index, call, passed });
                self.calls.len() - 1
            }
        };
        let Some(Building { call, passed: false, .. }) = self.calls.get_mut(at) else { return Ok(true) };
        let texts = [&piece.id, &piece.name, &piece.arguments];
        let added: usize = texts.into_iter().flatten().map(String::len).sum();
        self.held_bytes = self.held_bytes.saturating_add(added);
        if self.held_bytes > HELD_BYTES_MAX {
            return Err(too_much());
        }
        if let Some(id) = &piece.id {
            call.id.clone_from(id);
        }
        if let Some(name) = &piece.name {
            call.name = grown(&call.name, name, ours);
        }
        call.arguments.push_str(piece.arguments.as_deref().unwrap_or_default());
        Ok(false)
    }

    /// Our calls, and those of the client that have not gone on yet, each under the index it goes on with.
    pub(super) fn calls(self, ours: &[PaymentFunction]) -> (Vec<ToolCall>, Vec<ToolCallDelta>) {
        let after = self.calls.iter().filter(|building| building.passed).map(|building| building.index.saturating_add(1)).max().unwrap_or(0);
        let held = self.calls.into_iter().filter(|building| !building.passed).map(|building| building.call);
        let (mine, late): (Vec<ToolCall>, Vec<ToolCall>) = held.partition(|call| functions::ours(&call.name, ours).is_some());
        let whole = |(n, call): (u32, ToolCall)| ToolCallDelta {
            index: after.saturating_add(n),
            id: Some(call.id),
            name: Some(call.name),
            arguments: Some(call.arguments),
        };
        (mine, (0..).zip(late).map(whole).collect())
    }

    /// The JSON of the turn's first chunk.
    pub(super) fn first_json(&self) -> Option<Bytes> {
        self.first.clone()
    }
}

/// What a client sees of a chunk that cannot go on as it came: its text, and the pieces of calls that may pass.
fn shown(chunk: Chunk, passing: &[bool]) -> Vec<ChatEvent> {
    let pieces = chunk.calls.into_iter().zip(passing).filter(|(_, passes)| **passes).map(|(piece, _)| ChatEvent::Call(piece));
    chunk.text.into_iter().map(ChatEvent::Text).chain(pieces).collect()
}

/// The same where every piece may pass.
fn all_shown(chunk: Chunk) -> Vec<ChatEvent> {
    let passing = vec![true; chunk.calls.len()];
    shown(chunk, &passing)
}

/// A name with one more piece. Some providers repeat the name in every piece, or send as much of it as there is so far.
fn grown(name: &str, piece: &str, ours: &[PaymentFunction]) -> String {
    let joined = format!("{name}{piece}");
    if piece.starts_with(name) && !functions::may_become_ours(&joined, ours) { piece.to_owned() } else { joined }
}

fn too_much() -> Refusal {
    Refusal::new(
        Kind::ProviderInvalid,
        "upstream_invalid",
        "The model made more tool calls, or longer ones, than one turn may hold; the answer is incomplete.",
    )
    .detail(format!("over {CALLS_MAX} calls, or {HELD_BYTES_MAX} bytes of them held"))
}

#[cfg(test)]
mod tests;
