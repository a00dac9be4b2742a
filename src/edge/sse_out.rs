//! Writes a streamed answer. A provider's events go out as the bytes that came; only what a client must see differently is written anew: a
//! later turn under the first one's id, payments, words of fengate's own, an error in the place of an end.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;

use super::answer;
use super::body::Body;
use super::gather::Gather;
use super::unbroken::unbroken;
use crate::chat::reply::{ChatEvent, Chunk, EventStream, UsageEvent};
use crate::ids::RequestId;
use crate::metrics::Metrics;
use crate::payment::record::Payment;
use crate::refusal::Refusal;
use crate::wire::object::{self, Shown};
use crate::wire::openai::{self, Authored, Piece};
use crate::wire::sse::{Data, data_of};

const DONE: Bytes = Bytes::from_static(b"data: [DONE]\n\n");

/// How one stream is told.
pub(super) struct Telling {
    /// For chunks of our own where no provider's chunk came before.
    pub(super) outlines: Authored,
    /// Whether the client may see the usage report.
    pub(super) usage_asked: bool,
    /// Where clients reach this fengate.
    pub(super) public_url: String,
    /// For the log.
    pub(super) request_id: RequestId,
}

/// The body that carries `events`.
pub(super) fn events(events: EventStream, telling: Telling, metrics: Metrics) -> Body {
    let request_id = telling.request_id.clone();
    let mut writer = Writer { telling: Arc::new(telling), first: None };
    let pieces = events.filter_map(move |event| std::future::ready(writer.write(event)));
    let pieces = unbroken(pieces, metrics, move || Some(error(&Refusal::internal("panicked"), &request_id)));
    Body::Pieces(Box::pin(Gather::new(pieces)))
}

struct Writer {
    telling: Arc<Telling>,
    /// The JSON of the provider's first chunk: what every later one must agree with.
    first: Option<Bytes>,
}

impl Writer {
    /// The bytes of an event; `None` for what this client does not see.
    fn write(&mut self, event: Result<ChatEvent, Refusal>) -> Option<Bytes> {
        let written = event.and_then(|event| self.written(event));
        written.unwrap_or_else(|refusal| Some(error(&refusal, &self.telling.request_id)))
    }

    fn written(&mut self, event: ChatEvent) -> Result<Option<Bytes>, Refusal> {
        Ok(match event {
            ChatEvent::Chunk(chunk) => Some(self.chunk(chunk)?),
            ChatEvent::Opaque(frame) => Some(frame),
            ChatEvent::Usage(report) if self.telling.usage_asked => Some(self.usage(report)?),
            ChatEvent::Usage(_) => None,
            ChatEvent::Text(text) => Some(self.own(&Piece::Text(&text), &[])?),
            ChatEvent::Call(call) => Some(self.own(&Piece::Call(&call), &[])?),
            ChatEvent::End(payments) => Some(self.own(&Piece::Finish("stop"), &payments)?),
            ChatEvent::Done => Some(DONE),
        })
    }

    fn chunk(&mut self, chunk: Chunk) -> Result<Bytes, Refusal> {
        if chunk.frame.is_empty() {
            return self.own(&Piece::Finish(chunk.finish.as_deref().unwrap_or("stop")), &chunk.payments);
        }
        let opens = self.first.is_none();
        if opens {
            self.first = Some(json_of(&chunk));
        }
        // The chunk a client sees first keeps its role, of whichever turn it is.
        let continues = chunk.turn > 0 && !opens;
        if !continues && chunk.payments.is_empty() {
            return Ok(chunk.frame);
        }
        let json = json_of(&chunk);
        let first = self.first.as_ref().filter(|_| continues);
        openai::patched_chunk(text(&json), first.map(text), self.payments(&chunk.payments)?.as_deref())
    }

    fn usage(&self, report: UsageEvent) -> Result<Bytes, Refusal> {
        match &self.first {
            _ if !report.frame.is_empty() => Ok(report.frame),
            Some(first) => openai::usage_chunk(text(first), report.usage),
            None => openai::usage_chunk(&openai::chunk_json(&self.telling.outlines, &Piece::Role), report.usage),
        }
    }

    /// A chunk of our own, under the id of the stream it continues; the role before the first one.
    fn own(&mut self, piece: &Piece<'_>, payments: &[Payment]) -> Result<Bytes, Refusal> {
        let outlines = &self.telling.outlines;
        let mut frames = Vec::new();
        if self.first.is_none() {
            let role = openai::chunk_json(outlines, &Piece::Role);
            frames.extend_from_slice(&openai::patched_chunk(&role, None, None)?);
            self.first = Some(Bytes::from(role));
        }
        let first = self.first.as_ref().map(text);
        let json = openai::chunk_json(outlines, piece);
        frames.extend_from_slice(&openai::patched_chunk(&json, first, self.payments(payments)?.as_deref())?);
        Ok(Bytes::from(frames))
    }

    fn payments(&self, payments: &[Payment]) -> Result<Option<String>, Refusal> {
        if payments.is_empty() {
            return Ok(None);
        }
        let shown = Shown { public_url: &self.telling.public_url };
        object::write_list(payments, shown).map(Some).map_err(|e| Refusal::internal(e.to_string()))
    }
}

/// The event a stream ends in where it cannot go on.
fn error(refusal: &Refusal, request_id: &RequestId) -> Bytes {
    tracing::warn!(%request_id, code = %refusal.code, detail = refusal.detail.as_deref(), "a stream ended in an error");
    Bytes::from(format!("data: {}\n\n", answer::error_json(refusal)))
}

/// The JSON document of a chunk.
fn json_of(chunk: &Chunk) -> Bytes {
    match data_of(&chunk.frame) {
        Data::Line(range) => chunk.frame.slice(range),
        Data::Joined(json) => Bytes::from(json),
        Data::None => Bytes::new(),
    }
}

fn text(json: &Bytes) -> &str {
    std::str::from_utf8(json).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_panic_in_a_stream_ends_it_in_an_error_event_and_is_counted() {
        let metrics = Metrics::new().expect("metrics");
        let outlines = Authored { id: "chatcmpl-1".to_owned(), created: 1, model: "m".to_owned() };
        let telling = Telling { outlines, usage_asked: false, public_url: String::new(), request_id: RequestId::new("req_1") };
        let stream = futures_util::stream::iter(0..3).map(|n| match n {
            0 => Ok(ChatEvent::Text("hello".to_owned())),
            _ => panic!("a defect"),
        });
        let body = events(Box::pin(stream), telling, metrics.clone()).collect().await.expect("a body").to_bytes();
        let text = String::from_utf8(body.to_vec()).expect("UTF-8");
        assert!(text.contains("hello") && text.contains("\"internal_error\"") && !text.contains("defect"), "{text}");
        assert!(text.ends_with("}}\n\n"), "nothing follows: {text}");
        assert_eq!(metrics.panics.with_label_values(&["stream"]).get(), 1);
    }
}
