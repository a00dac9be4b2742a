//! Refunds at the sandbox: accepted once, ended in their time, reported.

use serde_json::{Value, json};

use super::market::{Market, Shop, verdict};
use super::stall::Stall;

const REFUNDS: &str = "/v3/refund/domestic/refunds";

/// A paid order of this shop.
async fn paid(market: &Market, shop: &Shop, number: &str, total: i64) -> Value {
    let made = shop.post("/v3/pay/transactions/native", &shop.order(number, total, &json!({}))).await;
    assert_eq!(made.status, 200, "{}", made.text());
    market.say("/phone/pay", made.json()).await
}

fn refund(number: &str, order: &str, amounts: (i64, i64)) -> Value {
    json!({"out_trade_no": order, "out_refund_no": number, "reason": "商品已售完", "amount": {"refund": amounts.0, "total": amounts.1, "currency": "CNY"}})
}

#[tokio::test]
async fn a_refund_is_accepted_once_ends_and_is_reported() {
    let (market, stall) = (Market::open().await, Stall::open().await);
    let shop = market.demo();
    let transaction = paid(&market, &shop, "order-0001", 100).await["transaction_id"].clone();
    market.say("/sandbox/switches", json!({"refund_ms": 3_600_000})).await;
    let mut asked = refund("R@1", "order-0001", (30, 100));
    asked["notify_url"] = stall.url().into();
    let accepted = shop.post(REFUNDS, &asked).await;
    assert_eq!(accepted.status, 200, "{}", accepted.text());
    let json = accepted.json();
    assert_eq!((json["status"].as_str(), json["channel"].as_str(), &json["transaction_id"]), (Some("PROCESSING"), Some("ORIGINAL"), &transaction));
    assert_eq!((&json["amount"]["refund"], &json["amount"]["payer_refund"], json.get("success_time")), (&json!(30), &json!(30), None));
    assert_eq!(shop.post(REFUNDS, &asked).await.json()["refund_id"], json["refund_id"], "the same refund");
    assert_eq!(verdict(&shop.post(REFUNDS, &refund("R@1", "order-0001", (31, 100))).await), (400, "INVALID_REQUEST".into()));
    assert_eq!(verdict(&shop.post(REFUNDS, &refund("R@2", "order-0001", (71, 100))).await), (400, "INVALID_REQUEST".into()));
    let order = shop.get(&format!("/v3/pay/transactions/out-trade-no/order-0001?mchid={}", shop.mchid)).await.json();
    assert_eq!(order["trade_state"], "REFUND");
    assert_eq!(shop.get(&format!("{REFUNDS}/R%401")).await.json()["status"], "PROCESSING");
    market.say("/sandbox/clock", json!({"advance_ms": 3_600_000})).await;
    let done = shop.get(&format!("{REFUNDS}/R@1")).await.json();
    assert_eq!((done["status"].as_str(), done["success_time"].is_string()), (Some("SUCCESS"), true));
    let notice = stall.until(1).await.remove(0);
    assert_eq!(
        (notice.envelope["event_type"].as_str(), notice.envelope["resource"]["original_type"].as_str()),
        (Some("REFUND.SUCCESS"), Some("refund"))
    );
    let content = notice.open(&shop.apiv3_key);
    assert_eq!((content["refund_status"].as_str(), content.get("status"), content["amount"].get("currency")), (Some("SUCCESS"), None, None));
    assert_eq!((&content["out_refund_no"], &content["mchid"]), (&json!("R@1"), &json!(shop.mchid)));
}

#[tokio::test]
async fn refunds_fail_in_the_documented_ways() {
    let (market, stall) = (Market::open().await, Stall::open().await);
    let shop = market.demo();
    paid(&market, &shop, "order-0001", 100).await;
    assert_eq!(verdict(&shop.get(&format!("{REFUNDS}/unknown")).await), (404, "RESOURCE_NOT_EXISTS".into()));
    assert_eq!(verdict(&shop.post(REFUNDS, &refund("R1", "order-9999", (1, 100))).await), (404, "RESOURCE_NOT_EXISTS".into()));
    let mut no_currency = refund("R1", "order-0001", (1, 100));
    no_currency["amount"].as_object_mut().expect("an object").remove("currency");
    let refused = shop.post(REFUNDS, &no_currency).await;
    assert_eq!((verdict(&refused), refused.json()["detail"]["field"].as_str()), ((400, "PARAM_ERROR".into()), Some("/amount/currency")));
    market.say("/sandbox/switches", json!({"balance_short": true})).await;
    assert_eq!(verdict(&shop.post(REFUNDS, &refund("R1", "order-0001", (1, 100))).await), (403, "NOT_ENOUGH".into()));
    market.say("/sandbox/switches", json!({"refund_outcome": "ABNORMAL"})).await;
    let mut asked = refund("R1", "order-0001", (100, 100));
    asked["notify_url"] = stall.url().into();
    let id = shop.post(REFUNDS, &asked).await.json()["refund_id"].as_str().expect("accepted after the top-up").to_owned();
    assert_eq!(shop.get(&format!("{REFUNDS}/R1")).await.json()["status"], "ABNORMAL");
    assert_eq!(stall.until(1).await[0].envelope["event_type"], "REFUND.ABNORMAL");
    market.say("/sandbox/switches", json!({})).await;
    let target = format!("{REFUNDS}/{id}/apply-abnormal-refund");
    assert_eq!(verdict(&shop.post(&target, &json!({"out_refund_no": "R1", "type": "USER_BANK_CARD"})).await), (400, "PARAM_ERROR".into()));
    let sent = shop.post(&target, &json!({"out_refund_no": "R1", "type": "MERCHANT_BANK_CARD"})).await;
    assert_eq!((sent.status.as_u16(), sent.json()["status"].as_str()), (200, Some("PROCESSING")));
    assert_eq!(stall.until(2).await[1].envelope["event_type"], "REFUND.SUCCESS");
}

#[tokio::test]
async fn a_partner_refunds_for_its_sub_merchant_only() {
    let market = Market::open().await;
    let partner = market.merchant("partner");
    let (one, other) = (partner.sub_mchids[0].clone(), partner.sub_mchids[1].clone());
    let order = partner.partner_order(&one, "order-0001", 100, &json!({}));
    let made = partner.post("/v3/pay/partner/transactions/native", &order).await;
    market.say("/phone/pay", made.json()).await;
    let mut asked = refund("R1", "order-0001", (100, 100));
    assert_eq!(verdict(&partner.post(REFUNDS, &asked).await), (400, "PARAM_ERROR".into()), "a partner names the sub-merchant");
    asked["sub_mchid"] = other.as_str().into();
    assert_eq!(verdict(&partner.post(REFUNDS, &asked).await), (404, "RESOURCE_NOT_EXISTS".into()));
    asked["sub_mchid"] = one.as_str().into();
    assert_eq!(partner.post(REFUNDS, &asked).await.status, 200);
    assert_eq!(partner.get(&format!("{REFUNDS}/R1?sub_mchid={one}")).await.json()["status"], "SUCCESS");
    assert_eq!(verdict(&partner.get(&format!("{REFUNDS}/R1?sub_mchid={other}")).await), (404, "RESOURCE_NOT_EXISTS".into()));
}
