//! A life of the process: ready, draining, ended, started again.

use std::sync::Arc;

use http_body_util::BodyExt;
use serde_json::json;
use tokio::sync::Notify;

use super::rig::{KEY, Rig, ask, order, payment_in, routes_text, streamed};
use super::upstream::{Act, Upstream, piece, stream_end, stream_head};
use super::visitor::{self, told};

#[tokio::test]
async fn the_admin_listener_says_how_it_stands() {
    let rig = Rig::start().await;
    assert_eq!(visitor::get(rig.app.admin, "/healthz", &[]).await.text(), "ok\n");
    assert_eq!(visitor::get(rig.app.admin, "/readyz", &[]).await.text(), "ready\n");
    rig.chat(&ask("hello")).await;
    let page = visitor::get(rig.app.admin, "/metrics", &[]).await;
    assert!(page.header("content-type").starts_with("text/plain"));
    for metric in [
        "fengate_requests_total{door=\"chat\",status=\"2xx\"} 1",
        "fengate_gateway_overhead_seconds_count 1",
        "fengate_tokens_total{",
        "fengate_attempt_duration_seconds_count",
    ] {
        assert!(page.text().contains(metric), "{metric}");
    }
    assert!(!page.text().contains("hello"), "no user text");
    assert_eq!(visitor::get(rig.app.admin, "/elsewhere", &[]).await.status, 404);
}

#[tokio::test]
async fn a_drain_ends_open_streams_and_payments_and_starts_nothing_new() {
    let go_on = Arc::new(Notify::new());
    let waiting = Arc::clone(&go_on);
    let chunk = |text: &str, finish: &str| {
        piece(&format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":{finish}}}]}}\n\n"))
    };
    let (first, last) = (chunk("one", "null"), chunk("two", "\"stop\""));
    let upstream = Upstream::start(move |_| {
        vec![stream_head(), first.clone(), Act::Wait(Arc::clone(&waiting)), last.clone(), piece("data: [DONE]\n\n"), stream_end()]
    })
    .await;
    let rig = Rig::with(&Upstream::routes(&[upstream.address], "")).await;
    let (public, dir) = (rig.public, rig.dir.clone());
    let mut open = visitor::open(
        public,
        visitor::post_request(public, "/v1/chat/completions", &[KEY], streamed(json!({"model": "theirs", "messages": []})).to_string()),
    )
    .await;
    open.body_mut().frame().await.expect("a frame").expect("the first event");
    rig.faults(json!({"create": {"delay_ms": 500}})).await;
    let body = order("pay for the blue sneakers", 12_900).to_string();
    let paying = tokio::task::spawn(visitor::post(public, "/v1/chat/completions", &[KEY], body));
    visitor::until("the payment to be under way", || async {
        (rig.metric("fengate_payments_total{decided_by=\"model\",state=\"created\"}").await > 0.0).then_some(())
    })
    .await;
    let Rig { app, keep, .. } = rig;
    let admin = app.admin;
    let draining = tokio::task::spawn(app.drain());
    visitor::until("the listener to close", || async { tokio::net::TcpStream::connect(public).await.is_err().then_some(()) }).await;
    let ready = visitor::get(admin, "/readyz", &[]).await;
    assert_eq!((ready.status.as_u16(), ready.text().as_str()), (503, "draining\n"), "seen from outside while it drains");
    go_on.notify_one();
    let rest = open.into_body().collect().await.expect("the rest").to_bytes();
    assert!(String::from_utf8_lossy(&rest).ends_with("data: [DONE]\n\n"), "the open stream ended well");
    let paid = payment_in(&paying.await.expect("answered"));
    assert_eq!(paid["state"], "awaiting_user", "the payment ended well");
    assert!(draining.await.expect("drained"), "in time");
    visitor::until("the admin listener to close", || async { tokio::net::TcpStream::connect(admin).await.is_err().then_some(()) }).await;
    // Started again on the same folder, everything is found: the payment, the order, the keys.
    let again = Rig::in_dir(&dir, &routes_text("")).await;
    assert_eq!(again.payment(paid["id"].as_str().expect("an id")).await.state.name(), "awaiting_user");
    again.phone(paid["next_action"]["code_url"].as_str().expect("a code")).await;
    // The old process's callback address is gone with its port; asking finds the payment paid.
    again.reconcile().sweep(again.app.house.clock.now().plus_ms(3_600_000)).await;
    again.until_state(paid["id"].as_str().expect("an id"), "paid").await;
    drop(keep);
}

#[tokio::test]
async fn a_second_start_says_what_is_in_its_way() {
    let rig = Rig::start().await;
    let start = async |text: String| {
        let routes = fengate::routes::read(&text, &rig.dir, &|_| None).expect("valid");
        fengate::app::App::start(routes, fengate::clock::Clock::system()).await.err().expect("in the way").to_string()
    };
    let busy = start(routes_text("").replacen("listen = \"127.0.0.1:0\"", &format!("listen = \"{}\"", rig.public), 1)).await;
    assert!(busy.contains(&rig.public.to_string()) && busy.contains("[server] listen"), "{busy}");
    let ledger = start(routes_text("")).await;
    assert!(ledger.contains("in use by another fengate"), "{ledger}");
}

#[tokio::test]
async fn a_stream_says_the_same_as_the_whole() {
    let rig = Rig::start().await;
    let whole = rig.chat(&ask("hello there")).await.json();
    let stream = rig.chat(&streamed(ask("hello there"))).await.text();
    assert_eq!(whole["choices"][0]["message"]["content"], told(&stream));
}
