//! A chat request: the bytes the client sent, the few fields we act on, and what fengate adds to them on the way to a model.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;

use super::reply::ToolCall;

/// What the client asked. Fields we act on are typed; everything else stays in `body`, verbatim.
#[derive(Clone, Debug)]
pub struct ChatRequest {
    /// The request as it came: one JSON object in valid UTF-8.
    pub body: Bytes,
    /// The client's end-to-end header fields that a provider may see: no credential, nothing of the connection.
    pub headers: Arc<HeaderMap>,
    /// The model asked for.
    pub model: String,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// Whether the client asked for usage at the end of a stream.
    pub usage_asked: bool,
    /// Names of the functions the client declares as tools.
    pub tools: Vec<String>,
    /// What the client says about calling tools.
    pub tool_choice: ToolChoice,
    /// How many answers are asked for (`n`).
    pub choices: u32,
    /// What fengate adds; empty on the pass-through path.
    pub added: Added,
}

/// What the client says about calling tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
    /// The model decides (the default).
    Auto,
    /// No tool may be called.
    None,
    /// Some tool must be called.
    Required,
    /// This function must be called.
    Function(String),
}

/// What fengate adds to a request before a provider sees it. A request with nothing added is forwarded as it came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Added {
    /// The client's body carries a `payment` object, which no provider may see.
    pub strip_payment: bool,
    /// Facts of the merchant's order, told to the model as a system message before the conversation.
    pub facts: Option<String>,
    /// Payment functions fengate offers because the client declared none: name, description, JSON schema of the arguments.
    pub functions: Vec<OfferedFunction>,
    /// Turns taken since the client asked: the model's calls and fengate's answers to them.
    pub turns: Vec<Turn>,
}

impl Added {
    /// Whether nothing is added or taken away.
    pub fn is_empty(&self) -> bool {
        !self.strip_payment && self.facts.is_none() && self.functions.is_empty() && self.turns.is_empty()
    }
}

/// A function fengate offers to a model.
#[derive(Clone, Debug, PartialEq)]
pub struct OfferedFunction {
    /// The tool's name.
    pub name: String,
    /// What the model is told about it.
    pub description: String,
    /// JSON Schema of the arguments, as JSON text.
    pub parameters: String,
}

/// One turn of the loop: what the model said, and what fengate answered to each of its calls.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// The assistant's message as the provider wrote it, when it came whole; it may hold fields we do not know.
    pub raw_message: Option<Bytes>,
    /// What the model said beside its calls.
    pub text: String,
    /// What the model called.
    pub calls: Vec<ToolCall>,
    /// fengate's answer to each call, in the same order.
    pub results: Vec<String>,
}
