//! Streams no well-behaved provider sends: what is no stream never reaches the client as one, and an end that is none is said to be none.

use serde_json::{Value, json};

use super::rig::{Rig, streamed};
use super::upstream::{Act, Upstream, piece, stream_end, stream_head};
use super::visitor::{Answer, events, told};

/// One event of a stream.
fn chunk(delta: Value, finish: Option<&str>) -> Act {
    let chunk = json!({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "theirs", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
    piece(&format!("data: {chunk}\n\n"))
}

/// A stream of these events, `[DONE]` at its end.
fn stream(events: Vec<Act>) -> Vec<Act> {
    let mut acts = vec![stream_head()];
    acts.extend(events);
    acts.extend([piece("data: [DONE]\n\n"), stream_end()]);
    acts
}

fn good() -> Vec<Act> {
    stream(vec![chunk(json!({"role": "assistant", "content": "from the second"}), None), chunk(json!({}), Some("stop"))])
}

fn plain() -> Value {
    streamed(json!({"model": "theirs", "messages": [{"role": "user", "content": "hi"}]}))
}

/// The error a stream ends in.
fn last_error(answer: &Answer) -> Value {
    assert!(!answer.text().contains("[DONE]"), "{}", answer.text());
    let last: Value = serde_json::from_str(events(&answer.text()).last().expect("an event")).expect("JSON");
    assert!(last["error"]["message"].is_string(), "{last}");
    last["error"].clone()
}

fn whole_as(fields: &str, body: &str) -> Vec<Act> {
    vec![Act::Send(format!("HTTP/1.1 200 OK\r\n{fields}content-length: {}\r\n\r\n{body}", body.len()))]
}

#[tokio::test]
async fn another_lane_serves_what_is_no_stream() {
    let events = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"raw\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let comment = || piece(": processing\n\n");
    for (what, script) in [
        ("an error page", whole_as("content-type: text/html\r\n", "<html>\n\nproxy error sk-secret\n\n</html>")),
        ("a whole answer", whole_as("content-type: application/json\r\n", "{\"choices\":[]}")),
        ("no type", whole_as("", events)),
        ("an encoded stream", whole_as("content-type: text/event-stream\r\ncontent-encoding: gzip\r\n", events)),
        ("a page that says it is a stream", whole_as("content-type: text/event-stream\r\n", "<html>\n\nraw\n\n</html>\n\n")),
        ("only [DONE]", stream(Vec::new())),
        ("comments, then nothing", vec![stream_head(), comment(), comment(), stream_end()]),
        ("comments, then a cut", vec![stream_head(), comment(), Act::Cut]),
        ("a comment, then an error", stream(vec![comment(), piece("data: {\"error\":{\"message\":\"raw\"}}\n\n")])),
    ] {
        let alone = script.clone();
        let first = Upstream::start(move |_| script.clone()).await;
        let second = Upstream::start(|_| good()).await;
        let rig = Rig::with(&Upstream::routes(&[first.address, second.address], "")).await;
        let answer = rig.chat(&plain()).await;
        assert_eq!((answer.status.as_u16(), told(&answer.text()).as_str()), (200, "from the second"), "{what}: {}", answer.text());
        assert!(!answer.text().contains("raw") && !answer.text().contains("processing"), "{what}: {}", answer.text());
        assert_eq!(rig.metric("fengate_failovers_total{model=\"theirs\",provider=\"p0\"}").await, 1.0, "{what}");
        // With no other lane it is a plain error, with a status.
        let only = Upstream::start(move |_| alone.clone()).await;
        let rig = Rig::with(&Upstream::routes(&[only.address], "")).await;
        let answer = rig.chat(&plain()).await;
        assert_eq!(answer.status, 502, "{what}: {}", answer.text());
        assert!(answer.error_code().starts_with("upstream_"), "{what}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_stream_may_name_its_charset_and_comment_before_it_speaks() {
    let body = ": one\n\n: two\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let script = whole_as("content-type: Text/Event-Stream;charset=UTF-8\r\ncontent-encoding: identity\r\n", body);
    let upstream = Upstream::start(move |_| script.clone()).await;
    let rig = Rig::with(&Upstream::routes(&[upstream.address], "")).await;
    assert_eq!(rig.chat(&plain()).await.text(), body, "as it came");
    let many = || (0..200).map(|n| piece(&format!(": {n}\n\n"))).chain([chunk(json!({"content": "at last"}), Some("stop"))]).collect();
    let upstream = Upstream::start(move |_| stream(many())).await;
    let rig = Rig::with(&Upstream::routes(&[upstream.address], "")).await;
    let text = rig.chat(&plain()).await.text();
    assert!(text.starts_with(": 0\n\n") && text.contains(": 199\n\n") && told(&text) == "at last", "{text}");
}

#[tokio::test]
async fn an_end_without_a_finish_reason_is_an_error() {
    let upstream = Upstream::start(|_| stream(vec![chunk(json!({"content": "half"}), None)])).await;
    let rig = Rig::with(&Upstream::routes(&[upstream.address], "")).await;
    let answer = rig.chat(&plain()).await;
    assert_eq!((told(&answer.text()).as_str(), last_error(&answer)["code"].as_str()), ("half", Some("upstream_unreachable")));
    assert_eq!(rig.metric("fengate_attempts_total{model=\"theirs\",outcome=\"cut\",provider=\"p0\"}").await, 1.0);
}
