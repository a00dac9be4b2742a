//! Bills of the sandbox: asked for, downloaded once by whoever asked, adding up to the fen.

use serde_json::{Value, json};

use super::market::{Market, Shop, verdict};

const DAY_MS: i64 = 86_400_000;

async fn pays(market: &Market, shop: &Shop, number: &str, total: i64) {
    let made = shop.post("/v3/pay/transactions/native", &shop.order(number, total, &json!({}))).await;
    market.say("/phone/pay", json!({"code_url": made.json()["code_url"]})).await;
}

/// Today at the sandbox, as bills are asked for.
async fn today(market: &Market) -> String {
    market.see("/sandbox/clock").await["now"].as_str().expect("a time")[..10].to_owned()
}

fn target(url: &Value) -> String {
    let url = url.as_str().expect("an address");
    url[url.find("/v3/").expect("a path")..].to_owned()
}

fn sha1(bytes: &[u8]) -> String {
    fengate::ids::hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref())
}

#[tokio::test]
async fn a_days_bill_is_there_the_next_morning_and_adds_up() {
    let market = Market::open().await;
    let shop = market.demo();
    pays(&market, &shop, "order-0001", 10_000).await;
    pays(&market, &shop, "order-0002", 1).await;
    let refund = json!({"out_trade_no": "order-0001", "out_refund_no": "R1", "amount": {"refund": 2_500, "total": 10_000, "currency": "CNY"}});
    assert_eq!(shop.post("/v3/refund/domestic/refunds", &refund).await.status, 200);
    let day = today(&market).await;
    let ask = format!("/v3/bill/tradebill?bill_date={day}");
    assert_eq!(verdict(&shop.get(&ask).await), (400, "NO_STATEMENT_EXIST".to_owned()), "the day is not over");
    market.say("/sandbox/clock", json!({"advance_ms": 2 * DAY_MS})).await;
    let offered = shop.get(&ask).await;
    assert_eq!(offered.status, 200, "{}", offered.text());
    let offered = offered.json();
    let file = shop.get(&target(&offered["download_url"])).await;
    assert_eq!((file.status.as_u16(), file.header("content-type"), file.header("wechatpay-signature")), (200, "text/plain", ""));
    assert_eq!(sha1(&file.body), offered["hash_value"]);
    let text = file.text();
    assert!(text.starts_with('\u{feff}') && text.ends_with("`3,`100.01,`25.00,`0.00,`0.45000,`100.01,`25.00\r\n"), "{text}");
    let flow = shop.get(&format!("/v3/bill/fundflowbill?bill_date={day}")).await.json();
    let flow = shop.get(&target(&flow["download_url"])).await.text();
    assert!(flow.contains("`支出,`24.85,`74.56,"), "{flow}");
    assert!(flow.ends_with("`4,`2,`100.01,`2,`25.45\r\n"), "{flow}");
}

#[tokio::test]
async fn a_bill_can_be_had_at_once_compressed_and_by_its_owner_only() {
    let market = Market::open().await;
    let shop = market.demo();
    pays(&market, &shop, "order-0001", 100).await;
    market.say("/sandbox/bills", json!({"same_day": true})).await;
    let ask = format!("/v3/bill/tradebill?bill_date={}&bill_type=SUCCESS&tar_type=GZIP", today(&market).await);
    let offered = shop.get(&ask).await.json();
    let target = target(&offered["download_url"]);
    assert!(target.ends_with("&tartype=gzip"), "{target}");
    assert!(offered["download_url"].as_str().expect("text").starts_with(&format!("http://{}/", market.address)));
    assert_eq!(verdict(&market.merchant("partner").get(&target).await), (403, "NO_AUTH".to_owned()));
    let file = shop.get(&target).await;
    assert_eq!(file.header("content-type"), "application/x-gzip");
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&file.body[..]), &mut text).expect("opens");
    assert_eq!(sha1(&text), offered["hash_value"], "the digest is of the text, not of its compressed form");
    market.say("/sandbox/clock", json!({"advance_ms": 300_001})).await;
    assert_eq!(shop.get(&target).await.status, 400, "five minutes are over");
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_said() {
    let market = Market::open().await;
    let shop = market.demo();
    market.say("/sandbox/bills", json!({"same_day": true})).await;
    let day = today(&market).await;
    for (query, code) in [
        ("bill_date=2026-1-1".to_owned(), "PARAM_ERROR"),
        ("bill_date=2020-01-01".to_owned(), "PARAM_ERROR"),
        ("bill_date=2999-01-01".to_owned(), "PARAM_ERROR"),
        (format!("bill_date={day}&bill_type=OTHER"), "PARAM_ERROR"),
        (format!("bill_date={day}"), "NO_STATEMENT_EXIST"),
    ] {
        assert_eq!(verdict(&shop.get(&format!("/v3/bill/tradebill?{query}")).await), (400, code.to_owned()), "{query}");
    }
    assert_eq!(verdict(&shop.get("/v3/billdownload/file?token=guess").await).0, 400);
}
