//! A provider's event stream: events as they come, an error where it breaks off, never a clean end that was none.

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::errors;
use crate::chat::reply::{ChatEvent, EventStream};
use crate::refusal::Refusal;
use crate::wire::openai::read_event;
use crate::wire::sse::Framer;

/// Reads `body` as events. `closely` also reads text and tool calls. An event must come every `idle`, and everything by `deadline`.
pub(super) fn read<B>(body: B, closely: bool, idle: Duration, deadline: Instant) -> EventStream
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::fmt::Display + Send,
{
    let reading = Reading { body, framer: Framer::default(), closely, idle, deadline, chunk_seen: false, finish_seen: false };
    Box::pin(futures_util::stream::unfold(Some(reading), |reading| async {
        let mut reading = reading?;
        match reading.next().await {
            Ok(Some(ChatEvent::Done)) => {
                // Usually the end of the body is here already; seeing it lets the connection be used again.
                let _ = reading.body.frame().now_or_never();
                Some((Ok(ChatEvent::Done), None))
            }
            Ok(Some(event)) => Some((Ok(event), Some(reading))),
            Ok(None) => None,
            Err(refusal) => Some((Err(refusal), None)),
        }
    }))
}

struct Reading<B> {
    body: B,
    framer: Framer,
    closely: bool,
    idle: Duration,
    deadline: Instant,
    /// Something of an answer has come.
    chunk_seen: bool,
    /// A choice has come to its end: a provider that leaves out `[DONE]` after that has still finished.
    finish_seen: bool,
}

impl<B> Reading<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    async fn next(&mut self) -> Result<Option<ChatEvent>, Refusal> {
        loop {
            match self.framer.next_event().map_err(|e| errors::invalid(e.to_string()))? {
                Some(frame) => return self.event(frame).map(Some),
                None => match self.piece().await? {
                    Some(piece) => self.framer.push(piece),
                    None => return self.end(),
                },
            }
        }
    }

    /// The next piece of the body that holds data.
    async fn piece(&mut self) -> Result<Option<Bytes>, Refusal> {
        loop {
            let by = self.deadline.min(Instant::now() + self.idle);
            match timeout_at(by, self.body.frame()).await {
                Err(_) => return Err(errors::timeout("the stream stalled")),
                Ok(None) => return Ok(None),
                Ok(Some(Err(e))) => return Err(errors::broken(format!("the stream broke off: {e}"))),
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    fn event(&mut self, frame: Bytes) -> Result<ChatEvent, Refusal> {
        let event = read_event(frame, self.closely)?;
        match &event {
            ChatEvent::Chunk(chunk) => {
                self.chunk_seen = true;
                self.finish_seen |= chunk.finish.is_some();
            }
            ChatEvent::Done => self.may_end()?,
            _ => {}
        }
        Ok(event)
    }

    /// An end is believed only after a finish reason: without one nobody knows how much of the answer is missing.
    fn may_end(&self) -> Result<(), Refusal> {
        match (self.chunk_seen, self.finish_seen) {
            (_, true) => Ok(()),
            (true, false) => Err(errors::broken("the stream ended without a finish reason")),
            (false, false) => Err(errors::invalid("a stream without an answer")),
        }
    }

    /// The body has ended: with a last event that lacks its empty line, after a finish reason, or in the middle.
    fn end(&mut self) -> Result<Option<ChatEvent>, Refusal> {
        if let Some(rest) = self.framer.rest() {
            return self.event(rest).map(Some);
        }
        if self.finish_seen { Ok(Some(ChatEvent::Done)) } else { Err(errors::broken("the stream ended in the middle of an answer")) }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use http_body_util::StreamBody;
    use hyper::body::Frame;

    use super::*;
    use crate::refusal::Kind;

    fn chunk(finish: &str) -> String {
        format!("data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"中\"}},\"finish_reason\":{finish}}}]}}\n\n")
    }

    async fn events_of(text: &str) -> Vec<Result<ChatEvent, Kind>> {
        let pieces: Vec<_> = text.as_bytes().chunks(7).map(|piece| Ok::<_, std::io::Error>(Frame::data(Bytes::copy_from_slice(piece)))).collect();
        let body = StreamBody::new(futures_util::stream::iter(pieces));
        let far = Instant::now() + Duration::from_secs(60);
        read(body, true, Duration::from_secs(5), far).map(|event| event.map_err(|refusal| refusal.kind)).collect().await
    }

    #[tokio::test]
    async fn a_cut_stream_is_an_error_at_every_byte() {
        let whole = format!("{}{}data: [DONE]\n\n", chunk("null"), chunk("\"stop\""));
        let complete_from = chunk("null").len() + chunk("\"stop\"").trim_end().len();
        for cut in 0..=whole.len() {
            if !whole.is_char_boundary(cut) {
                continue;
            }
            let events = events_of(&whole[..cut]).await;
            let clean = matches!(events.last(), Some(Ok(ChatEvent::Done)));
            // Complete: everything up to the finish chunk, its empty line or not; then `[DONE]` whole, or so little of it that no event has begun.
            let after = whole.get(complete_from..cut).map(str::trim_start);
            assert_eq!(
                clean,
                matches!(after, Some("" | "d" | "da" | "dat" | "data" | "data: [DONE]" | "data: [DONE]\n" | "data: [DONE]\n\n")),
                "cut at {cut}"
            );
            assert!(clean || matches!(events.last(), Some(Err(_))), "cut at {cut} neither ends nor fails: {events:?}");
            assert_eq!(events.iter().filter(|event| matches!(event, Ok(ChatEvent::Done) | Err(_))).count(), 1, "cut at {cut}: one end");
        }
    }

    #[tokio::test]
    async fn done_may_be_missing_only_after_a_finish_reason() {
        assert!(matches!(events_of(&chunk("\"stop\"")).await.last(), Some(Ok(ChatEvent::Done))));
        assert!(matches!(events_of(&chunk("null")).await.last(), Some(Err(Kind::ProviderUnreachable))));
    }

    #[tokio::test]
    async fn an_end_without_a_finish_reason_is_an_error() {
        assert!(matches!(events_of("data: [DONE]\n\n").await[..], [Err(Kind::ProviderInvalid)]));
        assert!(matches!(events_of(": hello\n\ndata: [DONE]\n\n").await.last(), Some(Err(Kind::ProviderInvalid))));
        for finish in ["null", "\"\""] {
            let events = events_of(&format!("{}data: [DONE]\n\n", chunk(finish))).await;
            assert!(matches!(events[..], [Ok(ChatEvent::Chunk(_)), Err(Kind::ProviderUnreachable)]), "{events:?}");
        }
    }

    #[tokio::test]
    async fn errors_inside_a_stream_end_it() {
        for (text, kind) in [
            ("data: {\"error\":{\"message\":\"secret\"}}\n\n", Kind::ProviderFailed),
            ("data: {oops\n\n", Kind::ProviderInvalid),
            ("data: <html>\n\n", Kind::ProviderInvalid),
        ] {
            let events = events_of(&format!("{}{text}{}", chunk("null"), chunk("\"stop\""))).await;
            assert_eq!(events.len(), 2, "{events:?}");
            assert!(matches!(events.last(), Some(Err(found)) if *found == kind));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_stream_is_cut() {
        let first = futures_util::stream::iter([Ok::<_, std::io::Error>(Frame::data(Bytes::from(chunk("null"))))]);
        let body = StreamBody::new(Box::pin(first.chain(futures_util::stream::pending())));
        let far = Instant::now() + Duration::from_secs(600);
        let events: Vec<_> = read(body, false, Duration::from_secs(30), far).collect().await;
        assert!(matches!(events.last(), Some(Err(refusal)) if refusal.kind == Kind::ProviderTimeout));
    }
}
