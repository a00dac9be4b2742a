//! Once: retries, races, lost answers and hung-up clients all end in one order, and the ledger agrees with the payment side.

use fengate::clock::UnixMs;
use fengate::connectors::OrderDraft;
use fengate::ids::{Fingerprint, IdempotencyKey, MerchantId, PaymentId, RequestId};
use fengate::ledger::{Cause, Opened};
use fengate::money::Money;
use fengate::payment::record::{Identity, NewPayment};
use fengate::payment::state::Event;
use fengate::payment::terms::{AmountSource, DecidedBy, Method, Terms};
use serde_json::json;

use super::rig::{KEY, Rig, ask, order, payment_in, streamed};
use super::visitor;

#[tokio::test]
async fn the_same_request_again_finds_the_first_payment() {
    let rig = Rig::start().await;
    let body = order("pay for the blue sneakers", 12_900);
    let first = payment_in(&rig.chat(&body).await);
    // Laid out differently, as another SDK would send it.
    let again = visitor::post(rig.public, "/v1/chat/completions", &[KEY], format!("{body:#}")).await;
    assert_eq!((payment_in(&again)["id"].clone(), again.header("idempotent-replayed")), (first["id"].clone(), "true"));
    assert!(again.text().contains("129.00"));
    let other = payment_in(&rig.chat(&order("please pay for the blue sneakers", 12_900)).await);
    assert_ne!(other["id"], first["id"], "another request is another payment");
    assert_eq!(rig.orders().await.len(), 2);
    assert_eq!(rig.metric("fengate_replays_total{merchant=\"demo\"}").await, 1.0);
    rig.phone(first["next_action"]["code_url"].as_str().expect("a code")).await;
    rig.until_state(first["id"].as_str().expect("an id"), "paid").await;
    let paid = rig.chat(&streamed(body.clone())).await;
    assert!(paid.text().contains(first["id"].as_str().expect("an id")), "the same order, streamed: {}", paid.text());
    assert_eq!(payment_in(&rig.chat(&body).await)["state"], "paid", "told as it stands now");
    let streaming = streamed(order("now pay for the blue sneakers", 12_900));
    assert_eq!(rig.chat(&streaming).await.header("x-should-retry"), "", "whether there will be an order is not known before the first byte");
    let again = rig.chat(&streaming).await;
    assert_eq!((again.header("x-should-retry"), again.header("idempotent-replayed")), ("false", "true"), "now it is");
}

#[tokio::test]
async fn how_an_answer_travels_makes_no_other_payment() {
    let rig = Rig::start().await;
    let body = ask("pay 5 yuan for tea");
    let first = rig.chat(&streamed(body.clone())).await.text();
    assert!(first.contains("\"payments\":[{"), "{first}");
    let with = |more: &[(&str, serde_json::Value)]| {
        let mut body = body.clone();
        for (name, value) in more {
            body[*name] = value.clone();
        }
        body
    };
    for again in [
        with(&[]),
        with(&[("stream", json!(false))]),
        with(&[("stream", json!(null)), ("payment", json!(null))]),
        with(&[("stream", json!(true)), ("stream_options", json!({"include_usage": true}))]),
    ] {
        let answer = rig.chat(&again).await;
        assert_eq!((answer.status.as_u16(), answer.header("idempotent-replayed")), (200, "true"), "{again}");
    }
    assert_eq!(rig.orders().await.len(), 1);
    // A field that says something about the question does make another.
    assert_eq!(rig.chat(&with(&[("seed", json!(1))])).await.header("idempotent-replayed"), "");
    assert_eq!(rig.orders().await.len(), 2);
}

#[tokio::test]
async fn a_key_names_one_payment() {
    let rig = Rig::start().await;
    let body = order("pay for the blue sneakers", 12_900);
    let keyed = [KEY, ("idempotency-key", "req-7")];
    let first = payment_in(&rig.chat_as(&keyed, &body).await);
    assert_eq!(payment_in(&rig.chat_as(&keyed, &body).await)["id"], first["id"]);
    let reused = rig.chat_as(&keyed, &order("pay for the red hat", 500)).await;
    assert_eq!((reused.status.as_u16(), reused.error_code().as_str()), (422, "idempotency_key_reused"));
    let long = "k".repeat(256);
    let unkeyed = order("pay for the blue sneakers under a bad key", 12_900).to_string();
    for bad in ["", "schlüssel", "钥匙", "a\r\nidempotency-key: b", &long] {
        let head = format!("host: a\r\nauthorization: Bearer sk-fengate-demo\r\nconnection: close\r\ncontent-length: {}", unkeyed.len());
        let request = format!("POST /v1/chat/completions HTTP/1.1\r\n{head}\r\nidempotency-key: {bad}\r\n\r\n{unkeyed}");
        let answer = visitor::raw(rig.public, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("invalid_idempotency_key"), "{bad}: {answer}");
    }
    assert_eq!(rig.orders().await.len(), 1, "nothing is made under a key that is none");
    assert_eq!(rig.chat_as(&[KEY, ("idempotency-key", &long[1..])], &order("pay for it under a long key", 12_900)).await.status, 200);
    let cart = |words: &str| {
        let mut body = order(words, 12_900);
        body["payment"]["idempotency_key"] = "cart-77".into();
        body["payment"]["order"]["id"] = "SO-77".into();
        body
    };
    let first = payment_in(&rig.chat(&cart("pay for the blue sneakers")).await);
    let later = payment_in(&rig.chat(&cart("well, buy it then")).await);
    assert_eq!(later["id"], first["id"], "a cart is paid once, whatever is said about it");
    for (member, value) in [("amount", json!({"total": 99_900})), ("description", json!("melons")), ("id", json!("SO-2"))] {
        for stream in [false, true] {
            let mut body = cart("now pay for something else");
            body["payment"]["order"][member] = value.clone();
            body["stream"] = stream.into();
            let answer = rig.chat(&body).await;
            assert!(answer.text().contains("idempotency_key_reused"), "another {member}: {}", answer.text());
            assert!(stream || (answer.status.as_u16(), answer.header("x-should-retry")) == (422, "false"));
        }
    }
}

#[tokio::test]
async fn a_merchants_order_has_one_live_payment() {
    let rig = Rig::start().await;
    let about = |words: &str, total: i64| {
        let mut body = order(words, total);
        body["payment"]["order"]["id"] = "SO-2".into();
        body
    };
    let first = payment_in(&rig.chat(&about("pay for the blue sneakers", 12_900)).await);
    let again = payment_in(&rig.chat(&about("pay", 12_900)).await);
    assert_eq!(again["id"], first["id"], "another request about an order that waits to be paid");
    let dearer = rig.chat(&about("pay now", 13_900)).await;
    assert_eq!((dearer.status.as_u16(), dearer.error_code().as_str()), (422, "idempotency_key_reused"), "{}", dearer.text());
    assert_eq!(rig.orders().await.len(), 1);
    rig.app.house.ledger.apply(&PaymentId::new(first["id"].as_str().expect("an id")), Event::Closed, Cause::of("test")).await.expect("moves");
    let anew = payment_in(&rig.chat(&about("buy it", 12_900)).await);
    assert_ne!(anew["id"], first["id"], "what ended unpaid makes room");
}

#[tokio::test]
async fn a_request_key_is_checked_again_when_the_payment_is_recorded() {
    let rig = Rig::start().await;
    let ask_with_amount = |words: &str| json!({"model": "wechat-pay-base", "messages": [{"role": "user", "content": words}]});
    let keyed = [KEY, ("idempotency-key", "req-race")];
    let (first, second) = (ask_with_amount("pay 1 yuan for tea [slow 20]"), ask_with_amount("pay 999 yuan for tea [slow 20]"));
    let (a, b) = tokio::join!(rig.chat_as(&keyed, &first), rig.chat_as(&keyed, &second));
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 422], "{} {}", a.text(), b.text());
    assert_eq!(rig.orders().await.len(), 1);
}

#[tokio::test]
async fn a_repetition_that_comes_while_the_order_is_being_made_waits_for_its_code() {
    let rig = Rig::start().await;
    rig.faults(json!({"create": {"delay_ms": 500}})).await;
    let body = order("pay for the blue sneakers", 12_900);
    let repeated = async {
        visitor::until("the payment to be recorded", || async {
            (rig.metric("fengate_payments_total{decided_by=\"model\",state=\"created\"}").await > 0.0).then_some(())
        })
        .await;
        rig.chat(&body).await
    };
    let (first, again) = tokio::join!(rig.chat(&body), repeated);
    for answer in [first, again] {
        let payment = payment_in(&answer);
        assert_eq!(payment["state"], "awaiting_user");
        assert!(payment["next_action"]["code_url"].is_string());
    }
}

#[tokio::test]
async fn a_hundred_equal_requests_at_once_make_one_order() {
    let rig = Rig::start().await;
    let bodies: Vec<_> = (0..100)
        .map(|n| if n % 2 == 0 { order("pay for the blue sneakers", 12_900) } else { streamed(order("pay for the blue sneakers", 12_900)) })
        .collect();
    let (whole, stream) = ([KEY, ("idempotency-key", "w")], [KEY, ("idempotency-key", "s")]);
    let answers =
        futures_util::future::join_all(bodies.iter().map(|body| rig.chat_as(if body["stream"] == true { &stream } else { &whole }, body))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    let ids: std::collections::HashSet<String> =
        answers.iter().step_by(2).map(|answer| payment_in(answer)["id"].as_str().expect("an id").to_owned()).collect();
    assert_eq!(ids.len(), 1);
    assert!(answers.iter().step_by(2).all(|answer| payment_in(answer)["next_action"]["code_url"].is_string()), "every caller gets the code");
    let orders = rig.orders().await;
    assert_eq!(orders.len(), 2, "one for each key");
    assert!(orders.iter().all(|order| order["creates"] == 1), "{orders:?}");
}

#[tokio::test]
async fn an_answer_lost_on_the_way_is_found_again_under_the_same_number() {
    for fault in [
        json!({"reset_after_acting": 1}),
        json!({"status_500_after_acting": 1}),
        json!({"bad_signature": 1}),
        json!({"status_503": 1}),
        json!({"reset_after_acting": 3}),
    ] {
        let rig = Rig::start().await;
        rig.faults(json!({"create": fault})).await;
        let answer = rig.chat(&order("pay for the blue sneakers", 12_900)).await;
        let payment = payment_in(&answer);
        assert_eq!(payment["state"], "unknown", "neither success nor failure: {fault}");
        let reasoning = payment["reasoning"].as_str().expect("a reason");
        assert!(reasoning.starts_with("WeChat Pay has not confirmed the order"), "no words of a socket: {reasoning}");
        assert!(rig.payment(payment["id"].as_str().expect("an id")).await.reason.is_some(), "those are the operator's");
        assert_eq!(answer.header("x-should-retry"), "false");
        let settled = rig.until_state(payment["id"].as_str().expect("an id"), "awaiting_user").await;
        assert!(settled.code_url.is_some());
        let orders = rig.orders().await;
        assert_eq!(orders.len(), 1, "{fault}: {orders:?}");
        assert_eq!(orders[0]["out_trade_no"], settled.out_trade_no.as_str());
        assert_eq!(orders[0]["code_url"].as_str(), settled.code_url.as_deref(), "the code that lives");
        rig.phone(settled.code_url.as_deref().expect("a code")).await;
        rig.until_state(settled.id.as_str(), "paid").await;
    }
}

#[tokio::test]
async fn a_lost_notice_is_found_by_asking() {
    let rig = Rig::start().await;
    rig.faults(json!({"callbacks": {"drop": 1_000}})).await;
    let payment = payment_in(&rig.chat(&order("pay for the blue sneakers", 12_900)).await);
    rig.phone(payment["next_action"]["code_url"].as_str().expect("a code")).await;
    rig.until_state(payment["id"].as_str().expect("an id"), "paid").await;
    assert_eq!(rig.metric("fengate_callbacks_total{verdict=\"settled\"}").await, 0.0);
}

#[tokio::test]
async fn a_client_that_hangs_up_cannot_cut_a_payment_in_half() {
    let rig = Rig::start().await;
    rig.faults(json!({"create": {"delay_ms": 300}})).await;
    for (n, stream) in [false, true].into_iter().enumerate() {
        let mut body = order(&format!("pay for the blue sneakers, {n}"), 12_900);
        body["stream"] = stream.into();
        let request = visitor::post_request(rig.public, "/v1/chat/completions", &[KEY], body.to_string());
        let public = rig.public;
        let asking = tokio::task::spawn(async move {
            let mut response = visitor::open(public, request).await;
            while http_body_util::BodyExt::frame(response.body_mut()).await.is_some() {}
        });
        // Recorded, and the order under way.
        visitor::until("the payment to be recorded", || async {
            (rig.metric("fengate_payments_total{decided_by=\"model\",state=\"created\"}").await > n as f64).then_some(())
        })
        .await;
        asking.abort();
    }
    visitor::until("both orders", || async {
        (rig.metric("fengate_payments_total{decided_by=\"model\",state=\"awaiting_user\"}").await == 2.0).then_some(())
    })
    .await;
    assert_eq!(rig.orders().await.len(), 2);
}

#[tokio::test]
async fn an_order_the_payment_side_refuses_fails_and_says_so() {
    let rig = Rig::start().await;
    rig.faults(json!({"create": {"param_error": 1}})).await;
    let answer = rig.chat(&order("pay for the blue sneakers", 12_900)).await;
    let payment = payment_in(&answer);
    assert_eq!((payment["state"].as_str(), payment["next_action"]["code_url"].as_str()), (Some("failed"), None));
    assert_eq!(rig.orders().await.len(), 0);
    assert!(!answer.text().contains("Scan to pay"), "{}", answer.text());
    let refused = rig.payment(payment["id"].as_str().expect("an id")).await.reason.expect("a reason");
    let code = refused.split(':').next().expect("a code");
    assert!(code.len() > 3 && !answer.text().contains(code), "{code} is for the operator: {}", answer.text());
}

/// A payment that was recorded by a process that died before it knew whether the order had left.
async fn recorded_and_cut_off(rig: &Rig) -> fengate::payment::record::Payment {
    let house = &rig.app.house;
    let merchant = MerchantId::new("demo");
    let rail = house.rails.get(&merchant).expect("a rail").clone();
    let terms = Terms { amount: Money::fen(12_900).expect("an amount"), description: "blue sneakers".to_owned(), method: Method::WechatNative };
    let new = NewPayment {
        merchant: merchant.clone(),
        identity: Identity::Named(IdempotencyKey::new("cart-9")),
        fingerprint: Fingerprint::of(&[b"cart-9"]),
        request_id: RequestId::new("req_cut_off"),
        terms: terms.clone(),
        amount_source: AmountSource::MerchantOrder,
        decided_by: DecidedBy::Rules,
        model_version: None,
        order_id: None,
    };
    let body = move |out_trade_no: &_, _| rail.connector.order_body(&OrderDraft::native(out_trade_no, &terms, &rail.notify_url));
    match house.ledger.open_payment(new, Box::new(body)).await.expect("recorded") {
        Opened::New(payment) => payment,
        Opened::Existing(payment) => panic!("{payment:?} was there before"),
    }
}

#[tokio::test]
async fn an_unsigned_word_that_an_order_is_closed_ends_nothing() {
    let rig = Rig::start().await;
    rig.faults(json!({"create": {"claimed_closed": 1}})).await;
    let payment = payment_in(&rig.chat(&order("pay for the blue sneakers", 12_900)).await);
    assert_eq!(payment["state"], "unknown", "the signed query says that there is no such order");
    rig.until_state(payment["id"].as_str().expect("an id"), "awaiting_user").await;
    assert_eq!(rig.orders().await.len(), 1);
}

#[tokio::test]
async fn after_a_crash_a_refusal_alone_proves_nothing() {
    for (refusals, end) in [(1, "awaiting_user"), (2, "failed")] {
        let rig = Rig::start().await;
        let payment = recorded_and_cut_off(&rig).await;
        rig.faults(json!({"create": {"param_error": refusals}})).await;
        rig.reconcile().sweep(UnixMs(i64::MAX)).await;
        // The first sending, of the process that died, may have made the order: asked about before it is believed.
        rig.until_state(payment.id.as_str(), end).await;
        let trail = rig.app.house.ledger.audit_trail(&payment.id).await.expect("reads");
        assert!(trail.iter().any(|entry| entry.to.as_deref() == Some("unknown")), "{trail:?}");
        assert_eq!(rig.orders().await.len(), usize::from(end == "awaiting_user"));
    }
}
