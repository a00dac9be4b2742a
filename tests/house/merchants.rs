//! The sandbox's merchants: an ordinary one, a partner, and one that has only the platform's public key.

use serde_json::json;

use super::market::{Market, verdict};
use super::stall::Stall;

#[tokio::test]
async fn each_merchant_trades_in_its_own_name() {
    let market = Market::open().await;
    let (demo, partner, newer) = (market.demo(), market.merchant("partner"), market.merchant("public_key_only"));
    assert_eq!(partner.sub_mchids.len(), 2);
    for shop in [&demo, &newer] {
        let made = shop.post("/v3/pay/transactions/native", &shop.order("same-number-01", 1, &json!({}))).await;
        assert_eq!(made.status, 200, "the same number at two merchants: {}", made.text());
    }
    let mine = demo.get(&format!("/v3/pay/transactions/out-trade-no/same-number-01?mchid={}", demo.mchid)).await;
    assert_eq!((mine.status.as_u16(), mine.json()["mchid"].as_str()), (200, Some(demo.mchid.as_str())));
    let others = demo.get(&format!("/v3/pay/transactions/out-trade-no/same-number-01?mchid={}", newer.mchid)).await;
    assert_eq!(verdict(&others), (400, "PARAM_ERROR".into()));
}

#[tokio::test]
async fn a_public_key_merchant_has_no_certificates() {
    let market = Market::open().await;
    let account = market.file("account.json");
    let newer = market.merchant("public_key_only");
    let none = newer.get("/v3/certificates").await;
    assert_eq!(verdict(&none), (404, "RESOURCE_NOT_EXISTS".into()));
    assert_eq!(none.header("wechatpay-serial"), account["public_key_id"].as_str().expect("an id"), "signed with the public key, unasked");
    let some = market.demo().get("/v3/certificates").await;
    assert_eq!(some.header("wechatpay-serial"), account["platform_serial"].as_str().expect("a serial"));
    assert_eq!(some.json()["data"][0]["serial_no"], account["platform_serial"]);
}

#[tokio::test]
async fn certificates_rotate_with_both_valid_for_a_while() {
    let (mut market, stall) = (Market::open().await, Stall::open().await);
    let shop = market.demo();
    let old = market.file("account.json")["platform_serial"].as_str().expect("a serial").to_owned();
    market.say("/sandbox/certificates", json!({"rotate": true, "signs_in_ms": 86_400_000, "old_valid_ms": 432_000_000})).await;
    let listed = shop.get("/v3/certificates").await;
    let serials = |list: &serde_json::Value| {
        let data = list["data"].as_array().expect("a list").iter();
        data.map(|item| item["serial_no"].as_str().expect("a serial").to_owned()).collect::<Vec<_>>()
    };
    let both = serials(&listed.json());
    assert_eq!((both.len(), &both[0], listed.header("wechatpay-serial")), (2, &old, old.as_str()), "listed a day before it signs");
    market.restart().await;
    market.say("/sandbox/clock", json!({"advance_ms": 86_400_000})).await;
    let shop = market.demo();
    let made = shop.post("/v3/pay/transactions/native", &shop.order("order-0001", 1, &json!({"notify_url": stall.url()}))).await;
    assert_eq!(made.header("wechatpay-serial"), both[1], "the newest signs");
    market.say("/phone/pay", made.json()).await;
    assert_eq!(stall.until(1).await[0].headers["wechatpay-serial"], both[1].as_str(), "notices too");
    market.say("/sandbox/clock", json!({"advance_ms": 4 * 86_400_000_i64})).await;
    assert_eq!(serials(&shop.get("/v3/certificates").await.json()), both[1..], "the old one has gone");
}
