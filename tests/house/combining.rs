//! Combined orders at the sandbox: several orders, one payment, one notice.

use serde_json::{Value, json};

use super::market::{Market, Shop, verdict};
use super::stall::Stall;

const NATIVE: &str = "/v3/combine-transactions/native";

fn part(mchid: &str, number: &str, total: i64) -> Value {
    json!({"mchid": mchid, "attach": "x", "amount": {"total_amount": total, "currency": "CNY"}, "out_trade_no": number, "description": "商品"})
}

fn combined(shop: &Shop, number: &str, parts: &[Value], notify_url: &str) -> Value {
    json!({"combine_appid": shop.appid, "combine_mchid": shop.mchid, "combine_out_trade_no": number, "sub_orders": parts, "notify_url": notify_url})
}

#[tokio::test]
async fn parts_are_paid_together_and_reported_once() {
    let (mut market, stall) = (Market::open().await, Stall::open().await);
    let (shop, other) = (market.demo(), market.merchant("public_key_only"));
    let parts = [part(&shop.mchid, "part-0001", 3), part(&other.mchid, "part-0002", 4)];
    let body = combined(&shop, "C@1", &parts, &stall.url());
    let first = shop.post(NATIVE, &body).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let second = shop.post(NATIVE, &body).await.json();
    let dead = super::visitor::post(market.address, "/phone/pay", &[], first.text()).await;
    assert_eq!(dead.status, 404, "the old code is dead");
    let mut settled = body.clone();
    settled["sub_orders"][0]["settle_info"] = json!({"profit_sharing": true});
    assert_eq!(verdict(&shop.post(NATIVE, &settled).await), (400, "INVALID_REQUEST".into()));
    let taken = shop.post("/v3/pay/transactions/native", &shop.order("part-0001", 3, &json!({}))).await;
    assert_eq!(verdict(&taken), (400, "INVALID_REQUEST".into()), "the number is a part's");
    market.restart().await;
    let shop = market.demo();
    let target = "/v3/combine-transactions/out-trade-no/C@1";
    let open = shop.get(target).await.json();
    assert_eq!((open["sub_orders"][1]["trade_state"].as_str(), open.get("combine_transaction_id")), (Some("NOTPAY"), None));
    market.say("/phone/pay", second).await;
    let content = stall.until(1).await[0].open(&shop.apiv3_key);
    assert_eq!(content, shop.get(target).await.json(), "the notice says what the query says");
    assert_eq!(content["sub_orders"][1]["amount"], json!({"total_amount": 4, "currency": "CNY", "payer_amount": 4, "payer_currency": "CNY"}));
    let alone = shop.get(&format!("/v3/pay/transactions/out-trade-no/part-0001?mchid={}", shop.mchid)).await.json();
    assert_eq!((&alone["trade_state"], &alone["transaction_id"]), (&json!("SUCCESS"), &content["sub_orders"][0]["transaction_id"]));
    let refund = json!({"out_trade_no": "part-0001", "out_refund_no": "R1", "amount": {"refund": 3, "total": 3, "currency": "CNY"}});
    assert_eq!(shop.post("/v3/refund/domestic/refunds", &refund).await.status, 200, "parts are refunded one by one");
    assert_eq!(verdict(&shop.post(NATIVE, &body).await).0, 400);
    assert_eq!(stall.all().len(), 1);
}

#[tokio::test]
async fn closing_names_exactly_the_parts() {
    let market = Market::open().await;
    let (shop, partner) = (market.demo(), market.merchant("partner"));
    let parts = [part(&shop.mchid, "part-0001", 3), part(&shop.mchid, "part-0002", 4)];
    let made = shop.post(NATIVE, &combined(&shop, "C1", &parts, "https://shop.example/notify")).await;
    assert_eq!(made.status, 200, "{}", made.text());
    let target = "/v3/combine-transactions/out-trade-no/C1/close";
    let named = |numbers: &[&str]| {
        let parts: Vec<Value> = numbers.iter().map(|number| json!({"mchid": shop.mchid, "out_trade_no": number})).collect();
        json!({"combine_appid": shop.appid, "sub_orders": parts})
    };
    assert_eq!(verdict(&shop.post(target, &named(&["part-0001"])).await), (400, "INVALID_REQUEST".into()));
    for _ in 0..2 {
        assert_eq!(shop.post(target, &named(&["part-0002", "part-0001"])).await.status, 204);
    }
    let dead = super::visitor::post(market.address, "/phone/pay", &[], made.text()).await;
    assert_eq!(dead.status, 409);
    for (parts, field) in [
        (vec![part(&shop.mchid, "part-0003", 3)], "/sub_orders"),
        (vec![part(&shop.mchid, "part-0003", 3), part(&shop.mchid, "part-0003", 3)], "/sub_orders/1/out_trade_no"),
        (vec![part(&shop.mchid, "part-0003", 3), part("1999999999", "part-0004", 3)], "/sub_orders/1/mchid"),
        (vec![part(&shop.mchid, "part-0003", 3), part(&shop.mchid, "part-0004", 0)], "/sub_orders/1/amount/total_amount"),
    ] {
        let refused = shop.post(NATIVE, &combined(&shop, "C2", &parts, "https://shop.example/notify")).await;
        assert_eq!((verdict(&refused).1.as_str(), refused.json()["detail"]["field"].as_str()), ("PARAM_ERROR", Some(field)));
    }
    let mut one = part(&partner.mchid, "part-0001", 3);
    one["sub_mchid"] = partner.sub_mchids[0].as_str().into();
    let alone = partner.post(NATIVE, &combined(&partner, "C1", &[one], "https://shop.example/notify")).await;
    assert_eq!(alone.status, 200, "a partner may combine one: {}", alone.text());
}
