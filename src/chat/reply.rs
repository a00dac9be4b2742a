//! A chat reply: whole, or a stream of events. On the pass-through path the provider's bytes travel inside unchanged.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;
use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::usage::Usage;
use crate::payment::record::Payment;
use crate::refusal::Refusal;

/// Tells SDKs that repeat by themselves whether to.
pub const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// What the chat stack answers.
pub enum ChatReply {
    /// One JSON answer.
    Whole(WholeReply),
    /// Events as they come.
    Stream(StreamReply),
}

/// A whole answer.
#[derive(Debug)]
pub struct WholeReply {
    /// The provider's end-to-end response headers; empty when fengate composed the answer.
    pub headers: HeaderMap,
    /// The answer itself.
    pub body: WholeBody,
    /// The tool calls of the (first) choice.
    pub calls: Vec<ToolCall>,
    /// Why the model stopped (first choice); `length` means that its calls may be cut off.
    pub finish: Option<String>,
    /// What was used, all turns together.
    pub usage: Option<Usage>,
    /// Payments made or found while answering, for the `payments` array.
    pub payments: Vec<Payment>,
    /// Turns before this one: their usage is in `usage`, which then replaces the provider's own figure.
    pub turns_before: u32,
    /// Indexes into `calls` that the client must not see: payment calls put off until the client's own calls have results.
    pub withheld: Vec<usize>,
}

impl WholeReply {
    /// An answer fengate composed from ledger facts.
    pub fn composed(text: String, payments: Vec<Payment>, usage: Option<Usage>) -> Self {
        Self {
            headers: HeaderMap::new(),
            body: WholeBody::Composed { text },
            calls: Vec::new(),
            finish: Some("stop".to_owned()),
            usage,
            payments,
            turns_before: 0,
            withheld: Vec::new(),
        }
    }
}

impl StreamReply {
    /// A streamed answer fengate composed from ledger facts. The order is known before the first byte, so the headers say it: a client that
    /// repeats by itself must not.
    pub fn composed(text: String, payments: Vec<Payment>) -> Self {
        let ordered = !payments.is_empty();
        let events = [Ok(ChatEvent::Text(text)), Ok(ChatEvent::End(payments)), Ok(ChatEvent::Done)];
        let headers = HeaderMap::from_iter(ordered.then_some((SHOULD_RETRY, HeaderValue::from_static("false"))));
        Self { headers, events: Box::pin(futures_util::stream::iter(events)) }
    }
}

/// What a whole answer is made of.
#[derive(Debug)]
pub enum WholeBody {
    /// The provider's bytes.
    AsCame {
        /// The whole JSON document.
        bytes: Bytes,
        /// The assistant's message inside it, for the next turn.
        message: Bytes,
    },
    /// Text fengate composed from ledger facts.
    Composed {
        /// The assistant's text.
        text: String,
    },
}

/// A streamed answer.
pub struct StreamReply {
    /// The provider's end-to-end response headers; empty when fengate composed the answer.
    pub headers: HeaderMap,
    /// The events, in order. After an error nothing follows.
    pub events: EventStream,
}

/// Events of a streamed answer. Dropping it drops the call to the provider.
pub type EventStream = Pin<Box<dyn Stream<Item = Result<ChatEvent, Refusal>> + Send>>;

/// One event of a stream.
#[derive(Debug)]
pub enum ChatEvent {
    /// A chunk of a provider, as it came.
    Chunk(Chunk),
    /// Anything between events that a client must still see as it came (a comment, an unknown field).
    Opaque(Bytes),
    /// The usage report: a chunk without choices that only clients who asked may see.
    Usage(UsageEvent),
    /// Text fengate composed from ledger facts.
    Text(String),
    /// A call of the client's own function, whole or a piece of it: it could not be passed on as it came.
    Call(ToolCallDelta),
    /// The end of an answer fengate composed: a finish reason and the payments.
    End(Vec<Payment>),
    /// The provider's `[DONE]`.
    Done,
}

/// A chunk of a provider.
#[derive(Debug, Default)]
pub struct Chunk {
    /// The whole event as it came, its blank line included.
    pub frame: Bytes,
    /// Where in `frame` the JSON document stands; empty when the event spread it over several `data:` lines.
    pub json: std::ops::Range<usize>,
    /// 0 for the first turn; later turns' chunks must go on under the first's id.
    pub turn: u32,
    /// Text for the user in this chunk. Read only while payment functions are in play.
    pub text: Option<String>,
    /// Tool-call pieces in this chunk. Read only while payment functions are in play.
    pub calls: Vec<ToolCallDelta>,
    /// The finish reason, if this chunk carries one. Read only while payment functions are in play.
    pub finish: Option<String>,
    /// Usage that rode on an ordinary chunk, as some providers send it.
    pub usage: Option<Usage>,
    /// Payments to show on this chunk.
    pub payments: Vec<Payment>,
}

/// The usage report of a stream.
#[derive(Debug)]
pub struct UsageEvent {
    /// What was used; all turns together once the payment loop has passed it on.
    pub usage: Usage,
    /// The event as it came; empty when `usage` is a sum of several turns.
    pub frame: Bytes,
}

/// One call of a function by a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// The provider's name for the call.
    pub id: String,
    /// The function's name.
    pub name: String,
    /// The arguments: the exact text the model produced, not yet known to be JSON.
    pub arguments: String,
}

/// A piece of a tool call in a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolCallDelta {
    /// Which call of the turn this piece belongs to.
    pub index: u32,
    /// The call's name, in its first piece.
    pub id: Option<String>,
    /// The function's name, in the first piece.
    pub name: Option<String>,
    /// More of the arguments.
    pub arguments: Option<String>,
}
