//! The cashiers and the operator's page: what a page hands over is checked as WeChat checks it, and what is wrong is said.

use serde_json::{Value, json};

use super::market::{Market, Shop};
use super::visitor;

/// What a merchant's page hands to WeixinJSBridge.
fn handed(shop: &Shop, fourth: &str, end: &str) -> Value {
    let text = format!("{}\n1790000000\nabc\n{fourth}{end}", shop.appid);
    json!({
        "appId": shop.appid, "timeStamp": "1790000000", "nonceStr": "abc", "package": fourth, "signType": "RSA", "paySign": shop.sign(text.as_bytes()),
    })
}

async fn made(shop: &Shop, product: &str, more: &Value) -> Value {
    let answer = shop.post(&format!("/v3/pay/transactions/{product}"), &shop.order("order-0001", 100, more)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[tokio::test]
async fn a_jsapi_page_is_let_in_by_its_pay_sign_alone() {
    let market = Market::open().await;
    let shop = market.demo();
    let prepay_id = made(&shop, "jsapi", &json!({"payer": {"openid": "oAnna"}})).await["prepay_id"].as_str().expect("an id").to_owned();
    let package = format!("prepay_id={prepay_id}");
    let right = handed(&shop, &package, "\n");
    assert_eq!(market.say("/phone/cashier", right.clone()).await["prepay_id"], prepay_id);
    let with = |name: &str, value: &str| {
        let mut json = right.clone();
        json[name] = value.into();
        json
    };
    let bare = {
        let mut json = handed(&shop, &prepay_id, "\n");
        json["package"] = package.as_str().into();
        json
    };
    for (wrong, word) in [
        (with("timeStamp", "1790000000000"), "seconds"),
        (with("package", &prepay_id), "prepay_id="),
        (with("signType", "MD5"), "RSA"),
        (with("package", "prepay_id=wx0"), "no order"),
        (with("appId", "wx0"), "appId"),
        (with("nonceStr", "abd"), "does not hold"),
        (with("paySign", ""), "missing"),
        (bare, "fourth line"),
        (handed(&shop, &package, ""), "line feed"),
    ] {
        let answer = visitor::post(market.address, "/phone/cashier", &[], wrong.to_string()).await;
        let why = answer.json()["error"].as_str().expect("a reason").to_owned();
        assert_eq!((answer.status.as_u16(), why.contains(word)), (400, true), "{word}: {why}");
    }
    let query = format!(
        "/phone/cashier?appId={}&timeStamp=1790000000&nonceStr=abc&package=prepay_id%3D{prepay_id}&signType=RSA&paySign={}",
        shop.appid,
        right["paySign"].as_str().expect("text").replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
    );
    let page = visitor::get(market.address, &query, &[("accept-language", "en")]).await.text();
    assert!(page.contains("¥1.00") && page.contains(&format!("data-prepay=\"{prepay_id}\"")), "{page}");
    assert_eq!(market.say("/phone/pay", json!({"prepay_id": prepay_id})).await["trade_state"], "SUCCESS");
}

#[tokio::test]
async fn an_app_and_an_h5_page_have_their_cashiers() {
    let market = Market::open().await;
    let shop = market.demo();
    let prepay_id = made(&shop, "app", &json!({})).await["prepay_id"].as_str().expect("an id").to_owned();
    let sign = shop.sign(format!("{}\n1790000000\nabc\n{prepay_id}\n", shop.appid).as_bytes());
    let handed = json!({
        "appid": shop.appid, "partnerid": shop.mchid, "prepayid": prepay_id, "package": "Sign=WXPay", "noncestr": "abc", "timestamp": "1790000000",
        "sign": sign,
    });
    assert_eq!(market.say("/phone/cashier", handed).await["amount_fen"], 100);
    let other = market.merchant("public_key_only");
    let scene = json!({"scene_info": {"payer_client_ip": "10.1.2.3", "h5_info": {"type": "Wap"}}});
    let url = made(&other, "h5", &scene).await["h5_url"].as_str().expect("an address").to_owned();
    let path = url[url.find("/cgi-bin").expect("a path")..].to_owned();
    let page = visitor::get(market.address, &format!("{path}&redirect_url=javascript%3Aalert(1)"), &[]).await.text();
    assert!(page.contains("order-0001") && !page.contains("javascript:alert"), "{page}");
    let page = visitor::get(market.address, "/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx0", &[("accept-language", "en")]).await.text();
    assert!(page.contains("no order has this address"));
}

#[tokio::test]
async fn the_operator_sees_what_happened_and_downloads_keys() {
    let market = Market::open().await;
    let shop = market.demo();
    let code = made(&shop, "native", &json!({"description": "<b>鞋</b>"})).await;
    market.say("/phone/pay", json!({"code_url": code["code_url"]})).await;
    let page = visitor::get(market.address, "/operator", &[("accept-language", "en")]).await.text();
    for word in [&*shop.mchid, &*shop.apiv3_key, "order-0001", "&lt;b&gt;鞋", "TRANSACTION.SUCCESS", "partner", "reset after acting"] {
        assert!(page.contains(word), "{word}");
    }
    let key = visitor::get(market.address, "/operator/keys/partner/apiclient_key.pem", &[]).await;
    assert!(key.text().starts_with("-----BEGIN PRIVATE KEY-----") && key.header("content-disposition").contains("attachment"));
    for outside in ["/operator/keys/demo/account.json", "/operator/keys/demo/../orders.jsonl", "/operator/keys/nobody/pub_key.pem", "/operator/keys/"]
    {
        assert_eq!(visitor::get(market.address, outside, &[]).await.status, 404, "{outside}");
    }
}
