//! The order in which the sandbox checks a request, and what it tolerates because real SDKs differ in it.

use serde_json::json;

use super::market::{Market, Shop, verdict};
use super::visitor::{self, Answer};

/// What is wrong, the method and target, the fields and body; the status, the code and a word of the message.
type Case<'c> = (&'c str, &'c str, &'c str, Vec<(&'c str, String)>, &'c str, u16, &'c str, &'c str);

/// A request with exactly these fields.
async fn send(shop: &Shop, method: &str, target: &str, fields: &[(&str, String)], body: &str) -> Answer {
    let mut request = http::Request::builder().method(method).uri(target).header("host", shop.address.to_string());
    for (name, value) in fields {
        request = request.header(*name, value);
    }
    visitor::send(shop.address, request.body(http_body_util::Full::new(body.to_owned().into())).expect("a request")).await
}

#[tokio::test]
async fn the_first_fault_in_the_documented_order_is_the_answer() {
    let market = Market::open().await;
    let shop = market.merchant("partner");
    let now = shop.clock.now().seconds();
    let (native, refunds) = ("/v3/pay/partner/transactions/native", "/v3/refund/domestic/refunds");
    // Every request is wrong in all that is checked after the fault it is here for.
    let bad = "{\"sp_appid\": 1}";
    let stranger = shop.partner_order("1700000000", "order-0001", 1, &json!({})).to_string();
    let fine = shop.partner_order(&shop.sub_mchids[0], "order-0001", 1, &json!({}));
    assert_eq!(shop.post(native, &fine).await.status, 200);
    let mut changed = fine.clone();
    changed["amount"]["total"] = 2.into();
    let (changed, mut other_app) = (changed.to_string(), fine.clone());
    other_app["sp_appid"] = "wx0000000000000000".into();
    other_app["amount"]["total"] = 2.into();
    let named = vec![("accept", "*/*".to_owned()), ("user-agent", "x".to_owned())];
    let with = |field: String| [named.clone(), vec![("authorization", field)]].concat();
    let stale = shop.signed("GET", "/wrong", b"", now - 400).replace(&shop.serial, "77");
    let unknown = shop.signed("GET", "/wrong", b"", now).replace(&shop.serial, "77");
    let unsigned = shop.signed("GET", "/wrong", b"", now);
    let signed = |body: &str| with(shop.signed("POST", native, body.as_bytes(), now));
    let cases: Vec<Case<'_>> = vec![
        ("unknown path", "POST", "/v3/unknown", vec![], bad, 404, "", ""),
        ("wrong method", "DELETE", refunds, vec![], bad, 405, "", ""),
        ("no Accept", "POST", refunds, vec![], bad, 400, "INVALID_REQUEST", "Accept"),
        ("no User-Agent", "POST", refunds, vec![("accept", "*/*".into())], bad, 400, "INVALID_REQUEST", "User-Agent"),
        ("no Authorization", "POST", refunds, named.clone(), bad, 401, "SIGN_ERROR", "值格式错误"),
        ("a stranger's scheme", "POST", refunds, with("Bearer x".into()), bad, 401, "SIGN_ERROR", "值格式错误"),
        ("another scheme of ours", "POST", refunds, with("WECHATPAY2-HMAC mchid=\"1\"".into()), bad, 401, "SIGN_ERROR", "认证类型"),
        ("half a claim", "POST", refunds, with("WECHATPAY2-SHA256-RSA2048 mchid=\"1\"".into()), bad, 401, "SIGN_ERROR", "值格式错误"),
        ("an old signature", "POST", refunds, with(stale), bad, 401, "SIGN_ERROR", "5分钟"),
        ("an unknown serial", "POST", refunds, with(unknown), bad, 401, "SIGN_ERROR", "序列号"),
        ("a wrong signature", "POST", refunds, with(unsigned), bad, 401, "SIGN_ERROR", "签名错误"),
        ("a wrong parameter", "POST", native, signed(bad), bad, 400, "PARAM_ERROR", ""),
        ("no permission", "POST", native, signed(&stranger), &stranger, 403, "NO_AUTH", ""),
        ("business", "POST", native, signed(&changed), &changed, 400, "INVALID_REQUEST", ""),
    ];
    for (what, method, target, fields, body, status, code, message) in cases {
        let answer = send(&shop, method, target, &fields, body).await;
        assert_eq!(verdict(&answer), (status, code.into()), "{what}: {}", answer.text());
        assert!(message.is_empty() || answer.json()["message"].as_str().is_some_and(|text| text.contains(message)), "{what}: {}", answer.text());
        let is_known = status != 401 && !code.is_empty() && code != "INVALID_REQUEST" || what == "business";
        assert_eq!(answer.headers.contains_key("wechatpay-signature"), is_known, "{what}: signed once the caller is known");
        assert_eq!(answer.headers.contains_key("request-id"), !code.is_empty(), "{what}");
    }
    assert_eq!(verdict(&shop.post(native, &other_app).await), (400, "APPID_MCHID_NOT_MATCH".into()), "permission before business");
    // The backends of ordinary orders look at the signature first and give their refusals no number.
    let first = send(&shop, "POST", "/v3/pay/transactions/native", &[], bad).await;
    assert_eq!((verdict(&first), first.headers.contains_key("request-id")), ((401, "SIGN_ERROR".into()), false));
}

#[tokio::test]
async fn what_real_sdks_differ_in_is_tolerated() {
    let market = Market::open().await;
    let shop = market.demo();
    let now = shop.clock.now().seconds();
    let native = "/v3/pay/transactions/native";
    // Go: a body that ends with LF; Node: a charset, the serial in lower case, fields in another order; a big integer: no leading zeros.
    let body = format!("{}\n", shop.order("a|b*c-0001", 1, &json!({})));
    let field = shop.signed("POST", native, body.as_bytes(), now);
    let (scheme, pairs) = field.split_once(' ').expect("a scheme");
    let mut pairs: Vec<&str> = pairs.split(',').collect();
    pairs.reverse();
    let orders = [pairs.join(","), pairs.join(", "), pairs.join(",").replace(&shop.serial, &shop.serial.to_lowercase())];
    for pairs in orders.into_iter().chain([pairs.join(",").replace(&shop.serial, &format!("00{}", shop.serial))]) {
        let fields = [
            ("accept", "application/json, text/plain, image/*;q=0.5".to_owned()),
            ("user-agent", "127.0.0.1".to_owned()),
            ("content-type", "application/json; charset=utf-8".to_owned()),
            ("authorization", format!("{scheme} {pairs}")),
            ("x-unknown", "1".to_owned()),
        ];
        let made = send(&shop, "POST", native, &fields, &body).await;
        assert_eq!(made.status, 200, "{pairs}: {}", made.text());
        assert_eq!(made.header("wechatpay-signature-type"), "WECHATPAY2-SHA256-RSA2048");
        assert!(made.header("content-type").starts_with("application/json"));
    }
    for path in ["a|b*c-0001", "a%7Cb*c-0001", "a%7cb%2Ac-0001"] {
        let found = shop.get(&format!("/v3/pay/transactions/out-trade-no/{path}?mchid={}", shop.mchid)).await;
        assert_eq!((found.status.as_u16(), found.json()["out_trade_no"].as_str()), (200, Some("a|b*c-0001")), "{path}");
    }
    let closed = shop.post("/v3/pay/transactions/out-trade-no/a|b*c-0001/close", &json!({"mchid": shop.mchid})).await;
    assert_eq!((closed.status.as_u16(), closed.body.len(), closed.headers.contains_key("wechatpay-signature")), (204, 0, true));
}
