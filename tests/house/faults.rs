//! The sandbox's faults as a client sees them, and that money stays right under a storm of them.

use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::market::{Market, Shop, verdict};
use super::stall::Stall;
use super::visitor;

const NATIVE: &str = "/v3/pay/transactions/native";

/// Sends a signed request; `None` if no whole answer came.
async fn try_post(shop: &Shop, target: &str, json: &Value) -> Option<(u16, Value)> {
    let request = shop.request("POST", target, json.to_string());
    let socket = tokio::net::TcpStream::connect(shop.address).await.ok()?;
    let (mut send, conn) = hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(socket)).await.ok()?;
    tokio::task::spawn(conn);
    let (head, body) = send.send_request(request).await.ok()?.into_parts();
    let body = body.collect().await.ok()?.to_bytes();
    Some((head.status.as_u16(), serde_json::from_slice(&body).unwrap_or_default()))
}

#[tokio::test]
async fn each_fault_does_what_it_says() {
    let market = Market::open().await;
    let shop = market.demo();
    let cases = [
        ("reset_before_acting", None, false),
        ("reset_after_acting", None, true),
        ("status_500", Some(500), false),
        ("status_500_after_acting", Some(500), true),
        ("status_502_after_acting", Some(502), true),
        ("status_503", Some(503), false),
        ("status_429", Some(429), false),
        ("truncated", None, true),
        ("bad_signature", Some(200), true),
        ("status_401", Some(401), false),
        ("status_403", Some(403), false),
        ("status_504_after_acting", Some(504), true),
        ("html", Some(200), true),
        ("forged_signature", Some(200), true),
        ("unsigned", Some(200), true),
        ("empty_json", Some(200), true),
        ("oversize", Some(200), true),
    ];
    for (fault, status, acted) in cases {
        let number = format!("no-{fault}");
        let mut rates = json!({});
        rates[fault] = json!(1.0);
        market.say("/sandbox/faults", json!({"create": {"rates": rates}})).await;
        let answer = try_post(&shop, NATIVE, &shop.order(&number, 1, &json!({}))).await;
        assert_eq!(answer.map(|(status, _)| status), status, "{fault}");
        let found = shop.get(&format!("/v3/pay/transactions/out-trade-no/{number}?mchid={}", shop.mchid)).await;
        assert_eq!(found.status == 200, acted, "{fault}");
    }
    market.say("/sandbox/faults", json!({"connections": {"refused": 1.0}})).await;
    assert!(try_post(&shop, NATIVE, &shop.order("no-refused", 1, &json!({}))).await.is_none());
    market.say("/sandbox/faults", json!({})).await;
    assert_eq!(shop.post(NATIVE, &shop.order("no-refused", 1, &json!({}))).await.status, 200, "the desk was not refused");
    market.say("/sandbox/faults", json!({"query": {"other_amount": 1}})).await;
    let query = format!("/v3/pay/transactions/out-trade-no/no-refused?mchid={}", shop.mchid);
    let amounts = (shop.get(&query).await.json()["amount"]["total"].clone(), shop.get(&query).await.json()["amount"]["total"].clone());
    assert_eq!(amounts, (json!(2), json!(1)));
    let nonsense = visitor::post(market.address, "/sandbox/faults", &[], r#"{"create": {"rates": {"truncated": 2}}}"#).await;
    assert_eq!(nonsense.status, 400);
}

#[tokio::test]
async fn both_codes_of_429_are_met() {
    let market = Market::open().await;
    let shop = market.demo();
    market.say("/sandbox/switches", json!({"per_second_max": 1})).await;
    let query = format!("/v3/pay/transactions/out-trade-no/unknown?mchid={}", shop.mchid);
    for (target, code) in [(query.as_str(), "FREQUENCY_LIMITED"), ("/v3/certificates", "RATELIMIT_EXCEEDED")] {
        let limited =
            visitor::until("a second request in one second", || async { Some(shop.get(target).await).filter(|answer| answer.status == 429) }).await;
        assert_eq!(verdict(&limited).1, code);
        assert!(limited.header("request-id").ends_with("-268447840"));
    }
}

#[tokio::test]
async fn callbacks_lost_doubled_and_out_of_order_all_arrive_in_the_end() {
    let (market, stall) = (Market::open().await, Stall::open().await);
    let shop = market.demo();
    let rates = json!({"lost": 0.3, "bad_signature": 0.2, "duplicated": 0.3, "reordered": 0.5});
    market.say("/sandbox/faults", json!({"seed": 3, "callbacks": {"rates": rates}})).await;
    for n in 0..20 {
        let made = shop.post(NATIVE, &shop.order(&format!("order-{n:04}"), 1, &json!({"notify_url": stall.url()}))).await;
        market.say("/phone/pay", made.json()).await;
    }
    let numbers = || {
        let all = stall.all();
        all.iter().filter(|notice| !notice.is_probe()).map(|notice| notice.open(&shop.apiv3_key)["out_trade_no"].to_string()).collect::<Vec<_>>()
    };
    visitor::until("every order to be reported", || async {
        market.say("/sandbox/clock", json!({"advance_ms": 60_000})).await;
        let mut seen = numbers();
        seen.sort();
        seen.dedup();
        (seen.len() == 20).then_some(())
    })
    .await;
    let seen = numbers();
    assert!(seen.len() > 20, "some came twice");
    assert!(seen.windows(2).any(|pair| pair[0] > pair[1]), "some were overtaken");
    assert!(stall.all().iter().any(super::stall::Arrived::is_probe), "some were probes");
}

#[tokio::test]
async fn under_a_storm_every_order_and_refund_exists_once() {
    let market = Market::open().await;
    let shop = market.demo();
    let rates = json!({
        "reset_before_acting": 0.05, "reset_after_acting": 0.1, "status_500": 0.05, "status_500_after_acting": 0.1, "status_502_after_acting": 0.05,
        "status_503": 0.05, "status_429": 0.05, "truncated": 0.1, "latency": 0.2, "latency_ms": 3,
    });
    market
        .say("/sandbox/faults", json!({"seed": 11, "create": {"rates": rates}, "refund": {"rates": rates}, "connections": {"refused": 0.05}}))
        .await;
    // The documented way: the same number and the same parameters until there is an answer.
    let insist = async |target: &str, json: &Value| loop {
        if let Some((200, answer)) = try_post(&shop, target, json).await {
            return answer;
        }
    };
    for n in 0..40 {
        let made = insist(NATIVE, &shop.order(&format!("order-{n:04}"), 10, &json!({}))).await;
        market.say("/phone/pay", made).await;
        for part in ["a", "b"] {
            let amount = json!({"refund": 4, "total": 10, "currency": "CNY"});
            let refund = json!({"out_trade_no": format!("order-{n:04}"), "out_refund_no": format!("R{n}{part}"), "amount": amount});
            insist("/v3/refund/domestic/refunds", &refund).await;
        }
    }
    market.say("/sandbox/faults", json!({})).await;
    let (orders, refunds) = (market.see("/sandbox/orders").await, market.see("/sandbox/refunds").await);
    assert_eq!((orders["orders"].as_array().map(Vec::len), refunds["refunds"].as_array().map(Vec::len)), (Some(40), Some(80)));
    assert!(orders["orders"].as_array().expect("a list").iter().all(|order| order["refunds"].as_array().map(Vec::len) == Some(2)));
}
