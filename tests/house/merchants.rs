//! The sandbox's merchants: an ordinary one, a partner, and one that has only the platform's public key.

use serde_json::json;

use super::market::{Market, verdict};

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
