//! Orders of every product at the sandbox, by ordinary merchants and partners: made, checked, paid, expired, reported.

use serde_json::{Value, json};

use super::market::{Market, verdict};
use super::stall::Stall;

const H5_SCENE: &str = r#"{"payer_client_ip": "14.23.150.211", "h5_info": {"type": "Wap"}}"#;

#[tokio::test]
async fn every_product_is_made_and_paid() {
    let (market, stall) = (Market::open().await, Stall::open().await);
    let shop = market.demo();
    let scene: Value = serde_json::from_str(H5_SCENE).expect("JSON");
    let products = [
        ("native", json!({}), "code_url", "NATIVE"),
        ("jsapi", json!({"payer": {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}}), "prepay_id", "JSAPI"),
        ("app", json!({"attach": "自定义"}), "prepay_id", "APP"),
        ("h5", json!({"scene_info": scene}), "h5_url", "MWEB"),
    ];
    for (n, (product, mut more, handle, trade_type)) in products.into_iter().enumerate() {
        more["notify_url"] = stall.url().into();
        let made = shop.post(&format!("/v3/pay/transactions/{product}"), &shop.order(&format!("no|{product}*1"), 7, &more)).await;
        assert_eq!(made.status, 200, "{product}: {}", made.text());
        assert!(made.json()[handle].is_string() && made.json().as_object().expect("an object").len() == 1, "{}", made.text());
        let target = format!("/v3/pay/transactions/out-trade-no/no|{product}%2A1?mchid={}", shop.mchid);
        let open = shop.get(&target).await.json();
        assert_eq!((open["trade_state"].as_str(), open.get("attach"), open.get("trade_type")), (Some("NOTPAY"), None, None), "{product}");
        let paid = market.say("/phone/pay", made.json()).await;
        let by_id =
            shop.get(&format!("/v3/pay/transactions/id/{}?mchid={}", paid["transaction_id"].as_str().expect("an id"), shop.mchid)).await.json();
        assert_eq!((by_id["trade_state"].as_str(), by_id["trade_type"].as_str()), (Some("SUCCESS"), Some(trade_type)));
        assert_eq!(by_id["attach"], more["attach"]);
        let content = stall.until(n + 1).await[n].open(&shop.apiv3_key);
        assert_eq!((&content["transaction_id"], content["trade_type"].as_str()), (&paid["transaction_id"], Some(trade_type)));
        if product == "jsapi" {
            assert_eq!(content["payer"], more["payer"]);
        }
    }
}

#[tokio::test]
async fn a_partner_trades_for_its_sub_merchants() {
    let (market, stall) = (Market::open().await, Stall::open().await);
    let (partner, demo) = (market.merchant("partner"), market.demo());
    let (one, other) = (partner.sub_mchids[0].clone(), partner.sub_mchids[1].clone());
    let notify = json!({"notify_url": stall.url(), "payer": {"sub_openid": "oSubOpenid000000000000000001"}, "sub_appid": "wxsub000000000001"});
    let order = partner.partner_order(&one, "order-0001", 9, &notify);
    let made = partner.post("/v3/pay/partner/transactions/jsapi", &order).await;
    assert_eq!(made.status, 200, "{}", made.text());
    let query = |sub: &str| format!("/v3/pay/partner/transactions/out-trade-no/order-0001?sp_mchid={}&sub_mchid={sub}", partner.mchid);
    let open = partner.get(&query(&one)).await.json();
    assert_eq!((&open["sp_mchid"], &open["sub_mchid"], open.get("mchid")), (&json!(partner.mchid), &json!(one), None));
    assert_eq!(verdict(&partner.get(&query(&other)).await), (400, "INVALID_REQUEST".into()));
    assert_eq!(verdict(&partner.get(&query("1700000000")).await), (403, "NO_AUTH".into()));
    market.say("/phone/pay", made.json()).await;
    let content = stall.until(1).await[0].open(&partner.apiv3_key);
    assert_eq!((&content["sub_mchid"], &content["payer"]), (&json!(one), &json!({"sub_openid": "oSubOpenid000000000000000001"})));
    for (body, code) in [
        (partner.partner_order("1700000000", "order-0002", 9, &json!({})), (403, "NO_AUTH")),
        (partner.partner_order(&partner.mchid, "order-0002", 9, &json!({})), (400, "PARAM_ERROR")),
        (partner.partner_order(&other, "order-0001", 9, &json!({})), (400, "ORDERPAID")),
        (demo.partner_order(&one, "order-0002", 9, &json!({})), (403, "NO_AUTH")),
    ] {
        let shop = if body["sp_mchid"] == demo.mchid.as_str() { &demo } else { &partner };
        assert_eq!(verdict(&shop.post("/v3/pay/partner/transactions/native", &body).await), (code.0, code.1.into()), "{body}");
    }
    let open = partner.post("/v3/pay/partner/transactions/native", &partner.partner_order(&one, "order-0003", 9, &json!({}))).await;
    assert_eq!(open.status, 200);
    let close = "/v3/pay/partner/transactions/out-trade-no/order-0003/close";
    assert_eq!(partner.post(close, &json!({"sp_mchid": partner.mchid, "sub_mchid": other})).await.status, 404);
    assert_eq!(partner.post(close, &json!({"sp_mchid": partner.mchid, "sub_mchid": one})).await.status, 204);
}

#[tokio::test]
async fn a_parameter_at_fault_is_named() {
    let market = Market::open().await;
    let shop = market.demo();
    let good = json!({"payer": {"openid": "oGood00000000000000000000001"}});
    for (path, more, field) in [
        ("jsapi", json!({}), "/payer"),
        ("jsapi", json!({"payer": {}}), "/payer/openid"),
        ("h5", json!({}), "/scene_info"),
        ("h5", json!({"scene_info": {"payer_client_ip": "14.23.150.211"}}), "/scene_info/h5_info"),
        ("native", json!({"amount": {"total": 0}}), "/amount/total"),
        ("native", json!({"amount": {"total": 1, "currency": "USD"}}), "/amount/currency"),
        ("native", json!({"out_trade_no": "12345"}), "/out_trade_no"),
        ("native", json!({"notify_url": "https://shop.example/notify?x=1"}), "/notify_url"),
        ("native", json!({"description": " "}), "/description"),
        ("native", json!({"attach": null}), "/attach"),
        ("native", json!({"attach": "x".repeat(129)}), "/attach"),
        ("native", json!({"time_expire": "tomorrow"}), "/time_expire"),
        ("native", json!({"time_expire": "2099-01-01T00:00:00+08:00"}), "/time_expire"),
        ("native", json!({"detail": {"goods_detail": [{"merchant_goods_id": "g", "quantity": 1}]}}), "/detail/goods_detail/0/unit_price"),
        ("native", json!({"settle_info": {"profit_sharing": "yes"}}), "/settle_info/profit_sharing"),
        ("native", json!({"total_fee": 1}), "/total_fee"),
        ("native", json!({"mchid": "1900000000"}), "/mchid"),
    ] {
        let refused = shop.post(&format!("/v3/pay/transactions/{path}"), &shop.order("order-0001", 1, &more)).await;
        assert_eq!((verdict(&refused), refused.json()["detail"]["field"].as_str()), ((400, "PARAM_ERROR".into()), Some(field)), "{more}");
    }
    let other_app = shop.post("/v3/pay/transactions/native", &shop.order("order-0001", 1, &json!({"appid": "wx0000000000000000"}))).await;
    assert_eq!(verdict(&other_app), (400, "APPID_MCHID_NOT_MATCH".into()));
    assert_eq!(shop.post("/v3/pay/transactions/jsapi", &shop.order("order-0002", 1, &good)).await.status, 200);
    let newer = market.merchant("public_key_only");
    let stolen = newer.post("/v3/pay/transactions/jsapi", &newer.order("order-0003", 1, &good)).await;
    assert_eq!(verdict(&stolen), (400, "PARAM_ERROR".into()), "an openid belongs to one application");
}

#[tokio::test]
async fn lives_end_when_the_clock_is_driven() {
    let mut market = Market::open().await;
    let shop = market.demo();
    let scene: Value = serde_json::from_str(H5_SCENE).expect("JSON");
    let body = shop.order("order-0001", 1, &json!({"scene_info": scene}));
    let old = shop.post("/v3/pay/transactions/h5", &body).await.json();
    market.say("/sandbox/clock", json!({"advance_ms": 300_000})).await;
    assert_eq!(super::visitor::post(market.address, "/phone/pay", &[], old.to_string()).await.status, 409, "five minutes");
    let new = shop.post("/v3/pay/transactions/h5", &body).await;
    assert_eq!(new.status, 200, "the same order again: {}", new.text());
    market.restart().await;
    assert!(market.see("/sandbox/clock").await["ahead_ms"].as_i64() >= Some(300_000), "a restart does not turn time back");
    assert_eq!(market.say("/phone/pay", new.json()).await["trade_state"], "SUCCESS");
    let shop = market.demo();
    let soon = shop.order("order-0002", 1, &json!({"time_expire": "2020-01-01T00:00:00+08:00"}));
    let made = shop.post("/v3/pay/transactions/native", &soon).await;
    assert_eq!(made.status, 200, "moved to a minute from now");
    market.say("/sandbox/clock", json!({"advance_ms": 60_000})).await;
    assert_eq!(super::visitor::post(market.address, "/phone/pay", &[], made.text()).await.status, 409);
    let state = format!("/v3/pay/transactions/out-trade-no/order-0002?mchid={}", shop.mchid);
    assert_eq!(shop.get(&state).await.json()["trade_state"], "NOTPAY");
    market.say("/sandbox/switches", json!({"close_at_expiry": true})).await;
    assert_eq!(shop.get(&state).await.json()["trade_state"], "CLOSED");
    assert_eq!(verdict(&shop.post("/v3/pay/transactions/native", &soon).await), (400, "ORDER_CLOSED".into()));
}

#[tokio::test]
async fn callbacks_that_are_due_are_sent_when_the_clock_is_driven() {
    let (market, stall) = (Market::open().await, Stall::open().await);
    let shop = market.demo();
    stall.answer(&[500, 404, 302]);
    let made = shop.post("/v3/pay/transactions/native", &shop.order("order-0001", 1, &json!({"notify_url": stall.url()}))).await;
    market.say("/phone/pay", made.json()).await;
    for (count, seconds) in [(1, 15), (2, 15), (3, 30)] {
        stall.until(count).await;
        super::visitor::until("the answer to be written down", || async {
            let callbacks = market.see("/sandbox/callbacks").await;
            callbacks["callbacks"][0]["deliveries"].as_array().map(Vec::len).filter(|length| *length >= count)
        })
        .await;
        market.say("/sandbox/clock", json!({"advance_ms": seconds * 1_000})).await;
    }
    let all = stall.until(4).await;
    assert!(all.iter().all(|notice| notice.envelope["id"] == all[0].envelope["id"]), "the same notice");
    assert_ne!(all[0].headers["wechatpay-nonce"], all[1].headers["wechatpay-nonce"], "signed anew");
    super::visitor::until("the notice to be taken", || async {
        market.see("/sandbox/orders").await["orders"][0]["notified"].as_bool().filter(|taken| *taken)
    })
    .await;
}

/// A code payment at the till.
fn till(shop: &super::market::Shop, number: &str, code: &Value) -> Value {
    json!({
        "appid": shop.appid, "mchid": shop.mchid, "description": "咖啡", "out_trade_no": number, "payer": {"auth_code": code},
        "amount": {"total": 5}, "scene_info": {"store_info": {"id": "0001"}},
    })
}

#[tokio::test]
async fn a_scanned_code_pays_once_and_can_be_reversed() {
    let market = Market::open().await;
    let shop = market.demo();
    let pay = "/v3/pay/transactions/codepay";
    let code = market.say("/phone/auth-code", json!({})).await["auth_code"].clone();
    let paid = shop.post(pay, &till(&shop, "till-0001", &code)).await;
    assert_eq!((paid.json()["trade_state"].as_str(), paid.json()["trade_type"].as_str()), (Some("SUCCESS"), Some("MICROPAY")), "{}", paid.text());
    assert_eq!(verdict(&shop.post(pay, &till(&shop, "till-0001", &code)).await), (400, "ORDERPAID".into()));
    assert_eq!(verdict(&shop.post(pay, &till(&shop, "till-0002", &code)).await), (400, "AUTH_CODE_INVALID".into()), "used");
    assert_eq!(verdict(&shop.post(pay, &till(&shop, "till-0002", &json!("281234567890123456"))).await), (400, "PARAM_ERROR".into()), "not ours");
    let at = |number: &str, what: &str| format!("/v3/pay/transactions/out-trade-no/{number}/{what}");
    let me = json!({"appid": shop.appid, "mchid": shop.mchid});
    assert_eq!(verdict(&shop.post(&at("till-0001", "close"), &json!({"mchid": shop.mchid})).await), (400, "INVALID_REQUEST".into()));
    for _ in 0..2 {
        assert_eq!(shop.post(&at("till-0001", "reverse"), &me).await.json()["out_trade_no"], "till-0001");
    }
    let state = |number: &str| format!("/v3/pay/transactions/out-trade-no/{number}?mchid={}", shop.mchid);
    assert_eq!(shop.get(&state("till-0001")).await.json()["trade_state"], "REVOKED");
    for (number, decline, end) in [("till-0003", false, "SUCCESS"), ("till-0004", true, "PAYERROR")] {
        let code = market.say("/phone/auth-code", json!({"password": true})).await["auth_code"].clone();
        for _ in 0..2 {
            assert_eq!(shop.post(pay, &till(&shop, number, &code)).await.json()["trade_state"], "USERPAYING");
        }
        market.say("/phone/pay", json!({"auth_code": code, "decline": decline})).await;
        assert_eq!(shop.get(&state(number)).await.json()["trade_state"], end);
    }
    assert_eq!(market.see("/sandbox/callbacks").await["callbacks"], json!([]), "code pay calls nobody back");
    let stale = market.say("/phone/auth-code", json!({})).await["auth_code"].clone();
    market.say("/sandbox/clock", json!({"advance_ms": 60_000})).await;
    assert_eq!(verdict(&shop.post(pay, &till(&shop, "till-0005", &stale)).await), (400, "AUTHCODEEXPIRE".into()));
}
