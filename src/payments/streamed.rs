//! The streamed form of [`super::turns`]: text flows on as it comes, payment calls are held back, and a later turn's chunks follow in the same
//! stream. Pulled by the client: nobody reading, nothing asked. A payment under way has its own task and goes on.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::StreamExt;

use super::carry::{Carry, Progress};
use super::held::Held;
use super::turns::{TURNS_MAX, closing_words, is_complete, turn_of};
use crate::chat::call::{ChatCall, PaymentPart};
use crate::chat::reply::{ChatEvent, ChatReply, Chunk, EventStream, StreamReply, ToolCallDelta, UsageEvent};
use crate::payment::words;
use crate::pipeline::{Next, Reply};
use crate::refusal::Refusal;
use crate::wire::openai::model_of;

/// Asks the first turn and answers with a stream that carries the rest.
pub(super) async fn answer(carry: &Carry, call: ChatCall, part: &Arc<PaymentPart>, next: &Next) -> Reply {
    let first = match next.ask(call.clone()).await? {
        ChatReply::Stream(stream) => stream,
        ChatReply::Whole(_) => return Err(Refusal::internal("a whole answer where a stream was asked for")),
    };
    let telling = Telling {
        carry: carry.clone(),
        part: Arc::clone(part),
        next: next.clone(),
        call,
        upstream: Some(first.events),
        ready: VecDeque::new(),
        progress: Progress::default(),
        turn: 0,
        held: Held::default(),
        usage_frame: None,
        text_flowed: false,
    };
    let events = futures_util::stream::unfold(telling, |mut telling| async move { telling.next_event().await.map(|event| (event, telling)) });
    Ok(ChatReply::Stream(StreamReply { headers: first.headers, events: Box::pin(events) }))
}

/// A stream of several turns.
struct Telling {
    carry: Carry,
    part: Arc<PaymentPart>,
    next: Next,
    call: ChatCall,
    /// The turn that is streaming; `None` once everything is in `ready`.
    upstream: Option<EventStream>,
    /// Events that go out before anything more is read.
    ready: VecDeque<Result<ChatEvent, Refusal>>,
    progress: Progress,
    turn: u32,
    /// What of this turn is kept back.
    held: Held,
    /// The provider's usage event, of use as it came if there is only one turn.
    usage_frame: Option<UsageEvent>,
    /// Text of this answer has reached the client.
    text_flowed: bool,
}

impl Telling {
    async fn next_event(&mut self) -> Option<Result<ChatEvent, Refusal>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let event = self.upstream.as_mut()?.next().await;
            match event {
                Some(Ok(ChatEvent::Done)) => self.end_of_turn().await,
                Some(Ok(event)) => self.take(event),
                Some(Err(refusal)) => self.failed(refusal),
                // Every stream ends with `Done` or an error; one that does not is a defect of ours.
                None => self.failed(Refusal::internal("a stream without an end")),
            }
        }
    }

    fn take(&mut self, event: ChatEvent) {
        match event {
            ChatEvent::Chunk(chunk) => self.take_chunk(chunk),
            ChatEvent::Usage(report) => {
                self.held.usage = Some(report.usage);
                self.usage_frame = Some(report);
            }
            other => self.ready.push_back(Ok(other)),
        }
    }

    fn take_chunk(&mut self, mut chunk: Chunk) {
        chunk.turn = self.turn;
        if let Some(text) = &chunk.text {
            // Words of two turns must not run into one another.
            if self.turn > 0 && self.text_flowed && self.held.text.is_empty() {
                self.ready.push_back(Ok(ChatEvent::Text("\n\n".to_owned())));
            }
            self.held.text.push_str(text);
            self.text_flowed = true;
        }
        match self.held.sift(chunk, &self.part.functions) {
            Ok(events) => self.ready.extend(events.into_iter().map(Ok)),
            Err(refusal) => self.failed(refusal),
        }
    }

    /// A turn has come to its end: it was the last one, or its payment calls are carried out and the model is asked again.
    async fn end_of_turn(&mut self) {
        let mut held = std::mem::take(&mut self.held);
        self.progress.used(held.usage);
        let (finish, text, first) = (held.finish.take(), std::mem::take(&mut held.text), held.first_json());
        let (ours, theirs) = held.calls(&self.part.functions);
        if ours.is_empty() {
            return self.end(finish, theirs);
        }
        if !is_complete(finish.as_ref().and_then(|chunk| chunk.finish.as_deref())) {
            return self.compose(words::cut_off(self.part.language).to_owned());
        }
        if !theirs.is_empty() {
            return self.end(finish, theirs);
        }
        let model = first.and_then(|json| model_of(&json));
        let results = match self.carry.out(&self.call, &self.part, &ours, model.as_deref(), &mut self.progress).await {
            Ok(results) => results,
            Err(refusal) => return self.failed(refusal),
        };
        self.call.request.added.turns.push(turn_of(None, text, ours, results));
        self.turn += 1;
        if self.turn >= TURNS_MAX {
            let words = closing_words(&self.carry, &self.part, &self.progress);
            return self.compose(words);
        }
        match self.next.ask(self.call.clone()).await {
            Ok(ChatReply::Stream(stream)) => self.upstream = Some(stream.events),
            Ok(ChatReply::Whole(_)) => self.failed(Refusal::internal("a whole answer where a stream was asked for")),
            Err(refusal) => self.failed(refusal),
        }
    }

    /// The last turn: the client's own calls that were held back, the finish chunk with the payments, usage, the end.
    fn end(&mut self, finish: Option<Chunk>, theirs: Vec<ToolCallDelta>) {
        self.ready.extend(theirs.into_iter().map(|call| Ok(ChatEvent::Call(call))));
        match finish {
            Some(mut finish) => {
                finish.payments = std::mem::take(&mut self.progress.payments);
                self.ready.push_back(Ok(ChatEvent::Chunk(finish)));
            }
            None if self.progress.payments.is_empty() => {}
            None => self.ready.push_back(Ok(ChatEvent::End(std::mem::take(&mut self.progress.payments)))),
        }
        self.close();
    }

    /// Ends with words of our own.
    fn compose(&mut self, text: String) {
        let text = if self.text_flowed { format!("\n\n{text}") } else { text };
        self.ready.push_back(Ok(ChatEvent::Text(text)));
        self.ready.push_back(Ok(ChatEvent::End(std::mem::take(&mut self.progress.payments))));
        self.close();
    }

    fn close(&mut self) {
        if let Some(usage) = self.progress.usage {
            let report = match self.usage_frame.take() {
                Some(report) if self.turn == 0 => report,
                _ => UsageEvent { usage, frame: bytes::Bytes::new() },
            };
            self.ready.push_back(Ok(ChatEvent::Usage(report)));
        }
        self.ready.push_back(Ok(ChatEvent::Done));
        self.upstream = None;
    }

    /// The model broke off. Once an order was made the caller hears of it; before that, of the failure.
    fn failed(&mut self, refusal: Refusal) {
        if self.progress.payments.is_empty() {
            self.ready.push_back(Err(refusal));
            self.upstream = None;
            return;
        }
        tracing::warn!(%refusal, detail = refusal.detail.as_deref(), "the model failed after an order was made: the answer is composed from the ledger");
        let facts = self.carry.facts(&self.part, &self.progress.payments);
        self.compose(facts);
    }
}
