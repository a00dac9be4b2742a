//! Profit sharing at the sandbox: no fen divided twice, strangers get nothing, what went can come back.

use serde_json::{Value, json};

use super::market::{Market, Shop, verdict};

const MINUTE_MS: i64 = 60_000;

/// A paid order that may be divided; its number at WeChat Pay.
async fn divisible(market: &Market, shop: &Shop, number: &str, total: i64) -> String {
    let order = shop.order(number, total, &json!({"settle_info": {"profit_sharing": true}}));
    let made = shop.post("/v3/pay/transactions/native", &order).await.json();
    let paid = market.say("/phone/pay", json!({"code_url": made["code_url"]})).await;
    paid["transaction_id"].as_str().expect("a number").to_owned()
}

async fn knows(shop: &Shop, account: &str) {
    let receiver = json!({"appid": shop.appid, "type": "PERSONAL_OPENID", "account": account, "relation_type": "STAFF"});
    assert_eq!(shop.post("/v3/profitsharing/receivers/add", &receiver).await.status, 200);
}

fn order(shop: &Shop, transaction_id: &str, number: &str, parts: &[(&str, i64)], unfreeze: bool) -> Value {
    let part =
        |(account, amount): &(&str, i64)| json!({"type": "PERSONAL_OPENID", "account": account, "amount": amount, "description": "commission"});
    json!({
        "appid": shop.appid, "transaction_id": transaction_id, "out_order_no": number, "unfreeze_unsplit": unfreeze,
        "receivers": parts.iter().map(part).collect::<Vec<_>>(),
    })
}

const ORDERS: &str = "/v3/profitsharing/orders";

#[tokio::test]
async fn a_payment_is_divided_once_and_the_rest_unfrozen() {
    let mut market = Market::open().await;
    let shop = market.demo();
    let transaction = divisible(&market, &shop, "order-0001", 1_000).await;
    knows(&shop, "anna").await;
    let first = order(&shop, &transaction, "P1", &[("anna", 100), ("stranger", 50)], false);
    assert_eq!(verdict(&shop.post(ORDERS, &first).await), (400, "INVALID_REQUEST".to_owned()), "within the first minute");
    market.say("/sandbox/clock", json!({"advance_ms": MINUTE_MS})).await;
    let made = shop.post(ORDERS, &first).await.json();
    assert_eq!((&made["state"], &made["receivers"][0]["result"]), (&json!("PROCESSING"), &json!("PENDING")));
    assert_eq!(shop.post(ORDERS, &first).await.json()["order_id"], made["order_id"], "the same again is the same");
    let other = order(&shop, &transaction, "P1", &[("anna", 101)], false);
    assert_eq!(verdict(&shop.post(ORDERS, &other).await), (400, "INVALID_REQUEST".to_owned()));
    assert_eq!(verdict(&shop.post(ORDERS, &order(&shop, &transaction, "P2", &[("anna", 201)], false)).await), (403, "RULE_LIMIT".to_owned()));
    market.say("/sandbox/clock", json!({"advance_ms": 1_000})).await;
    market.restart().await;
    let shop = market.demo();
    let ended = shop.get(&format!("{ORDERS}/P1?transaction_id={transaction}")).await.json();
    let results: Vec<_> = ended["receivers"].as_array().expect("a list").iter().map(|part| (&part["result"], &part["fail_reason"])).collect();
    assert_eq!((&ended["state"], results), (&json!("FINISHED"), vec![(&json!("SUCCESS"), &Value::Null), (&json!("CLOSED"), &json!("NO_RELATION"))]));
    let amounts = format!("/v3/profitsharing/transactions/{transaction}/amounts");
    assert_eq!(shop.get(&amounts).await.json()["unsplit_amount"], 900);
    let refund = json!({"out_trade_no": "order-0001", "out_refund_no": "R1", "amount": {"refund": 400, "total": 1_000, "currency": "CNY"}});
    assert_eq!(shop.post("/v3/refund/domestic/refunds", &refund).await.status, 200);
    assert_eq!(shop.get(&amounts).await.json()["unsplit_amount"], 500, "what went back to the payer is not there to be divided");
    let unfreeze = |number: &str| json!({"transaction_id": transaction, "out_order_no": number, "description": "done"});
    assert_eq!(shop.post("/v3/profitsharing/orders/unfreeze", &unfreeze("P1")).await.json()["order_id"], made["order_id"]);
    assert_eq!(shop.get(&amounts).await.json()["unsplit_amount"], 500, "under a used number nothing happens");
    let rest = shop.post("/v3/profitsharing/orders/unfreeze", &unfreeze("P3")).await.json();
    assert_eq!((&rest["receivers"][0]["account"], &rest["receivers"][0]["amount"]), (&json!(shop.mchid), &json!(500)));
    assert_eq!(shop.get(&amounts).await.json()["unsplit_amount"], 0);
}

#[tokio::test]
async fn what_a_merchant_got_can_come_back_and_no_more() {
    let market = Market::open().await;
    let shop = market.demo();
    let transaction = divisible(&market, &shop, "order-0001", 1_000).await;
    market.say("/sandbox/clock", json!({"advance_ms": MINUTE_MS})).await;
    let sealed = market.sealed("兄弟商户");
    let receiver = json!({"appid": shop.appid, "type": "MERCHANT_ID", "account": "1900000009", "name": sealed, "relation_type": "PARTNER"});
    assert_eq!(verdict(&shop.post("/v3/profitsharing/receivers/add", &receiver).await), (400, "PARAM_ERROR".to_owned()), "no Wechatpay-Serial");
    let added = market.post_sealed(&shop, "/v3/profitsharing/receivers/add", &receiver).await.json();
    assert_eq!(market.opened(&added["name"]), "兄弟商户");
    let part = json!({"type": "MERCHANT_ID", "account": "1900000009", "amount": 200, "description": "share"});
    let mut split = order(&shop, &transaction, "P1", &[], false);
    split["receivers"] = json!([part]);
    assert_eq!(shop.post(ORDERS, &split).await.status, 200);
    let back = |number: &str, amount: i64| json!({"out_order_no": "P1", "out_return_no": number, "return_mchid": "1900000009", "amount": amount, "description": "back"});
    let returns = "/v3/profitsharing/return-orders";
    assert_eq!(verdict(&shop.post(returns, &back("B1", 150)).await), (400, "INVALID_REQUEST".to_owned()), "the run has not ended");
    market.say("/sandbox/clock", json!({"advance_ms": 1_000})).await;
    assert_eq!(shop.post(returns, &back("B1", 150)).await.json()["result"], "PROCESSING");
    assert_eq!(verdict(&shop.post(returns, &back("B2", 51)).await), (403, "NOT_ENOUGH".to_owned()));
    market.say("/sandbox/clock", json!({"advance_ms": 1_000})).await;
    assert_eq!(shop.get(&format!("{returns}/B1?out_order_no=P1")).await.json()["result"], "SUCCESS");
    let plain = divisible(&market, &shop, "order-0002", 10).await;
    assert_eq!(verdict(&market.merchant("partner").get(&format!("/v3/profitsharing/transactions/{plain}/amounts")).await).0, 404, "another's");
}

#[tokio::test]
async fn a_partner_divides_what_its_sub_merchant_was_paid() {
    let market = Market::open().await;
    let shop = market.merchant("partner");
    let (sub, other) = (shop.sub_mchids[0].clone(), shop.sub_mchids[1].clone());
    let order = shop.partner_order(&sub, "order-0001", 1_000, &json!({"settle_info": {"profit_sharing": true}}));
    let made = shop.post("/v3/pay/partner/transactions/native", &order).await.json();
    let transaction = market.say("/phone/pay", json!({"code_url": made["code_url"]})).await["transaction_id"].as_str().expect("a number").to_owned();
    market.say("/sandbox/clock", json!({"advance_ms": MINUTE_MS})).await;
    let split = |sub_mchid: &str| {
        let part = json!({"type": "PERSONAL_OPENID", "account": "anna", "amount": 100, "description": "commission"});
        json!({
            "appid": shop.appid, "sub_mchid": sub_mchid, "transaction_id": transaction, "out_order_no": "P1", "unfreeze_unsplit": false, "receivers": [part],
        })
    };
    assert_eq!(verdict(&shop.post(ORDERS, &split(&other)).await), (400, "INVALID_REQUEST".to_owned()));
    assert_eq!(shop.post(ORDERS, &split(&sub)).await.json()["sub_mchid"], sub);
    assert_eq!(shop.get(&format!("/v3/profitsharing/merchant-configs/{sub}")).await.json()["max_ratio"], 3_000);
    assert_eq!(verdict(&market.demo().get(&format!("/v3/profitsharing/merchant-configs/{sub}")).await), (403, "NO_AUTH".to_owned()));
}
