//! Streams no well-behaved provider sends: what is no stream never reaches the client as one, and an end that is none is said to be none.

use serde_json::{Value, json};

use super::rig::{Rig, streamed};
use super::upstream::{Act, Upstream, json_answer, piece, stream_end, stream_head};
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

/// A piece of a tool call: at its index, with what is not empty.
fn call(index: u32, name: &str, arguments: &str) -> Value {
    let mut call = json!({"index": index, "function": {}});
    if !name.is_empty() {
        call["function"]["name"] = name.into();
    }
    if !arguments.is_empty() {
        call["function"]["arguments"] = arguments.into();
    }
    json!({"tool_calls": [call]})
}

/// A turn that makes calls, piece by piece; the role comes with the first piece, as OpenAI sends it.
fn calling(mut pieces: Vec<Value>) -> Vec<Act> {
    pieces[0]["role"] = "assistant".into();
    let mut events: Vec<Act> = pieces.into_iter().map(|delta| chunk(delta, None)).collect();
    events.push(chunk(json!({}), Some("tool_calls")));
    stream(events)
}

/// A provider whose model makes these calls first and speaks then, with a payment function offered to it.
async fn paying(first: impl Fn() -> Vec<Act> + Send + Sync + 'static) -> Rig {
    let said = || stream(vec![chunk(json!({"role": "assistant", "content": "said"}), None), chunk(json!({}), Some("stop"))]);
    let upstream = Upstream::start(move |n| if n == 0 { first() } else { said() }).await;
    Rig::with(&Upstream::routes(&[upstream.address], "offer = [\"create_payment\"]")).await
}

/// The calls a client puts together out of a stream, as OpenAI's SDKs do.
fn calls_in(answer: &Answer) -> Vec<(String, String)> {
    let mut calls: Vec<(String, String)> = Vec::new();
    for event in events(&answer.text()).iter().filter_map(|event| serde_json::from_str::<Value>(event).ok()) {
        for call in event["choices"][0]["delta"]["tool_calls"].as_array().into_iter().flatten() {
            let index = call["index"].as_u64().expect("an index") as usize;
            calls.resize(calls.len().max(index + 1), Default::default());
            calls[index].0 += call["function"]["name"].as_str().unwrap_or_default();
            calls[index].1 += call["function"]["arguments"].as_str().unwrap_or_default();
        }
    }
    calls
}

fn buy() -> Value {
    json!({"model": "theirs", "stream": true, "messages": [{"role": "user", "content": "pay 129 yuan for it"}]})
}

#[tokio::test]
async fn a_clients_call_arrives_however_its_name_does() {
    for (pieces, name) in [
        (vec![call(0, "", ""), call(0, "weather", ""), call(0, "", "{}")], "weather"),
        (vec![call(0, "create_payment", ""), call(0, "_v2", "{}")], "create_payment_v2"),
        (vec![call(0, "create_", "{}")], "create_"),
        (vec![call(0, "wea", ""), call(0, "ther", "{}")], "weather"),
    ] {
        let rig = paying(move || calling(pieces.clone())).await;
        let answer = rig.chat(&buy()).await;
        assert_eq!(calls_in(&answer), [(name.to_owned(), "{}".to_owned())], "{}", answer.text());
        assert!(answer.text().contains("\"finish_reason\":\"tool_calls\"") && answer.text().ends_with("data: [DONE]\n\n"), "{}", answer.text());
        assert!(rig.orders().await.is_empty());
    }
}

#[tokio::test]
async fn a_payment_call_pays_and_never_shows_however_its_name_comes() {
    let arguments = r#"{"total_fee":12900,"body":"it"}"#;
    let (start, rest) = arguments.split_at(9);
    for pieces in [
        vec![call(0, "create_", ""), call(0, "payment", arguments)],
        vec![call(0, "", ""), call(0, "create_payment", arguments)],
        vec![call(0, "create_payment", start), call(0, "create_payment", rest)],
    ] {
        let rig = paying(move || calling(pieces.clone())).await;
        let text = rig.chat(&buy()).await.text();
        assert!(!text.contains("tool_calls") && !text.contains("create_"), "{text}");
        assert!(text.contains("\"payments\":[{") && told(&text) == "said", "{text}");
        assert_eq!(text.matches("\"role\":\"assistant\"").count(), 1, "{text}");
        assert_eq!(rig.orders().await.len(), 1);
    }
}

#[tokio::test]
async fn a_second_answer_hides_no_payment_call() {
    let hidden = || {
        let choice = |index: u32, delta: Value| json!({"index": index, "delta": delta, "finish_reason": null});
        let two = json!({"id": "c1", "choices": [choice(0, call(0, "create_payment", "{\"total_fee\":12900}")), choice(1, json!({}))]});
        stream(vec![chunk(json!({"content": "so"}), None), piece(&format!("data: {two}\n\n")), chunk(json!({}), Some("tool_calls"))])
    };
    let rig = paying(hidden).await;
    let answer = rig.chat(&buy()).await;
    assert_eq!(last_error(&answer)["code"], "upstream_invalid");
    assert!(!answer.text().contains("create_payment"), "{}", answer.text());
    let message = |name: &str| json!({"role": "assistant", "content": null, "tool_calls": [{"id": "a", "type": "function", "function": {"name": name, "arguments": "{}"}}]});
    let choices = json!({"choices": [{"index": 0, "message": message("weather")}, {"index": 1, "message": message("create_payment")}]});
    let rig = paying(move || json_answer(&choices.to_string())).await;
    let mut whole = buy();
    whole["stream"] = false.into();
    let answer = rig.chat(&whole).await;
    assert_eq!((answer.status.as_u16(), answer.text().contains("create_payment")), (502, false), "{}", answer.text());
    assert!(rig.orders().await.is_empty());
}

#[tokio::test]
async fn calls_beyond_all_bounds_end_the_stream_in_an_error() {
    let many: Vec<Value> = (0..70).map(|index| call(index, "weather", "{}")).collect();
    for pieces in [vec![call(u32::MAX, "weather", "{}")], vec![call(1_024, "create_payment", "{}")], many] {
        let rig = paying(move || calling([vec![json!({"content": "so"})], pieces.clone()].concat())).await;
        let answer = rig.chat(&buy()).await;
        assert_eq!(last_error(&answer)["code"], "upstream_invalid", "{}", answer.text());
        assert_eq!(rig.metric("fengate_panics_total{door=\"stream\"}").await, 0.0);
        assert!(rig.orders().await.is_empty());
    }
}
