//! The pass-through path: bytes in, bytes out, events as they come, usage once.

use std::sync::Arc;

use fengate::chat::usage::Outcome;
use fengate::ids::RequestId;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::rig::{KEY, OTHER, Rig, order};
use super::upstream::{Act, Upstream, json_answer, piece, status_answer, stream_end, stream_head};
use super::visitor::{self, Answer, events};

const REPLY: &str = r#"{"id":"x-1","object":"chat.completion","created":1,"model":"theirs-2026","choices":[{"index":0,"message":{"role":"assistant","content":"hi","reasoning_content":"…","zzz":1.10},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,"details":{"x":12345678901234567890123}},"unknown":[1e400]}"#;

const CHUNK: &str = "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"theirs\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"a\",\"x\":1.0},\"finish_reason\":null}]}\n\n";
const LAST: &str = "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"theirs\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const USAGE: &str = "data: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":6,\"total_tokens\":11}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

async fn with_provider(script: impl Fn(usize) -> Vec<Act> + Send + Sync + 'static) -> (Rig, Upstream) {
    let upstream = Upstream::start(script).await;
    let rig = Rig::with(&Upstream::routes(&[upstream.address], "")).await;
    (rig, upstream)
}

async fn usage(rig: &Rig, answer: &Answer) -> Vec<(Outcome, Option<u64>)> {
    let id = RequestId::new(answer.header("x-request-id"));
    visitor::until("the usage record", || async {
        let records = rig.app.house.ledger.usage_of(&id).await.expect("reads");
        (!records.is_empty()).then(|| records.iter().map(|record| (record.outcome, record.usage.map(|usage| usage.total()))).collect())
    })
    .await
}

#[tokio::test]
async fn an_untouched_request_passes_as_the_bytes_that_came() {
    let (rig, upstream) = with_provider(|_| json_answer(REPLY)).await;
    let body = "{ \"model\" : \"theirs\", \"messages\":[ {\"role\":\"user\",\"content\":\"h\\u0069\"} ],\n \"n\": 1, \"weird\": 1.10, \"big\": 12345678901234567890123 }";
    let answer = visitor::post(rig.public, "/v1/chat/completions", &[KEY, ("x-custom", "kept"), ("cookie", "secret")], body).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text(), REPLY, "answered as the bytes that came");
    assert_eq!(answer.header("x-ratelimit-remaining"), "7");
    assert!(answer.header("x-request-id").starts_with("req_"));
    let seen = upstream.requests();
    assert!(seen[0].ends_with(&format!("\r\n\r\n{body}")), "forwarded as the bytes that came: {}", seen[0]);
    let head = seen[0].to_lowercase();
    assert!(head.contains("authorization: bearer sk-upstream") && head.contains("x-custom: kept"));
    assert!(!head.contains("sk-fengate-demo") && !head.contains("cookie"), "{head}");
    assert_eq!(usage(&rig, &answer).await, [(Outcome::Complete, Some(7))]);
}

#[tokio::test]
async fn the_payment_object_never_reaches_a_provider() {
    let (rig, upstream) = with_provider(|_| json_answer(REPLY)).await;
    let mut body = order("hello", 12_900);
    body["model"] = "theirs".into();
    assert_eq!(rig.chat(&body).await.status, 200);
    assert!(!upstream.requests()[0].contains("\"payment\""), "{}", upstream.requests()[0]);
}

#[tokio::test]
async fn a_stream_passes_event_by_event_and_is_never_buffered() {
    let go_on = Arc::new(Notify::new());
    let waiting = Arc::clone(&go_on);
    let script = move |_| {
        vec![stream_head(), piece(": hello\n\n"), piece(CHUNK), Act::Wait(Arc::clone(&waiting)), piece(LAST), piece(USAGE), piece(DONE), stream_end()]
    };
    let (rig, upstream) = with_provider(script).await;
    let body = json!({"model": "theirs", "stream": true, "messages": []}).to_string();
    let mut response = visitor::open(rig.public, visitor::post_request(rig.public, "/v1/chat/completions", &[KEY], body)).await;
    assert!(response.headers()["content-type"].to_str().expect("text").starts_with("text/event-stream"));
    let mut seen = String::new();
    while !seen.contains(CHUNK) {
        let frame = response.body_mut().frame().await.expect("not the end").expect("a frame");
        seen.push_str(std::str::from_utf8(frame.data_ref().expect("data")).expect("UTF-8"));
    }
    // The rest exists only once the first event has been seen here.
    go_on.notify_one();
    let answer = Answer { status: response.status(), headers: response.headers().clone(), body: bytes::Bytes::new() };
    seen.push_str(std::str::from_utf8(&response.into_body().collect().await.expect("the rest").to_bytes()).expect("UTF-8"));
    assert_eq!(seen, format!(": hello\n\n{CHUNK}{LAST}{DONE}"), "as it came, without the usage nobody asked for");
    assert!(upstream.requests()[0].contains(r#""stream_options":{"include_usage":true}"#));
    assert_eq!(usage(&rig, &answer).await, [(Outcome::Complete, Some(11))]);
}

#[tokio::test]
async fn a_client_that_asks_for_usage_gets_it_as_it_came() {
    let (rig, _upstream) = with_provider(|_| vec![stream_head(), piece(CHUNK), piece(LAST), piece(USAGE), piece(DONE), stream_end()]).await;
    let body = json!({"model": "theirs", "stream": true, "stream_options": {"include_usage": true}, "messages": []});
    assert_eq!(rig.chat(&body).await.text(), format!("{CHUNK}{LAST}{USAGE}{DONE}"));
}

#[tokio::test]
async fn a_count_of_tokens_beyond_belief_is_bounded_and_marked() {
    let count = u64::MAX;
    let whole =
        REPLY.replace("\"prompt_tokens\":3", &format!("\"prompt_tokens\":{count}")).replace("\"completion_tokens\":4", "\"completion_tokens\":-4");
    let reply = whole.clone();
    let usage_event = USAGE.replace("\"prompt_tokens\":5", &format!("\"prompt_tokens\":{count}"));
    let (rig, _upstream) = with_provider(move |n| match n {
        0 | 1 => json_answer(&reply),
        _ => vec![stream_head(), piece(CHUNK), piece(LAST), piece(&usage_event), piece(DONE), stream_end()],
    })
    .await;
    for stream in [false, false, true] {
        let answer = rig.chat(&json!({"model": "theirs", "stream": stream, "messages": []})).await;
        assert!(stream || answer.text() == whole, "what the provider says passes as it came");
        assert_eq!(usage(&rig, &answer).await, [(Outcome::Complete, Some(100_000_000 + if stream { 6 } else { 0 }))]);
    }
    let tokens = |direction: &str| format!("fengate_tokens_total{{direction=\"{direction}\",merchant=\"demo\",model=\"theirs\",provider=\"p0\"}}");
    assert_eq!((rig.metric(&tokens("prompt")).await, rig.metric(&tokens("completion")).await), (300_000_000.0, 6.0));
    assert_eq!(rig.metric("fengate_usage_implausible_total{provider=\"p0\"}").await, 3.0);
}

#[tokio::test]
async fn a_cut_stream_ends_in_an_error_event_and_never_in_done() {
    for script in [
        vec![stream_head(), piece(CHUNK), Act::Cut],
        vec![stream_head(), piece(CHUNK), stream_end()],
        vec![stream_head(), piece(CHUNK), piece("data: {\"error\":{\"message\":\"internal secret\"}}\n\n"), stream_end()],
    ] {
        let (rig, _upstream) = with_provider(move |_| script.clone()).await;
        let answer = rig.chat(&json!({"model": "theirs", "stream": true, "messages": []})).await;
        let events = events(&answer.text());
        let last: Value = serde_json::from_str(events.last().expect("an event")).expect("JSON");
        assert!(last["error"]["message"].is_string(), "{events:?}");
        assert!(!answer.text().contains("[DONE]") && !answer.text().contains("secret"), "{}", answer.text());
        assert_eq!(usage(&rig, &answer).await, [(Outcome::Cut, None)]);
    }
}

#[tokio::test]
async fn a_client_that_goes_away_takes_the_providers_call_with_it() {
    for stream in [false, true] {
        let gone = Arc::new(Notify::new());
        let told = Arc::clone(&gone);
        let (rig, upstream) =
            with_provider(
                move |_| if stream { vec![stream_head(), piece(CHUNK), Act::Hang(Arc::clone(&told))] } else { vec![Act::Hang(Arc::clone(&told))] },
            )
            .await;
        let body = json!({"model": "theirs", "stream": stream, "messages": []}).to_string();
        let request = visitor::post_request(rig.public, "/v1/chat/completions", &[KEY], body);
        let public = rig.public;
        let asking = tokio::task::spawn(async move {
            let mut response = visitor::open(public, request).await;
            while response.body_mut().frame().await.is_some() {}
        });
        visitor::until("the provider to be asked", || async { (!upstream.requests().is_empty()).then_some(()) }).await;
        asking.abort();
        // The test's client keeps its connection in a task of its own; dropping the request closes it.
        tokio::time::timeout(visitor::PATIENCE, gone.notified()).await.expect("the provider is let go");
        visitor::until("the record", || async {
            (rig.metric("fengate_attempts_total{model=\"theirs\",outcome=\"abandoned\",provider=\"p0\"}").await > 0.0).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn models_are_listed_for_whoever_may_use_them() {
    let rig = Rig::start().await;
    let names = |answer: &Answer| {
        answer.json()["data"].as_array().expect("a list").iter().map(|model| model["id"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&visitor::get(rig.public, "/v1/models", &[KEY]).await), ["plain", "wechat-pay-base"]);
    assert_eq!(names(&visitor::get(rig.public, "/v1/models", &[OTHER]).await), ["wechat-pay-base"]);
    assert_eq!(visitor::get(rig.public, "/v1/models/plain", &[KEY]).await.json()["id"], "plain");
    assert_eq!(visitor::get(rig.public, "/v1/models/plain", &[OTHER]).await.error_code(), "model_not_found");
    assert_eq!(visitor::get(rig.public, "/v1/models", &[]).await.status, 401);
    let rig = Rig::with("[[model]]\nname = \"org/name\"\nlanes = [{ provider = \"sandbox\", model = \"base\" }]\n").await;
    for path in ["/v1/models/org/name", "/v1/models/org%2Fname", "/v1/models/org%2fname"] {
        assert_eq!(visitor::get(rig.public, path, &[KEY]).await.json()["id"], "org/name", "{path}");
    }
    assert_eq!(visitor::get(rig.public, "/v1/models/org%252Fname", &[KEY]).await.error_code(), "model_not_found");
}

#[tokio::test]
async fn the_callers_own_faults_are_said_in_openais_shape() {
    let (rig, upstream) =
        with_provider(|_| status_answer(400, r#"{"error":{"message":"too long","code":"context_length_exceeded","param":"messages"}}"#)).await;
    let at = |path: &'static str, fields: Vec<(&'static str, &'static str)>, body: String| async move {
        visitor::post(rig.public, path, &fields, body).await
    };
    let chat = "/v1/chat/completions";
    let ok = json!({"model": "theirs", "messages": []}).to_string();
    for (answer, status, code) in [
        (at(chat, vec![], ok.clone()).await, 401, "invalid_api_key"),
        (at(chat, vec![("authorization", "Bearer sk-wrong")], ok.clone()).await, 401, "invalid_api_key"),
        (at(chat, vec![KEY], "{\"model\": \"theirs\",\n oops}".into()).await, 400, "invalid_json"),
        (at(chat, vec![KEY], "{\"model\": \"nobody\", \"messages\": []}".into()).await, 404, "model_not_found"),
        (at(chat, vec![KEY], "x".repeat(70_000)).await, 413, "body_too_large"),
        (at(chat, vec![KEY], "{\"model\":\"theirs\",\"model\":\"theirs\",\"messages\":[]}".into()).await, 400, "invalid_json"),
        (at(chat, vec![KEY], ok.clone()).await, 400, "context_length_exceeded"),
        (at("/chat/completions", vec![KEY], ok.clone()).await, 404, "not_found"),
        (at("/v1/models", vec![KEY], ok.clone()).await, 405, "method_not_allowed"),
    ] {
        assert_eq!((answer.status.as_u16(), answer.error_code().as_str()), (status, code), "{}", answer.text());
        assert!(answer.header("x-request-id").starts_with("req_"));
    }
    let position = at(chat, vec![KEY], "{\"model\": \"theirs\",\n oops}".into()).await.text();
    assert!(position.contains("line 2"), "{position}");
    let (none, wrong) = (at(chat, vec![], ok.clone()).await.body, at(chat, vec![("authorization", "Bearer x")], ok).await.body);
    assert_eq!(none, wrong, "no key and a wrong one get the same answer");
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn events_that_come_together_go_out_together() {
    let together: String = (0..50).map(|_| format!("{:x}\r\n{CHUNK}\r\n", CHUNK.len())).collect();
    let (rig, _upstream) = with_provider(move |_| vec![stream_head(), Act::Send(together.clone()), piece(LAST), piece(DONE), stream_end()]).await;
    let body = json!({"model": "theirs", "stream": true, "messages": []}).to_string();
    let mut response = visitor::open(rig.public, visitor::post_request(rig.public, "/v1/chat/completions", &[KEY], body)).await;
    let (mut seen, mut writes) = (String::new(), 0);
    while let Some(frame) = response.body_mut().frame().await {
        seen.push_str(std::str::from_utf8(frame.expect("a frame").data_ref().expect("data")).expect("UTF-8"));
        writes += 1;
    }
    assert_eq!(seen, format!("{}{LAST}{DONE}", CHUNK.repeat(50)), "as they came");
    assert!(writes <= 10, "{writes} writes for 52 events");
}
