//! Over the inference limit: a truthful wait, or, for a payment the merchant's own data determines, no model at all.

use std::time::Duration;

use serde_json::json;

use super::rig::{Rig, ask, order, payment_in};

const SMALL: &str =
    "\n[[merchant]]\nid = \"small\"\ndemo = false\nkeys = [\"sha256:KEY\"]\ninference_per_second = 20\n[merchant.wechatpay]\nsandbox = true\n";

/// What `small` may ask of models in a second.
const LIMIT: f64 = 20.0;

/// The most `small` is admitted in the time since `started`: a second's worth at once, then the rate.
fn admitted_at_most(started: tokio::time::Instant) -> f64 {
    LIMIT + LIMIT * started.elapsed().as_secs_f64()
}

async fn small() -> (Rig, [(&'static str, &'static str); 1]) {
    let key = fengate::ids::hex(&fengate::routes::hash_key("sk-small"));
    (Rig::with(&SMALL.replace("KEY", &key)).await, [("authorization", "Bearer sk-small")])
}

#[tokio::test]
async fn a_chat_over_the_limit_hears_a_true_wait() {
    let (rig, key) = small().await;
    let (body, started) = (ask("hello"), tokio::time::Instant::now());
    let answers = futures_util::future::join_all((0..100).map(|_| rig.chat_as(&key, &body))).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!(!refused.is_empty() && refused.len() as f64 >= 100.0 - admitted_at_most(started), "{} refused", refused.len());
    for answer in &refused {
        assert_eq!(answer.error_code(), "rate_limit_exceeded");
        let ms: u64 = answer.header("retry-after-ms").parse().expect("a wait");
        assert!((1..=1_000).contains(&ms) && answer.header("retry-after") == "1", "{ms}");
    }
    let wait = refused.iter().filter_map(|answer| answer.header("retry-after-ms").parse().ok()).max().expect("a wait");
    tokio::time::sleep(Duration::from_millis(wait)).await;
    assert_eq!(rig.chat_as(&key, &body).await.status, 200, "the wait was true");
}

#[tokio::test]
async fn ten_times_the_limit_and_every_determined_payment_completes_once() {
    let (rig, key) = small().await;
    let carts: Vec<_> = (0..2_000)
        .map(|n| {
            let mut body = order("pay for the blue sneakers", 100 + n);
            body["payment"]["idempotency_key"] = format!("cart-{n}").into();
            body
        })
        .collect();
    let started = tokio::time::Instant::now();
    // 200 a second for ten seconds, each cart asked about twice, as a nervous client would.
    for wave in carts.chunks(20) {
        let next = tokio::time::Instant::now() + Duration::from_millis(100);
        let answers = futures_util::future::join_all(wave.iter().chain(wave).map(|body| rig.chat_as(&key, body))).await;
        for answer in answers {
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(payment_in(&answer)["state"], "awaiting_user");
        }
        tokio::time::sleep_until(next).await;
    }
    let orders = rig.orders().await;
    assert_eq!(orders.len(), 2_000, "one for each cart");
    assert!(orders.iter().all(|order| order["creates"] == 1), "none sent twice");
    let admissions = async |verdict| rig.metric(&format!("fengate_admissions_total{{merchant=\"small\",verdict=\"{verdict}\"}}")).await;
    let (admitted, classic) = (admissions("admitted").await, admissions("classic").await);
    assert_eq!(admitted + classic, 4_000.0, "every question went on");
    assert!(admitted <= admitted_at_most(started), "{admitted} asked a model");
    // Which of two equal questions makes the order is a race; every cart was made by one of them.
    let made = async |by| rig.metric(&format!("fengate_payments_total{{decided_by=\"{by}\",state=\"created\"}}")).await;
    assert_eq!(made("rules").await + made("model").await, 2_000.0);
    assert!(made("rules").await >= 2_000.0 - admitted);
}

#[tokio::test]
async fn a_payment_that_needs_a_model_waits_like_any_other_question() {
    let (rig, key) = small().await;
    let body = json!({"model": "wechat-pay-base", "messages": [{"role": "user", "content": "pay 5 yuan for tea"}]});
    let answers = futures_util::future::join_all((0..100).map(|_| rig.chat_as(&key, &body))).await;
    assert!(answers.iter().any(|answer| answer.status == 429));
    assert_eq!(rig.orders().await.len(), 1, "equal requests are one payment");
}
