//! Tests of what a streamed turn keeps back.

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

fn delta(index: u32, name: Option<&str>, arguments: &str) -> ToolCallDelta {
    let id = name.map(|name| format!("call_{name}"));
    ToolCallDelta { index, id, name: name.map(str::to_owned), arguments: Some(arguments.to_owned()) }
}

fn piece(index: u32, name: Option<&str>, arguments: &str) -> Chunk {
    Chunk { calls: vec![delta(index, name, arguments)], ..Chunk::default() }
}

fn sifted(held: &mut Held, chunk: Chunk) -> Vec<ChatEvent> {
    held.sift(chunk, &ours()).expect("within bounds")
}

/// Names and arguments.
type Calls = Vec<(String, String)>;

/// The names and arguments of a call built of pieces under one index, and whether any of it showed before the end.
fn built(pieces: &[(&str, &str)]) -> (bool, Calls, Calls) {
    let mut held = Held::default();
    let mut shown = false;
    for (name, arguments) in pieces {
        shown |= !sifted(&mut held, piece(0, Some(*name).filter(|name| !name.is_empty()), arguments)).is_empty();
    }
    let (mine, theirs) = held.calls(&ours());
    let mine = mine.into_iter().map(|call| (call.name, call.arguments)).collect();
    (shown, mine, theirs.into_iter().map(|call| (call.name.unwrap_or_default(), call.arguments.unwrap_or_default())).collect())
}

fn one(name: &str, arguments: &str) -> Calls {
    vec![(name.to_owned(), arguments.to_owned())]
}

#[test]
fn a_payment_call_never_shows_and_comes_out_whole() {
    for pieces in [
        &[("create_payment", "{\"total"), ("", "_fee\":1}")][..],
        &[("", ""), ("create_payment", ""), ("", "{\"total_fee\":1}")],
        &[("create_", ""), ("payment", "{\"total_fee\":1}")],
        &[("create_payment", "{\"total_fee\""), ("create_payment", ":1}")],
        &[("create_", ""), ("create_payment", "{\"total_fee\":1}")],
    ] {
        assert_eq!(built(pieces), (false, one("create_payment", "{\"total_fee\":1}"), Vec::new()), "{pieces:?}");
    }
}

#[test]
fn a_call_of_the_clients_is_never_lost() {
    for (pieces, name) in [
        (&[("", ""), ("weather", ""), ("", "{}")][..], "weather"),
        (&[("create_payment", ""), ("_v2", "{}")], "create_payment_v2"),
        (&[("create_", ""), ("", "{}")], "create_"),
        (&[("create_", ""), ("poem", "{}")], "create_poem"),
        (&[("", "{"), ("weather", ""), ("weather", "}")], "weather"),
    ] {
        assert_eq!(built(pieces), (false, Vec::new(), one(name, "{}")), "{pieces:?}");
    }
    assert!(built(&[("weather", "{"), ("", "}")]).0, "flows as it comes");
}

#[test]
fn the_clients_calls_flow_until_one_stands_before_them_that_does_not() {
    let mut held = Held::default();
    assert_eq!(sifted(&mut held, piece(0, Some("weather"), "{}")).len(), 1);
    assert!(sifted(&mut held, piece(1, Some("create_payment"), "{}")).is_empty());
    assert!(sifted(&mut held, piece(2, Some("lookup"), "{\"a\":")).is_empty());
    assert!(sifted(&mut held, piece(2, None, "1}")).is_empty());
    let (mine, theirs) = held.calls(&ours());
    assert_eq!(mine.len(), 1);
    assert_eq!(theirs.len(), 1);
    assert_eq!((theirs[0].index, theirs[0].arguments.as_deref()), (1, Some("{\"a\":1}")), "no gap where ours stood");
}

#[test]
fn of_a_chunk_with_both_only_the_clients_piece_shows() {
    let mut held = Held::default();
    sifted(&mut held, piece(0, Some("weather"), "{\"a\":"));
    let both = Chunk { calls: vec![delta(0, None, "1}"), delta(1, Some("create_payment"), "{}")], text: Some("So.".to_owned()), ..Chunk::default() };
    let events = sifted(&mut held, both);
    assert!(
        matches!(&events[..], [ChatEvent::Text(text), ChatEvent::Call(call)] if text == "So." && call.arguments.as_deref() == Some("1}")),
        "{events:?}"
    );
    assert_eq!(held.calls(&ours()).0.len(), 1);
}

#[test]
fn text_beside_a_payment_call_still_flows() {
    for finish in [None, Some("tool_calls".to_owned())] {
        let mut held = Held::default();
        let chunk = Chunk { text: Some("One moment.".to_owned()), finish: finish.clone(), ..piece(0, Some("create_payment"), "{}") };
        assert!(matches!(&sifted(&mut held, chunk)[..], [ChatEvent::Text(text)] if text == "One moment."));
        assert_eq!(held.finish.and_then(|chunk| chunk.finish), finish);
    }
}

#[test]
fn a_finish_chunk_goes_out_as_it_came_unless_it_shows_what_is_held() {
    let mut held = Held::default();
    let chunk = || Chunk { frame: Bytes::from_static(b"data: {}\n\n"), finish: Some("stop".to_owned()), ..Chunk::default() };
    sifted(&mut held, Chunk { text: Some("a".to_owned()), ..chunk() });
    assert!(held.finish.as_ref().is_some_and(|chunk| !chunk.frame.is_empty()));
    // A second one takes its place, and its text is not lost.
    assert!(matches!(&sifted(&mut held, chunk())[..], [ChatEvent::Text(text)] if text == "a"));
}

#[test]
fn more_than_can_be_held_is_an_error() {
    let mut held = Held::default();
    assert!(held.sift(piece(0, Some("create_payment"), &"x".repeat(HELD_BYTES_MAX)), &ours()).is_err());
    let mut held = Held::default();
    for index in 0..64 {
        assert_eq!(sifted(&mut held, piece(index, Some("w"), "{}")).len(), 1, "flows");
    }
    assert!(held.sift(piece(64, Some("w"), "{}"), &ours()).is_err());
    // What flows on is not held.
    let mut held = Held::default();
    sifted(&mut held, piece(u32::MAX, Some("w"), &"x".repeat(HELD_BYTES_MAX + 1)));
    sifted(&mut held, piece(0, Some("create_"), "{}"));
    assert_eq!(held.calls(&ours()).1[0].index, u32::MAX, "and no index overflows");
}
