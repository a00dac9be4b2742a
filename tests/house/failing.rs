//! Providers that fail: another lane serves while nothing has reached the client; whose fault it is is said; determined payments go on without a model.

use serde_json::json;

use super::rig::{Rig, ask, order, payment_in, streamed};
use super::upstream::{Act, Upstream, json_answer, piece, status_answer, stream_end, stream_head};
use super::visitor::{events, told};

const REPLY: &str = r#"{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"from the second"},"finish_reason":"stop"}]}"#;

fn streamed_answer(text: &str) -> Vec<Act> {
    let chunk = json!({"id": "y", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": "stop"}]});
    vec![stream_head(), piece(&format!("data: {chunk}\n\n")), piece("data: [DONE]\n\n"), stream_end()]
}

fn plain() -> serde_json::Value {
    json!({"model": "theirs", "messages": [{"role": "user", "content": "hi"}]})
}

#[tokio::test]
async fn another_lane_serves_whatever_the_first_one_does() {
    let html = vec![Act::Send("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>".to_owned())];
    for script in [
        status_answer(500, "{}"),
        status_answer(503, ""),
        status_answer(429, "{}"),
        status_answer(401, "{}"),
        status_answer(404, "{}"),
        status_answer(200, "{\"choices\":[]}"),
        html,
        vec![Act::Cut],
    ] {
        for stream in [false, true] {
            let script = script.clone();
            let first = Upstream::start(move |_| script.clone()).await;
            let second = Upstream::start(move |_| if stream { streamed_answer("from the second") } else { json_answer(REPLY) }).await;
            let rig = Rig::with(&Upstream::routes(&[first.address, second.address], "")).await;
            let answer = rig.chat(&if stream { streamed(plain()) } else { plain() }).await;
            assert_eq!((answer.status.as_u16(), answer.text().contains("from the second")), (200, true), "streamed: {stream}: {}", answer.text());
            assert_eq!(answer.text().ends_with("data: [DONE]\n\n"), stream);
            assert_eq!(rig.metric("fengate_failovers_total{model=\"theirs\",provider=\"p0\"}").await, 1.0);
            // Of a stream that broke off before its first event the record says that it was cut.
            let failed =
                async |outcome| rig.metric(&format!("fengate_attempts_total{{model=\"theirs\",outcome=\"{outcome}\",provider=\"p0\"}}")).await;
            assert_eq!(failed("failed").await + failed("cut").await, 1.0);
            assert_eq!(rig.metric("fengate_attempts_total{model=\"theirs\",outcome=\"complete\",provider=\"p1\"}").await, 1.0);
        }
    }
}

#[tokio::test]
async fn lanes_that_are_left_alone_count_as_no_attempt() {
    let mut lanes = Vec::new();
    for _ in 0..4 {
        lanes.push(Upstream::start(|_| status_answer(500, "{}")).await.address);
    }
    lanes.push(Upstream::start(|_| json_answer(REPLY)).await.address);
    let rig = Rig::with(&Upstream::routes(&lanes, "")).await;
    for _ in 0..5 {
        assert_eq!(rig.chat(&plain()).await.status, 502, "four attempts are the most");
    }
    assert_eq!(rig.metric("fengate_breaker_open{model=\"theirs\",provider=\"p3\"}").await, 1.0);
    let answer = rig.chat(&plain()).await;
    assert_eq!(answer.status, 200, "the fifth lane is asked at once: {}", answer.text());
}

#[tokio::test]
async fn after_a_payment_another_lane_may_take_the_next_turn_and_no_other_payment_is_made() {
    const CALL: &str = r#"{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"create_payment","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}"#;
    let call = || {
        let chunk = CALL.replace("\"message\"", "\"delta\"").replace("\"id\":\"c1\"", "\"index\":0,\"id\":\"c1\"");
        vec![stream_head(), piece(&format!("data: {chunk}\n\n")), piece("data: [DONE]\n\n"), stream_end()]
    };
    for stream in [false, true] {
        let first = Upstream::start(move |n| match n {
            0 if stream => call(),
            0 => json_answer(CALL),
            _ => status_answer(500, "{}"),
        })
        .await;
        let second = Upstream::start(move |_| if stream { streamed_answer("from the second") } else { json_answer(REPLY) }).await;
        let rig = Rig::with(&Upstream::routes(&[first.address, second.address], "offer = [\"create_payment\"]")).await;
        let mut body = order("pay for the blue sneakers", 12_900);
        (body["model"], body["stream"]) = ("theirs".into(), stream.into());
        let answer = rig.chat(&body).await;
        assert_eq!((answer.status.as_u16(), answer.text().contains("from the second")), (200, true), "streamed: {stream}: {}", answer.text());
        assert_eq!((first.requests().len(), second.requests().len()), (2, 1), "one turn was asked of the second lane");
        assert!(second.requests()[0].contains("awaiting_user"), "which was told of the order: {}", second.requests()[0]);
        let orders = rig.orders().await;
        assert_eq!((orders.len(), orders[0]["creates"].as_i64()), (1, Some(1)), "{orders:?}");
        assert_eq!(answer.text().matches("\"object\":\"payment\"").count(), 1, "{}", answer.text());
    }
}

#[tokio::test]
async fn a_stream_fails_over_only_before_its_first_event() {
    let good = || {
        vec![
            stream_head(),
            piece("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"second\"},\"finish_reason\":\"stop\"}]}\n\n"),
            piece("data: [DONE]\n\n"),
            stream_end(),
        ]
    };
    let silent = Upstream::start(|_| vec![stream_head(), Act::Cut]).await;
    let second = Upstream::start(move |_| good()).await;
    let rig = Rig::with(&Upstream::routes(&[silent.address, second.address], "")).await;
    assert_eq!(told(&rig.chat(&streamed(plain())).await.text()), "second");
    let spoken =
        Upstream::start(|_| vec![stream_head(), piece("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"first\"}}]}\n\n"), Act::Cut]).await;
    let second = Upstream::start(move |_| good()).await;
    let rig = Rig::with(&Upstream::routes(&[spoken.address, second.address], "")).await;
    let text = rig.chat(&streamed(plain())).await.text();
    assert_eq!(told(&text), "first");
    assert!(events(&text).last().expect("an event").contains("upstream_unreachable"), "{text}");
    assert!(second.requests().is_empty());
}

#[tokio::test]
async fn the_callers_fault_is_tried_nowhere_else() {
    let first = Upstream::start(|_| status_answer(422, r#"{"error":{"message":"bad field"}}"#)).await;
    let second = Upstream::start(|_| json_answer(REPLY)).await;
    let rig = Rig::with(&Upstream::routes(&[first.address, second.address], "")).await;
    let answer = rig.chat(&plain()).await;
    assert_eq!((answer.status.as_u16(), answer.text().contains("bad field")), (422, true));
    assert!(second.requests().is_empty());
}

#[tokio::test]
async fn no_key_shows_in_a_providers_words() {
    let error = json!({"error": {"message": "Incorrect key sk-upstream, also `Bearer abc` and 0123456789abcdefghij: too long", "code": "sk-upstream", "param": "sk-provider-SECRET-canary"}});
    for status in [400, 413, 415, 422] {
        let body = error.to_string();
        let upstream = Upstream::start(move |_| status_answer(status, &body)).await;
        let rig = Rig::with(&Upstream::routes(&[upstream.address], "")).await;
        let answer = rig.chat(&plain()).await;
        assert_eq!(answer.status.as_u16(), status);
        let error = answer.json()["error"].clone();
        assert_eq!(error["message"], "Incorrect key [redacted], also `Bearer [redacted]` and [redacted]: too long");
        assert_eq!((&error["code"], &error["param"]), (&json!("[redacted]"), &json!("[redacted]")));
    }
}

#[tokio::test]
async fn whose_fault_it_is_is_said() {
    let hang = std::sync::Arc::new(tokio::sync::Notify::new());
    let cases = [
        (vec![Act::Hang(hang)], 504, "upstream_timeout"),
        (vec![Act::Cut], 502, "upstream_unreachable"),
        (status_answer(200, "not json"), 502, "upstream_invalid"),
        (status_answer(500, "{}"), 502, "upstream_error"),
        (status_answer(401, "{\"error\":{\"message\":\"key sk-upstream is bad\"}}"), 502, "upstream_denied"),
    ];
    for (script, status, code) in cases {
        let upstream = Upstream::start(move |_| script.clone()).await;
        let rig = Rig::with(&Upstream::routes(&[upstream.address], "")).await;
        let answer = rig.chat(&plain()).await;
        assert_eq!((answer.status.as_u16(), answer.error_code().as_str()), (status, code));
        assert!(!answer.text().contains("sk-upstream"));
        assert!(answer.text().contains("model provider"), "{}", answer.text());
    }
    let rig = Rig::with(&Upstream::routes(&[Upstream::nobody().await], "")).await;
    assert_eq!(rig.chat(&plain()).await.status, 502, "nobody listens");
    let busy = Upstream::start(|_| vec![Act::Send("HTTP/1.1 429 X\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n".to_owned())]).await;
    let rig = Rig::with(&Upstream::routes(&[busy.address], "")).await;
    let answer = rig.chat(&plain()).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after"), answer.header("retry-after-ms")), (429, "7", "7000"));
}

#[tokio::test]
async fn a_lane_that_keeps_failing_is_left_alone() {
    let first = Upstream::start(|_| status_answer(500, "{}")).await;
    let second = Upstream::start(|_| json_answer(REPLY)).await;
    let rig = Rig::with(&Upstream::routes(&[first.address, second.address], "")).await;
    for _ in 0..12 {
        assert_eq!(rig.chat(&plain()).await.status, 200);
    }
    assert_eq!(first.requests().len(), 5, "the breaker opened");
    assert_eq!(rig.metric("fengate_breaker_open{model=\"theirs\",provider=\"p0\"}").await, 1.0);
}

#[tokio::test]
async fn with_the_first_provider_down_the_payment_succeeds_on_the_second() {
    let down = Upstream::nobody().await;
    let lanes =
        "lanes = [{ provider = \"p0\", model = \"x\" }]\nfallback = [{ provider = \"sandbox\", model = \"base\" }]\noffer = [\"create_payment\"]";
    let provider = format!("[[provider]]\nid = \"p0\"\nbase_url = \"http://{down}/v1\"\n[[model]]\nname = \"two-lanes\"\n{lanes}\n");
    let rig = Rig::with(&provider).await;
    for body in [order("pay for the blue sneakers", 12_900), streamed(order("pay for the blue sneakers!", 100))] {
        let mut body = body;
        body["model"] = "two-lanes".into();
        let answer = rig.chat(&body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let orders = rig.orders().await;
    assert_eq!(orders.len(), 2, "{orders:?}");
}

#[tokio::test]
async fn with_every_lane_down_determined_payments_still_complete() {
    let down = Upstream::nobody().await;
    let more = format!(
        "[[provider]]\nid = \"p0\"\nbase_url = \"http://{down}/v1\"\n[[model]]\nname = \"down\"\nlanes = [{{ provider = \"p0\", model = \"x\" }}]\noffer = [\"create_payment\"]\n"
    );
    let rig = Rig::with(&more).await;
    let mut body = order("pay for the blue sneakers", 12_900);
    body["model"] = "down".into();
    let answer = rig.chat(&body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let payment = payment_in(&answer);
    assert_eq!((payment["decided_by"].as_str(), payment["state"].as_str()), (Some("rules"), Some("awaiting_user")));
    assert!(answer.json()["choices"][0]["message"]["content"].as_str().expect("text").contains("129.00"));
    let mut again = streamed(order("buy the blue sneakers", 12_900));
    again["model"] = "down".into();
    let stream = rig.chat(&again).await;
    assert_eq!(stream.header("x-should-retry"), "false", "the order was there before the first byte");
    let stream = stream.text();
    assert!(stream.contains("\"decided_by\":\"rules\"") && stream.ends_with("data: [DONE]\n\n"), "{stream}");
    assert_eq!(rig.metric("fengate_classic_fallbacks_total{merchant=\"demo\",why=\"models_down\"}").await, 2.0);
    assert_eq!(rig.phone(payment["next_action"]["code_url"].as_str().expect("a code")).await.status, 200);
    rig.until_state(payment["id"].as_str().expect("an id"), "paid").await;
    for words in ["pay for the blue sneakers if they are blue", "what colours are there", "pay 1 yuan"] {
        let mut body = order(words, 12_900);
        body["model"] = "down".into();
        assert_eq!(rig.chat(&body).await.status, 502, "{words} is not determined");
    }
    let mut body = ask("pay 5 yuan for tea");
    body["model"] = "down".into();
    // By now the breaker is open: nobody is asked any more.
    let answer = rig.chat(&body).await;
    assert_eq!((answer.status.as_u16(), answer.error_code().as_str()), (503, "model_unavailable"), "the user's words alone need a model");
}
