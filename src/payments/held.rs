//! What a streamed turn keeps back: the pieces of payment calls, which no client may see, and the finish chunk, which says how the turn ended.

use bytes::Bytes;

use super::functions;
use crate::chat::reply::{ChatEvent, Chunk, ToolCall, ToolCallDelta};
use crate::chat::usage::Usage;
use crate::payment::function::PaymentFunction;

/// Most calls of one turn; a model that makes more is not understood any more.
const CALLS_MAX: usize = 64;

/// Most bytes of arguments of one turn that are held.
const ARGUMENTS_BYTES_MAX: usize = 256 * 1024;

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
    argument_bytes: usize,
}

/// A call whose pieces are coming in.
#[derive(Debug)]
struct Building {
    index: u32,
    call: ToolCall,
    /// Its pieces went on to the client as they came.
    passed: bool,
}

impl Held {
    /// Takes a chunk; gives back what may go on at once.
    pub(super) fn sift(&mut self, chunk: Chunk, ours: &[PaymentFunction]) -> Option<ChatEvent> {
        if self.first.is_none() && !chunk.json.is_empty() {
            self.first = chunk.frame.get(chunk.json.clone()).map(|json| chunk.frame.slice_ref(json));
        }
        self.usage = chunk.usage.or(self.usage);
        let mut may_pass = true;
        for piece in &chunk.calls {
            may_pass &= self.build(piece, ours);
        }
        if chunk.finish.is_some() {
            let (text, carries_calls) = (chunk.text.clone(), !chunk.calls.is_empty());
            // Pieces of held calls on the finish chunk itself would show: an end of our own making takes its place.
            self.finish = Some(if carries_calls && !may_pass { Chunk { finish: chunk.finish, turn: chunk.turn, ..Chunk::default() } } else { chunk });
            return text.filter(|_| carries_calls && !may_pass).map(ChatEvent::Text);
        }
        if may_pass { Some(ChatEvent::Chunk(chunk)) } else { chunk.text.map(ChatEvent::Text) }
    }

    /// Adds a piece to its call; true if the piece may go on: it is the client's, and no call of ours stands before it.
    fn build(&mut self, piece: &ToolCallDelta, ours: &[PaymentFunction]) -> bool {
        let added = piece.arguments.as_deref().unwrap_or_default();
        self.argument_bytes = self.argument_bytes.saturating_add(added.len());
        let ours_before = self.calls.iter().any(|building| functions::ours(&building.call.name, ours).is_some());
        let at = match self.calls.iter().position(|building| building.index == piece.index) {
            Some(at) => at,
            None if self.calls.len() >= CALLS_MAX => return false,
            None => {
                let theirs = piece.name.as_deref().is_some_and(|name| functions::ours(name, ours).is_none());
                let call = ToolCall { id: String::new(), name: String::new(), arguments: String::new() };
                self.calls.push(Building { index: piece.index, call, passed: theirs && !ours_before });
                self.calls.len() - 1
            }
        };
        let Some(building) = self.calls.get_mut(at) else { return false };
        if let Some(id) = &piece.id {
            building.call.id.clone_from(id);
        }
        if let Some(name) = &piece.name {
            building.call.name.push_str(name);
        }
        if !building.passed && self.argument_bytes <= ARGUMENTS_BYTES_MAX {
            building.call.arguments.push_str(added);
        }
        building.passed
    }

    /// Why the turn stopped. A turn that held more than is allowed counts as cut.
    pub(super) fn finish_reason(&self) -> Option<&str> {
        let within = self.argument_bytes <= ARGUMENTS_BYTES_MAX && self.calls.len() < CALLS_MAX;
        self.finish.as_ref().and_then(|chunk| chunk.finish.as_deref()).filter(|_| within)
    }

    /// Our calls, and those of the client that have not gone on yet, under the index they go on with.
    pub(super) fn calls(&self, ours: &[PaymentFunction]) -> (Vec<ToolCall>, Vec<(u32, ToolCall)>) {
        let (mine, theirs): (Vec<&Building>, Vec<&Building>) =
            self.calls.iter().partition(|building| functions::ours(&building.call.name, ours).is_some());
        let passed = theirs.iter().filter(|building| building.passed).map(|building| building.index + 1).max().unwrap_or(0);
        let late = theirs.iter().filter(|building| !building.passed).zip(passed..).map(|(building, index)| (index, building.call.clone()));
        (mine.iter().map(|building| building.call.clone()).collect(), late.collect())
    }

    /// The JSON of the turn's first chunk.
    pub(super) fn first_json(&self) -> Option<Bytes> {
        self.first.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payment::function::{AmountUnit, ArgumentPointers, Operation};
    use crate::payment::terms::Method;

    fn ours() -> Vec<PaymentFunction> {
        vec![PaymentFunction {
            name: "create_payment".to_owned(),
            operation: Operation::Pay,
            method: Method::WechatNative,
            amount_unit: AmountUnit::Fen,
            arguments: ArgumentPointers::default(),
            description: String::new(),
        }]
    }

    fn piece(index: u32, name: Option<&str>, arguments: &str) -> Chunk {
        let id = name.map(|name| format!("call_{name}"));
        let delta = ToolCallDelta { index, id, name: name.map(str::to_owned), arguments: Some(arguments.to_owned()) };
        Chunk { calls: vec![delta], ..Chunk::default() }
    }

    #[test]
    fn a_payment_call_never_shows_and_comes_out_whole() {
        let mut held = Held::default();
        for chunk in [piece(0, Some("create_payment"), "{\"total"), piece(0, None, "_fee\":1}")] {
            assert!(held.sift(chunk, &ours()).is_none());
        }
        let (mine, theirs) = held.calls(&ours());
        assert_eq!(mine[0].arguments, "{\"total_fee\":1}");
        assert!(theirs.is_empty());
    }

    #[test]
    fn the_clients_calls_flow_until_one_of_ours_stands_before_them() {
        let mut held = Held::default();
        assert!(held.sift(piece(0, Some("weather"), "{}"), &ours()).is_some());
        assert!(held.sift(piece(1, Some("create_payment"), "{}"), &ours()).is_none());
        assert!(held.sift(piece(2, Some("lookup"), "{\"a\":"), &ours()).is_none());
        assert!(held.sift(piece(2, None, "1}"), &ours()).is_none());
        let (mine, theirs) = held.calls(&ours());
        assert_eq!(mine.len(), 1);
        assert_eq!(theirs.len(), 1);
        assert_eq!((theirs[0].0, theirs[0].1.arguments.as_str()), (1, "{\"a\":1}"), "no gap where ours stood");
    }

    #[test]
    fn text_beside_a_payment_call_still_flows() {
        let mut held = Held::default();
        let chunk = Chunk { text: Some("One moment.".to_owned()), ..piece(0, Some("create_payment"), "{}") };
        assert!(matches!(held.sift(chunk, &ours()), Some(ChatEvent::Text(text)) if text == "One moment."));
    }

    #[test]
    fn endless_arguments_count_as_cut() {
        let mut held = Held::default();
        held.sift(piece(0, Some("create_payment"), &"x".repeat(ARGUMENTS_BYTES_MAX + 1)), &ours());
        held.sift(Chunk { finish: Some("tool_calls".to_owned()), ..Chunk::default() }, &ours());
        assert_eq!(held.finish_reason(), None);
    }
}
