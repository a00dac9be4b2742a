//! Over the inference limit: a truthful wait, or, for a payment the merchant's own data determines, no model at all.

use std::time::Duration;

use serde_json::json;

use super::rig::{Rig, ask, order, payment_in};

const SMALL: &str =
    "\n[[merchant]]\nid = \"small\"\ndemo = false\nkeys = [\"sha256:KEY\"]\ninference_per_second = 20\n[merchant.wechatpay]\nsandbox = true\n";

async fn small() -> (Rig, [(&'static str, &'static str); 1]) {
    let key = fengate::ids::hex(&fengate::routes::hash_key("sk-small"));
    (Rig::with(&SMALL.replace("KEY", &key)).await, [("authorization", "Bearer sk-small")])
}

#[tokio::test]
async fn a_chat_over_the_limit_hears_a_true_wait() {
    let (rig, key) = small().await;
    let body = ask("hello");
    let answers = futures_util::future::join_all((0..60).map(|_| rig.chat_as(&key, &body))).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!(refused.len() >= 30, "{} refused", refused.len());
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
    let carts: Vec<_> = (0..600)
        .map(|n| {
            let mut body = order("pay for the blue sneakers", 100 + n);
            body["payment"]["idempotency_key"] = format!("cart-{n}").into();
            body
        })
        .collect();
    let mut by = std::collections::HashMap::new();
    // 200 a second for three seconds, each cart asked about twice, as a nervous client would.
    for wave in carts.chunks(20) {
        let next = tokio::time::Instant::now() + Duration::from_millis(100);
        let answers = futures_util::future::join_all(wave.iter().chain(wave).map(|body| rig.chat_as(&key, body))).await;
        for answer in answers {
            assert_eq!(answer.status, 200, "{}", answer.text());
            let payment = payment_in(&answer);
            assert_eq!(payment["state"], "awaiting_user");
            *by.entry(payment["decided_by"].as_str().expect("a word").to_owned()).or_insert(0) += 1;
        }
        tokio::time::sleep_until(next).await;
    }
    let orders = rig.orders().await;
    assert_eq!(orders.len(), 600, "one for each cart");
    assert!(orders.iter().all(|order| order["creates"] == 1), "none sent twice");
    assert!(by["rules"] > by["model"], "{by:?}");
    assert!(rig.metric("fengate_classic_fallbacks_total{merchant=\"small\",why=\"limited\"}").await > 500.0);
    assert!(rig.metric("fengate_admissions_total{merchant=\"small\",verdict=\"classic\"}").await > 500.0);
}

#[tokio::test]
async fn a_payment_that_needs_a_model_waits_like_any_other_question() {
    let (rig, key) = small().await;
    let body = json!({"model": "wechat-pay-base", "messages": [{"role": "user", "content": "pay 5 yuan for tea"}]});
    let answers = futures_util::future::join_all((0..60).map(|_| rig.chat_as(&key, &body))).await;
    assert!(answers.iter().any(|answer| answer.status == 429));
    assert_eq!(rig.orders().await.len(), 1, "equal requests are one payment");
}
